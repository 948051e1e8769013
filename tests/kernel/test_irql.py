"""Raising, lowering, and what every routine's declaration checks (facts §5.1, §5.2, §7)."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from types import ModuleType

import pytest

import dirql.facts
from dirql.ddi import ddi, irql_name, routine_of
from dirql.errors import ApiError, UsageError
from dirql.facts import routine, routines
from dirql.facts.routines import IRQL
from dirql.kernel import BugCheck, Event, Kdpc, Kernel, SpinLock


def test_raising_returns_the_old_irql_and_lowering_goes_back(world: ModuleType) -> None:
    w = world.World(1)

    def work() -> list[int]:
        seen = [w.kernel.ke_raise_irql(2), w.kernel.ke_raise_irql(2), w.kernel.ke_raise_irql(15), w.kernel.ke_get_current_irql()]
        w.kernel.ke_lower_irql(7)
        seen.append(w.kernel.ke_get_current_irql())
        w.kernel.ke_lower_irql(0)
        return seen

    assert w.run_thread(work) == [0, 2, 2, 15, 7]


@pytest.mark.parametrize(
    ("start", "call", "text"),
    [
        (5, "raise 2", "bugcheck 0x9 IRQL_NOT_GREATER_OR_EQUAL (0x0, 0x5, 0x0, 0x0): KeRaiseIrql to DISPATCH_LEVEL at DIRQL 5"),
        (0, "raise 16", "bugcheck 0x9 IRQL_NOT_GREATER_OR_EQUAL (0x0, 0x0, 0x0, 0x0): KeRaiseIrql to DIRQL 16 at PASSIVE_LEVEL"),
        (1, "lower 2", "bugcheck 0xa IRQL_NOT_LESS_OR_EQUAL (0x0, 0x1, 0x0, 0x0): KeLowerIrql to DISPATCH_LEVEL at APC_LEVEL"),
    ],
)
def test_the_wrong_direction_is_a_bugcheck(world: ModuleType, start: int, call: str, text: str) -> None:
    w = world.World(1)
    verb, level = call.split()
    routines = {"raise": w.kernel.ke_raise_irql, "lower": w.kernel.ke_lower_irql}
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run_thread(lambda: (w.kernel.ke_raise_irql(start), routines[verb](int(level))))


@pytest.mark.parametrize("held", range(16))
@pytest.mark.parametrize("vector", [0x30, 0x5F, 0x60, 0xBF])
def test_an_irql_holds_back_its_class_and_those_below(world: ModuleType, held: int, vector: int) -> None:
    w = world.World(1)
    interrupt = w.connect(lambda i, c: True, vector)
    w.aim(0, vector, 0)

    def work() -> int:
        w.kernel.ke_raise_irql(held)
        w.machine.time = w.cpu.now
        w.card.fire(0)
        w.stall(10)
        before: int = interrupt.count
        w.kernel.ke_lower_irql(0)
        return before

    assert w.run_thread(work) == (vector >> 4 > held)
    assert interrupt.count == 1


@pytest.mark.parametrize("irql", range(16))
def test_an_irql_has_the_name_that_windbg_shows(irql: int) -> None:
    names = {0: "PASSIVE_LEVEL", 1: "APC_LEVEL", 2: "DISPATCH_LEVEL", 15: "HIGH_LEVEL"}
    assert irql_name(irql) == names.get(irql, f"DIRQL {irql}")


def test_a_routine_that_the_fact_tables_do_not_know_is_an_error_at_import() -> None:
    text = "KeDoWhatIMean has no row in facts/wdf_functions.csv or facts/wdm_routines.csv; add it and its source"
    with pytest.raises(ApiError, match=f"^{re.escape(text)}$"):
        ddi("KeDoWhatIMean")


@pytest.mark.parametrize("table", ["wdf_functions.csv", "wdm_routines.csv"])
def test_every_row_of_the_fact_tables_is_read(table: str) -> None:
    lines = (Path(dirql.facts.__file__).parent / table).read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        known = routine(row["name"])
        assert (known.limit_name, known.min_irql) == (row["max_irql"], IRQL[row["min_irql"]])
        assert known.enforced == (row["enforced"] == "1")


def test_no_routine_is_in_both_tables() -> None:
    tables = ("wdf_functions.csv", "wdm_routines.csv")
    texts = [(Path(dirql.facts.__file__).parent / table).read_text("utf-8").splitlines() for table in tables]
    rows = sum(len([line for line in lines if line and not line.startswith("#")]) - 1 for lines in texts)
    assert rows == len(routines())


@pytest.mark.parametrize(
    ("routine_name", "limit", "method"),
    [
        ("KeWaitForSingleObject", "DISPATCH_LEVEL", Kernel.ke_wait_for_single_object),
        ("KeFlushQueuedDpcs", "PASSIVE_LEVEL", Kernel.ke_flush_queued_dpcs),
        ("KeInsertQueueDpc", "HIGH_LEVEL", Kdpc.insert),
        ("KeAcquireSpinLockRaiseToDpc", "DISPATCH_LEVEL", SpinLock.acquire),
    ],
)
def test_a_method_knows_which_routine_it_is(routine_name: str, limit: str, method: object) -> None:
    row = routine_of(method)
    assert row is not None and (row.name, row.limit_name) == (routine_name, limit)


def test_a_routine_above_its_limit_is_a_finding_counted_and_the_call_goes_on(world: ModuleType) -> None:
    w = world.World(2)
    event = Event(w.kernel)

    def wrong() -> None:
        w.kernel.ke_raise_irql(5)
        for _ in range(3):
            event.set()
        w.kernel.ke_lower_irql(0)

    w.run_thread(wrong, 1, "EvtSomething")
    (finding,) = w.machine.findings.values()
    assert (finding.rule, finding.level, finding.count, finding.cpu) == ("irql-too-high", "error", 3, 1)
    assert re.fullmatch(
        r"finding irql-too-high: KeSetEvent needs IRQL <= DISPATCH_LEVEL, called at DIRQL 5 "
        r"\(cpu1, EvtSomething, test_irql\.py:\d+, 3 times\)",
        str(finding),
    )
    assert event.state


@pytest.mark.parametrize("name", ["set", "insert", "release"])
def test_a_routine_called_from_outside_says_where_to_call_it(world: ModuleType, name: str) -> None:
    w = world.World(1)
    call, routine_name = {
        "set": (Event(w.kernel).set, "KeSetEvent"),
        "insert": (Kdpc(w.kernel, lambda d, c, a, b: None, None).insert, "KeInsertQueueDpc"),
        "release": (SpinLock(w.kernel).release, "KeReleaseSpinLock"),
    }[name]
    text = f"{routine_name} was called while no processor runs; call it in a driver's callback, or through system.call(…)"
    for _ in range(2):
        with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
            call()
    assert not w.machine.findings
    assert w.run_thread(lambda: "fine") == "fine"


def test_every_routine_costs_time(world: ModuleType) -> None:
    w = world.World(1)
    event = Event(w.kernel)
    before, after = w.run_thread(lambda: (w.cpu.now, [event.read_state() for _ in range(7)], w.cpu.now)[::2])
    assert after - before == 7 * w.machine.costs.routine


def test_a_stall_takes_interrupts_when_they_arrive(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(lambda i, c: bool(w.log.append(w.cpu.now)) or True)
    w.aim(0, 0x51, 0)
    w.at(20_000, lambda: w.card.fire(0))
    begin, end = w.run_thread(lambda: (w.cpu.now, w.stall(1_000), w.cpu.now)[::2])
    assert 20_000 < w.log[0] < 23_000 and end - begin == 1_000_010


def test_the_performance_counter_runs_at_ten_megahertz(world: ModuleType) -> None:
    w = world.World(1)
    (begin, frequency), (end, _) = w.run_thread(
        lambda: (w.kernel.ke_query_performance_counter(), w.stall(100), w.kernel.ke_query_performance_counter())[::2]
    )
    assert frequency == 10_000_000 and end - begin == 1_000


def test_a_thread_learns_its_processor_and_how_many_there_are(world: ModuleType) -> None:
    w = world.World(3)

    def ask() -> tuple[int, int]:
        return w.kernel.ke_get_current_processor_number(), w.kernel.ke_query_active_processor_count()

    assert [w.run_thread(ask, cpu) for cpu in range(3)] == [(0, 3), (1, 3), (2, 3)]

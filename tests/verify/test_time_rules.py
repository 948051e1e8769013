"""Rules of time and of IRQLs: ISRs and DPCs that take too long, waits and pageable code where neither may be, other IRQLs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from dirql import wdf
from dirql.findings import Finding
from dirql.kernel import Event, Kdpc
from dirql.kernel.stop import BugCheck
from dirql.machine import RandomChooser

LEAVE = "leave the work to a work item, or queue the DPC again"


def told(w: Any, rule: str) -> list[Finding]:
    """The findings of that rule."""
    return [finding for finding in w.machine.findings.values() if finding.rule == rule]


@pytest.mark.parametrize(
    ("event", "us", "rule", "sentence"),
    [
        (("Isr", 0), 24, "", ""),
        (("Isr", 0), 26, "isr-too-long", "the ISR of interrupt0 took 26.* µs, more than 25 µs; leave the work to its DPC"),
        (("Dpc", 0), 99, "", ""),
        (("Dpc", 0), 101, "dpc-too-long", f"the DPC interrupt0.dpc took 101.* µs, more than 100 µs; {LEAVE}"),
    ],
)
def test_an_isr_or_dpc_that_takes_too_long_is_told_once(World: Any, event: Any, us: int, rule: str, sentence: str) -> None:
    w = World().started()
    w.during(event, lambda interrupt: w.kernel.ke_stall_execution_processor(us))
    w.fire(0)
    w.fire(0)
    if not rule:
        assert w.findings == []
        return
    (finding,) = w.system.findings
    head, tail = sentence.split(".*")
    assert (finding.rule, finding.level, finding.count, finding.where) == (rule, "warning", 2, f"cpu0, {head.split(' took')[0]}")
    assert finding.sentence.startswith(head) and finding.sentence.endswith(tail)


def test_where_processors_are_interleaved_no_time_is_measured(World: Any) -> None:
    w = World(chooser=RandomChooser(1)).started()
    w.during(("Dpc", 0), lambda interrupt: w.kernel.ke_stall_execution_processor(200))
    w.fire(0)
    assert w.findings == []


def test_a_dpc_of_twenty_seconds_is_bugcheck_133(world: ModuleType) -> None:
    w = world.World(1)
    dpc = Kdpc(w.kernel, lambda *_: w.stall(21_000_000), None, "scan")
    with pytest.raises(BugCheck) as error:
        w.run_thread(dpc.insert)
    assert (error.value.code, error.value.parameters[0], error.value.parameters[2]) == (0x133, 0, 0x500)
    assert error.value.why == "the DPC scan took 21.0 s, more than the 0x500 ticks of a DPC"


@pytest.mark.parametrize("in_dpc", [False, True])
def test_a_wait_at_dispatch_level_names_what_is_waited_for(world: ModuleType, in_dpc: bool) -> None:
    w = world.World(1)
    event = Event(w.kernel, name="the reply")

    def waits(*_: Any) -> None:
        w.kernel.ke_raise_irql(2)
        w.kernel.ke_wait_for_single_object(event)

    with pytest.raises(BugCheck, match="the reply"):
        w.run_thread(Kdpc(w.kernel, waits, None).insert if in_dpc else waits)
    (finding,) = told(w, "wait-at-dispatch")
    assert finding.sentence == "a wait for the reply at DISPATCH_LEVEL; wait below DISPATCH_LEVEL, or look with a time-out of 0"


def test_a_look_with_a_time_out_of_zero_is_no_wait(world: ModuleType) -> None:
    w = world.World(1)
    event = Event(w.kernel, name="the reply")
    w.run_thread(Kdpc(w.kernel, lambda *_: w.kernel.ke_wait_for_single_object(event, 0), None).insert)
    assert told(w, "wait-at-dispatch") == []


def pageable(device: Any) -> None:
    wdf.paged_code(device)


@pytest.mark.parametrize(("irql", "name"), [(0, ""), (1, ""), (2, "DISPATCH_LEVEL"), (5, "DIRQL 5")])
def test_pageable_code_above_apc_level_is_found(World: Any, irql: int, name: str) -> None:
    w = World().started()
    w.at_irql(irql, lambda: pageable(w.device))
    remedy = "take the mark and its section away, or call it lower"
    expected = [f"pageable is pageable (PAGED_CODE) and runs at {name}; {remedy}"] if name else []
    assert [finding.sentence for finding in told(w.system, "paged-code-irql")] == expected


def raises_irql(w: Any) -> None:
    w.kernel.ke_raise_irql(12)


@pytest.mark.parametrize(
    ("who", "code"),
    [("isr", 0xC8), ("dpc", 0xC8), ("timer", 0xC8), ("thread", 0xC8), ("work item", 0xE1), ("passive isr", 0xC8)],
)
def test_who_returns_at_another_irql_is_found_and_stops_the_machine(world: ModuleType, who: str, code: int) -> None:
    w = world.World(1)

    def begin() -> None:
        if who == "dpc":
            Kdpc(w.kernel, lambda *_: raises_irql(w), None).insert()
        elif who == "timer":
            wdf.Ktimer(w.kernel).set(1_000, dpc=Kdpc(w.kernel, lambda *_: raises_irql(w), None))
        elif who == "work item":
            w.kernel.work.queue(lambda _: raises_irql(w), None)
        elif who == "thread":
            raises_irql(w)

    if "isr" in who:
        w.connect(lambda i, c: not raises_irql(w), name="rx", passive=who == "passive isr")
        w.aim(0, 0x51, 0)
        w.at(1_000, lambda: w.card.fire(0))
    with pytest.raises(BugCheck) as error:
        w.run_thread(begin)
    assert error.value.code == code
    (finding,) = told(w, "irql-changed")
    assert "returned at " in finding.sentence and finding.level == "error"


@pytest.mark.parametrize("kmdf", [False, True])
def test_a_callback_of_the_frameworks_that_changes_the_irql_is_found(World: Any, kmdf: bool) -> None:
    w = World(kmdf=kmdf).started()
    item = w.call(lambda: wdf.WorkItem.create(w.device, wdf.WorkItemConfig(lambda item: raises_irql(w) if irqls else None)))
    irqls = [2]
    w.stop_code(item.enqueue)
    stop = w.system.stopped
    if kmdf:
        assert isinstance(stop, BugCheck) and (stop.code, stop.parameters[0]) == (0x10D, 0xE)
    else:
        assert w.findings == [("irql-changed", "EvtWorkItem was entered at PASSIVE_LEVEL and returned at DIRQL 12")]

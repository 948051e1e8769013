"""DPC queues: order, importance, target, coalescing, flushing (facts §4.1)."""

from __future__ import annotations

import re
from itertools import product
from types import ModuleType
from typing import Any

import pytest

from dirql.kernel import BugCheck, Importance, Kdpc


def dpc(w: Any, name: str, body: Any = None) -> Kdpc:
    def routine(dpc: Kdpc, context: Any, a: Any, b: Any) -> None:
        w.log.append((name, w.cpu.index, w.cpu.irql))
        if body is not None:
            body()

    return Kdpc(w.kernel, routine, None, name)


def at_dispatch(w: Any, body: Any) -> None:
    old = w.kernel.ke_raise_irql(2)
    body()
    w.log.append("lowering")
    w.kernel.ke_lower_irql(old)
    w.log.append("lowered")


def test_a_dpc_runs_when_its_processor_drops_below_dispatch(world: ModuleType) -> None:
    w = world.World(1)
    one = dpc(w, "dpc")
    w.run_thread(lambda: at_dispatch(w, one.insert))
    assert w.log == ["lowering", ("dpc", 0, 2), "lowered"]


def test_a_dpc_queued_below_dispatch_runs_before_the_call_returns(world: ModuleType) -> None:
    w = world.World(1)
    one = dpc(w, "dpc")
    w.run_thread(lambda: w.log.append(one.insert()))
    assert w.log == [("dpc", 0, 2), True]


def test_the_same_dpc_queued_twice_is_one_with_the_first_arguments(world: ModuleType) -> None:
    w = world.World(1)
    one = Kdpc(w.kernel, lambda d, c, a, b: w.log.append((c, a, b)), "context")
    w.run_thread(lambda: at_dispatch(w, lambda: w.log.extend([one.insert(1, 2), one.insert(3, 4)])))
    assert w.log == [True, False, "lowering", ("context", 1, 2), "lowered"]
    assert one.count == 1


@pytest.mark.parametrize("order", list(product([Importance.MediumImportance, Importance.HighImportance], repeat=3)))
def test_high_importance_goes_to_the_head_of_the_queue(world: ModuleType, order: tuple[Importance, ...]) -> None:
    w = world.World(1)

    def queue() -> None:
        for index, importance in enumerate(order):
            one = dpc(w, str(index))
            one.set_importance(importance)
            one.insert()

    w.run_thread(lambda: at_dispatch(w, queue))
    expected: list[str] = []
    for index, importance in enumerate(order):
        expected.insert(0 if importance == Importance.HighImportance else len(expected), str(index))
    assert [what[0] for what in w.log if isinstance(what, tuple)] == expected


@pytest.mark.parametrize(
    ("importance", "others", "at_once"),
    [
        (Importance.LowImportance, 0, False),
        (Importance.MediumImportance, 0, False),
        (Importance.MediumHighImportance, 0, True),
        (Importance.HighImportance, 0, True),
        (Importance.MediumImportance, 3, True),
        (Importance.LowImportance, 3, True),
        (Importance.LowImportance, 2, False),
    ],
)
def test_another_processor_starts_at_once_only_for_importance_or_a_deep_queue(
    world: ModuleType, importance: Importance, others: int, at_once: bool
) -> None:
    w = world.World(2)
    times: list[int] = []

    def queue() -> None:
        old = w.kernel.ke_raise_irql(2)
        for _ in range(others):
            filler = dpc(w, "filler")
            filler.set_target_processor(1)
            filler.insert()
        one = dpc(w, "dpc", lambda: times.append(w.cpu.now))
        one.set_target_processor(1)
        one.set_importance(importance)
        one.insert()
        w.kernel.ke_lower_irql(old)

    w.run_thread(queue, 0)
    assert [what[:2] for what in w.log][-1] == ("dpc", 1)
    tick = w.machine.costs.clock_tick
    assert times[0] < tick if at_once else tick <= times[0] < tick + 10_000


def test_low_importance_on_ones_own_processor_waits_for_the_tick_while_a_thread_runs(world: ModuleType) -> None:
    w = world.World(1)
    one = dpc(w, "low", lambda: w.log.append(w.cpu.now >= w.machine.costs.clock_tick))

    def work() -> None:
        one.set_importance(Importance.LowImportance)
        one.insert()
        w.log.append("inserted")
        w.stall(20_000)
        w.log.append("stalled")

    w.run_thread(work)
    assert w.log == ["inserted", ("low", 0, 2), True, "stalled"]


def test_a_high_importance_dpc_interrupts_the_thread_of_its_target(world: ModuleType) -> None:
    w = world.World(2)
    one = dpc(w, "dpc", lambda: w.log.append(w.cpu.now))

    def spin() -> None:
        w.stall(1_000)
        w.log.append("thread ends")

    def send() -> None:
        w.stall(10)
        one.set_importance(Importance.HighImportance)
        one.set_target_processor(1)
        one.insert()

    w.thread(spin, 1)
    w.thread(send, 0)
    w.run()
    assert w.log[0] == ("dpc", 1, 2) and w.log[1] < 100_000 and w.log[2] == "thread ends"


def test_one_dpc_runs_on_two_processors_at_once(world: ModuleType) -> None:
    w = world.World(2)
    most: list[int] = []

    def body() -> None:
        w.stall(50)
        most.append(one.running)

    one = dpc(w, "dpc", body)

    def queue(delay: int) -> None:
        w.stall(delay)
        one.insert()

    w.thread(lambda: queue(10), 0)
    w.thread(lambda: queue(30), 1)
    w.run()
    assert [what[1] for what in w.log] == [0, 1] and max(most) == 2


def test_a_dpc_can_queue_itself_again(world: ModuleType) -> None:
    w = world.World(1)
    one = dpc(w, "dpc", lambda: one.count < 3 and one.insert())
    w.run_thread(one.insert)
    assert one.count == 3


def test_a_removed_dpc_does_not_run(world: ModuleType) -> None:
    w = world.World(1)
    one, other = dpc(w, "one"), dpc(w, "other")

    def queue() -> None:
        one.insert()
        other.insert()
        w.log.extend([one.remove(), one.remove()])

    w.run_thread(lambda: at_dispatch(w, queue))
    assert w.log == [True, False, "lowering", ("other", 0, 2), "lowered"]


def test_a_flush_waits_for_the_dpcs_queued_before_it_and_not_for_later_ones(world: ModuleType) -> None:
    w = world.World(3)

    def again() -> None:
        w.stall(40)
        if one.count < 40:
            one.insert()

    one = dpc(w, "repeating", again)
    before = dpc(w, "before")

    def flush() -> None:
        before.set_target_processor(2)
        before.insert()  # of medium importance: would wait for the clock tick
        w.kernel.ke_flush_queued_dpcs()
        w.log.append("flushed")

    w.thread(one.insert, 1)
    w.thread(flush, 0)
    w.run()
    names = [what if isinstance(what, str) else what[0] for what in w.log]
    assert names.index("before") < names.index("flushed") < len(names) - 1
    assert names.count("repeating") == 40


def test_a_flush_waits_for_the_dpc_that_runs_elsewhere(world: ModuleType) -> None:
    w = world.World(2)
    one = dpc(w, "dpc", lambda: w.stall(100) or w.log.append("dpc ends"))

    def flush() -> None:
        w.stall(30)
        w.kernel.ke_flush_queued_dpcs()
        w.log.append("flushed")

    w.thread(one.insert, 1)
    w.thread(flush, 0)
    w.run()
    assert w.log == [("dpc", 1, 2), "dpc ends", "flushed"]


def test_a_flush_of_nothing_returns(world: ModuleType) -> None:
    w = world.World(4)
    assert w.run_thread(w.kernel.ke_flush_queued_dpcs) is None


@pytest.mark.parametrize("number", [-1, 2, 64])
def test_a_target_that_does_not_exist_is_a_bugcheck(world: ModuleType, number: int) -> None:
    w = world.World(2)
    one = dpc(w, "rx.dpc")
    text = f"bugcheck 0xc7 TIMER_OR_DPC_INVALID (0x3, {number:#x}, 0x0, 0x0): rx.dpc: target processor {number} of 2"
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run_thread(lambda: one.set_target_processor(number))


def test_a_dpc_that_returns_at_another_irql_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    one = dpc(w, "rx.dpc", lambda: w.kernel.ke_raise_irql(5))
    text = "bugcheck 0xc8 IRQL_UNEXPECTED_VALUE (0x50200, 0x0, 0x0, 0x0): rx.dpc returned at IRQL 5, not DISPATCH_LEVEL"
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run_thread(one.insert)


def test_an_interrupt_is_taken_while_a_dpc_runs_and_its_dpc_after_it(world: ModuleType) -> None:
    w = world.World(1)
    second = dpc(w, "second")

    def isr(interrupt: Any, context: Any) -> bool:
        w.log.append("isr")
        second.insert()
        return True

    def body() -> None:
        w.machine.time = w.cpu.now
        w.card.fire(0)
        w.stall(10)
        w.log.append("first ends")

    w.connect(isr)
    w.aim(0, 0x51, 0)
    w.run_thread(dpc(w, "first", body).insert)
    assert w.log == [("first", 0, 2), "isr", "first ends", ("second", 0, 2)]

"""Taking interrupts: IRQL and priority class, merging, target sets, chains, connecting (facts §3.6, §4, §4.2, §5.1)."""

from __future__ import annotations

import re
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from dirql import ntstatus
from dirql.kernel import BugCheck, KInterrupt, SpinLock


def quiet(interrupt: KInterrupt, context: Any) -> bool:
    return True


def test_a_message_becomes_one_isr_call_at_the_class_of_its_vector(world: ModuleType) -> None:
    w = world.World(4)
    w.connect(lambda i, c: bool(w.log.append((w.cpu.index, w.cpu.irql))) or True, 0x51, (2,))
    w.aim(0, 0x51, 2)
    w.card.fire(0)
    w.run()
    assert w.log == [(2, 5)]
    assert (w.card.fates[0].delivered, w.card.fates[0].cpus, w.card.fates[0].balanced) == (1, 0b100, True)
    assert w.machine.cpus[2].irql == 0 and w.machine.cpus[2].apic.isr == 0


@pytest.mark.parametrize(
    ("first", "second", "nests"),
    [(0x51, 0x61, True), (0x51, 0x52, False), (0x5F, 0x50, False), (0x61, 0x51, False), (0x51, 0x51, False), (0x30, 0xBF, True)],
)
def test_only_a_higher_class_nests_on_one_processor(world: ModuleType, first: int, second: int, nests: bool) -> None:
    w = world.World(1)

    def outer(interrupt: KInterrupt, context: Any) -> bool:
        w.log.append("outer")
        if w.log.count("outer") == 1:
            w.machine.time = w.cpu.now
            w.card.fire(1)
            w.stall(5)
        w.log.append("outer ends")
        return True

    w.connect(outer, first)
    if second != first:
        w.connect(lambda i, c: bool(w.log.append("inner")) or True, second)
    w.aim(0, first, 0)
    w.aim(1, second, 0)
    w.card.fire(0)
    w.run()
    inner = "outer" if second == first else "inner"
    ends = ["outer ends"] if second == first else []
    assert w.log == (["outer", "inner", "outer ends"] if nests else ["outer", "outer ends", inner, *ends])


def test_an_isr_does_not_hold_back_other_processors(world: ModuleType) -> None:
    w = world.World(2)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        w.log.append((context, w.cpu.index, "in"))
        w.stall(50)
        w.log.append((context, w.cpu.index, "out"))
        return True

    for index, vector in enumerate((0x51, 0x52)):
        w.connect(isr, vector, (index,))
        w.aim(index, vector, index)
    w.card.fire(0)
    w.card.fire(1)
    w.run()
    assert [what[1:] for what in w.log] == [(0, "in"), (1, "in"), (0, "out"), (1, "out")]


@pytest.mark.parametrize(("sent", "delivered", "merged"), [(1, 1, 0), (2, 1, 1), (5, 1, 4)])
def test_the_same_vector_pending_twice_is_one_interrupt(world: ModuleType, sent: int, delivered: int, merged: int) -> None:
    w = world.World(1)
    interrupt = w.connect(quiet)
    w.aim(0, 0x51, 0)

    def masked() -> None:
        old = w.kernel.ke_raise_irql(15)
        for _ in range(sent):
            w.card.fire(0)
        w.stall(5)
        w.kernel.ke_lower_irql(old)

    w.run_thread(masked)
    fate = w.card.fates[0]
    assert (fate.sent, fate.delivered, fate.merged, interrupt.count) == (sent, delivered, merged, delivered)
    assert fate.balanced


def test_one_more_can_wait_while_the_first_is_in_service(world: ModuleType) -> None:
    w = world.World(1)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        if not interrupt.count:
            w.machine.time = w.cpu.now
            for _ in range(3):
                w.card.fire(0)
            w.stall(5)
        return True

    interrupt = w.connect(isr)
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    w.run()
    fate = w.card.fates[0]
    assert (fate.sent, fate.delivered, fate.merged, interrupt.count) == (4, 2, 2, 2)


def test_pending_vectors_are_taken_highest_first(world: ModuleType) -> None:
    w = world.World(1)
    for entry, vector in enumerate((0x31, 0xB2, 0x52, 0x51)):
        w.connect(lambda i, c: bool(w.log.append(i.vector)) or True, vector)
        w.aim(entry, vector, 0)

    def masked() -> None:
        old = w.kernel.ke_raise_irql(11)
        for entry in range(4):
            w.card.fire(entry)
        w.stall(5)
        w.kernel.ke_lower_irql(4)
        w.log.append("at 4")
        w.kernel.ke_lower_irql(old)

    w.run_thread(masked)
    assert w.log == [0xB2, 0x52, 0x51, "at 4", 0x31]


def test_arbitration_prefers_the_processor_with_the_lowest_irql(world: ModuleType) -> None:
    w = world.World(3)
    interrupt = w.connect(quiet, 0x51, (0, 1, 2))
    w.aim(0, 0x51, 0, 1, 2, lowest=True)

    def busy(irql: int) -> None:
        old = w.kernel.ke_raise_irql(irql)
        w.stall(30)
        w.kernel.ke_lower_irql(old)

    w.thread(lambda: busy(4), 0)
    w.thread(lambda: busy(2), 1)
    w.thread(lambda: busy(3), 2)
    w.at(10_000, lambda: w.card.fire(0))
    w.run()
    assert (interrupt.count, w.card.fates[0].cpus) == (1, 0b010)


def test_without_lowest_priority_every_target_takes_it_one_after_the_other_under_the_lock(world: ModuleType) -> None:
    w = world.World(3)
    inside: list[int] = []

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        inside.append(w.cpu.index)
        assert len(inside) == 1
        w.log.append((w.cpu.index, w.cpu.now))
        w.stall(40)
        inside.remove(w.cpu.index)
        return True

    w.connect(isr, 0x51, (0, 1, 2))
    w.aim(0, 0x51, 0, 1, 2)
    w.card.fire(0)
    w.run()
    times = [time for _, time in w.log]
    assert sorted(cpu for cpu, _ in w.log) == [0, 1, 2]
    assert all(later - earlier >= 40_000 for earlier, later in pairwise(times))
    assert (w.card.fates[0].delivered, w.card.fates[0].balanced) == (1, True)


def test_the_same_vector_pending_on_two_processors_is_two_isr_calls_in_sequence(world: ModuleType) -> None:
    w = world.World(2)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        w.log.append(("in", w.cpu.index))
        if len(w.log) == 1:
            w.machine.time = w.cpu.now
            w.card.fire(0)
        w.stall(30)
        w.log.append(("out", w.cpu.index))
        return True

    interrupt = w.connect(isr, 0x51, (0, 1))
    w.aim(0, 0x51, 0, 1, lowest=True)
    w.card.fire(0)
    w.run()
    assert w.log == [("in", 0), ("out", 0), ("in", 1), ("out", 1)]
    assert (interrupt.count, w.card.fates[0].cpus) == (2, 0b11)


def test_a_message_before_connect_is_swallowed(world: ModuleType) -> None:
    w = world.World(1)
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    w.run()
    interrupt = w.connect(quiet)
    w.card.fire(0)
    w.run()
    w.run_thread(lambda: w.kernel.interrupts.disconnect(interrupt))
    w.card.fire(0)
    w.run()
    fate = w.card.fates[0]
    assert (fate.sent, fate.delivered, fate.swallowed, interrupt.count) == (3, 1, 2, 1)
    assert fate.balanced


def test_the_frameworks_word_turns_a_delivery_into_a_swallow(world: ModuleType) -> None:
    w = world.World(1)

    def thunk(interrupt: KInterrupt, context: Any) -> bool:
        w.kernel.interrupts.swallow(interrupt, "not connected yet")
        return False

    w.connect(thunk)
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    w.run()
    fate = w.card.fates[0]
    assert (fate.delivered, fate.swallowed, fate.balanced) == (0, 1, True)


def test_a_latched_chain_is_walked_until_a_whole_pass_claims_nothing(world: ModuleType) -> None:
    w = world.World(1)
    left = {"a": 2, "b": 1}

    def isr(name: str) -> Any:
        def service(interrupt: KInterrupt, context: Any) -> bool:
            w.log.append(name)
            left[name] -= 1
            return left[name] >= 0

        return service

    w.connect(isr("a"), share=True)
    w.connect(isr("b"), share=True)
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    w.run()
    assert "".join(w.log) == "ababab"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"affinity": 0}, ntstatus.STATUS_INVALID_PARAMETER_10),
        ({"affinity": 0b100}, ntstatus.STATUS_INVALID_PARAMETER_10),
        ({"vector": 0x51}, ntstatus.STATUS_INVALID_PARAMETER),
        ({"vector": 0x51, "share": True}, ntstatus.STATUS_INVALID_PARAMETER),
        ({"synchronize_irql": 4}, ntstatus.STATUS_INVALID_PARAMETER),
        ({"vector": 0x61, "share": True, "passive": True}, ntstatus.STATUS_INVALID_PARAMETER),
        ({"vector": 0x61, "share": True}, ntstatus.STATUS_SUCCESS),
        ({}, ntstatus.STATUS_SUCCESS),
    ],
)
def test_connecting_says_what_is_wrong(world: ModuleType, change: dict[str, Any], status: int) -> None:
    w = world.World(2)
    w.connect(quiet, 0x51)
    w.connect(quiet, 0x61, share=True)
    good = {"vector": 0x52, "irql": 5, "synchronize_irql": 6, "affinity": 0b11, "latched": True, "share": False}
    interrupt = KInterrupt(w.kernel, quiet, None, **{**good, **change})
    assert w.run_thread(lambda: w.kernel.interrupts.connect(interrupt)) == status
    assert interrupt.connected == (status == 0)


@pytest.mark.parametrize(("passive", "callers", "status"), [
    (True, True, ntstatus.STATUS_INVALID_PARAMETER),
    (True, False, ntstatus.STATUS_SUCCESS),
    (False, True, ntstatus.STATUS_SUCCESS),
    (False, False, ntstatus.STATUS_SUCCESS),
])  # fmt: skip
def test_a_passive_level_interrupt_takes_no_spin_lock_of_the_callers(
    world: ModuleType, passive: bool, callers: bool, status: int
) -> None:
    w = world.World(1)
    level = 0 if passive else 5
    interrupt = KInterrupt(
        w.kernel, quiet, None, vector=0x52, irql=level, synchronize_irql=level, affinity=1, latched=True, share=False,
        lock=SpinLock(w.kernel, "the caller's") if callers else None, passive=passive,
    )  # fmt: skip
    assert w.run_thread(lambda: w.kernel.interrupts.connect(interrupt)) == status
    assert (interrupt.connected, w.machine.cpus[0].idt[0x52] is not None) == (status == 0, status == 0)


def test_the_bus_hears_of_the_first_connect_and_the_last_disconnect(world: ModuleType) -> None:
    w = world.World(2)

    class Source:
        def connected(self) -> None:
            w.log.append("unmasked")

        def disconnected(self) -> None:
            w.log.append("masked")

    w.kernel.interrupts.attach(0x51, 0b11, Source())
    a, b = (w.connect(quiet, 0x51, (0, 1), share=True) for _ in range(2))
    assert w.log == ["unmasked"]
    w.run_thread(lambda: w.kernel.interrupts.disconnect(a))
    assert w.log == ["unmasked"]
    w.run_thread(lambda: w.kernel.interrupts.disconnect(b))
    w.run_thread(lambda: w.kernel.interrupts.disconnect(b))
    assert w.log == ["unmasked", "masked"]
    w.kernel.interrupts.detach(0x51, 0b11)
    w.connect(quiet, 0x51, (0, 1))
    assert w.log == ["unmasked", "masked"]


def test_disconnect_waits_for_the_isr_that_runs_elsewhere(world: ModuleType) -> None:
    w = world.World(2)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        w.stall(100)
        w.log.append("isr ends")
        return True

    interrupt = w.connect(isr, 0x51, (1,))
    w.aim(0, 0x51, 1)

    def stop() -> None:
        w.stall(30)
        w.kernel.interrupts.disconnect(interrupt)
        w.log.append("disconnected")

    w.thread(stop, 0)
    w.at(5_000, lambda: w.card.fire(0))
    w.run()
    assert w.log == ["isr ends", "disconnected"]


def test_an_isr_that_waits_for_its_lock_is_not_called_after_disconnect(world: ModuleType) -> None:
    w = world.World(3)
    lock = SpinLock(w.kernel, "shared lock")
    interrupt = w.connect(quiet, 0x51, (1,), lock=lock)
    w.aim(0, 0x51, 1)

    def hold() -> None:
        old = w.kernel.ke_raise_irql(5)
        lock.take(w.cpu)
        w.stall(50)
        lock.give(w.cpu)
        w.kernel.ke_lower_irql(old)

    def stop() -> None:
        w.stall(30)
        w.kernel.interrupts.disconnect(interrupt)

    w.thread(hold, 2)
    w.thread(stop, 0)
    w.at(20_000, lambda: w.card.fire(0))
    w.run()
    fate = w.card.fates[0]
    assert (fate.delivered + fate.swallowed, fate.balanced, interrupt.count) == (1, True, fate.delivered)
    assert lock.owner is None


def test_an_isr_that_returns_at_another_irql_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(lambda i, c: bool(w.kernel.ke_raise_irql(8)), 0x51, name="rx")
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    text = ("bugcheck 0xc8 IRQL_UNEXPECTED_VALUE (0x80503, 0x0, 0x0, 0x0): "
            "the ISR of rx was entered at IRQL 5 and returned at 8")  # fmt: skip
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$") as caught:
        w.run()
    assert caught.value.as_json()["code"] == 0xC8


def test_an_isr_that_lowers_below_its_irql_is_a_bugcheck_at_once(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(lambda i, c: w.kernel.ke_lower_irql(2), 0x51, name="rx")
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    with pytest.raises(BugCheck, match=re.escape("the ISR of rx was entered at IRQL 5 and returned at 2")):
        w.run()

"""Spin locks: contention in virtual time, interrupts meanwhile, deadlocks, misuse (facts §5.2)."""

from __future__ import annotations

import re
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from dirql.kernel import BugCheck, Hang, SpinLock


def test_a_lock_raises_to_dispatch_and_back(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel)

    def work() -> None:
        old = lock.acquire()
        w.log.extend([old, w.cpu.irql, lock.owner is w.cpu])
        lock.release()
        w.log.extend([w.cpu.irql, lock.owner])

    w.run_thread(work)
    assert w.log == [0, 2, True, 0, None]


def test_nested_locks_give_back_the_irql_each_of_them_found(world: ModuleType) -> None:
    w = world.World(1)
    outer, inner = SpinLock(w.kernel, "outer"), SpinLock(w.kernel, "inner")

    def work() -> None:
        outer.acquire()
        inner.acquire()
        inner.release()
        w.log.append(w.cpu.irql)
        outer.release()
        w.log.append(w.cpu.irql)

    w.run_thread(work)
    assert w.log == [2, 0]


@pytest.mark.parametrize("cpus", [2, 3, 8])
def test_one_processor_holds_the_lock_at_a_time_and_virtual_time_shows_it(world: ModuleType, cpus: int) -> None:
    w = world.World(cpus)
    lock = SpinLock(w.kernel)

    def work() -> None:
        for _ in range(3):
            lock.acquire()
            begin = w.cpu.now
            w.stall(20)
            w.log.append((begin, w.cpu.now))
            lock.release()

    for cpu in range(cpus):
        w.thread(work, cpu)
    w.run()
    held = sorted(w.log)
    assert len(held) == 3 * cpus
    assert all(end <= begin for (_, end), (begin, _) in pairwise(held))


def test_a_processor_that_comes_late_in_time_waits_for_one_that_ran_ahead(world: ModuleType) -> None:
    w = world.World(2)
    lock = SpinLock(w.kernel)

    def ahead() -> None:
        w.cpu.now += 5_000  # within the lead: nobody else has run
        lock.acquire()
        w.cpu.now += 2_000
        w.log.append(w.cpu.now)
        lock.release()

    def late() -> None:
        lock.acquire()
        w.log.append(w.cpu.now)
        lock.release()

    w.thread(ahead, 0)
    w.thread(late, 1)
    w.run()
    assert w.log[1] >= w.log[0]


def test_an_isr_is_taken_while_its_processor_spins(world: ModuleType) -> None:
    w = world.World(2)
    lock = SpinLock(w.kernel)

    def isr(interrupt: Any, context: Any) -> bool:
        w.log.append("isr")
        return True

    def hold() -> None:
        lock.acquire()
        w.stall(50)
        w.log.append("released")
        lock.release()

    def spin() -> None:
        w.stall(10)
        lock.acquire()
        w.log.append(("got it", w.cpu.irql))
        lock.release()

    w.connect(isr, 0x51, (1,))
    w.aim(0, 0x51, 1)
    w.thread(hold, 0)
    w.thread(spin, 1)
    w.at(30_000, lambda: w.card.fire(0))
    w.run()
    assert w.log == ["isr", "released", ("got it", 2)]


def test_a_lock_that_was_released_in_the_future_of_an_isr_costs_the_time_until_then(world: ModuleType) -> None:
    w = world.World(2)
    lock = SpinLock(w.kernel)

    def hold() -> None:
        lock.acquire()
        w.stall(20)
        w.cpu.now += 8_000  # within the lead
        w.log.append(w.cpu.now)
        lock.release()

    def spin() -> None:
        w.stall(5)
        lock.acquire()
        w.log.append(w.cpu.now)
        lock.release()

    w.connect(lambda i, c: True, 0x51, (1,))
    w.aim(0, 0x51, 1)
    w.thread(hold, 0)
    w.thread(spin, 1)
    w.at(22_000, lambda: w.card.fire(0))
    w.run()
    assert w.log[1] >= w.log[0]


def test_taking_a_lock_again_is_a_deadlock(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel, "ring lock")
    why = "cpu0 waits for ring lock, which cpu0 holds: a spin lock is not recursive"
    text = f"hang (deadlock): {why}"
    with pytest.raises(Hang, match=f"^{re.escape(text)}$") as caught:
        w.run_thread(lambda: (lock.acquire(), lock.acquire()))
    assert caught.value.as_json() == {"kind": "hang", "rule": "deadlock", "why": why}


@pytest.mark.parametrize("cpus", [2, 3, 4])
def test_a_circle_of_locks_says_who_holds_what(world: ModuleType, cpus: int) -> None:
    w = world.World(cpus)
    locks = [SpinLock(w.kernel, f"lock{i}") for i in range(cpus)]

    def work(index: int) -> None:
        locks[index].acquire()
        w.stall(50)
        locks[(index + 1) % cpus].acquire()

    for cpu in range(cpus):
        w.thread(lambda cpu=cpu: work(cpu), cpu)
    with pytest.raises(Hang) as caught:
        w.run()
    for cpu in range(cpus):
        assert f"cpu{cpu} waits for lock{(cpu + 1) % cpus}, which cpu{(cpu + 1) % cpus} holds" in caught.value.why


def test_an_isr_that_wants_the_lock_of_the_thread_it_interrupted_is_a_deadlock(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel, "ring lock")
    w.connect(lambda i, c: lock.acquire(), name="rx")
    w.aim(0, 0x51, 0)

    def work() -> None:
        lock.acquire()
        w.stall(100)

    w.at(20_000, lambda: w.card.fire(0))
    interrupted = "at DISPATCH_LEVEL in what it interrupted: hold it at DIRQL 5 everywhere"
    with pytest.raises(Hang, match=f"cpu0 waits for ring lock, which cpu0 holds {interrupted}$"):
        w.run_thread(work)
    finding, potential = w.machine.findings.values()
    assert potential.rule == "lock-irql"
    assert finding.sentence == "KeAcquireSpinLockRaiseToDpc needs IRQL <= DISPATCH_LEVEL, called at DIRQL 5"
    assert finding.where.startswith("cpu0, rx, test_lock.py:")


def test_a_circle_closed_while_one_of_them_serves_an_interrupt_is_found(world: ModuleType) -> None:
    w = world.World(2)
    a, b = SpinLock(w.kernel, "a"), SpinLock(w.kernel, "b")

    def isr(interrupt: Any, context: Any) -> bool:
        w.stall(50)  # while the other one closes the circle
        return True

    def first() -> None:
        a.acquire()
        w.stall(20)
        b.acquire()

    def second() -> None:
        b.acquire()
        w.stall(60)
        a.acquire()

    w.connect(isr, 0x51, (0,))
    w.aim(0, 0x51, 0)
    w.thread(first, 0)
    w.thread(second, 1)
    w.at(45_000, lambda: w.card.fire(0))
    with pytest.raises(Hang, match="cpu0 waits for b, which cpu1 holds; cpu1 waits for a, which cpu0 holds"):
        w.run()


def test_a_lock_that_is_never_released_is_reported_at_rest(world: ModuleType) -> None:
    w = world.World(2)
    lock = SpinLock(w.kernel, "ring lock")

    def forget() -> None:
        w.kernel.ke_raise_irql(2)
        lock.acquire_at_dpc_level()
        w.kernel.ke_lower_irql(0)

    w.run_thread(forget, 0)
    w.thread(lock.acquire, 1)
    w.run()
    with pytest.raises(Hang, match=re.escape("cpu1 spins for ring lock, which cpu0 holds, and nothing else can happen")):
        w.kernel.refuse_to_hang()


@pytest.mark.parametrize(("held", "who"), [(False, "nobody"), (True, "cpu0")])
def test_releasing_a_lock_of_somebody_else_is_a_bugcheck(world: ModuleType, held: bool, who: str) -> None:
    w = world.World(2)
    lock = SpinLock(w.kernel, "ring lock")

    def hold() -> None:
        w.kernel.ke_raise_irql(2)
        lock.acquire_at_dpc_level()
        w.stall(100)

    def steal() -> None:
        w.stall(20)
        w.kernel.ke_raise_irql(2)
        lock.release(0)

    if held:
        w.thread(hold, 0)
    w.thread(steal, 1)
    text = f"bugcheck 0x10 SPIN_LOCK_NOT_OWNED (0x0, 0x0, 0x0, 0x0): cpu1 releases ring lock, which {who} holds"
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run()


def test_the_at_dpc_level_forms_leave_the_irql_alone(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel)

    def work() -> None:
        w.kernel.ke_raise_irql(2)
        lock.acquire_at_dpc_level()
        lock.release_from_dpc_level()
        w.log.append(w.cpu.irql)
        w.kernel.ke_lower_irql(0)

    w.run_thread(work)
    assert w.log == [2] and not w.machine.findings


def test_acquire_at_dpc_level_below_dispatch_is_a_finding(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel)
    w.run_thread(lambda: (lock.acquire_at_dpc_level(), w.kernel.ke_raise_irql(2), lock.release(0)), name="starter")
    (finding,) = w.machine.findings.values()
    assert (finding.rule, finding.level) == ("irql-too-low", "error")
    assert finding.sentence == "KeAcquireSpinLockAtDpcLevel needs IRQL >= DISPATCH_LEVEL, called at PASSIVE_LEVEL"
    assert re.fullmatch(r"cpu0, starter, test_lock\.py:\d+", finding.where)

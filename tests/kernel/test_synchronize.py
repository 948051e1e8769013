"""Synchronising with an interrupt: KeSynchronizeExecution and the interrupt spin lock (facts §4)."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest

from dirql.kernel import BugCheck, KInterrupt


def quiet(interrupt: KInterrupt, context: Any) -> bool:
    return True


def test_synchronize_execution_excludes_the_isr_and_returns_what_the_routine_did(world: ModuleType) -> None:
    w = world.World(2)
    inside: list[str] = []

    def enter(who: str) -> None:
        assert not inside
        inside.append(who)
        w.log.append((who, w.cpu.irql))
        w.stall(20)
        inside.clear()

    def isr(i: KInterrupt, c: Any) -> bool:
        enter("isr")
        return True

    interrupt = w.connect(isr, 0x51, (1,), synchronize_irql=7)
    w.aim(0, 0x51, 1)

    def work() -> tuple[bool, int]:
        result = False
        for _ in range(3):
            result = interrupt.synchronize_execution(lambda c: bool(enter("synchronized")) or c == 5, 5)
        return result, w.kernel.ke_get_current_irql()

    thread = w.thread(work, 0)
    for delay in (0, 15_000, 30_000):
        w.at(delay, lambda: w.card.fire(0))
    w.run()
    assert thread.result == (True, 0)
    assert w.log.count(("isr", 7)) == interrupt.count > 0 and w.log.count(("synchronized", 7)) == 3


def test_synchronize_execution_above_its_irql_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    interrupt = w.connect(quiet, 0x51, name="rx")

    def wrong() -> None:
        w.kernel.ke_raise_irql(9)
        interrupt.synchronize_execution(lambda c: True, None)

    text = ("bugcheck 0xa IRQL_NOT_LESS_OR_EQUAL (0x0, 0x9, 0x0, 0x0): "
            "KeSynchronizeExecution of rx at DIRQL 9, above its SynchronizeIrql 5")  # fmt: skip
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run_thread(wrong)


def test_the_interrupt_spin_lock_holds_the_isr_off(world: ModuleType) -> None:
    w = world.World(2)
    interrupt = w.connect(lambda i, c: bool(w.log.append(("isr", w.cpu.now))) or True, 0x51, (1,))
    w.aim(0, 0x51, 1)

    def hold() -> None:
        old = interrupt.acquire_spin_lock()
        assert w.cpu.irql == 5
        w.machine.time = w.cpu.now
        w.card.fire(0)
        w.stall(50)
        w.log.append(("released", w.cpu.now))
        interrupt.release_spin_lock(old)
        assert w.cpu.irql == 0

    w.run_thread(hold, 0)
    (first, released), (second, entered) = w.log
    assert (first, second) == ("released", "isr") and entered >= released


def test_the_interrupt_spin_lock_of_a_passive_interrupt_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    interrupt = w.connect(quiet, passive=True, name="button")
    text = ("bugcheck 0x13b PASSIVE_INTERRUPT_ERROR (0x1, 0x0, 0x0, 0x0): "
            "KeAcquireInterruptSpinLock on the passive-level button")  # fmt: skip
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run_thread(interrupt.acquire_spin_lock)


def test_an_isr_that_gives_its_own_lock_away_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(lambda i, c: i.release_spin_lock(5) or True, name="rx")
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    text = "bugcheck 0x10 SPIN_LOCK_NOT_OWNED (0x0, 0x0, 0x0, 0x0): cpu0 releases lock of rx, which nobody holds"
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run()

"""What of a device runs when its hardware is given back already."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.pnp.grant import GrantChoice

MS = 1_000_000


def told(w: Any, rule: str) -> list[tuple[str, str]]:
    """(level, sentence) of each finding of that rule."""
    return [(f.level, f.sentence) for f in w.system.findings if f.rule == rule]


def test_a_timer_that_runs_after_release_hardware_is_told(World: Any) -> None:
    ran: list[int] = []

    def add(w: Any) -> None:
        w.timer = wdf.Timer.create(w.device, wdf.TimerConfig(lambda timer: ran.append(1)))

    w = World(add=add)
    w.started()
    w.during("SmIoFlush", lambda: w.kernel.ke_delay_execution_thread(5 * MS) and None)
    w.during("SmIoSuspend", lambda: w.timer.start(1 * MS) and None)
    w.system.remove(w.card)
    assert ran == [1]
    sentence = f"EvtTimerFunc of {w.timer.name} runs after EvtDeviceReleaseHardware of MultiQueue"
    assert told(w, "work-after-release") == [("error", f"{sentence}; stop it before that, and wait for it")]


def test_a_timer_that_runs_while_its_device_is_stopped_for_a_rebalance_is_a_warning(World: Any) -> None:
    def add(w: Any) -> None:
        w.timer = wdf.Timer.create(w.device, wdf.TimerConfig(lambda timer: None))

    w = World(add=add).started()
    w.during("PrepareHardware", lambda *_: None)
    w.during("SmIoSuspend", lambda: w.timer.start(1 * MS) and None)
    w.during("RemoveAdded", lambda *_: w.kernel.ke_delay_execution_thread(5 * MS) and None)
    w.system.rebalance(w.card, GrantChoice.one())
    assert [level for level, _ in told(w, "work-after-release")] == ["warning"]


@pytest.mark.parametrize("callback", ["D0Exit", "ReleaseHardware"])
def test_a_timer_and_a_work_item_that_end_before_release_hardware_are_well_behaved(World: Any, callback: str) -> None:
    ran: list[str] = []

    def add(w: Any) -> None:
        w.timer = wdf.Timer.create(w.device, wdf.TimerConfig(lambda timer: ran.append("timer")))
        w.item = wdf.WorkItem.create(w.device, wdf.WorkItemConfig(lambda item: ran.append("item")))

    def stop(*_: Any) -> None:
        w.timer.stop(True)
        w.item.flush()

    w = World(add=add).started()
    def begin() -> None:
        w.timer.start(1 * MS)
        w.item.enqueue()

    w.during("SmIoSuspend", begin)
    w.during(callback, stop)
    w.system.remove(w.card)
    assert ran == ["item"]
    assert w.findings == []


def test_a_dpc_that_d0_exit_leaves_queued_is_told(World: Any) -> None:
    w = World()

    def queue_elsewhere(*_: Any) -> None:
        w.interrupts[0].kdpc.set_target_processor(1)
        w.interrupts[0].queue_dpc_for_isr()

    w.during("D0Exit", queue_elsewhere)
    w.started()
    w.system.remove(w.card)
    remedy = "mask the device in EvtInterruptDisable, for certain"
    sentence = "the DPC of interrupt0 is still queued when EvtDeviceD0Exit of MultiQueue has returned"
    assert told(w, "dpc-after-d0-exit") == [("error", f"{sentence}; {remedy}")]


def test_a_dpc_that_an_interrupt_queues_before_disable_is_flushed_in_time(World: Any) -> None:
    w = World()
    w.during("PreInterruptsDisabled", lambda *_: w.card.msix.fire(0))
    w.started()
    w.system.remove(w.card)
    assert ("Dpc", 0) in w.log
    assert w.findings == []

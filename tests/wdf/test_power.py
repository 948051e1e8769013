"""D0 to Dx and back: S0 idle as the way down (facts §3.2, §3.6)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf

IDLE = wdf.S0IdleSettings(idle_timeout=1)
DOWN = ["SmIoSuspend", "PreInterruptsDisabled", ("Disable", 2), ("Disable", 1), ("Disable", 0), "D0Exit"]
UP = ["D0Entry", ("Enable", 0), ("Enable", 1), ("Enable", 2), "PostInterruptsEnabled", "SmIoRestart"]
SMALL = ("SmIoSuspend", "SmIoRestart")


def test_the_way_down_and_up_again_is_in_windows_order(World: Any) -> None:
    w = World(idle=IDLE)
    w.start()
    assert w.log[-len(DOWN) :] == DOWN
    w.log.clear()
    assert w.call(w.device.stop_idle, True) == wdf.STATUS_SUCCESS
    assert w.log == UP


def test_queues_and_dma_have_their_place_between_self_managed_io_and_the_interrupts(World: Any) -> None:
    def add(world: Any) -> None:
        def stopped(queue: Any, request: Any, flags: int) -> None:
            world.do("IoStop")
            request.stop_acknowledge(False)

        config = wdf.IoQueueConfig(
            wdf.IoQueueDispatchType.Parallel, default_queue=True, evt_io_default=lambda q, r: world.do("IoDefault"),
            evt_io_stop=stopped, evt_io_resume=lambda q, r: world.do("IoResume"),
        )  # fmt: skip
        wdf.IoQueue.create(world.device, config)
        record = {
            f"evt_dma_enabler_{name}": lambda e, name=name: world.do(name)
            for name in ("fill", "flush", "disable", "enable", "self_managed_io_start", "self_managed_io_stop")
        }
        wdf.DmaEnabler.create(world.device, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096, **record))

    w = World(queues=1, add=add).started()
    from dirql.kernel.irp import Irp

    w.system.io.start(w.device, Irp.read(w.kernel, 4))
    w.system.run()
    assert w.log == ["IoDefault"]
    w.log.clear()
    from dirql.pnp.grant import GrantChoice

    w.system.rebalance(w.card, GrantChoice.all())
    w.log = [e for e in w.log if e not in ("QueryStop", "RemoveAdded")]
    assert w.log == [
        "SmIoSuspend", "IoStop", "self_managed_io_stop", "flush", "disable", "PreInterruptsDisabled",
        ("Disable", 1), ("Disable", 0), "D0Exit", "ReleaseHardware", "PrepareHardware", "D0Entry", ("Enable", 0), ("Enable", 1),
        "PostInterruptsEnabled", "fill", "enable", "self_managed_io_start", "IoResume", "SmIoRestart",
    ]  # fmt: skip


@pytest.mark.parametrize("dx", [wdf.PowerDeviceState.D1, wdf.PowerDeviceState.D2, wdf.PowerDeviceState.D3])
def test_the_callbacks_are_told_where_to_and_where_from(World: Any, dx: int) -> None:
    w = World(idle=wdf.S0IdleSettings(1, dx))
    states: list[tuple[str, int]] = []
    for name in ("PreInterruptsDisabled", "D0Exit", "D0Entry", "PostInterruptsEnabled"):
        w.during(name, lambda state, name=name: states.append((name, state)))
    w.start()
    w.call(w.device.stop_idle, True)
    assert states[2:] == [("PreInterruptsDisabled", dx), ("D0Exit", dx), ("D0Entry", dx), ("PostInterruptsEnabled", dx)]


def test_after_dx_and_back_the_wdm_interrupts_are_others_and_in_dx_there_are_none(World: Any) -> None:
    w = World(idle=IDLE)
    before: list[Any] = []
    w.during("PreInterruptsDisabled", lambda _: before.extend(i.wdm_get_interrupt() for i in w.interrupts))
    w.start()
    assert [w.call(i.wdm_get_interrupt) for i in w.interrupts] == [None] * 3
    w.call(w.device.stop_idle, True)
    after = [w.call(i.wdm_get_interrupt) for i in w.interrupts]
    assert all(a is not None and b is not None and a is not b for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(("callback", "present"), [("Enable", True), ("Disable", True)])
def test_the_wdm_interrupt_is_there_in_enable_and_in_disable(World: Any, callback: str, present: bool) -> None:
    w = World()
    seen = []
    w.during((callback, 1), lambda i: seen.append(i.wdm_get_interrupt() is not None))
    w.start()
    w.system.shut_down()
    assert seen == [present]


def test_interrupts_of_a_device_that_is_not_pageable_stay_connected_in_dx(World: Any) -> None:
    w = World(idle=IDLE, pageable=False)
    before: list[Any] = []
    w.during("PreInterruptsDisabled", lambda _: before.extend(i.wdm for i in w.interrupts))
    w.start()
    assert w.log[-len(DOWN) :] == DOWN
    assert [i.wdm for i in w.interrupts] == before
    w.log.clear()
    w.call(w.device.stop_idle, True)
    assert w.log == UP
    assert [i.wdm for i in w.interrupts] == before


@pytest.mark.parametrize(
    ("report", "kept"), [(wdf.TriState.WdfTrue, True), (wdf.TriState.WdfFalse, False), (wdf.TriState.WdfUseDefault, False)]
)
def test_report_inactive_on_power_down_keeps_the_connection_and_is_off_by_default(World: Any, report: int, kept: bool) -> None:
    w = World(idle=IDLE, report_inactive_on_power_down=report)
    before: list[Any] = []
    w.during("PreInterruptsDisabled", lambda _: before.extend(i.wdm for i in w.interrupts))
    w.start()
    assert [i.connection is not None for i in w.interrupts] == [kept] * 3
    w.log.clear()
    w.call(w.device.stop_idle, True)
    assert w.log == UP
    assert ([i.wdm for i in w.interrupts] == before) == kept
    w.fire(0, 1, 2)
    assert sorted(e for e in w.log if e[0] == "Isr") == [("Isr", 0), ("Isr", 1), ("Isr", 2)]


def test_a_softly_disconnected_interrupt_is_disconnected_at_removal_without_another_disable(World: Any) -> None:
    w = World(idle=IDLE, report_inactive_on_power_down=wdf.TriState.WdfTrue)
    w.start()
    w.log.clear()
    w.system.remove(w.card)
    assert w.log == ["QueryRemove", "ReleaseHardware", "SmIoFlush", "SmIoCleanup", "Cleanup"]
    assert [i.connection for i in w.interrupts] == [None] * 3


def test_a_rebalance_disconnects_for_good_whatever_reports_inactive(World: Any) -> None:
    from dirql.pnp.grant import GrantChoice

    w = World(report_inactive_on_power_down=wdf.TriState.WdfTrue).started()
    old = list(w.interrupts)
    w.system.rebalance(w.card, GrantChoice.one())
    assert [i.connection for i in old] == [None] * 3


def test_a_dpc_that_was_queued_before_the_flush_runs_before_d0_exit(World: Any) -> None:
    w = World().started()
    w.during(("Disable", 1), lambda interrupt: interrupt.queue_dpc_for_isr())
    w.system.shut_down()
    assert w.log[2:5] == [("Disable", 2), ("Disable", 1), ("Dpc", 1)]


def test_a_work_item_that_was_queued_has_ended_before_d0_exit(World: Any) -> None:
    w = World(evt_interrupt_dpc=None, evt_interrupt_work_item=lambda i, d: w.do(("Work", i.message_number))).started()
    w.during(("Disable", 1), lambda interrupt: interrupt.queue_work_item_for_isr())
    w.system.shut_down()
    assert w.log[2:6] == [("Disable", 2), ("Disable", 1), ("Work", 1), ("Disable", 0)]


@pytest.mark.parametrize(
    ("pageable", "why"),
    [(True, "reset"), (False, "in D3hot")],  # masked at disconnect: latched, and lost in the reset on the way back to D0
)
def test_a_message_in_d3_is_dropped_and_says_why(World: Any, pageable: bool, why: str) -> None:
    w = World(idle=IDLE, pageable=pageable)
    w.start()
    w.fire(0)
    w.call(w.device.stop_idle, True)
    assert w.card.fates[0].dropped == {why: 1}
    assert [e for e in w.log if e[0] == "Isr"] == []


def test_a_device_whose_d0_entry_fails_on_the_way_back_is_removed_and_enumerated_again(World: Any) -> None:
    w = World(idle=wdf.S0IdleSettings(1_000))
    w.start()
    w.system.run()
    first = w.device
    w.log.clear()
    w.during("D0Entry", lambda _: wdf.STATUS_UNSUCCESSFUL if w.log == ["D0Entry"] else None)
    w.interrupts.clear()
    assert w.call(w.device.stop_idle, True) == wdf.STATUS_POWER_STATE_INVALID
    assert w.log[: w.log.index(("Enable", 0))] == [
        "D0Entry", "ReleaseHardware", "SurpriseRemoval", "SmIoFlush", "SmIoCleanup", "Cleanup",
        "DeviceAdd", "FilterRemove", "FilterAdd", "RemoveAdded", "PrepareHardware", "D0Entry",
    ]  # fmt: skip
    assert w.device is not first
    assert w.system.node(w.card).status == wdf.STATUS_SUCCESS


KEPT = {
    "soft": {"report_inactive_on_power_down": wdf.TriState.WdfTrue},
    "not pageable": {"pageable": False},
    "disconnected": {},
}
NOT_BACK: dict[Any, list[Any]] = {
    "D0Entry": [],
    ("Enable", 0): ["D0Exit"],
    ("Enable", 1): [("Disable", 0), "D0Exit"],
    ("Enable", 2): [("Disable", 1), ("Disable", 0), "D0Exit"],
    "PostInterruptsEnabled": DOWN[2:],
    "SmIoRestart": DOWN[1:],
}


def connected(w: Any, interrupts: list[Any]) -> list[str]:
    """Those of `interrupts` that some processor's interrupt descriptor table still has."""
    chains = [chain for cpu in w.system.machine.cpus for chain in cpu.idt if chain]
    services = {i.service_routine.__self__ for chain in chains for i in chain}
    return [i.name for i in interrupts if i in services or i.connection is not None]


@pytest.mark.parametrize("in_add", [False, True])
@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("fails", NOT_BACK, ids=str)
def test_a_device_that_does_not_come_back_has_nothing_connected_when_its_hardware_is_released(
    World: Any, fails: Any, kept: str, in_add: bool
) -> None:
    w = World(idle=IDLE, in_add=3 * in_add, in_prepare=not in_add, **KEPT[kept])
    w.start()
    old = list(w.device.interrupts)
    assert len(connected(w, old)) == (0 if kept == "disconnected" else 3)
    w.log.clear()
    at_release: list[list[str]] = []
    w.during("ReleaseHardware", lambda _: at_release.append(connected(w, old)))
    w.on[fails] = wdf.STATUS_INSUFFICIENT_RESOURCES
    assert w.call(w.device.stop_idle, True) == wdf.STATUS_POWER_STATE_INVALID
    assert w.log[w.log.index(fails) + 1 : w.log.index("ReleaseHardware")] == NOT_BACK[fails]
    assert at_release[0] == []
    assert connected(w, old) == []
    assert w.system.stopped is None


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_failing_connect_on_the_way_back_disconnects_those_that_stayed_connected(World: Any, nth: int) -> None:
    def add(world: Any) -> None:
        for index in range(3):
            stays = wdf.TriState.WdfFalse if index == nth else wdf.TriState.WdfTrue
            world.create(report_inactive_on_power_down=stays)

    w = World(idle=IDLE, in_prepare=False, add=add)
    w.start()
    old = list(w.device.interrupts)
    assert connected(w, old) == [i.name for i in old if i is not old[nth]]
    w.log.clear()
    at_release: list[list[str]] = []
    w.during("ReleaseHardware", lambda _: at_release.append(connected(w, old)))
    old[nth].info.target_processor_set = 0  # IoConnectInterruptEx: STATUS_INVALID_PARAMETER_10
    assert w.call(w.device.stop_idle, True) == wdf.STATUS_POWER_STATE_INVALID
    enabled = list(range(nth))
    assert w.log[: w.log.index("ReleaseHardware")] == [
        "D0Entry", *[("Enable", n) for n in enabled], *[("Disable", n) for n in reversed(enabled)], "D0Exit",
    ]  # fmt: skip
    assert at_release[0] == []


@pytest.mark.parametrize("pageable", [True, False])
def test_an_interrupt_that_the_driver_disabled_is_left_out_on_the_way_back_and_disconnected_when_that_fails(
    World: Any, pageable: bool
) -> None:
    w = World(idle=IDLE, in_add=3, in_prepare=False, pageable=pageable)
    w.during("PostInterruptsEnabled", lambda _: w.interrupts[1].disable())
    w.start()
    old = list(w.device.interrupts)
    assert len(connected(w, old)) == (0 if pageable else 3)
    w.log.clear()
    w.on["PostInterruptsEnabled"] = wdf.STATUS_UNSUCCESSFUL
    w.call(w.device.stop_idle, True)
    assert w.log[: w.log.index("ReleaseHardware")] == [
        "D0Entry", ("Enable", 0), ("Enable", 2), "PostInterruptsEnabled", ("Disable", 2), ("Disable", 0), "D0Exit",
    ]  # fmt: skip
    assert connected(w, old) == []


def test_an_interrupt_that_is_enabled_again_in_d0_exit_is_disconnected_before_release_hardware(World: Any) -> None:
    w = World().started()
    old = list(w.device.interrupts)
    at_release: list[list[str]] = []
    w.during("D0Exit", lambda _: old[0].enable())
    w.during("ReleaseHardware", lambda _: at_release.append(connected(w, old)))
    w.system.shut_down()
    assert w.log[w.log.index("D0Exit") + 1 :][:2] == [("Enable", 0), "ReleaseHardware"]
    assert at_release == [[]]


@pytest.mark.parametrize("pageable", [True, False])
@pytest.mark.parametrize("inactive", [wdf.TriState.WdfFalse, wdf.TriState.WdfTrue])
def test_an_interrupt_that_is_enabled_again_on_the_way_to_dx_is_enabled_once_until_it_is_disabled(
    World: Any, pageable: bool, inactive: wdf.TriState
) -> None:
    w = World(idle=IDLE, pageable=pageable, report_inactive_on_power_down=inactive)
    w.during("D0Exit", lambda _: w.interrupts[0].enable())
    w.start()
    w.call(w.device.stop_idle, True)
    w.call(w.device.resume_idle)
    w.system.run(for_ns=10**10)
    turns = [event[0] for event in w.log if event in (("Enable", 0), ("Disable", 0))]
    assert turns == ["Enable", "Disable"] * (len(turns) // 2) + ["Enable"] * (len(turns) % 2)
    assert len(turns) >= 5
    assert w.findings == []


def test_a_device_that_fails_again_and_again_is_enumerated_five_times_in_a_minute_and_then_left(World: Any) -> None:
    w = World()
    w.during("SmIoInit", lambda: w.device.set_failed(attempt_restart=True))
    w.start()
    assert w.log.count("DeviceAdd") == 1 + 5
    assert w.system.node(w.card).stack is None
    assert w.system.node(w.card).status == wdf.STATUS_UNSUCCESSFUL


def test_a_device_that_fails_once_in_a_while_always_comes_back(World: Any) -> None:
    w = World().started()
    for _ in range(8):
        w.call(w.device.set_failed, True)
        w.system.run(for_ns=13_000_000_000)
    assert w.log.count("DeviceAdd") == 8


@pytest.mark.parametrize("restart", [False, True])
def test_set_failed_takes_a_working_device_down_and_restarts_it_if_wanted(World: Any, restart: bool) -> None:
    w = World(queues=1).started()
    w.call(w.device.set_failed, restart)
    down = [
        "SurpriseRemoval", "SmIoSuspend", "PreInterruptsDisabled", ("Disable", 1), ("Disable", 0), "D0Exit", "ReleaseHardware",
        "SmIoFlush", "SmIoCleanup", "Cleanup",
    ]  # fmt: skip
    assert w.log[: len(down)] == down
    assert ("DeviceAdd" in w.log) == restart
    if restart:
        w.log.clear()
        w.fire(1)
        assert ("Isr", 1) in w.log

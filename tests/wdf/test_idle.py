"""S0 idle: when a device powers down, and who keeps it in D0 (facts §3.2, §3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.kernel.irp import Irp

IDLE = wdf.S0IdleSettings(idle_timeout=10)
MS = 1_000_000
D0, D3, D3_FINAL = wdf.PowerDeviceState.D0, wdf.PowerDeviceState.D3, wdf.PowerDeviceState.D3Final


def idle(World: Any, **world: Any) -> Any:
    """Started, in D0, with 10 ms to go."""
    w = World(idle=IDLE, **world)
    w.on["SmIoInit"] = lambda: w.device.stop_idle(False) and None
    w.started()
    w.call(w.device.resume_idle)
    return w


def state(w: Any) -> int:
    return int(w.device.power.state)


def test_the_device_powers_down_after_the_idle_time_and_not_before(World: Any) -> None:
    w = World(idle=IDLE)
    w.on["SmIoInit"] = lambda: w.device.stop_idle(False) and None
    w.started()
    w.system.run(for_ns=50 * MS)
    assert state(w) == D0
    w.kernel.dispatcher.create(lambda _: w.device.resume_idle(), None, "user")
    w.system.run(for_ns=9 * MS)
    assert state(w) == D0
    w.system.run(for_ns=2 * MS)
    assert state(w) == D3


def test_without_settings_it_never_powers_down(World: Any) -> None:
    w = World().started()
    w.system.run(for_ns=60_000 * MS)
    assert state(w) == D0


@pytest.mark.parametrize("enabled", [True, False])
def test_disabled_settings_leave_it_in_d0(World: Any, enabled: bool) -> None:
    w = World(idle=wdf.S0IdleSettings(1, enabled=enabled))
    w.start()
    assert (state(w) == D3) == enabled


def test_references_are_counted(World: Any) -> None:
    w = idle(World)
    for _ in range(2):
        w.call(w.device.stop_idle, True)
    for expected in (D0, D3):
        w.call(w.device.resume_idle)
        assert state(w) == expected


def test_resume_without_stop_is_found_and_changes_nothing(World: Any) -> None:
    w = World().started()
    w.call(w.device.resume_idle)
    assert w.findings == [("resume-idle-unbalanced", "WdfDeviceResumeIdle on MultiQueue without WdfDeviceStopIdle")]
    assert w.device.idle.references == 0


@pytest.mark.parametrize(("wait", "status"), [(True, wdf.STATUS_SUCCESS), (False, wdf.STATUS_PENDING)])
def test_stop_idle_in_dx_brings_it_back_and_says_whether_it_is_there(World: Any, wait: bool, status: int) -> None:
    w = idle(World)
    assert state(w) == D3
    assert w.call(w.device.stop_idle, wait) == status
    assert state(w) == D0


def test_stop_idle_in_d0_succeeds_at_once(World: Any) -> None:
    w = World().started()
    assert w.call(w.device.stop_idle, False) == w.call(w.device.stop_idle, True) == wdf.STATUS_SUCCESS
    assert w.log == []


def test_stop_idle_while_it_powers_down_brings_it_up_right_after(World: Any) -> None:
    w = World(idle=IDLE)
    w.during("D0Exit", lambda _: w.device.stop_idle(False) and None if w.log.count("D0Exit") == 1 else None)
    w.start()
    assert state(w) == D0
    assert w.log[w.log.index("D0Exit") + 1] == "D0Entry"
    assert w.device.idle.references == 1


def test_stop_idle_between_the_time_out_and_the_power_down_prevents_it(World: Any) -> None:
    w = World(idle=IDLE)
    w.start()
    w.call(w.device.stop_idle, True)
    w.log.clear()

    def race() -> None:
        w.device.resume_idle()
        w.device.idle._timed_out(None, None, None, None)
        w.device.stop_idle(False)

    w.call(race)
    assert (w.log, state(w)) == ([], D0)


def test_several_threads_wait_for_one_power_up(World: Any) -> None:
    w = idle(World)
    w.log.clear()
    threads = [w.kernel.dispatcher.create(lambda _: w.device.stop_idle(True), None, f"user{n}") for n in range(3)]
    w.system.run()
    assert [t.result for t in threads] == [wdf.STATUS_SUCCESS] * 3
    assert w.log.count("D0Entry") == 1


@pytest.mark.parametrize("kmdf", [False, True])
def test_waiting_for_d0_at_dispatch_level_is_found(World: Any, kmdf: bool) -> None:
    w = World(kmdf=kmdf).started()
    expected = wdf.STATUS_INVALID_DEVICE_REQUEST if kmdf else wdf.STATUS_SUCCESS
    assert w.at_irql(2, w.device.stop_idle, True) == expected
    sentence = "WdfDeviceStopIdle needs IRQL <= PASSIVE_LEVEL when WaitForD0 is TRUE, called at DISPATCH_LEVEL"
    assert w.findings == [("irql-too-high", sentence)]


def test_a_dpc_may_stop_and_resume_idle(World: Any) -> None:
    w = World(idle=IDLE)
    w.on["SmIoInit"] = lambda: w.device.stop_idle(False) and None
    w.started()

    def dpc(_: Any) -> None:
        w.device.stop_idle(False)
        w.device.resume_idle()

    w.during(("Dpc", 0), dpc)
    w.fire(0)
    assert w.findings == []
    assert w.device.idle.references == 1


def test_a_request_in_a_power_managed_queue_keeps_it_in_d0_and_wakes_it(World: Any) -> None:
    requests: list[Any] = []

    def add(w: Any) -> None:
        config = wdf.IoQueueConfig(
            wdf.IoQueueDispatchType.Sequential, default_queue=True, evt_io_default=lambda q, r: requests.append(r),
        )  # fmt: skip
        wdf.IoQueue.create(w.device, config)

    w = idle(World, add=add)
    assert state(w) == D3
    w.system.io.start(w.device, Irp.read(w.kernel, 4))
    w.system.run()
    assert (state(w), len(requests)) == (D0, 1)
    w.call(requests[0].complete, wdf.STATUS_SUCCESS)
    assert state(w) == D3


@pytest.mark.parametrize("dx_state", [0, 1, 5])
def test_a_dx_state_that_is_none_is_refused(World: Any, dx_state: int) -> None:
    w = World().started()
    assert w.failure(w.device.assign_s0_idle_settings, wdf.S0IdleSettings(1, dx_state)) == (
        f"STATUS_INVALID_PARAMETER (0xc000000d): DxState {dx_state} is not D1 to D3 (2 to 4)"
    )


def test_only_the_power_policy_owner_assigns_idle_settings(World: Any) -> None:
    w = World(owner=False).started()
    assert w.failure(w.device.assign_s0_idle_settings, IDLE) == (
        "STATUS_INVALID_DEVICE_REQUEST (0xc0000010): MultiQueue is not its power policy owner"
    )


@pytest.mark.parametrize("end", ["remove", "surprise_remove"])
def test_removal_in_dx_goes_on_from_there(World: Any, end: str) -> None:
    w = idle(World)
    w.log.clear()
    getattr(w.system, end)(w.card)
    first = {"remove": "QueryRemove", "surprise_remove": "SurpriseRemoval"}[end]
    assert w.log == [first, "ReleaseHardware", "SmIoFlush", "SmIoCleanup", "Cleanup"]


def test_a_rebalance_in_dx_starts_again_from_d3_final(World: Any) -> None:
    from dirql.pnp.grant import GrantChoice

    w = idle(World)
    w.log.clear()
    states: list[int] = []
    w.during("D0Entry", states.append)
    w.interrupts.clear()
    w.system.rebalance(w.card, GrantChoice.one())
    assert w.log[:5] == ["QueryStop", "ReleaseHardware", "RemoveAdded", "PrepareHardware", "D0Entry"]
    assert states == [D3_FINAL]


def test_removal_while_it_powers_up_waits_for_the_end_of_that(World: Any) -> None:
    w = idle(World)
    w.log.clear()
    w.during("D0Entry", lambda _: w.kernel.ke_delay_execution_thread(MS) and None)
    waiter = w.kernel.dispatcher.create(lambda _: w.device.stop_idle(True), None, "user")
    w.system.run(for_ns=MS // 2)
    w.system.remove(w.card)
    order = [e for e in w.log if e in ("D0Entry", "PostInterruptsEnabled", "QueryRemove", "D0Exit", "ReleaseHardware")]
    assert order == ["D0Entry", "QueryRemove", "PostInterruptsEnabled", "D0Exit", "ReleaseHardware"]
    assert waiter.finished


def test_who_waits_for_d0_of_a_device_that_is_removed_is_told(World: Any) -> None:
    w = idle(World)
    w.call(w.device.power.enter)  # a transition that takes long
    waiter = w.kernel.dispatcher.create(lambda _: w.device.stop_idle(True), None, "user")
    w.system.run(for_ns=1)
    w.kernel.dispatcher.create(lambda _: w.device.idle.end(gone=True), None, "removal")
    w.system.run(for_ns=MS)
    assert waiter.result == wdf.STATUS_POWER_STATE_INVALID
    assert w.device.idle.references == 0
    assert w.device.idle.stop_idle(False) == wdf.STATUS_POWER_STATE_INVALID
    w.device.idle.resume_idle()
    assert w.findings == []

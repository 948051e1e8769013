"""The first start of a device and its end, in order (facts §1.5, §3.1, §3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf

START = [
    "DeviceAdd", "FilterRemove", "FilterAdd", "RemoveAdded", "PrepareHardware", "D0Entry",
    ("Enable", 0), ("Enable", 1), ("Enable", 2), "PostInterruptsEnabled", "SmIoInit",
]  # fmt: skip
DOWN = ["SmIoSuspend", "PreInterruptsDisabled", ("Disable", 2), ("Disable", 1), ("Disable", 0), "D0Exit"]


@pytest.mark.parametrize("in_add", [0, 3])
def test_a_start_calls_back_in_windows_order(World: Any, in_add: int) -> None:
    w = World(in_add=in_add, in_prepare=not in_add)
    assert w.start() == wdf.STATUS_SUCCESS
    assert w.log == START


def test_the_framework_lists_the_callbacks_under_their_documented_names(World: Any) -> None:
    w = World(queues=1)
    w.start()
    assert w.framework.callbacks == [
        ("EvtDriverDeviceAdd", "Recorder"),
        ("EvtDeviceFilterRemoveResourceRequirements", "MultiQueue"),
        ("EvtDeviceFilterAddResourceRequirements", "MultiQueue"),
        ("EvtDeviceRemoveAddedResources", "MultiQueue"),
        ("EvtDevicePrepareHardware", "MultiQueue"),
        ("EvtDeviceD0Entry", "MultiQueue"),
        ("EvtInterruptEnable", "interrupt0"),
        ("EvtInterruptEnable", "interrupt1"),
        ("EvtDeviceD0EntryPostInterruptsEnabled", "MultiQueue"),
        ("EvtDeviceSelfManagedIoInit", "MultiQueue"),
    ]


def test_a_shutdown_undoes_the_start_and_releases_the_hardware_before_self_managed_io_is_flushed(World: Any) -> None:
    w = World().started()
    w.system.shut_down()
    assert w.log == [*DOWN, "ReleaseHardware", "SmIoFlush", "SmIoCleanup", "Cleanup", "Unload"]


def test_interrupt_0_can_fire_before_interrupt_1_is_connected(World: Any) -> None:
    w = World()
    seen = []

    def enabled(interrupt: wdf.Interrupt) -> None:
        seen.append([i.wdm_get_interrupt() is not None for i in w.interrupts])
        if interrupt.message_number == 0:
            w.card.msix.fire(0)
            w.card.msix.fire(2)
        w.kernel.ke_stall_execution_processor(10)

    for number in range(3):
        w.during(("Enable", number), enabled)
    w.start()
    assert seen == [[True, False, False], [True, True, False], [True, True, True]]
    assert w.log.index(("Enable", 0)) < w.log.index(("Isr", 0)) < w.log.index(("Enable", 1))
    assert w.log.index(("Enable", 2)) < w.log.index(("Isr", 2))  # held while its entry was masked, and not lost


def test_pnp_and_power_callbacks_run_at_passive_level_and_interrupt_callbacks_at_the_synchronise_irql(World: Any) -> None:
    w = World()
    w.start()
    w.fire(0)
    w.system.shut_down()
    for event, irql in w.irqls.items():
        name = event[0] if isinstance(event, tuple) else event
        assert irql == {"Enable": 5, "Disable": 5, "Isr": 5, "Dpc": 2}.get(name, 0), event


@pytest.mark.parametrize(
    ("callback", "argument"),
    [("D0Entry", wdf.PowerDeviceState.D3Final), ("PostInterruptsEnabled", wdf.PowerDeviceState.D3Final)],
)
def test_the_first_start_comes_from_d3_final(World: Any, callback: str, argument: int) -> None:
    w = World()
    states = []
    w.during(callback, states.append)
    w.start()
    assert states == [argument]


@pytest.mark.parametrize("callback", ["FilterRemove", "FilterAdd", "RemoveAdded"])
def test_a_failure_before_the_hardware_fails_the_start_and_releases_nothing(World: Any, callback: str) -> None:
    w = World()
    w.on[callback] = wdf.STATUS_NO_MEMORY
    assert w.start() == wdf.STATUS_NO_MEMORY
    assert w.log[-2:] == [callback, "Cleanup"]


def test_a_driver_that_refuses_the_device_in_device_add_is_asked_nothing_else(World: Any) -> None:
    w = World()
    w.on["DeviceAdd"] = wdf.STATUS_DEVICE_CONFIGURATION_ERROR
    assert w.start() == wdf.STATUS_DEVICE_CONFIGURATION_ERROR
    assert w.log == ["DeviceAdd", "Cleanup"]


def test_a_status_error_that_leaves_a_callback_is_its_status(World: Any) -> None:
    w = World()

    def refuse(*_: Any) -> None:
        raise wdf.StatusError(wdf.STATUS_DEVICE_CONFIGURATION_ERROR, "no")

    w.on["PrepareHardware"] = refuse
    assert w.start() == wdf.STATUS_DEVICE_CONFIGURATION_ERROR
    assert w.system.stopped is None


def test_power_managed_queues_are_open_before_self_managed_io_starts(World: Any) -> None:
    def add(world: Any) -> None:
        wdf.IoQueue.create(world.device, wdf.IoQueueConfig(wdf.IoQueueDispatchType.Manual))

    w = World(add=add)
    states = []
    for callback in ("PostInterruptsEnabled", "SmIoInit"):
        w.during(callback, lambda *_: states.append(bool(w.device.queues[0].get_state()[0] & wdf.IoQueueState.PnpHeld)))
    w.start()
    assert states == [True, False]

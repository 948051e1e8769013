"""WdfDeviceInit* and WdfDevice*: what a driver says of its device, and the callbacks that PnP and power bring."""

from __future__ import annotations

from functools import partial
from typing import Any

from dirql.hosts.sys.abi import NTSTATUS, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.structs import Struct
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES, WDF_PNPPOWER_EVENT_CALLBACKS
from dirql.hosts.sys.wdf_values import attributes_of, nothing, ntstatus_of
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.driver import Driver
from dirql.wdf.framework import WDF_VIOLATION

__all__: list[str] = []

# The field of WDF_PNPPOWER_EVENT_CALLBACKS, the device's own name of it, and what it returns.
CALLBACKS = (
    ("EvtDeviceD0Entry", "evt_device_d0_entry", ntstatus_of),
    ("EvtDeviceD0EntryPostInterruptsEnabled", "evt_device_d0_entry_post_interrupts_enabled", ntstatus_of),
    ("EvtDeviceD0Exit", "evt_device_d0_exit", ntstatus_of),
    ("EvtDeviceD0ExitPreInterruptsDisabled", "evt_device_d0_exit_pre_interrupts_disabled", ntstatus_of),
    ("EvtDevicePrepareHardware", "evt_device_prepare_hardware", ntstatus_of),
    ("EvtDeviceReleaseHardware", "evt_device_release_hardware", ntstatus_of),
    ("EvtDeviceSelfManagedIoCleanup", "evt_device_self_managed_io_cleanup", nothing),
    ("EvtDeviceSelfManagedIoFlush", "evt_device_self_managed_io_flush", nothing),
    ("EvtDeviceSelfManagedIoInit", "evt_device_self_managed_io_init", ntstatus_of),
    ("EvtDeviceSelfManagedIoSuspend", "evt_device_self_managed_io_suspend", ntstatus_of),
    ("EvtDeviceSelfManagedIoRestart", "evt_device_self_managed_io_restart", ntstatus_of),
    ("EvtDeviceSurpriseRemoval", "evt_device_surprise_removal", nothing),
    ("EvtDeviceQueryRemove", "evt_device_query_remove", ntstatus_of),
    ("EvtDeviceQueryStop", "evt_device_query_stop", ntstatus_of),
)
SIZES = (0x90, 0x88)  # the second up to KMDF 1.9


class DeviceInitPointer(Struct, size=8):
    """The PWDFDEVICE_INIT that WdfDeviceCreate takes away."""

    c = "PVOID Init;"


class SysDevice(Device):
    """A device whose callbacks are the driver's functions."""


@wdf
def WdfDeviceInitSetPnpPowerEventCallbacks(
    guest: Guest, init: Handle[DeviceInit], callbacks: Ptr[WDF_PNPPOWER_EVENT_CALLBACKS]
) -> VOID:
    """Another Size drops all of them without a word (facts §6.2)."""
    if callbacks.Size not in SIZES:
        guest.framework.note(f"WdfDeviceInitSetPnpPowerEventCallbacks: Size {callbacks.Size:#x} is neither 0x90 nor 0x88; "
                             "every callback is dropped")  # fmt: skip
        return
    made: dict[str, Any] = {}
    for field, name, result in CALLBACKS:
        entry = getattr(callbacks, field)
        if entry:
            made[name] = guest.callback(entry, result)
    guest.pnp_callbacks[init] = made


@wdf
def WdfDeviceCreate(
    guest: Guest, init: Ptr[DeviceInitPointer], attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, device: Out[Handle[Device]]
) -> NTSTATUS:
    """WdfDeviceCreate: the pointer to the init is NULL afterwards."""
    pending = guest.objects.get(init.Init)
    if not isinstance(pending, DeviceInit):
        raise BugCheck(WDF_VIOLATION, 5, init.Init, why=f"WdfDeviceCreate was given {init.Init:#x} for a PWDFDEVICE_INIT")
    made = SysDevice.create(pending, attributes_of(guest, attributes, "WdfDeviceCreate"))
    for name, callback in guest.pnp_callbacks.pop(pending, {}).items():
        setattr(made, name, partial(callback, made))
    init.Init = 0
    device(made)
    return STATUS_SUCCESS


@wdf
def WdfDeviceGetDriver(guest: Guest, device: Handle[Device]) -> Handle[Driver]:
    """WdfDeviceGetDriver."""
    return device.get_driver()  # type: ignore[no-any-return]

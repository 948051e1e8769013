"""WdfDeviceInit*: what a driver says of its device before there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, UCHAR, ULONG, VOID, Handle, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.guids import guid, optional_text
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.structs import Struct
from dirql.hosts.sys.wdf_structs import (
    WDF_FILEOBJECT_CONFIG,
    WDF_IO_TYPE_CONFIG,
    WDF_OBJECT_ATTRIBUTES,
    WDF_PNPPOWER_EVENT_CALLBACKS,
    WDF_POWER_POLICY_EVENT_CALLBACKS,
    WDF_REMOVE_LOCK_OPTIONS,
)
from dirql.hosts.sys.wdf_values import attributes_of, nothing, ntstatus_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.file_object import FileObjectConfig
from dirql.wdf.object import expect_parameter

__all__ = ["callbacks_of"]

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
POWER_POLICY_CALLBACKS = tuple((name, name, ntstatus_of) for name in list(WDF_POWER_POLICY_EVENT_CALLBACKS.fields)[1:])
SIZES = (0x90, 0x88)  # the second up to KMDF 1.9
POWER_POLICY_SIZES = (0x40, 0x38)  # the second before EvtDeviceArmWakeFromSxWithReason
IO_TYPES = {1: "neither", 2: "buffered", 3: "direct", 4: "buffered"}  # 4, either, is buffered here


def callbacks_of(guest: Guest, view: Struct, table: tuple[tuple[str, str, Callable[[int], Any]], ...]) -> dict[str, Any]:
    """The driver's functions in a structure of callbacks, by the names in the table's second column."""
    return {name: guest.callback(entry, result) for field, name, result in table if (entry := getattr(view, field))}


@wdf
def WdfDeviceInitSetPnpPowerEventCallbacks(
    guest: Guest, init: Handle[DeviceInit], callbacks: Ptr[WDF_PNPPOWER_EVENT_CALLBACKS]
) -> VOID:
    """Another Size drops all of them without a word (facts §6.2)."""
    if callbacks.Size not in SIZES:
        guest.framework.note(f"WdfDeviceInitSetPnpPowerEventCallbacks: Size {callbacks.Size:#x} is neither 0x90 nor 0x88; "
                             "every callback is dropped")  # fmt: skip
        return
    init.set_pnp_power_event_callbacks(callbacks_of(guest, callbacks, CALLBACKS))


@wdf
def WdfDeviceInitSetPowerPolicyEventCallbacks(
    guest: Guest, init: Handle[DeviceInit], callbacks: Ptr[WDF_POWER_POLICY_EVENT_CALLBACKS]
) -> VOID:
    """Another Size drops all of them without a word."""
    if callbacks.Size not in POWER_POLICY_SIZES:
        guest.framework.note(f"WdfDeviceInitSetPowerPolicyEventCallbacks: Size {callbacks.Size:#x} is neither 0x40 nor 0x38; "
                             "every callback is dropped")  # fmt: skip
        return
    table = POWER_POLICY_CALLBACKS if callbacks.Size == POWER_POLICY_SIZES[0] else POWER_POLICY_CALLBACKS[:-1]
    init.set_power_policy_event_callbacks(callbacks_of(guest, callbacks, table))


@wdf
def WdfDeviceInitSetPowerPolicyOwnership(guest: Guest, init: Handle[DeviceInit], owner: BOOLEAN) -> VOID:
    """WdfDeviceInitSetPowerPolicyOwnership."""
    init.set_power_policy_ownership(owner)


@wdf
def WdfDeviceInitSetPowerNotPageable(guest: Guest, init: Handle[DeviceInit]) -> VOID:
    """WdfDeviceInitSetPowerNotPageable."""
    init.set_power_not_pageable()


@wdf
def WdfDeviceInitSetPowerPageable(guest: Guest, init: Handle[DeviceInit]) -> VOID:
    """WdfDeviceInitSetPowerPageable."""
    init.set_power_pageable()


@wdf
def WdfDeviceInitSetPowerInrush(guest: Guest, init: Handle[DeviceInit]) -> VOID:
    """WdfDeviceInitSetPowerInrush."""
    init.set_power_inrush()


@wdf
def WdfDeviceInitRegisterPnpStateChangeCallback(
    guest: Guest, init: Handle[DeviceInit], state: ULONG, callback: PVOID, types: ULONG
) -> NTSTATUS:
    """WdfDeviceInitRegisterPnpStateChangeCallback."""
    expect_parameter(callback or None, "EvtDevicePnpStateChange", "WdfDeviceInitRegisterPnpStateChangeCallback")
    init.register_pnp_state_change_callback(state, guest.callback(callback, nothing), types)
    return STATUS_SUCCESS


@wdf
def WdfDeviceInitRegisterPowerStateChangeCallback(
    guest: Guest, init: Handle[DeviceInit], state: ULONG, callback: PVOID, types: ULONG
) -> NTSTATUS:
    """WdfDeviceInitRegisterPowerStateChangeCallback."""
    expect_parameter(callback or None, "EvtDevicePowerStateChange", "WdfDeviceInitRegisterPowerStateChangeCallback")
    init.register_power_state_change_callback(state, guest.callback(callback, nothing), types)
    return STATUS_SUCCESS


@wdf
def WdfDeviceInitRegisterPowerPolicyStateChangeCallback(
    guest: Guest, init: Handle[DeviceInit], state: ULONG, callback: PVOID, types: ULONG
) -> NTSTATUS:
    """WdfDeviceInitRegisterPowerPolicyStateChangeCallback."""
    name = "WdfDeviceInitRegisterPowerPolicyStateChangeCallback"
    expect_parameter(callback or None, "EvtDevicePowerPolicyStateChange", name)
    init.register_power_policy_state_change_callback(state, guest.callback(callback, nothing), types)
    return STATUS_SUCCESS


@wdf
def WdfDeviceInitSetIoType(guest: Guest, init: Handle[DeviceInit], io_type: ULONG) -> VOID:
    """WdfDeviceInitSetIoType: what is no WDF_DEVICE_IO_TYPE changes nothing (model choice)."""
    init.set_io_type(IO_TYPES.get(io_type, init.io_type))


@wdf
def WdfDeviceInitSetIoTypeEx(guest: Guest, init: Handle[DeviceInit], config: Ptr[WDF_IO_TYPE_CONFIG]) -> VOID:
    """WdfDeviceInitSetIoTypeEx."""
    init.set_io_type_ex(IO_TYPES.get(config.ReadWriteIoType, init.io_type))


@wdf
def WdfDeviceInitSetExclusive(guest: Guest, init: Handle[DeviceInit], exclusive: BOOLEAN) -> VOID:
    """WdfDeviceInitSetExclusive."""
    init.set_exclusive(exclusive)


@wdf
def WdfDeviceInitSetDeviceType(guest: Guest, init: Handle[DeviceInit], device_type: ULONG) -> VOID:
    """WdfDeviceInitSetDeviceType."""
    init.set_device_type(device_type)


@wdf
def WdfDeviceInitSetCharacteristics(
    guest: Guest, init: Handle[DeviceInit], characteristics: ULONG, or_in_values: BOOLEAN
) -> VOID:
    """WdfDeviceInitSetCharacteristics."""
    init.set_characteristics(characteristics, or_in_values)


@wdf
def WdfDeviceInitAssignName(guest: Guest, init: Handle[DeviceInit], name: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfDeviceInitAssignName: NULL takes the name away."""
    init.assign_name(optional_text(name))
    return STATUS_SUCCESS


@wdf
def WdfDeviceInitAssignSDDLString(guest: Guest, init: Handle[DeviceInit], sddl: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfDeviceInitAssignSDDLString: NULL takes it away."""
    init.assign_sddl_string(optional_text(sddl))
    return STATUS_SUCCESS


@wdf
def WdfDeviceInitSetDeviceClass(guest: Guest, init: Handle[DeviceInit], class_guid: PVOID) -> VOID:
    """WdfDeviceInitSetDeviceClass."""
    expect_parameter(class_guid or None, "DeviceClassGuid", "WdfDeviceInitSetDeviceClass")
    init.set_device_class(guid(guest.space, class_guid))


@wdf
def WdfDeviceInitSetFileObjectConfig(
    guest: Guest, init: Handle[DeviceInit], config: Ptr[WDF_FILEOBJECT_CONFIG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
) -> VOID:  # fmt: skip
    """WdfDeviceInitSetFileObjectConfig: another Size is traced, and nothing is set."""
    expect_parameter(config, "FileObjectConfig", "WdfDeviceInitSetFileObjectConfig")
    assert config is not None
    if config.Size != WDF_FILEOBJECT_CONFIG.size:
        guest.framework.note(f"WdfDeviceInitSetFileObjectConfig: Size {config.Size:#x} is not {WDF_FILEOBJECT_CONFIG.size:#x}; "
                             "nothing is set")  # fmt: skip
        return
    given = config.load()

    def function(entry: int) -> Any:
        return guest.callback(entry, nothing) if entry else None

    init.set_file_object_config(
        FileObjectConfig(
            function(given.EvtDeviceFileCreate), function(given.EvtFileClose), function(given.EvtFileCleanup),
            given.AutoForwardCleanupClose, given.FileObjectClass,
        ),
        attributes_of(guest, attributes, "WdfDeviceInitSetFileObjectConfig"),
    )  # fmt: skip


@wdf
def WdfDeviceInitSetRequestAttributes(
    guest: Guest, init: Handle[DeviceInit], attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None
) -> VOID:
    """WdfDeviceInitSetRequestAttributes."""
    expect_parameter(attributes, "RequestAttributes", "WdfDeviceInitSetRequestAttributes")
    values = attributes_of(guest, attributes, "WdfDeviceInitSetRequestAttributes")
    assert values is not None
    init.set_request_attributes(values)


@wdf
def WdfDeviceInitSetIoInCallerContextCallback(guest: Guest, init: Handle[DeviceInit], callback: PVOID) -> VOID:
    """WdfDeviceInitSetIoInCallerContextCallback."""
    expect_parameter(callback or None, "EvtIoInCallerContext", "WdfDeviceInitSetIoInCallerContextCallback")
    init.set_io_in_caller_context_callback(guest.callback(callback, nothing))


@wdf
def WdfDeviceInitSetRemoveLockOptions(guest: Guest, init: Handle[DeviceInit], options: Ptr[WDF_REMOVE_LOCK_OPTIONS]) -> VOID:
    """WdfDeviceInitSetRemoveLockOptions."""
    init.set_remove_lock_options(options.Flags)


@wdf
def WdfDeviceInitSetReleaseHardwareOrderOnFailure(guest: Guest, init: Handle[DeviceInit], order: UCHAR) -> VOID:
    """WdfDeviceInitSetReleaseHardwareOrderOnFailure."""
    init.set_release_hardware_order_on_failure(order)


@wdf
def WdfDeviceInitFree(guest: Guest, init: Handle[DeviceInit]) -> VOID:
    """WdfDeviceInitFree."""
    init.free()

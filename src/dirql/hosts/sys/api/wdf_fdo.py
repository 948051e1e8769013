"""WdfFdo*: a function driver's device, and what it asks its bus driver."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, PVOID, ULONG, USHORT, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.api.wdf_device_init import callbacks_of
from dirql.hosts.sys.api.wdf_device_names import fill
from dirql.hosts.sys.bus_interfaces import BusInterfaces
from dirql.hosts.sys.child_lists import fits, list_config
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.guids import devpropkey, guid
from dirql.hosts.sys.wdf_structs import (
    WDF_CHILD_LIST_CONFIG,
    WDF_DEVICE_PROPERTY_DATA,
    WDF_FDO_EVENT_CALLBACKS,
    WDF_OBJECT_ATTRIBUTES,
)
from dirql.hosts.sys.wdf_values import attributes_of, ntstatus_of
from dirql.hosts.sys.wdm_views import WdmViews
from dirql.ntstatus import STATUS_INFO_LENGTH_MISMATCH, STATUS_NOT_SUPPORTED, STATUS_SUCCESS
from dirql.wdf.child_list import ChildList
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.device_properties import encode_property
from dirql.wdf.memory import Memory
from dirql.wdf.object import expect_parameter
from dirql.wdf.registry import Key

__all__: list[str] = []

CALLBACKS = (
    ("EvtDeviceFilterAddResourceRequirements", "evt_device_filter_add_resource_requirements", ntstatus_of),
    ("EvtDeviceFilterRemoveResourceRequirements", "evt_device_filter_remove_resource_requirements", ntstatus_of),
    ("EvtDeviceRemoveAddedResources", "evt_device_remove_added_resources", ntstatus_of),
)


@wdf
def WdfFdoInitSetEventCallbacks(guest: Guest, init: Handle[DeviceInit], callbacks: Ptr[WDF_FDO_EVENT_CALLBACKS]) -> VOID:
    """WdfFdoInitSetEventCallbacks: another Size drops all of them, with a trace line."""
    if callbacks.Size != WDF_FDO_EVENT_CALLBACKS.size:
        guest.framework.note(f"WdfFdoInitSetEventCallbacks: Size {callbacks.Size:#x}; every callback is dropped")
        return
    init.set_fdo_event_callbacks(callbacks_of(guest, callbacks, CALLBACKS))


@wdf
def WdfFdoInitSetFilter(guest: Guest, init: Handle[DeviceInit]) -> VOID:
    """WdfFdoInitSetFilter."""
    init.set_filter()


@wdf
def WdfFdoInitWdmGetPhysicalDevice(guest: Guest, init: Handle[DeviceInit]) -> PVOID:
    """WdfFdoInitWdmGetPhysicalDevice."""
    return guest.part(WdmViews).pdo(init.wdm_get_physical_device())


@wdf
def WdfFdoInitQueryProperty(
    guest: Guest, init: Handle[DeviceInit], which: ULONG, length: ULONG, buffer: PVOID, needed: Out[ULONG] | None
) -> NTSTATUS:
    """WdfFdoInitQueryProperty."""
    expect_parameter(needed, "ResultLength", "WdfFdoInitQueryProperty")
    return fill(guest, encode_property(init.query_property(which)), buffer, length, needed)


@wdf
def WdfFdoInitQueryPropertyEx(
    guest: Guest, init: Handle[DeviceInit], data: Ptr[WDF_DEVICE_PROPERTY_DATA], length: ULONG, buffer: PVOID,
    needed: Out[ULONG] | None, type_: Out[ULONG],
) -> NTSTATUS:  # fmt: skip
    """WdfFdoInitQueryPropertyEx."""
    expect_parameter(needed, "ResultLength", "WdfFdoInitQueryPropertyEx")
    if data.Size != WDF_DEVICE_PROPERTY_DATA.size:
        return STATUS_INFO_LENGTH_MISMATCH
    kind, value = init.query_property_ex(devpropkey(guest.space, data.PropertyKey))
    type_(kind)
    return fill(guest, encode_property(value), buffer, length, needed)


@wdf
def WdfFdoInitAllocAndQueryProperty(
    guest: Guest, init: Handle[DeviceInit], which: ULONG, pool_type: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    memory: Out[Handle[Memory]],
) -> NTSTATUS:  # fmt: skip
    """WdfFdoInitAllocAndQueryProperty."""
    memory(init.alloc_and_query_property(which, attributes_of(guest, attributes, "WdfFdoInitAllocAndQueryProperty")))
    return STATUS_SUCCESS


@wdf
def WdfFdoInitAllocAndQueryPropertyEx(
    guest: Guest, init: Handle[DeviceInit], data: Ptr[WDF_DEVICE_PROPERTY_DATA], pool_type: ULONG,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, memory: Out[Handle[Memory]], type_: Out[ULONG],
) -> NTSTATUS:  # fmt: skip
    """WdfFdoInitAllocAndQueryPropertyEx."""
    if data.Size != WDF_DEVICE_PROPERTY_DATA.size:
        return STATUS_INFO_LENGTH_MISMATCH
    values = attributes_of(guest, attributes, "WdfFdoInitAllocAndQueryPropertyEx")
    made, kind = init.alloc_and_query_property_ex(devpropkey(guest.space, data.PropertyKey), values)
    memory(made)
    type_(kind)
    return STATUS_SUCCESS


@wdf
def WdfFdoInitOpenRegistryKey(
    guest: Guest, init: Handle[DeviceInit], kind: ULONG, access: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    key: Out[Handle[Key]],
) -> NTSTATUS:  # fmt: skip
    """WdfFdoInitOpenRegistryKey."""
    key(init.open_registry_key(kind, attributes_of(guest, attributes, "WdfFdoInitOpenRegistryKey")))
    return STATUS_SUCCESS


@wdf
def WdfFdoInitSetDefaultChildListConfig(
    guest: Guest, init: Handle[DeviceInit], config: Ptr[WDF_CHILD_LIST_CONFIG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
) -> VOID:  # fmt: skip
    """WdfFdoInitSetDefaultChildListConfig: another Size is traced, and nothing is set."""
    expect_parameter(config, "Config", "WdfFdoInitSetDefaultChildListConfig")
    assert config is not None
    if config.Size != WDF_CHILD_LIST_CONFIG.size or not fits(config):
        what = f"Size {config.Size:#x}, or that of a description"
        guest.framework.note(f"WdfFdoInitSetDefaultChildListConfig: {what}; nothing is set")
        return
    values = attributes_of(guest, attributes, "WdfFdoInitSetDefaultChildListConfig")
    init.set_default_child_list_config(list_config(guest, config), values)


@wdf
def WdfFdoQueryForInterface(
    guest: Guest, device: Handle[Device], type_: PVOID, interface: PVOID, size: USHORT, version: USHORT, specific: PVOID
) -> NTSTATUS:
    """WdfFdoQueryForInterface."""
    expect_parameter(type_ or None, "InterfaceType", "WdfFdoQueryForInterface")
    expect_parameter(interface or None, "Interface", "WdfFdoQueryForInterface")
    found, interfaces = device.query_for_interface(guid(guest.space, type_)), guest.part(BusInterfaces)
    if not interfaces.fits(found, size, version):
        return STATUS_NOT_SUPPORTED
    interfaces.write(found, interface, size)
    return STATUS_SUCCESS


@wdf
def WdfFdoGetDefaultChildList(guest: Guest, device: Handle[Device]) -> Handle[ChildList] | None:
    """WdfFdoGetDefaultChildList: NULL without one."""
    return device.get_default_child_list()


@wdf
def WdfFdoAddStaticChild(guest: Guest, device: Handle[Device], child: Handle[Device]) -> NTSTATUS:
    """WdfFdoAddStaticChild."""
    device.add_static_child(child)
    return STATUS_SUCCESS


@wdf
def WdfFdoLockStaticChildListForIteration(guest: Guest, device: Handle[Device]) -> VOID:
    """WdfFdoLockStaticChildListForIteration."""
    device.lock_static_child_list_for_iteration()


@wdf
def WdfFdoRetrieveNextStaticChild(
    guest: Guest, device: Handle[Device], previous: Handle[Device] | None, flags: ULONG
) -> Handle[Device] | None:
    """WdfFdoRetrieveNextStaticChild: NULL at the end."""
    return device.retrieve_next_static_child(previous, flags)


@wdf
def WdfFdoUnlockStaticChildListFromIteration(guest: Guest, device: Handle[Device]) -> VOID:
    """WdfFdoUnlockStaticChildListFromIteration."""
    device.unlock_static_child_list_from_iteration()

"""WdfDevice*: device interfaces, symbolic links, properties, registry keys."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.guids import devpropkey, guid, optional_text
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.wdf_structs import WDF_DEVICE_PROPERTY_DATA, WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_BUFFER_TOO_SMALL, STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.device_properties import encode_property
from dirql.wdf.memory import Memory
from dirql.wdf.object import expect_parameter
from dirql.wdf.registry import Key
from dirql.wdf.string import String

__all__ = ["fill"]


def fill(guest: Guest, data: bytes, buffer: int, length: int, needed: Out[ULONG] | None) -> int:
    """`data` into the driver's buffer, and how many bytes there are in any case."""
    if needed is not None:
        needed(len(data))
    if length < len(data) or not buffer:
        return STATUS_BUFFER_TOO_SMALL
    guest.space.write(buffer, data)
    return STATUS_SUCCESS


@wdf
def WdfDeviceCreateDeviceInterface(
    guest: Guest, device: Handle[Device], class_guid: PVOID, reference: Ptr[UNICODE_STRING] | None
) -> NTSTATUS:
    """WdfDeviceCreateDeviceInterface."""
    expect_parameter(class_guid or None, "InterfaceClassGUID", "WdfDeviceCreateDeviceInterface")
    device.create_device_interface(guid(guest.space, class_guid), optional_text(reference))
    return STATUS_SUCCESS


@wdf
def WdfDeviceSetDeviceInterfaceState(
    guest: Guest, device: Handle[Device], class_guid: PVOID, reference: Ptr[UNICODE_STRING] | None, enable: BOOLEAN
) -> VOID:
    """WdfDeviceSetDeviceInterfaceState."""
    expect_parameter(class_guid or None, "InterfaceClassGUID", "WdfDeviceSetDeviceInterfaceState")
    device.set_device_interface_state(guid(guest.space, class_guid), optional_text(reference), enable)


@wdf
def WdfDeviceSetDeviceInterfaceStateEx(
    guest: Guest, device: Handle[Device], class_guid: PVOID, reference: Ptr[UNICODE_STRING] | None, enable: BOOLEAN
) -> NTSTATUS:
    """WdfDeviceSetDeviceInterfaceStateEx."""
    expect_parameter(class_guid or None, "InterfaceClassGUID", "WdfDeviceSetDeviceInterfaceStateEx")
    device.set_device_interface_state_ex(guid(guest.space, class_guid), optional_text(reference), enable)
    return STATUS_SUCCESS


@wdf
def WdfDeviceRetrieveDeviceInterfaceString(
    guest: Guest, device: Handle[Device], class_guid: PVOID, reference: Ptr[UNICODE_STRING] | None, string: Handle[String]
) -> NTSTATUS:
    """WdfDeviceRetrieveDeviceInterfaceString."""
    expect_parameter(class_guid or None, "InterfaceClassGUID", "WdfDeviceRetrieveDeviceInterfaceString")
    device.retrieve_device_interface_string(string, guid(guest.space, class_guid), optional_text(reference))
    return STATUS_SUCCESS


@wdf
def WdfDeviceCreateSymbolicLink(guest: Guest, device: Handle[Device], name: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfDeviceCreateSymbolicLink."""
    expect_parameter(name, "SymbolicLinkName", "WdfDeviceCreateSymbolicLink")
    device.create_symbolic_link(optional_text(name))
    return STATUS_SUCCESS


@wdf
def WdfDeviceRetrieveDeviceName(guest: Guest, device: Handle[Device], string: Handle[String]) -> NTSTATUS:
    """WdfDeviceRetrieveDeviceName."""
    device.retrieve_device_name(string)
    return STATUS_SUCCESS


@wdf
def WdfDeviceQueryProperty(
    guest: Guest, device: Handle[Device], which: ULONG, length: ULONG, buffer: PVOID, needed: Out[ULONG] | None
) -> NTSTATUS:
    """WdfDeviceQueryProperty."""
    expect_parameter(needed, "ResultLength", "WdfDeviceQueryProperty")
    return fill(guest, encode_property(device.query_property(which)), buffer, length, needed)


@wdf
def WdfDeviceAllocAndQueryProperty(
    guest: Guest, device: Handle[Device], which: ULONG, pool_type: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    memory: Out[Handle[Memory]],
) -> NTSTATUS:  # fmt: skip
    """WdfDeviceAllocAndQueryProperty."""
    memory(device.alloc_and_query_property(which, attributes_of(guest, attributes, "WdfDeviceAllocAndQueryProperty")))
    return STATUS_SUCCESS


@wdf
def WdfDeviceQueryPropertyEx(
    guest: Guest, device: Handle[Device], data: Ptr[WDF_DEVICE_PROPERTY_DATA], length: ULONG, buffer: PVOID,
    needed: Out[ULONG] | None, type_: Out[ULONG] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfDeviceQueryPropertyEx: the locale is not looked at."""
    expect_parameter(needed, "RequiredSize", "WdfDeviceQueryPropertyEx")
    expect_parameter(type_, "Type", "WdfDeviceQueryPropertyEx")
    assert type_ is not None
    if data.Size != WDF_DEVICE_PROPERTY_DATA.size:
        return STATUS_INFO_LENGTH_MISMATCH
    kind, value = device.query_property_ex(devpropkey(guest.space, data.PropertyKey))
    type_(kind)
    return fill(guest, encode_property(value), buffer, length, needed)


@wdf
def WdfDeviceAllocAndQueryPropertyEx(
    guest: Guest, device: Handle[Device], data: Ptr[WDF_DEVICE_PROPERTY_DATA], pool_type: ULONG,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, memory: Out[Handle[Memory]], type_: Out[ULONG],
) -> NTSTATUS:  # fmt: skip
    """WdfDeviceAllocAndQueryPropertyEx."""
    if data.Size != WDF_DEVICE_PROPERTY_DATA.size:
        return STATUS_INFO_LENGTH_MISMATCH
    values = attributes_of(guest, attributes, "WdfDeviceAllocAndQueryPropertyEx")
    made, kind = device.alloc_and_query_property_ex(devpropkey(guest.space, data.PropertyKey), values)
    memory(made)
    type_(kind)
    return STATUS_SUCCESS


@wdf
def WdfDeviceAssignProperty(
    guest: Guest, device: Handle[Device], data: Ptr[WDF_DEVICE_PROPERTY_DATA], type_: ULONG, length: ULONG, buffer: PVOID
) -> NTSTATUS:
    """WdfDeviceAssignProperty."""
    if data.Size != WDF_DEVICE_PROPERTY_DATA.size:
        return STATUS_INFO_LENGTH_MISMATCH
    value = guest.space.read(buffer, length) if buffer else b""
    device.assign_property(devpropkey(guest.space, data.PropertyKey), type_, value)
    return STATUS_SUCCESS


@wdf
def WdfDeviceOpenRegistryKey(
    guest: Guest, device: Handle[Device], kind: ULONG, access: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    key: Out[Handle[Key]],
) -> NTSTATUS:  # fmt: skip
    """WdfDeviceOpenRegistryKey."""
    key(device.open_registry_key(kind, attributes_of(guest, attributes, "WdfDeviceOpenRegistryKey")))
    return STATUS_SUCCESS

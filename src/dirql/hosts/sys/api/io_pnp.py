"""ntoskrnl's plug-and-play routines for WDM drivers: properties, device interfaces, notifications, registry keys of a device.

Model choices: a device interface's symbolic link, and that nobody listens to what a driver reports.
Limits: a WDM driver's interfaces are kept and listed, and cannot be opened; notifications never arrive.
"""

from __future__ import annotations

from uuid import UUID

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, USHORT, VOID, Out, Ptr, api
from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.counted_strings import CountedStrings
from dirql.hosts.sys.device_objects import DeviceObjects
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.handle_table import HandleTable
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.registry_handles import KeyHandle
from dirql.hosts.sys.strings import unicode_text
from dirql.ntstatus import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_EXISTS,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    StatusError,
)
from dirql.pnp.manager import DevNode
from dirql.pnp.properties import DeviceProperty
from dirql.wdf.device_properties import encode_property

__all__: list[str] = []

DEVICE_KEY, DRIVER_KEY = 1, 2  # PLUGPLAY_REGKEY_…
INCLUDE_DISABLED = 1  # DEVICE_INTERFACE_INCLUDE_NONACTIVE


class Kept:
    """Interfaces, named events and notifications that drivers registered."""

    def __init__(self, guest: Guest) -> None:
        self.interfaces: dict[str, tuple[UUID, bool]] = {}  # by symbolic link: class, and whether it is enabled
        self.events: dict[str, Region] = {}
        self.notifications: dict[int, object] = {}


def _node(guest: Guest, device: int) -> DevNode:
    found = guest.behind.get(device)
    if not isinstance(found, DevNode):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST, f"{device:#x} is no PDO")
    return found


# Properties.


@api("ntoskrnl")
def IoGetDeviceProperty(
    guest: Guest, device: PVOID, property_: ULONG, length: ULONG, buffer: PVOID, result: Out[ULONG]
) -> NTSTATUS:
    """IoGetDeviceProperty: STATUS_BUFFER_TOO_SMALL tells the length."""
    enter(guest, "IoGetDeviceProperty")
    node = _node(guest, device)
    if property_ not in list(DeviceProperty):
        return STATUS_INVALID_PARAMETER
    value = node.device_property(DeviceProperty(property_))
    if value is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    data = encode_property(value)
    result(len(data))
    if length < len(data):
        return STATUS_BUFFER_TOO_SMALL
    guest.space.write(buffer, data)
    return STATUS_SUCCESS


def _key(guest: Guest, address: int) -> tuple[UUID, int]:
    data = guest.space.read(address, 20)
    return UUID(bytes_le=data[:16]), int.from_bytes(data[16:], "little")


@api("ntoskrnl")
def IoGetDevicePropertyData(
    guest: Guest, device: PVOID, key: PVOID, locale: ULONG, flags: ULONG, size: ULONG, data: PVOID, required: Out[ULONG],
    type_: Out[ULONG],
) -> NTSTATUS:  # fmt: skip
    """IoGetDevicePropertyData."""
    enter(guest, "IoGetDevicePropertyData")
    found = _node(guest, device).device_property_of_key(_key(guest, key))
    if found is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    kind, value = found
    encoded = encode_property(value)
    required(len(encoded))
    type_(kind)
    if size < len(encoded):
        return STATUS_BUFFER_TOO_SMALL
    guest.space.write(data, encoded)
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoSetDevicePropertyData(
    guest: Guest, device: PVOID, key: PVOID, locale: ULONG, flags: ULONG, type_: ULONG, size: ULONG, data: PVOID
) -> NTSTATUS:
    """IoSetDevicePropertyData: no data deletes it."""
    enter(guest, "IoSetDevicePropertyData")
    _node(guest, device).assign_property(_key(guest, key), type_, guest.space.read(data, size) if data else b"")
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoGetDeviceNumaNode(guest: Guest, device: PVOID, node: Out[USHORT]) -> NTSTATUS:
    """IoGetDeviceNumaNode: there is one."""
    _node(guest, device)
    node(0)
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoOpenDeviceRegistryKey(guest: Guest, device: PVOID, type_: ULONG, access: ULONG, handle: Out[PVOID]) -> NTSTATUS:
    """IoOpenDeviceRegistryKey: the hardware key or the driver's software key."""
    enter(guest, "IoOpenDeviceRegistryKey")
    if type_ & 3 not in (DEVICE_KEY, DRIVER_KEY):
        return STATUS_INVALID_PARAMETER
    registry = _node(guest, device).registry_key("hardware" if type_ & 3 == DEVICE_KEY else "software")
    handle(guest.part(HandleTable).open(KeyHandle(registry, "", True)))
    return STATUS_SUCCESS


# Interfaces.


@api("ntoskrnl")
def IoRegisterDeviceInterface(
    guest: Guest, device: PVOID, class_: PVOID, reference: Ptr[UNICODE_STRING] | None, link: Ptr[UNICODE_STRING]
) -> NTSTATUS:
    """IoRegisterDeviceInterface: RtlFreeUnicodeString gives the link's buffer back."""
    enter(guest, "IoRegisterDeviceInterface")
    node, guid = _node(guest, device), UUID(bytes_le=guest.space.read(class_, 16))
    name = f"\\??\\{node.instance_path.replace(chr(92), '#')}#{{{guid}}}"
    name += f"\\{unicode_text(reference)}" if reference is not None and reference.Length else ""
    known = guest.part(Kept).interfaces
    status = STATUS_OBJECT_NAME_EXISTS if name in known else STATUS_SUCCESS
    known.setdefault(name, (guid, False))
    data = name.encode("utf-16-le")
    link.Buffer = guest.part(CountedStrings).must_allocate(len(data) + 2)
    guest.space.write(link.Buffer, data + b"\0\0")
    link.Length, link.MaximumLength = len(data), len(data) + 2
    return status


@api("ntoskrnl")
def IoSetDeviceInterfaceState(guest: Guest, link: Ptr[UNICODE_STRING], enable: BOOLEAN) -> NTSTATUS:
    """IoSetDeviceInterfaceState."""
    enter(guest, "IoSetDeviceInterfaceState")
    known, name = guest.part(Kept).interfaces, unicode_text(link)
    if name not in known:
        return STATUS_OBJECT_NAME_NOT_FOUND
    guid, enabled = known[name]
    known[name] = guid, enable
    return STATUS_OBJECT_NAME_EXISTS if enable and enabled else STATUS_SUCCESS


@api("ntoskrnl")
def IoGetDeviceInterfaces(guest: Guest, class_: PVOID, device: PVOID, flags: ULONG, list_: Out[PVOID]) -> NTSTATUS:
    """IoGetDeviceInterfaces: strings one after another, an empty one at the end; of WDM drivers' interfaces."""
    enter(guest, "IoGetDeviceInterfaces")
    guid = UUID(bytes_le=guest.space.read(class_, 16))
    found = [name for name, (one, enabled) in guest.part(Kept).interfaces.items() if one == guid and (enabled or flags & 1)]
    data = "".join(f"{name}\0" for name in (*found, "")).encode("utf-16-le")
    address = guest.part(CountedStrings).must_allocate(len(data))
    guest.space.write(address, data)
    list_(address)
    return STATUS_SUCCESS


# Events and notifications.


def _named_event(guest: Guest, name: UNICODE_STRING, handle: Out[int], type_: int) -> int:
    kept, called = guest.part(Kept), unicode_text(name)
    region = kept.events.get(called.casefold())
    if region is None:
        region = kept.events[called.casefold()] = guest.space.allocate(Area.POOL, 0x18, f"the event {called}")
        guest.part(KernelObjects).new_event(region.start, type_, True)
    handle(guest.part(HandleTable).open(guest.kernel_objects[region.start]))
    return region.start


@api("ntoskrnl")
def IoCreateNotificationEvent(guest: Guest, name: Ptr[UNICODE_STRING], handle: Out[PVOID]) -> PVOID:
    """IoCreateNotificationEvent: made signalled, or the one of that name; ZwClose takes the handle."""
    enter(guest, "IoCreateNotificationEvent")
    return _named_event(guest, name, handle, 0)


@api("ntoskrnl")
def IoCreateSynchronizationEvent(guest: Guest, name: Ptr[UNICODE_STRING], handle: Out[PVOID]) -> PVOID:
    """IoCreateSynchronizationEvent."""
    enter(guest, "IoCreateNotificationEvent")
    return _named_event(guest, name, handle, 1)


@api("ntoskrnl")
def IoReportTargetDeviceChangeAsynchronous(
    guest: Guest, device: PVOID, notification: PVOID, callback: PVOID, context: PVOID
) -> NTSTATUS:
    """IoReportTargetDeviceChangeAsynchronous: nobody registered for it; the callback comes from a worker thread."""
    enter(guest, "IoReportTargetDeviceChangeAsynchronous")
    _reported(guest, device, notification)
    if callback:
        guest.kernel.work.queue(_call_back, (guest, callback, context))
    return STATUS_SUCCESS


def _call_back(what: tuple[Guest, int, int]) -> None:
    guest, callback, context = what
    guest.call(callback, context)


@api("ntoskrnl")
def IoReportTargetDeviceChange(guest: Guest, device: PVOID, notification: PVOID) -> NTSTATUS:
    """IoReportTargetDeviceChange."""
    enter(guest, "IoReportTargetDeviceChange")
    _reported(guest, device, notification)
    return STATUS_SUCCESS


def _reported(guest: Guest, device: int, notification: int) -> None:
    """TARGET_DEVICE_CUSTOM_NOTIFICATION: Version, Size, Event."""
    event = UUID(bytes_le=guest.space.read(notification + 4, 16))
    guest.framework.note(f"{_node(guest, device).name} reports a change: {{{event}}}")


@api("ntoskrnl")
def IoRegisterPlugPlayNotification(
    guest: Guest, category: ULONG, flags: ULONG, data: PVOID, driver: PVOID, callback: PVOID, context: PVOID, entry: Out[PVOID]
) -> NTSTATUS:
    """IoRegisterPlugPlayNotification: accepted."""
    enter(guest, "IoRegisterPlugPlayNotification")
    registration = Notification()
    address = guest.handle(registration)
    guest.part(Kept).notifications[address] = registration
    entry(address)
    return STATUS_SUCCESS


class Notification:
    """One registration."""


@api("ntoskrnl")
def IoUnregisterPlugPlayNotification(guest: Guest, entry: PVOID) -> NTSTATUS:
    """IoUnregisterPlugPlayNotification."""
    return STATUS_SUCCESS if guest.part(Kept).notifications.pop(entry, None) is not None else STATUS_INVALID_PARAMETER


@api("ntoskrnl")
def IoUnregisterPlugPlayNotificationEx(guest: Guest, entry: PVOID) -> NTSTATUS:
    """IoUnregisterPlugPlayNotificationEx."""
    return STATUS_SUCCESS if guest.part(Kept).notifications.pop(entry, None) is not None else STATUS_INVALID_PARAMETER


@api("ntoskrnl")
def IoInvalidateDeviceRelations(guest: Guest, device: PVOID, type_: ULONG) -> VOID:
    """IoInvalidateDeviceRelations: a PCI function has no children here."""
    guest.framework.note(f"{_name(guest, device)}: its device relations are invalidated")


@api("ntoskrnl")
def IoInvalidateDeviceState(guest: Guest, device: PVOID) -> VOID:
    """IoInvalidateDeviceState: noted; the manager does not ask a WDM driver for its state."""
    guest.framework.note(f"{_name(guest, device)}: its PnP state is invalidated")


@api("ntoskrnl")
def IoRequestDeviceEject(guest: Guest, device: PVOID) -> VOID:
    """IoRequestDeviceEject: noted."""
    guest.framework.note(f"{_name(guest, device)}: its ejection is asked for")


def _name(guest: Guest, device: int) -> str:
    node = guest.part(DeviceObjects).node_below(device)
    return node.name if node is not None else f"the device at {device:#x}"


@api("ntoskrnl")
def IoRegisterShutdownNotification(guest: Guest, device: PVOID) -> NTSTATUS:
    """IoRegisterShutdownNotification: the system is not shut down."""
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoUnregisterShutdownNotification(guest: Guest, device: PVOID) -> VOID:
    """IoUnregisterShutdownNotification."""


@api("ntoskrnl")
def IoWMIRegistrationControl(guest: Guest, device: PVOID, action: ULONG) -> NTSTATUS:
    """IoWMIRegistrationControl: nobody asks for the data blocks."""
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoWMIAllocateInstanceIds(guest: Guest, guid: PVOID, count: ULONG, first: Out[ULONG]) -> NTSTATUS:
    """IoWMIAllocateInstanceIds."""
    first(0)
    return STATUS_SUCCESS

"""ntoskrnl's device objects: IoCreateDevice and what stacks are made with."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, UCHAR, ULONG, VOID, Out, Ptr, api
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.device_objects import DeviceObjects
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, UNICODE_STRING
from dirql.hosts.sys.object_types import ObjectTypes
from dirql.hosts.sys.strings import unicode_text
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import (
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_NO_SUCH_DEVICE,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
)
from dirql.wdf.names import plain_name

__all__: list[str] = []

LARGEST_EXTENSION = 0xFFFF - DEVICE_OBJECT.size


class NamedDevices:
    """The device objects of WDM drivers that have a name, by it."""

    def __init__(self, guest: Guest) -> None:
        self.names: dict[str, int] = {}


@api("ntoskrnl")
def IoCreateDevice(
    guest: Guest, driver: PVOID, extension: ULONG, name: Ptr[UNICODE_STRING] | None, type_: ULONG, characteristics: ULONG,
    exclusive: BOOLEAN, device: Out[PVOID],
) -> NTSTATUS:  # fmt: skip
    """IoCreateDevice."""
    enter(guest, "IoCreateDevice")
    return _create(guest, driver, extension, name, type_, characteristics, device)


@api("ntoskrnl")
def IoCreateDeviceSecure(
    guest: Guest, driver: PVOID, extension: ULONG, name: Ptr[UNICODE_STRING] | None, type_: ULONG, characteristics: ULONG,
    exclusive: BOOLEAN, sddl: Ptr[UNICODE_STRING], class_: PVOID, device: Out[PVOID],
) -> NTSTATUS:  # fmt: skip
    """IoCreateDeviceSecure: security is not looked at."""
    enter(guest, "IoCreateDevice")
    return _create(guest, driver, extension, name, type_, characteristics, device)


def _create(
    guest: Guest, driver: int, extension: int, name: UNICODE_STRING | None, type_: int, characteristics: int, device: Out[int]
) -> int:
    if extension > LARGEST_EXTENSION:
        return STATUS_INSUFFICIENT_RESOURCES
    names, called = guest.part(NamedDevices).names, unicode_text(name) if name is not None else ""
    if called and called.casefold() in names:
        return STATUS_OBJECT_NAME_COLLISION
    made = guest.part(DeviceObjects).new(driver, extension, called or "without a name", type_, characteristics)
    if called:
        names[called.casefold()] = made.view.address
    device(made.view.address)
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoDeleteDevice(guest: Guest, device: PVOID) -> VOID:
    """IoDeleteDevice; bugcheck for what is no device object (model choice: that of the pool, which it is freed to)."""
    enter(guest, "IoDeleteDevice")
    if not guest.part(DeviceObjects).delete(device):
        raise BugCheck(0xC2, 7, 0, 0, device, why=f"IoDeleteDevice of {device:#x}: {guest.space.describe(device)}")
    names = guest.part(NamedDevices).names
    for name in [name for name, address in names.items() if address == device]:
        del names[name]


@api("ntoskrnl")
def IoAttachDeviceToDeviceStack(guest: Guest, source: PVOID, target: PVOID) -> PVOID:
    """IoAttachDeviceToDeviceStack: the device that is next below, or NULL."""
    enter(guest, "IoAttachDeviceToDeviceStack")
    return guest.part(DeviceObjects).attach(source, target)


@api("ntoskrnl")
def IoAttachDeviceToDeviceStackSafe(guest: Guest, source: PVOID, target: PVOID, below: Out[PVOID]) -> NTSTATUS:
    """IoAttachDeviceToDeviceStackSafe."""
    enter(guest, "IoAttachDeviceToDeviceStack")
    attached = guest.part(DeviceObjects).attach(source, target)
    if not attached:
        return STATUS_NO_SUCH_DEVICE
    below(attached)
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoDetachDevice(guest: Guest, target: PVOID) -> VOID:
    """IoDetachDevice."""
    enter(guest, "IoDetachDevice")
    guest.part(DeviceObjects).detach(target)


@api("ntoskrnl")
def IoGetAttachedDevice(guest: Guest, device: PVOID) -> PVOID:
    """IoGetAttachedDevice."""
    return guest.part(DeviceObjects).top(device)


@api("ntoskrnl")
def IoGetAttachedDeviceReference(guest: Guest, device: PVOID) -> PVOID:
    """IoGetAttachedDeviceReference; the reference is not counted."""
    return guest.part(DeviceObjects).top(device)


@api("ntoskrnl")
def IoGetLowerDeviceObject(guest: Guest, device: PVOID) -> PVOID:
    """IoGetLowerDeviceObject."""
    made = guest.part(DeviceObjects).get(device)
    return made.below if made is not None else 0


@api("ntoskrnl")
def IoCreateSymbolicLink(guest: Guest, link: Ptr[UNICODE_STRING], name: Ptr[UNICODE_STRING]) -> NTSTATUS:
    """IoCreateSymbolicLink: kept; a WDM driver's devices cannot be opened here."""
    enter(guest, "IoCreateSymbolicLink")
    names, key = guest.framework.names, plain_name(unicode_text(link))
    if key in names.links or key in names.wdm:
        return STATUS_OBJECT_NAME_COLLISION
    names.wdm[key] = unicode_text(name)
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoDeleteSymbolicLink(guest: Guest, link: Ptr[UNICODE_STRING]) -> NTSTATUS:
    """IoDeleteSymbolicLink."""
    enter(guest, "IoCreateSymbolicLink")
    found = guest.framework.names.wdm.pop(plain_name(unicode_text(link)), None)
    return STATUS_SUCCESS if found is not None else STATUS_OBJECT_NAME_NOT_FOUND


class Extensions:
    """What IoAllocateDriverObjectExtension gave, by driver object and identification address."""

    def __init__(self, guest: Guest) -> None:
        self.known: dict[tuple[int, int], int] = {}


@api("ntoskrnl")
def IoAllocateDriverObjectExtension(guest: Guest, driver: PVOID, id_: PVOID, size: ULONG, out: Out[PVOID]) -> NTSTATUS:
    """IoAllocateDriverObjectExtension."""
    known = guest.part(Extensions).known
    if (driver, id_) in known:
        return STATUS_OBJECT_NAME_COLLISION
    if size > guest.machine.memory.size // 2:
        return STATUS_INSUFFICIENT_RESOURCES
    known[driver, id_] = guest.space.allocate(Area.POOL, size, "a driver object extension", at_end=True).start
    out(known[driver, id_])
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoGetDriverObjectExtension(guest: Guest, driver: PVOID, id_: PVOID) -> PVOID:
    """IoGetDriverObjectExtension."""
    return guest.part(Extensions).known.get((driver, id_), 0)


@api("ntoskrnl")
def IoIsWdmVersionAvailable(guest: Guest, major: UCHAR, minor: UCHAR) -> BOOLEAN:
    """IoIsWdmVersionAvailable: WDM 6.0 is the last."""
    return (major, minor) <= (6, 0)


@api("ntoskrnl")
def IoGetCurrentProcess(guest: Guest) -> PVOID:
    """IoGetCurrentProcess: the System process."""
    return guest.part(ObjectTypes).system_process


@api("ntoskrnl")
def IoIs32bitProcess(guest: Guest, irp: PVOID) -> BOOLEAN:
    """IoIs32bitProcess: there is no such process."""
    return False

"""References to kernel objects by handle and by pointer; closing a handle is ZwClose's."""

from __future__ import annotations

from typing import Any

from dirql import ntstatus
from dirql.hosts.sys.abi import LONGLONG, NTSTATUS, PVOID, UCHAR, ULONG, ULONGLONG, VOID, Out, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.handle_table import HandleTable
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.object_types import ObjectTypes
from dirql.ntstatus import StatusError

__all__: list[str] = []


@api("ntoskrnl")
def ObReferenceObjectByHandle(
    guest: Guest, handle: PVOID, access: ULONG, type_: PVOID, mode: UCHAR, result: Out[ULONGLONG], information: PVOID
) -> NTSTATUS:  # fmt: skip
    """ObReferenceObjectByHandle: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, or the object."""
    value = guest.part(HandleTable).get(handle)
    result(0)
    if value is None:
        raise StatusError(ntstatus.STATUS_INVALID_HANDLE, f"{handle:#x} is no open handle")
    if type_ and not guest.part(ObjectTypes).fits(value, type_):
        raise StatusError(ntstatus.STATUS_OBJECT_TYPE_MISMATCH, f"{handle:#x} is a handle of {value!r}")
    guest.kernel.objects.reference_by_handle(value)
    result(address_of(guest, value))
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ObReferenceObjectByPointer(guest: Guest, address: PVOID, access: ULONG, type_: PVOID, mode: UCHAR) -> NTSTATUS:
    """ObReferenceObjectByPointer."""
    value = object_at(guest, address)
    if type_ and not guest.part(ObjectTypes).fits(value, type_):
        raise StatusError(ntstatus.STATUS_OBJECT_TYPE_MISMATCH, f"{address:#x} is {value!r}")
    guest.kernel.objects.reference_by_pointer(value)
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ObfReferenceObject(guest: Guest, address: PVOID) -> LONGLONG:
    """ObReferenceObject."""
    return guest.kernel.objects.reference(object_at(guest, address))


@api("ntoskrnl")
def ObfReferenceObjectWithTag(guest: Guest, address: PVOID, tag: ULONG) -> LONGLONG:
    """ObReferenceObject."""
    return guest.kernel.objects.reference(object_at(guest, address))


@api("ntoskrnl")
def ObfDereferenceObject(guest: Guest, address: PVOID) -> LONGLONG:
    """ObDereferenceObject."""
    return guest.kernel.objects.dereference(object_at(guest, address), address)


@api("ntoskrnl")
def ObfDereferenceObjectWithTag(guest: Guest, address: PVOID, tag: ULONG) -> LONGLONG:
    """ObDereferenceObject."""
    return guest.kernel.objects.dereference(object_at(guest, address), address)


@api("ntoskrnl")
def ObDereferenceObject(guest: Guest, address: PVOID) -> LONGLONG:
    """A macro on x64; for those who look it up at run time."""
    return guest.kernel.objects.dereference(object_at(guest, address), address)


@api("ntoskrnl")
def ObDereferenceObjectDeferDelete(guest: Guest, address: PVOID) -> VOID:
    """ObDereferenceObject."""
    guest.kernel.objects.dereference(object_at(guest, address), address)


@api("ntoskrnl")
def ObOpenObjectByPointer(
    guest: Guest, address: PVOID, attributes: ULONG, state: PVOID, access: ULONG, type_: PVOID, mode: UCHAR,
    handle: Out[ULONGLONG],
) -> NTSTATUS:  # fmt: skip
    """A new handle of the object."""
    value = object_at(guest, address)
    if type_ and not guest.part(ObjectTypes).fits(value, type_):
        raise StatusError(ntstatus.STATUS_OBJECT_TYPE_MISMATCH, f"{address:#x} is {value!r}")
    guest.kernel.objects.reference_by_pointer(value)
    guest.kernel.objects.dereference(value, address)
    handle(guest.part(HandleTable).open(value))
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ObCloseHandle(guest: Guest, handle: PVOID, mode: UCHAR) -> NTSTATUS:
    """ObCloseHandle: STATUS_INVALID_HANDLE for one that is not open."""
    enter(guest, "ObCloseHandle")
    return ntstatus.STATUS_SUCCESS if guest.part(HandleTable).close(handle) else ntstatus.STATUS_INVALID_HANDLE


def object_at(guest: Guest, address: int) -> Any:
    """The kernel object that the driver names by its address; where there is none, the kernel faults."""
    for found in (guest.kernel_objects.get(address), guest.objects.get(address), guest.behind.get(address)):
        if found is not None:
            return found
    guest.space.read(address, 8)
    raise guest.space.bugcheck(address, 2, 0, in_driver=False)


def address_of(guest: Guest, value: Any) -> int:
    """The address by which drivers know an object: its structure's, or an opaque one."""
    address = getattr(value, "address", None)
    if isinstance(address, int) and guest.kernel_objects.get(address) is value:
        return address
    for known, one in guest.behind.items():
        if one is value:
            return known
    return guest.handle(value)

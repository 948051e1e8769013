"""ntoskrnl's Zw routines: handles and the registry.

Limits: no files, sections and object directories: their routines stay unmodelled.
"""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, Out, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.handle_table import HandleTable
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import LARGE_INTEGER, OBJECT_ATTRIBUTES, UNICODE_STRING
from dirql.hosts.sys.registry_handles import KeyHandle, SystemRegistry
from dirql.hosts.sys.strings import unicode_text
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.ntstatus import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_ENTRIES,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
    StatusError,
)
from dirql.wdf.registry import REG_TYPES, decode, encode

__all__: list[str] = []

BASIC, FULL, PARTIAL = 0, 1, 2  # KEY_VALUE_INFORMATION_CLASS
CREATED, OPENED = 1, 2  # the Disposition of ZwCreateKey
LARGEST_VALUE = 1 << 20


@api("ntoskrnl")
def ZwClose(guest: Guest, handle: PVOID) -> NTSTATUS:
    """ZwClose."""
    enter(guest, "ZwClose")
    return STATUS_SUCCESS if guest.part(HandleTable).close(handle) else STATUS_INVALID_HANDLE


@api("ntoskrnl")
def ZwWaitForSingleObject(guest: Guest, handle: PVOID, alertable: BOOLEAN, timeout: Ptr[LARGE_INTEGER] | None) -> NTSTATUS:
    """ZwWaitForSingleObject: of threads, events and what else can be waited for."""
    enter(guest, "ZwWaitForSingleObject")
    found = guest.part(HandleTable).get(handle)
    if found is None:
        return STATUS_INVALID_HANDLE
    if not isinstance(found, DispatcherObject):
        return STATUS_OBJECT_TYPE_MISMATCH
    return guest.kernel.ke_wait_for_single_object(found, _interval(guest, timeout))


def _interval(guest: Guest, timeout: LARGE_INTEGER | None) -> int | None:
    """ns from now: negative units of 100 ns are relative, others a system time."""
    if timeout is None:
        return None
    value: int = timeout.QuadPart
    if value <= 0:
        return -100 * value
    return max(0, 100 * (value - guest.kernel.clock.query_time_at(guest.machine.cpu.now)))


# The registry.


def _key(guest: Guest, handle: int) -> KeyHandle:
    found = guest.part(HandleTable).get(handle)
    if found is None:
        raise StatusError(STATUS_INVALID_HANDLE, f"{handle:#x} is no open handle")
    if not isinstance(found, KeyHandle):
        raise StatusError(STATUS_OBJECT_TYPE_MISMATCH, f"{handle:#x} is no key's handle")
    return found


def _named(guest: Guest, attributes: OBJECT_ATTRIBUTES) -> KeyHandle:
    name = unicode_text(UNICODE_STRING(guest.space, attributes.ObjectName)) if attributes.ObjectName else ""
    if attributes.RootDirectory:
        root = _key(guest, attributes.RootDirectory)
        return KeyHandle(root.registry, root.below(name.strip("\\")))
    if not name.casefold().startswith("\\registry\\"):
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND, f"{name!r} is not below \\Registry")
    return KeyHandle(guest.part(SystemRegistry).registry, SystemRegistry.plain(name))


@api("ntoskrnl")
def ZwOpenKey(guest: Guest, handle: Out[PVOID], access: ULONG, attributes: Ptr[OBJECT_ATTRIBUTES]) -> NTSTATUS:
    """ZwOpenKey."""
    enter(guest, "ZwOpenKey")
    key = _named(guest, attributes)
    if not key.exists:
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND, f"there is no key {key.path}")
    handle(guest.part(HandleTable).open(key))
    return STATUS_SUCCESS


@api("ntoskrnl")
def ZwCreateKey(
    guest: Guest, handle: Out[PVOID], access: ULONG, attributes: Ptr[OBJECT_ATTRIBUTES], index: ULONG, class_: PVOID,
    options: ULONG, disposition: Out[ULONG] | None,
) -> NTSTATUS:  # fmt: skip
    """ZwCreateKey: the keys above it are made as well (model choice: Windows wants them to be there)."""
    enter(guest, "ZwCreateKey")
    key = _named(guest, attributes)
    if disposition is not None:
        disposition(OPENED if key.exists else CREATED)
    key.registry.create_key(key.path)
    handle(guest.part(HandleTable).open(key))
    return STATUS_SUCCESS


@api("ntoskrnl")
def ZwDeleteKey(guest: Guest, handle: PVOID) -> NTSTATUS:
    """ZwDeleteKey."""
    enter(guest, "ZwDeleteKey")
    key = _key(guest, handle)
    key.registry.delete_key(key.path)
    return STATUS_SUCCESS


@api("ntoskrnl")
def ZwSetValueKey(
    guest: Guest, handle: PVOID, name: Ptr[UNICODE_STRING], index: ULONG, type_: ULONG, data: PVOID, size: ULONG
) -> NTSTATUS:
    """ZwSetValueKey."""
    enter(guest, "ZwSetValueKey")
    key = _key(guest, handle)
    if size > LARGEST_VALUE:
        return STATUS_INVALID_PARAMETER
    key.registry.set(key.below(unicode_text(name)), decode(type_, guest.space.read(data, size)))
    return STATUS_SUCCESS


@api("ntoskrnl")
def ZwDeleteValueKey(guest: Guest, handle: PVOID, name: Ptr[UNICODE_STRING]) -> NTSTATUS:
    """ZwDeleteValueKey."""
    enter(guest, "ZwDeleteValueKey")
    key = _key(guest, handle)
    path = key.below(unicode_text(name))
    if path not in key.registry:
        return STATUS_OBJECT_NAME_NOT_FOUND
    key.registry.delete(path)
    return STATUS_SUCCESS


@api("ntoskrnl")
def ZwQueryValueKey(
    guest: Guest, handle: PVOID, name: Ptr[UNICODE_STRING], class_: ULONG, buffer: PVOID, length: ULONG, result: Out[ULONG]
) -> NTSTATUS:
    """ZwQueryValueKey: STATUS_BUFFER_TOO_SMALL for less than the fixed part, STATUS_BUFFER_OVERFLOW for less than all."""
    enter(guest, "ZwQueryValueKey")
    return _describe(guest, _key(guest, handle), unicode_text(name), class_, buffer, length, result)


@api("ntoskrnl")
def ZwEnumerateValueKey(
    guest: Guest, handle: PVOID, index: ULONG, class_: ULONG, buffer: PVOID, length: ULONG, result: Out[ULONG]
) -> NTSTATUS:
    """ZwEnumerateValueKey."""
    enter(guest, "ZwQueryValueKey")
    key = _key(guest, handle)
    names = key.names()
    if index >= len(names):
        return STATUS_NO_MORE_ENTRIES
    return _describe(guest, key, names[index], class_, buffer, length, result)


def _describe(guest: Guest, key: KeyHandle, name: str, class_: int, buffer: int, length: int, result: Out[int]) -> int:
    value = key.registry.get(key.below(name))
    if value is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    data, wide = encode(value), name.encode("utf-16-le")
    type_ = REG_TYPES.get(value.type, 0)
    if class_ == PARTIAL:
        fixed, whole = 12, _dwords(0, type_, len(data)) + data
    elif class_ == BASIC:
        fixed, whole = 12, _dwords(0, type_, len(wide)) + wide
    elif class_ == FULL:
        offset = 20 + len(wide) + 7 & ~7
        fixed, whole = 20, (_dwords(0, type_, offset, len(data), len(wide)) + wide).ljust(offset, b"\0") + data
    else:
        return STATUS_INVALID_PARAMETER
    result(len(whole))
    if length < fixed:
        return STATUS_BUFFER_TOO_SMALL
    guest.space.write(buffer, whole[:length])
    return STATUS_SUCCESS if length >= len(whole) else STATUS_BUFFER_OVERFLOW


def _dwords(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)

"""WdfRegistry*: keys over what the INF wrote. DesiredAccess and CreateOptions are not looked at."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, PVOID, ULONG, USHORT, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.guids import optional_text
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES, WDFMEMORY_OFFSET
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_BUFFER_OVERFLOW, STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from dirql.pnp.registry import Registry
from dirql.wdf.collection import Collection
from dirql.wdf.memory import Memory
from dirql.wdf.object import expect_parameter
from dirql.wdf.registry import Key
from dirql.wdf.string import String

__all__: list[str] = []

Name = Ptr[UNICODE_STRING] | None
REG_CREATED_NEW_KEY, REG_OPENED_EXISTING_KEY = 1, 2


class WholeRegistry:
    """A component of the guest: what is opened by a whole path. Nothing is there before a driver creates it (model choice)."""

    def __init__(self, guest: Guest) -> None:
        self.registry = Registry()


def _name(view: UNICODE_STRING | None, routine: str) -> str:
    expect_parameter(view, "ValueName", routine)
    return optional_text(view)


@wdf
def WdfRegistryOpenKey(
    guest: Guest, parent: Handle[Key] | None, name: Name, access: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    key: Out[Handle[Key]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfRegistryOpenKey: without a parent the name is a whole path."""
    expect_parameter(name, "KeyName", "WdfRegistryOpenKey")
    expect_parameter(key, "Key", "WdfRegistryOpenKey")
    assert key is not None
    values = attributes_of(guest, attributes, "WdfRegistryOpenKey")
    key(_parent(guest, parent).open_key(optional_text(name), values))
    return STATUS_SUCCESS


@wdf
def WdfRegistryCreateKey(
    guest: Guest, parent: Handle[Key] | None, name: Name, access: ULONG, options: ULONG, disposition: Out[ULONG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, key: Out[Handle[Key]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfRegistryCreateKey."""
    expect_parameter(name, "KeyName", "WdfRegistryCreateKey")
    expect_parameter(key, "Key", "WdfRegistryCreateKey")
    assert key is not None
    values = attributes_of(guest, attributes, "WdfRegistryCreateKey")
    made, new = _parent(guest, parent).create_key(optional_text(name), values)
    if disposition is not None:
        disposition(REG_CREATED_NEW_KEY if new else REG_OPENED_EXISTING_KEY)
    key(made)
    return STATUS_SUCCESS


@wdf
def WdfRegistryClose(guest: Guest, key: Handle[Key]) -> VOID:
    """WdfRegistryClose."""
    key.close()


@wdf
def WdfRegistryRemoveKey(guest: Guest, key: Handle[Key]) -> NTSTATUS:
    """WdfRegistryRemoveKey."""
    key.remove_key()
    return STATUS_SUCCESS


@wdf
def WdfRegistryRemoveValue(guest: Guest, key: Handle[Key], name: Name) -> NTSTATUS:
    """WdfRegistryRemoveValue."""
    key.remove_value(_name(name, "WdfRegistryRemoveValue"))
    return STATUS_SUCCESS


@wdf
def WdfRegistryQueryValue(
    guest: Guest, key: Handle[Key], name: Name, length: ULONG, buffer: PVOID, queried: Out[ULONG] | None,
    type_: Out[ULONG] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfRegistryQueryValue: STATUS_BUFFER_OVERFLOW, with the length that is needed, for a buffer that is too small."""
    kind, data = key.query_value(_name(name, "WdfRegistryQueryValue"))
    if queried is not None:
        queried(len(data))
    if type_ is not None:
        type_(kind)
    if length < len(data) or not buffer:
        return STATUS_BUFFER_OVERFLOW
    guest.space.write(buffer, data)
    return STATUS_SUCCESS


@wdf
def WdfRegistryQueryMemory(
    guest: Guest, key: Handle[Key], name: Name, pool_type: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    memory: Out[Handle[Memory]] | None, type_: Out[ULONG] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfRegistryQueryMemory."""
    expect_parameter(memory, "Memory", "WdfRegistryQueryMemory")
    assert memory is not None
    values = attributes_of(guest, attributes, "WdfRegistryQueryMemory")
    made, kind = key.query_memory(_name(name, "WdfRegistryQueryMemory"), values)
    memory(made)
    if type_ is not None:
        type_(kind)
    return STATUS_SUCCESS


@wdf
def WdfRegistryQueryMultiString(
    guest: Guest, key: Handle[Key], name: Name, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, collection: Handle[Collection]
) -> NTSTATUS:
    """WdfRegistryQueryMultiString."""
    values = attributes_of(guest, attributes, "WdfRegistryQueryMultiString")
    key.query_multi_string(_name(name, "WdfRegistryQueryMultiString"), collection, values)
    return STATUS_SUCCESS


@wdf
def WdfRegistryQueryUnicodeString(
    guest: Guest, key: Handle[Key], name: Name, queried: Out[USHORT] | None, value: Ptr[UNICODE_STRING] | None
) -> NTSTATUS:
    """WdfRegistryQueryUnicodeString: STATUS_BUFFER_OVERFLOW for a string that does not fit; the length has the zero with it."""
    text = key.query_unicode_string(_name(name, "WdfRegistryQueryUnicodeString"))
    data = text.encode("utf-16-le")
    if queried is not None:
        queried(min(len(data) + 2, 0xFFFF))
    if value is None:
        return STATUS_SUCCESS
    if value.MaximumLength < len(data):
        return STATUS_BUFFER_OVERFLOW
    room = value.MaximumLength >= len(data) + 2
    guest.space.write(value.Buffer, data + (b"\0\0" if room else b""))
    value.Length = len(data)
    return STATUS_SUCCESS


@wdf
def WdfRegistryQueryString(guest: Guest, key: Handle[Key], name: Name, string: Handle[String]) -> NTSTATUS:
    """WdfRegistryQueryString."""
    key.query_string(_name(name, "WdfRegistryQueryString"), string)
    return STATUS_SUCCESS


@wdf
def WdfRegistryQueryULong(guest: Guest, key: Handle[Key], name: Name, value: Out[ULONG] | None) -> NTSTATUS:
    """WdfRegistryQueryULong."""
    expect_parameter(value, "Value", "WdfRegistryQueryULong")
    assert value is not None
    value(key.query_ulong(_name(name, "WdfRegistryQueryULong")))
    return STATUS_SUCCESS


@wdf
def WdfRegistryAssignValue(
    guest: Guest, key: Handle[Key], name: Name, type_: ULONG, length: ULONG, value: PVOID
) -> NTSTATUS:
    """WdfRegistryAssignValue."""
    expect_parameter(value or None, "Value", "WdfRegistryAssignValue")
    key.assign_value(_name(name, "WdfRegistryAssignValue"), type_, guest.space.read(value, length))
    return STATUS_SUCCESS


@wdf
def WdfRegistryAssignMemory(
    guest: Guest, key: Handle[Key], name: Name, type_: ULONG, memory: Handle[Memory], offsets: Ptr[WDFMEMORY_OFFSET] | None
) -> NTSTATUS:
    """WdfRegistryAssignMemory."""
    place = (offsets.BufferOffset, offsets.BufferLength) if offsets is not None else (0, None)
    key.assign_memory(_name(name, "WdfRegistryAssignMemory"), type_, memory, *place)
    return STATUS_SUCCESS


@wdf
def WdfRegistryAssignMultiString(guest: Guest, key: Handle[Key], name: Name, collection: Handle[Collection]) -> NTSTATUS:
    """WdfRegistryAssignMultiString: STATUS_INVALID_PARAMETER for a collection with something else in it."""
    items = [collection.get_item(index) for index in range(collection.get_count())]
    strings = [one for one in items if isinstance(one, String)]
    if len(strings) != len(items):
        return STATUS_INVALID_PARAMETER
    key.assign_multi_string(_name(name, "WdfRegistryAssignMultiString"), strings)
    return STATUS_SUCCESS


@wdf
def WdfRegistryAssignUnicodeString(
    guest: Guest, key: Handle[Key], name: Name, value: Ptr[UNICODE_STRING] | None
) -> NTSTATUS:
    """WdfRegistryAssignUnicodeString."""
    expect_parameter(value, "Value", "WdfRegistryAssignUnicodeString")
    key.assign_unicode_string(_name(name, "WdfRegistryAssignUnicodeString"), optional_text(value))
    return STATUS_SUCCESS


@wdf
def WdfRegistryAssignString(guest: Guest, key: Handle[Key], name: Name, string: Handle[String]) -> NTSTATUS:
    """WdfRegistryAssignString."""
    key.assign_string(_name(name, "WdfRegistryAssignString"), string)
    return STATUS_SUCCESS


@wdf
def WdfRegistryAssignULong(guest: Guest, key: Handle[Key], name: Name, value: ULONG) -> NTSTATUS:
    """WdfRegistryAssignULong."""
    key.assign_ulong(_name(name, "WdfRegistryAssignULong"), value)
    return STATUS_SUCCESS


def _parent(guest: Guest, parent: Key | None) -> Key:
    if parent is not None:
        return parent
    return Key.at(guest.framework, guest.part(WholeRegistry).registry, "", None, "WdfRegistryOpenKey")

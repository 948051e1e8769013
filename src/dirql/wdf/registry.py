"""WDFKEY: a registry key that a driver has open, over what the INF's AddReg wrote there.

Limits: the keys of one device and of one driver; access masks and security are not looked at; nothing outlives the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.kernel.mdl import Buffer
from dirql.ntstatus import StatusError
from dirql.pnp.registry import Registry, RegistryValue
from dirql.wdf.creation import parent_of, validate
from dirql.wdf.memory import Memory
from dirql.wdf.object import Object, ObjectAttributes
from dirql.wdf.string import String

if TYPE_CHECKING:
    from dirql.wdf.collection import Collection
    from dirql.wdf.framework import Framework

__all__ = ["REG_TYPES", "Key", "decode", "encode"]

REG_TYPES = {"REG_NONE": 0, "REG_SZ": 1, "REG_EXPAND_SZ": 2, "REG_BINARY": 3, "REG_DWORD": 4, "REG_MULTI_SZ": 7, "REG_QWORD": 11}
_NAMES = {number: name for name, number in REG_TYPES.items()}


def encode(value: RegistryValue) -> bytes:
    """The value's bytes, as ZwQueryValueKey hands them out."""
    data = value.data
    if isinstance(data, int):
        return data.to_bytes(8 if value.type == "REG_QWORD" else 4, "little")
    if isinstance(data, tuple):
        return "".join(f"{one}\0" for one in (*data, "")).encode("utf-16-le")
    return f"{data}\0".encode("utf-16-le") if isinstance(data, str) else data


def decode(type_: int, data: bytes) -> RegistryValue:
    """A value of a REG_… type from its bytes; what does not have its type's form stays bytes."""
    name = _NAMES.get(type_, f"REG_{type_:#x}")
    if (name, len(data)) in (("REG_DWORD", 4), ("REG_QWORD", 8)):
        return RegistryValue(name, int.from_bytes(data, "little"))
    if name in ("REG_SZ", "REG_EXPAND_SZ") and len(data) % 2 == 0:
        return RegistryValue(name, data.decode("utf-16-le", "replace").rstrip("\0"))
    if name == "REG_MULTI_SZ" and len(data) % 2 == 0:
        return RegistryValue(name, tuple(one for one in data.decode("utf-16-le", "replace").split("\0") if one))
    return RegistryValue(name, data)


class Key(Object):
    r"""WDFKEY: the key `path` (`a\b`, empty for the top) of `registry`."""

    kind = "WDFKEY"

    def __init__(
        self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None, registry: Registry, path: str
    ) -> None:
        super().__init__(framework, parent, attributes)
        self.registry, self.path = registry, path

    @classmethod
    def at(
        cls, framework: Framework, registry: Registry, path: str, attributes: ObjectAttributes | None, routine: str
    ) -> Key:
        """The object that a routine which opens a key returns; without a parent the driver is it."""
        validate("WDFKEY", attributes)
        above = parent_of(framework, attributes, routine)
        return cls(framework, above if above is not None else framework.driver, attributes, registry, path)

    @ddi("WdfRegistryOpenKey")
    def open_key(self, key_name: str, attributes: ObjectAttributes | None = None) -> Key:
        """WdfRegistryOpenKey: a key below this one; STATUS_OBJECT_NAME_NOT_FOUND."""
        path = self._below(key_name)
        if not self.registry.has_key(path):
            raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, f"WdfRegistryOpenKey: there is no key {path}")
        return Key.at(self.framework, self.registry, path, attributes, "WdfRegistryOpenKey")

    @ddi("WdfRegistryCreateKey")
    def create_key(self, key_name: str, attributes: ObjectAttributes | None = None) -> tuple[Key, bool]:
        """WdfRegistryCreateKey: (key, whether it is new)."""
        path = self._below(key_name)
        known = self.registry.has_key(path)
        key = Key.at(self.framework, self.registry, path, attributes, "WdfRegistryCreateKey")
        self.registry.create_key(path)
        return key, not known

    @ddi("WdfRegistryClose")
    def close(self) -> None:
        """WdfRegistryClose: deletes the object, not the key."""
        self.dispose()

    @ddi("WdfRegistryRemoveKey")
    def remove_key(self) -> None:
        """WdfRegistryRemoveKey: the key and its values, and the object."""
        if not self.path:
            raise StatusError(ntstatus.STATUS_ACCESS_DENIED, "WdfRegistryRemoveKey: the top key is not the driver's to remove")
        self.registry.delete_key(self.path)
        self.dispose()

    @ddi("WdfRegistryRemoveValue")
    def remove_value(self, value_name: str) -> None:
        """WdfRegistryRemoveValue."""
        self._value(value_name, "WdfRegistryRemoveValue")
        self.registry.delete(self._below(value_name))

    # Asking.

    @ddi("WdfRegistryQueryValue")
    def query_value(self, value_name: str) -> tuple[int, bytes]:
        """WdfRegistryQueryValue: (REG_… type, bytes)."""
        value = self._value(value_name, "WdfRegistryQueryValue")
        return REG_TYPES.get(value.type, 0), encode(value)

    @ddi("WdfRegistryQueryMemory")
    def query_memory(self, value_name: str, attributes: ObjectAttributes | None = None) -> tuple[Memory, int]:
        """WdfRegistryQueryMemory: (memory object with the bytes, REG_… type)."""
        value = self._value(value_name, "WdfRegistryQueryMemory")
        data = encode(value)
        if not data:
            raise StatusError(ntstatus.STATUS_INVALID_BUFFER_SIZE, f"WdfRegistryQueryMemory: {value_name} is empty")
        memory = Memory.create(self.framework, len(data), attributes)
        buffer = memory.get_buffer()
        assert isinstance(buffer, Buffer)
        buffer[:] = data
        return memory, REG_TYPES.get(value.type, 0)

    @ddi("WdfRegistryQueryMultiString")
    def query_multi_string(
        self, value_name: str, collection: Collection, attributes: ObjectAttributes | None = None
    ) -> None:
        """WdfRegistryQueryMultiString: a string object for each, added to `collection`."""
        data = self._typed(value_name, ("REG_MULTI_SZ",), "WdfRegistryQueryMultiString")
        assert isinstance(data, tuple)
        for text in data:
            collection.add(String.create(self.framework, text, attributes))

    @ddi("WdfRegistryQueryUnicodeString")
    def query_unicode_string(self, value_name: str) -> str:
        """WdfRegistryQueryUnicodeString: a REG_SZ or REG_EXPAND_SZ; nothing is expanded."""
        return str(self._typed(value_name, ("REG_SZ", "REG_EXPAND_SZ"), "WdfRegistryQueryUnicodeString"))

    @ddi("WdfRegistryQueryString")
    def query_string(self, value_name: str, string: String) -> None:
        """WdfRegistryQueryString: into a string object."""
        string.text = str(self._typed(value_name, ("REG_SZ", "REG_EXPAND_SZ"), "WdfRegistryQueryString"))

    @ddi("WdfRegistryQueryULong")
    def query_ulong(self, value_name: str) -> int:
        """WdfRegistryQueryULong: STATUS_OBJECT_TYPE_MISMATCH for any type but REG_DWORD."""
        data = self._typed(value_name, ("REG_DWORD",), "WdfRegistryQueryULong")
        assert isinstance(data, int)
        return data

    # Writing.

    @ddi("WdfRegistryAssignValue")
    def assign_value(self, value_name: str, value_type: int, value: bytes) -> None:
        """WdfRegistryAssignValue: `value_type` is REG_…."""
        self.registry.set(self._below(value_name), decode(value_type, bytes(value)))

    @ddi("WdfRegistryAssignMemory")
    def assign_memory(self, value_name: str, value_type: int, memory: Memory, offset: int = 0, length: int | None = None) -> None:
        """WdfRegistryAssignMemory: the bytes of a memory object, or a part of them."""
        data = bytes(memory.get_buffer()[:])
        end = len(data) if length is None else offset + length
        if not 0 <= offset <= end <= len(data):
            why = f"WdfRegistryAssignMemory: bytes {offset:#x} to {end:#x} of {memory.name}, which has {len(data):#x}"
            raise StatusError(ntstatus.STATUS_INVALID_BUFFER_SIZE, why)
        self.registry.set(self._below(value_name), decode(value_type, data[offset:end]))

    @ddi("WdfRegistryAssignMultiString")
    def assign_multi_string(self, value_name: str, strings: Sequence[String]) -> None:
        """WdfRegistryAssignMultiString: a REG_MULTI_SZ of string objects (in C a collection of them)."""
        self.registry.set(self._below(value_name), RegistryValue("REG_MULTI_SZ", tuple(one.text for one in strings)))

    @ddi("WdfRegistryAssignUnicodeString")
    def assign_unicode_string(self, value_name: str, value: str) -> None:
        """WdfRegistryAssignUnicodeString: a REG_SZ."""
        self.registry.set(self._below(value_name), RegistryValue("REG_SZ", value))

    @ddi("WdfRegistryAssignString")
    def assign_string(self, value_name: str, string: String) -> None:
        """WdfRegistryAssignString: a REG_SZ."""
        self.registry.set(self._below(value_name), RegistryValue("REG_SZ", string.text))

    @ddi("WdfRegistryAssignULong")
    def assign_ulong(self, value_name: str, value: int) -> None:
        """WdfRegistryAssignULong: a REG_DWORD."""
        self.registry.set(self._below(value_name), RegistryValue("REG_DWORD", value & 0xFFFF_FFFF))

    def _below(self, name: str) -> str:
        return f"{self.path}\\{name}" if self.path and name else self.path or name

    def _value(self, name: str, routine: str) -> RegistryValue:
        value = self.registry.get(self._below(name))
        if value is None:
            raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, f"{routine}: there is no value {self._below(name)}")
        return value

    def _typed(self, name: str, types: tuple[str, ...], routine: str) -> object:
        value = self._value(name, routine)
        if value.type not in types:
            why = f"{routine}: {self._below(name)} is {value.type}, and {' or '.join(types)} is asked for"
            raise StatusError(ntstatus.STATUS_OBJECT_TYPE_MISMATCH, why)
        return value.data

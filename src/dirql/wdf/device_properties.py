"""What a driver asks the PnP manager of its device: properties and registry keys.

STATUS_OBJECT_NAME_NOT_FOUND for a property that the device does not have; what a property holds: `dirql.pnp.properties`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.kernel.mdl import Buffer
from dirql.ntstatus import StatusError
from dirql.pnp.properties import DeviceProperty, DevPropKey, Value
from dirql.wdf.memory import Memory
from dirql.wdf.object import Object, ObjectAttributes
from dirql.wdf.registry import Key

if TYPE_CHECKING:
    from dirql.wdf.device_init import Pdo
    from dirql.wdf.framework import Framework

__all__ = ["REGKEY_KINDS", "QueryableDevice", "encode_property", "in_memory", "open_key", "query", "query_key"]

PLUGPLAY_REGKEY_DEVICE, PLUGPLAY_REGKEY_DRIVER, PLUGPLAY_REGKEY_CURRENT_HWPROFILE = 1, 2, 4
# The INF's AddReg in [DDInstall.HW] writes the first, in [DDInstall] the second.
REGKEY_KINDS = {PLUGPLAY_REGKEY_DEVICE: "hardware", PLUGPLAY_REGKEY_DRIVER: "software"}


def encode_property(value: Value) -> bytes:
    """A property's bytes, as IoGetDeviceProperty hands them out."""
    if isinstance(value, int):
        return value.to_bytes(4, "little")
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple):
        return "".join(f"{one}\0" for one in (*value, "")).encode("utf-16-le")
    return f"{value}\0".encode("utf-16-le") if isinstance(value, str) else value.bytes_le


def query(pdo: Pdo, which: int, routine: str) -> Value:
    """A DEVICE_REGISTRY_PROPERTY."""
    try:
        one = DeviceProperty(which)
    except ValueError:
        why = f"{routine}: {which:#x} is no DEVICE_REGISTRY_PROPERTY"
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER_2, why) from None
    value = pdo.device_property(one)
    if value is None:
        raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, f"{routine}: {pdo.name} has no DeviceProperty{one.name}")
    return value


def query_key(pdo: Pdo, key: DevPropKey, routine: str) -> tuple[int, Value]:
    """A DEVPROPKEY: (type, value)."""
    found = pdo.device_property_of_key(key)
    if found is None:
        why = f"{routine}: {pdo.name} has no property {{{key[0]}}}, {key[1]}"
        raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, why)
    return found


def open_key(framework: Framework, pdo: Pdo, kind: int, attributes: ObjectAttributes | None, routine: str) -> Key:
    """The device's hardware or software key."""
    which = REGKEY_KINDS.get(kind & 3)
    if which is None:
        why = f"{routine}: DeviceInstanceKeyType {kind:#x} is neither PLUGPLAY_REGKEY_DEVICE nor PLUGPLAY_REGKEY_DRIVER"
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)
    return Key.at(framework, pdo.registry_key(which), "", attributes, routine)


def in_memory(parent: Object | Framework, value: Value, attributes: ObjectAttributes | None) -> Memory:
    """A property's bytes in a memory object."""
    data = encode_property(value)
    memory = Memory.create(parent, len(data), attributes)
    buffer = memory.get_buffer()
    assert isinstance(buffer, Buffer)
    buffer[:] = data
    return memory


class QueryableDevice(Object):
    """The part of a device that the PnP manager knows about."""

    pdo: Pdo

    @ddi("WdfDeviceQueryProperty")
    def query_property(self, device_property: int) -> Value:
        """WdfDeviceQueryProperty: a `DeviceProperty`; its bytes in C are `encode_property`'s."""
        return query(self.pdo, device_property, "WdfDeviceQueryProperty")

    @ddi("WdfDeviceAllocAndQueryProperty")
    def alloc_and_query_property(self, device_property: int, attributes: ObjectAttributes | None = None) -> Memory:
        """WdfDeviceAllocAndQueryProperty: the bytes in a memory object."""
        return in_memory(self, query(self.pdo, device_property, "WdfDeviceAllocAndQueryProperty"), attributes)

    @ddi("WdfDeviceQueryPropertyEx")
    def query_property_ex(self, key: DevPropKey) -> tuple[int, Value]:
        """WdfDeviceQueryPropertyEx: (DEVPROPTYPE, value) of a DEVPROPKEY, which is (fmtid, pid)."""
        return query_key(self.pdo, key, "WdfDeviceQueryPropertyEx")

    @ddi("WdfDeviceAllocAndQueryPropertyEx")
    def alloc_and_query_property_ex(self, key: DevPropKey, attributes: ObjectAttributes | None = None) -> tuple[Memory, int]:
        """WdfDeviceAllocAndQueryPropertyEx: (the bytes in a memory object, DEVPROPTYPE)."""
        type_, value = query_key(self.pdo, key, "WdfDeviceAllocAndQueryPropertyEx")
        return in_memory(self, value, attributes), type_

    @ddi("WdfDeviceAssignProperty")
    def assign_property(self, key: DevPropKey, type_: int, value: bytes) -> None:
        """WdfDeviceAssignProperty: the driver's own; no bytes delete it."""
        self.pdo.assign_property(key, type_, value)

    @ddi("WdfDeviceOpenRegistryKey")
    def open_registry_key(self, device_instance_key_type: int, attributes: ObjectAttributes | None = None) -> Key:
        """WdfDeviceOpenRegistryKey: 1 the hardware key, 2 the software key."""
        return open_key(self.framework, self.pdo, device_instance_key_type, attributes, "WdfDeviceOpenRegistryKey")


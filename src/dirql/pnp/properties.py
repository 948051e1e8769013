"""What the PnP manager knows of a device, as drivers ask for it: DEVICE_REGISTRY_PROPERTY and DEVPROPKEY
(wdm/ne-wdm-device_registry_property; devpkey.h).

Values are Python's: a string, a tuple of strings, an integer, a GUID or bytes; None where the device has no such property.
Model choices: the instance part of the instance path, the name of the PDO, the location's words, the driver key's name, and
the DEVPKEY_PciDevice_… identifiers, which the sources at hand do not show.

Limits: English only; no property that an INF's AddProperty sets.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING
from uuid import UUID

from dirql.pci.header import Type0Header
from dirql.pci.spec import CapabilityId
from dirql.pnp import config
from dirql.pnp.constants import InterfaceType
from dirql.pnp.identifiers import compatible_ids, hardware_ids

if TYPE_CHECKING:
    from dirql.pnp.manager import DevNode

__all__ = ["DevPropKey", "DevPropType", "DeviceProperty", "Value", "instance_path", "property_of", "property_of_key"]

Value = str | tuple[str, ...] | int | UUID | bytes
DevPropKey = tuple[UUID, int]  # DEVPROPKEY: fmtid, pid

GUID_BUS_TYPE_PCI = UUID("c8ebdfb0-b510-11d0-80e5-00a0c92542e3")
DEVICE = UUID("a45c254e-df1c-4efd-8020-67d146a850e0")  # fmtid of DEVPKEY_Device_…
NUMA = UUID("540b947e-8b40-45bc-a8a2-6a0b894cbda2")
PCI = UUID("3ab22e31-8264-4b4e-9af5-a8d2d8e33e62")  # fmtid of DEVPKEY_PciDevice_…
LINE_BASED, MSI, MSI_X = 1, 2, 4


class DeviceProperty(IntEnum):
    """DEVICE_REGISTRY_PROPERTY."""

    DeviceDescription = 0x00
    HardwareID = 0x01
    CompatibleIDs = 0x02
    BootConfiguration = 0x03
    BootConfigurationTranslated = 0x04
    ClassName = 0x05
    ClassGuid = 0x06
    DriverKeyName = 0x07
    Manufacturer = 0x08
    FriendlyName = 0x09
    LocationInformation = 0x0A
    PhysicalDeviceObjectName = 0x0B
    BusTypeGuid = 0x0C
    LegacyBusType = 0x0D
    BusNumber = 0x0E
    EnumeratorName = 0x0F
    Address = 0x10
    UINumber = 0x11
    InstallState = 0x12
    RemovalPolicy = 0x13
    ResourceRequirements = 0x14
    AllocatedResources = 0x15
    ContainerID = 0x16


class DevPropType(IntEnum):
    """DEVPROPTYPE: DEVPROP_TYPE_…."""

    UINT32 = 0x07
    GUID = 0x0D
    STRING = 0x12
    BINARY = 0x1003
    STRING_LIST = 0x2012


def instance_path(node: DevNode) -> str:
    r"""The device instance ID: `PCI\VEN_…\instance`."""
    bus, slot = node.port.place
    return rf"{hardware_ids(node.port.function)[0]}\3&{bus:x}&0&{slot << 3:02x}"


def property_of(node: DevNode, which: DeviceProperty) -> Value | None:
    """The property; None where the device has none."""
    return _PROPERTIES[which](node) if which in _PROPERTIES else None


def property_of_key(node: DevNode, key: DevPropKey) -> tuple[int, Value] | None:
    """(type, value) of a DEVPROPKEY; what a driver assigned comes first."""
    assigned = node.assigned_properties.get(key)
    if assigned is not None:
        return assigned
    value = _KEYS[key](node) if key in _KEYS else None
    return None if value is None else (_type(value), value)


def _type(value: Value) -> DevPropType:
    if isinstance(value, int):
        return DevPropType.UINT32
    if isinstance(value, UUID):
        return DevPropType.GUID
    if isinstance(value, tuple):
        return DevPropType.STRING_LIST
    return DevPropType.STRING if isinstance(value, str) else DevPropType.BINARY


def _installed(field: str) -> Callable[[DevNode], Value | None]:
    return lambda node: getattr(node.install, field) or None if node.install is not None else None


def _class_guid(node: DevNode) -> Value | None:
    return node.install.class_guid.lower() or None if node.install is not None else None


def _driver_key(node: DevNode) -> Value | None:
    guid = _class_guid(node)
    return rf"{guid}\{node.manager.nodes.index(node):04d}" if isinstance(guid, str) else None


def _location(node: DevNode) -> Value:
    bus, slot = node.port.place
    return f"PCI bus {bus}, device {slot}, function 0"


def _own_ids(node: DevNode) -> Value:
    everything, others = hardware_ids(node.port.function), compatible_ids(node.port.function)
    return everything[: len(everything) - len(others)]


def _allocated(node: DevNode) -> Value | None:
    """A CM_RESOURCE_LIST of one full descriptor."""
    if node.grant is None:
        return None
    head = [1, InterfaceType.PCIBus, node.port.place[0]]
    count = (1).to_bytes(2, "little") * 2 + len(node.grant.raw).to_bytes(4, "little")
    return b"".join(part.to_bytes(4, "little") for part in head) + count + b"".join(one.pack() for one in node.grant.raw)


def _class_byte(shift: int) -> Callable[[DevNode], Value]:
    return lambda node: node.port.function.config_read(Type0Header.revision.offset, 4) >> shift & 0xFF


def _interrupt_support(node: DevNode) -> Value:
    found = config.capabilities(node.port.function)
    return LINE_BASED | (MSI if CapabilityId.MSI in found else 0) | (MSI_X if CapabilityId.MSI_X in found else 0)


def _message_maximum(node: DevNode) -> Value:
    function = node.port.function
    found = config.capabilities(function)
    if CapabilityId.MSI_X in found:
        return (function.config_read(found[CapabilityId.MSI_X] + 2, 2) & 0x7FF) + 1
    if CapabilityId.MSI in found:
        return 1 << (function.config_read(found[CapabilityId.MSI] + 2, 2) >> 1 & 7)
    return 0


_PROPERTIES: dict[DeviceProperty, Callable[[DevNode], Value | None]] = {
    DeviceProperty.DeviceDescription: _installed("description"),
    DeviceProperty.HardwareID: _own_ids,
    DeviceProperty.CompatibleIDs: lambda node: compatible_ids(node.port.function),
    DeviceProperty.ClassName: _installed("class_name"),
    DeviceProperty.ClassGuid: _class_guid,
    DeviceProperty.DriverKeyName: _driver_key,
    DeviceProperty.Manufacturer: _installed("provider"),
    DeviceProperty.LocationInformation: _location,
    DeviceProperty.PhysicalDeviceObjectName: lambda node: f"\\Device\\NTPNP_PCI{node.manager.nodes.index(node):04d}",
    DeviceProperty.BusTypeGuid: lambda node: GUID_BUS_TYPE_PCI,
    DeviceProperty.LegacyBusType: lambda node: int(InterfaceType.PCIBus),
    DeviceProperty.BusNumber: lambda node: node.port.place[0],
    DeviceProperty.EnumeratorName: lambda node: "PCI",
    DeviceProperty.Address: lambda node: node.port.place[1] << 16,
    DeviceProperty.InstallState: lambda node: 0,  # InstallStateInstalled
    DeviceProperty.RemovalPolicy: lambda node: 1,  # RemovalPolicyExpectNoRemoval
    DeviceProperty.ResourceRequirements: lambda node: node.requirements.pack() if node.requirements is not None else None,
    DeviceProperty.AllocatedResources: _allocated,
}
_SAME = {
    2: DeviceProperty.DeviceDescription, 3: DeviceProperty.HardwareID, 4: DeviceProperty.CompatibleIDs,
    9: DeviceProperty.ClassName, 11: DeviceProperty.DriverKeyName, 13: DeviceProperty.Manufacturer,
    15: DeviceProperty.LocationInformation, 16: DeviceProperty.PhysicalDeviceObjectName, 21: DeviceProperty.BusTypeGuid,
    22: DeviceProperty.LegacyBusType, 23: DeviceProperty.BusNumber, 24: DeviceProperty.EnumeratorName,
    30: DeviceProperty.Address, 33: DeviceProperty.RemovalPolicy, 36: DeviceProperty.InstallState,
}  # fmt: skip
_KEYS: dict[DevPropKey, Callable[[DevNode], Value | None]] = {
    **{(DEVICE, pid): _PROPERTIES[which] for pid, which in _SAME.items()},
    (DEVICE, 6): _installed("service"),
    (DEVICE, 10): lambda node: UUID(guid) if isinstance(guid := _class_guid(node), str) else None,
    (NUMA, 3): lambda node: 0,  # one node
    (PCI, 3): _class_byte(24), (PCI, 4): _class_byte(16), (PCI, 5): _class_byte(8),
    (PCI, 14): _interrupt_support, (PCI, 15): _message_maximum,
}  # fmt: skip

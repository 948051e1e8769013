"""CM resource descriptors and lists: what a START IRP hands to a driver, byte for byte (wdm.h, x64, packed to 4).

The two shapes of a message-signalled interrupt share their bytes: raw tells MessageCount, translated tells Level.

Limits: one processor group (Group is 0); lists of one full descriptor, as PCI functions get them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from dirql.errors import UsageError
from dirql.pnp.constants import (
    CM_RESOURCE_INTERRUPT_LATCHED,
    CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE,
    CM_RESOURCE_INTERRUPT_MESSAGE,
    CM_RESOURCE_MEMORY_LARGE_40,
    CM_RESOURCE_MEMORY_LARGE_48,
    CM_RESOURCE_MEMORY_LARGE_64,
    CmResourceType,
    CmShareDisposition,
    InterfaceType,
)
from dirql.pnp.packing import Packed

__all__ = [
    "CM_FULL_RESOURCE_DESCRIPTOR", "CM_PARTIAL_RESOURCE_DESCRIPTOR", "CM_PARTIAL_RESOURCE_LIST", "CM_RESOURCE_LIST",
    "BusNumberResource", "CmPartialResourceDescriptor", "CmResourceList", "DevicePrivateResource", "GenericResource",
    "InterruptResource", "MemoryResource", "MessageInterruptRaw", "Resource", "large_memory", "line_descriptor",
    "memory_descriptor", "message_raw", "message_translated", "pack_partial_list", "port_descriptor",
    "private_descriptor",
]  # fmt: skip

_HEAD = (("Type", 0, "B"), ("ShareDisposition", 1, "B"), ("Flags", 2, "H"))


def _partial(member: str, *union: tuple[str, int, str]) -> Packed:
    return Packed(f"CM_PARTIAL_RESOURCE_DESCRIPTOR.u.{member}", 20, *_HEAD, *union)


# fmt: off
CM_PARTIAL_RESOURCE_DESCRIPTOR = {
    "Generic":              _partial("Generic", ("Data", 4, "16s")),
    "Port":                 _partial("Port", ("Start", 4, "Q"), ("Length", 12, "I")),
    "Memory":               _partial("Memory", ("Start", 4, "Q"), ("Length", 12, "I")),
    "Interrupt":            _partial("Interrupt",
                                     ("Level", 4, "H"), ("Group", 6, "H"), ("Vector", 8, "I"), ("Affinity", 12, "Q")),
    "MessageInterrupt.Raw": _partial("MessageInterrupt.Raw",
                                     ("Group", 4, "H"), ("MessageCount", 6, "H"), ("Vector", 8, "I"), ("Affinity", 12, "Q")),
    "DevicePrivate":        _partial("DevicePrivate", ("Data0", 4, "I"), ("Data1", 8, "I"), ("Data2", 12, "I")),
    "BusNumber":            _partial("BusNumber", ("Start", 4, "I"), ("Length", 8, "I")),
}
CM_PARTIAL_RESOURCE_LIST    = Packed("CM_PARTIAL_RESOURCE_LIST", 8, ("Version", 0, "H"), ("Revision", 2, "H"), ("Count", 4, "I"))
CM_FULL_RESOURCE_DESCRIPTOR = Packed("CM_FULL_RESOURCE_DESCRIPTOR", 8, ("InterfaceType", 0, "I"), ("BusNumber", 4, "I"))
CM_RESOURCE_LIST            = Packed("CM_RESOURCE_LIST", 4, ("Count", 0, "I"))
# fmt: on


@dataclass(frozen=True)
class InterruptResource:
    """u.Interrupt of a line (raw or translated) and u.MessageInterrupt.Translated of a message."""

    layout: ClassVar[Packed] = CM_PARTIAL_RESOURCE_DESCRIPTOR["Interrupt"]
    level: int
    vector: int
    affinity: int
    group: int = 0


@dataclass(frozen=True)
class MessageInterruptRaw:
    """u.MessageInterrupt.Raw: MSI has one for all its messages, MSI-X one for each."""

    layout: ClassVar[Packed] = CM_PARTIAL_RESOURCE_DESCRIPTOR["MessageInterrupt.Raw"]
    message_count: int
    vector: int
    affinity: int
    group: int = 0


@dataclass(frozen=True)
class MemoryResource:
    """u.Memory and u.Port; `length` is the field's value, and None where nobody could size the BAR (a dump)."""

    layout: ClassVar[Packed] = CM_PARTIAL_RESOURCE_DESCRIPTOR["Memory"]
    start: int
    length: int | None


@dataclass(frozen=True)
class DevicePrivateResource:
    """u.DevicePrivate: the bus driver's own note; drivers skip it."""

    layout: ClassVar[Packed] = CM_PARTIAL_RESOURCE_DESCRIPTOR["DevicePrivate"]
    data0: int = 0
    data1: int = 0
    data2: int = 0


@dataclass(frozen=True)
class BusNumberResource:
    """u.BusNumber: the buses behind a bridge."""

    layout: ClassVar[Packed] = CM_PARTIAL_RESOURCE_DESCRIPTOR["BusNumber"]
    start: int
    length: int


@dataclass(frozen=True)
class GenericResource:
    """The union's 16 bytes as they are, for types that PCI functions are not given."""

    layout: ClassVar[Packed] = CM_PARTIAL_RESOURCE_DESCRIPTOR["Generic"]
    data: bytes


Resource = (
    InterruptResource | MessageInterruptRaw | MemoryResource | DevicePrivateResource | BusNumberResource | GenericResource
)
_UNITS = {CM_RESOURCE_MEMORY_LARGE_40: 8, CM_RESOURCE_MEMORY_LARGE_48: 16, CM_RESOURCE_MEMORY_LARGE_64: 32}


@dataclass(frozen=True)
class CmPartialResourceDescriptor:
    """CM_PARTIAL_RESOURCE_DESCRIPTOR: one resource, in its raw or its translated form."""

    type: int
    share_disposition: int
    flags: int
    u: Resource

    @property
    def is_message(self) -> bool:
        """True for an interrupt with CM_RESOURCE_INTERRUPT_MESSAGE."""
        return self.type == CmResourceType.CmResourceTypeInterrupt and bool(self.flags & CM_RESOURCE_INTERRUPT_MESSAGE)

    @property
    def size(self) -> int | None:
        """Bytes behind a memory or port descriptor, with the unit of large memory applied; None if unknown."""
        if not isinstance(self.u, MemoryResource) or self.u.length is None:
            return None
        shift = next((s for flag, s in _UNITS.items() if self.flags & flag), 0)
        return self.u.length << (shift if self.type == CmResourceType.CmResourceTypeMemoryLarge else 0)

    @property
    def packable(self) -> bool:
        """False while a length is unknown."""
        return not (isinstance(self.u, MemoryResource) and self.u.length is None)

    def pack(self) -> bytes:
        """The exact 20 bytes."""
        if not self.packable:
            raise UsageError(f"the length behind {getattr(self.u, 'start', 0):#x} is unknown; give the BAR's size")
        head: dict[str, int | bytes] = {
            "type": self.type, "share_disposition": self.share_disposition, "flags": self.flags,
        }  # fmt: skip
        return self.u.layout.pack(head | {f.name: getattr(self.u, f.name) for f in fields(self.u)})

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0, *, raw: bool) -> CmPartialResourceDescriptor:
        """Reads 20 bytes; `raw` decides how a message's union reads, for the bytes do not tell."""
        whole = GenericResource.layout.unpack(data, offset)
        kind = _shape(whole["type"], whole["flags"], raw)
        values = kind.layout.unpack(data, offset)
        head = (values.pop("type"), values.pop("share_disposition"), values.pop("flags"))
        return cls(*head, kind(**values))


def _shape(type_: int, flags: int, raw: bool) -> Any:
    match type_:
        case CmResourceType.CmResourceTypeInterrupt:
            return MessageInterruptRaw if raw and flags & CM_RESOURCE_INTERRUPT_MESSAGE else InterruptResource
        case (
            CmResourceType.CmResourceTypeMemory
            | CmResourceType.CmResourceTypePort
            | CmResourceType.CmResourceTypeMemoryLarge
        ):
            return MemoryResource
        case CmResourceType.CmResourceTypeDevicePrivate:
            return DevicePrivateResource
        case CmResourceType.CmResourceTypeBusNumber:
            return BusNumberResource
        case _:
            return GenericResource


@dataclass(frozen=True)
class CmResourceList:
    """CM_RESOURCE_LIST with one CM_FULL_RESOURCE_DESCRIPTOR: a function's resources, all raw or all translated."""

    descriptors: tuple[CmPartialResourceDescriptor, ...]
    bus_number: int = 0
    interface_type: int = InterfaceType.PCIBus

    def pack(self) -> bytes:
        """Count, InterfaceType, BusNumber, Version 1, Revision 1, Count, then 20 bytes for each."""
        return (
            CM_RESOURCE_LIST.pack({"count": 1})
            + CM_FULL_RESOURCE_DESCRIPTOR.pack({"interface_type": self.interface_type, "bus_number": self.bus_number})
            + pack_partial_list(self.descriptors)
        )

    @classmethod
    def unpack(cls, data: bytes, *, raw: bool) -> CmResourceList:
        """Reads a list of exactly one full descriptor."""
        count = CM_RESOURCE_LIST.unpack(data)["count"]
        if count != 1:
            raise UsageError(f"CM_RESOURCE_LIST.Count is {count:#x}; a PCI function has 1 full descriptor")
        full = CM_FULL_RESOURCE_DESCRIPTOR.unpack(data, CM_RESOURCE_LIST.size)
        start = CM_RESOURCE_LIST.size + CM_FULL_RESOURCE_DESCRIPTOR.size
        length = CM_PARTIAL_RESOURCE_LIST.unpack(data, start)["count"]
        start += CM_PARTIAL_RESOURCE_LIST.size
        stride = GenericResource.layout.size
        if length * stride > len(data) - start:
            raise UsageError(f"CM_PARTIAL_RESOURCE_LIST.Count is {length:#x}; {len(data) - start:#x} bytes are left")
        read = (CmPartialResourceDescriptor.unpack(data, start + i * stride, raw=raw) for i in range(length))
        return cls(tuple(read), full["bus_number"], full["interface_type"])


def pack_partial_list(descriptors: Iterable[CmPartialResourceDescriptor]) -> bytes:
    """CM_PARTIAL_RESOURCE_LIST: its header and its descriptors."""
    parts = [descriptor.pack() for descriptor in descriptors]
    return CM_PARTIAL_RESOURCE_LIST.pack({"version": 1, "revision": 1, "count": len(parts)}) + b"".join(parts)


def large_memory(length: int) -> tuple[int, int, int]:
    """(type, flags, Length) for a memory range: plain below 4 GiB, else CmResourceTypeMemoryLarge in the finest unit that fits.

    Model choice: the flag values of large memory are not in the sources at hand.
    """
    if length < 1 << 32:
        return CmResourceType.CmResourceTypeMemory, 0, length
    for flag, shift in _UNITS.items():
        if length >> shift < 1 << 32 and not length & ((1 << shift) - 1):
            return CmResourceType.CmResourceTypeMemoryLarge, flag, length >> shift
    raise UsageError(f"a memory range of {length:#x} bytes fits no unit of CmResourceTypeMemoryLarge; use a power of two")


def memory_descriptor(start: int, length: int | None, flags: int = 0) -> CmPartialResourceDescriptor:
    """A memory BAR, exclusive to its device."""
    type_, large, value = large_memory(length or 0)
    u = MemoryResource(start, None if length is None else value)
    return CmPartialResourceDescriptor(type_, CmShareDisposition.CmResourceShareDeviceExclusive, flags | large, u)


def port_descriptor(start: int, length: int | None, flags: int) -> CmPartialResourceDescriptor:
    """An I/O BAR, exclusive to its device."""
    u = MemoryResource(start, length)
    exclusive = CmShareDisposition.CmResourceShareDeviceExclusive
    return CmPartialResourceDescriptor(CmResourceType.CmResourceTypePort, exclusive, flags, u)


def private_descriptor(data: DevicePrivateResource) -> CmPartialResourceDescriptor:
    """The descriptor that stands between two BARs."""
    exclusive = CmShareDisposition.CmResourceShareDeviceExclusive
    return CmPartialResourceDescriptor(CmResourceType.CmResourceTypeDevicePrivate, exclusive, 0, data)


def line_descriptor(level: int, vector: int, affinity: int) -> CmPartialResourceDescriptor:
    """INTx: level sensitive and shared. Raw: the GSI twice; translated: IRQL and vector."""
    return CmPartialResourceDescriptor(
        CmResourceType.CmResourceTypeInterrupt, CmShareDisposition.CmResourceShareShared,
        CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE, InterruptResource(level, vector, affinity),
    )  # fmt: skip


_MESSAGE = CM_RESOURCE_INTERRUPT_LATCHED | CM_RESOURCE_INTERRUPT_MESSAGE


def message_raw(count: int, vector: int, affinity: int, share: int) -> CmPartialResourceDescriptor:
    """`count` messages, raw."""
    u = MessageInterruptRaw(count, vector, affinity)
    return CmPartialResourceDescriptor(CmResourceType.CmResourceTypeInterrupt, share, _MESSAGE, u)


def message_translated(level: int, vector: int, affinity: int, share: int) -> CmPartialResourceDescriptor:
    """The same messages, translated: IRQL and (first) vector."""
    u = InterruptResource(level, vector, affinity)
    return CmPartialResourceDescriptor(CmResourceType.CmResourceTypeInterrupt, share, _MESSAGE, u)

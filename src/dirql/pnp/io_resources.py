"""IO resource descriptors and requirement lists: what a function may be given, byte for byte (wdm.h, x64).

Inside a list an ALTERNATIVE descriptor can replace the preferred one before it; lists are alternatives of each other. An
ALTERNATIVE line descriptor after message descriptors stands in for all of them.

Limits: built with NT_PROCESSOR_GROUPS (AffinityPolicy has two bytes); Group is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from dirql.errors import UsageError
from dirql.pnp.constants import (
    CM_RESOURCE_INTERRUPT_MESSAGE,
    CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN,
    IO_RESOURCE_ALTERNATIVE,
    CmResourceType,
    InterfaceType,
)
from dirql.pnp.packing import Packed

__all__ = [
    "IO_RESOURCE_DESCRIPTOR", "IO_RESOURCE_LIST", "IO_RESOURCE_REQUIREMENTS_LIST", "IoDevicePrivate", "IoGeneric",
    "IoInterrupt", "IoMemory", "IoResourceDescriptor", "IoResourceList", "IoResourceRequirementsList",
]  # fmt: skip

_HEAD = (("Option", 0, "B"), ("Type", 1, "B"), ("ShareDisposition", 2, "B"), ("Flags", 4, "H"))


def _descriptor(member: str, *union: tuple[str, int, str]) -> Packed:
    return Packed(f"IO_RESOURCE_DESCRIPTOR.u.{member}", 32, *_HEAD, *union)


# fmt: off
IO_RESOURCE_DESCRIPTOR = {
    "Generic":       _descriptor("Generic", ("Data", 8, "24s")),
    "Memory":        _descriptor("Memory", ("Length", 8, "I"), ("Alignment", 12, "I"),
                                 ("MinimumAddress", 16, "Q"), ("MaximumAddress", 24, "Q")),
    "Interrupt":     _descriptor("Interrupt", ("MinimumVector", 8, "I"), ("MaximumVector", 12, "I"), ("AffinityPolicy", 16, "H"),
                                 ("Group", 18, "H"), ("PriorityPolicy", 20, "I"), ("TargetedProcessors", 24, "Q")),
    "DevicePrivate": _descriptor("DevicePrivate", ("Data0", 8, "I"), ("Data1", 12, "I"), ("Data2", 16, "I")),
}
IO_RESOURCE_LIST              = Packed("IO_RESOURCE_LIST", 8, ("Version", 0, "H"), ("Revision", 2, "H"), ("Count", 4, "I"))
IO_RESOURCE_REQUIREMENTS_LIST = Packed("IO_RESOURCE_REQUIREMENTS_LIST", 32,
                                       ("ListSize", 0, "I"), ("InterfaceType", 4, "I"), ("BusNumber", 8, "I"),
                                       ("SlotNumber", 12, "I"), ("AlternativeLists", 28, "I"))
# fmt: on


@dataclass(frozen=True)
class IoMemory:
    """u.Memory and u.Port: a range to be found. `bar` and `firmware` are what pci.sys knows besides the 32 bytes: the BAR's
    index and the address that the firmware left in it. Large memory (4 GiB and more) has its Length and Alignment in units."""

    layout: ClassVar[Packed] = IO_RESOURCE_DESCRIPTOR["Memory"]
    length: int | None
    alignment: int
    minimum_address: int
    maximum_address: int
    bar: int | None = field(default=None, compare=False)
    firmware: int | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class IoInterrupt:
    """u.Interrupt: a line, or messages where both vectors count down from the message token."""

    layout: ClassVar[Packed] = IO_RESOURCE_DESCRIPTOR["Interrupt"]
    minimum_vector: int
    maximum_vector: int
    affinity_policy: int = 0
    group: int = 0
    priority_policy: int = 0
    targeted_processors: int = 0
    pin: int = field(default=0, compare=False)  # a line's Interrupt Pin, which pci.sys reads from the function

    @property
    def messages(self) -> int:
        """Messages that a message descriptor asks for: Max - Min + 1 (MSI), 1 (MSI-X)."""
        return self.maximum_vector - self.minimum_vector + 1


@dataclass(frozen=True)
class IoDevicePrivate:
    """u.DevicePrivate: the bus driver's own note."""

    layout: ClassVar[Packed] = IO_RESOURCE_DESCRIPTOR["DevicePrivate"]
    data0: int = 0
    data1: int = 0
    data2: int = 0


@dataclass(frozen=True)
class IoGeneric:
    """The union's 24 bytes as they are."""

    layout: ClassVar[Packed] = IO_RESOURCE_DESCRIPTOR["Generic"]
    data: bytes


@dataclass(frozen=True)
class IoResourceDescriptor:
    """IO_RESOURCE_DESCRIPTOR: one wish."""

    type: int
    u: IoMemory | IoInterrupt | IoDevicePrivate | IoGeneric
    option: int = 0
    share_disposition: int = 0
    flags: int = 0

    @property
    def is_alternative(self) -> bool:
        """True when it can replace the preferred descriptor before it."""
        return bool(self.option & IO_RESOURCE_ALTERNATIVE)

    @property
    def interrupt(self) -> IoInterrupt | None:
        """The union of an interrupt descriptor, None for any other type."""
        return self.u if isinstance(self.u, IoInterrupt) else None

    @property
    def is_message(self) -> bool:
        """True for an interrupt with CM_RESOURCE_INTERRUPT_MESSAGE."""
        return self.interrupt is not None and bool(self.flags & CM_RESOURCE_INTERRUPT_MESSAGE)

    @property
    def is_line(self) -> bool:
        """True for an interrupt without CM_RESOURCE_INTERRUPT_MESSAGE."""
        return self.interrupt is not None and not self.flags & CM_RESOURCE_INTERRUPT_MESSAGE

    @property
    def messages(self) -> int:
        """Messages asked for by this descriptor, 0 for any other type."""
        return self.u.messages if isinstance(self.u, IoInterrupt) and self.is_message else 0

    def with_vectors(self, messages: int) -> IoResourceDescriptor:
        """The same message descriptor, asking for `messages`: Max stays the token, Min counts down from it."""
        if not isinstance(self.u, IoInterrupt) or not self.is_message:
            raise UsageError(f"a descriptor of type {self.type:#x} asks for no messages; pick one with the MESSAGE flag")
        token = CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN
        return replace(self, u=replace(self.u, minimum_vector=token - messages + 1, maximum_vector=token))

    def pack(self) -> bytes:
        """The exact 32 bytes."""
        if isinstance(self.u, IoMemory) and self.u.length is None:
            raise UsageError(f"BAR {self.u.bar}: its length is unknown; give the BAR's size")
        head: dict[str, int | bytes] = {
            "option": self.option, "type": self.type, "share_disposition": self.share_disposition, "flags": self.flags,
        }  # fmt: skip
        return self.u.layout.pack(head | {n: getattr(self.u, n) for n in self.u.layout.names if n not in head})

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> IoResourceDescriptor:
        """Reads 32 bytes."""
        kinds: dict[int, type[IoMemory | IoInterrupt | IoDevicePrivate]] = {
            CmResourceType.CmResourceTypeInterrupt: IoInterrupt, CmResourceType.CmResourceTypeMemory: IoMemory,
            CmResourceType.CmResourceTypePort: IoMemory, CmResourceType.CmResourceTypeMemoryLarge: IoMemory,
            CmResourceType.CmResourceTypeDevicePrivate: IoDevicePrivate,
        }  # fmt: skip
        whole = IoGeneric.layout.unpack(data, offset)
        kind: Any = kinds.get(whole["type"], IoGeneric)
        values = kind.layout.unpack(data, offset)
        option, type_, share_disposition, flags = (values.pop(n) for n in ("option", "type", "share_disposition", "flags"))
        return cls(option=option, type=type_, share_disposition=share_disposition, flags=flags, u=kind(**values))


@dataclass(frozen=True)
class IoResourceList:
    """IO_RESOURCE_LIST: one complete set of wishes."""

    descriptors: tuple[IoResourceDescriptor, ...]

    @property
    def messages(self) -> int:
        """Messages asked for by the descriptors that are not alternatives."""
        return sum(d.messages for d in self.descriptors if not d.is_alternative)

    def pack(self) -> bytes:
        """Version 1, Revision 1, Count, then 32 bytes for each."""
        head = IO_RESOURCE_LIST.pack({"version": 1, "revision": 1, "count": len(self.descriptors)})
        return head + b"".join(descriptor.pack() for descriptor in self.descriptors)


def _tagged(one: IoResourceList, lists: tuple[IoResourceList, ...]) -> IoResourceList:
    known = [d.u for d in lists[0].descriptors if isinstance(d.u, IoMemory)] if lists else []
    lines = [d.u for other in lists for d in other.descriptors if isinstance(d.u, IoInterrupt) and d.is_line]
    out: list[IoResourceDescriptor] = []
    for descriptor in one.descriptors:
        u = descriptor.u
        if isinstance(u, IoMemory) and u in known:
            descriptor = replace(descriptor, u=known.pop(known.index(u)))
        elif isinstance(u, IoInterrupt) and descriptor.is_line and lines:
            descriptor = replace(descriptor, u=replace(u, pin=lines[0].pin))
        out.append(descriptor)
    return IoResourceList(tuple(out))


@dataclass(frozen=True)
class IoResourceRequirementsList:
    """IO_RESOURCE_REQUIREMENTS_LIST: alternative lists, the most wanted first. `msi` tells, besides the bytes, that the
    messages are MSI's: a list that asks for one message does not show it."""

    lists: tuple[IoResourceList, ...]
    bus_number: int = 0
    slot_number: int = 0
    interface_type: int = InterfaceType.PCIBus
    msi: bool = field(default=False, compare=False)

    @property
    def messages(self) -> int:
        """Messages that the most wanted list asks for."""
        return self.lists[0].messages if self.lists else 0

    def tagged_like(self, other: IoResourceRequirementsList) -> IoResourceRequirementsList:
        """The same with what pci.sys knows of `other` besides the bytes: for lists that were edited as bytes. The n-th
        of equal descriptors takes the tags of the n-th."""
        return replace(self, msi=other.msi, lists=tuple(_tagged(one, other.lists) for one in self.lists))

    def pack(self) -> bytes:
        """The header and the lists, back to back."""
        body = b"".join(one.pack() for one in self.lists)
        size = IO_RESOURCE_REQUIREMENTS_LIST.size + len(body)
        values: dict[str, int | bytes] = {
            "list_size": size, "interface_type": self.interface_type, "bus_number": self.bus_number,
            "slot_number": self.slot_number, "alternative_lists": len(self.lists),
        }  # fmt: skip
        return IO_RESOURCE_REQUIREMENTS_LIST.pack(values) + body

    @classmethod
    def unpack(cls, data: bytes) -> IoResourceRequirementsList:
        """Reads a whole list; every count is held against ListSize and the bytes at hand."""
        head = IO_RESOURCE_REQUIREMENTS_LIST.unpack(data)
        if head["list_size"] > len(data):
            raise UsageError(f"IO_RESOURCE_REQUIREMENTS_LIST.ListSize is {head['list_size']:#x}; {len(data):#x} bytes are given")
        data, at, lists = data[: head["list_size"]], IO_RESOURCE_REQUIREMENTS_LIST.size, []
        for _ in range(head["alternative_lists"]):
            count = IO_RESOURCE_LIST.unpack(data, at)["count"]
            at += IO_RESOURCE_LIST.size
            if count * IoGeneric.layout.size > len(data) - at:
                raise UsageError(f"IO_RESOURCE_LIST.Count is {count:#x}; {len(data) - at:#x} bytes are left of ListSize")
            stride = IoGeneric.layout.size
            lists.append(IoResourceList(tuple(IoResourceDescriptor.unpack(data, at + i * stride) for i in range(count))))
            at += count * stride
        return cls(tuple(lists), head["bus_number"], head["slot_number"], head["interface_type"])

"""What pci.sys asks for on behalf of a function: its IO_RESOURCE_REQUIREMENTS_LIST (windows-driver-docs, "Using Interrupt
Resource Descriptors"; PCIe 6.0 §7.5.1.2.1 for sizing).

Model choice: two alternative lists, one with all messages and one with a single message, and in each the line as an
ALTERNATIVE that stands in for its messages; the arbiter takes it only when no list's messages can be had. So what is
granted is all, else one, else the line. The contents of DevicePrivate descriptors and the flags of BARs are model choices too.

Limits: no expansion ROM, no bridge windows, no resizable BARs; an I/O BAR is at most 256 bytes only if the card obeys PCI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dirql.pci.function import Function
from dirql.pci.header import Command, HeaderType, IoBar, MemoryBar, Type0Header
from dirql.pci.spec import BAR_COUNT, BAR_OFFSET
from dirql.pnp import config
from dirql.pnp.constants import (
    CM_RESOURCE_INTERRUPT_LATCHED,
    CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE,
    CM_RESOURCE_INTERRUPT_MESSAGE,
    CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN,
    CM_RESOURCE_INTERRUPT_POLICY_INCLUDED,
    CM_RESOURCE_MEMORY_PREFETCHABLE,
    CM_RESOURCE_MEMORY_READ_WRITE,
    CM_RESOURCE_PORT_16_BIT_DECODE,
    CM_RESOURCE_PORT_IO,
    CM_RESOURCE_PORT_POSITIVE_DECODE,
    IO_RESOURCE_ALTERNATIVE,
    MSI_LIMIT,
    MSIX_LIMIT,
    CmResourceType,
    CmShareDisposition,
)
from dirql.pnp.interrupt_management import InterruptManagement
from dirql.pnp.io_resources import (
    IoDevicePrivate,
    IoInterrupt,
    IoMemory,
    IoResourceDescriptor,
    IoResourceList,
    IoResourceRequirementsList,
)
from dirql.pnp.resources import large_memory

__all__ = ["BarInfo", "discover_bars", "private_of", "query_resource_requirements", "requirement_notes", "unasked_note"]

GSI_FIRST, GSI_LAST = 16, 23  # the I/O APIC pins that PCI lines lead to


@dataclass(frozen=True)
class BarInfo:
    """A BAR as software finds it. `base` is what the firmware left in it; `size` is None where nothing tells (a dump)."""

    index: int
    kind: str
    base: int
    size: int | None
    prefetchable: bool = False


def discover_bars(function: Function, sizes: Mapping[int, int | None] | None = None) -> tuple[BarInfo, ...]:
    """The function's BARs. Each is sized by writing ones, with decoding off and everything put back after. `sizes` wins over
    that, None there stands for unknown; a register that does not take the ones keeps what `Function.bar_size` says."""
    sizes = sizes or {}
    bridge = config.read(function, HeaderType, Type0Header.header_type.offset).layout == 1
    count = 2 if bridge else BAR_COUNT
    command = config.read(function, Command, Type0Header.command.offset)
    quiet = config.read(function, Command, Type0Header.command.offset)
    quiet.io_space = quiet.memory_space = 0
    config.write(function, quiet, Type0Header.command.offset)
    found, index = [], 0
    while index < count:
        at = BAR_OFFSET + 4 * index
        view = config.read(function, MemoryBar, at)
        wide = not view.io and view.locatable == 2 and index + 1 < count
        info = _bar(function, index, wide, sizes)
        if info is not None:
            found.append(info)
        index += 2 if wide else 1
    config.write(function, command, Type0Header.command.offset)
    return tuple(found)


def _bar(function: Function, index: int, wide: bool, sizes: Mapping[int, int | None]) -> BarInfo | None:
    registers = [BAR_OFFSET + 4 * (index + i) for i in range(2 if wide else 1)]
    before = [function.config_read(at, 4) for at in registers]
    for at in registers:
        function.config_write(at, 4, 0xFFFF_FFFF)
    after = [function.config_read(at, 4) for at in registers]
    for at, value in zip(registers, before, strict=True):
        function.config_write(at, 4, value)
    io = bool(before[0] & IoBar.fields["io"].mask)
    flags = 0b11 if io else 0b1111
    width = 32 * len(registers)
    base, ones = (sum(value << 32 * i for i, value in enumerate(each)) & ~flags for each in (before, after))
    if io and not ones >> 16:
        ones |= 0xFFFF_0000  # PCI lets an I/O BAR leave its upper half 0
    size: int | None = (~ones & ((1 << width) - 1)) + 1
    inert = after == before or not ones or size is None or size & (size - 1) != 0
    behind = function.bar_size(index)
    if inert or not behind:
        size = behind or None  # registers of a dump take no writes, or take them all
    if index in sizes:
        size = sizes[index]
    elif size is None and not before[0]:
        return None
    kind = "io" if io else "memory64" if wide else "memory32"
    prefetchable = not io and bool(before[0] & MemoryBar.fields["prefetchable"].mask)
    return BarInfo(index, kind, base, size, prefetchable)


def private_of(bar: int) -> IoDevicePrivate:
    """What stands after BAR `bar` when another BAR follows (model choice: 1, the BAR's index, 0)."""
    return IoDevicePrivate(1, bar, 0)


def query_resource_requirements(
    function: Function,
    management: InterruptManagement | None = None,
    sizes: Mapping[int, int | None] | None = None,
    *,
    bus: int = 0,
    device: int = 0,
) -> IoResourceRequirementsList:
    """IRP_MN_QUERY_RESOURCE_REQUIREMENTS: the alternatives for `function`; without `management` no INF opted in to messages."""
    management = management or InterruptManagement()
    bars = _bar_descriptors(discover_bars(function, sizes))
    line = _line(function, management)
    messages = _messages(function, management)
    stand_in = [replace(one, option=IO_RESOURCE_ALTERNATIVE) for one in line]
    if not messages:
        choices = [line]
    elif sum(m.messages for m in messages) == 1:
        choices = [messages + stand_in]
    else:
        choices = [messages + stand_in, [messages[0].with_vectors(1), *stand_in]]
    lists = tuple(IoResourceList((*bars, *one)) for one in choices)
    msi = bool(messages) and config.msix(function) is None
    return IoResourceRequirementsList(lists, bus_number=bus, slot_number=device, msi=msi)


def requirement_notes(function: Function, management: InterruptManagement) -> tuple[str, ...]:
    """What the INF says about messages that this function makes void, one sentence each."""
    notes = list(management.notes)
    limit, table, msi = management.message_number_limit, config.msix(function), config.msi(function)
    if management.msi_supported and table is None and msi is None:
        notes.append("MSISupported is 1, and the function has neither MSI nor MSI-X; it gets a line")
    if table is None and msi is not None and limit is not None and _power_of_two(limit, MSI_LIMIT) != limit:
        rounded = _power_of_two(limit, MSI_LIMIT)
        notes.append(f"MessageNumberLimit is {limit:#x}; for MSI it must be 1, 2, 4, 8 or 16, and {rounded} is taken")
    return tuple(notes)


def unasked_note(function: Function, management: InterruptManagement) -> tuple[str, ...]:
    """One sentence where the function has messages and no INF opted in to them."""
    table, msi = config.msix(function), config.msi(function)
    if management.msi_supported or (table is None and msi is None):
        return ()
    many, kind = (table.entries, "MSI-X") if table is not None else (msi.capable if msi is not None else 0, "MSI")
    whole = f"the {many} {kind} message{'s' if many > 1 else ''} of this function"
    return (f"no INF sets MSISupported to 1, so Windows does not ask for {whole}; dirql resources shows what to write",)


def _power_of_two(count: int, most: int) -> int:
    """The largest power of two that is neither above `count` nor above `most`."""
    return 1 << min(count, most).bit_length() - 1


def _bar_descriptors(bars: tuple[BarInfo, ...]) -> list[IoResourceDescriptor]:
    out: list[IoResourceDescriptor] = []
    exclusive = CmShareDisposition.CmResourceShareDeviceExclusive
    for bar in bars:
        if out:
            previous = next(d.u.bar for d in reversed(out) if isinstance(d.u, IoMemory))
            private = private_of(previous if previous is not None else 0)
            out.append(IoResourceDescriptor(CmResourceType.CmResourceTypeDevicePrivate, private, 0, exclusive, 0))
        if bar.kind == "io":
            kind, most = CmResourceType.CmResourceTypePort, 0xFFFF
            flags = CM_RESOURCE_PORT_IO | CM_RESOURCE_PORT_16_BIT_DECODE | CM_RESOURCE_PORT_POSITIVE_DECODE
            large, length = 0, bar.size or 0
        else:
            type_, large, length = large_memory(bar.size or 0)
            kind, most = CmResourceType(type_), (1 << 64) - 1 if bar.kind == "memory64" else 0xFFFF_FFFF
            flags = CM_RESOURCE_MEMORY_PREFETCHABLE if bar.prefetchable else CM_RESOURCE_MEMORY_READ_WRITE
        known = None if bar.size is None else length
        u = IoMemory(known, length or 1, 0, most, bar=bar.index, firmware=bar.base or None, size=bar.size)
        out.append(IoResourceDescriptor(kind, u, 0, exclusive, flags | large))
    return out


def _interrupt(
    management: InterruptManagement, least: int, most: int, flags: int, share: int, pin: int = 0
) -> IoResourceDescriptor:
    included = CM_RESOURCE_INTERRUPT_POLICY_INCLUDED if management.policy_included else 0
    u = IoInterrupt(least, most, management.device_policy, 0, management.device_priority,
                    management.assignment_set_override or 0, pin)  # fmt: skip
    return IoResourceDescriptor(CmResourceType.CmResourceTypeInterrupt, u, 0, share, flags | included)


def _line(function: Function, management: InterruptManagement) -> list[IoResourceDescriptor]:
    pin = function.config_read(Type0Header.interrupt_pin.offset, 1)
    if not 1 <= pin <= 4:
        return []
    shared, flags = CmShareDisposition.CmResourceShareShared, CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE
    return [_interrupt(management, GSI_FIRST, GSI_LAST, flags, shared, pin)]


def _messages(function: Function, management: InterruptManagement) -> list[IoResourceDescriptor]:
    if not management.msi_supported:
        return []
    limit = management.message_number_limit
    token, flags = CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN, CM_RESOURCE_INTERRUPT_LATCHED | CM_RESOURCE_INTERRUPT_MESSAGE
    exclusive = CmShareDisposition.CmResourceShareDeviceExclusive  # model choice
    one = _interrupt(management, token, token, flags, exclusive)
    table = config.msix(function)
    if table is not None:
        return [one] * min(table.entries, limit or MSIX_LIMIT, MSIX_LIMIT)
    msi = config.msi(function)
    if msi is not None:
        return [one.with_vectors(_power_of_two(min(msi.capable, limit or MSI_LIMIT), MSI_LIMIT))]
    return []

"""What a dump's configuration space says, as values: header, BARs, capabilities (PCIe 6.0 §7.5 to §7.9).

`decode` refuses a list or a table that contradicts itself, naming the line or offset where it does. Fields have the names of the
registers in `header` and `capabilities`; `to_json` gives the same as plain dictionaries.

Limits: slot and root registers of ports, bridge windows and CardBus bridges are not decoded; of an extended capability only its
id, version and place, and of a few their main fields. As lspci does, extended capabilities are looked for in PCI Express
functions only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dirql.layout import Register
from dirql.pci import capabilities as caps
from dirql.pci import spec
from dirql.pci.bar import BarKind
from dirql.pci.capabilities import MsixCapability
from dirql.pci.config import BrokenChain, Link, walk, walk_extended
from dirql.pci.dumps import BarRegister, Dump, bar_registers
from dirql.pci.header import Command, Status
from dirql.pci.spec import CapabilityId, ExtendedCapabilityId, PowerState, capability_name

__all__ = [
    "BarView", "CapabilityView", "ExpressView", "ExtendedView", "FunctionView", "Location", "MsiView", "MsixView",
    "OpaqueView", "PowerManagementView", "decode", "msix_spans", "to_json",
]  # fmt: skip

EXPRESS_TYPES = {
    0: "Endpoint", 1: "Legacy Endpoint", 4: "Root Port", 5: "Upstream Port", 6: "Downstream Port",
    7: "PCI-Express to PCI/PCI-X Bridge", 8: "PCI/PCI-X to PCI-Express Bridge", 9: "Root Complex Integrated Endpoint",
    10: "Root Complex Event Collector",
}  # fmt: skip
CARDBUS = 2  # the header type of a CardBus bridge
LINK_SPEEDS = {1: 2.5, 2: 5.0, 3: 8.0, 4: 16.0, 5: 32.0, 6: 64.0}  # GT/s


@dataclass(frozen=True)
class BarView:
    """A BAR; `size` is None where nobody told it."""

    index: int
    kind: BarKind
    base: int
    size: int | None
    prefetchable: bool


@dataclass(frozen=True)
class Location:
    """A place in a BAR."""

    bar: int
    offset: int


@dataclass(frozen=True)
class CapabilityView:
    """What all capabilities have."""

    id: int
    name: str
    offset: int


@dataclass(frozen=True)
class MsiView(CapabilityView):
    """MSI; `address` and `data` as programmed, `mask` and `pending` None where the function has no such registers."""

    messages: int
    messages_enabled: int
    enabled: bool
    address64: bool
    per_vector_mask: bool
    extended_data: bool
    address: int
    data: int
    mask: int | None
    pending: int | None


@dataclass(frozen=True)
class MsixView(CapabilityView):
    """MSI-X: the structure in configuration space; table and PBA lie in a BAR, which no dump holds."""

    vectors: int
    table: Location
    pba: Location
    enabled: bool
    function_mask: bool


@dataclass(frozen=True)
class PowerManagementView(CapabilityView):
    """Power management."""

    version: int
    state: str
    no_soft_reset: bool
    d1: bool
    d2: bool
    pme_from: tuple[str, ...]
    pme_enabled: bool
    pme_status: bool


@dataclass(frozen=True)
class ExpressView(CapabilityView):
    """PCI Express; speeds in GT/s, None where the code is reserved; payload and read request in bytes."""

    version: int
    type: str
    interrupt_message: int
    flr: bool
    max_payload_supported: int
    max_payload: int
    max_read_request: int
    max_link_speed: float | None
    max_link_width: int
    link_speed: float | None
    link_width: int


@dataclass(frozen=True)
class OpaqueView(CapabilityView):
    """Any other capability, with the bytes it holds: vendor specific ones by their own length, others up to what follows."""

    bytes: str


@dataclass(frozen=True)
class ExtendedView(CapabilityView):
    """An extended capability."""

    version: int
    fields: Mapping[str, int | str]


@dataclass(frozen=True)
class FunctionView:
    """One function. `capabilities_held` is False where the list lies past the bytes of a 64-byte dump."""

    address: str
    vendor: int
    device: int
    revision: int
    class_code: int
    header_type: int
    subsystem_vendor: int | None
    subsystem: int | None
    command: Mapping[str, bool | int]
    status: Mapping[str, bool | int]
    interrupt_pin: int
    interrupt_line: int
    bars: tuple[BarView, ...]
    capabilities: tuple[CapabilityView, ...]
    capabilities_held: bool
    extended_capabilities: tuple[ExtendedView, ...]


def decode(dump: Dump) -> FunctionView:
    """Everything at once, or an InputError that says where the dump contradicts itself."""
    layout = dump.config[0x0E] & 0x7F
    if dump.word(0, 2) == 0xFFFF:
        raise dump.error(0, "vendor id 0xffff: no function answered", "take the dump again with the device awake")
    if layout > 2:
        raise dump.error(0x0E, f"header type {layout:#x} is none of 0, 1 and 2", "take the dump again")
    bars = _bars(dump)
    held = len(dump.config) > spec.HEADER_SIZE or not dump.word(0x06, 2) & Status.fields["capabilities_list"].mask
    chain = _links(dump, walk) if held and layout != CARDBUS else []
    ends = sorted({*(link.offset for link in chain), spec.CONVENTIONAL_SIZE})
    views = tuple(_capability(dump, link, next(e for e in ends if e > link.offset)) for link in chain)
    for view in views:
        if isinstance(view, MsixView):
            _check_tables(dump, view, bars)
    express = any(view.id == CapabilityId.PCI_EXPRESS for view in views)
    return FunctionView(
        address=dump.address,
        vendor=dump.word(0x00, 2),
        device=dump.word(0x02, 2),
        revision=dump.word(0x08, 1),
        class_code=dump.word(0x09, 3),
        header_type=layout,
        subsystem_vendor=dump.word(0x2C, 2) if layout == 0 else None,
        subsystem=dump.word(0x2E, 2) if layout == 0 else None,
        command=_fields(Command, dump, 0x04),
        status=_fields(Status, dump, 0x06),
        interrupt_pin=dump.word(0x3D, 1),
        interrupt_line=dump.word(0x3C, 1),
        bars=bars,
        capabilities=views,
        capabilities_held=held,
        extended_capabilities=tuple(_extended(dump, link) for link in _links(dump, walk_extended)) if express else (),
    )


def to_json(view: FunctionView) -> dict[str, Any]:
    """Keys as docs/json.md lists them; numbers stay numbers, ids that people read as hex are hex strings."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(view).items()}
    for key in ("vendor", "device", "class_code", "subsystem_vendor", "subsystem"):
        del plain[key]
    subsystem = None if view.subsystem is None else f"{view.subsystem_vendor:04x}:{view.subsystem:04x}"
    head = {"function": f"{view.vendor:04x}:{view.device:04x}", "class": f"{view.class_code:06x}", "subsystem": subsystem}
    return {**head, **plain}


def _links(dump: Dump, walker: Callable[[bytes], Iterator[Link]]) -> list[Link]:
    try:
        return list(walker(dump.config))
    except BrokenChain as broken:
        pointer = f"capability pointer {broken.value:#x} at offset {broken.offset:#x}"
        raise dump.error(broken.offset, f"{pointer}: {broken.problem}", broken.remedy) from None


def _bars(dump: Dump) -> tuple[BarView, ...]:
    registers = {bar.index: bar for bar in bar_registers(dump.config)}
    for index in dump.bar_sizes:  # a register of zeros whose size is known: a memory BAR that nobody gave an address
        at = spec.BAR_OFFSET + 4 * index
        if index - 1 in registers and registers[index - 1].kind == "memory64":
            raise dump.error(at, f"BAR {index} has a size, but it is the upper half of 64-bit BAR {index - 1}",
                             f"give the size to BAR {index - 1}")  # fmt: skip
        registers.setdefault(index, BarRegister(index, "memory32", 0, False))
    for bar in registers.values():
        size = dump.bar_sizes.get(bar.index)
        if size and bar.base & (size - 1):
            at = spec.BAR_OFFSET + 4 * bar.index
            raise dump.error(at, f"BAR {bar.index} at {bar.base:#x} is not aligned to its size {size:#x}",
                             "give the size that the function was dumped with")  # fmt: skip
    ordered = (registers[index] for index in sorted(registers))
    return tuple(BarView(b.index, b.kind, b.base, dump.bar_sizes.get(b.index), b.prefetchable) for b in ordered)


def _fields(register: type[Register], dump: Dump, offset: int) -> dict[str, bool | int]:
    view = register(bytearray(dump.config), offset)
    values = {name: int(getattr(view, name)) for name in register.fields}
    return {name: bool(value) if register.fields[name].ones == 1 else value for name, value in values.items()}


def _capability(dump: Dump, link: Link, end: int) -> CapabilityView:
    reader = _READERS.get(link.id)
    if reader is not None:
        return reader(dump, link)
    if link.id == CapabilityId.VENDOR_SPECIFIC:
        length = dump.word(link.offset + 2, 1)
        if length < 3 or link.offset + length > spec.CONVENTIONAL_SIZE:
            raise dump.error(link.offset + 2, f"length {length:#x} of the vendor specific capability at {link.offset:#x} does "
                             f"not fit: 3 to {spec.CONVENTIONAL_SIZE - link.offset:#x} bytes", "take the dump again")  # fmt: skip
        end = link.offset + length
    return OpaqueView(link.id, capability_name(link.id), link.offset, dump.config[link.offset : end].hex())


def _whole(dump: Dump, link: Link, size: int) -> None:
    if link.offset + size > spec.CONVENTIONAL_SIZE:
        raise dump.error(link.offset, f"{capability_name(link.id)} capability at {link.offset:#x} is {size:#x} bytes long "
                         f"and runs past {spec.CONVENTIONAL_SIZE:#x}", "take the dump again")  # fmt: skip


def _msi(dump: Dump, link: Link) -> MsiView:
    at, buffer = link.offset, bytearray(dump.config)
    control = caps.MsiControl(buffer, at + 2)
    wide, masks = bool(control.address64), bool(control.per_vector_mask)
    data_at = at + (12 if wide else 8)
    _whole(dump, link, data_at - at + (12 if masks else 2))
    if control.multiple_message_capable > 5:
        raise dump.error(at + 2, f"MSI asks for 2**{control.multiple_message_capable} messages; 2**5 is the most",
                         "take the dump again")  # fmt: skip
    high = dump.word(at + 8, 4) if wide else 0
    return MsiView(
        link.id, capability_name(link.id), at,
        messages=1 << control.multiple_message_capable,
        messages_enabled=1 << control.multiple_message_enable,
        enabled=bool(control.enable),
        address64=wide,
        per_vector_mask=masks,
        extended_data=bool(control.extended_data_capable),
        address=high << 32 | dump.word(at + 4, 4),
        data=dump.word(data_at, 2),
        mask=dump.word(data_at + 4, 4) if masks else None,
        pending=dump.word(data_at + 8, 4) if masks else None,
    )  # fmt: skip


def _msix(dump: Dump, link: Link) -> MsixView:
    at, buffer = link.offset, bytearray(dump.config)
    _whole(dump, link, MsixCapability.size)
    view = MsixCapability(buffer, at)
    return MsixView(
        link.id, capability_name(link.id), at,
        vectors=view.control.table_size + 1,
        table=Location(view.table.bir, view.table.offset),
        pba=Location(view.pba.bir, view.pba.offset),
        enabled=bool(view.control.enable),
        function_mask=bool(view.control.function_mask),
    )  # fmt: skip


def msix_spans(view: MsixView) -> tuple[tuple[str, Location, int], ...]:
    """Name, place and length of the table and of the Pending Bit Array."""
    return (("table", view.table, view.vectors * spec.MSIX_ENTRY_SIZE), ("PBA", view.pba, spec.pba_size(view.vectors)))


def _check_tables(dump: Dump, view: MsixView, bars: tuple[BarView, ...]) -> None:
    """Table and PBA each in a memory BAR, and inside it where its size is known (PCIe 6.0 §7.7.2)."""
    known = {bar.index: bar for bar in bars}
    count = 2 if dump.config[0x0E] & 0x7F == 1 else spec.BAR_COUNT
    for what, place, length in msix_spans(view):
        at = view.offset + MsixCapability.placements[what.lower()].offset
        if place.bar >= count:
            raise dump.error(at, f"MSI-X {what} lies in BAR {place.bar}; the BARs are 0 to {count - 1}", "take the dump again")
        bar = known.get(place.bar)
        if place.bar - 1 in known and known[place.bar - 1].kind == "memory64":
            raise dump.error(at, f"MSI-X {what} lies in BAR {place.bar}, the upper half of 64-bit BAR {place.bar - 1}",
                             "take the dump again")  # fmt: skip
        if bar is None:
            continue
        if bar.kind == "io":
            raise dump.error(at, f"MSI-X {what} lies in BAR {place.bar}, an I/O BAR; it must be in memory", "take the dump again")
        end, alignment = place.offset + length, bar.base & -bar.base
        who = f"MSI-X {what} of {view.vectors} vectors ends at {end:#x}"
        if bar.size is not None and end > bar.size:
            raise dump.error(at, f"{who}, past BAR {place.bar}'s size {bar.size:#x}",
                             f"correct the size of BAR {place.bar} or take the dump again")  # fmt: skip
        if alignment and end > alignment:  # a BAR is aligned to its size (PCIe 6.0 §7.5.1.2.1)
            most = f"BAR {place.bar} at {bar.base:#x} can be {alignment:#x} bytes at most"
            raise dump.error(at, f"{who}; {most}", "take the dump again")


def _power_management(dump: Dump, link: Link) -> PowerManagementView:
    _whole(dump, link, caps.PowerManagementCapability.size)
    view = caps.PowerManagementCapability(bytearray(dump.config), link.offset)
    states = ("D0", "D1", "D2", "D3hot", "D3cold")
    return PowerManagementView(
        link.id, capability_name(link.id), link.offset,
        version=view.capabilities.version,
        state=states[PowerState(view.control.power_state)],
        no_soft_reset=bool(view.control.no_soft_reset),
        d1=bool(view.capabilities.d1_support),
        d2=bool(view.capabilities.d2_support),
        pme_from=tuple(name for bit, name in enumerate(states) if view.capabilities.pme_support >> bit & 1),
        pme_enabled=bool(view.control.pme_enable),
        pme_status=bool(view.control.pme_status),
    )  # fmt: skip


def _express(dump: Dump, link: Link) -> ExpressView:
    at, buffer = link.offset, bytearray(dump.config)
    _whole(dump, link, 0x14)  # version 1 of an endpoint ends after the link registers
    capabilities = caps.ExpressCapabilities(buffer, at + 0x02)
    able, control = caps.DeviceCapabilities(buffer, at + 0x04), caps.DeviceControl(buffer, at + 0x08)
    link_able, link_status = caps.LinkCapabilities(buffer, at + 0x0C), caps.LinkStatus(buffer, at + 0x12)
    return ExpressView(
        link.id, capability_name(link.id), at,
        version=capabilities.version,
        type=EXPRESS_TYPES.get(capabilities.type, f"Type {capabilities.type:#x}"),
        interrupt_message=capabilities.interrupt_message_number,
        flr=bool(able.flr),
        max_payload_supported=128 << able.max_payload_supported,
        max_payload=128 << control.max_payload_size,
        max_read_request=128 << control.max_read_request_size,
        max_link_speed=LINK_SPEEDS.get(link_able.max_link_speed),
        max_link_width=link_able.max_link_width,
        link_speed=LINK_SPEEDS.get(link_status.link_speed),
        link_width=link_status.link_width,
    )  # fmt: skip


def _extended(dump: Dump, link: Link) -> ExtendedView:
    at = link.offset
    fields: dict[str, int | str] = {}
    if link.id == ExtendedCapabilityId.DEVICE_SERIAL_NUMBER:
        fields["serial"] = f"{dump.word(at + 4, 8):016x}"
    elif link.id == ExtendedCapabilityId.ALTERNATIVE_ROUTING_ID:
        fields["next_function"] = dump.word(at + 5, 1)
    elif link.id == ExtendedCapabilityId.SINGLE_ROOT_IO_VIRTUALIZATION:
        fields["initial_vfs"], fields["total_vfs"], fields["vfs"] = (dump.word(at + o, 2) for o in (0x0C, 0x0E, 0x10))
        fields["vf_device"] = f"{dump.word(at + 0x1A, 2):04x}"
    return ExtendedView(link.id, spec.extended_capability_name(link.id), at, link.version, fields)


_READERS: dict[int, Callable[[Dump, Link], CapabilityView]] = {
    CapabilityId.POWER_MANAGEMENT: _power_management,
    CapabilityId.MSI: _msi,
    CapabilityId.PCI_EXPRESS: _express,
    CapabilityId.MSI_X: _msix,
}

"""What a function declares about itself, and the configuration space that follows from it (PCIe 6.0 §7.5, §7.7, §7.9.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dirql.errors import LayoutError
from dirql.pci.bar import BarSpec
from dirql.pci.capabilities import (
    ExpressCapability,
    FlrExpressCapability,
    MsixCapability,
    PowerManagementCapability,
    TableLocation,
    msi_capability,
)
from dirql.pci.config import ConfigSpace
from dirql.pci.header import Type0Header
from dirql.pci.spec import BAR_COUNT, MSI_MAX_MESSAGES, MSIX_ENTRY_SIZE, MSIX_MAX_VECTORS, CapabilityId, pba_size

__all__ = ["ExtendedCapability", "Identity", "MsiSpec", "MsixSpec", "OpaqueCapability", "check_msix", "describe"]


@dataclass(frozen=True)
class Identity:
    """The read-only numbers of the header by which software knows the function."""

    vendor: int
    device: int
    class_code: int = 0
    revision: int = 0
    subsystem_vendor: int = 0
    subsystem: int = 0
    interrupt_pin: int = 1

    @classmethod
    def of(cls, header: Type0Header) -> Identity:
        views = header.views
        return cls(**{field: views[field].value for field in cls.__dataclass_fields__})


@dataclass(frozen=True)
class MsiSpec:
    """The form of an MSI capability; `messages` is what it asks for."""

    messages: int = 1
    address64: bool = True
    per_vector_mask: bool = False
    extended_data: bool = False
    offset: int | None = None


@dataclass(frozen=True)
class MsixSpec:
    """The size of an MSI-X table; `table` and `pba` are (BAR, offset)."""

    vectors: int
    table: tuple[int, int]
    pba: tuple[int, int]
    offset: int | None = None


@dataclass(frozen=True)
class OpaqueCapability:
    """A capability kept as read-only bytes; `body` follows its id and next pointer."""

    id: int
    body: bytes
    offset: int | None = None


@dataclass(frozen=True)
class ExtendedCapability:
    """An extended capability kept as read-only bytes; `body` follows its header DWORD."""

    id: int
    body: bytes
    version: int = 1
    offset: int | None = None


def describe(
    name: str,
    identity: Identity,
    bars: Mapping[int, BarSpec],
    *,
    msi: MsiSpec | None,
    msix: MsixSpec | None,
    pcie: bool,
    flr: bool,
    power_management: bool,
    no_soft_reset: bool,
    vendor_specific: bytes,
    opaque: Sequence[OpaqueCapability],
    extended: Sequence[ExtendedCapability],
) -> ConfigSpace:
    """Configuration space as it is after a reset."""
    config = ConfigSpace(name, bars)
    for field in Identity.__dataclass_fields__:
        register, value = config.header.views[field], getattr(identity, field)
        limit = 4 if field == "interrupt_pin" else (1 << register.width) - 1
        if not 0 <= value <= limit:
            raise LayoutError(f"{name} {field}: {value:#x} is outside 0 to {limit:#x}")
        register.value = value
    if extended and not pcie:
        raise LayoutError(f"{name}: extended capabilities need the PCI Express capability; pass pcie=True or drop them")
    parts: list[tuple[int | None, Callable[[], object]]] = []
    if power_management:
        parts.append((None, lambda: _add_power(config, no_soft_reset)))
    if msi is not None:
        parts.append((msi.offset, lambda: _add_msi(config, msi)))
    if msix is not None:
        parts.append((msix.offset, lambda: _add_msix(config, msix, bars)))
    if pcie:
        parts.append((None, lambda: _add_express(config, flr)))
    if vendor_specific:
        body = bytes((3 + len(vendor_specific) & 0xFF,)) + vendor_specific
        parts.append((None, partial(config.add_opaque, CapabilityId.VENDOR_SPECIFIC, body)))
    for kept in opaque:
        parts.append((kept.offset, partial(config.add_opaque, kept.id, kept.body, offset=kept.offset)))
    for _, add in sorted(parts, key=lambda part: part[0] is None):  # a place that was asked for is taken first
        add()
    for more in extended:
        config.add_extended(more.id, more.body, version=more.version, offset=more.offset)
    config.seal()
    return config


def _add_power(config: ConfigSpace, no_soft_reset: bool) -> None:
    config.add(PowerManagementCapability).control.no_soft_reset = int(no_soft_reset)


def _add_express(config: ConfigSpace, flr: bool) -> None:
    config.add(FlrExpressCapability if flr else ExpressCapability).device_capabilities.flr = int(flr)


def _add_msi(config: ConfigSpace, spec: MsiSpec) -> None:
    if not 1 <= spec.messages <= MSI_MAX_MESSAGES or spec.messages & (spec.messages - 1):
        raise LayoutError(f"{config.name} MSI: {spec.messages} messages; a function asks for 1, 2, 4, 8, 16 or 32")
    kind = msi_capability(
        spec.messages, address64=spec.address64, per_vector_mask=spec.per_vector_mask, extended_data=spec.extended_data
    )
    control = config.add(kind, offset=spec.offset).control
    control.multiple_message_capable = spec.messages.bit_length() - 1
    control.address64, control.per_vector_mask = int(spec.address64), int(spec.per_vector_mask)
    control.extended_data_capable = int(spec.extended_data)


def _add_msix(config: ConfigSpace, spec: MsixSpec, bars: Mapping[int, BarSpec]) -> None:
    who = f"{config.name} MSI-X"
    if not 1 <= spec.vectors <= MSIX_MAX_VECTORS:
        raise LayoutError(f"{who}: {spec.vectors} vectors; a table has 1 to {MSIX_MAX_VECTORS}")
    for part, (bar, offset) in (("table", spec.table), ("PBA", spec.pba)):
        if not 0 <= bar < BAR_COUNT:
            raise LayoutError(f"{who} {part}: BIR {bar:#x} is reserved; a type 0 header has BARs 0 to {BAR_COUNT - 1}")
        if offset < 0 or offset & 7 or offset >> 32:
            raise LayoutError(f"{who} {part}: offset {offset:#x} is no multiple of 8 below {1 << 32:#x}; bits 2:0 hold the BIR")
    capability = config.add(MsixCapability, offset=spec.offset)
    capability.control.table_size = spec.vectors - 1
    for location, (bar, offset) in ((capability.table, spec.table), (capability.pba, spec.pba)):
        location.bir, location.qword = bar, offset >> 3
    check_msix(config.name, capability, bars)
    check_msix(config.name, capability, bars)


def check_msix(name: str, capability: MsixCapability, bars: Mapping[int, BarSpec]) -> None:
    """LayoutError unless table and PBA lie inside memory BARs and apart from each other (§7.7.2)."""
    vectors = capability.control.table_size + 1
    spans: list[tuple[str, TableLocation, int]] = [
        ("table", capability.table, vectors * MSIX_ENTRY_SIZE),
        ("PBA", capability.pba, pba_size(vectors)),
    ]
    for part, location, size in spans:
        bar = bars.get(location.bir)
        if bar is None:
            raise LayoutError(f"{name} MSI-X {part}: BIR {location.bir:#x} names an absent BAR; declare it or use another")
        if bar.kind == "io":
            raise LayoutError(f"{name} MSI-X {part}: BIR {location.bir:#x} names an I/O BAR; it must name a memory BAR")
        end = location.offset + size
        if end > bar.size:
            raise LayoutError(
                f"{name} MSI-X {part} of {vectors} vectors at {location.offset:#x} ends at {end:#x}, past the "
                f"{bar.size:#x} bytes of BAR {location.bir}; move it or enlarge the BAR"
            )
    (_, table, table_size), (_, pba, pba_bytes) = spans
    if table.bir == pba.bir and table.offset < pba.offset + pba_bytes and pba.offset < table.offset + table_size:
        raise LayoutError(
            f"{name} MSI-X PBA at {pba.offset:#x} to {pba.offset + pba_bytes:#x} overlaps the table at {table.offset:#x} to "
            f"{table.offset + table_size:#x} in BAR {table.bir}; move one of them"
        )

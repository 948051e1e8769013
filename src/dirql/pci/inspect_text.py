"""A decoded function in words, in the order and with the abbreviations of `lspci -vv`.

Limits: names of vendors and devices are not looked up; capabilities print their main fields only.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from dirql.pci.inspect import (
    BarView,
    CapabilityView,
    ExpressView,
    ExtendedView,
    FunctionView,
    MsiView,
    MsixView,
    OpaqueView,
    PowerManagementView,
)
from dirql.pci.spec import PIN_NAMES, class_name

__all__ = ["text"]

# fmt: off
COMMAND_BITS = {
    "io_space": "I/O", "memory_space": "Mem", "bus_master": "BusMaster", "special_cycle_enable": "SpecCycle",
    "memory_write_and_invalidate": "MemWINV", "vga_palette_snoop": "VGASnoop", "parity_error_response": "ParErr",
    "idsel_stepping": "Stepping", "serr_enable": "SERR", "fast_back_to_back_enable": "FastB2B", "interrupt_disable": "DisINTx",
}
STATUS_BITS = {
    "capabilities_list": "Cap", "capable_66mhz": "66MHz", "fast_back_to_back": "FastB2B", "master_data_parity_error": "ParErr",
    "signaled_target_abort": ">TAbort", "received_target_abort": "<TAbort", "received_master_abort": "<MAbort",
    "signaled_system_error": ">SERR", "detected_parity_error": "<PERR", "interrupt_status": "INTx",
}
# fmt: on
KINDS = {"memory32": "32-bit", "memory64": "64-bit"}
UNITS = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def text(view: FunctionView, width: int = 80) -> str:
    """Lines of at most `width` columns where the words allow it; continuations are indented."""
    lines: list[str] = []
    for depth, line in _lines(view):
        indent = "    " * depth
        lines += textwrap.wrap(
            line,
            max(width, 40),
            initial_indent=indent,
            subsequent_indent=indent + "    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _lines(view: FunctionView) -> Iterator[tuple[int, str]]:
    address = view.address.removeprefix("0000:")
    revision = f" (rev {view.revision:02x})" if view.revision else ""
    yield 0, f"{address} {class_name(view.class_code)}: {view.vendor:04x}:{view.device:04x}{revision}"
    if view.subsystem is not None:
        yield 1, f"Subsystem: {view.subsystem_vendor:04x}:{view.subsystem:04x}"
    yield 1, "Control: " + " ".join(_sign(name, bool(view.command[field])) for field, name in COMMAND_BITS.items())
    yield 1, "Status: " + " ".join(_sign(name, bool(view.status[field])) for field, name in STATUS_BITS.items())
    if view.interrupt_pin:
        pin = PIN_NAMES[view.interrupt_pin][-1] if view.interrupt_pin < len(PIN_NAMES) else f"{view.interrupt_pin:#x}"
        yield 1, f"Interrupt: pin {pin} routed to IRQ {view.interrupt_line}"
    for bar in view.bars:
        yield 1, _bar(bar)
    if not view.capabilities_held:
        yield 1, "Capabilities: not held by a dump of 64 bytes; take it again, as root: lspci -xxxx"
    for capability in view.capabilities:
        head, *rest = _capability(capability)
        yield 1, f"Capabilities: [{capability.offset:02x}] {head}"
        yield from ((2, line) for line in rest)
    for extended in view.extended_capabilities:
        yield 1, f"Capabilities: [{extended.offset:03x} v{extended.version}] {_extended(extended)}"


def _sign(name: str, value: bool) -> str:
    return name + ("+" if value else "-")


def _bar(bar: BarView) -> str:
    size = "size unknown" if bar.size is None else f"size={_size(bar.size)}"
    if bar.kind == "io":
        return f"Region {bar.index}: I/O ports at {bar.base:04x} [{size}]"
    prefetchable = "prefetchable" if bar.prefetchable else "non-prefetchable"
    base = f"{bar.base:016x}" if bar.kind == "memory64" else f"{bar.base:08x}"
    return f"Region {bar.index}: Memory at {base} ({KINDS[bar.kind]}, {prefetchable}) [{size}]"


def _size(size: int) -> str:
    return next((f"{size // unit}{letter}" for unit, letter in UNITS if size >= unit), str(size))


def _capability(view: CapabilityView) -> Iterator[str]:
    match view:
        case MsixView():
            yield f"MSI-X: {_sign('Enable', view.enabled)} Count={view.vectors} {_sign('Masked', view.function_mask)}"
            yield f"Vector table: BAR={view.table.bar} offset={view.table.offset:08x}"
            yield f"PBA: BAR={view.pba.bar} offset={view.pba.offset:08x}"
        case MsiView():
            count = f"Count={view.messages_enabled}/{view.messages}"
            maskable, wide = _sign("Maskable", view.per_vector_mask), _sign("64bit", view.address64)
            yield f"MSI: {_sign('Enable', view.enabled)} {count} {maskable} {wide}"
            yield f"Address: {view.address:0{16 if view.address64 else 8}x}  Data: {view.data:04x}"
            if view.mask is not None:
                yield f"Masking: {view.mask:08x}  Pending: {view.pending:08x}"
        case PowerManagementView():
            yield f"Power Management version {view.version}"
            yield f"Flags: {_sign('D1', view.d1)} {_sign('D2', view.d2)} PME({','.join(view.pme_from) or 'from no state'})"
            enabled, status = _sign("PME-Enable", view.pme_enabled), _sign("PME", view.pme_status)
            yield f"Status: {view.state} {_sign('NoSoftRst', view.no_soft_reset)} {enabled} {status}"
        case ExpressView():
            yield f"Express (v{view.version}) {view.type}, MSI {view.interrupt_message:02x}"
            yield f"DevCap: MaxPayload {view.max_payload_supported} bytes, {_sign('FLReset', view.flr)}"
            yield f"DevCtl: MaxPayload {view.max_payload} bytes, MaxReadReq {view.max_read_request} bytes"
            yield f"LnkCap: Speed {_speed(view.max_link_speed)}, Width x{view.max_link_width}"
            yield f"LnkSta: Speed {_speed(view.link_speed)}, Width x{view.link_width}"
        case OpaqueView():
            yield view.name
            yield " ".join(textwrap.wrap(view.bytes, 2))
        case _:
            yield view.name


def _speed(speed: float | None) -> str:
    return "unknown" if speed is None else f"{speed:g}GT/s"


def _extended(view: ExtendedView) -> str:
    fields = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in view.fields.items())
    return f"{view.name}: {fields}" if fields else view.name

r"""The identifiers that a PCI function is matched with (windows-driver-docs, "Identifiers for PCI Devices").

Limits: type 0 headers; the order within compatible ids is the page's.
"""

from __future__ import annotations

from dirql.pci.function import Function
from dirql.pci.header import Type0Header
from dirql.pnp.config import read

__all__ = ["compatible_ids", "function_name", "hardware_ids"]


def _words(function: Function) -> tuple[int, int, int, int, int, int]:
    header = Type0Header
    vendor, device, revision, subsystem_vendor, subsystem = (
        read(function, place.kind, place.offset).value
        for place in (header.vendor, header.device, header.revision, header.subsystem_vendor, header.subsystem)
    )
    code = function.config_read(header.revision.offset, 4) >> 8
    return vendor, device, revision, subsystem_vendor, subsystem, code


def function_name(function: Function) -> str:
    """Vendor and device as `lspci -n` writes them."""
    vendor, device, *_ = _words(function)
    return f"{vendor:04x}:{device:04x}"


def hardware_ids(function: Function) -> tuple[str, ...]:
    """Hardware ids, then compatible ids, the most specific first: what an INF's models are matched with."""
    vendor, device, revision, subsystem_vendor, subsystem, code = _words(function)
    base = rf"PCI\VEN_{vendor:04X}&DEV_{device:04X}"
    sub = f"&SUBSYS_{subsystem:04X}{subsystem_vendor:04X}"
    return (f"{base}{sub}&REV_{revision:02X}", f"{base}{sub}", f"{base}&CC_{code:06X}", f"{base}&CC_{code >> 8:04X}",
            *compatible_ids(function))  # fmt: skip


def compatible_ids(function: Function) -> tuple[str, ...]:
    """Ids of the same kind of device."""
    vendor, device, revision, _, _, code = _words(function)
    base = rf"PCI\VEN_{vendor:04X}"
    return (f"{base}&DEV_{device:04X}&REV_{revision:02X}", f"{base}&DEV_{device:04X}", f"{base}&CC_{code:06X}",
            f"{base}&CC_{code >> 8:04X}", base, rf"PCI\CC_{code:06X}", rf"PCI\CC_{code >> 8:04X}")  # fmt: skip

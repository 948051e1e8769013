"""Which functions of a dump a command or a scenario means."""

from __future__ import annotations

from dirql.errors import InputError
from dirql.pci.dumps import Dump, load

__all__ = ["functions_of", "same_address"]


def functions_of(path: str, address: str = "") -> list[Dump]:
    """All functions of the file, or the one at `address`."""
    found = load(path)
    chosen = [dump for dump in found if not address or same_address(dump.address, address)]
    if not chosen:
        held = ", ".join(dump.address for dump in found[:8]) + (", …" if len(found) > 8 else "")
        raise InputError(path, "", f"there is no function {address!r}", f"it holds {held}")
    return chosen


def same_address(address: str, wanted: str) -> bool:
    """True when `wanted` names the function at `address`; the domain may be left out."""
    address, wanted = address.lower(), wanted.lower()
    return address == wanted or address.partition(":")[2] == wanted

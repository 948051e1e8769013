"""A driver's memory as the kernel's own memory and string routines reach it, device memory included.

`load` and `store` fault where the address does (as the kernel: bugcheck 0xA from DISPATCH_LEVEL on), and make register
accesses of what lies in a mapped BAR: eight bytes at a time where that is aligned, then four, two and one.
Limits: a range that begins in RAM and ends in device memory, or the other way round, counts as what it begins in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.hosts.sys.device_pages import READERS, WRITERS
from dirql.hosts.sys.processor import TRAP_BASE
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["VaList", "entries", "fill", "load", "narrow", "narrow_units", "put_narrow", "put_wide", "store", "wide", "wide_units"]

CHUNK = 1 << 16


class VaList:
    """A va_list: eight bytes for each argument, one after another in the driver's memory."""

    def __init__(self, guest: Guest, address: int) -> None:
        self._guest, self._address = guest, address

    def next(self) -> int:
        """The next argument's eight bytes."""
        address, self._address = self._address, self._address + 8
        return int.from_bytes(self._guest.space.read(address, 8), "little")

    def read(self, address: int, size: int) -> bytes:
        """The driver's memory behind an argument; fewer bytes where it ends."""
        return self._guest.space.peek(address, size)


def load(guest: Guest, address: int, size: int) -> bytes:
    """`size` bytes."""
    if not size or not _is_device(guest, address, 1):
        return guest.space.read(address, size)
    found = guest.devices.mapping(address)
    assert found is not None  # only mappings have trapped pages
    mapping, offset = found
    return b"".join(READERS[width](mapping.io_space, at).to_bytes(width, "little") for at, width in _pieces(offset, size))


def store(guest: Guest, address: int, data: bytes) -> None:
    """Writes `data`."""
    if not data or not _is_device(guest, address, 2):
        guest.space.write(address, data)
        return
    found = guest.devices.mapping(address)
    assert found is not None
    mapping, offset = found
    for at, width in _pieces(offset, len(data)):
        part = data[at - offset : at - offset + width]
        WRITERS[width](mapping.io_space, at, int.from_bytes(part, "little"))


def fill(guest: Guest, address: int, byte: int, count: int) -> None:
    """`count` times the same byte; however large the count is, it ends where memory does."""
    while count > 0:
        part = min(count, CHUNK)
        store(guest, address, bytes([byte & 0xFF]) * part)
        address += part
        count -= part


def narrow_units(guest: Guest, address: int, most: int | None = None) -> bytes:
    """The bytes before the zero, `most` at the most."""
    return _units(guest, address, 1, most)


def wide_units(guest: Guest, address: int, most: int | None = None) -> bytes:
    """The bytes of the UTF-16 units before the zero; `most` counts units."""
    return _units(guest, address, 2, most)


def narrow(guest: Guest, address: int, most: int | None = None) -> str:
    """A character for each byte."""
    return narrow_units(guest, address, most).decode("latin-1")


def wide(guest: Guest, address: int, most: int | None = None) -> str:
    """A character for each UTF-16 unit, so that a length is the driver's."""
    data = wide_units(guest, address, most)
    return "".join(chr(unit) for unit in memoryview(data).cast("H"))


def put_narrow(guest: Guest, address: int, text: str) -> None:
    """Characters up to U+00FF, a byte each; no zero behind them."""
    store(guest, address, text.encode("latin-1", "replace"))


def put_wide(guest: Guest, address: int, text: str) -> None:
    """A UTF-16 unit for each character; no zero behind them."""
    store(guest, address, text.encode("utf-16-le", "surrogatepass"))


def entries(guest: Guest, head: int, most: int = 1 << 16) -> list[int]:
    """The links of a LIST_ENTRY chain from its head, without it."""
    found: list[int] = []
    link = int.from_bytes(guest.space.read(head, 8), "little")
    while link != head and len(found) < most:
        found.append(link)
        link = int.from_bytes(guest.space.read(link, 8), "little")
    return found


def _units(guest: Guest, address: int, size: int, most: int | None) -> bytes:
    found = bytearray()
    wanted = None if most is None else most * size
    while wanted is None or len(found) < wanted:
        here = address + len(found)
        part = PAGE_SIZE - (here & PAGE_SIZE - 1)
        part += -part % size
        if wanted is not None:
            part = min(part, wanted - len(found))
        first = min(part, PAGE_SIZE - (here & PAGE_SIZE - 1))
        data = guest.space.read(here, first)
        end = _zero(data, size)
        if end is not None:
            return bytes(found + data[:end])
        if first < part:  # a unit across two pages
            data += guest.space.read(here + first, part - first)
            end = _zero(data, size)
            if end is not None:
                return bytes(found + data[:end])
        found += data
    return bytes(found)


def _zero(data: bytes, size: int) -> int | None:
    if size == 1:
        at = data.find(0)
        return at if at >= 0 else None
    at = data.find(b"\0\0")
    while at >= 0:
        if not at & 1:
            return at
        at = data.find(b"\0\0", at + 1)
    return None


def _is_device(guest: Guest, address: int, right: int) -> bool:
    physical = guest.pages.translate(address, right)
    return physical is not None and physical >= TRAP_BASE


def _pieces(offset: int, size: int) -> list[tuple[int, int]]:
    pieces, end = [], offset + size
    while offset < end:
        width = next(width for width in (8, 4, 2, 1) if not offset % width and offset + width <= end)
        pieces.append((offset, width))
        offset += width
    return pieces

"""Strings in the driver's memory."""

from __future__ import annotations

from dirql.hosts.sys.address_space import AddressSpace, Area
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.machine.memory import PAGE_SIZE

__all__ = ["narrow_bytes", "text", "unicode_string", "unicode_text", "wide_text"]

LONGEST = 0x8000  # bytes that a string without an end is read for


def text(space: AddressSpace, address: int) -> str:
    """A `char` string that ends with a zero."""
    return _until_zero(space, address, 1).decode("cp1252", "replace")


def narrow_bytes(space: AddressSpace, address: int) -> bytes:
    """A `char` string that ends with a zero, as its bytes."""
    return _until_zero(space, address, 1)


def wide_text(space: AddressSpace, address: int) -> str:
    """A `WCHAR` string that ends with a zero."""
    return _until_zero(space, address, 2).decode("utf-16-le", "replace")


def unicode_text(view: UNICODE_STRING) -> str:
    """What a UNICODE_STRING holds."""
    return view.memory.read(view.Buffer, view.Length).decode("utf-16-le", "replace")


def unicode_string(space: AddressSpace, value: str, what: str) -> UNICODE_STRING:
    """A UNICODE_STRING with its buffer behind it, which ends with a zero."""
    data = value.encode("utf-16-le")
    region = space.allocate(Area.BUFFER, UNICODE_STRING.size + len(data) + 2, what)
    view = UNICODE_STRING(space, region.start)
    view.Length, view.MaximumLength, view.Buffer = len(data), len(data) + 2, region.start + UNICODE_STRING.size
    space.write(region.start + UNICODE_STRING.size, data)
    return view


def _until_zero(space: AddressSpace, address: int, unit: int) -> bytes:
    found = bytearray()
    while len(found) < LONGEST:
        part = space.read(address, PAGE_SIZE - (address & PAGE_SIZE - 1) or PAGE_SIZE)
        for start in range(0, len(part) - unit + 1, unit):
            if not any(part[start : start + unit]):
                return bytes(found + part[:start])
        found += part
        address += len(part)
    return bytes(found[:LONGEST])

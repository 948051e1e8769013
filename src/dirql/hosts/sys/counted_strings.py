"""Counted strings (UNICODE_STRING, ANSI_STRING) in the driver's memory, and the buffers that Rtl routines allocate for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql.hosts.sys.pool import Pool
from dirql.ntstatus import STATUS_INSUFFICIENT_RESOURCES, StatusError

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["CountedStrings", "code_units", "downcase", "get_text", "upcase"]

TAG = int.from_bytes(b"Strg", "little")


def get_text(view: Any, size: int) -> str:
    """What a string holds; a character for each unit of `size` bytes."""
    data = view.memory.read(view.Buffer, view.Length & ~(size - 1))
    if size == 1:
        return str(data.decode("latin-1"))
    return "".join(chr(unit) for unit in memoryview(data).cast("H"))


def code_units(text: str, size: int) -> bytes:
    """The way back."""
    return text.encode("latin-1", "replace") if size == 1 else text.encode("utf-16-le", "surrogatepass")


def upcase(text: str) -> str:
    """Unit by unit: one without a single unit for its upper case stays."""
    return "".join(_one(character, character.upper()) for character in text)


def downcase(text: str) -> str:
    """Unit by unit."""
    return "".join(_one(character, character.lower()) for character in text)


def _one(character: str, other: str) -> str:
    return other if len(other) == 1 and other <= "\uffff" else character


class CountedStrings:
    """`guest.part(CountedStrings)`: buffers that RtlFreeUnicodeString gives back, or ExFreePool: both are of paged pool."""

    def __init__(self, guest: Guest) -> None:
        self._pool = guest.part(Pool)

    def allocate(self, length: int) -> int:
        """A buffer of its own; MemoryError when there is no page left."""
        address = self._pool.allocate(length, TAG, paged=True, zero=True)
        if not address:
            raise MemoryError(f"no {length:#x} bytes of paged pool for a string")
        return address

    def must_allocate(self, length: int) -> int:
        """The same; StatusError STATUS_INSUFFICIENT_RESOURCES."""
        try:
            return self.allocate(length)
        except MemoryError as error:
            raise StatusError(STATUS_INSUFFICIENT_RESOURCES, str(error)) from None

    def free(self, address: int) -> None:
        """Bugcheck 0xC2 for what was given back already or is none."""
        self._pool.free(address)

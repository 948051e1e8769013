"""Bounded reading of an image as it would lie in memory (Microsoft PE Format, "Section Table"): what hostile bytes meet first.

Limits: an image whose sections are closer than a page (SectionAlignment under 0x1000) is refused.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from struct import Struct
from typing import Any

from dirql.errors import InputError

__all__ = ["Directory", "ImageBytes", "ImageError", "Section", "printable"]

LONGEST_NAME = 4096  # a decorated C++ name is long; one without end is no name


class ImageError(InputError):
    """A driver image that cannot be loaded; `where` is an offset into the file, or an RVA when it says so."""


@dataclass(frozen=True)
class Directory:
    """Where a table of the image lies."""

    rva: int
    size: int


@dataclass(frozen=True)
class Section:
    """One section: `data` is what the file holds of it, the rest of `virtual_size` reads zero.

    `discardable` goes away after DriverEntry; `pageable` may only be touched below DISPATCH_LEVEL.
    """

    name: str
    rva: int
    virtual_size: int
    data: bytes
    readable: bool
    writable: bool
    executable: bool
    discardable: bool
    pageable: bool

    @property
    def end(self) -> int:
        """The RVA behind it."""
        return self.rva + self.virtual_size

    def __repr__(self) -> str:
        rights = "".join(letter if on else "-" for letter, on in zip("rwx", self._rights(), strict=True))
        return f"<Section {self.name} rva={self.rva:#x} size={self.virtual_size:#x} {rights}>"

    def _rights(self) -> tuple[bool, bool, bool]:
        return self.readable, self.writable, self.executable


class ImageBytes:
    """The image's bytes by RVA before any relocation; costs no more memory than the file, whatever SizeOfImage says."""

    def __init__(self, source: str, size: int, headers: bytes, sections: tuple[Section, ...]) -> None:
        self.source, self.size = source, size
        self._starts = [0, *(section.rva for section in sections)]
        self._data = [headers, *(section.data for section in sections)]

    def error(self, rva: int, problem: str, remedy: str = "") -> ImageError:
        """An error about the bytes at `rva`."""
        return ImageError(self.source, f"RVA {rva:#x}", problem, remedy)

    def read(self, rva: int, size: int, what: str) -> bytes:
        """`size` bytes, which must all lie in the image; `what` names them in the error."""
        if not 0 <= rva <= rva + size <= self.size:
            raise self.error(
                rva, f"{what} of {size:#x} bytes lies outside of the image, which ends at {self.size:#x}", "build it again"
            )
        parts: list[bytes] = []
        at = rva
        while at < rva + size:
            index = bisect_right(self._starts, at) - 1
            stop = min(rva + size, self._starts[index + 1] if index + 1 < len(self._starts) else self.size)
            offset = at - self._starts[index]
            part = self._data[index][offset : offset + stop - at]
            parts += [part, bytes(stop - at - len(part))]
            at = stop
        return b"".join(parts)

    def values(self, rva: int, form: Struct, what: str) -> tuple[Any, ...]:
        """The values that `form` tells of the bytes at `rva`."""
        return form.unpack(self.read(rva, form.size, what))

    def text(self, rva: int, what: str) -> str:
        """The NUL-terminated ASCII name at `rva`."""
        chunk = self.read(rva, max(0, min(LONGEST_NAME, self.size - rva)) or 1, what)
        end = chunk.find(0)
        if end < 0:
            raise self.error(rva, f"{what} has no end within {len(chunk):#x} bytes", "build it again")
        if end == 0 or not chunk[:end].isascii() or not chunk[:end].decode("ascii").isprintable():
            raise self.error(rva, f"{what} is {printable(chunk[:end])!r}, which is no name in printable ASCII", "build it again")
        return chunk[:end].decode("ascii")


def printable(name: bytes) -> str:
    """`name` with everything that is not printable ASCII as an escape, and not longer than a message can bear."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in name[:64])
    return text + ("…" if len(name) > 64 else "")

"""Memory descriptor lists: a buffer that is contiguous to software and scattered over physical pages (MDL, wdm.h).

Limits: every buffer is resident and mapped; locking, mapping and protections are not modelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from dirql.kernel.stop import BugCheck
from dirql.machine.memory import PAGE_SIZE, Memory

__all__ = ["Buffer", "Freed", "Mdl"]


class Mdl:
    """MDL: `byte_count` bytes from `byte_offset` in the first of `pages` (physical addresses); `allocated` is how many from
    there were asked for when the pages were, where this describes a part of them."""

    __slots__ = ("allocated", "byte_count", "byte_offset", "memory", "pages")

    def __init__(
        self, memory: Memory, pages: Sequence[int], byte_offset: int, byte_count: int, allocated: int | None = None
    ) -> None:
        if not 0 <= byte_offset < PAGE_SIZE or byte_offset + byte_count > len(pages) * PAGE_SIZE:
            raise ValueError(f"{byte_count:#x} bytes from offset {byte_offset:#x} do not lie in {len(pages)} pages")
        self.memory, self.pages, self.byte_offset, self.byte_count = memory, tuple(pages), byte_offset, byte_count
        self.allocated = byte_count if allocated is None else allocated

    def fragments(self, offset: int = 0, length: int | None = None) -> list[tuple[int, int]]:
        """(physical address, length) of each physically contiguous run of the part, in order."""
        end = self._end(offset, length)
        runs: list[tuple[int, int]] = []
        while offset < end:
            page, inside = divmod(self.byte_offset + offset, PAGE_SIZE)
            address, size = self.pages[page] + inside, min(PAGE_SIZE - inside, end - offset)
            if runs and sum(runs[-1]) == address:
                runs[-1] = runs[-1][0], runs[-1][1] + size
            else:
                runs.append((address, size))
            offset += size
        return runs

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """What is stored there."""
        return b"".join(self.memory.read(address, size) for address, size in self.fragments(offset, length))

    def write(self, offset: int, data: bytes) -> None:
        """Store `data`."""
        for address, size in self.fragments(offset, len(data)):
            self.memory.write(address, data[:size])
            data = data[size:]

    def _end(self, offset: int, length: int | None) -> int:
        end = self.byte_count if length is None else offset + length
        if not 0 <= offset <= end <= self.byte_count:
            raise ValueError(f"bytes {offset:#x} to {end:#x} of a buffer of {self.byte_count:#x} bytes")
        return end

    def __repr__(self) -> str:
        return f"<MDL {self.byte_count:#x} bytes in {len(self.pages)} pages>"


class Freed(Mdl):
    """Of a buffer whose pages are somebody else's by now: bugcheck 0xD5, as special pool has it for an image's accesses."""

    __slots__ = ()

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """Of nobody's bytes."""
        raise self._bugcheck("reads", offset, 0)

    def write(self, offset: int, data: bytes) -> None:
        """The same."""
        raise self._bugcheck("writes", offset, 1)

    def _bugcheck(self, what: str, offset: int, operation: int) -> BugCheck:
        page, inside = divmod(self.byte_offset + offset, PAGE_SIZE)
        why = f"{what} byte {offset:#x} of a buffer of {self.byte_count:#x} bytes, which was freed"
        return BugCheck(0xD5, self.pages[page] + inside, operation, why=why)


class Buffer:
    """A buffer in RAM as a driver sees it: `buffer[2:6]` reads bytes, `buffer[2:6] = b"…"` stores as many."""

    __slots__ = ("mdl",)

    def __init__(self, mdl: Mdl) -> None:
        self.mdl = mdl

    @classmethod
    def allocate(cls, memory: Memory, length: int, *, pool: bool = False) -> Buffer:
        """`length` zeroed bytes on scattered pages. Less than a page of `pool` ends, to 16 bytes, where its page does: so does
        special pool, and a driver in an emulated processor that writes past it is caught."""
        offset = PAGE_SIZE - (length + 15 & ~15) if pool and length < PAGE_SIZE - 15 else 0
        buffer = cls(Mdl(memory, memory.allocate_pages(-(-length // PAGE_SIZE)), offset, length))
        memory.lent.lend((start, start + size) for start, size in buffer.mdl.fragments())
        return buffer

    def free(self) -> None:
        """Give the pages back; who goes on using the buffer is told so."""
        self.mdl.memory.free_pages(list(self.mdl.pages))
        self.mdl = Freed(self.mdl.memory, self.mdl.pages, self.mdl.byte_offset, self.mdl.byte_count)

    def __len__(self) -> int:
        return self.mdl.byte_count

    def __bytes__(self) -> bytes:
        return self.mdl.read()

    @overload
    def __getitem__(self, where: int) -> int: ...

    @overload
    def __getitem__(self, where: slice) -> bytes: ...

    def __getitem__(self, where: int | slice) -> int | bytes:
        if isinstance(where, slice):
            start, stop, step = where.indices(len(self))
            return self.mdl.read(start, max(stop - start, 0)) if step == 1 else bytes(self)[where]
        return self.mdl.read(self._index(where), 1)[0]

    @overload
    def __setitem__(self, where: int, value: int) -> None: ...

    @overload
    def __setitem__(self, where: slice, value: bytes) -> None: ...

    def __setitem__(self, where: int | slice, value: int | bytes) -> None:
        if isinstance(where, int):
            assert isinstance(value, int)
            self.mdl.write(self._index(where), bytes([value]))
            return
        start, stop, step = where.indices(len(self))
        data = bytes(value)
        if step != 1 or len(data) != max(stop - start, 0):
            raise ValueError(f"{len(data):#x} bytes for [{start:#x}:{stop:#x}:{step}]: a buffer does not change its length")
        self.mdl.write(start, data)

    def _index(self, index: int) -> int:
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"byte {index:#x} of a buffer of {len(self):#x} bytes")
        return at

    def __repr__(self) -> str:
        return f"<buffer of {len(self):#x} bytes>"

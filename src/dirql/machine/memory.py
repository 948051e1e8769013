"""The one RAM: physical pages that processors, drivers and DMA share in place.

Limits: one contiguous range from physical 0; no caching effects, no ECC.
"""

from __future__ import annotations

import gc
import mmap
from collections.abc import Callable, Iterable
from math import gcd
from typing import ClassVar
from weakref import WeakSet

from dirql.errors import UsageError
from dirql.machine.lent import Lent

__all__ = ["PAGE_SIZE", "Memory"]

PAGE_SIZE = 4096
UNWATCHED = 4 << 30  # bytes of RAM in all that Python's own garbage collector is left alone with
LEAST = 32 << 20  # what a machine counts for at least: it is more than its RAM


class Memory:
    """`size` bytes of RAM from physical address 0. `view` is the bytes themselves: models and drivers see one memory.

    Pages are handed out scattered on purpose (a fixed stride through the free ones), so that a driver that takes a
    buffer for physically contiguous meets a machine where it is not.

    A machine that was dropped is no garbage while idle loops of its stand by, and else full of reference cycles; and to Python's
    collector its RAM is one small object. So whoever maps more than others left room for has them collected first.
    """

    _alive: ClassVar[WeakSet[Memory]] = WeakSet()
    _room: ClassVar[int] = UNWATCHED  # bytes that may be mapped at a time before garbage is looked for again

    def __init__(self, size: int = 64 << 20) -> None:
        if size % PAGE_SIZE or size < 2 << 20:
            raise UsageError(f"memory of {size:#x} bytes: a whole number of 4 KiB pages, at least 2 MiB, is needed")
        self.size = size
        self.stand_down: Callable[[], None] = lambda: None  # the machine's: what keeps it alive, and can be made again, is ended
        self._map = self._mapped()
        self.view = memoryview(self._map)
        self._low = 256  # the first MiB is not handed out
        self._high = size // PAGE_SIZE  # contiguous allocations come down from the top
        self._stride = _coprime(0x9E3779B1, self._high - self._low)
        self._next = 0
        self._taken: set[int] = set()
        self._free: list[int] = []
        self.freed: list[Callable[[Iterable[int]], None]] = []  # told which pages go back, by physical address
        self.lent = Lent()
        self.freed.append(self.lent.take_back)

    def _mapped(self) -> mmap.mmap:
        """Its bytes; what was dropped is collected where there were too many, or no more are to be had."""
        if self._total() + self.size > Memory._room:
            self.collect()
            Memory._room = max(UNWATCHED, 2 * (self._total() + self.size))
        try:
            pages = _map(self.size)
        except OSError:
            self.collect()
            pages = _map(self.size)
        Memory._alive.add(self)
        return pages

    @classmethod
    def collect(cls) -> None:
        """What nobody uses any more gives its RAM back."""
        for memory in list(cls._alive):
            memory.stand_down()
        gc.collect()

    @classmethod
    def _total(cls) -> int:
        return sum(max(memory.size, LEAST) for memory in cls._alive)

    def allocate_pages(self, count: int) -> list[int]:
        """Physical addresses of `count` pages, scattered and zeroed; raises MemoryError when none are left."""
        if count > len(self._free) + self._high - self._low - len(self._taken):
            raise MemoryError(f"all {self.size:#x} bytes of RAM are handed out")
        pages: list[int] = []
        while len(pages) < count:
            page = self._free.pop() if self._free else self._scattered()
            self.view[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = bytes(PAGE_SIZE)
            pages.append(page * PAGE_SIZE)
        self.lent.lend((address, address + PAGE_SIZE) for address in pages)
        return pages

    def free_pages(self, addresses: list[int]) -> None:
        """Give back what `allocate_pages` returned."""
        for tell in self.freed:
            tell(addresses)
        self._free.extend(a // PAGE_SIZE for a in addresses)

    def allocate_contiguous(self, length: int, alignment: int = PAGE_SIZE) -> int:
        """Physical address of `length` contiguous zeroed bytes; raises MemoryError when there is no room."""
        pages = -(-length // PAGE_SIZE)
        step = max(alignment, PAGE_SIZE) // PAGE_SIZE
        first = (self._high - pages) // step * step
        while first >= self._low:
            taken = next((p for p in range(first, first + pages) if p in self._taken), None)
            if taken is None:
                self._taken.update(range(first, first + pages))
                start = first * PAGE_SIZE
                self.view[start : start + pages * PAGE_SIZE] = bytes(pages * PAGE_SIZE)
                self.lent.lend([(start, start + length)])
                return start
            first = (taken - pages) // step * step
        raise MemoryError(f"no {length:#x} contiguous bytes left in {self.size:#x} bytes of RAM")

    def free_contiguous(self, address: int, length: int) -> None:
        """Give back what `allocate_contiguous` returned for `length`."""
        for tell in self.freed:
            tell(range(address, address + length, PAGE_SIZE))
        first = address // PAGE_SIZE
        self._taken.difference_update(range(first, first + -(-length // PAGE_SIZE)))

    @property
    def taken(self) -> list[int]:
        """The physical addresses of the pages that were handed out."""
        return [page * PAGE_SIZE for page in sorted(self._taken)]

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`; what lies outside RAM reads as 0xFF."""
        data = bytes(self.view[address : address + length]) if address < self.size else b""
        return data + b"\xff" * (length - len(data))

    def write(self, address: int, data: bytes) -> bool:
        """Store `data` at `address`; False (and nothing stored) when it does not lie wholly in RAM."""
        end = address + len(data)
        if end > self.size:
            return False
        self.view[address:end] = data
        return True

    def _scattered(self) -> int:
        span = self._high - self._low
        for step in (self._stride, 1):  # the stride may share a factor with the span; single steps find what it misses
            for _ in range(span):
                self._next += step
                page = self._low + self._next % span
                if page not in self._taken:
                    self._taken.add(page)
                    return page
        raise MemoryError(f"all {self.size:#x} bytes of RAM are handed out")


def _map(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _coprime(stride: int, span: int) -> int:
    """The first odd stride from `stride` on that visits each of `span` pages."""
    stride = stride % span | 1
    while gcd(stride, span) != 1:
        stride += 2
    return stride

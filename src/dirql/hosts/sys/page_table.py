"""Our own page table: which physical page a virtual page of the driver's is, and what may be done with it.

Unicorn asks it on every miss of its TLB (`UC_HOOK_TLB_FILL`), and so does every routine that reads a driver's memory, so
aliases, scattered pages, guards and rights hold for both.
Limits: 4 KiB pages; every access is the kernel's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntFlag

from dirql.machine.memory import PAGE_SIZE

__all__ = ["PAGE_SHIFT", "PageTable", "Rights"]

PAGE_SHIFT = 12
MASK = (1 << 52) - 1


class Rights(IntFlag):
    """What may be done with a page."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXECUTE = 4


class PageTable:
    """`entries` maps virtual page numbers to (physical address, rights). `flush` is called whenever one is taken away or
    tightened: a translation that a processor still remembers would go on to be used."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, int]] = {}
        self.flush: Callable[[], None] = lambda: None

    def map(self, address: int, pages: Iterable[int], rights: Rights) -> None:
        """Consecutive virtual pages from `address` become the physical `pages`."""
        first = address >> PAGE_SHIFT & MASK
        stale = False
        for index, physical in enumerate(pages, first):
            stale = stale or index in self.entries
            self.entries[index] = physical, int(rights)
        if stale:
            self.flush()

    def unmap(self, address: int, count: int) -> list[int]:
        """`count` pages from `address` answer no more; the physical pages that they were."""
        first = address >> PAGE_SHIFT & MASK
        gone = [self.entries.pop(index)[0] for index in range(first, first + count) if index in self.entries]
        self.flush()
        return gone

    def protect(self, address: int, count: int, rights: Rights) -> None:
        """Other rights for `count` pages from `address`."""
        first = address >> PAGE_SHIFT & MASK
        for index in range(first, first + count):
            if index in self.entries:
                self.entries[index] = self.entries[index][0], int(rights)
        self.flush()

    def translate(self, address: int, right: int) -> int | None:
        """The physical address behind a virtual one; None where there is none or it may not be accessed so."""
        entry = self.entries.get(address >> PAGE_SHIFT & MASK)
        if entry is None or not entry[1] & right:
            return None
        return entry[0] | address & PAGE_SIZE - 1

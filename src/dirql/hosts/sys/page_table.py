"""Our own page table: which physical page a virtual page of the driver's is, and what may be done with it.

Unicorn asks it on every miss of its TLB (`UC_HOOK_TLB_FILL`), and so does every routine that reads a driver's memory, so
aliases, scattered pages, guards and rights hold for both.
Limits: 4 KiB pages; every access is the kernel's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntFlag

from dirql.machine.memory import PAGE_SIZE

__all__ = ["PAGE_MASK", "PAGE_SHIFT", "PageTable", "Rights"]

PAGE_SHIFT = 12
PAGE_MASK = (1 << 52) - 1  # of page numbers


class Rights(IntFlag):
    """What may be done with a page."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXECUTE = 4
    PAGEABLE = 8  # may be touched below DISPATCH_LEVEL only
    TOLERATED = 16  # beside PAGEABLE: touched above, it is told and then lent, as a page that happens to be in memory


class PageTable:
    """`entries` maps virtual page numbers to (physical address, rights). `flush` is called whenever one is taken away or
    tightened: a translation that a processor still remembers would go on to be used."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, int]] = {}
        self.flush: Callable[[], None] = lambda: None
        self.paged_out: Callable[[], bool] = lambda: False  # may nobody touch pageable memory now?
        self.pageable_seen = False  # a processor may remember the translation of a pageable page
        self.lent: dict[int, tuple[int, int]] = {}  # the entries of pages that may be touched until the IRQL falls, by number

    def map(self, address: int, pages: Iterable[int], rights: Rights) -> None:
        """Consecutive virtual pages from `address` become the physical `pages`."""
        first = address >> PAGE_SHIFT & PAGE_MASK
        stale = False
        for index, physical in enumerate(pages, first):
            stale = stale or index in self.entries
            self.entries[index] = physical, int(rights)
        if stale:
            self.flush()

    def unmap(self, address: int, count: int) -> list[int]:
        """`count` pages from `address` answer no more; the physical pages that they were."""
        first = address >> PAGE_SHIFT & PAGE_MASK
        gone = [self.entries.pop(index)[0] for index in range(first, first + count) if index in self.entries]
        self.flush()
        return gone

    def protect(self, address: int, count: int, rights: Rights) -> None:
        """Other rights for `count` pages from `address`."""
        first = address >> PAGE_SHIFT & PAGE_MASK
        for index in range(first, first + count):
            if index in self.entries:
                self.entries[index] = self.entries[index][0], int(rights)
        self.flush()

    def forget_pageable(self) -> None:
        """What processors remember of pageable pages is not to be used: the IRQL has risen, or has fallen since one was lent."""
        self.pageable_seen = False
        for index, entry in self.lent.items():
            if self.entries.get(index) == (entry[0], entry[1] & 7):  # nobody has changed it since
                self.entries[index] = entry
        self.lent.clear()
        self.flush()

    def lend(self, address: int, right: int) -> bool:
        """The page at `address` may be touched though the IRQL is raised; False where it may not, or not in that way."""
        index = address >> PAGE_SHIFT & PAGE_MASK
        entry = self.entries.get(index)
        if entry is None or not entry[1] & 16 or not entry[1] & right:
            return False
        self.lent[index] = entry
        self.entries[index] = entry[0], entry[1] & 7
        self.pageable_seen = True
        return True

    def translate(self, address: int, right: int) -> int | None:
        """The physical address behind a virtual one; None where there is none or it may not be accessed so. For looking: that a
        tolerated page is touched is not told."""
        entry = self.entries.get(address >> PAGE_SHIFT & PAGE_MASK)
        if entry is None or not entry[1] & right or (entry[1] & 24 == 8 and self.paged_out()):
            return None
        return entry[0] | address & PAGE_SIZE - 1

    def touch(self, address: int, right: int) -> int | None:
        """As `translate`, on behalf of the driver: None for a tolerated page that is not lent, too."""
        entry = self.entries.get(address >> PAGE_SHIFT & PAGE_MASK)
        if entry is None or not entry[1] & right or (entry[1] & 8 and self.paged_out()):
            return None
        return entry[0] | address & PAGE_SIZE - 1

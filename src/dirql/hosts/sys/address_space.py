"""The driver's virtual addresses: which ranges are given to what, on which physical pages, and what each was given for.

Addresses are never given twice, so that a freed range stays unmapped and an access to it is caught; between two
ranges lies at least one page that nobody has. All are kernel addresses; every run hands out the same ones.
Limits: of freed ranges what they were is told for the newest `STORIES`, and up to twice as many; older ones are caught as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from dirql.errors import NotModelled
from dirql.hosts.sys.page_table import PageTable, Rights
from dirql.hosts.sys.raised import Raised, access_violation
from dirql.kernel.irql import DISPATCH_LEVEL, irql_name
from dirql.kernel.stop import BugCheck
from dirql.machine.machine import Machine
from dirql.machine.memory import PAGE_SIZE

__all__ = ["AddressSpace", "Area", "Region"]

USER_END, KERNEL_START = 1 << 47, 0xFFFF_8000_0000_0000
STATUS_ACCESS_VIOLATION = 0xC0000005
READ_WRITE = Rights.READ | Rights.WRITE
STORIES = 1 << 16  # freed ranges that are remembered for what they were


class Area(Enum):
    """Where ranges of a kind begin; 1 TiB apart. Like x64 Windows' own, and fixed where those are random."""

    SYSTEM = 0xFFFF_F780_0000_0000
    IMAGE = 0xFFFF_F801_0000_0000
    KERNEL = 0xFFFF_F810_0000_0000
    POOL = 0xFFFF_8A80_0000_0000
    STACK = 0xFFFF_9B00_0000_0000
    DEVICE = 0xFFFF_A300_0000_0000
    BUFFER = 0xFFFF_B400_0000_0000


@dataclass(eq=False, slots=True)
class Region:
    """A range that was given out. `start` to `end` are the bytes asked for; `first` and `pages` the pages that hold them."""

    start: int
    end: int
    what: str
    first: int
    pages: int
    live: bool = True
    own: bool = True  # its physical pages are given back with it
    tag: int = 0  # of pool
    special: bool = False  # pool: a fault beside it, or in it once it is freed, is told as special pool tells it


class AddressSpace:
    """Ranges over a page table."""

    def __init__(self, machine: Machine, pages: PageTable) -> None:
        self.machine = machine
        self.memory = machine.memory
        self.pages = pages
        self._next = {area: area.value for area in Area}
        self._starts: list[int] = []
        self._regions: list[Region] = []
        self._freed: deque[Region] = deque()  # the oldest first
        self.tolerates: Callable[[int, int], bool] = lambda address, access: False  # asked before an access is a fault: note it

    def reserve(self, area: Area, count: int) -> int:
        """The address of `count` fresh pages with nothing behind them, and a page that stays empty on either side."""
        address = self._next[area]
        self._next[area] = address + (count + 2) * PAGE_SIZE
        return address + PAGE_SIZE

    def allocate(self, area: Area, length: int, what: str, rights: Rights = READ_WRITE, *, at_end: bool = False) -> Region:
        """`length` zeroed bytes on pages of their own; `at_end` lets them end (to 16 bytes) where the last page does."""
        count = max(-(-length // PAGE_SIZE), 1)
        first = self.reserve(area, count)
        self.pages.map(first, self.memory.allocate_pages(count), rights)
        start = first + (count * PAGE_SIZE - (length + 15 & ~15) if at_end else 0)
        return self._keep(Region(start, start + length, what, first, count))

    def place(self, area: Area, pages: Sequence[int], offset: int, length: int, what: str, rights: Rights = READ_WRITE) -> Region:
        """`pages` that are somebody's already, under addresses of their own."""
        first = self.reserve(area, len(pages))
        self.pages.map(first, pages, rights)
        return self._keep(Region(first + offset, first + offset + length, what, first, len(pages), own=False))

    def place_at(self, address: int, length: int, what: str, rights: Rights = READ_WRITE) -> Region:
        """Fresh pages at an address that is fixed."""
        count = -(-length // PAGE_SIZE)
        self.pages.map(address, self.memory.allocate_pages(count), rights)
        return self._keep(Region(address, address + length, what, address, count))

    def free(self, region: Region) -> None:
        """Its addresses answer no more."""
        region.live = False
        gone = self.pages.unmap(region.first, region.pages)
        if region.own:
            self.memory.free_pages(gone)
        self._freed.append(region)
        if len(self._freed) == 2 * STORIES:
            self._forget_half()

    def region(self, address: int) -> Region | None:
        """The range, live or freed, that `address` lies in or next to (in its pages or the empty one on either side)."""
        index = bisect_right(self._starts, address + PAGE_SIZE) - 1
        if index < 0:
            return None
        region = self._regions[index]
        return region if address < region.first + (region.pages + 1) * PAGE_SIZE else None

    def exactly(self, address: int) -> Region | None:
        """The range that begins at `address`."""
        region = self.region(address)
        return region if region is not None and region.start == address else None

    def forgotten(self, address: int) -> bool:
        """A range that is not remembered any more was there, or next to it."""
        area = max((area for area in Area if area.value <= address), key=lambda area: area.value, default=None)
        return area is not None and address < self._next[area] and self.region(address) is None

    # What routines do with the driver's memory.

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes; bugcheck where the driver's own access would be one."""
        physical = self.pages.touch(address, 1)
        if physical is not None and (address & PAGE_SIZE - 1) + size <= PAGE_SIZE and physical < self.memory.size:
            return self.memory.view[physical : physical + size].tobytes()
        parts = []
        while size:
            part = min(size, PAGE_SIZE - (address & PAGE_SIZE - 1))
            physical = self.pages.touch(address, 1)
            if physical is None:
                if self.tolerates(address, 1):
                    continue
                self.fault(address, 1)
            if physical >= self.memory.size:
                self._refuse(address)
            parts.append(self.memory.read(physical, part))
            address += part
            size -= part
        return b"".join(parts)

    def peek(self, address: int, size: int) -> bytes:
        """`size` bytes, or fewer where memory ends: for looking at what may not be there."""
        parts = []
        while size > 0:
            part = min(size, PAGE_SIZE - (address & PAGE_SIZE - 1))
            physical = self.pages.translate(address, 1)
            if physical is None or physical >= self.memory.size:
                break
            parts.append(self.memory.read(physical, part))
            address += part
            size -= part
        return b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        """Store `data`; bugcheck where the driver's own access would be one."""
        while data:
            part = data[: PAGE_SIZE - (address & PAGE_SIZE - 1)]
            physical = self.pages.touch(address, 2)
            if physical is None:
                if self.tolerates(address, 2):
                    continue
                self.fault(address, 2)
            if physical >= self.memory.size:
                self._refuse(address)
            self.memory.write(physical, part)
            address += len(part)
            data = data[len(part) :]

    def _refuse(self, address: int) -> NoReturn:
        raise NotModelled(f"a routine was given {address:#x}: {self.describe(address)}; dirql's routines use memory only; "
                          "copy it first, as with READ_REGISTER_BUFFER_ULONG")  # fmt: skip

    def fault(self, address: int, access: int, rip: int = 0, *, in_driver: bool = False) -> NoReturn:
        """The bugcheck that the access is (facts §5.2); `access` as in `Rights`."""
        raise self.bugcheck(address, access, rip, in_driver=in_driver)

    def bugcheck(self, address: int, access: int, rip: int, *, in_driver: bool) -> BugCheck:
        """0xD1 in a driver and 0xA in the kernel from DISPATCH_LEVEL on, 0x50 below (0xBE for a write that is not allowed,
        0xFC for executing what is no code)."""
        irql = self.machine.cpu.irql
        why = f"{ACCESS[access]} {address:#x}: {self.describe(address)}"
        if USER_END <= address < KERNEL_START:
            return Raised(STATUS_ACCESS_VIOLATION, rip, (0, (1 << 64) - 1), why=why)
        if address < USER_END and irql < DISPATCH_LEVEL:
            return access_violation(access, address, rip, why)
        mapped = self.pages.translate(address, 7) is not None
        region = None if mapped else self.region(address)
        live = region is not None and region.live
        if not mapped and self._is_special(address, region):
            code = (0xD6 if live else 0xD5) if in_driver else (0xCD if live else 0xCC)
            return BugCheck(code, address, int(access == 2), rip, why=why)
        if mapped and access == 4:
            return BugCheck(0xFC, address, 0, 0, 2, why=why)
        if mapped and access == 2:
            return BugCheck(0xBE, address, 0, 0, 0xA, why=why)
        if irql >= DISPATCH_LEVEL:
            if in_driver:
                return BugCheck(0xD1, address, irql, {1: 0, 2: 1, 4: 8}[access], rip, why=why)
            return BugCheck(0x0A, address, irql, {1: 0, 2: 1, 4: 8}[access], rip, why=why)
        return BugCheck(0x50, address, {1: 0, 2: 2, 4: 0x10}[access], rip, 0, why=why)

    def describe(self, address: int) -> str:
        """What is known of an address that may not be accessed."""
        if address < PAGE_SIZE:
            return "a NULL pointer"
        if address < 1 << 47:
            return "a user-mode address, and no process is attached"
        if address < 0xFFFF_8000_0000_0000:
            return "no canonical address"
        region = self.region(address)
        if region is None:
            return LONG_GONE if self.forgotten(address) else "nothing was ever there"
        size = region.end - region.start
        if address < region.start:
            place = f"{region.start - address:#x} bytes before"
        elif address >= region.end:
            place = f"{address - region.end:#x} bytes past the end of"
        else:
            place = f"{address - region.start:#x} bytes into"
        text = f"{place} {region.what} of {size:#x} bytes at {region.start:#x}"
        if not region.live:
            return f"{text}, which was freed"
        paged_out = region.start <= address < region.end and self.pages.translate(address, 1) is None and self.pages.paged_out()
        return f"{text}, which is pageable, and the IRQL is {irql_name(self.machine.cpu.irql)}" if paged_out else text

    def _is_special(self, address: int, region: Region | None) -> bool:
        """Beside a block of special pool, in a freed one, or in pool that was freed so long ago that it is in no range."""
        if region is None:
            return Area.POOL.value <= address < self._next[Area.POOL]
        return region.special and not (region.live and region.start <= address < region.end)

    def _forget_half(self) -> None:
        gone = [self._freed.popleft() for _ in range(STORIES)]
        numbers = set(map(id, gone))
        self._regions = [region for region in self._regions if id(region) not in numbers]
        self._starts = [region.first for region in self._regions]

    def _keep(self, region: Region) -> Region:
        index = bisect_right(self._starts, region.first)
        self._starts.insert(index, region.first)
        self._regions.insert(index, region)
        return region


ACCESS = {1: "reads", 2: "writes", 4: "executes"}
LONG_GONE = f"what was there was freed long ago (dirql remembers the last {STORIES:,} that were freed)"


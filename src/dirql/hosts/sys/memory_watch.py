"""Tells the machine's watch of each access of a driver image's instructions to memory, by physical address and length.

What a `lock` prefix or `xchg` makes one step is no access to data but an interlocked operation: it puts what was done before it
in order with what is done after a later one at the same address, as do the interlocked lists of the kernel.
A hook in the emulator at every access is slow, so it is there only where somebody asks for it; it notes and stops nothing.
Limits: stacks are not looked at, so data that a thread lends another context on its stack is not either. A plain `mov` is a plain
access whatever it was in C: ReadAcquire, WriteRelease and `volatile` put nothing in order. What dirql's own routines do with the
driver's memory is not told.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType
from weakref import proxy

from dirql.findings import TELLERS
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.page_table import PAGE_SHIFT
from dirql.machine.watch import Variable

__all__ = ["MemoryWatch"]

WRITE = 17  # UC_MEM_WRITE
WATCHED = frozenset(area.value >> 40 for area in (Area.IMAGE, Area.POOL, Area.BUFFER))
CANONICAL = 0xFFFF << 48
PREFIXES = frozenset((0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0x66, 0x67, *range(0x40, 0x50)))
LOCK, XCHG = 0xF0, (0x86, 0x87)
LONGEST = 15  # bytes of an instruction


class MemoryWatch:
    """Of a guest whose driver is not loaded yet."""

    def __init__(self, guest: Guest) -> None:
        self.guest: Guest = proxy(guest)
        self.machine = guest.machine
        self._interlocked: dict[int, bool] = {}  # by the instruction's address
        self._pages: dict[int, int] = {}  # virtual page by physical page; 0 for one that nobody watches
        guest.machine.memory.freed.append(self._freed)
        guest.processor.tell_memory(self.accessed)

    def accessed(self, rip: int, access: int, physical: int, size: int) -> None:
        """An instruction reads or writes memory."""
        watch = self.machine.watch
        if watch is None or not self._watched(physical >> PAGE_SHIFT):
            return
        if self._is_interlocked(rip):
            variable = Variable(self.machine.memory, physical)
            if access == WRITE:
                watch.release(variable)
            else:
                watch.acquire(variable)
        elif access == WRITE:
            watch.write(self.machine.memory, (physical, size))
        else:
            watch.read(self.machine.memory, (physical, size))

    def name(self, physical: int) -> str:
        """What a physical address is to the driver."""
        page = self._virtual(physical >> PAGE_SHIFT)
        if not page:
            return f"physical address {physical:#x}"
        address = page << PAGE_SHIFT | CANONICAL | physical & (1 << PAGE_SHIFT) - 1
        image = next((image for image in self.guest.images if address in image), None)
        if image is not None:
            return str(image.words(address))
        region = self.guest.space.region(address)
        if region is None:
            return f"{address:#x}"
        return f"offset {address - region.start:#x} of {region.what}"

    def _watched(self, page: int) -> bool:
        known = self._pages.get(page)
        if known is None:
            known = self._virtual(page)
            if (known << PAGE_SHIFT | CANONICAL) >> 40 not in WATCHED:
                known = 0
            self._pages[page] = known
        return bool(known)

    def _virtual(self, page: int) -> int:
        """The lowest virtual page over it that is watched, else any; 0 for none."""
        entries = self.guest.pages.entries
        found = [virtual for virtual, (physical, _) in entries.items() if physical >> PAGE_SHIFT == page]
        return min(found, key=lambda one: ((one << PAGE_SHIFT | CANONICAL) >> 40 not in WATCHED, one), default=0)

    def _is_interlocked(self, rip: int) -> bool:
        known = self._interlocked.get(rip)
        if known is None:
            known = self._interlocked[rip] = is_interlocked(self.guest.space.peek(rip, LONGEST))
        return known

    def _freed(self, pages: Iterable[int]) -> None:
        for address in pages:
            self._pages.pop(address >> PAGE_SHIFT, None)


def is_interlocked(code: bytes) -> bool:
    """The instruction accesses memory in one step: it has a `lock` prefix, or is `xchg`."""
    for byte in code:
        if byte == LOCK:
            return True
        if byte not in PREFIXES:
            return byte in XCHG
    return False


def _place(frame: FrameType) -> str:
    watch, rip = frame.f_locals["self"], frame.f_locals["rip"]
    return str(watch.guest.words(rip))


TELLERS[MemoryWatch.accessed.__code__] = _place

"""Memory of the kernel's and the framework's under addresses of the driver's: the same physical pages, so that a driver and
a device that moves data by DMA see one memory; and the way back, from a driver's address or MDL to the pages.

A buffer has one address for as long as its pages are somebody's. When they go back to the machine, its address and its MDL
answer no more, and a driver that still uses them meets a fault that names them. What is left of the pages of a buffer of
pool holds a pattern that is looked at then: bugcheck 0xC1, as special pool has it.
Of an MDL the structure in the driver's memory is authoritative: it is read again at each use, with the page frame numbers
behind it.
Limits: chained MDLs are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import maxsize
from typing import TYPE_CHECKING

from dirql.errors import NotModelled
from dirql.hosts.sys.address_space import AddressSpace, Area, Region
from dirql.hosts.sys.nt_structs import MDL
from dirql.kernel.mdl import Buffer, Mdl
from dirql.kernel.stop import BugCheck
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["MDL_MAPPED_TO_SYSTEM_VA", "MDL_PAGES_LOCKED", "MDL_SOURCE_IS_NONPAGED_POOL", "DriverBuffer", "Mappings"]

MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_SOURCE_IS_NONPAGED_POOL = 1, 2, 4  # MDL.MdlFlags
PFN = 8  # bytes of a page frame number
SLACK = b"\xf5"  # what fills the rest of the pages
CORRUPTION = 0xC1


class DriverBuffer:
    """A buffer in memory of the driver's own, by its address: indexed like `Buffer`; bugcheck where nothing is there."""

    __slots__ = ("address", "length", "space")

    def __init__(self, space: AddressSpace, address: int, length: int) -> None:
        self.space, self.address, self.length = space, address, min(length, maxsize)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, where: slice) -> bytes:
        start, stop, _ = where.indices(self.length)
        return self.space.read(self.address + start, max(stop - start, 0))

    def __setitem__(self, where: slice, data: bytes) -> None:
        start, _, _ = where.indices(self.length)
        self.space.write(self.address + start, data)

    def __repr__(self) -> str:
        return f"<the driver's buffer of {self.length:#x} bytes at {self.address:#x}>"


class _Placement:
    """Pages that a driver has an address of, and the MDLs that describe parts of them."""

    __slots__ = ("base", "mdls", "pages", "region")

    def __init__(self, region: Region, pages: tuple[int, ...]) -> None:
        self.region, self.pages = region, pages
        self.base = region.first
        self.mdls: dict[tuple[int, int], Region] = {}  # by offset and length


class Mappings:
    """`guest.part(Mappings)`: who wants a driver to see a buffer asks here for its address."""

    def __init__(self, guest: Guest) -> None:
        self._space = guest.space
        self._by_page: dict[int, list[_Placement]] = {}  # by the first page of each
        guest.machine.memory.freed.append(self._freed)

    def address(self, buffer: Buffer | Mdl | DriverBuffer, what: str = "a buffer", *, pool: bool = False) -> int:
        """Where a driver finds the bytes; the same each time. Of `pool`: a fault beside them is told as special pool's."""
        if isinstance(buffer, DriverBuffer):
            return buffer.address
        mdl = buffer.mdl if isinstance(buffer, Buffer) else buffer
        return self._placement(mdl.pages, mdl.byte_offset, mdl.allocated, what, pool).base + mdl.byte_offset

    def contiguous(self, physical: int, length: int, what: str) -> int:
        """The same for `length` bytes from a physical address."""
        first = physical & ~(PAGE_SIZE - 1)
        pages = tuple(range(first, physical + length, PAGE_SIZE))
        return self._placement(pages, physical - first, length, what).base + physical - first

    def mdl(self, mdl: Mdl, what: str = "a buffer", flags: int = MDL_MAPPED_TO_SYSTEM_VA | MDL_PAGES_LOCKED) -> int:
        """The address of a MDL structure that describes the buffer, which is mapped; the same each time."""
        placement = self._placement(mdl.pages, mdl.byte_offset, mdl.allocated, what)
        key = mdl.byte_offset, mdl.byte_count
        region = placement.mdls.get(key)
        if region is None:
            count = -(-(mdl.byte_offset + mdl.byte_count) // PAGE_SIZE)
            size = MDL.size + PFN * count
            region = placement.mdls[key] = self._space.allocate(Area.BUFFER, size, f"the MDL of {what}", at_end=True)
            MDL(self._space, region.start).store(
                Size=size, MdlFlags=flags, MappedSystemVa=placement.base + mdl.byte_offset, StartVa=placement.base,
                ByteCount=mdl.byte_count, ByteOffset=mdl.byte_offset,
            )  # fmt: skip
            numbers = b"".join((page // PAGE_SIZE).to_bytes(PFN, "little") for page in mdl.pages[:count])
            self._space.write(region.start + MDL.size, numbers)
        return region.start

    def mdl_at(self, address: int) -> Mdl:
        """What the MDL structure there describes."""
        space = self._space
        given = MDL(space, address).load()
        if given.Next:
            raise NotModelled(f"the MDL at {address:#x} is chained to another at {given.Next:#x}; pass one MDL at a time")
        count = -(-(given.ByteOffset + given.ByteCount) // PAGE_SIZE)
        numbers = space.read(address + MDL.size, PFN * count)
        pages = [int.from_bytes(numbers[i : i + PFN], "little") * PAGE_SIZE for i in range(0, len(numbers), PFN)]
        return Mdl(space.memory, pages, given.ByteOffset & PAGE_SIZE - 1, given.ByteCount)

    def pages_at(self, address: int, length: int) -> Mdl:
        """The pages behind a range of the driver's addresses; bugcheck where nothing is there."""
        space, first = self._space, address & ~(PAGE_SIZE - 1)
        pages = []
        for page in range(first, address + length, PAGE_SIZE):
            physical = space.pages.translate(page, 1)
            if physical is None:
                space.fault(max(page, address), 1)
            pages.append(physical)
        return Mdl(space.memory, pages, address - first, length)

    def _placement(self, pages: Sequence[int], offset: int, length: int, what: str, pool: bool = False) -> _Placement:
        wanted = tuple(pages)
        known = self._by_page.setdefault(wanted[0], [])
        for placement in known:
            if placement.pages == wanted:
                return placement
        region = self._space.place(Area.BUFFER, wanted, offset, length, what)
        region.special = pool
        for start, end in _slack(region) if pool else ():
            self._space.write(start, SLACK * (end - start))
        known.append(_Placement(region, wanted))
        return known[-1]

    def _freed(self, pages: Iterable[int]) -> None:
        for page in pages:
            for placement in self._by_page.pop(page, ()):
                if placement.region.special:
                    self._look_at_slack(placement.region)
                self._space.free(placement.region)
                for region in placement.mdls.values():
                    self._space.free(region)

    def _look_at_slack(self, region: Region) -> None:
        for start, end in _slack(region):
            data = self._space.peek(start, end - start)
            if data.strip(SLACK):
                place = start + len(data) - len(data.lstrip(SLACK))
                after = start >= region.end
                where = f"{place - region.end:#x} bytes past its end" if after else f"{region.start - place:#x} bytes before it"
                size = f"{region.end - region.start:#x}"
                why = f"{region.what} of {size} bytes at {region.start:#x} is freed, and {place:#x}, {where}, was overwritten"
                raise BugCheck(CORRUPTION, region.start, place, 0, 0x23 if after else 0x22, why=why)


def _slack(region: Region) -> list[tuple[int, int]]:
    return [(region.first, region.start), (region.end, region.first + region.pages * PAGE_SIZE)]

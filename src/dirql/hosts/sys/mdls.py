"""Memory descriptor lists that a driver allocates: MDL structures in its memory (wdm.h), each followed by its page frame
numbers.

The structure is authoritative for every field: macros of the header read and write it, so it is read again at each use.
Flag values are those of wdm.h. What a misused MDL does on Windows is not documented: the bugchecks here are a model choice.
Limits: no user-mode addresses and no user-mode mappings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from dirql.errors import NotModelled
from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.nt_structs import MDL
from dirql.hosts.sys.page_table import Rights
from dirql.hosts.sys.pool import Pool
from dirql.kernel.stop import BugCheck
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Mdls", "pages_spanned"]

# fmt: off
MAPPED_TO_SYSTEM_VA      = 0x0001
PAGES_LOCKED             = 0x0002
SOURCE_IS_NONPAGED_POOL  = 0x0004
ALLOCATED_FIXED_SIZE     = 0x0008
PARTIAL                  = 0x0010
PARTIAL_HAS_BEEN_MAPPED  = 0x0020
WRITE_OPERATION          = 0x0080
PARENT_MAPPED_SYSTEM_VA  = 0x0100
# fmt: on
FIXED_PAGES = 0x17  # MDLs up to this size come from a look-aside list
PFN = 8
USER_MODE = 1
TAG = int.from_bytes(b"Mdl ", "little")
NO_WRITE, NO_EXECUTE = 0x8000_0000, 0x4000_0000  # MdlMappingNoWrite, MdlMappingNoExecute: in the priority


def pages_spanned(address: int, length: int) -> int:
    """ADDRESS_AND_SIZE_TO_SPAN_PAGES."""
    return ((address & PAGE_SIZE - 1) + length + PAGE_SIZE - 1) // PAGE_SIZE


class Mdls:
    """`guest.part(Mdls)`: the driver's own MDLs and what they are mapped to."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._space = guest.space
        self._mine: dict[int, Region] = {}  # the structures, by address
        self._mapped: dict[int, Region] = {}  # views of their pages, by the address that was handed out
        self.of_pages: set[int] = set()  # structures that MmAllocatePagesForMdlEx made and whose pages it gave

    # The structure.

    def new(self, address: int, length: int, *, pool: bool = False) -> MDL:
        """MmInitializeMdl over a structure of its own, with room for the page frame numbers; from `pool` if ExFreePool is to
        take it back."""
        count = pages_spanned(address, length)
        size = MDL.size + PFN * max(count, 1)
        if pool:
            view = MDL(self._space, self._guest.part(Pool).allocate(size, TAG, zero=True))
            if not view.address:
                return view
        else:
            region = self._space.allocate(Area.POOL, size, f"an MDL for {length:#x} bytes", at_end=True)
            self._mine[region.start] = region
            view = MDL(self._space, region.start)
        flags = ALLOCATED_FIXED_SIZE if count <= FIXED_PAGES else 0
        view.store(Size=MDL.size + PFN * count & 0x7FFF, MdlFlags=flags, StartVa=address & ~(PAGE_SIZE - 1), ByteCount=length,
                   ByteOffset=address & PAGE_SIZE - 1)  # fmt: skip
        return view

    def free(self, mdl: MDL) -> None:
        """IoFreeMdl: a partial MDL that was mapped is unmapped with it."""
        if mdl.address in self._guest.part(Pool).blocks:
            self._guest.part(Pool).free(mdl.address)
            return
        region = self._mine.get(mdl.address)
        if region is None or not region.live:
            raise BugCheck(0xC2, 7, 0, 0, mdl.address, why=f"IoFreeMdl of {mdl.address:#x}: "
                           f"{self._space.describe(mdl.address)}; it is no MDL of IoAllocateMdl's")  # fmt: skip
        if mdl.MdlFlags & PARTIAL_HAS_BEEN_MAPPED:
            self.unmap(mdl.MappedSystemVa, mdl)
        del self._mine[mdl.address]
        self._space.free(region)

    def frames(self, mdl: MDL) -> list[int]:
        """The physical pages that the numbers behind the structure name."""
        count = pages_spanned(mdl.ByteOffset, mdl.ByteCount)
        numbers = self._space.read(mdl.address + MDL.size, PFN * count)
        return [int.from_bytes(numbers[at : at + PFN], "little") * PAGE_SIZE for at in range(0, len(numbers), PFN)]

    def put_frames(self, mdl: MDL, pages: Sequence[int]) -> None:
        """Writes the numbers."""
        self._space.write(mdl.address + MDL.size, b"".join((page // PAGE_SIZE).to_bytes(PFN, "little") for page in pages))

    # What routines make of it.

    def build_for_nonpaged_pool(self, mdl: MDL) -> None:
        """MmBuildMdlForNonPagedPool."""
        self.put_frames(mdl, self._resident(mdl, 1))
        mdl.MappedSystemVa = mdl.StartVa + mdl.ByteOffset
        mdl.MdlFlags = (mdl.MdlFlags | SOURCE_IS_NONPAGED_POOL) & 0x7FFF

    def lock(self, mdl: MDL, *, writes: bool) -> None:
        """MmProbeAndLockPages."""
        if mdl.MdlFlags & (PAGES_LOCKED | MAPPED_TO_SYSTEM_VA | SOURCE_IS_NONPAGED_POOL | PARTIAL):
            self.misused(mdl, "MmProbeAndLockPages", "is locked, mapped, partial or of nonpaged pool already")
        self.put_frames(mdl, self._resident(mdl, 2 if writes else 1))
        mdl.MdlFlags |= PAGES_LOCKED | (WRITE_OPERATION if writes else 0)

    def unlock(self, mdl: MDL) -> None:
        """MmUnlockPages: a mapping goes with it."""
        if not mdl.MdlFlags & PAGES_LOCKED or mdl.MdlFlags & (SOURCE_IS_NONPAGED_POOL | PARTIAL):
            self.misused(mdl, "MmUnlockPages", "has no pages of its own locked")
        if mdl.MdlFlags & MAPPED_TO_SYSTEM_VA:
            self.unmap(mdl.MappedSystemVa, mdl)
        mdl.MdlFlags &= ~(PAGES_LOCKED | WRITE_OPERATION)

    def map(self, mdl: MDL, mode: int, priority: int) -> int:
        """MmMapLockedPagesSpecifyCache."""
        if mode == USER_MODE:
            raise NotModelled("MmMapLockedPagesSpecifyCache with UserMode: dirql has no user processes; map for KernelMode")
        if not mdl.MdlFlags & (PAGES_LOCKED | PARTIAL):
            self.misused(mdl, "MmMapLockedPagesSpecifyCache", "has no pages locked")
        rights = Rights.READ
        rights |= Rights.NONE if priority & NO_WRITE else Rights.WRITE
        rights |= Rights.NONE if priority & NO_EXECUTE else Rights.EXECUTE
        region = self._space.place(Area.BUFFER, self.frames(mdl), mdl.ByteOffset, mdl.ByteCount, "a mapping of an MDL", rights)
        self._mapped[region.start] = region
        mdl.MappedSystemVa = region.start
        mdl.MdlFlags |= MAPPED_TO_SYSTEM_VA | (PARTIAL_HAS_BEEN_MAPPED if mdl.MdlFlags & PARTIAL else 0)
        return region.start

    def unmap(self, address: int, mdl: MDL) -> None:
        """MmUnmapLockedPages."""
        region = self._mapped.pop(address, None)
        if region is None:
            raise BugCheck(0xDA, 0, address, mdl.address, 0, why=f"MmUnmapLockedPages of {address:#x}, where no MDL is mapped")
        self._space.free(region)
        mdl.MdlFlags &= ~(MAPPED_TO_SYSTEM_VA | PARTIAL_HAS_BEEN_MAPPED)

    def protect(self, mdl: MDL, rights: Rights) -> bool:
        """MmProtectMdlSystemAddress."""
        region = self._mapped.get(mdl.MappedSystemVa) if mdl.MdlFlags & MAPPED_TO_SYSTEM_VA else None
        if region is not None:
            self._guest.pages.protect(region.first, region.pages, rights)
        return region is not None

    def build_partial(self, source: MDL, target: MDL, address: int, length: int) -> None:
        """IoBuildPartialMdl: `length` 0 is the rest of the source from `address` on."""
        start = source.StartVa + source.ByteOffset
        offset = address - start
        if not 0 <= offset <= source.ByteCount or offset + length > source.ByteCount:
            self.misused(source, "IoBuildPartialMdl", f"describes {source.ByteCount:#x} bytes at {start:#x}, and "
                          f"{length:#x} from {address:#x} are asked for")  # fmt: skip
        length = length or source.ByteCount - offset
        first = source.ByteOffset + offset
        pages = self.frames(source)[first // PAGE_SIZE :][: pages_spanned(first, length)]
        room = self._room(target)
        if len(pages) > room:
            raise BugCheck(0x40, why=f"IoBuildPartialMdl: the target MDL has room for {room} pages and {len(pages)} are needed")
        target.StartVa, target.ByteOffset, target.ByteCount = address & ~(PAGE_SIZE - 1), first & PAGE_SIZE - 1, length
        self.put_frames(target, pages)
        flags = target.MdlFlags & ALLOCATED_FIXED_SIZE | PARTIAL
        if source.MdlFlags & (MAPPED_TO_SYSTEM_VA | SOURCE_IS_NONPAGED_POOL):
            flags |= source.MdlFlags & SOURCE_IS_NONPAGED_POOL | PARENT_MAPPED_SYSTEM_VA | MAPPED_TO_SYSTEM_VA
            target.MappedSystemVa = source.MappedSystemVa + offset
        target.MdlFlags = flags

    def _room(self, mdl: MDL) -> int:
        return int(mdl.Size - MDL.size) // PFN

    def _resident(self, mdl: MDL, right: int) -> list[int]:
        pages = []
        for index in range(pages_spanned(mdl.ByteOffset, mdl.ByteCount)):
            physical = self._guest.pages.translate(mdl.StartVa + index * PAGE_SIZE, right)
            if physical is None or physical >= self._space.memory.size:
                self._space.fault(mdl.StartVa + index * PAGE_SIZE + (0 if index else mdl.ByteOffset), right)
            pages.append(physical)
        return pages

    def misused(self, mdl: MDL, routine: str, what: str) -> NoReturn:
        """The bugcheck of an MDL that is not in the state that a routine needs."""
        raise BugCheck(0x4E, 0x99, mdl.address, mdl.MdlFlags, 0, why=f"{routine}: the MDL at {mdl.address:#x} {what}")

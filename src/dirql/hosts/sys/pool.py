"""Pool as special pool gives it: every block on pages of its own, so that a mistake is caught at the instruction that makes it.

A block of less than a page ends (to 16 bytes) where its page does, and the page behind it is empty; a larger one begins on a
page, as Windows promises. With `underrun` every block begins where a page does, and the page before it is empty. What is left
of the pages holds a pattern that is looked at when the block is freed. Freed addresses are never given out again. Model choice:
every allocation is like this, as with Driver Verifier's special pool, tracking and IRQL checks on every driver; Windows without
it notices less, and later. An access before a block has the code of one behind it (model choice).
Bugchecks (facts §5.2, the debugger's pages): 0xCD and 0xD6 behind a block, 0xCC and 0xD5 in a freed one, 0xC1 for a pattern that
changed, 0xC2 for a bad free, 0xC4 for what is asked for in a wrong way, 0xD1 for paged pool at DISPATCH_LEVEL.

Limits: no quotas, no sessions, no cache alignment beyond 16 bytes; a paged block is in memory below DISPATCH_LEVEL; a read of
what is left of the pages is not seen, nor does real special pool see it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.page_table import Rights
from dirql.hosts.sys.raising import raise_status
from dirql.kernel.irql import APC_LEVEL, DISPATCH_LEVEL
from dirql.kernel.stop import BugCheck
from dirql.machine.machine import Machine
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["POOL_FLAG", "Allocation", "Pool"]

BAD_POOL_CALLER, VERIFIER, CORRUPTION = 0xC2, 0xC4, 0xC1
SLACK = 0xF5  # what fills the rest of the pages
FRESH = bytes.fromhex("0df0adba")  # 0xBAADF00D: what a block holds that nobody zeroed
NONE = 0x454E_4F4E  # the tag "None", of blocks without one
LARGEST = 1 << 40

# POOL_TYPE
PAGED, NX, RAISE = 1, 0x200, 0x10


class POOL_FLAG:
    """POOL_FLAGS of ExAllocatePool2."""

    USE_QUOTA = 0x01
    UNINITIALIZED = 0x02
    SESSION = 0x04
    CACHE_ALIGNED = 0x08
    RAISE_ON_FAILURE = 0x20
    NON_PAGED = 0x40
    NON_PAGED_EXECUTE = 0x80
    PAGED = 0x100


@dataclass(eq=False, slots=True)
class Allocation:
    """A block: where, how large, whose. `caller` is where the driver asked for it."""

    address: int
    size: int
    tag: int
    paged: bool
    caller: int
    region: Region

    @property
    def name(self) -> str:
        """The tag as it is written in the driver's source, first character first."""
        return tag_text(self.tag)

    def __str__(self) -> str:
        kind = "paged" if self.paged else "nonpaged"
        return f"{self.size:#x} bytes of {kind} pool with tag '{self.name}' at {self.address:#x}"


class Pool:
    """`guest.part(Pool)`: every block that drivers have."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.machine: Machine = guest.machine
        self.blocks: dict[int, Allocation] = {}
        self.underrun = guest.framework.verifier.underrun  # what lies before a block is caught at once, not what lies behind it

    @ddi("ExAllocatePoolWithTag")
    def allocate_with_tag(self, pool_type: int, size: int, tag: int) -> int:
        """ExAllocatePoolWithTag: the address of `size` bytes that hold anything, 0 when there is no memory."""
        block = self.allocate(size, tag, paged=bool(pool_type & PAGED), execute=not pool_type & (PAGED | NX), pool_type=pool_type)
        if not block and pool_type & RAISE:
            raise_status(self.guest, ntstatus.STATUS_INSUFFICIENT_RESOURCES, "ExAllocatePoolWithTag")
        return block

    @ddi("ExAllocatePool2")
    def allocate2(self, flags: int, size: int, tag: int) -> int:
        """ExAllocatePool2: zeroed unless POOL_FLAG_UNINITIALIZED; NULL (or an exception, if that was asked for) for a size or tag
        of 0 and for flags that name no pool or two."""
        kinds = flags & (POOL_FLAG.NON_PAGED | POOL_FLAG.NON_PAGED_EXECUTE | POOL_FLAG.PAGED)
        block = 0
        if size and tag and kinds and not kinds & kinds - 1:
            block = self.allocate(
                size, tag, paged=kinds == POOL_FLAG.PAGED, execute=kinds == POOL_FLAG.NON_PAGED_EXECUTE,
                zero=not flags & POOL_FLAG.UNINITIALIZED, pool_type=int(kinds == POOL_FLAG.PAGED),
            )  # fmt: skip
            status = ntstatus.STATUS_INSUFFICIENT_RESOURCES
        else:
            status = ntstatus.STATUS_INVALID_PARAMETER
        if not block and flags & POOL_FLAG.RAISE_ON_FAILURE:
            raise_status(self.guest, status, "ExAllocatePool2")
        return block

    @ddi("ExFreePoolWithTag")
    def free_with_tag(self, address: int, tag: int) -> None:
        """ExFreePoolWithTag; a tag of 0 fits every block."""
        self.free(address, tag)

    @ddi("ExFreePool")
    def free_untagged(self, address: int) -> None:
        """ExFreePool."""
        self.free(address)

    def allocate(
        self, size: int, tag: int, *, paged: bool = False, execute: bool = False, zero: bool = False, pool_type: int = 0
    ) -> int:
        """The address of a block, 0 when there is no memory; for routines that allocate for the driver too."""
        irql = self.machine.cpu.irql
        text = f"{size:#x} bytes of {'paged' if paged else 'nonpaged'} pool with tag '{tag_text(tag)}'"
        if not size:
            raise BugCheck(VERIFIER, 0, irql, pool_type, 0, why=f"{text} are asked for: a block of no size")
        if irql > (APC_LEVEL if paged else DISPATCH_LEVEL):
            raise BugCheck(VERIFIER, 1 if paged else 2, irql, pool_type, size, why=f"{text} are asked for at IRQL {irql}")
        fails = self.machine.fails
        region = self._region(size, tag, paged, execute) if fails is None or not fails("pool") else None
        if region is None:
            return 0
        if not zero:
            self.guest.space.write(region.start, (FRESH * (size // 4 + 1))[:size])
        self.blocks[region.start] = Allocation(region.start, size, tag, paged, calling_code(self.guest), region)
        return region.start

    def free(self, address: int, tag: int = 0) -> None:
        """The block is gone; bugchecks for what is none."""
        block = self.blocks.get(address)
        if block is None:
            self._refuse(address)
        irql = self.machine.cpu.irql
        if irql > (APC_LEVEL if block.paged else DISPATCH_LEVEL):
            raise BugCheck(VERIFIER, 0x11 if block.paged else 0x12, irql, int(block.paged), address,
                           why=f"{block} are freed at IRQL {irql}")  # fmt: skip
        if tag and tag != block.tag:
            raise BugCheck(BAD_POOL_CALLER, 0x0A, address, block.tag, tag, why=f"{block} are freed with tag '{tag_text(tag)}'")
        self._look_at_slack(block)
        self.guest.part(KernelObjects).forget(address, address + block.size)
        del self.blocks[address]
        self.guest.space.free(block.region)

    def leaks(self, driver: Any) -> list[Allocation]:
        """Blocks that the image of `driver` asked for and has not freed."""
        return [block for block in self.blocks.values() if block.caller in driver.loaded]

    def tell_leaks(self, driver: Any) -> None:
        """What Driver Verifier stops with at unload (0xC4, 0x62), as a finding; a block that was written past is told first."""
        machine = self.guest.machine
        for block in self.leaks(driver):
            self._look_at_slack(block)
            size = block.region.end - block.region.start
            sentence = f"{driver.name} is unloaded and leaves {size:#x} bytes of pool with the tag '{block.name}' behind"
            machine.note_finding("pool-leak", sentence, self.guest.words(block.caller, returning=True))

    def _region(self, size: int, tag: int, paged: bool, execute: bool) -> Region | None:
        rights = Rights.READ | Rights.WRITE
        rights |= Rights.PAGEABLE if paged else 0
        rights |= Rights.EXECUTE if execute else 0
        what = sys.intern(f"the {'paged' if paged else 'nonpaged'} pool block '{tag_text(tag)}'")  # there may be millions
        space = self.guest.space
        if size > LARGEST:
            return None
        try:
            region = space.allocate(Area.POOL, size, what, rights, at_end=size < PAGE_SIZE and not self.underrun)
        except MemoryError:
            return None
        region.special, region.tag = True, tag
        for start, end in self._slack(region):
            space.write(start, bytes([SLACK]) * (end - start))
        return region

    def _slack(self, region: Region) -> list[tuple[int, int]]:
        return [(region.first, region.start), (region.end, region.first + region.pages * PAGE_SIZE)]

    def _look_at_slack(self, block: Allocation) -> None:
        for start, end in self._slack(block.region):
            data = self.guest.space.peek(start, end - start)
            at = next((i for i, byte in enumerate(data) if byte != SLACK), None) if data.strip(bytes([SLACK])) else None
            if at is not None:
                place, after = start + at, start >= block.region.end
                where = f"{place - block.region.end:#x} bytes behind" if after else f"{block.address - place:#x} bytes before"
                why = f"{block} are freed, and {where} them {place:#x} was overwritten with {data[at]:#04x}"
                raise BugCheck(CORRUPTION, block.address, place, 0, 0x23 if after else 0x22, why=why)

    def _refuse(self, address: int) -> NoReturn:
        space = self.guest.space
        where = space.describe(address)
        freed = space.exactly(address)
        if freed is not None and freed.special:
            raise BugCheck(BAD_POOL_CALLER, 7, 0, freed.tag, address, why=f"{address:#x} is freed again: {where}")
        if space.forgotten(address) and Area.POOL.value <= address < Area.STACK.value:
            why = f"{address:#x} is freed, and no block begins there: {where}"
            raise BugCheck(BAD_POOL_CALLER, 7, 0, 0, address, why=why)
        if address < 1 << 47:
            raise BugCheck(BAD_POOL_CALLER, 0x40, address, 0xFFFF_8000_0000_0000, 0, why=f"{address:#x} is freed: {where}")
        raise BugCheck(BAD_POOL_CALLER, 0x46, address, 0, 0, why=f"{address:#x} is freed, and no block begins there: {where}")


def tag_text(tag: int) -> str:
    """A pool tag as debuggers show it: the low byte first."""
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in (tag & 0xFFFF_FFFF).to_bytes(4, "little"))


def calling_code(guest: Guest) -> int:
    """Where the driver called the routine that runs now; 0 outside of any."""
    code = type(guest)._run.__code__
    frame = sys._getframe(1)
    while frame.f_code is not code:
        if frame.f_back is None:
            return 0
        frame = frame.f_back
    return int(frame.f_locals["frame"].return_address)

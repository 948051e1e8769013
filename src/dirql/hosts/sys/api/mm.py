"""ntoskrnl's Mm routines: mappings of device memory, addresses, contiguous memory, paging of the driver's own image.

Limits: a driver's image is never paged out, so what locks it and lets it go does nothing.
"""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, PVOID, SIZE_T, ULONG, ULONGLONG, VOID, Ptr, api
from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.page_table import Rights
from dirql.hosts.sys.processor import TRAP_BASE
from dirql.hosts.sys.strings import unicode_text
from dirql.hosts.sys.variables import VARIABLES, variable
from dirql.kernel.io_space import MemoryCachingType
from dirql.kernel.physical_pages import allocate_contiguous_memory, free_contiguous_memory
from dirql.kernel.stop import BugCheck
from dirql.machine.memory import PAGE_SIZE

__all__: list[str] = []

ANYWHERE = (1 << 64) - 1
READ_WRITE = Rights.READ | Rights.WRITE
PAGE_NOCACHE, PAGE_WRITECOMBINE = 0x200, 0x400
PAGE_CACHING = {0: MemoryCachingType.MmCached, PAGE_NOCACHE: MemoryCachingType.MmNonCached,
                PAGE_WRITECOMBINE: MemoryCachingType.MmWriteCombined}  # fmt: skip
PROTECTIONS = {0x02: Rights.READ, 0x04: READ_WRITE, 0x20: Rights.READ, 0x40: READ_WRITE}  # PAGE_…; no code runs from a device


@api("ntoskrnl")
def MmMapIoSpaceEx(guest: Guest, physical: ULONGLONG, length: SIZE_T, protect: ULONG) -> PVOID:
    """MmMapIoSpaceEx: NULL for what is no protection, or two kinds of caching (model choice)."""
    cache_type = PAGE_CACHING.get(protect & (PAGE_NOCACHE | PAGE_WRITECOMBINE))
    rights = PROTECTIONS.get(protect & ~(PAGE_NOCACHE | PAGE_WRITECOMBINE))
    return 0 if cache_type is None or rights is None else _map(guest, physical, length, rights, cache_type)


@api("ntoskrnl")
def MmMapIoSpace(guest: Guest, physical: ULONGLONG, length: SIZE_T, cache_type: ULONG) -> PVOID:
    """MmMapIoSpace: NULL for what is no MEMORY_CACHING_TYPE (model choice)."""
    if cache_type >= len(MemoryCachingType):
        return 0
    return _map(guest, physical, length, READ_WRITE, MemoryCachingType(cache_type))


def _map(guest: Guest, physical: int, length: int, rights: Rights, cache_type: MemoryCachingType) -> int:
    """NULL for no bytes and for more than there could be (model choice: Windows asserts, or fails), and with no address left."""
    if not 0 < length <= 1 << 30 or physical + length > 1 << 52 or not guest.devices.has_room(physical, length):
        return 0
    return guest.devices.map(guest.kernel.mm_map_io_space(physical, length, cache_type), physical, length, rights)


@api("ntoskrnl")
def MmUnmapIoSpace(guest: Guest, address: PVOID, length: SIZE_T) -> VOID:
    """MmUnmapIoSpace."""
    mapping = guest.devices.unmap(address)
    if mapping is None:
        raise BugCheck(0xDA, 0, address, length, 0, why=f"MmUnmapIoSpace of {address:#x}: {guest.space.describe(address)}")
    mapping.io_space.unmap()


@api("ntoskrnl")
def MmGetSystemRoutineAddress(guest: Guest, name: Ptr[UNICODE_STRING]) -> PVOID:
    """The stub of a routine that dirql models, or a variable; NULL for what it does not know, as for one that Windows does
    not have."""
    enter(guest, "MmGetSystemRoutineAddress")
    wanted = unicode_text(name)
    return variable(guest, f"ntoskrnl!{wanted}") if f"ntoskrnl!{wanted}" in VARIABLES else guest.stubs.known(wanted)


@api("ntoskrnl")
def MmGetPhysicalAddress(guest: Guest, address: PVOID) -> ULONGLONG:
    """MmGetPhysicalAddress: 0 for what is not mapped."""
    enter(guest, "MmGetPhysicalAddress")
    physical = guest.pages.translate(address, 7)
    if physical is not None and physical >= TRAP_BASE:
        found = guest.devices.mapping(address)
        return found[0].io_space.start + found[1] if found is not None else 0
    return physical or 0


@api("ntoskrnl")
def MmIsAddressValid(guest: Guest, address: PVOID) -> BOOLEAN:
    """MmIsAddressValid."""
    return guest.pages.translate(address, 7) is not None


class Contiguous:
    """Contiguous memory by its virtual address: what was asked for and where it is."""

    def __init__(self, guest: Guest) -> None:
        self.given: dict[int, tuple[Region, int, int]] = {}


def _allocate(guest: Guest, length: int, highest: int, lowest: int = 0, boundary: int = 0, protect: int = 0x40) -> int:
    start = allocate_contiguous_memory(guest.kernel, length, highest, lowest, boundary)
    if start is None:
        return 0
    pages = range(start, start + length, PAGE_SIZE)
    rights = Rights.READ | Rights.WRITE | (Rights.EXECUTE if protect & 0xF0 else Rights.NONE)
    region = guest.space.place(Area.POOL, pages, 0, length, "contiguous memory", rights)
    guest.part(Contiguous).given[region.start] = region, start, length
    return region.start


def _free(guest: Guest, address: int, routine: str) -> None:
    found = guest.part(Contiguous).given.pop(address, None)
    if found is None:
        raise BugCheck(0xC2, 7, 0, 0, address, why=f"{routine} of {address:#x}: {guest.space.describe(address)}")
    region, start, length = found
    guest.space.free(region)
    free_contiguous_memory(guest.kernel, start, length)


@api("ntoskrnl")
def MmAllocateContiguousMemory(guest: Guest, length: SIZE_T, highest: ULONGLONG) -> PVOID:
    """MmAllocateContiguousMemory."""
    return _allocate(guest, length, highest)


@api("ntoskrnl")
def MmAllocateContiguousMemorySpecifyCache(
    guest: Guest, length: SIZE_T, lowest: ULONGLONG, highest: ULONGLONG, boundary: ULONGLONG, cache_type: ULONG
) -> PVOID:
    """MmAllocateContiguousMemorySpecifyCache."""
    return _allocate(guest, length, highest, lowest, boundary)


@api("ntoskrnl")
def MmAllocateContiguousMemorySpecifyCacheNode(
    guest: Guest, length: SIZE_T, lowest: ULONGLONG, highest: ULONGLONG, boundary: ULONGLONG, cache_type: ULONG, node: ULONG
) -> PVOID:
    """MmAllocateContiguousMemorySpecifyCacheNode."""
    return _allocate(guest, length, highest, lowest, boundary)


@api("ntoskrnl")
def MmAllocateContiguousNodeMemory(
    guest: Guest, length: SIZE_T, lowest: ULONGLONG, highest: ULONGLONG, boundary: ULONGLONG, protect: ULONG, node: ULONG
) -> PVOID:
    """MmAllocateContiguousNodeMemory: with PAGE_READWRITE it is not executable."""
    return _allocate(guest, length, highest, lowest, boundary, protect)


@api("ntoskrnl")
def MmFreeContiguousMemory(guest: Guest, address: PVOID) -> VOID:
    """MmFreeContiguousMemory."""
    _free(guest, address, "MmFreeContiguousMemory")


@api("ntoskrnl")
def MmFreeContiguousMemorySpecifyCache(guest: Guest, address: PVOID, length: SIZE_T, cache_type: ULONG) -> VOID:
    """MmFreeContiguousMemorySpecifyCache."""
    _free(guest, address, "MmFreeContiguousMemorySpecifyCache")


@api("ntoskrnl")
def MmAllocateNonCachedMemory(guest: Guest, length: SIZE_T) -> PVOID:
    """MmAllocateNonCachedMemory."""
    return _allocate(guest, length, ANYWHERE)


@api("ntoskrnl")
def MmFreeNonCachedMemory(guest: Guest, address: PVOID, length: SIZE_T) -> VOID:
    """MmFreeNonCachedMemory."""
    _free(guest, address, "MmFreeNonCachedMemory")


@api("ntoskrnl")
def MmLockPagableDataSection(guest: Guest, address: PVOID) -> PVOID:
    """A handle that the two routines below take."""
    return address


@api("ntoskrnl")
def MmLockPagableSectionByHandle(guest: Guest, handle: PVOID) -> VOID:
    """Nothing is paged out."""


@api("ntoskrnl")
def MmUnlockPagableImageSection(guest: Guest, handle: PVOID) -> VOID:
    """Nothing is paged out."""


@api("ntoskrnl")
def MmPageEntireDriver(guest: Guest, address: PVOID) -> PVOID:
    """Nothing is paged out; the image's address."""
    return next((image.base for image in guest.images if address in image), 0)


@api("ntoskrnl")
def MmResetDriverPaging(guest: Guest, address: PVOID) -> VOID:
    """Nothing is paged out."""

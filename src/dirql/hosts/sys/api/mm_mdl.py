"""MDL routines of the I/O and the memory manager; the structure in the driver's memory is the MDL (`mdls`)."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, CHAR, NTSTATUS, PVOID, SIZE_T, ULONG, ULONGLONG, VOID, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.mdls import PAGES_LOCKED, Mdls, pages_spanned
from dirql.hosts.sys.nt_structs import IRP, MDL
from dirql.hosts.sys.page_table import Rights
from dirql.kernel.mdl import Mdl
from dirql.kernel.physical_pages import allocate_pages_for_mdl, free_pages_from_mdl
from dirql.ntstatus import STATUS_INVALID_PARAMETER, STATUS_SUCCESS

__all__: list[str] = []

MOST = (1 << 32) - 4096  # bytes that one MDL describes
CONTIGUOUS, WHOLE = 0x20, 4  # MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS, MM_ALLOCATE_FULLY_REQUIRED
READ, EXECUTE = 0, 0xF0


@api("ntoskrnl")
def IoAllocateMdl(
    guest: Guest, address: PVOID, length: ULONG, secondary: BOOLEAN, charge_quota: BOOLEAN, irp: Ptr[IRP] | None
) -> PVOID:
    """IoAllocateMdl: NULL for more than an MDL can describe; with an IRP it becomes the IRP's, or the last of its chain."""
    enter(guest, "IoAllocateMdl")
    if length > MOST or MDL.size + 8 * pages_spanned(address, length) > guest.machine.memory.size // 2:
        return 0
    mdl = guest.part(Mdls).new(address, length)
    if irp is not None:
        if secondary and irp.MdlAddress:
            last = MDL(guest.space, irp.MdlAddress)
            while last.Next:
                last = MDL(guest.space, last.Next)
            last.Next = mdl.address
        else:
            irp.MdlAddress = mdl.address
    return mdl.address


@api("ntoskrnl")
def IoFreeMdl(guest: Guest, mdl: Ptr[MDL]) -> VOID:
    """IoFreeMdl."""
    enter(guest, "IoFreeMdl")
    guest.part(Mdls).free(_given(guest, mdl))


@api("ntoskrnl")
def IoBuildPartialMdl(guest: Guest, source: Ptr[MDL], target: Ptr[MDL], address: PVOID, length: ULONG) -> VOID:
    """IoBuildPartialMdl."""
    guest.part(Mdls).build_partial(_given(guest, source), _given(guest, target), address, length)


@api("ntoskrnl")
def MmSizeOfMdl(guest: Guest, address: PVOID, length: SIZE_T) -> SIZE_T:
    """MmSizeOfMdl."""
    return MDL.size + 8 * pages_spanned(address, length)


@api("ntoskrnl")
def MmBuildMdlForNonPagedPool(guest: Guest, mdl: Ptr[MDL]) -> VOID:
    """MmBuildMdlForNonPagedPool."""
    enter(guest, "MmBuildMdlForNonPagedPool")
    guest.part(Mdls).build_for_nonpaged_pool(_given(guest, mdl))


@api("ntoskrnl")
def MmProbeAndLockPages(guest: Guest, mdl: Ptr[MDL], mode: CHAR, operation: ULONG) -> VOID:
    """MmProbeAndLockPages of a kernel buffer."""
    enter(guest, "MmProbeAndLockPages")
    guest.part(Mdls).lock(_given(guest, mdl), writes=operation != READ)


@api("ntoskrnl")
def MmUnlockPages(guest: Guest, mdl: Ptr[MDL]) -> VOID:
    """MmUnlockPages."""
    enter(guest, "MmUnlockPages")
    guest.part(Mdls).unlock(_given(guest, mdl))


@api("ntoskrnl")
def MmMapLockedPagesSpecifyCache(
    guest: Guest, mdl: Ptr[MDL], mode: CHAR, cache_type: ULONG, requested: PVOID, bugcheck: ULONG, priority: ULONG
) -> PVOID:
    """MmMapLockedPagesSpecifyCache."""
    enter(guest, "MmMapLockedPagesSpecifyCache")
    return guest.part(Mdls).map(_given(guest, mdl), mode, priority)


@api("ntoskrnl")
def MmMapLockedPages(guest: Guest, mdl: Ptr[MDL], mode: CHAR) -> PVOID:
    """MmMapLockedPages: the older one."""
    enter(guest, "MmMapLockedPagesSpecifyCache")
    return guest.part(Mdls).map(_given(guest, mdl), mode, 0)


@api("ntoskrnl")
def MmUnmapLockedPages(guest: Guest, address: PVOID, mdl: Ptr[MDL]) -> VOID:
    """MmUnmapLockedPages."""
    enter(guest, "MmUnmapLockedPages")
    guest.part(Mdls).unmap(address, _given(guest, mdl))


@api("ntoskrnl")
def MmProtectMdlSystemAddress(guest: Guest, mdl: Ptr[MDL], protect: ULONG) -> NTSTATUS:
    """MmProtectMdlSystemAddress: of a mapping that MmMapLockedPagesSpecifyCache made."""
    rights = Rights.READ if protect & ~1 else Rights.NONE
    rights |= Rights.WRITE if protect & 0xCC else Rights.NONE
    rights |= Rights.EXECUTE if protect & EXECUTE else Rights.NONE
    return STATUS_SUCCESS if guest.part(Mdls).protect(_given(guest, mdl), rights) else STATUS_INVALID_PARAMETER


@api("ntoskrnl")
def MmAllocatePagesForMdlEx(
    guest: Guest, lowest: ULONGLONG, highest: ULONGLONG, skip: ULONGLONG, length: SIZE_T, cache_type: ULONG, flags: ULONG
) -> PVOID:
    """MmAllocatePagesForMdlEx: an MDL of as many pages as there were, which ExFreePool takes back after MmFreePagesFromMdl."""
    return _allocate_pages(guest, lowest, highest, length, flags)


@api("ntoskrnl")
def MmAllocatePagesForMdl(guest: Guest, lowest: ULONGLONG, highest: ULONGLONG, skip: ULONGLONG, length: SIZE_T) -> PVOID:
    """MmAllocatePagesForMdl: the older one."""
    return _allocate_pages(guest, lowest, highest, length, 0)


@api("ntoskrnl")
def MmFreePagesFromMdl(guest: Guest, mdl: Ptr[MDL]) -> VOID:
    """MmFreePagesFromMdl: the structure stays, and describes no bytes (model choice)."""
    mdls, view = guest.part(Mdls), _given(guest, mdl)
    if view.address not in mdls.of_pages:
        mdls.misused(view, "MmFreePagesFromMdl", "has no pages of MmAllocatePagesForMdlEx")
    mdls.of_pages.discard(view.address)
    free_pages_from_mdl(guest.kernel, Mdl(guest.space.memory, mdls.frames(view), 0, view.ByteCount))
    view.ByteCount, view.MdlFlags = 0, view.MdlFlags & ~PAGES_LOCKED


def _allocate_pages(guest: Guest, lowest: int, highest: int, length: int, flags: int) -> int:
    if not 0 < length <= MOST:
        return 0
    pages = allocate_pages_for_mdl(
        guest.kernel, length, lowest, highest, contiguous=bool(flags & CONTIGUOUS), whole=bool(flags & WHOLE)
    )
    if pages is None:
        return 0
    mdls = guest.part(Mdls)
    view = mdls.new(0, pages.byte_count, pool=True)
    if not view.address:
        free_pages_from_mdl(guest.kernel, pages)
        return 0
    view.MdlFlags = PAGES_LOCKED
    mdls.put_frames(view, pages.pages)
    mdls.of_pages.add(view.address)
    return view.address


def _given(guest: Guest, mdl: MDL | None) -> MDL:
    """NULL faults as Windows' own access would."""
    if mdl is None:
        guest.space.fault(0, 1)
    return mdl

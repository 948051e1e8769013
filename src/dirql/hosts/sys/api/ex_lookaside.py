"""Look-aside lists. The headers' inlined routines take blocks from the list in the structure and call L.Allocate and L.Free.

A list keeps no blocks (L.Depth is 0), as with Driver Verifier: every block comes from special pool and goes back to it, where
a mistake is caught.
"""

from __future__ import annotations

from dirql import ntstatus
from dirql.hosts.sys.abi import NTSTATUS, PVOID, ROUTINES, SIZE_T, ULONG, USHORT, VOID, Ptr, api
from dirql.hosts.sys.api.ex_list import pop_entry, push_entry
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import LOOKASIDE_LIST_EX, NPAGED_LOOKASIDE_LIST, PAGED_LOOKASIDE_LIST
from dirql.hosts.sys.structs import Struct

__all__: list[str] = []

PAGED, NX = 1, 0x200
MAXIMUM_DEPTH = 256
RAISE, QUOTA_FAIL = 0x10, 0x8
RAISE_ON_FAIL, FAIL_NO_RAISE = 1, 2  # EX_LOOKASIDE_LIST_EX_FLAGS_
SMALLEST = 16  # an SLIST_ENTRY has to fit


@api("ntoskrnl")
def ExInitializeNPagedLookasideList(
    guest: Guest, list_: Ptr[NPAGED_LOOKASIDE_LIST], allocate: PVOID, free: PVOID, flags: ULONG, size: SIZE_T, tag: ULONG,
    depth: USHORT,
) -> VOID:  # fmt: skip
    """ExInitializeNPagedLookasideList."""
    enter(guest, "ExInitializeNPagedLookasideList")
    _initialize(guest, list_, allocate, free, flags & (NX | RAISE), size, tag)


@api("ntoskrnl")
def ExInitializePagedLookasideList(
    guest: Guest, list_: Ptr[PAGED_LOOKASIDE_LIST], allocate: PVOID, free: PVOID, flags: ULONG, size: SIZE_T, tag: ULONG,
    depth: USHORT,
) -> VOID:  # fmt: skip
    """ExInitializePagedLookasideList."""
    enter(guest, "ExInitializePagedLookasideList")
    _initialize(guest, list_, allocate, free, PAGED | flags & RAISE, size, tag)


@api("ntoskrnl")
def ExInitializeLookasideListEx(
    guest: Guest, list_: Ptr[LOOKASIDE_LIST_EX], allocate: PVOID, free: PVOID, type_: ULONG, flags: ULONG, size: SIZE_T,
    tag: ULONG, depth: USHORT,
) -> NTSTATUS:  # fmt: skip
    """ExInitializeLookasideListEx."""
    enter(guest, "ExInitializeLookasideListEx")
    if flags & ~(RAISE_ON_FAIL | FAIL_NO_RAISE) or flags == RAISE_ON_FAIL | FAIL_NO_RAISE:
        return ntstatus.STATUS_INVALID_PARAMETER_5
    type_ |= RAISE if flags & RAISE_ON_FAIL else QUOTA_FAIL if flags & FAIL_NO_RAISE else 0
    _initialize(guest, list_, allocate, free, type_, size, tag)
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ExDeleteNPagedLookasideList(guest: Guest, list_: Ptr[NPAGED_LOOKASIDE_LIST]) -> VOID:
    """ExDeleteNPagedLookasideList: what is in the list is freed."""
    enter(guest, "ExDeleteNPagedLookasideList")
    _flush(guest, list_, extended=False)


@api("ntoskrnl")
def ExDeletePagedLookasideList(guest: Guest, list_: Ptr[PAGED_LOOKASIDE_LIST]) -> VOID:
    """ExDeletePagedLookasideList: what is in the list is freed."""
    enter(guest, "ExDeletePagedLookasideList")
    _flush(guest, list_, extended=False)


@api("ntoskrnl")
def ExDeleteLookasideListEx(guest: Guest, list_: Ptr[LOOKASIDE_LIST_EX]) -> VOID:
    """ExDeleteLookasideListEx: what is in the list is freed."""
    enter(guest, "ExDeleteLookasideListEx")
    _flush(guest, list_, extended=True)


@api("ntoskrnl")
def ExFlushLookasideListEx(guest: Guest, list_: Ptr[LOOKASIDE_LIST_EX]) -> VOID:
    """ExFlushLookasideListEx."""
    enter(guest, "ExFlushLookasideListEx")
    _flush(guest, list_, extended=True)


@api("ntoskrnl")
def ExAllocateFromNPagedLookasideList(guest: Guest, list_: Ptr[NPAGED_LOOKASIDE_LIST]) -> PVOID:
    """Inline in the headers; for those who import it."""
    enter(guest, "ExAllocateFromNPagedLookasideList")
    counts = list_.L
    counts.TotalAllocates = counts.TotalAllocates + 1 & 0xFFFF_FFFF
    entry = pop_entry(guest, list_.address)
    if not entry:
        counts.AllocateMisses = counts.AllocateMisses + 1 & 0xFFFF_FFFF
        entry = guest.call(counts.Allocate, counts.Type, counts.Size, counts.Tag)
    return entry


@api("ntoskrnl")
def ExFreeToNPagedLookasideList(guest: Guest, list_: Ptr[NPAGED_LOOKASIDE_LIST], entry: PVOID) -> VOID:
    """Inline in the headers; for those who import it."""
    enter(guest, "ExFreeToNPagedLookasideList")
    counts = list_.L
    counts.TotalFrees = counts.TotalFrees + 1 & 0xFFFF_FFFF
    if int.from_bytes(guest.space.read(list_.address, 2), "little") >= counts.Depth:
        counts.FreeMisses = counts.FreeMisses + 1 & 0xFFFF_FFFF
        guest.call(counts.Free, entry)
    else:
        push_entry(guest, list_.address, entry)


def _initialize(guest: Guest, list_: Struct, allocate: int, free: int, type_: int, size: int, tag: int) -> None:
    list_.clear()
    view = list_.L
    view.MaximumDepth = MAXIMUM_DEPTH
    view.Type, view.Tag, view.Size = type_, tag, max(size, SMALLEST) & 0xFFFF_FFFF
    view.Allocate = allocate or _stub(guest, "ntoskrnl!ExAllocatePoolWithTag")
    view.Free = free or _stub(guest, "ntoskrnl!ExFreePool")


def _flush(guest: Guest, list_: Struct, *, extended: bool) -> None:
    while entry := pop_entry(guest, list_.address):
        guest.call(list_.L.Free, entry, *((list_.address,) if extended else ()))


def _stub(guest: Guest, key: str) -> int:
    return guest.stubs.address(key, ROUTINES[key])

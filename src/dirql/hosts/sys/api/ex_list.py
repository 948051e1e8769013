"""Interlocked lists: SLIST_HEADERs, and LIST_ENTRYs with a spin lock. Everything is in the driver's memory.

An SLIST_HEADER holds Depth and Sequence in its first half and the first entry's address in its second, as the headers have it.
"""

from __future__ import annotations

from collections.abc import Callable

from dirql.hosts.sys.abi import LONGLONG, PVOID, ULONG, USHORT, VOID, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.raising import raise_status

__all__ = ["pop_entry", "push_entry"]

STATUS_DATATYPE_MISALIGNMENT = 0x8000_0002


@api("ntoskrnl")
def InitializeSListHead(guest: Guest, head: PVOID) -> VOID:
    """InitializeSListHead: an empty list; raises STATUS_DATATYPE_MISALIGNMENT where it is not aligned."""
    enter(guest, "InitializeSListHead")
    if head & 15:
        raise_status(guest, STATUS_DATATYPE_MISALIGNMENT, "InitializeSListHead")
    guest.space.write(head, bytes(16))


@api("ntoskrnl")
def ExpInterlockedPopEntrySList(guest: Guest, head: PVOID) -> PVOID:
    """InterlockedPopEntrySList: the entry, NULL when the list is empty."""
    enter(guest, "ExInterlockedPopEntrySList")
    return pop_entry(guest, head)


@api("ntoskrnl")
def ExpInterlockedPushEntrySList(guest: Guest, head: PVOID, entry: PVOID) -> PVOID:
    """InterlockedPushEntrySList: what was first before."""
    enter(guest, "ExInterlockedPushEntrySList")
    return push_entry(guest, head, entry)


@api("ntoskrnl")
def ExpInterlockedFlushSList(guest: Guest, head: PVOID) -> PVOID:
    """InterlockedFlushSList: the chain that was in it."""
    enter(guest, "ExInterlockedFlushSList")
    _, sequence, first = _read(guest, head)
    _write(guest, head, 0, sequence + 1, 0)
    return first


@api("ntoskrnl")
def ExQueryDepthSList(guest: Guest, head: PVOID) -> USHORT:
    """ExQueryDepthSList."""
    enter(guest, "ExQueryDepthSList")
    return _read(guest, head)[0]


def pop_entry(guest: Guest, head: int) -> int:
    """The first entry, taken out; 0 when there is none."""
    depth, sequence, first = _read(guest, head)
    if first:
        _write(guest, head, depth - 1, sequence + 1, _link(guest, first))
    return first


def push_entry(guest: Guest, head: int, entry: int) -> int:
    """`entry` is the first; what was before."""
    if entry & 15:
        raise_status(guest, STATUS_DATATYPE_MISALIGNMENT, "InterlockedPushEntrySList")
    depth, sequence, first = _read(guest, head)
    _set_link(guest, entry, first)
    _write(guest, head, depth + 1, sequence + 1, entry)
    return first


def _read(guest: Guest, head: int) -> tuple[int, int, int]:
    if guest.machine.watch is not None:
        guest.machine.watch.acquire(("interlocked list", head))
    data = guest.space.read(head, 16)
    low, high = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
    return low & 0xFFFF, low >> 16, high & ~15


def _write(guest: Guest, head: int, depth: int, sequence: int, first: int) -> None:
    if guest.machine.watch is not None:
        guest.machine.watch.release(("interlocked list", head))
    low = depth & 0xFFFF | (sequence & (1 << 48) - 1) << 16
    guest.space.write(head, low.to_bytes(8, "little") + first.to_bytes(8, "little"))


# With a spin lock.


@api("ntoskrnl")
def ExInterlockedInsertHeadList(guest: Guest, head: PVOID, entry: PVOID, lock: PVOID) -> PVOID:
    """ExInterlockedInsertHeadList: what was first before, NULL if nothing was."""
    first = _locked(guest, "ExInterlockedInsertHeadList", lock, lambda: _insert(guest, head, entry, _link(guest, head)))
    return 0 if first == head else first


@api("ntoskrnl")
def ExInterlockedInsertTailList(guest: Guest, head: PVOID, entry: PVOID, lock: PVOID) -> PVOID:
    """ExInterlockedInsertTailList: what was last before, NULL if nothing was."""

    def insert() -> int:
        last = _link(guest, head + 8)
        _insert(guest, last, entry, head)
        return last

    last = _locked(guest, "ExInterlockedInsertTailList", lock, insert)
    return 0 if last == head else last


@api("ntoskrnl")
def ExInterlockedRemoveHeadList(guest: Guest, head: PVOID, lock: PVOID) -> PVOID:
    """ExInterlockedRemoveHeadList: what was first, NULL when the list is empty."""

    def remove() -> int:
        first = _link(guest, head)
        if first == head:
            return 0
        after = _link(guest, first)
        _set_link(guest, head, after)
        _set_link(guest, after + 8, head)
        return first

    return _locked(guest, "ExInterlockedRemoveHeadList", lock, remove)


@api("ntoskrnl")
def ExInterlockedPushEntryList(guest: Guest, head: PVOID, entry: PVOID, lock: PVOID) -> PVOID:
    """ExInterlockedPushEntryList: what was first before."""

    def push() -> int:
        first = _link(guest, head)
        _set_link(guest, entry, first)
        _set_link(guest, head, entry)
        return first

    return _locked(guest, "ExInterlockedPushEntryList", lock, push)


@api("ntoskrnl")
def ExInterlockedPopEntryList(guest: Guest, head: PVOID, lock: PVOID) -> PVOID:
    """ExInterlockedPopEntryList: what was first, NULL when the list is empty."""

    def pop() -> int:
        first = _link(guest, head)
        if first:
            _set_link(guest, head, _link(guest, first))
        return first

    return _locked(guest, "ExInterlockedPopEntryList", lock, pop)


@api("ntoskrnl")
def ExInterlockedAddUlong(guest: Guest, addend: PVOID, increment: ULONG, lock: PVOID) -> ULONG:
    """ExInterlockedAddUlong: what it was before."""

    def add() -> int:
        before = int.from_bytes(guest.space.read(addend, 4), "little")
        guest.space.write(addend, (before + increment & 0xFFFF_FFFF).to_bytes(4, "little"))
        return before

    return _locked(guest, "ExInterlockedAddUlong", lock, add)


@api("ntoskrnl")
def ExInterlockedAddLargeInteger(guest: Guest, addend: PVOID, increment: LONGLONG, lock: PVOID) -> LONGLONG:
    """ExInterlockedAddLargeInteger: what it was before."""

    def add() -> int:
        before = _link(guest, addend)
        _set_link(guest, addend, before + increment & (1 << 64) - 1)
        return before

    return _locked(guest, "ExInterlockedAddLargeInteger", lock, add)


def _locked(guest: Guest, routine: str, lock: int, action: Callable[[], int]) -> int:
    enter(guest, routine)
    return guest.part(KernelObjects).spin_lock(lock).interlocked(action)


def _insert(guest: Guest, before: int, entry: int, after: int) -> int:
    """`entry` between two neighbours of a doubly linked list; the neighbour after it."""
    guest.space.write(entry, after.to_bytes(8, "little") + before.to_bytes(8, "little"))
    _set_link(guest, after + 8, entry)
    _set_link(guest, before, entry)
    return after


def _link(guest: Guest, address: int) -> int:
    return int.from_bytes(guest.space.read(address, 8), "little")


def _set_link(guest: Guest, address: int, value: int) -> None:
    guest.space.write(address, value.to_bytes(8, "little"))

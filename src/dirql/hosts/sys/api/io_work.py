"""IO_WORKITEM: work items of a device, run by the system's worker threads.

The structure is opaque: of one that IoAllocateWorkItem made a token, of one that a driver keeps in its own memory the
address.
"""

from __future__ import annotations

from typing import Any

from dirql.hosts.sys.abi import PVOID, ULONG, VOID, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.kernel.stop import BugCheck

__all__: list[str] = []

SIZE = 0x58  # of IO_WORKITEM (model choice: drivers only ask)
WORKER_INVALID = 0xE4


class WorkItem:
    """A work item; `queued` from IoQueueWorkItem until its routine begins."""

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.queued = False


class WorkItems:
    """Those that drivers have, by address."""

    def __init__(self, guest: Guest) -> None:
        self.known: dict[int, WorkItem] = {}


@api("ntoskrnl")
def IoAllocateWorkItem(guest: Guest, device: PVOID) -> PVOID:
    """IoAllocateWorkItem."""
    enter(guest, "IoAllocateWorkItem")
    item = WorkItem(device)
    address = guest.handle(item)
    guest.part(WorkItems).known[address] = item
    return address


@api("ntoskrnl")
def IoFreeWorkItem(guest: Guest, address: PVOID) -> VOID:
    """IoFreeWorkItem; bugcheck 0xE4 while it is queued."""
    enter(guest, "IoFreeWorkItem")
    _forget(guest, address, "IoFreeWorkItem")


@api("ntoskrnl")
def IoSizeofWorkItem(guest: Guest) -> ULONG:
    """IoSizeofWorkItem."""
    return SIZE


@api("ntoskrnl")
def IoInitializeWorkItem(guest: Guest, object_: PVOID, address: PVOID) -> VOID:
    """IoInitializeWorkItem, in memory of the driver's."""
    enter(guest, "IoAllocateWorkItem")
    guest.space.write(address, bytes(SIZE))
    guest.part(WorkItems).known[address] = WorkItem(object_)


@api("ntoskrnl")
def IoUninitializeWorkItem(guest: Guest, address: PVOID) -> VOID:
    """IoUninitializeWorkItem."""
    enter(guest, "IoFreeWorkItem")
    _forget(guest, address, "IoUninitializeWorkItem")


@api("ntoskrnl")
def IoQueueWorkItem(guest: Guest, address: PVOID, routine: PVOID, queue: ULONG, context: PVOID) -> VOID:
    """IoQueueWorkItem: routine(DeviceObject, Context)."""
    item = _queue(guest, address)
    guest.kernel.work.queue(_run, (guest, item, routine, (item.owner, context)))


@api("ntoskrnl")
def IoQueueWorkItemEx(guest: Guest, address: PVOID, routine: PVOID, queue: ULONG, context: PVOID) -> VOID:
    """IoQueueWorkItemEx: routine(IoObject, Context, IoWorkItem)."""
    item = _queue(guest, address)
    guest.kernel.work.queue(_run, (guest, item, routine, (item.owner, context, address)))


def _queue(guest: Guest, address: int) -> WorkItem:
    enter(guest, "IoQueueWorkItem")
    item = guest.part(WorkItems).known.get(address)
    if item is None:
        raise BugCheck(WORKER_INVALID, 1, address, why=f"IoQueueWorkItem was given {address:#x}, which is no work item")
    if item.queued:
        raise BugCheck(WORKER_INVALID, 2, address, why=f"the work item at {address:#x} is queued while it is queued already")
    item.queued = True
    return item


def _run(what: Any) -> None:
    guest, item, routine, arguments = what
    item.queued = False
    guest.call(routine, *arguments)


def _forget(guest: Guest, address: int, routine: str) -> None:
    item = guest.part(WorkItems).known.pop(address, None)
    if item is None or item.queued:
        what = "which is no work item" if item is None else "which is queued"
        raise BugCheck(WORKER_INVALID, 0, address, why=f"{routine} was given {address:#x}, {what}")

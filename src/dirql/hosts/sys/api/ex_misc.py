"""The other Ex routines: work items, UUIDs, what the machine and the caller are."""

from __future__ import annotations

from typing import Any

from dirql import ntstatus
from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, UCHAR, ULONG, VOID, Ptr, api
from dirql.hosts.sys.driver_objects import WorkItem
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import WORK_QUEUE_ITEM
from dirql.hosts.sys.shared_data import FEATURES
from dirql.kernel.stop import BugCheck

__all__: list[str] = []

WORKER_INVALID = 0xE4


@api("ntoskrnl")
def ExQueueWorkItem(guest: Guest, item: Ptr[WORK_QUEUE_ITEM], queue: ULONG) -> VOID:
    """ExQueueWorkItem: bugcheck 0xE4 for an item that is queued already. There is one queue (kernel/work_item.py)."""
    enter(guest, "ExQueueWorkItem")
    address = item.address
    if isinstance(guest.kernel_objects.get(address), WorkItem):
        raise BugCheck(
            WORKER_INVALID, 1, address, address, 0, why=f"the work item at {address:#x} is queued, and is queued again"
        )
    guest.part(KernelObjects).queue_work_item(address)
    item.List.Flink = item.List.Blink = address
    guest.kernel.work.queue(_run, (guest, address))


def _run(what: Any) -> None:
    guest, address = what
    guest.part(KernelObjects).drop(address)
    item = WORK_QUEUE_ITEM(guest.space, address)
    item.List.Flink = 0
    guest.call(item.WorkerRoutine, item.Parameter)


@api("ntoskrnl")
def ExUuidCreate(guest: Guest, uuid: PVOID) -> NTSTATUS:
    """A version 4 UUID: the first, the second, … of this machine."""
    enter(guest, "ExUuidCreate")
    number = guest.part(_Uuids).next()
    data = bytearray(number.to_bytes(16, "little"))
    data[7], data[8] = data[7] & 0x0F | 0x40, data[8] & 0x3F | 0x80
    guest.space.write(uuid, bytes(data))
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ExGetPreviousMode(guest: Guest) -> UCHAR:
    """KernelMode: nobody runs in another."""
    enter(guest, "ExGetPreviousMode")
    return 0


@api("ntoskrnl")
def ExIsProcessorFeaturePresent(guest: Guest, feature: ULONG) -> BOOLEAN:
    """What KUSER_SHARED_DATA says too."""
    enter(guest, "ExIsProcessorFeaturePresent")
    return feature in FEATURES


class _Uuids:
    """A sequence that is the same in every run (a multiplicative one, so that neighbours differ in many bits)."""

    def __init__(self, guest: Guest) -> None:
        self._count = 0

    def next(self) -> int:
        """128 bits."""
        self._count += 1
        return self._count * 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835 & (1 << 128) - 1

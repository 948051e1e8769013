"""Device queues (KDEVICE_QUEUE): everything is in the driver's memory, and a routine is one step."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, PVOID, ULONG, VOID, Ptr, api
from dirql.hosts.sys.driver_memory import entries
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import KDEVICE_QUEUE, KDEVICE_QUEUE_ENTRY

__all__: list[str] = []

DEVICE_QUEUE = 20  # its KOBJECTS number


@api("ntoskrnl")
def KeInitializeDeviceQueue(guest: Guest, queue: Ptr[KDEVICE_QUEUE]) -> VOID:
    """KeInitializeDeviceQueue: empty and not busy."""
    enter(guest, "KeInitializeDeviceQueue")
    queue.clear()
    queue.Type, queue.Size = DEVICE_QUEUE, KDEVICE_QUEUE.size
    queue.DeviceListHead.Flink = queue.DeviceListHead.Blink = _head(queue)


@api("ntoskrnl")
def KeInsertDeviceQueue(guest: Guest, queue: Ptr[KDEVICE_QUEUE], entry: Ptr[KDEVICE_QUEUE_ENTRY]) -> BOOLEAN:
    """KeInsertDeviceQueue: FALSE, and the queue is busy, where it was not."""
    enter(guest, "KeInsertDeviceQueue")
    return _insert(guest, queue, entry, _head(queue))


@api("ntoskrnl")
def KeInsertByKeyDeviceQueue(guest: Guest, queue: Ptr[KDEVICE_QUEUE], entry: Ptr[KDEVICE_QUEUE_ENTRY], key: ULONG) -> BOOLEAN:
    """KeInsertByKeyDeviceQueue: behind the entries whose keys are not above its own."""
    enter(guest, "KeInsertByKeyDeviceQueue")
    entry.SortKey = key
    above = (one for one in entries(guest, _head(queue)) if _entry(guest, one).SortKey > key)
    return _insert(guest, queue, entry, next(above, _head(queue)))


@api("ntoskrnl")
def KeRemoveDeviceQueue(guest: Guest, queue: Ptr[KDEVICE_QUEUE]) -> PVOID:
    """KeRemoveDeviceQueue: the first entry; NULL, and the queue is not busy, where there is none."""
    enter(guest, "KeRemoveDeviceQueue")
    return _remove_first(guest, queue, 0)


@api("ntoskrnl")
def KeRemoveByKeyDeviceQueue(guest: Guest, queue: Ptr[KDEVICE_QUEUE], key: ULONG) -> PVOID:
    """KeRemoveByKeyDeviceQueue: the first entry whose key is at least `key`, else the first."""
    enter(guest, "KeRemoveByKeyDeviceQueue")
    return _remove_first(guest, queue, key)


@api("ntoskrnl")
def KeRemoveEntryDeviceQueue(guest: Guest, queue: Ptr[KDEVICE_QUEUE], entry: Ptr[KDEVICE_QUEUE_ENTRY]) -> BOOLEAN:
    """KeRemoveEntryDeviceQueue: FALSE if it is not in the queue."""
    enter(guest, "KeRemoveEntryDeviceQueue")
    was = bool(entry.Inserted)
    if was:
        _unlink(guest, entry)
    return was


def _insert(guest: Guest, queue: KDEVICE_QUEUE, entry: KDEVICE_QUEUE_ENTRY, before: int) -> bool:
    if not queue.Busy:
        queue.Busy, entry.Inserted = 1, 0
        return False
    last = _link(guest, before + 8)
    entry.DeviceListEntry.Flink, entry.DeviceListEntry.Blink, entry.Inserted = before, last, 1
    guest.space.write(last, entry.address.to_bytes(8, "little"))
    guest.space.write(before + 8, entry.address.to_bytes(8, "little"))
    return True


def _remove_first(guest: Guest, queue: KDEVICE_QUEUE, key: int) -> int:
    waiting = entries(guest, _head(queue))
    if not waiting:
        queue.Busy = 0
        return 0
    chosen = next((one for one in waiting if _entry(guest, one).SortKey >= key), waiting[0]) if key else waiting[0]
    _unlink(guest, _entry(guest, chosen))
    return chosen


def _unlink(guest: Guest, entry: KDEVICE_QUEUE_ENTRY) -> None:
    after, before = entry.DeviceListEntry.Flink, entry.DeviceListEntry.Blink
    guest.space.write(before, after.to_bytes(8, "little"))
    guest.space.write(after + 8, before.to_bytes(8, "little"))
    entry.Inserted = 0


def _head(queue: KDEVICE_QUEUE) -> int:
    return int(queue.address) + KDEVICE_QUEUE.offset("DeviceListHead")


def _entry(guest: Guest, address: int) -> KDEVICE_QUEUE_ENTRY:
    return KDEVICE_QUEUE_ENTRY(guest.space, address)


def _link(guest: Guest, address: int) -> int:
    return int.from_bytes(guest.space.read(address, 8), "little")

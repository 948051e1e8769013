"""Events, semaphores, mutexes, and waiting."""

from __future__ import annotations

from dirql import ntstatus
from dirql.hosts.sys.abi import BOOLEAN, LONG, NTSTATUS, PVOID, UCHAR, ULONG, VOID, api
from dirql.hosts.sys.durations import timeout
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.raising import raise_status
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import StatusError

__all__: list[str] = []

WAIT_ALL = 0
THREAD_WAIT_OBJECTS, MAXIMUM_WAIT_OBJECTS = 3, 64
MAXIMUM_WAIT_OBJECTS_EXCEEDED = 0x0C


@api("ntoskrnl")
def KeInitializeEvent(guest: Guest, event: PVOID, type_: ULONG, state: BOOLEAN) -> VOID:
    """KeInitializeEvent."""
    enter(guest, "KeInitializeEvent")
    guest.part(KernelObjects).new_event(event, type_, state)


@api("ntoskrnl")
def KeSetEvent(guest: Guest, event: PVOID, increment: LONG, wait: BOOLEAN) -> LONG:
    """KeSetEvent: the state before. A wait that follows at once is not made one step with it."""
    return int(guest.part(KernelObjects).event(event, "KeSetEvent").set())


@api("ntoskrnl")
def KePulseEvent(guest: Guest, event: PVOID, increment: LONG, wait: BOOLEAN) -> LONG:
    """KePulseEvent."""
    return int(guest.part(KernelObjects).event(event, "KePulseEvent").pulse())


@api("ntoskrnl")
def KeResetEvent(guest: Guest, event: PVOID) -> LONG:
    """KeResetEvent."""
    return int(guest.part(KernelObjects).event(event, "KeResetEvent").reset())


@api("ntoskrnl")
def KeClearEvent(guest: Guest, event: PVOID) -> VOID:
    """KeClearEvent."""
    guest.part(KernelObjects).event(event, "KeClearEvent").clear()


@api("ntoskrnl")
def KeReadStateEvent(guest: Guest, event: PVOID) -> LONG:
    """KeReadStateEvent."""
    return int(guest.part(KernelObjects).event(event, "KeReadStateEvent").read_state())


@api("ntoskrnl")
def KeInitializeSemaphore(guest: Guest, semaphore: PVOID, count: LONG, limit: LONG) -> VOID:
    """KeInitializeSemaphore."""
    enter(guest, "KeInitializeSemaphore")
    guest.part(KernelObjects).new_semaphore(semaphore, count, limit)


@api("ntoskrnl")
def KeReleaseSemaphore(guest: Guest, semaphore: PVOID, increment: LONG, adjustment: LONG, wait: BOOLEAN) -> LONG:
    """KeReleaseSemaphore: raises STATUS_SEMAPHORE_LIMIT_EXCEEDED past the limit, and for an adjustment that is negative."""
    found = guest.part(KernelObjects).semaphore(semaphore, "KeReleaseSemaphore")
    if adjustment < 0:
        raise_status(guest, ntstatus.STATUS_SEMAPHORE_LIMIT_EXCEEDED, "KeReleaseSemaphore")
    try:
        return found.release(adjustment)
    except StatusError as error:
        raise_status(guest, error.status, "KeReleaseSemaphore")


@api("ntoskrnl")
def KeReadStateSemaphore(guest: Guest, semaphore: PVOID) -> LONG:
    """KeReadStateSemaphore."""
    return guest.part(KernelObjects).semaphore(semaphore, "KeReadStateSemaphore").read_state()


@api("ntoskrnl")
def KeInitializeMutex(guest: Guest, mutex: PVOID, level: ULONG) -> VOID:
    """KeInitializeMutex."""
    enter(guest, "KeInitializeMutex")
    guest.part(KernelObjects).new_mutex(mutex)


@api("ntoskrnl")
def KeReleaseMutex(guest: Guest, mutex: PVOID, wait: BOOLEAN) -> LONG:
    """KeReleaseMutex: 0 once nobody owns it; raises STATUS_MUTANT_NOT_OWNED for another thread than the owner."""
    found = guest.part(KernelObjects).mutex(mutex, "KeReleaseMutex")
    before = 1 - found.depth
    try:
        found.release()
    except StatusError as error:
        raise_status(guest, error.status, "KeReleaseMutex")
    return before


@api("ntoskrnl")
def KeReadStateMutex(guest: Guest, mutex: PVOID) -> LONG:
    """KeReadStateMutex."""
    return guest.part(KernelObjects).mutex(mutex, "KeReadStateMutex").read_state()


@api("ntoskrnl")
def KeWaitForSingleObject(
    guest: Guest, waited: PVOID, reason: ULONG, mode: UCHAR, alertable: BOOLEAN, time: PVOID
) -> NTSTATUS:  # fmt: skip
    """KeWaitForSingleObject; nobody alerts a thread."""
    found = guest.part(KernelObjects).waitable(waited, "KeWaitForSingleObject")
    return guest.kernel.ke_wait_for_single_object(found, timeout(guest, time))


@api("ntoskrnl")
def KeWaitForMutexObject(
    guest: Guest, waited: PVOID, reason: ULONG, mode: UCHAR, alertable: BOOLEAN, time: PVOID
) -> NTSTATUS:  # fmt: skip
    """KeWaitForSingleObject by another name."""
    found = guest.part(KernelObjects).waitable(waited, "KeWaitForMutexObject")
    return guest.kernel.ke_wait_for_single_object(found, timeout(guest, time))


@api("ntoskrnl")
def KeWaitForMultipleObjects(
    guest: Guest, count: ULONG, array: PVOID, type_: ULONG, reason: ULONG, mode: UCHAR, alertable: BOOLEAN, time: PVOID,
    blocks: PVOID,
) -> NTSTATUS:  # fmt: skip
    """KeWaitForMultipleObjects; bugcheck 0xC for more objects than there are wait blocks."""
    most = MAXIMUM_WAIT_OBJECTS if blocks else THREAD_WAIT_OBJECTS
    if not 0 < count <= most:
        given = "with" if blocks else "without"
        why = f"KeWaitForMultipleObjects was given {count} objects; {given} a WaitBlockArray it takes {most}"
        raise BugCheck(MAXIMUM_WAIT_OBJECTS_EXCEEDED, why=why)
    data = guest.space.read(array, 8 * count)
    addresses = [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(count)]
    objects = guest.part(KernelObjects)
    waited = [objects.waitable(address, "KeWaitForMultipleObjects") for address in addresses]
    return guest.kernel.ke_wait_for_multiple_objects(waited, wait_all=type_ == WAIT_ALL, timeout=timeout(guest, time))


@api("ntoskrnl")
def KeDelayExecutionThread(guest: Guest, mode: UCHAR, alertable: BOOLEAN, interval: PVOID) -> NTSTATUS:
    """KeDelayExecutionThread."""
    ns = timeout(guest, interval)
    if ns is None:
        guest.space.fault(0, 1)
    return guest.kernel.ke_delay_execution_thread(ns)

"""Spin locks: KSPIN_LOCK words in the driver's memory, each a lock of the kernel's."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, KIRQL, PVOID, UCHAR, VOID, Out, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import KLOCK_QUEUE_HANDLE

__all__: list[str] = []


@api("ntoskrnl")
def KeInitializeSpinLock(guest: Guest, lock: PVOID) -> VOID:
    """KeInitializeSpinLock, which newer headers have inline."""
    enter(guest, "KeInitializeSpinLock")
    guest.part(KernelObjects).new_spin_lock(lock)


@api("ntoskrnl")
def KeAcquireSpinLock(guest: Guest, lock: PVOID, old: Out[UCHAR]) -> VOID:
    """KeAcquireSpinLock, which is a macro on x64."""
    old(guest.part(KernelObjects).spin_lock(lock).acquire())


@api("ntoskrnl")
def KeAcquireSpinLockRaiseToDpc(guest: Guest, lock: PVOID) -> KIRQL:
    """KeAcquireSpinLockRaiseToDpc."""
    return guest.part(KernelObjects).spin_lock(lock).acquire()


@api("ntoskrnl")
def KeReleaseSpinLock(guest: Guest, lock: PVOID, irql: KIRQL) -> VOID:
    """KeReleaseSpinLock."""
    guest.part(KernelObjects).spin_lock(lock, acquire=False).release(irql)


@api("ntoskrnl")
def KeAcquireSpinLockAtDpcLevel(guest: Guest, lock: PVOID) -> VOID:
    """KeAcquireSpinLockAtDpcLevel."""
    guest.part(KernelObjects).spin_lock(lock).acquire_at_dpc_level()


@api("ntoskrnl")
def KeReleaseSpinLockFromDpcLevel(guest: Guest, lock: PVOID) -> VOID:
    """KeReleaseSpinLockFromDpcLevel."""
    guest.part(KernelObjects).spin_lock(lock, acquire=False).release_from_dpc_level()


@api("ntoskrnl")
def KeTryToAcquireSpinLockAtDpcLevel(guest: Guest, lock: PVOID) -> BOOLEAN:
    """KeTryToAcquireSpinLockAtDpcLevel."""
    return guest.part(KernelObjects).spin_lock(lock, acquire=False).try_to_acquire_at_dpc_level()


@api("ntoskrnl")
def KeTestSpinLock(guest: Guest, lock: PVOID) -> BOOLEAN:
    """KeTestSpinLock."""
    return guest.part(KernelObjects).spin_lock(lock, acquire=False).test()


@api("ntoskrnl")
def KeAcquireSpinLockForDpc(guest: Guest, lock: PVOID) -> KIRQL:
    """For what may be a threaded DPC: those run at DISPATCH_LEVEL here, but the IRQL is raised all the same."""
    return guest.part(KernelObjects).spin_lock(lock).acquire()


@api("ntoskrnl")
def KeReleaseSpinLockForDpc(guest: Guest, lock: PVOID, irql: KIRQL) -> VOID:
    """KeReleaseSpinLockForDpc."""
    guest.part(KernelObjects).spin_lock(lock, acquire=False).release(irql)


@api("ntoskrnl")
def KeAcquireInStackQueuedSpinLock(guest: Guest, lock: PVOID, handle: Ptr[KLOCK_QUEUE_HANDLE]) -> VOID:
    """KeAcquireInStackQueuedSpinLock."""
    old = guest.part(KernelObjects).spin_lock(lock).acquire_in_stack_queued()
    _hold(handle, lock, old)


@api("ntoskrnl")
def KeReleaseInStackQueuedSpinLock(guest: Guest, handle: Ptr[KLOCK_QUEUE_HANDLE]) -> VOID:
    """KeReleaseInStackQueuedSpinLock."""
    lock = guest.part(KernelObjects).spin_lock(handle.LockQueue.Lock, acquire=False)
    lock.release_in_stack_queued(handle.OldIrql)


@api("ntoskrnl")
def KeAcquireInStackQueuedSpinLockAtDpcLevel(guest: Guest, lock: PVOID, handle: Ptr[KLOCK_QUEUE_HANDLE]) -> VOID:
    """KeAcquireInStackQueuedSpinLockAtDpcLevel."""
    guest.part(KernelObjects).spin_lock(lock).acquire_in_stack_queued_at_dpc_level()
    _hold(handle, lock, guest.machine.cpu.irql)


@api("ntoskrnl")
def KeReleaseInStackQueuedSpinLockFromDpcLevel(guest: Guest, handle: Ptr[KLOCK_QUEUE_HANDLE]) -> VOID:
    """KeReleaseInStackQueuedSpinLockFromDpcLevel."""
    guest.part(KernelObjects).spin_lock(handle.LockQueue.Lock, acquire=False).release_in_stack_queued_from_dpc_level()


@api("ntoskrnl")
def KeAcquireInStackQueuedSpinLockForDpc(guest: Guest, lock: PVOID, handle: Ptr[KLOCK_QUEUE_HANDLE]) -> VOID:
    """KeAcquireInStackQueuedSpinLockForDpc."""
    old = guest.part(KernelObjects).spin_lock(lock).acquire_in_stack_queued()
    _hold(handle, lock, old)


@api("ntoskrnl")
def KeReleaseInStackQueuedSpinLockForDpc(guest: Guest, handle: Ptr[KLOCK_QUEUE_HANDLE]) -> VOID:
    """KeReleaseInStackQueuedSpinLockForDpc."""
    lock = guest.part(KernelObjects).spin_lock(handle.LockQueue.Lock, acquire=False)
    lock.release_in_stack_queued(handle.OldIrql)


def _hold(handle: KLOCK_QUEUE_HANDLE, lock: int, irql: int) -> None:
    handle.LockQueue.Next, handle.LockQueue.Lock, handle.OldIrql = 0, lock, irql

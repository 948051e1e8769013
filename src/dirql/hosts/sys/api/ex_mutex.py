"""Fast mutexes, guarded mutexes and run-down protection."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, PVOID, ULONG, VOID, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.kernel.fast_mutex import FastMutex

__all__: list[str] = []


@api("ntoskrnl")
def ExAcquireFastMutex(guest: Guest, mutex: PVOID) -> VOID:
    """ExAcquireFastMutex."""
    _mutex(guest, mutex, "ExAcquireFastMutex").acquire()


@api("ntoskrnl")
def ExTryToAcquireFastMutex(guest: Guest, mutex: PVOID) -> BOOLEAN:
    """ExTryToAcquireFastMutex."""
    return _mutex(guest, mutex, "ExTryToAcquireFastMutex").try_to_acquire()


@api("ntoskrnl")
def ExReleaseFastMutex(guest: Guest, mutex: PVOID) -> VOID:
    """ExReleaseFastMutex."""
    _mutex(guest, mutex, "ExReleaseFastMutex").release()


@api("ntoskrnl")
def ExAcquireFastMutexUnsafe(guest: Guest, mutex: PVOID) -> VOID:
    """ExAcquireFastMutexUnsafe."""
    _mutex(guest, mutex, "ExAcquireFastMutexUnsafe").acquire_unsafe()


@api("ntoskrnl")
def ExReleaseFastMutexUnsafe(guest: Guest, mutex: PVOID) -> VOID:
    """ExReleaseFastMutexUnsafe."""
    _mutex(guest, mutex, "ExReleaseFastMutexUnsafe").release_unsafe()


@api("ntoskrnl")
def KeInitializeGuardedMutex(guest: Guest, mutex: PVOID) -> VOID:
    """KeInitializeGuardedMutex."""
    enter(guest, "KeInitializeGuardedMutex")
    guest.part(KernelObjects).new_fast_mutex(mutex)


@api("ntoskrnl")
def KeAcquireGuardedMutex(guest: Guest, mutex: PVOID) -> VOID:
    """KeAcquireGuardedMutex."""
    _mutex(guest, mutex, "KeAcquireGuardedMutex").acquire_guarded()


@api("ntoskrnl")
def KeTryToAcquireGuardedMutex(guest: Guest, mutex: PVOID) -> BOOLEAN:
    """KeTryToAcquireGuardedMutex."""
    return _mutex(guest, mutex, "KeTryToAcquireGuardedMutex").try_to_acquire_guarded()


@api("ntoskrnl")
def KeReleaseGuardedMutex(guest: Guest, mutex: PVOID) -> VOID:
    """KeReleaseGuardedMutex."""
    _mutex(guest, mutex, "KeReleaseGuardedMutex").release_guarded()


@api("ntoskrnl")
def KeAcquireGuardedMutexUnsafe(guest: Guest, mutex: PVOID) -> VOID:
    """KeAcquireGuardedMutexUnsafe."""
    _mutex(guest, mutex, "KeAcquireGuardedMutexUnsafe").acquire_unsafe()


@api("ntoskrnl")
def KeReleaseGuardedMutexUnsafe(guest: Guest, mutex: PVOID) -> VOID:
    """KeReleaseGuardedMutexUnsafe."""
    _mutex(guest, mutex, "KeReleaseGuardedMutexUnsafe").release_unsafe()


@api("ntoskrnl")
def ExInitializeRundownProtection(guest: Guest, rundown: PVOID) -> VOID:
    """ExInitializeRundownProtection."""
    enter(guest, "ExInitializeRundownProtection")
    guest.space.write(rundown, bytes(8))


@api("ntoskrnl")
def ExReInitializeRundownProtection(guest: Guest, rundown: PVOID) -> VOID:
    """ExReInitializeRundownProtection."""
    guest.part(KernelObjects).rundown(rundown).reinitialize()


@api("ntoskrnl")
def ExAcquireRundownProtection(guest: Guest, rundown: PVOID) -> BOOLEAN:
    """ExAcquireRundownProtection."""
    return guest.part(KernelObjects).rundown(rundown).acquire()


@api("ntoskrnl")
def ExAcquireRundownProtectionEx(guest: Guest, rundown: PVOID, count: ULONG) -> BOOLEAN:
    """ExAcquireRundownProtectionEx."""
    return guest.part(KernelObjects).rundown(rundown).acquire(count)


@api("ntoskrnl")
def ExReleaseRundownProtection(guest: Guest, rundown: PVOID) -> VOID:
    """ExReleaseRundownProtection."""
    guest.part(KernelObjects).rundown(rundown).release()


@api("ntoskrnl")
def ExReleaseRundownProtectionEx(guest: Guest, rundown: PVOID, count: ULONG) -> VOID:
    """ExReleaseRundownProtectionEx."""
    guest.part(KernelObjects).rundown(rundown).release(count)


@api("ntoskrnl")
def ExWaitForRundownProtectionRelease(guest: Guest, rundown: PVOID) -> VOID:
    """ExWaitForRundownProtectionRelease."""
    guest.part(KernelObjects).rundown(rundown).wait_for_release()


@api("ntoskrnl")
def ExRundownCompleted(guest: Guest, rundown: PVOID) -> VOID:
    """ExRundownCompleted."""
    guest.part(KernelObjects).rundown(rundown).completed()


def _mutex(guest: Guest, address: int, routine: str) -> FastMutex:
    return guest.part(KernelObjects).fast_mutex(address, routine)

"""WdfSpinLock*, WdfWaitLock* and the lock of a device or queue."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, PVOID, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_parameters import required
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.lock import SpinLock, WaitLock, acquire_object_lock, release_object_lock
from dirql.wdf.object import Object

__all__: list[str] = []


@wdf
def WdfSpinLockCreate(
    guest: Guest, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, lock: Out[Handle[SpinLock]] | None
) -> NTSTATUS:
    """WdfSpinLockCreate."""
    out = required(lock, "SpinLock", "WdfSpinLockCreate")
    out(SpinLock.create(guest.framework, attributes_of(guest, attributes, "WdfSpinLockCreate")))
    return STATUS_SUCCESS


@wdf
def WdfSpinLockAcquire(guest: Guest, lock: Handle[SpinLock]) -> VOID:
    """WdfSpinLockAcquire."""
    lock.acquire()


@wdf
def WdfSpinLockRelease(guest: Guest, lock: Handle[SpinLock]) -> VOID:
    """WdfSpinLockRelease."""
    lock.release()


@wdf
def WdfWaitLockCreate(
    guest: Guest, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, lock: Out[Handle[WaitLock]] | None
) -> NTSTATUS:
    """WdfWaitLockCreate."""
    out = required(lock, "Lock", "WdfWaitLockCreate")
    out(WaitLock.create(guest.framework, attributes_of(guest, attributes, "WdfWaitLockCreate")))
    return STATUS_SUCCESS


@wdf
def WdfWaitLockAcquire(guest: Guest, lock: Handle[WaitLock], timeout: PVOID) -> NTSTATUS:
    """WdfWaitLockAcquire: Timeout points to a time; NULL waits for ever."""
    if not timeout:
        return lock.acquire()
    time = int.from_bytes(guest.space.read(timeout, 8), "little", signed=True)
    return lock.acquire(guest.kernel.clock.duration(time))


@wdf
def WdfWaitLockRelease(guest: Guest, lock: Handle[WaitLock]) -> VOID:
    """WdfWaitLockRelease."""
    lock.release()


@wdf
def WdfObjectAcquireLock(guest: Guest, object_: Handle[Object]) -> VOID:
    """WdfObjectAcquireLock."""
    acquire_object_lock(object_)


@wdf
def WdfObjectReleaseLock(guest: Guest, object_: Handle[Object]) -> VOID:
    """WdfObjectReleaseLock."""
    release_object_lock(object_)

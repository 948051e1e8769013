"""Synchronising with an interrupt object; connecting one is Io's."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, KIRQL, PVOID, VOID, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.wdf_values import boolean

__all__: list[str] = []


@api("ntoskrnl")
def KeSynchronizeExecution(guest: Guest, interrupt: PVOID, routine: PVOID, context: PVOID) -> BOOLEAN:
    """KeSynchronizeExecution."""
    found = guest.part(KernelObjects).interrupt(interrupt, "KeSynchronizeExecution")
    return found.synchronize_execution(guest.callback(routine, boolean), context)


@api("ntoskrnl")
def KeAcquireInterruptSpinLock(guest: Guest, interrupt: PVOID) -> KIRQL:
    """KeAcquireInterruptSpinLock."""
    return guest.part(KernelObjects).interrupt(interrupt, "KeAcquireInterruptSpinLock").acquire_spin_lock()


@api("ntoskrnl")
def KeReleaseInterruptSpinLock(guest: Guest, interrupt: PVOID, irql: KIRQL) -> VOID:
    """KeReleaseInterruptSpinLock."""
    guest.part(KernelObjects).interrupt(interrupt, "KeReleaseInterruptSpinLock").release_spin_lock(irql)

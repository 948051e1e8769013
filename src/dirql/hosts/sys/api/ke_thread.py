"""Ke routines about threads: priorities, critical and guarded regions."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, LONG, PVOID, VOID, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.kernel.thread import Thread

__all__: list[str] = []

APC_LEVEL = 1


def current(guest: Guest) -> Thread:
    """The running thread."""
    thread: Thread | None = guest.machine.cpu.thread
    return thread if thread is not None else guest.kernel.no_thread


@api("ntoskrnl")
def KeGetCurrentThread(guest: Guest) -> PVOID:
    """KeGetCurrentThread, which many headers have inline."""
    return guest.handle(guest.kernel.ke_get_current_thread())


@api("ntoskrnl")
def KeSetPriorityThread(guest: Guest, thread: PVOID, priority: LONG) -> LONG:
    """KeSetPriorityThread."""
    return guest.part(KernelObjects).thread(thread, "KeSetPriorityThread").set_priority(priority)


@api("ntoskrnl")
def KeQueryPriorityThread(guest: Guest, thread: PVOID) -> LONG:
    """KeQueryPriorityThread."""
    return guest.part(KernelObjects).thread(thread, "KeQueryPriorityThread").query_priority()


@api("ntoskrnl")
def KeEnterCriticalRegion(guest: Guest) -> VOID:
    """KeEnterCriticalRegion."""
    current(guest).enter_critical_region()


@api("ntoskrnl")
def KeLeaveCriticalRegion(guest: Guest) -> VOID:
    """KeLeaveCriticalRegion."""
    current(guest).leave_critical_region()


@api("ntoskrnl")
def KeEnterGuardedRegion(guest: Guest) -> VOID:
    """KeEnterGuardedRegion."""
    current(guest).enter_guarded_region()


@api("ntoskrnl")
def KeLeaveGuardedRegion(guest: Guest) -> VOID:
    """KeLeaveGuardedRegion."""
    current(guest).leave_guarded_region()


@api("ntoskrnl")
def KeAreApcsDisabled(guest: Guest) -> BOOLEAN:
    """KeAreApcsDisabled."""
    enter(guest, "KeAreApcsDisabled")
    thread = current(guest)
    return bool(thread.critical_region or thread.guarded_region)


@api("ntoskrnl")
def KeAreAllApcsDisabled(guest: Guest) -> BOOLEAN:
    """KeAreAllApcsDisabled."""
    enter(guest, "KeAreAllApcsDisabled")
    return bool(current(guest).guarded_region or guest.machine.cpu.irql >= APC_LEVEL)

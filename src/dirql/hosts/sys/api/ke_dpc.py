"""DPCs: KDPC structures in the driver's memory.

Model choice: threaded DPCs are disabled, as the registry can have it, so that they run at DISPATCH_LEVEL like the others.
"""

from __future__ import annotations

from dirql import ntstatus
from dirql.hosts.sys.abi import BOOLEAN, CHAR, NTSTATUS, PVOID, ULONG, VOID, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import KDPC, PROCESSOR_NUMBER
from dirql.kernel.dpc import Importance

__all__: list[str] = []

WATCHDOG_SIZE = 20  # of KDPC_WATCHDOG_INFORMATION: five ULONGs


@api("ntoskrnl")
def KeInitializeDpc(guest: Guest, dpc: PVOID, routine: PVOID, context: PVOID) -> VOID:
    """KeInitializeDpc."""
    enter(guest, "KeInitializeDpc")
    guest.part(KernelObjects).new_dpc(dpc, routine, context)


@api("ntoskrnl")
def KeInitializeThreadedDpc(guest: Guest, dpc: PVOID, routine: PVOID, context: PVOID) -> VOID:
    """KeInitializeThreadedDpc."""
    enter(guest, "KeInitializeThreadedDpc")
    guest.part(KernelObjects).new_dpc(dpc, routine, context, threaded=True)


@api("ntoskrnl")
def KeInsertQueueDpc(guest: Guest, dpc: PVOID, first: PVOID, second: PVOID) -> BOOLEAN:
    """KeInsertQueueDpc: FALSE if it is in a queue already."""
    return guest.part(KernelObjects).dpc(dpc, "KeInsertQueueDpc").insert(first, second)


@api("ntoskrnl")
def KeRemoveQueueDpc(guest: Guest, dpc: PVOID) -> BOOLEAN:
    """KeRemoveQueueDpc: TRUE if it was queued."""
    return guest.part(KernelObjects).dpc(dpc, "KeRemoveQueueDpc").remove()


@api("ntoskrnl")
def KeRemoveQueueDpcEx(guest: Guest, dpc: PVOID, wait: BOOLEAN) -> BOOLEAN:
    """KeRemoveQueueDpc; with `wait` not before the routine has returned that runs now."""
    found = guest.part(KernelObjects).dpc(dpc, "KeRemoveQueueDpcEx")
    was = found.remove()
    if wait and found.running:
        guest.kernel.flush_queued_dpcs()
    return was


@api("ntoskrnl")
def KeSetImportanceDpc(guest: Guest, dpc: PVOID, importance: ULONG) -> VOID:
    """KeSetImportanceDpc; a number that is none counts as medium."""
    found = guest.part(KernelObjects).dpc(dpc, "KeSetImportanceDpc")
    known = Importance(importance) if importance <= Importance.MediumHighImportance else Importance.MediumImportance
    found.set_importance(known)
    KDPC(guest.space, dpc).Importance = importance & 0xFF


@api("ntoskrnl")
def KeSetTargetProcessorDpc(guest: Guest, dpc: PVOID, number: CHAR) -> VOID:
    """KeSetTargetProcessorDpc."""
    guest.part(KernelObjects).dpc(dpc, "KeSetTargetProcessorDpc").set_target_processor(number)
    KDPC(guest.space, dpc).Number = number


@api("ntoskrnl")
def KeSetTargetProcessorDpcEx(guest: Guest, dpc: PVOID, number: Ptr[PROCESSOR_NUMBER]) -> NTSTATUS:
    """KeSetTargetProcessorDpcEx: STATUS_INVALID_PARAMETER for a processor that does not exist."""
    found = guest.part(KernelObjects).dpc(dpc, "KeSetTargetProcessorDpcEx")
    if number.Group or number.Reserved or number.Number >= len(guest.machine.cpus):
        enter(guest, "KeSetTargetProcessorDpcEx")
        return ntstatus.STATUS_INVALID_PARAMETER
    found.set_target_processor(number.Number)
    KDPC(guest.space, dpc).Number = number.Number
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def KeFlushQueuedDpcs(guest: Guest) -> VOID:
    """KeFlushQueuedDpcs."""
    guest.kernel.ke_flush_queued_dpcs()


@api("ntoskrnl")
def KeQueryDpcWatchdogInformation(guest: Guest, information: PVOID) -> NTSTATUS:
    """The watchdog is off: limits and counts of 0."""
    enter(guest, "KeQueryDpcWatchdogInformation")
    guest.space.write(information, bytes(WATCHDOG_SIZE))
    return ntstatus.STATUS_SUCCESS

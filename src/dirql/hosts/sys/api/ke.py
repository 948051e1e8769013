"""ntoskrnl's Ke routines about IRQLs, stalling, and the machine's end."""

from __future__ import annotations

from dirql import ntstatus
from dirql.hosts.sys.abi import BOOLEAN, KIRQL, NTSTATUS, PVOID, SIZE_T, UCHAR, ULONG, ULONG_PTR, ULONGLONG, VOID, Out, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.kernel.irql import DISPATCH_LEVEL

__all__: list[str] = []

SYNCH_LEVEL = 12  # of multiprocessor x64


@api("ntoskrnl")
def KeGetCurrentIrql(guest: Guest) -> KIRQL:
    """KeGetCurrentIrql."""
    return guest.kernel.ke_get_current_irql()


@api("ntoskrnl")
def KeRaiseIrql(guest: Guest, new: KIRQL, old: Out[UCHAR]) -> VOID:
    """KeRaiseIrql, which is a macro on x64."""
    old(guest.kernel.ke_raise_irql(new))


@api("ntoskrnl")
def KfRaiseIrql(guest: Guest, new: KIRQL) -> KIRQL:
    """KeRaiseIrql, whose macro stores what this returns."""
    return guest.kernel.ke_raise_irql(new)


@api("ntoskrnl")
def KeRaiseIrqlToDpcLevel(guest: Guest) -> KIRQL:
    """KeRaiseIrqlToDpcLevel."""
    return guest.kernel.ke_raise_irql_to_dpc_level()


@api("ntoskrnl")
def KeRaiseIrqlToSynchLevel(guest: Guest) -> KIRQL:
    """KeRaiseIrqlToSynchLevel."""
    return guest.kernel.ke_raise_irql(SYNCH_LEVEL)


@api("ntoskrnl")
def KeLowerIrql(guest: Guest, new: KIRQL) -> VOID:
    """KeLowerIrql."""
    guest.kernel.ke_lower_irql(new)


@api("ntoskrnl")
def KfLowerIrql(guest: Guest, new: KIRQL) -> VOID:
    """KeLowerIrql by its older name."""
    guest.kernel.ke_lower_irql(new)


@api("hal")
def KeStallExecutionProcessor(guest: Guest, microseconds: ULONG) -> VOID:
    """KeStallExecutionProcessor."""
    guest.kernel.ke_stall_execution_processor(microseconds)


@api("ntoskrnl")
def KeBugCheck(guest: Guest, code: ULONG) -> VOID:
    """KeBugCheck."""
    guest.kernel.ke_bug_check(code)


@api("ntoskrnl")
def KeBugCheckEx(
    guest: Guest, code: ULONG, first: ULONG_PTR, second: ULONG_PTR, third: ULONG_PTR, fourth: ULONG_PTR
) -> VOID:  # fmt: skip
    """KeBugCheckEx."""
    guest.kernel.ke_bug_check(code, first, second, third, fourth)


@api("ntoskrnl")
def KeRegisterBugCheckCallback(
    guest: Guest, record: PVOID, callback: PVOID, buffer: PVOID, length: ULONG, component: PVOID
) -> BOOLEAN:  # fmt: skip
    """Accepted; nothing runs after a bugcheck."""
    enter(guest, "KeRegisterBugCheckCallback")
    return True


@api("ntoskrnl")
def KeDeregisterBugCheckCallback(guest: Guest, record: PVOID) -> BOOLEAN:
    """Accepted."""
    enter(guest, "KeDeregisterBugCheckCallback")
    return True


@api("ntoskrnl")
def KeRegisterBugCheckReasonCallback(
    guest: Guest, record: PVOID, callback: PVOID, reason: ULONG, component: PVOID
) -> BOOLEAN:  # fmt: skip
    """Accepted; nothing runs after a bugcheck."""
    enter(guest, "KeRegisterBugCheckReasonCallback")
    return True


@api("ntoskrnl")
def KeDeregisterBugCheckReasonCallback(guest: Guest, record: PVOID) -> BOOLEAN:
    """Accepted."""
    enter(guest, "KeDeregisterBugCheckReasonCallback")
    return True


@api("ntoskrnl")
def KeSaveExtendedProcessorState(guest: Guest, mask: ULONGLONG, state: PVOID) -> NTSTATUS:
    """Nothing needs to be saved: every call into a driver has registers of its own."""
    enter(guest, "KeSaveExtendedProcessorState")
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def KeRestoreExtendedProcessorState(guest: Guest, state: PVOID) -> VOID:
    """Nothing was saved."""
    enter(guest, "KeRestoreExtendedProcessorState")


@api("ntoskrnl")
def KeSaveFloatingPointState(guest: Guest, save: PVOID) -> NTSTATUS:
    """On x64 there is nothing to save."""
    enter(guest, "KeSaveFloatingPointState")
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def KeRestoreFloatingPointState(guest: Guest, save: PVOID) -> NTSTATUS:
    """On x64 nothing was saved."""
    enter(guest, "KeRestoreFloatingPointState")
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def KeInvalidateAllCaches(guest: Guest) -> BOOLEAN:
    """No cache is modelled."""
    enter(guest, "KeInvalidateAllCaches")
    return True


@api("ntoskrnl")
def KeFlushIoBuffers(guest: Guest, mdl: PVOID, read: BOOLEAN, dma: BOOLEAN) -> VOID:
    """No cache is modelled."""
    enter(guest, "KeFlushIoBuffers")


@api("ntoskrnl")
def KeShouldYieldProcessor(guest: Guest) -> ULONG:
    """Nobody is asked to yield."""
    enter(guest, "KeShouldYieldProcessor")
    return 0


@api("ntoskrnl")
def KeGetRecommendedSharedDataAlignment(guest: Guest) -> ULONG:
    """A cache line."""
    enter(guest, "KeGetRecommendedSharedDataAlignment")
    return 64


@api("ntoskrnl")
def KeExpandKernelStackAndCallout(guest: Guest, callout: PVOID, parameter: PVOID, size: SIZE_T) -> NTSTATUS:
    """The callout, on the stack that there is."""
    enter(guest, "KeExpandKernelStackAndCallout")
    if guest.machine.cpu.irql > DISPATCH_LEVEL:
        return ntstatus.STATUS_INVALID_PARAMETER
    guest.call(callout, parameter)
    return ntstatus.STATUS_SUCCESS

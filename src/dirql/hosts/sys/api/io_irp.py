"""ntoskrnl's IRP routines, by the structures of `wdm_irps`, and remove locks.

Of a remove lock (a build without DBG) the structure is authoritative: IoCount, Removed and RemoveEvent.
"""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, CHAR, KIRQL, NTSTATUS, PVOID, SIZE_T, ULONG, USHORT, VOID, Out, Ptr, api
from dirql.hosts.sys.device_objects import DeviceObjects
from dirql.hosts.sys.driver_memory import load, store
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, IO_REMOVE_LOCK, IRP
from dirql.hosts.sys.wdm_irps import WdmIrps
from dirql.kernel.lock import SpinLock
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import STATUS_DELETE_PENDING, STATUS_SUCCESS

__all__: list[str] = []

DEEPEST = 127
REMOVE_EVENT = IO_REMOVE_LOCK.offset("Common.RemoveEvent")


@api("ntoskrnl")
def IoAllocateIrp(guest: Guest, stack_size: CHAR, charge_quota: BOOLEAN) -> PVOID:
    """IoAllocateIrp."""
    enter(guest, "IoAllocateIrp")
    return guest.part(WdmIrps).allocate(stack_size).address if stack_size >= 0 else 0


@api("ntoskrnl")
def IoInitializeIrp(guest: Guest, irp: Ptr[IRP], size: USHORT, stack_size: CHAR) -> VOID:
    """IoInitializeIrp."""
    guest.part(WdmIrps).initialize(_given(guest, irp), size, stack_size)


@api("ntoskrnl")
def IoReuseIrp(guest: Guest, irp: Ptr[IRP], status: NTSTATUS) -> VOID:
    """IoReuseIrp."""
    guest.part(WdmIrps).reuse(_given(guest, irp), status)


@api("ntoskrnl")
def IoFreeIrp(guest: Guest, irp: Ptr[IRP]) -> VOID:
    """IoFreeIrp."""
    enter(guest, "IoFreeIrp")
    guest.part(WdmIrps).free(_given(guest, irp))


@api("ntoskrnl")
def IofCallDriver(guest: Guest, device: PVOID, irp: Ptr[IRP]) -> NTSTATUS:
    """IofCallDriver: what IoCallDriver is."""
    enter(guest, "IofCallDriver")
    return guest.part(WdmIrps).call(device, _given(guest, irp))


@api("ntoskrnl")
def PoCallDriver(guest: Guest, device: PVOID, irp: Ptr[IRP]) -> NTSTATUS:
    """PoCallDriver: since Windows Vista the same."""
    enter(guest, "IofCallDriver")
    return guest.part(WdmIrps).call(device, _given(guest, irp))


@api("ntoskrnl")
def IofCompleteRequest(guest: Guest, irp: Ptr[IRP], boost: CHAR) -> VOID:
    """IofCompleteRequest: what IoCompleteRequest is."""
    enter(guest, "IofCompleteRequest")
    guest.part(WdmIrps).complete(_given(guest, irp))


@api("ntoskrnl")
def IoCancelIrp(guest: Guest, irp: Ptr[IRP]) -> BOOLEAN:
    """IoCancelIrp."""
    enter(guest, "IoCancelIrp")
    return guest.part(WdmIrps).cancel(_given(guest, irp))


@api("ntoskrnl")
def IoSetCompletionRoutineEx(
    guest: Guest, device: PVOID, irp: Ptr[IRP], routine: PVOID, context: PVOID, success: BOOLEAN, error: BOOLEAN, cancel: BOOLEAN
) -> NTSTATUS:
    """IoSetCompletionRoutineEx."""
    location = guest.part(WdmIrps).next_location(_given(guest, irp))
    location.store(CompletionRoutine=routine, Context=context, Control=success << 6 | error << 7 | cancel << 5)
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoBuildDeviceIoControlRequest(
    guest: Guest, code: ULONG, device: PVOID, given: PVOID, given_length: ULONG, out: PVOID, out_length: ULONG, internal: BOOLEAN,
    event: PVOID, status: PVOID,
) -> PVOID:  # fmt: skip
    """IoBuildDeviceIoControlRequest, with METHOD_BUFFERED; the I/O manager frees the IRP when it is completed."""
    irps = guest.part(WdmIrps)
    irp = irps.allocate(DEVICE_OBJECT(guest.space, device).StackSize, "an IRP of IoBuildDeviceIoControlRequest")
    buffer = irps.buffer(max(given_length, out_length))
    if buffer:
        store(guest, buffer, load(guest, given, given_length))
    irp.AssociatedIrp.SystemBuffer, irp.UserBuffer, irp.UserIosb, irp.UserEvent = buffer, out, status, event
    location = irps.next_location(irp)
    location.MajorFunction = 0x0F if internal else 0x0E
    control = location.Parameters.DeviceIoControl
    control.OutputBufferLength, control.InputBufferLength, control.IoControlCode = out_length, given_length, code

    def came_back(done: IRP) -> None:
        if buffer and out and done.IoStatus.Status >> 30 & 3 != 3:
            store(guest, out, load(guest, buffer, min(done.IoStatus.Information, out_length)))
        _report(guest, done)

    irps.when_done(irp, came_back)
    return irp.address


@api("ntoskrnl")
def IoBuildSynchronousFsdRequest(
    guest: Guest, major: ULONG, device: PVOID, buffer: PVOID, length: ULONG, offset: PVOID, event: PVOID, status: PVOID
) -> PVOID:
    """IoBuildSynchronousFsdRequest: what PnP requests to a lower driver are made with."""
    irps = guest.part(WdmIrps)
    irp = irps.allocate(DEVICE_OBJECT(guest.space, device).StackSize, "an IRP of IoBuildSynchronousFsdRequest")
    irp.UserBuffer, irp.UserIosb, irp.UserEvent = buffer, status, event
    irps.next_location(irp).MajorFunction = major & 0xFF
    irps.when_done(irp, lambda done: _report(guest, done))
    return irp.address


def _report(guest: Guest, irp: IRP) -> None:
    """To whoever built it: the status block, then the event; and the IRP is gone."""
    if irp.UserIosb:
        guest.space.write(irp.UserIosb, guest.space.read(irp.address + IRP.offset("IoStatus"), 16))
    event = irp.UserEvent
    guest.part(WdmIrps).free(irp)
    if event:
        guest.part(KernelObjects).event(event, "IoCompleteRequest").set()


class CancelLock:
    """The one cancel spin lock."""

    def __init__(self, guest: Guest) -> None:
        self.lock = SpinLock(guest.kernel, "the cancel spin lock")


@api("ntoskrnl")
def IoAcquireCancelSpinLock(guest: Guest, irql: Out[KIRQL]) -> VOID:
    """IoAcquireCancelSpinLock."""
    irql(guest.part(CancelLock).lock.acquire())


@api("ntoskrnl")
def IoReleaseCancelSpinLock(guest: Guest, irql: KIRQL) -> VOID:
    """IoReleaseCancelSpinLock; a cancel routine enters with the lock's IRQL and without its owner."""
    lock = guest.part(CancelLock).lock
    if lock.owner is guest.machine.cpu:
        lock.release(irql)
    else:
        guest.kernel.ke_lower_irql(irql)


# Remove locks.


@api("ntoskrnl")
def IoInitializeRemoveLockEx(
    guest: Guest, lock: Ptr[IO_REMOVE_LOCK], tag: ULONG, minutes: ULONG, watermark: ULONG, size: ULONG
) -> VOID:
    """IoInitializeRemoveLockEx: held once, by whoever removes."""
    common = lock.Common
    common.Removed, common.IoCount = 0, 1
    guest.part(KernelObjects).new_event(lock.address + REMOVE_EVENT, 1, False)


@api("ntoskrnl")
def IoAcquireRemoveLockEx(
    guest: Guest, lock: Ptr[IO_REMOVE_LOCK], tag: PVOID, file: PVOID, line: ULONG, size: ULONG
) -> NTSTATUS:
    """IoAcquireRemoveLockEx: STATUS_DELETE_PENDING once it is being removed."""
    enter(guest, "IoAcquireRemoveLock")
    if lock.Common.Removed:
        return STATUS_DELETE_PENDING
    lock.Common.IoCount += 1
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoReleaseRemoveLockEx(guest: Guest, lock: Ptr[IO_REMOVE_LOCK], tag: PVOID, size: ULONG) -> VOID:
    """IoReleaseRemoveLockEx."""
    enter(guest, "IoReleaseRemoveLock")
    _release(guest, lock)


@api("ntoskrnl")
def IoReleaseRemoveLockAndWaitEx(guest: Guest, lock: Ptr[IO_REMOVE_LOCK], tag: PVOID, size: ULONG) -> VOID:
    """IoReleaseRemoveLockAndWaitEx: returns when nobody else holds it any more."""
    enter(guest, "IoReleaseRemoveLockAndWait")
    lock.Common.Removed = 1
    _release(guest, lock)
    _release(guest, lock)
    if lock.Common.IoCount > 0:
        event = guest.part(KernelObjects).event(lock.address + REMOVE_EVENT, "IoReleaseRemoveLockAndWait")
        guest.kernel.ke_wait_for_single_object(event)


def _release(guest: Guest, lock: IO_REMOVE_LOCK) -> None:
    left = lock.Common.IoCount - 1
    if left < 0:
        raise BugCheck(0xC4, 0xDF, lock.address, why=f"the remove lock at {lock.address:#x} is released more often than acquired")
    lock.Common.IoCount = left
    if not left:
        guest.part(KernelObjects).event(lock.address + REMOVE_EVENT, "IoReleaseRemoveLock").set()


@api("ntoskrnl")
def IoGetStackLimits(guest: Guest, low: Out[SIZE_T], high: Out[SIZE_T]) -> VOID:
    """IoGetStackLimits."""
    region = guest.stacks.of(guest.machine.cpu).region
    low(region.start)
    high(region.end)


@api("ntoskrnl")
def IoGetRelatedDeviceObject(guest: Guest, file: PVOID) -> PVOID:
    """IoGetRelatedDeviceObject: the top of the stack of the file's device."""
    device = int.from_bytes(guest.space.read(file + 8, 8), "little")
    return guest.part(DeviceObjects).top(device)


def _given(guest: Guest, irp: IRP | None) -> IRP:
    if irp is None:
        guest.space.fault(0, 1)
    return irp

"""IoConnectInterruptEx and its kind: a driver's own ISRs on the kernel's interrupt objects (facts §3.6).

A KINTERRUPT is opaque to drivers: a token, which lives as long as it is connected. The IO_INTERRUPT_MESSAGE_INFO table is
written once and not read again. What a routine without a status does with an object that it does not know is a model choice:
the bugcheck of the access that Windows would make.
Limits: FloatingSave has no effect on x64, here as there.
"""

from __future__ import annotations

from typing import Any

from dirql.hosts.sys.abi import BOOLEAN, KIRQL, NTSTATUS, PVOID, ULONG, ULONG_PTR, VOID, Ptr, api
from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.nt_structs import (
    IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS,
    IO_CONNECT_INTERRUPT_PARAMETERS,
    IO_DISCONNECT_INTERRUPT_PARAMETERS,
    IO_INTERRUPT_MESSAGE_INFO,
    IO_INTERRUPT_MESSAGE_INFO_ENTRY,
    IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS,
)
from dirql.kernel.io_connect import (
    InterruptMessageInfo,
    connect_fully_specified,
    connect_line,
    connect_messages,
    connect_messages_or_line,
    disconnect_messages,
)
from dirql.kernel.kinterrupt import KInterrupt
from dirql.kernel.lock import SpinLock
from dirql.ntstatus import STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER_1, STATUS_SUCCESS, StatusError
from dirql.pnp.manager import DevNode

__all__: list[str] = []

FULLY_SPECIFIED, LINE_BASED, MESSAGE_BASED, FULLY_SPECIFIED_GROUP = 1, 2, 3, 4
ENTRIES = IO_INTERRUPT_MESSAGE_INFO.offset("MessageInfo")
LATCHED = 1


class MessageTables:
    """IO_INTERRUPT_MESSAGE_INFO tables that drivers hold, by address."""

    def __init__(self, guest: Guest) -> None:
        self.known: dict[int, tuple[InterruptMessageInfo, Region]] = {}


@api("ntoskrnl")
def IoConnectInterruptEx(guest: Guest, parameters: Ptr[IO_CONNECT_INTERRUPT_PARAMETERS]) -> NTSTATUS:
    """IoConnectInterruptEx: MESSAGE_BASED tells in Version what was connected."""
    version = parameters.Version
    if version in (FULLY_SPECIFIED, FULLY_SPECIFIED_GROUP):
        given = parameters.FullySpecified
        interrupt = _fully_specified(guest, given, group=given.Group if version == FULLY_SPECIFIED_GROUP else 0)
        _put(guest, given.InterruptObject, guest.handle(interrupt))
    elif version == LINE_BASED:
        given = parameters.LineBased
        interrupt = connect_line(
            guest.kernel, _device(guest, given.PhysicalDeviceObject), _service(guest, given.ServiceRoutine), given.ServiceContext,
            synchronize_irql=given.SynchronizeIrql, lock=_lock(guest, given.SpinLock),
        )  # fmt: skip
        _put(guest, given.InterruptObject, guest.handle(interrupt))
    elif version == MESSAGE_BASED:
        _message_based(guest, parameters)
    else:
        raise StatusError(STATUS_INVALID_PARAMETER_1, f"IoConnectInterruptEx: Version {version:#x} is none of 1 to 4")
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoDisconnectInterruptEx(guest: Guest, parameters: Ptr[IO_DISCONNECT_INTERRUPT_PARAMETERS]) -> VOID:
    """IoDisconnectInterruptEx: a message table goes with its interrupts."""
    context = parameters.ConnectionContext.Generic
    if parameters.Version == MESSAGE_BASED:
        info, region = _table(guest, context)
        disconnect_messages(guest.kernel, info)
        del guest.part(MessageTables).known[context]
        guest.space.free(region)
    else:
        guest.kernel.interrupts.disconnect(_interrupt(guest, context))


@api("ntoskrnl")
def IoConnectInterrupt(
    guest: Guest, out: PVOID, routine: PVOID, context: PVOID, spin_lock: PVOID, vector: ULONG, irql: KIRQL,
    synchronize_irql: KIRQL, mode: ULONG, share: BOOLEAN, affinity: ULONG_PTR, floating_save: BOOLEAN,
) -> NTSTATUS:  # fmt: skip
    """IoConnectInterrupt: the older form of CONNECT_FULLY_SPECIFIED."""
    interrupt = connect_fully_specified(
        guest.kernel, _service(guest, routine), context, vector=vector, irql=irql, synchronize_irql=synchronize_irql,
        affinity=affinity, latched=mode == LATCHED, share=share, lock=_lock(guest, spin_lock), name=f"interrupt {vector:#x}",
    )  # fmt: skip
    _put(guest, out, guest.handle(interrupt))
    return STATUS_SUCCESS


@api("ntoskrnl")
def IoDisconnectInterrupt(guest: Guest, interrupt: PVOID) -> VOID:
    """IoDisconnectInterrupt."""
    guest.kernel.interrupts.disconnect(_interrupt(guest, interrupt))


@api("ntoskrnl")
def IoReportInterruptActive(guest: Guest, parameters: Ptr[IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS]) -> VOID:
    """IoReportInterruptActive."""
    for interrupt in _reported(guest, parameters):
        guest.kernel.interrupts.report_active(interrupt)


@api("ntoskrnl")
def IoReportInterruptInactive(guest: Guest, parameters: Ptr[IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS]) -> VOID:
    """IoReportInterruptInactive."""
    for interrupt in _reported(guest, parameters):
        guest.kernel.interrupts.report_inactive(interrupt)


def _fully_specified(guest: Guest, given: IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS, group: int) -> KInterrupt:
    device = _device(guest, given.PhysicalDeviceObject)
    return connect_fully_specified(
        guest.kernel, _service(guest, given.ServiceRoutine), given.ServiceContext, vector=given.Vector, irql=given.Irql,
        synchronize_irql=given.SynchronizeIrql, affinity=given.ProcessorEnableMask, latched=given.InterruptMode == LATCHED,
        share=bool(given.ShareVector), lock=_lock(guest, given.SpinLock), group=group, device=device,
        name=f"interrupt {given.Vector:#x} of {device.name}",
    )  # fmt: skip


def _message_based(guest: Guest, parameters: IO_CONNECT_INTERRUPT_PARAMETERS) -> None:
    given = parameters.MessageBased
    device, context, lock = _device(guest, given.PhysicalDeviceObject), given.ServiceContext, _lock(guest, given.SpinLock)
    irql, out = given.SynchronizeIrql, given.ConnectionContext.Generic
    routine = _service(guest, given.MessageServiceRoutine)
    if given.FallBackServiceRoutine:
        made = connect_messages_or_line(
            guest.kernel, device, routine, _service(guest, given.FallBackServiceRoutine), context,
            synchronize_irql=irql, lock=lock,
        )  # fmt: skip
    else:
        made = connect_messages(guest.kernel, device, routine, context, synchronize_irql=irql, lock=lock)
    if isinstance(made, KInterrupt):
        parameters.Version = LINE_BASED
        _put(guest, out, guest.handle(made))
    else:
        _put(guest, out, _write_table(guest, made, device))


def _write_table(guest: Guest, info: InterruptMessageInfo, device: DevNode) -> int:
    size = ENTRIES + len(info.entries) * IO_INTERRUPT_MESSAGE_INFO_ENTRY.size
    what = f"the IO_INTERRUPT_MESSAGE_INFO of {device.name}"
    region = guest.space.allocate(Area.POOL, size, what, at_end=True)
    table = IO_INTERRUPT_MESSAGE_INFO(guest.space, region.start)
    table.UnifiedIrql, table.MessageCount = info.unified_irql, len(info.entries)
    for number, entry in enumerate(info.entries):
        at = IO_INTERRUPT_MESSAGE_INFO_ENTRY(guest.space, region.start + ENTRIES + number * IO_INTERRUPT_MESSAGE_INFO_ENTRY.size)
        assigned = entry.assigned
        at.MessageAddress.QuadPart, at.MessageData = assigned.address, assigned.data
        at.store(
            TargetProcessorSet=assigned.affinity, InterruptObject=guest.handle(entry.interrupt), Vector=assigned.vector,
            Irql=assigned.irql, Mode=int(assigned.latched), Polarity=0,
        )  # fmt: skip
    guest.part(MessageTables).known[region.start] = info, region
    return region.start


def _reported(guest: Guest, parameters: IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS) -> list[KInterrupt]:
    context = parameters.ConnectionContext.Generic
    if parameters.Version == MESSAGE_BASED:
        return [entry.interrupt for entry in _table(guest, context)[0].entries]
    return [_interrupt(guest, context)]


def _table(guest: Guest, address: int) -> tuple[InterruptMessageInfo, Region]:
    found = guest.part(MessageTables).known.get(address)
    if found is None:
        guest.space.fault(address, 1)
    return found


def _interrupt(guest: Guest, address: int) -> KInterrupt:
    return guest.part(KernelObjects).interrupt(address, "IoDisconnectInterruptEx, IoReportInterruptActive or …Inactive")


def _device(guest: Guest, address: int) -> DevNode:
    found = guest.behind.get(address)
    if not isinstance(found, DevNode):
        why = f"PhysicalDeviceObject {address:#x} is no PDO; pass what AddDevice or WdfDeviceWdmGetPhysicalDevice gave"
        raise StatusError(STATUS_INVALID_PARAMETER, why)
    return found


def _service(guest: Guest, entry: int) -> Any:
    if not entry:
        raise StatusError(STATUS_INVALID_PARAMETER, "IoConnectInterruptEx: ServiceRoutine is NULL")
    return guest.callback(entry, lambda rax: bool(rax & 0xFF))


def _lock(guest: Guest, address: int) -> SpinLock | None:
    """The kernel's lock behind a KSPIN_LOCK of the driver's."""
    return guest.part(KernelObjects).spin_lock(address, acquire=False) if address else None


def _put(guest: Guest, address: int, value: int) -> None:
    guest.space.write(address, value.to_bytes(8, "little"))

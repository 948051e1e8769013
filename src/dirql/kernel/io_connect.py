"""IoConnectInterruptEx by a device's own interrupts: its line, or all of its messages at once (facts §3.6, §4;
windows-driver-docs, "Using the CONNECT_LINE_BASED version", "Using the CONNECT_MESSAGE_BASED version").

The caller names the device (its PDO) and not vectors; what was granted to it is looked up. Every message becomes a
KINTERRUPT of its own, with the caller's spin lock or one each.
Model choices: CONNECT_LINE_BASED takes a single message as well, since only several are said to be refused; all messages
are synchronised at the highest of their IRQLs when the caller gives a lock, each at its own when not; UnifiedIrql is that
highest IRQL, or what the caller gave; a device without interrupts gives STATUS_NOT_FOUND.
Limits: no interrupt of these is a passive-level one. `line-claimed-unseen` takes any register read for a look at the interrupt
status, one too whose value only flushes writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.kernel.kinterrupt import KInterrupt
from dirql.kernel.lock import SpinLock
from dirql.ntstatus import StatusError

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = [
    "AssignedInterrupt", "ConnectedMessage", "DriverInterrupt", "InterruptMessageInfo", "PhysicalDevice",
    "connect_fully_specified", "connect_line", "connect_messages", "connect_messages_or_line", "disconnect_messages",
]  # fmt: skip

ServiceRoutine = Callable[[KInterrupt, Any], bool]
MessageServiceRoutine = Callable[[KInterrupt, Any, int], bool]


@dataclass(frozen=True)
class AssignedInterrupt:
    """One interrupt that a device was granted: its line, or a message with what the device writes to raise it."""

    vector: int
    irql: int
    affinity: int
    latched: bool
    share: bool
    address: int = 0
    data: int = 0


class PhysicalDevice(Protocol):
    """A PDO, by what the bus and the PnP manager know of it."""

    @property
    def name(self) -> str:
        """For reports."""

    @property
    def messages(self) -> Sequence[AssignedInterrupt]:
        """The messages granted, in their order."""

    @property
    def line(self) -> AssignedInterrupt | None:
        """The line granted."""

    @property
    def questions(self) -> int:
        """How often something was read of the device."""


class DriverInterrupt(KInterrupt):
    """A KINTERRUPT that a driver connected itself; `device` is the PDO that it named, None in the older form."""

    __slots__ = ("device",)
    device: PhysicalDevice | None


@dataclass(frozen=True)
class ConnectedMessage:
    """IO_INTERRUPT_MESSAGE_INFO_ENTRY."""

    assigned: AssignedInterrupt
    interrupt: KInterrupt


@dataclass
class InterruptMessageInfo:
    """IO_INTERRUPT_MESSAGE_INFO: what CONNECT_MESSAGE_BASED connected."""

    unified_irql: int
    entries: list[ConnectedMessage] = field(default_factory=list)


@ddi("IoConnectInterruptEx")
def connect_fully_specified(
    kernel: Kernel, routine: ServiceRoutine, context: Any, *, vector: int, irql: int, synchronize_irql: int, affinity: int,
    latched: bool, share: bool, lock: SpinLock | None = None, group: int = 0, device: PhysicalDevice | None = None,
    name: str = "interrupt",
) -> KInterrupt:  # fmt: skip
    """CONNECT_FULLY_SPECIFIED and CONNECT_FULLY_SPECIFIED_GROUP: everything as the caller says. An Irql and a SynchronizeIrql
    of PASSIVE_LEVEL ask for a passive-level interrupt."""
    if not 0x30 <= vector <= 0xFF or irql > 15 or synchronize_irql > 15:
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"vector {vector:#x} at IRQL {irql} is no device's")
    if group or not affinity & (1 << len(kernel.machine.cpus)) - 1:
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER_10, f"no processor in affinity {affinity:#x} of group {group}")
    assigned = AssignedInterrupt(vector, irql, affinity, latched, share)
    passive = not irql and not synchronize_irql
    return _connect(kernel, device, routine, context, assigned, synchronize_irql, lock, name, passive=passive)


@ddi("IoConnectInterruptEx")
def connect_line(
    kernel: Kernel, device: PhysicalDevice, routine: ServiceRoutine, context: Any = None, *, synchronize_irql: int = 0,
    lock: SpinLock | None = None,
) -> KInterrupt:  # fmt: skip
    """CONNECT_LINE_BASED: the device's line; STATUS_INVALID_DEVICE_REQUEST while it has several messages."""
    return _connect_line(kernel, device, routine, context, synchronize_irql, lock)


@ddi("IoConnectInterruptEx")
def connect_messages(
    kernel: Kernel, device: PhysicalDevice, routine: MessageServiceRoutine, context: Any = None, *, synchronize_irql: int = 0,
    lock: SpinLock | None = None,
) -> InterruptMessageInfo:  # fmt: skip
    """CONNECT_MESSAGE_BASED without a FallBackServiceRoutine: STATUS_NOT_FOUND for a device without messages."""
    return _connect_messages(kernel, device, routine, context, synchronize_irql, lock)


@ddi("IoConnectInterruptEx")
def connect_messages_or_line(
    kernel: Kernel, device: PhysicalDevice, routine: MessageServiceRoutine, fall_back: ServiceRoutine, context: Any = None, *,
    synchronize_irql: int = 0, lock: SpinLock | None = None,
) -> InterruptMessageInfo | KInterrupt:  # fmt: skip
    """CONNECT_MESSAGE_BASED with a FallBackServiceRoutine, which serves the line of a device without messages."""
    if device.messages:
        return _connect_messages(kernel, device, routine, context, synchronize_irql, lock)
    return _connect_line(kernel, device, fall_back, context, synchronize_irql, lock)


@ddi("IoDisconnectInterruptEx")
def disconnect_messages(kernel: Kernel, info: InterruptMessageInfo) -> None:
    """All of them, the last one first."""
    _disconnect(kernel, info.entries)


def _connect_line(
    kernel: Kernel, device: PhysicalDevice, routine: ServiceRoutine, context: Any, synchronize_irql: int, lock: SpinLock | None
) -> KInterrupt:
    if len(device.messages) > 1:
        why = f"{device.name} has {len(device.messages)} messages; connect with CONNECT_MESSAGE_BASED"
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, why)
    assigned = device.messages[0] if device.messages else device.line
    if assigned is None:
        raise StatusError(ntstatus.STATUS_NOT_FOUND, f"{device.name} has no interrupt")
    irql = synchronize_irql or assigned.irql
    return _connect(kernel, device, routine, context, assigned, irql, lock, f"interrupt of {device.name}")


def _connect_messages(
    kernel: Kernel, device: PhysicalDevice, routine: MessageServiceRoutine, context: Any, synchronize_irql: int,
    lock: SpinLock | None,
) -> InterruptMessageInfo:  # fmt: skip
    messages = device.messages
    if not messages:
        raise StatusError(ntstatus.STATUS_NOT_FOUND, f"{device.name} has no messages, and there is no FallBackServiceRoutine")
    info = InterruptMessageInfo(synchronize_irql or max(assigned.irql for assigned in messages))
    for number, assigned in enumerate(messages):
        irql = info.unified_irql if lock is not None else synchronize_irql or assigned.irql
        try:
            interrupt = _connect(
                kernel, device, _of_message(routine, number), context, assigned, irql, lock, f"message{number} of {device.name}"
            )
        except StatusError:
            _disconnect(kernel, info.entries)
            raise
        info.entries.append(ConnectedMessage(assigned, interrupt))
    return info


def _of_message(routine: MessageServiceRoutine, number: int) -> ServiceRoutine:
    def service(interrupt: KInterrupt, context: Any) -> bool:
        return routine(interrupt, context, number)

    return service


def _of_line(routine: ServiceRoutine, device: PhysicalDevice) -> ServiceRoutine:
    """A line is shared: who claims it has looked at his device."""

    def service(interrupt: KInterrupt, context: Any) -> bool:
        before = device.questions
        claimed = routine(interrupt, context)
        if claimed and device.questions == before:
            machine = interrupt.machine
            sentence = f"the ISR of {interrupt.name} returned TRUE for a line without having read a register of {device.name}"
            remedy = "ask its interrupt status, and return FALSE when that shows nothing"
            machine.note_finding("line-claimed-unseen", f"{sentence}; {remedy}", machine.where())
        return claimed

    return service


def _connect(
    kernel: Kernel, device: PhysicalDevice | None, routine: ServiceRoutine, context: Any, assigned: AssignedInterrupt,
    synchronize_irql: int, lock: SpinLock | None, name: str, *, passive: bool = False,
) -> KInterrupt:  # fmt: skip
    if device is not None and device.line is not None and assigned.vector == device.line.vector and not device.messages:
        routine = _of_line(routine, device)
    interrupt = DriverInterrupt(
        kernel, routine, context, vector=assigned.vector, irql=assigned.irql, synchronize_irql=synchronize_irql,
        affinity=assigned.affinity & (1 << len(kernel.machine.cpus)) - 1, latched=assigned.latched, share=assigned.share,
        lock=lock, passive=passive, name=name,
    )  # fmt: skip
    interrupt.device = device
    status = kernel.interrupts.establish(interrupt)
    if not ntstatus.nt_success(status):
        raise StatusError(status, f"{name}, vector {assigned.vector:#x}")
    return interrupt


def _disconnect(kernel: Kernel, entries: Sequence[ConnectedMessage]) -> None:
    for entry in reversed(entries):
        kernel.interrupts.tear_down(entry.interrupt)

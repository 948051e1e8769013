"""Interrupt objects (KINTERRUPT), and synchronising with their service routines (facts §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.ddi import ddi, irql_name
from dirql.kernel.lock import SpinLock
from dirql.kernel.stop import BugCheck
from dirql.kernel.wait import Event, EventType, wait
from dirql.machine.machine import Machine
from dirql.pci.function import Fate

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["KInterrupt", "isr_changed_irql"]


class KInterrupt:
    """KINTERRUPT: `service_routine(interrupt, context)` returns whether its device interrupted."""

    __slots__ = (
        "__weakref__",
        "active",
        "affinity",
        "callers_lock",
        "connected",
        "context",
        "count",
        "cpu_ns",
        "fate",
        "first",
        "irql",
        "kernel",
        "latched",
        "lock",
        "machine",
        "name",
        "passive",
        "passive_lock",
        "routine",
        "second",
        "service_routine",
        "share",
        "synchronize_irql",
        "unclaimed",
        "vector",
    )  # fmt: skip

    def __init__(
        self, kernel: Kernel, service_routine: Callable[[KInterrupt, Any], bool], context: Any, *, vector: int, irql: int,
        synchronize_irql: int, affinity: int, latched: bool, share: bool, lock: SpinLock | None = None, passive: bool = False,
        name: str = "interrupt",
    ) -> None:  # fmt: skip
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self.service_routine, self.context = service_routine, context
        self.call_back(service_routine, self, context)
        self.vector, self.irql, self.synchronize_irql = vector, irql, synchronize_irql
        self.affinity, self.latched, self.share, self.passive = affinity, latched, share, passive
        self.callers_lock = lock is not None
        self.lock = lock or SpinLock(kernel, f"lock of {name}")
        self.passive_lock = Event(kernel, EventType.SynchronizationEvent, True, f"lock of {name}") if passive else None
        self.fate: Fate | None = None  # whose message a passive-level service routine runs for
        self.name = name
        self.connected = False
        self.active = True  # IoReportInterruptInactive: its service routine looks here
        self.count = self.unclaimed = self.cpu_ns = 0

    def call_back(self, routine: Callable[[Any, Any], bool], first: Any, second: Any) -> None:
        """What is called at once for the service routine: a framework whose own has nothing to decide just now names the
        driver's here, and takes it back with `call_service_routine`."""
        self.routine, self.first, self.second = routine, first, second

    def call_service_routine(self) -> None:
        """The service routine itself, as connected."""
        self.call_back(self.service_routine, self, self.context)

    @ddi("KeSynchronizeExecution")
    def synchronize_execution(self, routine: Callable[[Any], bool], context: Any) -> bool:
        """KeSynchronizeExecution: `routine` at SynchronizeIrql with the lock held; returns what it returned."""
        return self.synchronized(routine, context)

    def synchronized(self, routine: Callable[[Any], bool], context: Any) -> bool:
        """The same for callers that are routines themselves."""
        if self.passive_lock is not None:
            wait(self.kernel, [self.passive_lock], False, None)
            result = bool(routine(context))
            self.passive_lock.state = True
            self.passive_lock.signal()
            return result
        cpu = self.machine.cpu
        before = cpu.irql
        if before > self.synchronize_irql:
            limit = f"above its SynchronizeIrql {self.synchronize_irql}"
            raise BugCheck(0x0A, 0, before, why=f"KeSynchronizeExecution of {self.name} at {irql_name(before)}, {limit}")
        cpu.irql = self.synchronize_irql
        self.lock.enter(cpu)
        result = bool(routine(context))
        cpu = self.machine.cpu
        self.lock.leave(cpu)
        self.kernel.lower(cpu, before)
        return result

    @ddi("KeAcquireInterruptSpinLock")
    def acquire_spin_lock(self) -> int:
        """KeAcquireInterruptSpinLock: returns the old IRQL; bugcheck 0x13B (1) on a passive-level interrupt."""
        if self.passive:
            raise BugCheck(0x13B, 1, why=f"KeAcquireInterruptSpinLock on the passive-level {self.name}")
        cpu = self.machine.cpu
        old, cpu.irql = cpu.irql, max(cpu.irql, self.synchronize_irql)
        self.lock.enter(cpu)
        return old

    @ddi("KeReleaseInterruptSpinLock")
    def release_spin_lock(self, irql: int) -> None:
        """KeReleaseInterruptSpinLock."""
        cpu = self.machine.cpu
        self.lock.leave(cpu)
        self.kernel.lower(cpu, irql)

    @property
    def claimed(self) -> int:
        """How often the service routine returned TRUE."""
        return self.count - self.unclaimed

    def __repr__(self) -> str:
        return f"<KInterrupt {self.name} vector={self.vector:#x} irql={self.irql}>"


def isr_changed_irql(interrupt: KInterrupt, irql: int) -> BugCheck:
    """Bugcheck 0xC8 with id 3."""
    entered = interrupt.synchronize_irql
    why = f"the ISR of {interrupt.name} was entered at IRQL {entered} and returned at {irql}"
    interrupt.machine.note_finding("irql-changed", why, interrupt.machine.where())
    return BugCheck(0xC8, irql << 16 | entered << 8 | 3, why=why)

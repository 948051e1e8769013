"""Interrupts: connecting interrupt objects, dispatching, and chains (facts §3.6, §4).

A processor takes a vector when its priority class is above the IRQL; the service routine runs at SynchronizeIrql with the
object's spin lock held. Whose messages a vector carries is registered by the bus (`Source`), which is told of the
first connect and the last disconnect.
Limits: the latched chain's repeated passes and the level chain's order are model choices (Windows Internals, from memory).
Here an interrupt is connected by its vector; `io_connect` connects by what a device was granted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.kernel.dpc import drain
from dirql.kernel.kinterrupt import KInterrupt, isr_changed_irql
from dirql.kernel.stop import Hang
from dirql.kernel.too_long import ISR_LIMIT, isr_took
from dirql.machine.cpu import Cpu
from dirql.machine.machine import Machine
from dirql.pci.function import Fate
from dirql.trace import Kind

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["InterruptController", "Source"]

TABLE = ("interrupt descriptor table",)
BIT = tuple(1 << vector for vector in range(256))
STORM = 1_000  # times in a row that a level-triggered line fires without being released (model choice: Windows never stops)


class Source(Protocol):
    """What stands behind a vector: the bus' message or line, masked until somebody is connected."""

    def connected(self) -> None:
        """The first interrupt object was connected."""

    def disconnected(self) -> None:
        """The last interrupt object was disconnected."""


class InterruptController:
    """The processors' interrupt descriptor tables, and the dispatching of what their APICs hold."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self._sources: dict[tuple[int, int], Source] = {}
        self._trace = self.machine.trace
        self._entry_ns, self._exit_ns = self.machine.costs.interrupt_entry, self.machine.costs.interrupt_exit

    def attach(self, vector: int, affinity: int, source: Source) -> None:
        """The bus says that `source` raises `vector` on the processors of `affinity`."""
        self._sources[vector, affinity] = source

    def detach(self, vector: int, affinity: int) -> None:
        """It does not any more."""
        self._sources.pop((vector, affinity), None)

    @ddi("IoConnectInterruptEx")
    def connect(self, interrupt: KInterrupt) -> int:
        """Connect on every processor of the affinity; returns an NTSTATUS (facts §3.6)."""
        return self.establish(interrupt)

    def establish(self, interrupt: KInterrupt) -> int:
        """The same for callers that are routines themselves."""
        cpus = [cpu for cpu in self.machine.cpus if interrupt.affinity & cpu.bit]
        if not cpus:
            return ntstatus.STATUS_INVALID_PARAMETER_10
        if interrupt.passive and interrupt.callers_lock:
            return ntstatus.STATUS_INVALID_PARAMETER  # a passive-level interrupt has an event that the kernel makes
        others = [other for cpu in cpus for other in cpu.idt[interrupt.vector] or ()]
        if any(not (interrupt.share and other.share and interrupt.passive == other.passive) for other in others):
            return ntstatus.STATUS_INVALID_PARAMETER  # shared by consent and at one level (model choice: which status)
        if interrupt.synchronize_irql < interrupt.irql:
            return ntstatus.STATUS_INVALID_PARAMETER
        first = not any(other.active for other in others)
        for cpu in cpus:
            wire(cpu, interrupt.vector, [*(cpu.idt[interrupt.vector] or ()), interrupt])
        interrupt.connected = True
        if not interrupt.passive:
            self._look_at_the_lock(interrupt)
        if self.machine.watch is not None:
            self.machine.watch.release(interrupt)
            self.machine.watch.may_change(TABLE)
        if first:
            self._open(interrupt)
        return ntstatus.STATUS_SUCCESS

    @ddi("IoReportInterruptActive")
    def report_active(self, interrupt: KInterrupt) -> None:
        """Its service routine may be called again; the vector's source speaks if it was silent."""
        if interrupt.connected and not interrupt.active:
            if self.machine.watch is not None:
                self.machine.watch.release(interrupt)
            silent = not any(i.active for i in self._chain(interrupt))
            interrupt.active = True
            if silent:
                self._open(interrupt)

    @ddi("IoReportInterruptInactive")
    def report_inactive(self, interrupt: KInterrupt) -> None:
        """Connected still, and not called. Model choice: the source is masked while nobody on the vector is active."""
        if interrupt.connected and interrupt.active:
            interrupt.active = False
            if not any(i.active for i in self._chain(interrupt)):
                self._shut(interrupt)

    @ddi("IoDisconnectInterruptEx")
    def disconnect(self, interrupt: KInterrupt) -> None:
        """Not called again after this returns; a service routine that runs elsewhere is waited for through its lock."""
        self.tear_down(interrupt)

    def tear_down(self, interrupt: KInterrupt) -> None:
        """The same for callers that are routines themselves."""
        if not interrupt.connected:
            return
        interrupt.connected = False
        if self.machine.watch is not None:
            self.machine.watch.may_change(TABLE)
        last = True
        for cpu in self.machine.cpus:
            if interrupt.affinity & cpu.bit and cpu.idt[interrupt.vector]:
                rest = [i for i in cpu.idt[interrupt.vector] if i is not interrupt]
                wire(cpu, interrupt.vector, rest)
                last = last and not any(i.active for i in rest)
        if last:
            self._shut(interrupt)
        interrupt.synchronized(lambda _: True, None)
        if not interrupt.passive:
            self.kernel.held.disconnects(interrupt.lock)

    def _look_at_the_lock(self, interrupt: KInterrupt) -> None:
        lock = interrupt.lock
        self.kernel.held.connects(lock, interrupt.synchronize_irql, interrupt.name)
        if lock.interrupts > 1 and interrupt.callers_lock and interrupt.latched and not interrupt.share:
            sentence = f"{lock.name} is the lock of several interrupt objects: their ISRs run one after another on all processors"
            self.machine.note_finding("shared-spin-lock", sentence, self.machine.where())

    def _chain(self, interrupt: KInterrupt) -> list[KInterrupt]:
        return [i for cpu in self.machine.cpus if interrupt.affinity & cpu.bit for i in cpu.idt[interrupt.vector] or ()]

    def _open(self, interrupt: KInterrupt) -> None:
        source, cpu = self._sources.get((interrupt.vector, interrupt.affinity)), self.machine.cpu
        if source is not None:
            self.machine.time = cpu.now
            source.connected()
            if cpu.apic.irr:  # a line that was asserted already
                self.take(cpu)

    def _shut(self, interrupt: KInterrupt) -> None:
        source = self._sources.get((interrupt.vector, interrupt.affinity))
        if source is not None:
            self.machine.time = self.machine.cpu.now
            source.disconnected()

    def take(self, cpu: Cpu) -> None:
        """Everything pending above the IRQL, highest vector first; then the DPCs that this asked for."""
        apic, before, locks = cpu.apic, cpu.irql, cpu.locks
        in_service = apic.in_service
        while irr := apic.irr:
            vector = irr.bit_length() - 1
            if vector >> 4 <= before:
                break
            apic.irr = irr ^ BIT[vector]
            in_service.append(vector)
            cpu.now += self._entry_ns
            interrupt = cpu.direct[vector]
            if interrupt is not None:
                fate = apic.fates[vector]
                if fate is not None:
                    fate.delivered += 1
                    fate.cpus |= cpu.bit
                self._call(cpu, interrupt)
            else:
                self._take_otherwise(cpu, vector, apic.fates[vector])
            cpu.irql = before
            cpu.now += self._exit_ns
            in_service.pop()
            if apic.level and apic.level >> vector & 1:
                self._end_of_level(cpu, vector, cpu.idt[vector])
        if cpu.locks is not locks:
            self.kernel.held.left(cpu, locks, "the ISR of ")
        if cpu.dpc_requested and before < 2:
            drain(self.kernel, cpu)

    def _take_otherwise(self, cpu: Cpu, vector: int, fate: Fate | None) -> None:
        """A vector with a chain, with a passive-level interrupt, or with nobody."""
        chain: Sequence[KInterrupt] | None = cpu.idt[vector]
        if chain is None:
            self._unexpected(cpu, vector)
            return
        if fate is not None:
            fate.delivered += 1
            fate.cpus |= cpu.bit
        if chain[0].passive:
            self.kernel.passive_interrupts.queue(chain, fate)
        else:
            walk(chain, lambda interrupt: self._call(cpu, interrupt))

    def _call(self, cpu: Cpu, interrupt: KInterrupt) -> bool:
        cpu.irql = irql = interrupt.synchronize_irql
        lock = interrupt.lock
        start = cpu.now
        trace = self._trace
        if trace is not None:
            self._begins(cpu, interrupt)
        if lock.owner is None and lock.free_at <= start:
            lock.owner = cpu
        else:
            lock.take(cpu)
            if not interrupt.connected:
                return self._too_late(cpu, interrupt)
            start = cpu.now
        if trace is not None:
            if self.machine.watch is not None:
                self.machine.watch.acquire(lock)
            trace.add((start, cpu.index, Kind.ISR, interrupt.vector, irql, interrupt.name))
        routine = interrupt.routine  # a call through an attribute would be looked up as a method first
        claimed = routine(interrupt.first, interrupt.second)
        interrupt.count += 1
        spent = cpu.now - start
        interrupt.cpu_ns += spent
        if spent > ISR_LIMIT:
            isr_took(self.kernel, interrupt.name, spent)
        if not claimed:
            interrupt.unclaimed += 1
            if claimed is None:
                self._said_nothing(interrupt)
        if trace is not None:
            trace.add((cpu.now, cpu.index, Kind.ISR_END, interrupt.vector, bool(claimed)))
            if self.machine.watch is not None:
                self.machine.watch.release(lock)
                self.machine.watch.ends()
        if cpu.irql != irql:
            raise isr_changed_irql(interrupt, cpu.irql)
        if lock.waiters or lock.owner is not cpu:
            lock.give(cpu)
        else:
            lock.owner = None
            lock.free_at = cpu.now
        return claimed

    def _begins(self, cpu: Cpu, interrupt: KInterrupt) -> None:
        """For who looks on: before its lock is waited for."""
        watch = self.machine.watch
        if watch is not None:
            watch.begins(interrupt)
            watch.read(TABLE, None)
            watch.write(cpu.apic, interrupt.vector)
            watch.acquire(("vector", cpu.index, interrupt.vector))

    def _said_nothing(self, interrupt: KInterrupt) -> None:
        """C's compiler would have refused it."""
        sentence = f"the ISR of {interrupt.name} returned nothing, which counts as FALSE: not its device; return True or False"
        self.machine.note_finding("isr-returned-nothing", sentence, self.machine.where())

    def _too_late(self, cpu: Cpu, interrupt: KInterrupt) -> bool:
        """It was disconnected while this processor spun for its lock: its service routine is not called any more."""
        interrupt.lock.give(cpu)
        if self.machine.watch is not None:
            self.machine.watch.ends()
        self.swallow(interrupt, "disconnected while its lock was waited for")
        return False

    def swallow(self, interrupt: KInterrupt, why: str) -> None:
        """The framework's service routine says that nobody above it was called for this interrupt."""
        cpu = self.machine.cpu
        fate = interrupt.fate if interrupt.passive else cpu.apic.fates[interrupt.vector]
        if fate is not None:
            fate.delivered -= 1
            fate.swallowed += 1
        if self.machine.trace is not None:
            self.machine.trace.add((cpu.now, cpu.index, Kind.SWALLOWED, interrupt.vector, why))

    def _unexpected(self, cpu: Cpu, vector: int) -> None:
        fate = cpu.apic.fates[vector]
        if fate is not None:
            fate.swallowed += 1
        if self.machine.trace is not None:
            if self.machine.watch is not None:
                self.machine.watch.read(TABLE, None)
            self.machine.trace.add((cpu.now, cpu.index, Kind.SWALLOWED, vector, "no interrupt object is connected"))

    def _end_of_level(self, cpu: Cpu, vector: int, chain: Sequence[KInterrupt] | None) -> None:
        """What is on its way lands before the EOI, the end of the line's assertion above all. The line of a passive-level
        interrupt stays masked until that has run."""
        if chain is not None and chain[0].passive:
            return
        scheduler = self.machine.scheduler
        before, cpu.irql = cpu.irql, max(cpu.irql, vector >> 4)
        if scheduler.due(cpu):
            scheduler.point(cpu)
        cpu.irql = before
        self.end_of_interrupt(cpu, vector, chain)

    def end_of_interrupt(self, cpu: Cpu, vector: int, chain: Sequence[KInterrupt] | None) -> None:
        """The EOI of a level-triggered vector; `Hang` when its line was never released over `STORM` of them."""
        self.machine.time = cpu.now
        if self.machine.ioapic.eoi(vector) >= STORM:
            who = ", ".join(i.name for i in chain) if chain else "nobody"
            raise Hang("interrupt-storm", f"the line of vector {vector:#x} fired {STORM} times without being released; "
                       f"connected: {who}; the ISR must make the device drop its line before it returns TRUE")  # fmt: skip


def wire(cpu: Cpu, vector: int, chain: list[KInterrupt]) -> None:
    """The interrupt descriptor table entry; one that is alone and not passive-level is called without looking further."""
    cpu.idt[vector] = chain or None
    cpu.direct[vector] = chain[0] if len(chain) == 1 and not chain[0].passive else None


def walk(chain: Sequence[KInterrupt], call: Callable[[KInterrupt], bool]) -> None:
    """Level: in order until one claims. Latched: all, again and again until none of a whole pass claims (model choice)."""
    if len(chain) == 1 or not chain[0].latched:
        any(map(call, chain))
        return
    claimed = True
    while claimed:
        claimed = False
        for interrupt in chain:
            claimed = call(interrupt) or claimed

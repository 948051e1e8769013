"""Work items: routines that system worker threads run at PASSIVE_LEVEL (IoQueueWorkItem, DelayedWorkQueue).

Limits: one queue; up to `WORKERS` threads, made as they are needed (model choice).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dirql.ddi import irql_name
from dirql.kernel.held import Entered
from dirql.kernel.interrupt import walk
from dirql.kernel.kinterrupt import KInterrupt, isr_changed_irql
from dirql.kernel.stop import BugCheck
from dirql.kernel.wait import Event, EventType, wait
from dirql.pci.function import Fate
from dirql.trace import Kind

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["PassiveInterrupts", "WorkQueue"]

WORKERS = 4


class Entry:
    """What is to be run."""

    __slots__ = ("context", "name", "routine")

    def __init__(self, routine: Callable[[Any], None], context: Any) -> None:
        self.routine, self.context, self.name = routine, context, "a work item"


class WorkQueue:
    """The delayed work queue. Entries start in order, but several may run side by side on different processors."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._entries: deque[Entry] = deque()
        self._wake: Event = Event(kernel, EventType.SynchronizationEvent, name="work queue")
        self._workers = self._idle = 0

    def queue(self, routine: Callable[[Any], None], context: Any) -> None:
        """`routine(context)` on a worker thread, soon."""
        entry = Entry(routine, context)
        self._entries.append(entry)
        if self.kernel.machine.watch is not None:
            self.kernel.machine.watch.release(entry)
        if self._idle:
            self._idle -= 1  # by the waker: a worker that was woken and has no processor yet is not idle any more
            self._wake.state = True
            self._wake.signal()
        elif self._workers < WORKERS:
            self._workers += 1
            self.kernel.dispatcher.create(self._work, None, f"worker{self._workers}")

    def idle(self, words: str) -> bool:
        """True for the name of the queue's own event: a worker that waits for work is not stuck."""
        return words == self._wake.name

    def _work(self, _: Any) -> None:
        while True:
            while self._entries:
                entry = self._entries.popleft()
                watch = self.kernel.machine.watch
                if watch is not None:
                    watch.begins(entry)
                before = Entered(self.kernel.machine.cpu)
                entry.routine(entry.context)
                self._look_back(before)
                if watch is not None:
                    watch.ends()
            self._idle += 1
            wait(self.kernel, [self._wake], False, None)

    def _look_back(self, before: Entered) -> None:
        """What a routine left behind: bugcheck 0xE1 for another IRQL (model choice: what the page of that bugcheck says)."""
        kernel, machine = self.kernel, self.kernel.machine
        cpu = machine.cpu
        kernel.held.look_back("a work item's routine", before)
        if cpu.irql:
            why = f"a work item's routine was entered at PASSIVE_LEVEL and returned at {irql_name(cpu.irql)}"
            machine.note_finding("irql-changed", why, machine.where())
            raise BugCheck(0xE1, 0, cpu.irql, why=why)


class PassiveInterrupts:
    """Service routines of passive-level interrupts: run by a system thread, one at a time for each interrupt object; a
    level-triggered line stays masked until the chain has run (facts §4.2)."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.machine = kernel.machine

    def queue(self, chain: Sequence[KInterrupt], fate: Fate | None) -> None:
        """Run the chain's service routines at PASSIVE_LEVEL, for the message of `fate` if one raised it."""
        self.kernel.work.queue(self._run, (tuple(chain), fate))

    def _run(self, what: tuple[tuple[KInterrupt, ...], Fate | None]) -> None:
        chain, fate = what
        walk(chain, lambda interrupt: self._call(interrupt, fate))
        if not chain[0].latched:
            cpu = self.machine.cpu
            self.kernel.interrupts.end_of_interrupt(cpu, chain[0].vector, chain)
            if cpu.apic.irr:
                self.kernel.take_interrupts(cpu)

    def _call(self, interrupt: KInterrupt, fate: Fate | None) -> bool:
        def service(_: Any) -> bool:
            interrupt.fate = fate
            if not interrupt.connected:
                self.kernel.interrupts.swallow(interrupt, "disconnected before its thread ran")
                return False
            watch = self.machine.watch
            if watch is not None:
                for cpu in self.machine.cpus:
                    if interrupt.affinity & cpu.bit:
                        watch.acquire(("vector", cpu.index, interrupt.vector))
                watch.acquire(interrupt)
            trace, start = self.machine.trace, self.machine.cpu.now
            if trace is not None:
                trace.add((start, self.machine.cpu.index, Kind.ISR, interrupt.vector, 0, interrupt.name))
            claimed = bool(interrupt.service_routine(interrupt, interrupt.context))
            cpu = self.machine.cpu
            if cpu.irql:
                raise isr_changed_irql(interrupt, cpu.irql)
            interrupt.count += 1
            interrupt.unclaimed += not claimed
            interrupt.cpu_ns += cpu.now - start
            if trace is not None:
                trace.add((cpu.now, cpu.index, Kind.ISR_END, interrupt.vector, claimed))
            return claimed

        return interrupt.synchronized(service, None)

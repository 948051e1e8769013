"""Deferred procedure calls: KDPC objects and each processor's queue (facts §4.1).

Limits: no threaded DPCs. When a DPC that waits on another processor's queue is let run is a model choice built on
documented rules: at once for MediumHigh and High importance or a queue of `DEEP` or more, else at the next clock tick or
when that processor next drains its queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from dirql.ddi import ddi
from dirql.kernel.irql import DISPATCH_LEVEL
from dirql.kernel.stop import BugCheck
from dirql.kernel.too_long import DPC_LIMIT, dpc_took
from dirql.machine.cpu import Cpu
from dirql.machine.flight import Timer
from dirql.machine.machine import Machine
from dirql.trace import FABRIC, Kind

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["Importance", "Kdpc", "drain"]

BATCH = range(256)  # DPCs between two looks at who else is there
DEEP = 4  # MaximumDpcQueueDepth's default (model choice)


class Importance(IntEnum):
    """KDPC_IMPORTANCE."""

    LowImportance = 0
    MediumImportance = 1
    HighImportance = 2
    MediumHighImportance = 3


class Kdpc:
    """KDPC. `routine(dpc, context, argument1, argument2)` runs at DISPATCH_LEVEL on a processor's queue.

    It leaves its queue before the routine is called: it can be queued again, and run on two processors at once.
    """

    __slots__ = (
        "_plain", "argument1", "argument2", "callback", "context", "count", "cpu_ns", "first", "guarded",
        "importance", "kernel", "limit", "machine", "name", "on", "queued_on", "routine", "second", "target", "twice",
        "until",
    )  # fmt: skip

    def __init__(self, kernel: Kernel, routine: Callable[[Kdpc, Any, Any, Any], None], context: Any, name: str = "DPC") -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self.routine, self.context, self.name = routine, context, name
        self.call_back(call_routine, self, None)
        self.importance = Importance.MediumImportance
        self.target: Cpu | None = None
        self.queued_on: Cpu | None = None
        self.on: Cpu | None = None  # where it was started last
        self.until = 0  # when it ended last
        self.limit = DPC_LIMIT  # ns that a run may take; -1 if its end is to be looked at
        self.twice = ""  # on which processors it was seen running at once
        self.guarded = False  # its routine takes a lock, or is none of the driver's
        self.argument1: Any = None
        self.argument2: Any = None
        self._plain = self.machine.trace is None  # medium importance, for whichever processor asks, and nobody notes it
        self.count = 0
        self.cpu_ns = 0

    def call_back(self, callback: Callable[[Any, Any], Any], first: Any, second: Any) -> None:
        """What is called at once for the routine: a framework whose own would only pass on names the driver's here."""
        self.callback, self.first, self.second = callback, first, second

    @ddi("KeInsertQueueDpc")
    def insert(self, argument1: Any = None, argument2: Any = None) -> bool:
        """KeInsertQueueDpc: False if it is in a queue already, and the two requests are one."""
        if self.queued_on is None:
            self.argument1, self.argument2 = argument1, argument2
        return self.enqueue()

    @ddi("KeRemoveQueueDpc")
    def remove(self) -> bool:
        """KeRemoveQueueDpc: True if it was queued."""
        cpu, self.queued_on = self.queued_on, None
        if cpu is None:
            return False
        cpu.dpcs.remove(self)
        if self.machine.watch is not None:
            self.machine.watch.write(("dpcs", cpu.index), "order")
        return True

    @ddi("KeSetImportanceDpc")
    def set_importance(self, importance: Importance) -> None:
        """KeSetImportanceDpc."""
        self.importance = Importance(importance)
        self._plain = self._plain and self.target is None and self.importance == Importance.MediumImportance

    @ddi("KeSetTargetProcessorDpcEx")
    def set_target_processor(self, number: int) -> None:
        """KeSetTargetProcessorDpc; bugcheck 0xC7 (3) for a processor that does not exist."""
        if not 0 <= number < len(self.machine.cpus):
            raise BugCheck(0xC7, 3, number, why=f"{self.name}: target processor {number} of {len(self.machine.cpus)}")
        self.target = self.machine.cpus[number]
        self._plain = False

    @property
    def running(self) -> int:
        """On how many processors it runs now."""
        return sum(cpu.dpc is self for cpu in self.machine.cpus)

    def enqueue(self) -> bool:
        """Put it on its processor's queue; `insert` without arguments and without being a routine of its own."""
        if self.queued_on is not None:
            if self.machine.watch is not None:  # who is too late to queue it is served by the same call
                self.machine.watch.release(self)
            return False
        machine = self.machine
        here = machine.cpu
        if self._plain:  # what follows, for the usual case
            self.queued_on = here
            here.dpcs.append(self)
            here.dpc_requested = True
            if here.irql < 2:
                drain(self.kernel, here)
            return True
        cpu = self.target or here
        self.queued_on = cpu
        if self.importance == 2:
            cpu.dpcs.appendleft(self)
        else:
            cpu.dpcs.append(self)
        if machine.trace is not None:
            if machine.watch is not None:
                machine.watch.release(self)
                machine.watch.write(("dpcs", cpu.index), "order")
            machine.trace.add((here.now, here.index, Kind.DPC_QUEUED, self.name, cpu.index))
        if cpu is here:
            if self.importance or len(cpu.dpcs) >= DEEP:
                cpu.dpc_requested = True
                if cpu.irql < 2:  # the software interrupt comes at once
                    drain(self.kernel, cpu)
            elif not cpu.dpc_requested:
                self._at_the_next_tick(cpu)
        else:
            self._request(cpu, here.now)
        return True

    def expire(self, cpu: Cpu, time: int) -> None:
        """A timer's DPC: queued on `cpu` from the clock interrupt, and started from there."""
        if self.machine.watch is not None:
            self.machine.watch.release(self)
            self.machine.watch.write(("dpcs", cpu.index), "order")
        if self.queued_on is None:
            self.queued_on = cpu
            cpu.dpcs.append(self)
            cpu.dpc_requested = True
            if self.machine.trace is not None:
                self.machine.trace.add((time, FABRIC, Kind.DPC_QUEUED, self.name, cpu.index))
            self.machine.scheduler.make_ready(cpu, time)

    def starts_elsewhere(self, cpu: Cpu) -> None:
        """On another processor than the last time: does it run there still? By the clocks, one that ended later does as well."""
        last, self.on = self.on, cpu
        other = next((c for c in self.machine.cpus if c.dpc is self and c is not cpu), None)
        if other is not None:
            self.twice = f"cpu{other.index} and cpu{cpu.index}"
            self.limit = -1
        elif last is not None and cpu.now < self.until and not self.machine.chooser.interleaves:
            self.twice = f"cpu{last.index} and cpu{cpu.index}"
            self.limit = -1

    def look_back(self, cpu: Cpu, spent: int) -> None:
        """A run took too long, or two of them ran at once: if they take no lock, that is worth a word."""
        self.limit = DPC_LIMIT
        if spent > DPC_LIMIT:
            dpc_took(self.kernel, self.name, spent)
        if self.twice and not self.guarded:
            sentence = f"the DPC {self.name} runs on {self.twice} at once, and takes no lock"
            remedy = "guard what its runs share (WdfSpinLockAcquire, Interlocked…), or give each message its own DPC and data"
            self.machine.note_finding("dpc-runs-twice", f"{sentence}; {remedy}", f"cpu{cpu.index}, {self.name}")

    def _request(self, cpu: Cpu, now: int) -> None:
        if self.importance >= 2 or len(cpu.dpcs) >= DEEP:
            cpu.dpc_requested = True
            self.machine.scheduler.make_ready(cpu, now)
        else:
            self._at_the_next_tick(cpu)

    def _at_the_next_tick(self, cpu: Cpu) -> None:
        machine = self.machine
        tick = machine.costs.clock_tick
        due = (machine.cpu.now // tick + 1) * tick

        def ring() -> None:
            if cpu.dpcs:
                cpu.dpc_requested = True
                machine.scheduler.make_ready(cpu, machine.time)

        machine.agenda.add(due, Timer(f"cpu{cpu.index}.tick", due, 0, ring))


def call_routine(dpc: Kdpc, _: None) -> None:
    """The DPC's own routine, as initialised."""
    dpc.routine(dpc, dpc.context, dpc.argument1, dpc.argument2)


def _changed_irql(dpc: Kdpc, cpu: Cpu) -> BugCheck:
    why = f"{dpc.name} returned at IRQL {cpu.irql}, not DISPATCH_LEVEL"
    dpc.machine.note_finding("irql-changed", why, f"cpu{cpu.index}, {dpc.name}")
    return BugCheck(0xC8, cpu.irql << 16 | DISPATCH_LEVEL << 8, why=why)


def queue() -> deque[Kdpc]:
    """An empty DPC queue."""
    return deque()


def drain(kernel: Kernel, cpu: Cpu) -> None:
    """Run what is queued on `cpu` at DISPATCH_LEVEL, then go back to the IRQL before."""
    machine = kernel.machine
    before, cpu.irql = cpu.irql, DISPATCH_LEVEL
    cost = machine.costs.dpc_dispatch
    dpcs = cpu.dpcs
    outer = cpu.dpc
    trace, apic, locks = machine.trace, cpu.apic, cpu.locks
    while dpcs:
        for _ in BATCH:
            dpc: Kdpc = dpcs.popleft()
            dpc.queued_on = None
            cpu.dpc = dpc
            if dpc.on is not cpu:
                dpc.starts_elsewhere(cpu)
            cpu.now = start = cpu.now + cost
            dpc.count += 1
            if trace is not None:
                if machine.watch is not None:
                    machine.watch.write(("dpcs", cpu.index), "order")
                    machine.watch.begins(dpc)
                trace.add((start, cpu.index, Kind.DPC, dpc.name))
            callback = dpc.callback  # a call through an attribute would be looked up as a method first
            callback(dpc.first, dpc.second)
            dpc.until = now = cpu.now
            spent = now - start
            dpc.cpu_ns += spent
            if trace is not None:
                trace.add((cpu.now, cpu.index, Kind.DPC_END, dpc.name))
                if machine.watch is not None:
                    machine.watch.release(("dpcs", cpu.index))
                    machine.watch.may_change(dpc)  # it is over
                    machine.watch.ends()
            if spent > dpc.limit:
                dpc.look_back(cpu, spent)
            if cpu.irql != DISPATCH_LEVEL:
                kernel.held.left(cpu, locks, "the DPC ")  # what raised it, mostly
                raise _changed_irql(dpc, cpu)
            if apic.irr:
                kernel.take_interrupts(cpu)
            if not dpcs:
                break
        else:  # DPCs that queue DPCs do not keep the others from going on
            machine.scheduler.spend(len(BATCH))
            machine.scheduler.point(cpu)
    if cpu.locks is not locks:
        kernel.held.left(cpu, locks, "the DPC ")
    cpu.dpc_requested = False
    cpu.dpc = outer
    cpu.irql = before

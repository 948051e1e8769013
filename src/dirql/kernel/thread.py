"""System threads and the dispatcher that gives them processors.

A thread is a greenlet with a stack of its own; a processor without one runs its idle loop, which takes interrupts, drains
the DPC queue and picks the next ready thread.
Limits: threads run until they block (no quantum); a higher priority is served first but does not preempt.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from dirql.callback import refuse_asynchronous
from dirql.ddi import ddi, irql_name
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.dpc import drain
from dirql.kernel.held import Chain, Entered
from dirql.kernel.stop import BugCheck
from dirql.machine.cpu import Cpu
from dirql.machine.machine import Machine
from dirql.trace import Kind

if TYPE_CHECKING:
    from dirql.kernel.dispatcher_object import WaitBlock
    from dirql.kernel.kernel import Kernel

READY = ("ready threads",)
FEW = 32  # stacks, for which Python's own limit of calls does
DEPTH, LINK = 1_000, 100  # calls on one stack, and those that a thread is in when it lets the next one begin

__all__ = ["Dispatcher", "Thread", "ThreadEnd"]



class ThreadEnd(BaseException):
    """PsTerminateSystemThread: unwinds the thread's stack. No `except Exception` of a driver's gets in its way."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Thread(DispatcherObject):
    """ETHREAD: `routine(context)` at PASSIVE_LEVEL. It can be waited for: signalled once it has ended."""

    kind = "thread"

    def __init__(self, kernel: Kernel, routine: Callable[[Any], Any], context: Any, name: str, root: greenlet) -> None:
        super().__init__(kernel, name)
        self.routine, self.context = routine, context
        self.greenlet = greenlet(self._run, root)
        self.ready_at = 0
        self.last_cpu: Cpu | None = None
        self.affinity = (1 << len(self.machine.cpus)) - 1
        self.priority = 8
        self.system_affinity = 0  # what KeSetSystemAffinityThread set; 0 for nothing
        self.critical_region = self.guarded_region = 0
        self.locks: Chain = None  # that it waited for: the innermost, and what was held before
        kernel.thread_id += 4
        self.id = kernel.thread_id
        self.system = False  # made by PsCreateSystemThread: it may terminate itself
        self.status = 0  # its exit status
        self.wait: WaitBlock | None = None
        self.result: Any = None
        self.finished = False

    def signaled_for(self, thread: Thread) -> bool:
        """Once it has ended."""
        return self.finished

    @ddi("KeSetPriorityThread")
    def set_priority(self, priority: int) -> int:
        """KeSetPriorityThread: the priority before; one that is not from 1 to 31 is a finding and changes nothing."""
        before = self.priority
        if 1 <= priority <= 31:
            self.priority = priority
        else:
            sentence = f"KeSetPriorityThread of {self.name}: priority {priority} is not from 1 to 31"
            self.machine.note_finding("bad-priority", sentence, self.machine.where())
        return before

    @ddi("KeQueryPriorityThread")
    def query_priority(self) -> int:
        """KeQueryPriorityThread."""
        return self.priority

    @ddi("KeEnterCriticalRegion")
    def enter_critical_region(self) -> None:
        """KeEnterCriticalRegion."""
        self.critical_region += 1

    @ddi("KeLeaveCriticalRegion")
    def leave_critical_region(self) -> None:
        """KeLeaveCriticalRegion; one that was not entered is a finding."""
        self.critical_region = self._left(self.critical_region, "critical")

    @ddi("KeEnterGuardedRegion")
    def enter_guarded_region(self) -> None:
        """KeEnterGuardedRegion."""
        self.guarded_region += 1

    @ddi("KeLeaveGuardedRegion")
    def leave_guarded_region(self) -> None:
        """KeLeaveGuardedRegion; one that was not entered is a finding."""
        self.guarded_region = self._left(self.guarded_region, "guarded")

    def _tidy(self, cpu: Cpu, before: Entered) -> None:
        """What it still has when it ends."""
        who = f"thread {self.name}"
        self.kernel.held.look_back(who, before)
        if cpu.irql:
            sentence = f"{who} was entered at PASSIVE_LEVEL and returned at {irql_name(cpu.irql)}"
            self.machine.note_finding("irql-changed", sentence, self.machine.where())

    def _left(self, depth: int, kind: str) -> int:
        if not depth:
            sentence = f"{self.name} leaves a {kind} region that it did not enter"
            self.machine.note_finding("region-not-entered", sentence, self.machine.where())
        return max(depth - 1, 0)

    def _run(self) -> None:
        if self.machine.watch is not None:
            self.machine.watch.acquire(self)
        before = Entered(self.machine.cpu)
        try:
            self.result = self.routine(self.context)
        except ThreadEnd as end:
            self.status = end.status
        self.finished = True
        cpu = self.machine.cpu
        self._tidy(cpu, before)
        if cpu.irql:
            raise BugCheck(0xC8, cpu.irql << 16, why=f"thread {self.name} ended at IRQL {cpu.irql}")
        self.signal()
        cpu.thread = None
        cpu.greenlet = None
        getcurrent().parent = self.machine.scheduler.spare_stack()  # what goes on when this one has ended


class Dispatcher:
    """Ready threads and the processors' idle loops."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self.root = getcurrent()
        self.ready: list[Thread] = []
        self.threads: list[Thread] = []
        self.machine.scheduler.new_stack = lambda: greenlet(self._idle, self.root)

    def create(self, routine: Callable[[Any], Any], context: Any, name: str) -> Thread:
        """A new thread, ready to run."""
        refuse_asynchronous(routine, f"the routine of {name}")
        self.threads = [t for t in self.threads if not t.finished]
        thread = Thread(self.kernel, routine, context, name, self.root)
        self.threads.append(thread)
        self._allow_depth()
        cpu = self.machine.cpu
        if self.machine.watch is not None:
            self.machine.watch.release(thread)
        self.make_ready(thread, self.machine.time if cpu is self.machine.nobody else cpu.now)
        return thread

    def _allow_depth(self) -> None:
        """A greenlet counts its calls from those of whichever lets it begin, though they lie on another stack: of threads that
        begin one out of the other the last reaches Python's limit, and no stack is deep."""
        stacks = len(self.threads) + len(self.machine.cpus)
        wanted = DEPTH + LINK * stacks
        if stacks > FEW and sys.getrecursionlimit() < wanted:
            sys.setrecursionlimit(wanted)

    def make_ready(self, thread: Thread, time: int) -> None:
        """`thread` can go on from `time` on; an idle processor is woken for it."""
        thread.ready_at = time
        self.ready.append(thread)
        if self.machine.watch is not None:
            self.machine.watch.may_change(READY)
        idle = [c for c in self.machine.cpus if not c.ready and c.spinning_on is None and thread.affinity & c.bit]
        if idle:
            cpu = thread.last_cpu if thread.last_cpu in idle else idle[0]
            assert cpu is not None
            self.machine.scheduler.make_ready(cpu, time)

    def block(self) -> None:
        """The running thread gives its processor away; returns when it was made ready and got one again."""
        cpu = self.machine.cpu
        current: Thread = cpu.thread
        if self.machine.trace is not None:
            self.machine.trace.add((cpu.now, cpu.index, Kind.WAIT, current.name, current.wait.words() if current.wait else ""))
        if self.machine.watch is not None:
            self.machine.watch.may_change(READY)
        irql, cpu.irql = cpu.irql, 0  # APC_LEVEL belongs to the thread, not to the processor that it leaves
        thread = self._next(cpu)
        if thread is None:
            cpu.thread = None
            cpu.greenlet = None
            self.machine.scheduler.spare_stack().switch()
        else:
            self._run(cpu, thread)
        self.machine.cpu.irql = irql

    def _run(self, cpu: Cpu, thread: Thread) -> None:
        cpu.thread = thread
        thread.last_cpu = cpu
        cpu.greenlet = thread.greenlet
        cpu.now = max(cpu.now, thread.ready_at) + self.machine.costs.thread_switch
        if self.machine.trace is not None:
            self.machine.trace.add((cpu.now, cpu.index, Kind.THREAD, thread.name, "runs"))
        thread.greenlet.switch()

    def _next(self, cpu: Cpu) -> Thread | None:
        mine = [t for t in self.ready if t.affinity & cpu.bit]
        if not mine:
            return None
        thread = max(mine, key=lambda t: t.priority)  # the first of the highest
        self.ready.remove(thread)
        return thread

    def _idle(self, *_: Any) -> None:
        """The idle loop, for whichever processor has this stack; a thread that ends leaves its result here, unused."""
        kernel, machine, stack = self.kernel, self.machine, getcurrent()
        scheduler = machine.scheduler
        while True:
            cpu: Cpu = machine.cpu
            cpu.greenlet = stack
            apic = cpu.apic
            if machine.watch is not None:
                machine.watch.may_change(READY)  # whoever looks too early finds nothing
            if apic.irr:
                kernel.take_interrupts(cpu)
            if cpu.dpcs:
                drain(kernel, cpu)
            elif self.ready and (thread := self._next(cpu)) is not None:
                scheduler.give_back(stack)
                self._run(cpu, thread)
            elif not apic.irr:
                scheduler.rest(cpu, stack)

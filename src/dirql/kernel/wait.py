"""Dispatcher objects and waiting for them: events, semaphores, mutexes (facts §5.1, §7).

Limits: no alertable waits, no APCs; a mutex that its thread never releases is not abandoned.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ddi import ddi, irql_name
from dirql.kernel.dispatcher_object import DispatcherObject, WaitBlock
from dirql.kernel.duration import refuse_no_duration
from dirql.kernel.irql import DISPATCH_LEVEL
from dirql.kernel.stop import BugCheck
from dirql.kernel.thread import Thread
from dirql.machine.flight import Timer as Alarm

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["Event", "EventType", "Mutex", "Semaphore", "wait"]


class EventType(IntEnum):
    """EVENT_TYPE."""

    NotificationEvent = 0
    SynchronizationEvent = 1


def wait(kernel: Kernel, objects: Sequence[DispatcherObject], wait_all: bool, timeout: int | None) -> int:
    """KeWaitForMultipleObjects: an NTSTATUS. `timeout` in ns (None: for ever, 0: only look).

    A wait that would block at DISPATCH_LEVEL or above is fatal: bugcheck 0xB8 in a DPC, else 0xA.
    """
    cpu = kernel.machine.cpu
    thread: Thread | None = cpu.thread
    words = " and ".join(o.name for o in objects)
    if timeout is not None:
        refuse_no_duration(f"a wait for {words}", "time-out", timeout)
    if cpu.irql >= DISPATCH_LEVEL and timeout != 0:
        sentence = f"a wait for {words} at {irql_name(cpu.irql)}; wait below DISPATCH_LEVEL, or look with a time-out of 0"
        kernel.machine.note_finding("wait-at-dispatch", sentence, kernel.machine.where())
        if cpu.dpc is not None:
            raise BugCheck(0xB8, why=f"{cpu.dpc.name} waits for {words} in a DPC")
        raise BugCheck(0x0A, 0, cpu.irql, why=f"a wait for {words} at {irql_name(cpu.irql)}")
    block = WaitBlock(thread or kernel.no_thread, objects, wait_all)
    status = block.satisfy()
    if status is not None:
        _known(kernel, objects, wait_all, status)
        return status
    if kernel.machine.watch is not None:
        for waited in objects:
            kernel.machine.watch.waits(waited)
    if timeout == 0:
        return ntstatus.STATUS_TIMEOUT
    if thread is None:
        raise BugCheck(0xB8, why=f"a wait for {words} outside of any thread")
    for waited in objects:
        waited.waiters.append(block)
    alarm = None
    if timeout is not None:
        due = cpu.now + timeout
        alarm = Alarm(f"{thread.name}.timeout", due, 0, lambda: block.end(ntstatus.STATUS_TIMEOUT, due))
        kernel.machine.agenda.add(due, alarm)
    thread.wait = block
    kernel.dispatcher.block()
    thread.wait = None
    if alarm is not None:
        alarm.cancel()
    assert block.status is not None
    _known(kernel, objects, wait_all, block.status)
    return block.status


def _known(kernel: Kernel, objects: Sequence[DispatcherObject], wait_all: bool, status: int) -> None:
    """For who looks on: what was done before the objects were signalled is known to who waited."""
    watch = kernel.machine.watch
    if watch is not None and status != ntstatus.STATUS_TIMEOUT:
        for waited in objects if wait_all else (objects[status],):
            watch.acquire(waited)


class Event(DispatcherObject):
    """KEVENT: stays signalled until cleared (notification) or lets one waiter through (synchronization)."""

    kind = "event"

    def __init__(
        self, kernel: Kernel, type_: EventType = EventType.NotificationEvent, state: bool = False, name: str = ""
    ) -> None:
        super().__init__(kernel, name)
        self.type, self.state = type_, state

    @ddi("KeSetEvent")
    def set(self) -> bool:
        """KeSetEvent: the state before."""
        before, self.state = self.state, True
        self.signal()
        return before

    @ddi("KePulseEvent")
    def pulse(self) -> bool:
        """KePulseEvent: lets those who wait now through, all or one, and is not signalled after that; the state before."""
        before, self.state = self.state, True
        self.signal()
        self.state = False
        return before

    @ddi("KeClearEvent")
    def clear(self) -> None:
        """KeClearEvent."""
        self.state = False

    @ddi("KeResetEvent")
    def reset(self) -> bool:
        """KeResetEvent: the state before."""
        before, self.state = self.state, False
        return before

    @ddi("KeReadStateEvent")
    def read_state(self) -> bool:
        """KeReadStateEvent."""
        return self.state

    def signaled_for(self, thread: Thread) -> bool:
        """Its state."""
        return self.state

    def consume(self, thread: Thread) -> None:
        """A synchronization event lets one through."""
        if self.type == EventType.SynchronizationEvent:
            self.state = False


class Semaphore(DispatcherObject):
    """KSEMAPHORE."""

    kind = "semaphore"

    def __init__(self, kernel: Kernel, count: int, limit: int, name: str = "") -> None:
        super().__init__(kernel, name)
        self.count, self.limit = count, limit

    @ddi("KeReleaseSemaphore")
    def release(self, adjustment: int = 1) -> int:
        """KeReleaseSemaphore: the count before; STATUS_SEMAPHORE_LIMIT_EXCEEDED is raised past the limit."""
        if self.count + adjustment > self.limit:
            raise ntstatus.StatusError(0xC0000047, f"{self.name}: {self.count} + {adjustment} is above the limit {self.limit}")
        before = self.count
        self.count += adjustment
        self.signal()
        return before

    @ddi("KeReadStateSemaphore")
    def read_state(self) -> int:
        """KeReadStateSemaphore: the count."""
        return self.count

    def signaled_for(self, thread: Thread) -> bool:
        """While there is something left."""
        return self.count > 0

    def consume(self, thread: Thread) -> None:
        """One less."""
        self.count -= 1


class Mutex(DispatcherObject):
    """KMUTEX: recursive for its owner."""

    kind = "mutex"

    def __init__(self, kernel: Kernel, name: str = "") -> None:
        super().__init__(kernel, name)
        self.owner: Thread | None = None
        self.depth = 0

    @ddi("KeReleaseMutex")
    def release(self) -> None:
        """KeReleaseMutex; STATUS_MUTANT_NOT_OWNED is raised for another thread than the owner."""
        thread = self.machine.cpu.thread
        if self.owner is not thread:
            raise ntstatus.StatusError(0xC0000046, f"{self.name}: {thread} does not own it, {self.owner} does")
        self.depth -= 1
        if not self.depth:
            self.owner = None
            self.signal()

    @ddi("KeReadStateMutex")
    def read_state(self) -> int:
        """KeReadStateMutex: 1 while nobody owns it."""
        return 1 - self.depth

    def signaled_for(self, thread: Thread) -> bool:
        """Free, or one's own."""
        return self.owner is None or self.owner is thread

    def consume(self, thread: Thread) -> None:
        """Owned, once more."""
        self.owner = thread
        self.depth += 1

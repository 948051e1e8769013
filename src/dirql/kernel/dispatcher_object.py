"""What a thread can wait for, and one thread's wait (DISPATCHER_HEADER, KWAIT_BLOCK).

A wait is satisfied at the moment of the signal: the waker hands the object over, first come, first served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.machine.machine import Machine

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel
    from dirql.kernel.thread import Thread

__all__ = ["DispatcherObject", "WaitBlock"]


class DispatcherObject:
    """Anything a thread can wait for."""

    kind = "object"

    def __init__(self, kernel: Kernel, name: str = "") -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self.name = name or self.kind
        self.waiters: list[WaitBlock] = []

    def signaled_for(self, thread: Thread) -> bool:
        """Would a wait of `thread` be satisfied now?"""
        raise NotImplementedError

    def consume(self, thread: Thread) -> None:
        """A wait of `thread` was satisfied."""

    def signal(self, time: int | None = None) -> None:
        """To be called after the state changed: satisfies who can be. `time` for what no processor does (a timer)."""
        if self.machine.watch is not None:
            self.machine.watch.release(self)
        for block in list(self.waiters):
            if block in self.waiters:
                block.try_to_end(time)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


class WaitBlock:
    """One thread's wait for any or all of some objects."""

    def __init__(self, thread: Thread, objects: Sequence[DispatcherObject], wait_all: bool) -> None:
        self.thread, self.objects, self.wait_all = thread, objects, wait_all
        self.status: int | None = None

    def satisfy(self) -> int | None:
        """Take the objects if the wait can end; its NTSTATUS, or None."""
        thread = self.thread
        if self.wait_all:
            if not all(o.signaled_for(thread) for o in self.objects):
                return None
            for waited in self.objects:
                waited.consume(thread)
            return ntstatus.STATUS_SUCCESS
        for index, waited in enumerate(self.objects):
            if waited.signaled_for(thread):
                waited.consume(thread)
                return index  # STATUS_WAIT_0 + index
        return None

    def try_to_end(self, time: int | None) -> None:
        """End the wait if its objects allow it."""
        status = self.satisfy()
        if status is not None:
            self.end(status, time)

    def end(self, status: int, time: int | None = None) -> None:
        """The thread goes on with `status`, unless its wait has ended before: then its time-out came too late."""
        if self.status is not None:
            return
        self.status = status
        for waited in self.objects:
            if self in waited.waiters:
                waited.waiters.remove(self)
        machine = self.thread.machine
        if time is None:
            time = machine.time if machine.cpu is machine.nobody else machine.cpu.now
        self.thread.kernel.dispatcher.make_ready(self.thread, time)

    def words(self) -> str:
        """For reports: what is waited for."""
        return (" and " if self.wait_all else " or ").join(o.name for o in self.objects)

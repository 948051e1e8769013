"""Executive resources (ERESOURCE): shared by many readers or owned by one writer, recursive for its owners.

Waiters are served in their order, except that `starve_exclusive` lets a reader past writers that wait.
Limits: no priority boosts, and a resource is released by the thread that acquired it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.ddi import ddi
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.stop import BugCheck
from dirql.kernel.thread import Thread
from dirql.kernel.wait import wait

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["Resource"]

RESOURCE_NOT_OWNED = 0xE3


class _Want(DispatcherObject):
    """One thread's wish for the resource, which is what it waits for."""

    kind = "resource"

    def __init__(self, resource: Resource, exclusive: bool, past_writers: bool) -> None:
        super().__init__(resource.kernel, resource.name)
        self.resource, self.exclusive, self.past_writers = resource, exclusive, past_writers

    def signaled_for(self, thread: Thread) -> bool:
        return self.resource.free_for(thread, self)

    def consume(self, thread: Thread) -> None:
        self.resource.own(thread, self.exclusive)


class Resource:
    """ERESOURCE."""

    def __init__(self, kernel: Kernel, name: str = "resource") -> None:
        self.kernel, self.machine, self.name = kernel, kernel.machine, name
        self.exclusive: Thread | None = None
        self.owners: dict[Thread, int] = {}  # how often each thread has it
        self._queue: list[_Want] = []

    @ddi("ExAcquireResourceExclusiveLite")
    def acquire_exclusive(self, wait_for_it: bool = True) -> bool:
        """ExAcquireResourceExclusiveLite: False if it would have to wait and may not."""
        return self._acquire(True, wait_for_it, False)

    @ddi("ExAcquireResourceSharedLite")
    def acquire_shared(self, wait_for_it: bool = True) -> bool:
        """ExAcquireResourceSharedLite: behind writers that wait already."""
        return self._acquire(False, wait_for_it, False)

    @ddi("ExAcquireSharedStarveExclusive")
    def acquire_shared_starve_exclusive(self, wait_for_it: bool = True) -> bool:
        """ExAcquireSharedStarveExclusive: past writers that wait."""
        return self._acquire(False, wait_for_it, True)

    @ddi("ExReleaseResourceLite")
    def release(self) -> None:
        """ExReleaseResourceLite; bugcheck 0xE3 for a thread that does not have it."""
        thread = self._thread()
        if thread not in self.owners:
            raise BugCheck(RESOURCE_NOT_OWNED, why=f"{thread.name} releases {self.name}, which it does not have")
        self.owners[thread] -= 1
        if not self.owners[thread]:
            del self.owners[thread]
            if self.machine.watch is not None:
                self.machine.watch.release(self)
            self.exclusive = None if self.exclusive is thread else self.exclusive
        self._let_in()

    @ddi("ExConvertExclusiveToSharedLite")
    def convert_to_shared(self) -> None:
        """ExConvertExclusiveToSharedLite: readers that wait come in."""
        self.exclusive = None
        self._let_in()

    @ddi("ExIsResourceAcquiredExclusiveLite")
    def is_acquired_exclusive(self) -> bool:
        """ExIsResourceAcquiredExclusiveLite: by the running thread."""
        return self.exclusive is self._thread()

    @ddi("ExIsResourceAcquiredSharedLite")
    def is_acquired_shared(self) -> int:
        """ExIsResourceAcquiredSharedLite: how often the running thread has it, shared or exclusively."""
        return self.owners.get(self._thread(), 0)

    def free_for(self, thread: Thread, want: _Want) -> bool:
        """Would `thread` get it now?"""
        if thread in self.owners:
            return not want.exclusive or self.exclusive is thread
        if want.exclusive:
            return not self.owners and self._first(want)
        return self.exclusive is None and (want.past_writers or not any(other.exclusive for other in self._before(want)))

    def own(self, thread: Thread, exclusive: bool) -> None:
        """`thread` has it, once more."""
        self.owners[thread] = self.owners.get(thread, 0) + 1
        if self.machine.watch is not None and thread is self._thread():
            self.machine.watch.acquire(self)
        if exclusive:
            self.exclusive = thread

    def _acquire(self, exclusive: bool, wait_for_it: bool, past_writers: bool) -> bool:
        want = _Want(self, exclusive, past_writers)
        if self.free_for(self._thread(), want):
            self.own(self._thread(), exclusive)
            return True
        if not wait_for_it:
            return False
        self._queue.append(want)
        wait(self.kernel, [want], False, None)
        if self.machine.watch is not None:
            self.machine.watch.acquire(self)
        self._queue.remove(want)
        self._let_in()
        return True

    def _let_in(self) -> None:
        for want in list(self._queue):
            want.signal()

    def _before(self, want: _Want) -> list[_Want]:
        waiting = [one for one in self._queue if one.waiters]
        return waiting[: waiting.index(want)] if want in waiting else waiting

    def _first(self, want: _Want) -> bool:
        return not self._before(want)

    def _thread(self) -> Thread:
        thread: Thread | None = self.machine.cpu.thread
        return thread if thread is not None else self.kernel.no_thread

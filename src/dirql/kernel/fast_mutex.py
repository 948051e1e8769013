"""Fast mutexes and guarded mutexes: one owner, not recursive, APC_LEVEL (or no APCs) while they are held.

A thread that acquires what it has already waits for itself; that is a deadlock at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.ddi import ddi
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.held import without
from dirql.kernel.irql import APC_LEVEL
from dirql.kernel.stop import Hang
from dirql.kernel.thread import Thread
from dirql.kernel.wait import wait

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["FastMutex"]


class FastMutex(DispatcherObject):
    """FAST_MUTEX, and KGUARDED_MUTEX, which is the same since Windows 8."""

    kind = "fast mutex"

    def __init__(self, kernel: Kernel, name: str = "") -> None:
        super().__init__(kernel, name)
        self.owner: Thread | None = None
        self.old_irql = 0

    @ddi("ExAcquireFastMutex")
    def acquire(self) -> None:
        """ExAcquireFastMutex: waits for it at APC_LEVEL, and stays there."""
        self._raise_and_take()

    @ddi("ExTryToAcquireFastMutex")
    def try_to_acquire(self) -> bool:
        """ExTryToAcquireFastMutex: True, at APC_LEVEL, if it was free."""
        if self.owner is not None:
            return False
        self._raise_and_take(tries=True)
        return True

    @ddi("ExReleaseFastMutex")
    def release(self) -> None:
        """ExReleaseFastMutex: back to the IRQL that the acquire found."""
        irql = self.old_irql
        self.give()
        self.kernel.lower(self.machine.cpu, irql)

    @ddi("ExAcquireFastMutexUnsafe")
    def acquire_unsafe(self) -> None:
        """ExAcquireFastMutexUnsafe: for callers at APC_LEVEL or in a critical region; the IRQL stays."""
        self.take()

    @ddi("ExReleaseFastMutexUnsafe")
    def release_unsafe(self) -> None:
        """ExReleaseFastMutexUnsafe."""
        self.give()

    @ddi("KeAcquireGuardedMutex")
    def acquire_guarded(self) -> None:
        """KeAcquireGuardedMutex: the thread enters a guarded region; the IRQL stays."""
        self._guard(1)
        self.take()

    @ddi("KeTryToAcquireGuardedMutex")
    def try_to_acquire_guarded(self) -> bool:
        """KeTryToAcquireGuardedMutex."""
        if self.owner is not None:
            return False
        self._guard(1)
        self.take(tries=True)
        return True

    @ddi("KeReleaseGuardedMutex")
    def release_guarded(self) -> None:
        """KeReleaseGuardedMutex."""
        self.give()
        self._guard(-1)

    def take(self, *, tries: bool = False) -> None:
        """Own it, however long that takes; who only `tries` found it free."""
        thread: Thread | None = self.machine.cpu.thread
        if thread is not None and thread == self.owner:
            raise Hang("deadlock", f"{thread.name} acquires {self.name}, which it has already; a fast mutex is not recursive")
        if thread is not None:
            self.kernel.held.wait_for(self, thread, for_ever=not tries)
        wait(self.kernel, [self], False, None)
        if thread is not None:
            thread.locks = self, thread.locks, None

    def give(self) -> None:
        """Let the next have it."""
        thread, owner = self.machine.cpu.thread, self.owner
        if owner is None or owner is not thread:
            holder = owner.name if owner is not None else "nobody"
            who = thread.name if thread is not None else "nobody's code"
            sentence = f"{who} releases {self.name}, which {holder} holds"
            self.machine.note_finding("mutex-not-owned", sentence, self.machine.where())
        self.owner = None
        if thread is not None:
            thread.locks = without(thread.locks, self)
        self.signal()

    def signaled_for(self, thread: Thread) -> bool:
        """While nobody has it."""
        return self.owner is None

    def consume(self, thread: Thread) -> None:
        """Owned."""
        self.owner = thread

    def _raise_and_take(self, *, tries: bool = False) -> None:
        cpu = self.machine.cpu
        old, cpu.irql = cpu.irql, max(cpu.irql, APC_LEVEL)
        self.take(tries=tries)
        self.old_irql = old

    def _guard(self, change: int) -> None:
        thread = self.machine.cpu.thread
        if thread is not None:
            thread.guarded_region += change

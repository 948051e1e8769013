"""Work items: routines that system worker threads run at PASSIVE_LEVEL (IoQueueWorkItem, DelayedWorkQueue).

Limits: one queue; up to `WORKERS` threads, made as they are needed (model choice).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.kernel.wait import Event, EventType, wait

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["WorkQueue"]

WORKERS = 4


class WorkQueue:
    """The delayed work queue. Entries start in order, but several may run side by side on different processors."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._entries: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._wake: Event = Event(kernel, EventType.SynchronizationEvent, name="work queue")
        self._workers = self._idle = 0

    def queue(self, routine: Callable[[Any], None], context: Any) -> None:
        """`routine(context)` on a worker thread, soon."""
        self._entries.append((routine, context))
        if self._idle:
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
                routine, context = self._entries.popleft()
                routine(context)
            self._idle += 1
            wait(self.kernel, [self._wake], False, None)
            self._idle -= 1


class PassiveInterrupts:
    """Service routines of passive-level interrupts: run by a system thread; a level-triggered line stays masked until the
    routine has returned (facts §4.2)."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def queue(self, interrupt: Any) -> bool:
        """Run its service routine at PASSIVE_LEVEL."""
        self.kernel.work.queue(self._run, interrupt)
        return True

    def _run(self, interrupt: Any) -> None:
        interrupt.count += 1
        if interrupt.service_routine(interrupt, interrupt.context):
            interrupt.claimed += 1
        if not interrupt.latched:
            machine = self.kernel.machine
            machine.time = machine.cpu.now
            machine.ioapic.eoi(interrupt.vector)

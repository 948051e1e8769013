"""What locks driver code holds, and what is wrong with that: at which IRQL and in which order it takes them, and whether it gives
them back before it returns (Driver Verifier's deadlock detection, SDV's SpinlockRelease and WdfInterruptLockRelease; facts §5.6).

A processor has a chain of the spin locks and a thread one of the locks that threads wait for, each with the ISR or DPC that took
it: the innermost first, None when there is none, so that "the same as before" is one comparison. The lock that an interrupt's
dispatching holds stands in no chain; it is looked for where one is taken in a service routine.
Limits: only what the routines take; KMUTEX, ERESOURCE and what the ExInterlocked routines hold for a moment are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from dirql.ddi import irql_name
from dirql.machine.cpu import Cpu
from dirql.machine.machine import Machine
from dirql.verify.lock_order import LockOrder

if TYPE_CHECKING:
    from dirql.kernel.lock import SpinLock
    from dirql.kernel.thread import Thread

__all__ = ["NEVER", "Chain", "Entered", "Held", "without"]

NEVER = 99  # an IRQL above all
Chain = tuple[Any, Any, Any] | None  # a lock, what was held before, and the interrupt object or DPC whose routine took it


class WaitedFor(Protocol):
    """A lock that threads wait for."""

    name: str


class Entered:
    """What holds when a callback is entered: of the processor that runs, and of its thread."""

    __slots__ = ("irql", "locks", "regions", "thread", "thread_locks")

    def __init__(self, cpu: Cpu) -> None:
        self.irql, self.locks = cpu.irql, cpu.locks
        self.thread: Thread | None = cpu.thread
        self.thread_locks: Chain = None
        self.regions = 0, 0
        if self.thread is not None:
            self.thread_locks = self.thread.locks
            self.regions = self.thread.critical_region, self.thread.guarded_region


class Held:
    """The kernel's account of it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.connected = 0  # interrupt objects
        self._order = LockOrder()

    # Spin locks.

    def look(self, lock: SpinLock, cpu: Cpu, tries: bool) -> None:
        """A routine is about to take `lock` for the processor's code, whose IRQL is raised already: something is new about it."""
        irql = cpu.irql
        within = list(self._by_processor(cpu))
        if self.connected and irql < lock.lowest:  # before, no service routine comes in between
            lock.lowest, lock.lowest_where = irql, self.machine.where()
            self._compare(lock)
        if irql > lock.floor and any(one.interrupts for one in within):
            lock.floor, lock.floor_where = irql, self.machine.where()
            self._compare(lock)
        thread: Thread | None = cpu.thread
        if tries:
            return
        if thread is not None and thread.locks is not None and cpu.dpc is None and not cpu.apic.in_service:
            self._take(lock, [*within, *locks_of(thread.locks)])
        elif within:
            self._take(lock, within)

    def connects(self, lock: SpinLock, irql: int, name: str) -> None:
        """Service routines take `lock` at `irql` from here on; what was done with it before is of no interest any more."""
        self.connected += 1
        if not lock.interrupts:
            lock.lowest = NEVER
        lock.interrupts += 1
        if irql > lock.floor:
            lock.floor, lock.floor_where = irql, f"the ISR of {name}"
        if irql < lock.lowest:
            lock.lowest, lock.lowest_where = irql, f"the ISR of {name}"
        self._compare(lock)

    def disconnects(self, lock: SpinLock) -> None:
        """One interrupt object less has it."""
        self.connected -= 1
        lock.interrupts -= 1
        if not lock.interrupts:
            lock.floor, lock.lowest = 0, NEVER

    # Locks that threads wait for.

    def wait_for(self, lock: WaitedFor, thread: Thread, *, for_ever: bool = True) -> None:
        """The thread has asked for it, and is going to wait if it must."""
        if thread.locks is not None and for_ever:
            self._take(lock, list(locks_of(thread.locks)))

    # Returns.

    def left(self, cpu: Cpu, before: Chain, kind: str) -> None:
        """Service routines or DPCs have run, and other locks are held than before."""
        outer = set(locks_of(before))
        for lock, who in links(cpu.locks):
            if lock not in outer:
                name = who.name if who is not None else "nobody"
                self._tell(f"{kind}{name}", lock.name, f"cpu{cpu.index}, {name}")
        cpu.locks = before

    def returned(self, what: str, before: Entered) -> str:
        """`what` was entered so and returns while other locks are held: that is told once, and what was held before holds. What
        is wrong with critical and guarded regions is answered, in words, if that is all."""
        cpu, thread = self.machine.cpu, before.thread
        if cpu.locks is not before.locks:
            self._kept(what, before.locks, cpu.locks)
            cpu.locks = before.locks
        if thread is None:
            return ""
        now, regions = (thread.critical_region, thread.guarded_region), before.regions
        thread.critical_region, thread.guarded_region = regions
        if thread.locks is not before.thread_locks:
            told, thread.locks = self._kept(what, before.thread_locks, thread.locks), before.thread_locks
            if told:
                return ""
        if now == regions:
            return ""
        kind = "critical" if now[0] != regions[0] else "guarded"
        if sum(now) < sum(regions):
            return f"{what} leaves a {kind} region that it was called in"
        return f"{what} returns inside of a {kind} region that it entered; leave it on every way out"

    def look_back(self, what: str, before: Entered) -> None:
        """The same with a finding for the answer."""
        wrong = self.returned(what, before)
        if wrong:
            self.machine.note_finding("lock-held-at-return", wrong, self.machine.where())

    def _kept(self, what: str, before: Chain, now: Chain) -> bool:
        outer = set(locks_of(before))
        left = [lock.name for lock in locks_of(now) if lock not in outer]
        if left:
            self._tell(what, " and ".join(reversed(left)), self.machine.where())
        return bool(left)

    def _tell(self, what: str, kept: str, where: str) -> None:
        sentence = f"{what} returns and still holds {kept}; release it on every way out"
        self.machine.note_finding("lock-held-at-return", sentence, where)

    def _compare(self, lock: SpinLock) -> None:
        if lock.lowest < lock.floor:
            high, low = irql_name(lock.floor), irql_name(lock.lowest)
            who = f"{lock.name} is taken by {lock.floor_where} at {high} and by {lock.lowest_where} at {low}"
            sentence = f"{who}, where that can interrupt: the processor then waits for itself; hold it at {high} everywhere"
            self.machine.note_finding("lock-irql", sentence, self.machine.where())

    def _take(self, lock: Any, held: list[Any]) -> None:
        circle = self._order.take(lock, held, self.machine.where)
        if circle is not None:
            sentence = f"{', but '.join(map(str, circle))}: who does so at once waits for ever; take them in one order"
            self.machine.note_finding("lock-order", sentence, self.machine.where())

    def _by_processor(self, cpu: Cpu) -> Iterator[SpinLock]:
        """The spin locks that it holds, those of the service routines that it is in too."""
        yield from locks_of(cpu.locks)
        for vector in cpu.apic.in_service:
            for interrupt in cpu.idt[vector] or ():
                if interrupt.lock.owner is cpu:
                    yield interrupt.lock


def links(chain: Chain) -> Iterator[tuple[Any, Any]]:
    """Its locks with who took them, the innermost first."""
    while chain is not None:
        yield chain[0], chain[2]
        chain = chain[1]


def locks_of(chain: Chain) -> Iterator[Any]:
    """Its locks alone."""
    return (lock for lock, _ in links(chain))


def without(chain: Chain, lock: object) -> Chain:
    """The chain when `lock` was given back, whichever place it had; as it was if it stands nowhere in it."""
    if chain is None:
        return None
    if chain[0] is lock:
        rest: Chain = chain[1]
        return rest
    rest = without(chain[1], lock)
    return chain if rest is chain[1] else (chain[0], rest, chain[2])

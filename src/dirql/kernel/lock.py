"""Spin locks that processors really contend for (KSPIN_LOCK), and the deadlocks they make.

A processor that finds a lock taken parks until it is released, still taking interrupts above its IRQL, as a spinning one
does. Where the default scheduler let the holder run ahead, `free_at` makes the next taker pay the time it would have spun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from dirql.ddi import ddi, irql_name
from dirql.kernel.held import NEVER, links, without
from dirql.kernel.irql import DISPATCH_LEVEL, HIGH_LEVEL
from dirql.kernel.stop import BugCheck, Hang
from dirql.machine.cpu import Cpu
from dirql.machine.machine import Machine

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["SpinLock"]

T = TypeVar("T")


class SpinLock:
    """KSPIN_LOCK. `owner` is the processor that holds it; `name` is for reports."""

    __slots__ = (
        "floor", "floor_where", "free_at", "interrupts", "kernel", "lowest", "lowest_where", "machine", "name", "old_irql",
        "owner", "waiters",
    )  # fmt: skip

    def __init__(self, kernel: Kernel, name: str = "spin lock") -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self.name = name
        self.owner: Cpu | None = None
        self.free_at = 0
        self.old_irql = 0
        self.waiters: list[Cpu] = []
        self.interrupts = 0  # connected interrupt objects whose lock it is
        self.floor, self.floor_where = 0, ""  # the highest IRQL at which a service routine, or who holds its lock, takes it
        self.lowest, self.lowest_where = NEVER, ""  # the lowest at which anybody holds it

    @ddi("KeAcquireSpinLockRaiseToDpc")
    def acquire(self) -> int:
        """KeAcquireSpinLock: raise to DISPATCH_LEVEL, take the lock, return the old IRQL."""
        cpu = self.machine.cpu
        old, cpu.irql = cpu.irql, max(cpu.irql, DISPATCH_LEVEL)
        self.enter(cpu)
        self.old_irql = old
        return old

    @ddi("KeReleaseSpinLock")
    def release(self, irql: int | None = None) -> None:
        """KeReleaseSpinLock: give it back and lower to `irql` (default: what `acquire` found)."""
        cpu = self.machine.cpu
        old = self.old_irql if irql is None else irql
        self.leave(cpu)
        self.kernel.lower(cpu, old)

    @ddi("KeAcquireSpinLockAtDpcLevel")
    def acquire_at_dpc_level(self) -> None:
        """KeAcquireSpinLockAtDpcLevel: take it without touching the IRQL."""
        self.enter(self.machine.cpu)

    @ddi("KeReleaseSpinLockFromDpcLevel")
    def release_from_dpc_level(self) -> None:
        """KeReleaseSpinLockFromDpcLevel."""
        self.leave(self.machine.cpu)

    @ddi("KeAcquireInStackQueuedSpinLock")
    def acquire_in_stack_queued(self) -> int:
        """KeAcquireInStackQueuedSpinLock: the same, first come, first served; returns the old IRQL."""
        cpu = self.machine.cpu
        old, cpu.irql = cpu.irql, max(cpu.irql, DISPATCH_LEVEL)
        self.enter(cpu)
        return old

    @ddi("KeReleaseInStackQueuedSpinLock")
    def release_in_stack_queued(self, irql: int) -> None:
        """KeReleaseInStackQueuedSpinLock."""
        cpu = self.machine.cpu
        self.leave(cpu)
        self.kernel.lower(cpu, irql)

    @ddi("KeAcquireInStackQueuedSpinLockAtDpcLevel")
    def acquire_in_stack_queued_at_dpc_level(self) -> None:
        """KeAcquireInStackQueuedSpinLockAtDpcLevel."""
        self.enter(self.machine.cpu)

    @ddi("KeReleaseInStackQueuedSpinLockFromDpcLevel")
    def release_in_stack_queued_from_dpc_level(self) -> None:
        """KeReleaseInStackQueuedSpinLockFromDpcLevel."""
        self.leave(self.machine.cpu)

    @ddi("KeTryToAcquireSpinLockAtDpcLevel")
    def try_to_acquire_at_dpc_level(self) -> bool:
        """KeTryToAcquireSpinLockAtDpcLevel: True if it was free and is the caller's now."""
        if self.owner is not None:
            return False
        self.enter(self.machine.cpu, tries=True)
        return True

    @ddi("KeTestSpinLock")
    def test(self) -> bool:
        """KeTestSpinLock: True while it is free."""
        return self.owner is None

    def interlocked(self, action: Callable[[], T]) -> T:
        """`action` with the lock held and interrupts off, as the ExInterlocked list routines do it."""
        cpu = self.machine.cpu
        before, cpu.irql = cpu.irql, HIGH_LEVEL
        self.take(cpu)
        result = action()
        self.give(cpu)
        cpu.irql = before
        return result

    def enter(self, cpu: Cpu, *, tries: bool = False) -> None:
        """What a routine of the driver's does to own it: how and where that is done is looked at, and what is held is known. One
        that only `tries` found it free."""
        thread, dpc, locks = cpu.thread, cpu.dpc, cpu.locks
        if dpc is not None:
            dpc.guarded = True
        if (
            cpu.irql != self.lowest or locks is not None or cpu.apic.in_service
            or (thread is not None and thread.locks is not None)
        ):  # fmt: skip
            self.kernel.held.look(self, cpu, tries)
        self.take(cpu)
        cpu.locks = self, locks, cpu.servicing if cpu.apic.in_service else dpc

    def leave(self, cpu: Cpu) -> None:
        """The same to let the next have it."""
        self.give(cpu)
        locks = cpu.locks
        cpu.locks = locks[1] if locks is not None and locks[0] is self else without(locks, self)

    def take(self, cpu: Cpu) -> None:
        """Own it, however long that takes. Interrupt dispatching uses it as it is."""
        if self.owner is None:
            if self.free_at > cpu.now:
                cpu.now = self.free_at
            self.owner = cpu
        else:
            self._spin(cpu)
        if self.machine.watch is not None:
            self.machine.watch.acquire(self)

    def give(self, cpu: Cpu) -> None:
        """Let the next have it."""
        if self.owner is not cpu:
            who = "nobody" if self.owner is None else f"cpu{self.owner.index}"
            raise BugCheck(0x10, why=f"cpu{cpu.index} releases {self.name}, which {who} holds")
        self.owner = None
        self.free_at = cpu.now
        if self.machine.watch is not None:
            self.machine.watch.release(self)
        if self.waiters:
            for waiter in self.waiters:
                self.machine.scheduler.make_ready(waiter, cpu.now)
            self.waiters.clear()

    def _spin(self, cpu: Cpu) -> None:
        machine = self.machine
        if machine.watch is not None:
            machine.watch.waits(self)
        irql = cpu.irql
        cpu.spinning_on = self
        self.kernel.spinning += 1
        self._refuse_a_circle(cpu)
        while self.owner is not None:
            self.waiters.append(cpu)
            machine.scheduler.park(cpu)
            if cpu in self.waiters:
                self.waiters.remove(cpu)
            if cpu.apic.irr:
                cpu.spinning_on = None
                self.kernel.take_interrupts(cpu)
                cpu.spinning_on = self
                self._refuse_a_circle(cpu)  # whoever looked meanwhile saw a processor that was not spinning
        if self.free_at > cpu.now:
            cpu.now = self.free_at
        cpu.irql = irql
        cpu.spinning_on = None
        self.kernel.spinning -= 1
        self.owner = cpu

    def _refuse_a_circle(self, cpu: Cpu) -> None:
        """Whoever holds what we want, and waits for what we hold, waits for ever. What waits for itself is told by the verifier
        as bugcheck 0xF (facts §5.2)."""
        if self.owner is cpu:
            self._refuse_oneself(cpu)
        chain = [f"cpu{cpu.index} waits for {self.name}"]
        holder = self.owner
        while holder is not None:
            chain[-1] += f", which cpu{holder.index} holds"
            if holder is cpu:
                raise Hang("deadlock", "; ".join(chain))
            wanted: SpinLock | None = holder.spinning_on
            if wanted is None:
                return
            chain.append(f"cpu{holder.index} waits for {wanted.name}")
            holder = wanted.owner

    def _refuse_oneself(self, cpu: Cpu) -> None:
        why = f"cpu{cpu.index} waits for {self.name}, which cpu{cpu.index} holds"
        who = next((who for lock, who in links(cpu.locks) if lock is self), cpu.dpc)
        if self.lowest < cpu.irql and cpu.apic.in_service and who is not cpu.servicing:
            why += f" at {irql_name(self.lowest)} in what it interrupted: hold it at {irql_name(cpu.irql)} everywhere"
        elif who is not None and who is not (cpu.servicing or cpu.dpc):
            why += f" since {who.name} returned without releasing it"
        else:
            why += ": a spin lock is not recursive"
            if self.kernel.driver_verifier:
                raise BugCheck(0x0F, why=why)
        raise Hang("deadlock", why)

    def __repr__(self) -> str:
        return f"<{self.name}{f' held by cpu{self.owner.index}' if self.owner else ''}>"

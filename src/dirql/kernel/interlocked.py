"""Interlocked operations on an attribute of a Python driver's object: InterlockedIncrement and its family, in one step.

In C they are instructions of the processor's, callable at any IRQL. They put what was done before one of them in order with
what is done after a later one on the same variable.
Limits: 32-bit and 64-bit ones are one routine each, and nothing wraps around.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql.machine.watch import Variable

if TYPE_CHECKING:
    from dirql.machine.machine import Machine

__all__ = ["Interlocked"]


class Interlocked:
    """Part of a kernel."""

    machine: Machine

    def interlocked_increment(self, owner: object, name: str) -> int:
        """InterlockedIncrement: the new value."""
        return self.interlocked_exchange_add(owner, name, 1) + 1

    def interlocked_decrement(self, owner: object, name: str) -> int:
        """InterlockedDecrement: the new value."""
        return self.interlocked_exchange_add(owner, name, -1) - 1

    def interlocked_exchange_add(self, owner: object, name: str, value: int) -> int:
        """InterlockedExchangeAdd, also InterlockedAdd less what was added: the value before."""
        before: int = self._enter(owner, name)
        self._leave(owner, name, before + value)
        return before

    def interlocked_exchange(self, owner: object, name: str, value: Any) -> Any:
        """InterlockedExchange, InterlockedExchangePointer: the value before."""
        before = self._enter(owner, name)
        self._leave(owner, name, value)
        return before

    def interlocked_compare_exchange(self, owner: object, name: str, exchange: Any, comparand: Any) -> Any:
        """InterlockedCompareExchange, InterlockedCompareExchangePointer: the value before; `exchange` is stored where that was
        `comparand`."""
        before = self._enter(owner, name)
        self._leave(owner, name, exchange if before == comparand else before)
        return before

    def interlocked_or(self, owner: object, name: str, value: int) -> int:
        """InterlockedOr: the value before."""
        before: int = self._enter(owner, name)
        self._leave(owner, name, before | value)
        return before

    def interlocked_and(self, owner: object, name: str, value: int) -> int:
        """InterlockedAnd: the value before."""
        before: int = self._enter(owner, name)
        self._leave(owner, name, before & value)
        return before

    def _enter(self, owner: object, name: str) -> Any:
        machine = self.machine
        if machine.cpu.dpc is not None:
            machine.cpu.dpc.guarded = True
        if machine.chooser.interleaves and machine.cpu is not machine.nobody:
            machine.chooser.observe(f"{type(owner).__name__}.{name}")
            machine.scheduler.point(machine.cpu)
        if machine.watch is not None:
            machine.watch.acquire(Variable(owner, name))
        return getattr(owner, name)

    def _leave(self, owner: object, name: str, after: Any) -> None:
        object.__setattr__(owner, name, after)  # past a watch's hooks: this is no plain access
        if self.machine.watch is not None:
            self.machine.watch.release(Variable(owner, name))

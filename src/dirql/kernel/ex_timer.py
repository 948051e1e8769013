"""EX_TIMER: a timer that the kernel allocates, with a callback at DISPATCH_LEVEL (ExAllocateTimer and its kind).

Limits: high-resolution and no-wake timers are ordinary ones, since every timer expires at its due time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.ddi import ddi
from dirql.kernel.dpc import Kdpc
from dirql.kernel.irql import DISPATCH_LEVEL
from dirql.kernel.stop import BugCheck
from dirql.kernel.timer import Ktimer
from dirql.kernel.wait import EventType

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["ExTimer"]


class ExTimer(Ktimer):
    """EX_TIMER: `callback(timer, context)`."""

    kind = "timer"

    def __init__(
        self, kernel: Kernel, callback: Callable[[ExTimer, Any], None] | None, context: Any = None, *,
        synchronization: bool = False, name: str = "",
    ) -> None:  # fmt: skip
        kind = EventType.SynchronizationEvent if synchronization else EventType.NotificationEvent
        super().__init__(kernel, kind, name)
        self._callback, self._context = callback, context
        self._own_dpc = Kdpc(kernel, self._expired, None, self.name)
        self.deleted = False

    @ddi("ExSetTimer")
    def start(self, due: int, period: int = 0) -> bool:
        """ExSetTimer, `due` ns from now and then every `period` ns; True if it was set already."""
        self._refuse_deleted("ExSetTimer")
        was = self.stop()
        cpu = self.machine.cpu
        self.state, self._period, self._slack, self._cpu = False, period, 0, cpu
        self._dpc = self._own_dpc if self._callback is not None else None
        self._arm(cpu.now + due)
        return was

    @ddi("ExCancelTimer")
    def cancel_timer(self) -> bool:
        """ExCancelTimer: True if it was set."""
        self._refuse_deleted("ExCancelTimer")
        return self.stop()

    @ddi("ExDeleteTimer")
    def delete(self, cancel: bool, wait: bool) -> bool:
        """ExDeleteTimer: True if it was set and is cancelled. With `wait` (below DISPATCH_LEVEL) not before a callback under
        way has returned; without `cancel` it expires once more."""
        self._refuse_deleted("ExDeleteTimer")
        self.deleted = True
        was = self.stop() if cancel else False
        if wait and self.machine.cpu.irql < DISPATCH_LEVEL:
            self.kernel.flush_queued_dpcs()
        return was

    def _refuse_deleted(self, routine: str) -> None:
        if self.deleted:
            raise BugCheck(0xC7, 0, why=f"{routine} of {self.name}, which was deleted")

    def _expired(self, dpc: Kdpc, context: Any, a: Any, b: Any) -> None:
        assert self._callback is not None
        self._callback(self, self._context)

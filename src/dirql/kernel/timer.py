"""KTIMER: a dispatcher object that time signals, with a DPC if one is given.

Limits: expires at its due time, not at the clock tick after it (model choice); `tolerable_delay` widens the window in which
an exploring chooser may let it fire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.ddi import ddi
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.dpc import Kdpc
from dirql.kernel.duration import refuse_no_duration
from dirql.kernel.thread import Thread
from dirql.kernel.wait import EventType
from dirql.machine.cpu import Cpu
from dirql.machine.flight import Timer as Alarm

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["Ktimer"]


class Ktimer(DispatcherObject):
    """KTIMER."""

    kind = "timer"

    def __init__(self, kernel: Kernel, type_: EventType = EventType.NotificationEvent, name: str = "") -> None:
        super().__init__(kernel, name)
        self.type, self.state = type_, False
        self._alarm: Alarm | None = None
        self._dpc: Kdpc | None = None
        self._period = self._slack = 0
        self._cpu = kernel.machine.cpus[0]

    @property
    def processor(self) -> Cpu:
        """On which it expires."""
        return self._cpu

    @property
    def inserted(self) -> bool:
        """True while it is going to expire."""
        return self._alarm is not None

    @ddi("KeSetTimerEx")
    def set(self, due: int, period: int = 0, dpc: Kdpc | None = None, tolerable_delay: int = 0) -> bool:
        """KeSetTimerEx, `due` ns from now and then every `period` ns; True if it was set already."""
        for what, value in (("due time", due), ("period", period), ("tolerable delay", tolerable_delay)):
            refuse_no_duration(f"KeSetTimerEx of {self.name}", what, value)
        was = self.stop()
        cpu = self.machine.cpu
        self.state, self._period, self._dpc, self._slack, self._cpu = False, period, dpc, tolerable_delay, cpu
        self._arm(cpu.now + due)
        return was

    @ddi("KeCancelTimer")
    def cancel(self) -> bool:
        """KeCancelTimer: True if it was set. A DPC that was queued already stays queued."""
        return self.stop()

    @ddi("KeReadStateTimer")
    def read_state(self) -> bool:
        """KeReadStateTimer: True once it has expired."""
        return self.state

    def stop(self) -> bool:
        """`cancel` without being a routine of its own."""
        alarm, self._alarm = self._alarm, None
        if self.machine.watch is not None:
            self.machine.watch.may_change(self)
        if alarm is None:
            return False
        alarm.cancel()
        return True

    def signaled_for(self, thread: Thread) -> bool:
        """Once expired."""
        return self.state

    def consume(self, thread: Thread) -> None:
        """A synchronization timer lets one through."""
        if self.type == EventType.SynchronizationEvent:
            self.state = False

    def _arm(self, time: int) -> None:
        if self.machine.watch is not None:
            self.machine.watch.release(self)
        self._alarm = Alarm(f"timer:{self.name}", time, self._slack, self._expire, self._recurs if self._period else None)
        self.machine.agenda.add(time, self._alarm)

    def _recurs(self) -> bool:
        return not self.waiters

    def _expire(self) -> None:
        now, watch = self.machine.time, self.machine.watch
        if watch is not None:
            watch.lands(self)
            watch.may_change(self)
        self._alarm = None
        if self._period:
            self._arm(now + self._period)
        self.state = True
        self.signal(now)
        if self._dpc is not None:
            self._dpc.expire(self._dpc.target or self._cpu, now)
        if watch is not None:
            watch.landed(self)

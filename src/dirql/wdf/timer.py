"""WDFTIMER: one-shot and periodic timers at DISPATCH_LEVEL or, by execution level, at PASSIVE_LEVEL (facts §2.5, §7).

Limits: a timer of execution level Passive that expires again before its callback has started runs once for both (model
choice); `use_high_resolution_timer` changes nothing, since every timer here expires at its due time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.kernel.dpc import Kdpc
from dirql.kernel.duration import refuse_no_duration
from dirql.kernel.irql import PASSIVE_LEVEL
from dirql.kernel.timer import Ktimer
from dirql.ntstatus import StatusError
from dirql.wdf.afterwards import tell_if_released
from dirql.wdf.creation import device_above, limited_to, required_parent, validate
from dirql.wdf.framework import Framework
from dirql.wdf.lock import CallbackLock, effective_lock
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, expect_parameter
from dirql.wdf.work_item import SystemWorkItem

__all__ = ["Timer", "TimerConfig"]

MAXLONG = 0x7FFF_FFFF
MILLISECOND = 1_000_000


@dataclass(frozen=True)
class TimerConfig:
    """WDF_TIMER_CONFIG. `period` and `tolerable_delay` in milliseconds, as in C; a period of 0 is a one-shot timer."""

    evt_timer_func: Callable[[Timer], None] | None
    period: int = 0
    automatic_serialization: bool = True
    tolerable_delay: int = 0
    use_high_resolution_timer: bool = False


class Timer(Object):
    """WDFTIMER: `evt_timer_func(timer)`."""

    kind = "WDFTIMER"

    def __init__(
        self, parent: Object, config: TimerConfig, attributes: ObjectAttributes | None, lock: CallbackLock | None
    ) -> None:
        super().__init__(parent.framework, parent, attributes)
        self.config = config
        self.passive = self.attributes.execution_level == ExecutionLevel.Passive
        self._lock = lock
        kernel = self.framework.kernel
        self._ktimer = Ktimer(kernel, name=self.name)
        self._kdpc = Kdpc(kernel, self._expire, None, self.name)
        self._work = SystemWorkItem(self.framework, self.name, self._run)

    @classmethod
    @ddi_create("WdfTimerCreate")
    def create(cls, parent: Object | Framework, config: TimerConfig, attributes: ObjectAttributes | None = None) -> Timer:
        """WdfTimerCreate. ExecutionLevel Passive in the attributes makes its callback run at PASSIVE_LEVEL."""
        name = "WdfTimerCreate"
        expect_parameter(config, "Config", name)
        above = required_parent(parent, attributes, name)
        if attributes is not None:
            validate(cls.kind, attributes, levels_allowed=True)
        _refuse(config)
        device_above(above, name)
        passive = attributes is not None and attributes.execution_level == ExecutionLevel.Passive
        return cls(above, config, attributes, effective_lock(above, config.automatic_serialization, passive, name))

    @ddi("WdfTimerStart")
    def start(self, due: int) -> bool:
        """WdfTimerStart, to expire `due` ns from now (a negative DueTime in C); True if it was running, which it starts anew."""
        refuse_no_duration(f"WdfTimerStart of {self.name}", "due time", due)
        if self.deleting:
            return False
        config = self.config
        return self._ktimer.set(due, config.period * MILLISECOND, self._kdpc, config.tolerable_delay * MILLISECOND)

    @ddi("WdfTimerStop")
    def stop(self, wait: bool) -> bool:
        """WdfTimerStop: True if it was running; with `wait` (PASSIVE_LEVEL) not before a callback under way has returned."""
        if wait and not limited_to(self.framework, PASSIVE_LEVEL, "WdfTimerStop", "when Wait is TRUE"):
            return False
        was = self._ktimer.stop()
        if wait:
            self._wait_for_callback()
        return was

    @ddi("WdfTimerGetParentObject")
    def get_parent_object(self) -> Object | None:
        """WdfTimerGetParentObject."""
        return self.parent

    def on_cleanup(self) -> None:
        """Stopped; at PASSIVE_LEVEL a callback under way is waited for, except in that callback."""
        self._ktimer.stop()
        if self.machine.cpu.thread is not None and self.machine.cpu.irql == PASSIVE_LEVEL and not self._work.runs_here:
            self._wait_for_callback()

    def _wait_for_callback(self) -> None:
        if self._work.runs_here:
            self.framework.complain(
                "stop-in-own-callback", f"WdfTimerStop of {self.name} with Wait TRUE in its own callback waits for itself"
            )
        self.framework.kernel.flush_queued_dpcs()
        self._work.flush()

    def _expire(self, kdpc: Kdpc, context: Any, a: Any, b: Any) -> None:
        if self.passive:
            self._work.enqueue()
        else:
            self._run()

    def _run(self) -> None:
        callback = self.config.evt_timer_func
        assert callback is not None
        tell_if_released(self, "EvtTimerFunc")
        if self._lock is None:
            self.framework.call("EvtTimerFunc", self, callback, self)
        else:
            with self._lock:
                self.framework.call("EvtTimerFunc", self, callback, self)


def _refuse(config: TimerConfig) -> None:
    if config.evt_timer_func is None:
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "WdfTimerCreate: EvtTimerFunc is NULL")
    for name, value in (("Period", config.period), ("TolerableDelay", config.tolerable_delay)):
        if not 0 <= value <= MAXLONG:
            raise StatusError(
                ntstatus.STATUS_INVALID_PARAMETER, f"WdfTimerCreate: {name} {value:#x} is not between 0 and {MAXLONG:#x} ms"
            )
    if config.use_high_resolution_timer and config.tolerable_delay:
        # Model choice: a high-resolution timer takes no tolerable delay.
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "WdfTimerCreate: TolerableDelay with UseHighResolutionTimer")

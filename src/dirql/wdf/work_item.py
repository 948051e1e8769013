"""WDFWORKITEM: a callback at PASSIVE_LEVEL on a system thread (facts §4.1, §5.6).

It leaves the "enqueued" state before its callback runs: enqueued again meanwhile, it may run twice in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.kernel.irql import PASSIVE_LEVEL
from dirql.kernel.thread import Thread
from dirql.kernel.wait import Event, wait
from dirql.ntstatus import StatusError
from dirql.wdf.afterwards import tell_if_released
from dirql.wdf.creation import device_above, required_parent, validate
from dirql.wdf.framework import Framework
from dirql.wdf.lock import CallbackLock, effective_lock
from dirql.wdf.object import Object, ObjectAttributes, expect_parameter

__all__ = ["SystemWorkItem", "WorkItem", "WorkItemConfig"]


class SystemWorkItem:
    """The framework's own work item: one pending request at most, and a way to wait until nothing is pending or running."""

    def __init__(self, framework: Framework, name: str, routine: Callable[[], None]) -> None:
        self._kernel = framework.kernel
        self._routine = routine
        self._enqueued = False
        self._running: list[Thread] = []
        self._at_rest = Event(self._kernel, state=True, name=f"the callbacks of {name}")

    @property
    def runs_here(self) -> bool:
        """True when the calling thread is inside the routine."""
        return self._kernel.machine.cpu.thread in self._running

    def enqueue(self) -> bool:
        """False if it was pending already."""
        if self._kernel.machine.watch is not None:
            self._kernel.machine.watch.release(self)
        if self._enqueued:
            return False
        self._enqueued = True
        self._at_rest.state = False
        self._kernel.work.queue(self._run, None)
        return True

    def flush(self) -> None:
        """Wait until nothing is pending or running."""
        wait(self._kernel, [self._at_rest], False, None)

    def _run(self, _: Any) -> None:
        self._enqueued = False
        if self._kernel.machine.watch is not None:
            self._kernel.machine.watch.acquire(self)
        thread = self._kernel.machine.cpu.thread
        self._running.append(thread)
        self._routine()
        self._running.remove(thread)
        if self._kernel.machine.watch is not None:
            self._kernel.machine.watch.release(self._at_rest)
        self._settle()

    def _settle(self) -> None:
        if not self._enqueued and not self._running and not self._at_rest.state:
            self._at_rest.state = True
            self._at_rest.signal()


@dataclass(frozen=True)
class WorkItemConfig:
    """WDF_WORKITEM_CONFIG, as WDF_WORKITEM_CONFIG_INIT leaves it."""

    evt_work_item_func: Callable[[WorkItem], None] | None
    automatic_serialization: bool = True


class WorkItem(Object):
    """WDFWORKITEM: `evt_work_item_func(work_item)`."""

    kind = "WDFWORKITEM"

    def __init__(
        self, parent: Object, config: WorkItemConfig, attributes: ObjectAttributes | None, lock: CallbackLock | None
    ) -> None:
        super().__init__(parent.framework, parent, attributes)
        self.config = config
        self._lock = lock
        self._work = SystemWorkItem(self.framework, self.name, self._run)

    @classmethod
    @ddi_create("WdfWorkItemCreate")
    def create(cls, parent: Object | Framework, config: WorkItemConfig, attributes: ObjectAttributes | None = None) -> WorkItem:
        """WdfWorkItemCreate."""
        name = "WdfWorkItemCreate"
        expect_parameter(config, "Config", name)
        above = required_parent(parent, attributes, name)
        validate(cls.kind, attributes)
        if config.evt_work_item_func is None:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "WdfWorkItemCreate: EvtWorkItemFunc is NULL")
        device_above(above, name)
        return cls(above, config, attributes, effective_lock(above, config.automatic_serialization, True, name))

    @ddi("WdfWorkItemEnqueue")
    def enqueue(self) -> None:
        """WdfWorkItemEnqueue; nothing happens while it is pending already."""
        self._work.enqueue()

    @ddi("WdfWorkItemFlush")
    def flush(self) -> None:
        """WdfWorkItemFlush: returns when what was enqueued has run. From its own callback it would wait for itself."""
        if not self.framework.allowed(PASSIVE_LEVEL, "WdfWorkItemFlush"):
            return
        if self._work.runs_here:
            self.framework.complain(
                "flush-in-own-callback", f"WdfWorkItemFlush of {self.name} in its own callback waits for itself"
            )
        self._work.flush()

    @ddi("WdfWorkItemGetParentObject")
    def get_parent_object(self) -> Object | None:
        """WdfWorkItemGetParentObject."""
        return self.parent

    def on_cleanup(self) -> None:
        """What is pending still runs; deletion waits for it, except in the item's own callback."""
        if not self._work.runs_here and self.machine.cpu.thread is not None and self.machine.cpu.irql == PASSIVE_LEVEL:
            self._work.flush()

    def _run(self) -> None:
        callback = self.config.evt_work_item_func
        assert callback is not None
        tell_if_released(self, "EvtWorkItem")
        if self._lock is None:
            self.framework.call("EvtWorkItem", self, callback, self)
        else:
            with self._lock:
                self.framework.call("EvtWorkItem", self, callback, self)

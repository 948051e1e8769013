"""WDFDPC: a driver's deferred procedure call (facts §2.5, §4.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.kernel.dpc import Kdpc
from dirql.kernel.irql import PASSIVE_LEVEL
from dirql.ntstatus import StatusError
from dirql.wdf.afterwards import tell_if_released
from dirql.wdf.creation import device_above, limited_to, required_parent, validate
from dirql.wdf.framework import Framework
from dirql.wdf.lock import CallbackLock, effective_lock
from dirql.wdf.object import Object, ObjectAttributes, expect_parameter

__all__ = ["Dpc", "DpcConfig"]


@dataclass(frozen=True)
class DpcConfig:
    """WDF_DPC_CONFIG, as WDF_DPC_CONFIG_INIT leaves it."""

    evt_dpc_func: Callable[[Dpc], None] | None
    automatic_serialization: bool = True


class Dpc(Object):
    """WDFDPC: `evt_dpc_func(dpc)` at DISPATCH_LEVEL."""

    kind = "WDFDPC"

    def __init__(self, parent: Object, config: DpcConfig, attributes: ObjectAttributes | None, lock: CallbackLock | None) -> None:
        super().__init__(parent.framework, parent, attributes)
        self.config = config
        self._lock = lock
        self._kdpc = Kdpc(self.framework.kernel, self._run, None, self.name)

    @classmethod
    @ddi_create("WdfDpcCreate")
    def create(cls, parent: Object | Framework, config: DpcConfig, attributes: ObjectAttributes | None = None) -> Dpc:
        """WdfDpcCreate."""
        name = "WdfDpcCreate"
        expect_parameter(config, "Config", name)
        above = required_parent(parent, attributes, name)
        validate(cls.kind, attributes)
        if config.evt_dpc_func is None:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "WdfDpcCreate: EvtDpcFunc is NULL")
        device_above(above, name)
        return cls(above, config, attributes, effective_lock(above, config.automatic_serialization, False, name))

    @ddi("WdfDpcEnqueue")
    def enqueue(self) -> bool:
        """WdfDpcEnqueue: False if it was queued already."""
        return self._kdpc.enqueue()

    @ddi("WdfDpcCancel")
    def cancel(self, wait: bool) -> bool:
        """WdfDpcCancel: True if it was queued; with `wait` (PASSIVE_LEVEL) not before a running callback has returned."""
        if wait and not limited_to(self.framework, PASSIVE_LEVEL, "WdfDpcCancel", "when Wait is TRUE"):
            return False
        removed = self._remove()
        if wait and not removed:
            self.framework.kernel.flush_queued_dpcs()
        return removed

    @ddi("WdfDpcGetParentObject")
    def get_parent_object(self) -> Object | None:
        """WdfDpcGetParentObject."""
        return self.parent

    @ddi("WdfDpcWdmGetDpc")
    def wdm_get_dpc(self) -> Kdpc:
        """WdfDpcWdmGetDpc: for KeSetImportanceDpc and KeSetTargetProcessorDpc."""
        return self._kdpc

    def on_cleanup(self) -> None:
        """Taken from its queue; at PASSIVE_LEVEL a running callback is waited for."""
        self._remove()
        if self._kdpc.running and self.machine.cpu.irql == PASSIVE_LEVEL and self.machine.cpu.thread is not None:
            self.framework.kernel.flush_queued_dpcs()

    def _remove(self) -> bool:
        cpu, self._kdpc.queued_on = self._kdpc.queued_on, None
        if cpu is None:
            return False
        cpu.dpcs.remove(self._kdpc)
        return True

    def _run(self, kdpc: Kdpc, context: Any, a: Any, b: Any) -> None:
        assert self.config.evt_dpc_func is not None
        tell_if_released(self, "EvtDpcFunc")
        if self._lock is None:
            self.config.evt_dpc_func(self)
        else:
            with self._lock:
                self.config.evt_dpc_func(self)

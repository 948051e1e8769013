"""Connecting, enabling, disabling and disconnecting one WDFINTERRUPT (facts §3.2, §3.6).

KMDF connects every object on its own (FULLY_SPECIFIED_GROUP): one KINTERRUPT per WDFINTERRUPT.
"""

from __future__ import annotations

from typing import Any

from dirql import ntstatus
from dirql.kernel.interrupt import KInterrupt
from dirql.wdf.interrupt import Interrupt

__all__ = ["connect", "disable", "disconnect", "enable"]

SHARED = 3
PASSIVE_LEVEL = 0


def connect(interrupt: Interrupt) -> int:
    """IoConnectInterruptEx with what the resources say; nothing to do (and success) without a resource."""
    info, kernel = interrupt.info, interrupt.framework.kernel
    if not info.vector or interrupt.connection is not None:
        return ntstatus.STATUS_SUCCESS
    passive = interrupt.config.passive_handling
    wdm = KInterrupt(
        kernel, interrupt.passive_thunk if passive else interrupt.thunk, None, vector=info.vector, irql=info.irql,
        synchronize_irql=PASSIVE_LEVEL if passive else interrupt.synchronize_irql, affinity=info.target_processor_set,
        latched=bool(info.mode), share=info.share_disposition == SHARED, lock=interrupt.lock, passive=passive, name=interrupt.name,
    )  # fmt: skip
    status = kernel.interrupts.connect(wdm)
    if ntstatus.nt_success(status):
        interrupt.connection = interrupt.wdm = wdm
    else:
        interrupt.framework.note(f"IoConnectInterruptEx for {interrupt.name}: {ntstatus.name_of(status)}")
    return status


def enable(interrupt: Interrupt) -> int:
    """EvtInterruptEnable at the synchronise IRQL with the lock held, through KeSynchronizeExecution."""
    if interrupt.connection is None:
        return ntstatus.STATUS_SUCCESS
    status = _synchronized(interrupt, "EvtInterruptEnable", interrupt.config.evt_interrupt_enable)
    interrupt.enabled = ntstatus.nt_success(status)
    return status


def disable(interrupt: Interrupt) -> None:
    """EvtInterruptDisable, once for each enable; then what it queued before has run."""
    if interrupt.connection is None or not interrupt.enabled:
        return
    interrupt.enabled = False
    _synchronized(interrupt, "EvtInterruptDisable", interrupt.config.evt_interrupt_disable)
    interrupt.flush()


def disconnect(interrupt: Interrupt) -> None:
    """The thunk finds nobody from here on; then IoDisconnectInterruptEx."""
    connection, interrupt.connection, interrupt.wdm = interrupt.connection, None, None
    if connection is not None:
        interrupt.keep_counts(connection)
        interrupt.framework.kernel.interrupts.disconnect(connection)


def _synchronized(interrupt: Interrupt, name: str, callback: Any) -> int:
    if callback is None:
        return ntstatus.STATUS_SUCCESS
    framework, device = interrupt.framework, interrupt.of_device
    status = ntstatus.STATUS_SUCCESS

    def run(_: Any) -> bool:
        nonlocal status
        status = framework.status(name, interrupt, callback, interrupt, device)
        return True

    if interrupt.config.passive_handling:
        interrupt.with_wait_lock(lambda: run(None))
    else:
        assert interrupt.connection is not None
        interrupt.connection.synchronized(run, None)
    return status

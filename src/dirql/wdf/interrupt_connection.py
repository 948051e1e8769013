"""Connecting, enabling, disabling and disconnecting one WDFINTERRUPT (facts §3.2, §3.6).

KMDF connects every object on its own (FULLY_SPECIFIED_GROUP): one KINTERRUPT per WDFINTERRUPT.
"""

from __future__ import annotations

from typing import Any

from dirql import ntstatus
from dirql.kernel.irql import PASSIVE_LEVEL
from dirql.kernel.kinterrupt import KInterrupt
from dirql.pnp.constants import CmShareDisposition
from dirql.wdf.interrupt import Interrupt
from dirql.wdf.interrupt_service import UNKNOWN, told_as, told_to_be_quiet
from dirql.wdf.object import Object

__all__ = ["connect", "disable", "disconnect", "enable", "record_failure"]


def connect(interrupt: Interrupt) -> int:
    """IoConnectInterruptEx with what the resources say; nothing to do (and success) without a resource.

    What is connected but inactive (a soft disconnect) becomes active again instead.
    """
    info, kernel = interrupt.info, interrupt.framework.kernel
    if interrupt.connection is not None:
        interrupt.set_active(True)
    if not info.vector or interrupt.connection is not None:
        return ntstatus.STATUS_SUCCESS
    passive = interrupt.config.passive_handling
    shared = info.share_disposition == CmShareDisposition.CmResourceShareShared
    wdm = KInterrupt(
        kernel, interrupt.passive_thunk if passive else interrupt.thunk, None, vector=info.vector, irql=info.irql,
        synchronize_irql=PASSIVE_LEVEL if passive else interrupt.synchronize_irql, affinity=info.target_processor_set,
        latched=bool(info.mode), share=shared, lock=interrupt.lock, passive=passive,
        name=told_as(interrupt),
    )  # fmt: skip
    interrupt.closing = False
    status = kernel.interrupts.connect(wdm)
    if ntstatus.nt_success(status):
        interrupt.connection = wdm
        _window(interrupt)
        interrupt.wdm = wdm
        interrupt.ready = True
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


def disable(interrupt: Interrupt, *, stays: bool = False) -> None:
    """EvtInterruptDisable, once for each enable; then what was queued before has run. A failure is recorded, no more.

    Unless it `stays` connected, a latched line is discarded from here on.
    """
    if interrupt.connection is None or not interrupt.enabled:
        return
    interrupt.enabled = False
    status = _synchronized(interrupt, "EvtInterruptDisable", interrupt.config.evt_interrupt_disable)
    if not ntstatus.nt_success(status):
        record_failure(interrupt, "EvtInterruptDisable", status)
    interrupt.sent_before = UNKNOWN
    told_to_be_quiet(interrupt, disconnected=False)
    if not stays and interrupt.info.mode and not interrupt.info.message_signaled:
        interrupt.ready, interrupt.closing = False, True
    interrupt.flush()


def disconnect(interrupt: Interrupt) -> None:
    """A late service routine may still come; the thunk finds nobody after that; then IoDisconnectInterruptEx."""
    connection = interrupt.connection
    if connection is None:
        return
    _window(interrupt)
    interrupt.ready, interrupt.closing = False, True
    interrupt.connection = interrupt.wdm = None
    interrupt.enabled = False
    interrupt.framework.kernel.interrupts.disconnect(connection)
    if interrupt.sent_before == UNKNOWN:
        told_to_be_quiet(interrupt, disconnected=True)
    interrupt.keep_counts(connection)


def record_failure(on: Object, name: str, status: int) -> None:
    """A callback failed on the way down, where nothing can be stopped any more (facts §3.5)."""
    sentence = f"{name} of {on.name} returned {ntstatus.name_of(status)} on the way down, which goes on all the same"
    on.framework.complain("power-down-failure", sentence)


def _window(interrupt: Interrupt) -> None:
    """Between the kernel's side and the framework's pointer: other processors and messages may come in between."""
    machine = interrupt.machine
    if machine.scheduler.due(machine.cpu):
        machine.scheduler.point(machine.cpu)


def _synchronized(interrupt: Interrupt, name: str, callback: Any) -> int:
    if callback is None:
        return ntstatus.STATUS_SUCCESS
    framework, device = interrupt.framework, interrupt.of_device
    status = ntstatus.STATUS_SUCCESS

    def run(_: Any) -> bool:
        nonlocal status
        status = framework.status(name, interrupt, callback, interrupt, device)
        if name == "EvtInterruptEnable" and ntstatus.nt_success(status):
            interrupt.enabled = interrupt.ready = True  # before its lock is given: an ISR that waits for that is in time
        return True

    if interrupt.config.passive_handling:
        interrupt.with_wait_lock(lambda: run(None))
    else:
        assert interrupt.connection is not None
        interrupt.connection.synchronized(run, None)
    return status

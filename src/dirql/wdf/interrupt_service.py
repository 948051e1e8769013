"""What a connected interrupt calls: the driver's ISR at once, or by way of a look at it where something may be wrong with when it
is called or how it answers; and whether the device keeps quiet once EvtInterruptDisable has told it to.

Limits: passive-level interrupts are not looked at; nor is a message between EvtInterruptDisable and the disconnect while a write
to the device is still on its way, which a device may rightly send. `line-claimed-unseen` takes any register read for a look at
the interrupt status, one too whose value is thrown away and which only flushes writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dirql.pnp.manager import DevNode

if TYPE_CHECKING:
    from dirql.wdf.interrupt import Interrupt

__all__ = ["UNKNOWN", "service", "tell_if_not_quiet", "told_as", "told_to_be_quiet"]

ServiceRoutine = Callable[["Interrupt", int], bool]
UNKNOWN = -1  # how much a device had sent: what it was told is still on its way


def told_as(interrupt: Interrupt) -> str:
    """Its name, with the device's where there are several: each numbers its own."""
    return interrupt.name if len(interrupt.machine.ports) == 1 else f"{interrupt.name} of {interrupt.of_device.name}"


def service(interrupt: Interrupt) -> ServiceRoutine:
    """What is called for `(interrupt, MessageID)` from now on."""
    config = interrupt.config
    assert config.evt_interrupt_isr is not None
    if not interrupt.info.message_signaled:
        return _of_line
    if config.evt_interrupt_enable is not None and not interrupt.enabled:
        return _before_enable
    return config.evt_interrupt_isr


def told_to_be_quiet(interrupt: Interrupt, *, disconnected: bool) -> None:
    """EvtInterruptDisable has returned, or the interrupt is disconnected since, which pushed what was written before."""
    node = interrupt.of_device.pdo
    config = interrupt.config
    if config.evt_interrupt_disable is None and config.evt_interrupt_enable is None:
        return  # the device is masked and unmasked somewhere else, if at all
    if not interrupt.info.message_signaled or not isinstance(node, DevNode):
        return
    if disconnected or not node.port.down.queue:
        interrupt.sent_before = node.messages_sent(interrupt.info.vector, interrupt.info.target_processor_set)


def tell_if_not_quiet(interrupt: Interrupt) -> None:
    """EvtDeviceD0Exit has returned."""
    before, interrupt.sent_before = interrupt.sent_before, None
    node = interrupt.of_device.pdo
    if before is None or before == UNKNOWN or not isinstance(node, DevNode) or node.port.removed:
        return
    more = node.messages_sent(interrupt.info.vector, interrupt.info.target_processor_set) - before
    if more > 0:
        sent = f"{node.name} sent {more} more message{'s' if more > 1 else ''} of {interrupt.name}"
        when = "after EvtInterruptDisable had returned"
        remedy = "undo there what EvtInterruptEnable does, and read a register back"
        if interrupt.config.evt_interrupt_disable is None:
            when, remedy = "after it was disconnected", "add an EvtInterruptDisable that undoes what EvtInterruptEnable does"
        interrupt.framework.complain("interrupt-after-disable", f"{sent} {when}; {remedy}")


def _before_enable(interrupt: Interrupt, message_id: int) -> bool:
    sentence = f"the ISR of {interrupt.name} runs before its EvtInterruptEnable was called; unmask the device there, not earlier"
    interrupt.framework.complain("interrupt-before-enable", sentence)
    return _isr(interrupt)(interrupt, message_id)


def _of_line(interrupt: Interrupt, message_id: int) -> bool:
    node = interrupt.of_device.pdo
    if not isinstance(node, DevNode):
        return _isr(interrupt)(interrupt, message_id)
    before = node.questions
    claimed = _isr(interrupt)(interrupt, message_id)
    if claimed and node.questions == before:
        sentence = f"the ISR of {interrupt.name} returned TRUE for a line without having read a register of {node.name}"
        remedy = "ask its interrupt status, and return FALSE when that shows nothing"
        interrupt.framework.complain("line-claimed-unseen", f"{sentence}; {remedy}")
    return claimed


def _isr(interrupt: Interrupt) -> ServiceRoutine:
    isr = interrupt.config.evt_interrupt_isr
    assert isr is not None
    return isr

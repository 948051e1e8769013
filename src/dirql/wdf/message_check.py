"""What was granted against the interrupt objects there are: a message for each object, an object for each message, in one order;
and policies that come too late to count.

Limits: objects that are there and never connected (WdfInterruptDisable) count; a driver without any interrupt object polls; what
a WDM driver connects is not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.pnp.resources import InterruptResource, MessageInterruptRaw

if TYPE_CHECKING:
    from dirql.pnp.interrupt_management import InterruptManagement
    from dirql.wdf.device import Device

__all__ = ["advise_on_policies", "check_messages"]


def advise_on_policies(device: Device, management: InterruptManagement) -> None:
    """The registry's policy or priority comes before WdfInterruptSetPolicy, without a word (facts §1.4): the framework stamps
    only what is without POLICY_INCLUDED."""
    silent = [interrupt.name for interrupt in device.interrupts if interrupt.policy is not None]
    if silent and management.policy_included:
        sentence = f"the policy that EvtDriverDeviceAdd sets for {', '.join(silent)} has no effect"
        why = "the INF's Affinity Policy comes first; drop one of the two"
        device.machine.note_finding("policy-overridden", f"{sentence}: {why}", "EvtDriverDeviceAdd")


def check_messages(device: Device) -> None:
    """After EvtDevicePrepareHardware."""
    granted, several = _granted(device)
    with_resource = [i for i in device.interrupts if i.info.message_signaled and i.info.vector]
    if not granted or not with_resource:
        return
    where = {message: number for number, message in enumerate(granted)}
    of = [(i, where.get((i.info.vector, i.info.target_processor_set))) for i in with_resource]
    served = {number for _, number in of}
    left = [number for number in range(len(granted)) if number not in served]
    if left and not (several and 2 * len(served) > len(granted)):  # MSI comes in powers of two
        which = ", ".join(map(str, left[:4])) + ", …" * (len(left) > 4)
        objects = f"{len(served)} interrupt object{'s' if len(served) > 1 else ''}"
        left_out = f"message{'s' if len(left) > 1 else ''} {which} will reach nobody"
        sentence = f"{device.name} has {objects} for {len(granted)} messages: {left_out}"
        remedy = "create one for each, or ask for fewer (MessageNumberLimit)"
        device.framework.complain("messages-without-object", f"{sentence}; {remedy}")
    for interrupt, number in of:
        if number != interrupt.message_number:
            serves = f"message {number}" if number is not None else f"vector {interrupt.info.vector:#x}, which was not granted"
            order = f"MessageID {interrupt.message_number}, its place in the order of creation"
            sentence = f"{interrupt.name} of {device.name} gets {order}, and serves {serves}"
            remedy = "create the objects in the order of the descriptors"
            device.framework.complain("message-order", f"{sentence}; {remedy}")
            return


def _granted(device: Device) -> tuple[list[tuple[int, int]], bool]:
    """(vector, affinity) of each message, and whether one descriptor stands for several."""
    found: list[tuple[int, int]] = []
    several = False
    for raw, translated in zip(device.raw_resources, device.translated_resources, strict=True):
        if isinstance(translated.u, InterruptResource) and translated.is_message:
            count = raw.u.message_count if isinstance(raw.u, MessageInterruptRaw) else 1
            several = several or count > 1
            found += [(translated.u.vector + i, translated.u.affinity) for i in range(count)]
    return found, several

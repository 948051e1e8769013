"""WdfInterruptCreate's checks, in the framework's own order (facts §2.3; numbers in the comments are its rows).

Limits: row 17 does not occur: an object's memory is Python's, so that no STATUS_INSUFFICIENT_RESOURCES comes from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.callback import refuse_uncallable
from dirql.ntstatus import StatusError
from dirql.pnp.constants import CM_RESOURCE_INTERRUPT_WAKE_HINT, CmResourceType
from dirql.pnp.resources import CmPartialResourceDescriptor, InterruptResource, MessageInterruptRaw
from dirql.wdf.interrupt_config import CONFIG_SIZES, InterruptConfig, TriState
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope, expect

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["validate"]

# fmt: off
CALLBACKS = {
    "evt_interrupt_isr":       ("EvtInterruptIsr",      ("interrupt", "message_id")),
    "evt_interrupt_dpc":       ("EvtInterruptDpc",      ("interrupt", "device")),
    "evt_interrupt_enable":    ("EvtInterruptEnable",   ("interrupt", "device")),
    "evt_interrupt_disable":   ("EvtInterruptDisable",  ("interrupt", "device")),
    "evt_interrupt_work_item": ("EvtInterruptWorkItem", ("interrupt", "device")),
}  # → the reference page's name of it, and what it is called with
# fmt: on


def validate(
    device: Device, given: InterruptConfig, attributes: ObjectAttributes | None
) -> tuple[InterruptConfig, Object]:
    """The configuration that holds and the interrupt's parent; raises `StatusError` at the first condition that fails."""
    if given.size not in CONFIG_SIZES:  # 3
        sizes = ", ".join(f"{s:#x}" for s in CONFIG_SIZES)
        why = f"WDF_INTERRUPT_CONFIG.Size is {given.size:#x}, not one of {sizes}"
        raise StatusError(ntstatus.STATUS_INFO_LENGTH_MISMATCH, why)
    config = given.merged()
    if config.evt_interrupt_isr is None:  # 4
        raise _invalid("EvtInterruptIsr is NULL")
    _expect_callbacks(config)
    if attributes is not None:  # 5
        status = attributes.validate(parent_allowed=config.automatic_serialization, levels_allowed=False)
        if status:
            raise StatusError(status, "WDF_OBJECT_ATTRIBUTES of an interrupt")
    if device.in_prepare_hardware:
        _in_prepare_hardware(device, config)
    elif device.pnp_state_is_init:
        _in_init(config)
    else:  # 6
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, "interrupts are created in EvtDriverDeviceAdd or in "
                          "EvtDevicePrepareHardware, nowhere else")  # fmt: skip
    if config.evt_interrupt_dpc is not None and config.evt_interrupt_work_item is not None:  # 12
        raise _invalid("both EvtInterruptDpc and EvtInterruptWorkItem are given")
    if not config.passive_handling and (config.wait_lock is not None or config.can_wake_device):  # 13
        raise _invalid("WaitLock and CanWakeDevice need PassiveHandling")
    if config.passive_handling and config.spin_lock is not None:  # 15
        raise _invalid("PassiveHandling takes a WaitLock, not a SpinLock")
    if config.interrupt_raw is not None:  # 16
        if device.framework.verifier.kmdf:
            _verify_descriptors(device, config)
        _refuse_another_type(config)
    _expect_locks(config)
    return config, _parent(device, config, attributes)


def _invalid(why: str) -> StatusError:
    return StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)


def _expect_callbacks(config: InterruptConfig) -> None:
    for field, (name, arguments) in CALLBACKS.items():
        routine = getattr(config, field)
        if routine is not None:
            refuse_uncallable(routine, f"WdfInterruptCreate: {name}", arguments)


def _expect_locks(config: InterruptConfig) -> None:
    from dirql.wdf.lock import SpinLock, WaitLock

    if config.spin_lock is not None:
        expect(config.spin_lock, SpinLock, "WdfInterruptCreate")
    if config.wait_lock is not None:
        expect(config.wait_lock, WaitLock, "WdfInterruptCreate")


def _in_init(config: InterruptConfig) -> None:
    if config.interrupt_raw is not None or config.interrupt_translated is not None:  # 7
        raise _invalid("InterruptRaw and InterruptTranslated are for EvtDevicePrepareHardware")
    if config.can_wake_device:  # 8
        raise _invalid("CanWakeDevice needs creation in EvtDevicePrepareHardware")


def _in_prepare_hardware(device: Device, config: InterruptConfig) -> None:
    if config.interrupt_raw is None or config.interrupt_translated is None:  # 9
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, "in EvtDevicePrepareHardware both descriptors are needed")
    if config.share_vector != TriState.WdfUseDefault:  # 10
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, "ShareVector cannot be chosen in EvtDevicePrepareHardware")
    if config.can_wake_device:  # 11
        hint = config.interrupt_translated.flags & CM_RESOURCE_INTERRUPT_WAKE_HINT
        if not hint or not device.power_policy_owner:
            raise _invalid("CanWakeDevice needs a WAKE_HINT resource and the power policy owner")


def _verify_descriptors(device: Device, config: InterruptConfig) -> None:
    """ValidateInterruptResourceCm (facts §5.4)."""
    raw, translated = config.interrupt_raw, config.interrupt_translated
    assert raw is not None and translated is not None
    index = device.raw_resources.index_of(raw)
    if index is None or index != device.translated_resources.index_of(translated):
        raise _invalid("the descriptors are not a pair that WdfCmResourceListGetDescriptor returned for this device")
    if raw.type != CmResourceType.CmResourceTypeInterrupt:
        raise _invalid(f"descriptor {index} is of type {raw.type}, not Interrupt")
    _verify_claims(device, config, raw, translated)


def _refuse_another_type(config: InterruptConfig) -> None:
    """Model choice: without the KMDF verifier the framework would take the bytes of any descriptor for an interrupt's."""
    raw, translated = config.interrupt_raw, config.interrupt_translated
    assert raw is not None and translated is not None
    if raw.type != CmResourceType.CmResourceTypeInterrupt:
        raise _invalid(f"InterruptRaw is of type {raw.type}, not Interrupt")
    if not isinstance(translated.u, InterruptResource):
        raise _invalid("InterruptTranslated is no translated interrupt; pass (raw, translated), each from its own list")


def _verify_claims(
    device: Device, config: InterruptConfig, raw: CmPartialResourceDescriptor, translated: CmPartialResourceDescriptor
) -> None:
    users = [i for i in device.interrupts if i.raw is raw]
    if any(i.config.passive_handling and (i.config.can_wake_device or config.can_wake_device) for i in users):
        raise _invalid("an interrupt that can wake the device shares its descriptor with no other passive-level interrupt")
    if not translated.is_message:
        return  # a line may be claimed again
    count = raw.u.message_count if isinstance(raw.u, MessageInterruptRaw) else 1
    if len(users) > count:  # the source lets one more than MessageCount through
        raise _invalid(f"a descriptor of {count} messages is claimed by {len(users)} interrupts already")
    if users and users[-1] is not device.interrupts[-1]:
        raise _invalid("the interrupts of one MSI descriptor must be created in sequence")


def _parent(device: Device, config: InterruptConfig, attributes: ObjectAttributes | None) -> Object:
    from dirql.wdf.io_queue import IoQueue

    parent = attributes.parent_object if attributes is not None else None
    parent = device if parent is None else expect(parent, Object, "WdfInterruptCreate")
    if parent.device is not device or not (parent is device or isinstance(parent, IoQueue)):  # 18
        raise _invalid(f"the parent {parent.name} is neither the device nor one of its queues")
    if config.automatic_serialization:  # 19
        scope, level = device.callback_constraints(parent)
        no_dpc = config.evt_interrupt_dpc is None
        needs_passive = config.evt_interrupt_work_item is not None or (no_dpc and config.passive_handling)
        locks = scope in (SynchronizationScope.Device, SynchronizationScope.Queue)
        if locks and needs_passive != (level == ExecutionLevel.Passive):
            have, want = ExecutionLevel(level).name, "Passive" if needs_passive else "Dispatch"
            why = f"AutomaticSerialization: the parent's execution level is {have}, the callback needs {want}"
            raise StatusError(ntstatus.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL, why)
    return parent

"""WdfInterruptCreate's checks, in the framework's own order (facts §2.3; numbers in the comments are its rows)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ntstatus import StatusError
from dirql.pnp.constants import CM_RESOURCE_INTERRUPT_WAKE_HINT, CmResourceType
from dirql.pnp.resources import CmPartialResourceDescriptor, MessageInterruptRaw
from dirql.wdf.interrupt_config import CONFIG_SIZES, InterruptConfig, TriState
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["validate"]


def validate(device: Device, config: InterruptConfig, attributes: ObjectAttributes | None) -> Object:
    """The parent that the interrupt gets; raises `StatusError` at the first condition that fails."""
    if config.size not in CONFIG_SIZES:  # 3
        sizes = ", ".join(f"{s:#x}" for s in CONFIG_SIZES)
        raise StatusError(ntstatus.STATUS_INFO_LENGTH_MISMATCH, f"WDF_INTERRUPT_CONFIG.Size is {config.size:#x}, not one of {sizes}")
    if config.evt_interrupt_isr is None:  # 4
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "EvtInterruptIsr is NULL")
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
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "both EvtInterruptDpc and EvtInterruptWorkItem are given")
    if not config.passive_handling and (config.wait_lock is not None or config.can_wake_device):  # 13
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "WaitLock and CanWakeDevice need PassiveHandling")
    if config.passive_handling and config.spin_lock is not None:  # 15
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "PassiveHandling takes a WaitLock, not a SpinLock")
    if device.framework.verifier.kmdf and config.interrupt_raw is not None:  # 16
        _verify_descriptors(device, config)
    return _parent(device, config, attributes)


def _in_init(config: InterruptConfig) -> None:
    if config.interrupt_raw is not None or config.interrupt_translated is not None:  # 7
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "InterruptRaw and InterruptTranslated are for EvtDevicePrepareHardware")
    if config.can_wake_device:  # 8
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "CanWakeDevice needs creation in EvtDevicePrepareHardware")


def _in_prepare_hardware(device: Device, config: InterruptConfig) -> None:
    if config.interrupt_raw is None or config.interrupt_translated is None:  # 9
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, "in EvtDevicePrepareHardware both descriptors are needed")
    if config.share_vector != TriState.WdfUseDefault:  # 10
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, "ShareVector cannot be chosen in EvtDevicePrepareHardware")
    if config.can_wake_device:  # 11
        hint = config.interrupt_translated.flags & CM_RESOURCE_INTERRUPT_WAKE_HINT
        if not hint or not device.power_policy_owner:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "CanWakeDevice needs a WAKE_HINT resource and the power policy owner")


def _verify_descriptors(device: Device, config: InterruptConfig) -> None:
    """ValidateInterruptResourceCm (facts §5.4)."""
    raw, translated = config.interrupt_raw, config.interrupt_translated
    assert raw is not None and translated is not None
    index = device.raw_resources.index_of(raw)
    if index is None or index != device.translated_resources.index_of(translated):
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "the descriptors are not a pair that WdfCmResourceListGetDescriptor "
                          "returned for this device")  # fmt: skip
    if raw.type != CmResourceType.CmResourceTypeInterrupt:
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"descriptor {index} is of type {raw.type}, not Interrupt")
    _verify_claims(device, raw, translated)


def _verify_claims(device: Device, raw: CmPartialResourceDescriptor, translated: CmPartialResourceDescriptor) -> None:
    if not translated.is_message:
        return  # a line may be claimed again
    users = [i for i in device.interrupts if i.config.interrupt_raw is raw]
    count = raw.u.message_count if isinstance(raw.u, MessageInterruptRaw) else 1
    if len(users) > count:  # the source lets one more than MessageCount through
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"a descriptor of {count} messages is claimed by {len(users)} interrupts")
    if users and users[-1] is not device.interrupts[-1]:
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, "the interrupts of one MSI descriptor must be created in sequence")


def _parent(device: Device, config: InterruptConfig, attributes: ObjectAttributes | None) -> Object:
    from dirql.wdf.io_queue import IoQueue

    parent = attributes.parent_object if attributes is not None else None
    if parent is None:
        parent = device
    if parent.device is not device or not (parent is device or isinstance(parent, IoQueue)):  # 18
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"the parent {parent.name} is neither the device nor one of its queues")
    if config.automatic_serialization:  # 19
        scope, level = device.callback_constraints(parent)
        needs_passive = config.evt_interrupt_work_item is not None or (config.evt_interrupt_dpc is None and config.passive_handling)
        locks = scope in (SynchronizationScope.Device, SynchronizationScope.Queue)
        if locks and needs_passive != (level == ExecutionLevel.Passive):
            raise StatusError(ntstatus.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL, "AutomaticSerialization: the parent's execution level "
                              f"is {ExecutionLevel(level).name}, the callback needs {'Passive' if needs_passive else 'Dispatch'}")  # fmt: skip
    return parent

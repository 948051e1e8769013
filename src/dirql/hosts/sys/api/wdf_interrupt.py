"""WdfInterrupt*: the sixteen interrupt routines."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, ULONG_PTR, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_structs import (
    WDF_INTERRUPT_CONFIG,
    WDF_INTERRUPT_EXTENDED_POLICY,
    WDF_INTERRUPT_INFO,
    WDF_OBJECT_ATTRIBUTES,
)
from dirql.hosts.sys.wdf_values import attributes_of, boolean, interrupt_config
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.interrupt import Interrupt
from dirql.wdf.interrupt_config import InterruptExtendedPolicy, InterruptInfo
from dirql.wdf.object import expect_parameter

__all__: list[str] = []


@wdf
def WdfInterruptCreate(
    guest: Guest, device: Handle[Device], config: Ptr[WDF_INTERRUPT_CONFIG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, interrupt: Out[Handle[Interrupt]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfInterruptCreate."""
    expect_parameter(config, "Configuration", "WdfInterruptCreate")
    expect_parameter(interrupt, "Interrupt", "WdfInterruptCreate")
    assert config is not None and interrupt is not None
    interrupt(Interrupt.create(device, interrupt_config(guest, config), attributes_of(guest, attributes, "WdfInterruptCreate")))
    return STATUS_SUCCESS


@wdf
def WdfInterruptQueueDpcForIsr(guest: Guest, interrupt: Handle[Interrupt]) -> BOOLEAN:
    """WdfInterruptQueueDpcForIsr."""
    return interrupt.queue_dpc_for_isr()


@wdf
def WdfInterruptQueueWorkItemForIsr(guest: Guest, interrupt: Handle[Interrupt]) -> BOOLEAN:
    """WdfInterruptQueueWorkItemForIsr."""
    return interrupt.queue_work_item_for_isr()


@wdf
def WdfInterruptSynchronize(guest: Guest, interrupt: Handle[Interrupt], callback: PVOID, context: ULONG_PTR) -> BOOLEAN:
    """WdfInterruptSynchronize."""
    return interrupt.synchronize(guest.callback(callback, boolean), context)


@wdf
def WdfInterruptAcquireLock(guest: Guest, interrupt: Handle[Interrupt]) -> VOID:
    """WdfInterruptAcquireLock."""
    interrupt.acquire_lock()


@wdf
def WdfInterruptReleaseLock(guest: Guest, interrupt: Handle[Interrupt]) -> VOID:
    """WdfInterruptReleaseLock."""
    interrupt.release_lock()


@wdf
def WdfInterruptTryToAcquireLock(guest: Guest, interrupt: Handle[Interrupt]) -> BOOLEAN:
    """WdfInterruptTryToAcquireLock."""
    return interrupt.try_to_acquire_lock()


@wdf
def WdfInterruptEnable(guest: Guest, interrupt: Handle[Interrupt]) -> VOID:
    """WdfInterruptEnable."""
    interrupt.enable()


@wdf
def WdfInterruptDisable(guest: Guest, interrupt: Handle[Interrupt]) -> VOID:
    """WdfInterruptDisable."""
    interrupt.disable()


@wdf
def WdfInterruptGetInfo(guest: Guest, interrupt: Handle[Interrupt], info: Ptr[WDF_INTERRUPT_INFO] | None) -> VOID:
    """WdfInterruptGetInfo: a Size that is neither the present nor the older one leaves the structure as it is."""
    expect_parameter(info, "Info", "WdfInterruptGetInfo")
    assert info is not None
    size = info.Size
    values = interrupt.get_info(InterruptInfo(size=size))
    if size not in (WDF_INTERRUPT_INFO.size, 0x38):
        return
    info.TargetProcessorSet, info.MessageNumber, info.Vector = values.target_processor_set, values.message_number, values.vector
    info.Irql, info.Mode, info.Polarity = values.irql, values.mode, values.polarity
    info.MessageSignaled, info.ShareDisposition = values.message_signaled, values.share_disposition
    if size == WDF_INTERRUPT_INFO.size:
        info.Group = values.group


@wdf
def WdfInterruptSetPolicy(guest: Guest, interrupt: Handle[Interrupt], policy: ULONG, priority: ULONG, targets: ULONG_PTR) -> VOID:
    """WdfInterruptSetPolicy."""
    interrupt.set_policy(policy, priority, targets)


@wdf
def WdfInterruptSetExtendedPolicy(
    guest: Guest, interrupt: Handle[Interrupt], policy: Ptr[WDF_INTERRUPT_EXTENDED_POLICY] | None
) -> VOID:
    """WdfInterruptSetExtendedPolicy."""
    expect_parameter(policy, "PolicyAndGroup", "WdfInterruptSetExtendedPolicy")
    assert policy is not None
    affinity = policy.TargetProcessorSetAndGroup
    reserved = (affinity.Reserved[0], affinity.Reserved[1], affinity.Reserved[2])
    interrupt.set_extended_policy(
        InterruptExtendedPolicy(policy.Policy, policy.Priority, affinity.Mask, affinity.Group, reserved, policy.Size)
    )


@wdf
def WdfInterruptGetDevice(guest: Guest, interrupt: Handle[Interrupt]) -> Handle[Device]:
    """WdfInterruptGetDevice."""
    return interrupt.get_device()


@wdf
def WdfInterruptWdmGetInterrupt(guest: Guest, interrupt: Handle[Interrupt]) -> PVOID:
    """The KINTERRUPT, opaque to drivers; NULL while it is not connected."""
    connected = interrupt.wdm_get_interrupt()
    return guest.handle(connected) if connected is not None else 0


@wdf
def WdfInterruptReportActive(guest: Guest, interrupt: Handle[Interrupt]) -> VOID:
    """WdfInterruptReportActive."""
    interrupt.report_active()


@wdf
def WdfInterruptReportInactive(guest: Guest, interrupt: Handle[Interrupt]) -> VOID:
    """WdfInterruptReportInactive."""
    interrupt.report_inactive()

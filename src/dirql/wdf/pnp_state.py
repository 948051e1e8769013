"""The PnP state machine of a function device: start, stop, removal, surprise removal (facts §1.5, §1.7, §3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.pnp.constants import CmResourceType
from dirql.pnp.filters import Access, InterruptPolicy, IoResReqList, stamp
from dirql.pnp.io_resources import IoResourceRequirementsList
from dirql.pnp.manager import DevNode
from dirql.pnp.resources import CmPartialResourceDescriptor, MessageInterruptRaw
from dirql.wdf.afterwards import Makings, tell_of_dpcs_after_release
from dirql.wdf.interrupt import Interrupt
from dirql.wdf.interrupt_config import TriState
from dirql.wdf.interrupt_connection import record_failure
from dirql.wdf.message_check import check_messages
from dirql.wdf.power_state import PowerDeviceState
from dirql.wdf.resource_list import CmResourceList

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["PnpState", "PnpStateMachine"]

Descriptors = Sequence[CmPartialResourceDescriptor]


class PnpState(Enum):
    """Where a device stands; WDF_DEVICE_PNP_STATE has these and the steps between them."""

    Init = "Init"
    Started = "Started"
    Stopped = "Stopped"
    Failed = "Failed"
    SurpriseRemoved = "SurpriseRemoved"
    Removed = "Removed"


class PnpStateMachine:
    """What the PnP manager's IRPs do to a device. All at PASSIVE_LEVEL, on a system thread."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.state = PnpState.Init
        self.failed = False
        self.hardware_prepared = False
        self._makings = Makings(device)
        self._attempt_restart = False
        self._children_known = False

    def filter_resource_requirements(
        self, requirements: IoResourceRequirementsList, lower: Callable[[IoResourceRequirementsList], IoResourceRequirementsList]
    ) -> tuple[int, IoResourceRequirementsList]:
        """IRP_MN_FILTER_RESOURCE_REQUIREMENTS: Remove callback down, policy stamp and Add callback up (facts §1.5)."""
        device = self.device
        view = IoResReqList(requirements, Access.REMOVE)
        name = "evt_device_filter_remove_resource_requirements"
        status = device.callback(name, "EvtDeviceFilterRemoveResourceRequirements", view)
        if not ntstatus.nt_success(status):
            return status, requirements
        stamped = stamp(lower(view.value() if view.changed else requirements), [_policy_of(i) for i in device.interrupts])
        added = IoResReqList(stamped.requirements, Access.ADD)
        status = device.callback("evt_device_filter_add_resource_requirements", "EvtDeviceFilterAddResourceRequirements", added)
        for note in (*view.notes, *stamped.warnings, *added.notes):
            device.framework.note(note)
        return status, added.value() if added.changed else stamped.requirements

    def start(self, raw: Descriptors, translated: Descriptors, lower: Callable[[], int]) -> int:
        """IRP_MN_START_DEVICE, first or after a stop. Returns its status; on failure everything is unwound (facts §3.5)."""
        device, framework = self.device, self.device.framework
        sent_raw = CmResourceList(framework, raw, "raw resources sent down")
        sent_translated = CmResourceList(framework, translated, "translated resources sent down")
        name = "evt_device_remove_added_resources"
        status = device.callback(name, "EvtDeviceRemoveAddedResources", sent_raw, sent_translated)
        if ntstatus.nt_success(status):
            status = lower()
        if not ntstatus.nt_success(status):
            if self.state is not PnpState.Init:  # a first start that fails here is back in Init
                self.state = PnpState.Failed
            return status
        device.raw_resources = CmResourceList(framework, raw, "raw resources")
        device.translated_resources = CmResourceList(framework, translated, "translated resources")
        self._match_interrupts(list(device.raw_resources), list(device.translated_resources))
        status = self._prepare_hardware()
        if ntstatus.nt_success(status):
            assign_synchronize_irql(device)
            check_messages(device)
            device.power.enter()
            status = device.power.up()
            device.power.leave()
        if not ntstatus.nt_success(status):
            self._release_hardware()
            self.state = PnpState.Failed
            return status
        self.state = PnpState.Started
        device.idle.begin()
        device.enable_interfaces(True)
        if not self._children_known:
            self._children_known = True
            device.enumerate_children()
        if self.failed:
            self.set_failed(self._attempt_restart)
        return ntstatus.STATUS_SUCCESS

    def set_failed(self, attempt_restart: bool) -> None:
        """WdfDeviceSetFailed: a started device is reported as failed (IoInvalidateDeviceState); one that starts, once it has."""
        self.failed, self._attempt_restart = True, attempt_restart
        if self.state is PnpState.Started:
            self.device.pdo.device_failed(ntstatus.STATUS_UNSUCCESSFUL, attempt_restart)

    def power_up_failed(self) -> None:
        """A started device did not come back from Dx: its hardware is released, and it is to be removed and enumerated
        again (facts §3.5). The caller holds the power transition."""
        self.device.idle.end(gone=True)
        self._release_hardware()
        self.failed, self.state = True, PnpState.Failed
        self.device.pdo.device_failed(ntstatus.STATUS_DEVICE_POWER_FAILURE, True)

    def query_stop(self) -> int:
        """IRP_MN_QUERY_STOP_DEVICE: the driver may veto."""
        if not self.device.static_stop_remove:
            return ntstatus.STATUS_UNSUCCESSFUL
        return self.device.callback("evt_device_query_stop", "EvtDeviceQueryStop")

    def stop(self) -> None:
        """IRP_MN_STOP_DEVICE, before rebalancing: down to D3Final, resources given back."""
        self._power_down(gone=False)
        self._release_hardware()
        self._revoke_resources()
        self.state = PnpState.Stopped

    def query_remove(self) -> int:
        """IRP_MN_QUERY_REMOVE_DEVICE: the driver may veto."""
        if not self.device.static_stop_remove:
            return ntstatus.STATUS_UNSUCCESSFUL
        return self.device.callback("evt_device_query_remove", "EvtDeviceQueryRemove")

    def surprise_removal(self) -> None:
        """IRP_MN_SURPRISE_REMOVAL: the callback first, then the same way down, on hardware that reads all ones (facts §3.3).

        Model choice: a device that reported itself failed gets the callback as well, though its hardware is there.
        """
        device, port = self.device, self.device.pdo.port if isinstance(self.device.pdo, DevNode) else None
        if port is not None:
            port.tell_removed(True)
        if device.registered("evt_device_surprise_removal"):
            device.framework.call("EvtDeviceSurpriseRemoval", device, device.evt_device_surprise_removal)
        device.enable_interfaces(False)
        if port is not None:
            port.tell_removed(False)  # what EvtDeviceD0Exit switches off it switches off in vain, and no harm is done
        self._power_down()
        if port is not None:
            port.tell_removed(True)
        self._release_hardware()
        self.state = PnpState.SurpriseRemoved

    def remove(self) -> None:
        """IRP_MN_REMOVE_DEVICE: down if still up, then self-managed I/O and the objects (facts §3.3)."""
        device = self.device
        device.remove_children()
        self._power_down()
        self._release_hardware()
        device.enable_interfaces(False)
        for queue in list(device.queues):
            queue.purge_for_removal()
        if device.power.self_managed_io_inited:  # model choice: not when EvtDeviceSelfManagedIoInit failed
            device.callback("evt_device_self_managed_io_flush", "EvtDeviceSelfManagedIoFlush")
        self._revoke_resources()
        if device.power.self_managed_io_inited:
            device.callback("evt_device_self_managed_io_cleanup", "EvtDeviceSelfManagedIoCleanup")
        self.state = PnpState.Removed
        device.dispose()

    def _power_down(self, *, gone: bool = True) -> None:
        device = self.device
        device.idle.end(gone=gone)
        device.power.enter()
        if device.power.state == PowerDeviceState.D0:
            device.power.down(PowerDeviceState.D3Final)
        device.power.leave()

    def _prepare_hardware(self) -> int:
        device = self.device
        self.hardware_prepared = True
        if self.state is PnpState.Init:
            self.state = PnpState.Stopped
        device.in_prepare_hardware, device.hardware_released = True, False
        self._makings.begin()
        status = device.callback(
            "evt_device_prepare_hardware", "EvtDevicePrepareHardware", device.raw_resources, device.translated_resources
        )
        device.in_prepare_hardware = False
        self._makings.end()
        self._complain_of_not_supported("EvtDevicePrepareHardware", status)
        return status

    def _release_hardware(self) -> None:
        """Called whenever PrepareHardware was, with nothing connected any more; then the interrupts made there go, newest first
        (facts §2.4)."""
        device = self.device
        if not self.hardware_prepared:
            return
        self.hardware_prepared = False
        device.power.disconnect_what_is_left()
        status = device.callback("evt_device_release_hardware", "EvtDeviceReleaseHardware", device.translated_resources)
        self._complain_of_not_supported("EvtDeviceReleaseHardware", status)
        if not ntstatus.nt_success(status):
            record_failure(device, "EvtDeviceReleaseHardware", status)
        device.hardware_released = True
        if isinstance(device.pdo, DevNode):
            device.pdo.port.set_released(True)
        tell_of_dpcs_after_release(device)
        for interrupt in reversed([i for i in device.interrupts if i.in_prepare_hardware]):
            interrupt.dispose()

    def _revoke_resources(self) -> None:
        for interrupt in self.device.interrupts:
            interrupt.reset_resources()

    def _complain_of_not_supported(self, name: str, status: int) -> None:
        if status == ntstatus.STATUS_NOT_SUPPORTED:
            self.device.framework.complain("not-supported-returned", f"{name} returned STATUS_NOT_SUPPORTED, which it must not")

    def _match_interrupts(self, raw: Descriptors, translated: Descriptors) -> None:
        """PnpMatchResources: descriptors to the objects made in EvtDriverDeviceAdd, in order (facts §1.7).

        The source's quirk is kept: behind a descriptor of several messages the cursor stands one past the last object that got
        one, so the next descriptor skips an object, or begins again with the first.
        """
        self._revoke_resources()
        interrupts = list(self.device.interrupts)
        cursor = -1
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type != CmResourceType.CmResourceTypeInterrupt:
                continue
            cursor += 1
            if cursor == len(interrupts):
                self.device.framework.note("more interrupt descriptors than interrupt objects: the rest is ignored")
                return
            count = one_raw.u.message_count if isinstance(one_raw.u, MessageInterruptRaw) and one.is_message else 1
            for interrupt in interrupts[cursor : cursor + count]:
                interrupt.assign_resources(one_raw, one)
            if count > 1:
                cursor += count
                cursor = -1 if cursor >= len(interrupts) else cursor


def assign_synchronize_irql(device: Device) -> None:
    """Own level, or the highest among this device's interrupts that share a driver's spin lock (facts §3.4)."""
    for interrupt in device.interrupts:
        level = interrupt.info.irql
        if not interrupt.info.vector or interrupt.config.passive_handling:
            level = 0
        elif interrupt.config.spin_lock is not None:
            sharing = [i for i in device.interrupts if i.config.spin_lock is interrupt.config.spin_lock and i.info.vector]
            level = max(i.info.irql for i in sharing)
        interrupt.synchronize_irql = level


def _policy_of(interrupt: Interrupt) -> InterruptPolicy:
    """What the framework stamps on the descriptors for an interrupt made in EvtDriverDeviceAdd."""
    share = {TriState.WdfTrue: True, TriState.WdfFalse: False}.get(TriState(interrupt.config.share_vector))
    policy = interrupt.policy
    if policy is None:
        return InterruptPolicy(share)
    return InterruptPolicy(share, True, policy.policy, policy.priority, policy.mask, policy.group)

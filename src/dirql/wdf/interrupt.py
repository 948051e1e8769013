"""WDFINTERRUPT: the sixteen interrupt routines and what a connected interrupt does (facts §1.7, §2, §4).

Interrupts are kept in creation order; an object's MessageNumber is how many there were before it, for life, and is the
MessageID that its ISR gets.
Limits: waking the device by an interrupt (CanWakeDevice) is validated but not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.callback import refuse_asynchronous
from dirql.ddi import ddi
from dirql.kernel.dpc import Kdpc
from dirql.kernel.irql import PASSIVE_LEVEL
from dirql.kernel.kinterrupt import KInterrupt
from dirql.kernel.lock import SpinLock as KernelSpinLock
from dirql.kernel.stop import BugCheck
from dirql.pnp.constants import CM_RESOURCE_INTERRUPT_LATCHED
from dirql.pnp.resources import CmPartialResourceDescriptor, InterruptResource, MessageInterruptRaw
from dirql.wdf.afterwards import tell_if_released
from dirql.wdf.interrupt_config import InterruptConfig, InterruptExtendedPolicy, InterruptInfo, TriState
from dirql.wdf.interrupt_create import validate
from dirql.wdf.interrupt_service import service, told_as
from dirql.wdf.lock import WaitLock
from dirql.wdf.object import Object, ObjectAttributes, expect, expect_parameter
from dirql.wdf.work_item import SystemWorkItem

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["Interrupt"]


class Interrupt(Object):
    """WDFINTERRUPT."""

    kind = "WDFINTERRUPT"
    deletable = False
    # The attributes every message passes are slots: a dictionary of more than thirty keys is slow to look into.
    __slots__ = (
        "_before", "_evt_dpc", "_isr", "_ready", "callback_lock", "closing", "config", "connection", "enabled",
        "force_disconnected", "in_prepare_hardware", "info", "kdpc", "lock", "message_number", "of_device", "policy", "raw",
        "saved_irql", "serves", "synchronize_irql", "wait_lock", "wdm", "work",
    )  # fmt: skip

    def __init__(self, device: Device, parent: Object, config: InterruptConfig, attributes: ObjectAttributes | None) -> None:
        number = len(device.interrupts)
        super().__init__(device.framework, parent, attributes, f"interrupt{number}")
        self.of_device = device
        self.config = config
        self.message_number = number
        self.serves = config.serves
        self.in_prepare_hardware = device.in_prepare_hardware
        self.info = InterruptInfo(number)
        self.raw: CmPartialResourceDescriptor | None = None
        self.policy: InterruptExtendedPolicy | None = None
        self.synchronize_irql = PASSIVE_LEVEL
        self.wdm: KInterrupt | None = None  # the framework's own pointer
        self.connection: KInterrupt | None = None  # what is connected
        self._ready = False
        self.sent_before: int | None = None  # messages of it, when EvtInterruptDisable had returned
        self.closing = False  # latched lines are discarded as well
        self._before = (0, 0, 0)
        self.enabled = False
        self.force_disconnected = False
        self.saved_irql = 0
        self.work = SystemWorkItem(self.framework, f"{self.name}.work", self._work)
        assert config.evt_interrupt_isr is not None
        self._isr: Callable[[Interrupt, int], bool] = config.evt_interrupt_isr
        self.lock: KernelSpinLock | None = None
        if config.spin_lock is not None:
            config.spin_lock.interrupt_lock = True
            self.lock = config.spin_lock.spin_lock
        elif not config.passive_handling:
            self.lock = KernelSpinLock(self.framework.kernel, f"lock of {told_as(self)}")
        self.wait_lock = config.wait_lock
        if config.passive_handling and self.wait_lock is None:
            self.wait_lock = WaitLock.create(device, ObjectAttributes(parent_object=self))
        self.callback_lock: Any = device.callback_lock_for(parent) if config.automatic_serialization else None
        self._evt_dpc: Any = config.evt_interrupt_dpc
        self.kdpc = Kdpc(self.framework.kernel, self._dpc_routine(), self, f"{self.name}.dpc")
        if self._evt_dpc is not None and self.callback_lock is None:
            self.kdpc.call_back(self._evt_dpc, self, device)
        parent.deletable = False  # of a queue: from now on only the framework deletes it (facts §2.4)
        device.interrupts.append(self)

    @classmethod
    def create(cls, device: Device, config: InterruptConfig, attributes: ObjectAttributes | None = None) -> Interrupt:
        """WdfInterruptCreate, in EvtDriverDeviceAdd or (with both descriptors) in EvtDevicePrepareHardware.

        Raises `StatusError` with the first of the conditions of facts §2.3 that holds, in the framework's order.
        """
        from dirql.wdf.device import Device

        expect(device, Device, "WdfInterruptCreate")
        return device.create_interrupt(cls, config, attributes)

    @classmethod
    def make(cls, device: Device, config: InterruptConfig, attributes: ObjectAttributes | None) -> Interrupt:
        """The routine's body: `create` is its entry."""
        expect_parameter(config, "Configuration", "WdfInterruptCreate")
        merged, parent = validate(device, config, attributes)
        interrupt = cls(device, parent, merged, attributes)
        if merged.interrupt_raw is not None and merged.interrupt_translated is not None:
            interrupt.assign_resources(merged.interrupt_raw, merged.interrupt_translated)
        return interrupt

    # What an ISR and a DPC call.

    @ddi("WdfInterruptQueueDpcForIsr")
    def queue_dpc_for_isr(self) -> bool:
        """WdfInterruptQueueDpcForIsr: False when it is queued already, and the two are one."""
        return self.kdpc.enqueue()

    @ddi("WdfInterruptQueueWorkItemForIsr")
    def queue_work_item_for_isr(self) -> bool:
        """WdfInterruptQueueWorkItemForIsr: above DISPATCH_LEVEL through the DPC, else at once (facts §4.1)."""
        if self.machine.cpu.irql > 2:
            return self.kdpc.enqueue()
        return self._queue_work_item()

    @ddi("WdfInterruptSynchronize")
    def synchronize(self, callback: Callable[[Interrupt, Any], bool], context: Any = None) -> bool:
        """WdfInterruptSynchronize: `callback(interrupt, context)` at the synchronise IRQL with the interrupt's lock."""
        refuse_asynchronous(callback, "WdfInterruptSynchronize: EvtInterruptSynchronize")
        if self.config.passive_handling:
            if not self.framework.allowed(PASSIVE_LEVEL, "WdfInterruptSynchronize"):
                return False
            return bool(self.with_wait_lock(lambda: callback(self, context)))
        if self.wdm is None:
            raise BugCheck(0xD1, 0, self.machine.cpu.irql, why=f"WdfInterruptSynchronize on {self.name}, which is not connected")
        return self.wdm.synchronized(lambda _: callback(self, context), None)

    @ddi("WdfInterruptAcquireLock")
    def acquire_lock(self) -> None:
        """WdfInterruptAcquireLock. While the interrupt is not connected no lock is taken and the call returns (facts §4)."""
        if self.config.passive_handling:
            if self.framework.allowed(PASSIVE_LEVEL, "WdfInterruptAcquireLock"):
                self._passive_lock().take(None)
            return
        if self.wdm is None:
            self._complain_unconnected("WdfInterruptAcquireLock")
            return
        cpu = self.machine.cpu
        old, cpu.irql = cpu.irql, max(cpu.irql, self.synchronize_irql)
        self.wdm.lock.enter(cpu)
        self.saved_irql = old

    @ddi("WdfInterruptReleaseLock")
    def release_lock(self) -> None:
        """WdfInterruptReleaseLock; does nothing while the interrupt is not connected."""
        if self.config.passive_handling:
            if self.framework.allowed(PASSIVE_LEVEL, "WdfInterruptReleaseLock"):
                self._passive_lock().give()
            return
        if self.wdm is None:
            self._complain_unconnected("WdfInterruptReleaseLock")
            return
        cpu = self.machine.cpu
        self.wdm.lock.leave(cpu)
        self.framework.kernel.lower(cpu, self.saved_irql)

    @ddi("WdfInterruptTryToAcquireLock")
    def try_to_acquire_lock(self) -> bool:
        """WdfInterruptTryToAcquireLock: passive-level interrupts only; False for others."""
        if not self.config.passive_handling or not self.framework.allowed(PASSIVE_LEVEL, "WdfInterruptTryToAcquireLock"):
            return False
        return self._passive_lock().take(0)

    # What the driver asks and sets at other times.

    @ddi("WdfInterruptEnable")
    def enable(self) -> None:
        """WdfInterruptEnable: connects and calls EvtInterruptEnable (only the callback on a non-pageable device)."""
        if self.framework.allowed(PASSIVE_LEVEL, "WdfInterruptEnable"):
            self.of_device.power.force_reconnect(self)

    @ddi("WdfInterruptDisable")
    def disable(self) -> None:
        """WdfInterruptDisable: EvtInterruptDisable and disconnect; power-up leaves it alone until `enable`."""
        if self.framework.allowed(PASSIVE_LEVEL, "WdfInterruptDisable"):
            self.of_device.power.force_disconnect(self)

    @ddi("WdfInterruptWdmGetInterrupt")
    def wdm_get_interrupt(self) -> KInterrupt | None:
        """WdfInterruptWdmGetInterrupt: None while disconnected; set already when EvtInterruptEnable runs."""
        return self.wdm

    @ddi("WdfInterruptGetInfo")
    def get_info(self, info: InterruptInfo | None = None) -> InterruptInfo:
        """WdfInterruptGetInfo. With a structure of a wrong Size: complained of, left untouched."""
        if info is None:
            return InterruptInfo(**vars(self.info))
        if info.size not in (0x38, 0x40):
            self.framework.complain("info-length-mismatch", f"WdfInterruptGetInfo: Size {info.size:#x} is neither 0x38 nor 0x40")
        else:
            vars(info).update({k: v for k, v in vars(self.info).items() if k != "size"})
        return info

    @ddi("WdfInterruptSetPolicy")
    def set_policy(self, policy: int, priority: int, target_processor_set: int) -> None:
        """WdfInterruptSetPolicy: VOID; a bad argument drops the whole call (facts §2.6)."""
        self._set_policy(InterruptExtendedPolicy(policy, priority, target_processor_set), "WdfInterruptSetPolicy")

    @ddi("WdfInterruptSetExtendedPolicy")
    def set_extended_policy(self, policy: InterruptExtendedPolicy) -> None:
        """WdfInterruptSetExtendedPolicy: as `set_policy`, with a processor group."""
        self._set_policy(policy, "WdfInterruptSetExtendedPolicy")

    @ddi("WdfInterruptGetDevice")
    def get_device(self) -> Device:
        """WdfInterruptGetDevice."""
        return self.of_device

    @ddi("WdfInterruptReportActive")
    def report_active(self) -> None:
        """WdfInterruptReportActive (IoReportInterruptActive)."""
        self._report(True)

    @ddi("WdfInterruptReportInactive")
    def report_inactive(self) -> None:
        """WdfInterruptReportInactive: the ISR is not called any more until it is active again."""
        self._report(False)

    # Counts over all its connections.

    @property
    def isr_calls(self) -> int:
        """How often the service routine ran (without what was swallowed)."""
        return self._before[0] + (self.connection.count if self.connection else 0)

    @property
    def isr_claimed(self) -> int:
        """How often it returned TRUE."""
        return self._before[1] + (self.connection.claimed if self.connection else 0)

    @property
    def isr_ns(self) -> int:
        """Virtual time spent in it."""
        return self._before[2] + (self.connection.cpu_ns if self.connection else 0)

    def keep_counts(self, connection: KInterrupt) -> None:
        """A connection ends; its counts do not."""
        calls, claimed, ns = self._before
        self._before = calls + connection.count, claimed + connection.claimed, ns + connection.cpu_ns

    # Resources.

    def reset_resources(self) -> None:
        """Before matching, and after stop or removal: everything but the MessageNumber."""
        self.info = InterruptInfo(self.message_number)
        self.raw = None
        self.synchronize_irql = PASSIVE_LEVEL

    def assign_resources(self, raw: CmPartialResourceDescriptor, translated: CmPartialResourceDescriptor) -> None:
        """Copy from the translated descriptor; vector base + MessageNumber for a multi-message MSI (facts §1.7)."""
        u = translated.u
        assert isinstance(u, InterruptResource)
        several = isinstance(raw.u, MessageInterruptRaw) and raw.u.message_count > 1 and translated.is_message
        info = self.info
        info.vector = u.vector + (self.message_number if several else 0)
        info.irql = PASSIVE_LEVEL if self.config.passive_handling else u.level
        info.mode = translated.flags & CM_RESOURCE_INTERRUPT_LATCHED
        info.message_signaled = translated.is_message
        info.share_disposition = translated.share_disposition
        info.target_processor_set = u.affinity
        info.group = u.group
        self.raw = raw

    # What the kernel calls.

    @property
    def ready(self) -> bool:
        """The driver's ISR is called: the framework's pointer is set, and nothing is on its way down."""
        return self._ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        self._ready = ready
        connection = self.connection
        if connection is None or connection.passive:
            return
        if ready:  # the thunk would decide nothing
            connection.call_back(service(self), self, self.message_number)
        else:
            connection.call_service_routine()

    def thunk(self, wdm: KInterrupt, context: Any) -> bool:
        """The service routine of the KINTERRUPT. In the windows around connecting there is nobody to call (facts §3.6): a message
        or a level is answered with FALSE, a latched line calls the driver before it is ready and never while it closes."""
        if not self.ready:
            if self.closing or self.info.message_signaled or not self.info.mode:
                self.framework.kernel.interrupts.swallow(wdm, f"{self.name} is not connected yet, or not any more")
                if self.info.message_signaled and not self.closing:
                    sentence = f"a message of {self.name} comes while that is being connected, and is lost"
                    self.framework.complain("interrupt-before-enable", f"{sentence}; unmask the device in EvtInterruptEnable")
                return False
            self.wdm = wdm
        return self._isr(self, self.message_number)

    def passive_thunk(self, wdm: KInterrupt, context: Any) -> bool:
        """The same at PASSIVE_LEVEL, with the wait lock."""
        return bool(self.with_wait_lock(lambda: self.thunk(wdm, context)))

    def with_wait_lock(self, routine: Callable[[], Any]) -> Any:
        """`routine()` while this passive-level interrupt's lock is held."""
        lock = self._passive_lock()
        lock.take(None)
        result = routine()
        lock.give()
        return result

    def flush(self) -> None:
        """DPCs that were queued before this have run, and the work item has ended."""
        self.framework.kernel.flush_queued_dpcs()
        if not self.work.runs_here:
            self.work.flush()

    def on_cleanup(self) -> None:
        """Flush, and out of the device's list: the next one created takes this MessageNumber again."""
        if self.machine.cpu.thread is not None:
            self.flush()
        if self in self.of_device.interrupts:
            self.of_device.interrupts.remove(self)

    def _dpc_routine(self) -> Callable[[Kdpc, Any, Any, Any], None]:
        if self.config.evt_interrupt_dpc is None:
            return self._dpc_without_callback
        return self._dpc

    def _dpc(self, dpc: Kdpc, context: Any, argument1: Any, argument2: Any) -> None:
        with self.callback_lock:
            self._evt_dpc(self, self.of_device)

    def _dpc_without_callback(self, dpc: Kdpc, context: Any, argument1: Any, argument2: Any) -> None:
        if self.config.evt_interrupt_work_item is None:
            raise BugCheck(0xD1, 0, 2, 8, why=f"{self.name} queued a DPC but has no EvtInterruptDpc")
        dpc.guarded = True
        self._queue_work_item()

    def _queue_work_item(self) -> bool:
        if self.config.evt_interrupt_work_item is None:
            raise BugCheck(0xD1, 0, 2, 8, why=f"{self.name} queued a work item but has no EvtInterruptWorkItem")
        return self.work.enqueue()

    def _work(self) -> None:
        callback = self.config.evt_interrupt_work_item
        assert callback is not None
        tell_if_released(self, "EvtInterruptWorkItem")
        if self.callback_lock is None:
            self.framework.call("EvtInterruptWorkItem", self, callback, self, self.of_device)
        else:
            with self.callback_lock:
                self.framework.call("EvtInterruptWorkItem", self, callback, self, self.of_device)

    def _set_policy(self, policy: InterruptExtendedPolicy, name: str) -> None:
        if wrong := policy.wrong:
            self.framework.complain("policy-dropped", f"{name} on {self.name} is dropped silently: {wrong}")
            return
        if self.in_prepare_hardware:
            sentence = f"{name} on {self.name}, created in EvtDevicePrepareHardware, has no effect"
            remedy = "set it in EvtDeviceFilterAddResourceRequirements"
            self.framework.complain("policy-too-late", f"{sentence}: {remedy}")
        self.policy = policy

    def _report(self, active: bool) -> None:
        if self.wdm is None:
            self._complain_unconnected("WdfInterruptReportActive" if active else "WdfInterruptReportInactive")
        else:
            self.set_active(active)

    def set_active(self, active: bool) -> None:
        """IoReportInterruptActive or …Inactive of what is connected."""
        if self.connection is None:
            return
        self.ready, self.closing = active, not active
        controller = self.framework.kernel.interrupts
        if active:
            controller.report_active(self.connection)
        else:
            controller.report_inactive(self.connection)

    def _passive_lock(self) -> WaitLock:
        assert self.wait_lock is not None
        return self.wait_lock

    def _complain_unconnected(self, name: str) -> None:
        sentence = f"{name} on {self.name} while it is not connected: nothing is done"
        self.framework.complain("interrupt-not-connected", sentence)


def report_inactive_default(config: InterruptConfig) -> bool:
    """ReportInactiveOnPowerDown: the default is FALSE on x64 (facts §2.5)."""
    return config.report_inactive_on_power_down == TriState.WdfTrue


"""WDFDEVICE: a function driver's device object, with the callbacks that PnP and power bring (facts §3).

A Python driver subclasses `Device` and overrides the callbacks it wants; what is not overridden is not registered.
Limits: function device objects of a PCI function, and those that bus drivers make for children; no control devices, no wake.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from dirql import ntstatus
from dirql.callback import refuse_asynchronous_methods
from dirql.ddi import ddi
from dirql.errors import UsageError
from dirql.kernel.irql import PASSIVE_LEVEL
from dirql.reserved import refuse_clashes, refuse_misspelt
from dirql.wdf.child_list import ChildList
from dirql.wdf.creation import limited_to
from dirql.wdf.device_init import DeviceInit, Pdo
from dirql.wdf.device_names import NamedDevice
from dirql.wdf.device_parent import ParentDevice
from dirql.wdf.device_properties import QueryableDevice
from dirql.wdf.device_settings import DeviceState, PnpCapabilities, PowerCapabilities, SetDevice
from dirql.wdf.idle import Idle, S0IdleSettings
from dirql.wdf.lock import callback_lock
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope
from dirql.wdf.pdo import PdoInit
from dirql.wdf.pnp_state import PnpState, PnpStateMachine
from dirql.wdf.power_state import PowerSequence
from dirql.wdf.resource_list import CmResourceList

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel
    from dirql.pnp.filters import IoResReqList
    from dirql.wdf.file_object import FileObject, InternalQueue
    from dirql.wdf.interrupt import Interrupt
    from dirql.wdf.interrupt_config import InterruptConfig
    from dirql.wdf.io_target import IoTarget
    from dirql.wdf.request import Request

__all__ = ["Device"]


class Device(NamedDevice, SetDevice, QueryableDevice, ParentDevice):
    """WDFDEVICE. Callbacks return None or an NTSTATUS; a `StatusError` that leaves one is its status."""

    kind = "WDFDEVICE"
    deletable = False

    def __init__(self, init: DeviceInit, attributes: ObjectAttributes | None) -> None:
        super().__init__(init.framework, init.driver, attributes, init.pdo.name)
        self.driver = init.driver
        self.pdo = init.pdo
        self.power_pageable = init.power_pageable
        self.power_policy_owner = init.power_policy_owner
        self.io_type = init.io_type
        self.is_filter = init.is_filter
        self.exclusive = init.exclusive
        self.device_type = init.device_type
        self.characteristics = init.characteristics
        self.alignment_requirement = 0
        self.device_name = init.device_name
        self.file_object_config, self.file_object_attributes = init.file_object_config, init.file_object_attributes
        self.request_attributes = init.request_attributes
        self.evt_io_in_caller_context = init.evt_io_in_caller_context
        self.static_stop_remove = True
        self.pnp_capabilities, self.power_capabilities = PnpCapabilities(), PowerCapabilities()
        self.device_state = DeviceState()
        self.wake_settings = self.bus_information = None
        self.interfaces = []
        self.bear(init)
        self.interrupts: list[Interrupt] = []
        self.queues: list[Any] = []
        self.default_queue: Any = None
        self._io_target: IoTarget | None = None
        self._internal_queues: dict[str, InternalQueue] = {}
        self.dma_enablers: list[Any] = []
        self.in_prepare_hardware = False
        self.hardware_released = False  # EvtDeviceReleaseHardware has returned
        self.raw_resources = CmResourceList(init.framework, (), "no resources")
        self.translated_resources = self.raw_resources
        self.pnp = PnpStateMachine(self)
        self.power = PowerSequence(self)
        self.idle = Idle(self)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        refuse_misspelt(cls, Device, "evt_device_", "device")
        refuse_clashes(cls, Device)
        refuse_asynchronous_methods(cls, [name for name in dir(Device) if name.startswith("evt_")])

    @classmethod
    def create(cls, init: DeviceInit, attributes: ObjectAttributes | None = None) -> Self:
        """WdfDeviceCreate."""
        init.refuse_used("WdfDeviceCreate")
        if attributes is not None and (status := attributes.validate(parent_allowed=False)):
            raise ntstatus.StatusError(status, "WDF_OBJECT_ATTRIBUTES of a device")
        if isinstance(init, PdoInit):
            init.refuse_incomplete()
        device = cls(init, attributes)
        for name, callback in init.callbacks.items():
            setattr(device, name, partial(callback, device))
        if "idle" not in vars(device):
            raise UsageError(f"{cls.__name__}.__init__ leaves out the framework's; call super().__init__(init, attributes) first")
        init.device = device
        if init.device_name:
            device.framework.names.add(init.device_name, device)
        if init.child_list_config is not None:
            device.default_child_list = ChildList(device, init.child_list_config, init.child_list_attributes)
        return device

    # Routines.

    @ddi("WdfDeviceGetDriver")
    def get_driver(self) -> Any:
        """WdfDeviceGetDriver."""
        return self.driver

    @ddi("WdfDeviceGetDefaultQueue")
    def get_default_queue(self) -> Any:
        """WdfDeviceGetDefaultQueue."""
        return self.default_queue

    @ddi("WdfDeviceGetIoTarget")
    def get_io_target(self) -> IoTarget:
        """WdfDeviceGetIoTarget: the device below."""
        from dirql.wdf.io_target import IoTarget

        if self._io_target is None:
            self._io_target = IoTarget(self)
        return self._io_target

    @ddi("WdfDeviceEnqueueRequest")
    def enqueue_request(self, request: Request) -> None:
        """WdfDeviceEnqueueRequest: EvtIoInCallerContext has looked at it, now the queues have it."""
        self.internal_queue("EvtIoInCallerContext").pass_on(request)

    @ddi("WdfDeviceGetFileObject")
    def get_file_object(self, file_object: Any) -> FileObject | None:
        """WdfDeviceGetFileObject: the framework's object of a WDM file object, None where the driver wants none."""
        found: FileObject | None = file_object.framework_object if file_object.device is self else None
        return found

    @ddi("WdfDeviceWdmGetDeviceObject")
    def wdm_get_device_object(self) -> Device:
        """WdfDeviceWdmGetDeviceObject: in Python the device itself stands for its DEVICE_OBJECT."""
        return self

    @ddi("WdfDeviceWdmGetPhysicalDevice")
    def wdm_get_physical_device(self) -> Pdo:
        """WdfDeviceWdmGetPhysicalDevice."""
        return self.pdo

    @ddi("WdfDeviceWdmGetAttachedDevice")
    def wdm_get_attached_device(self) -> Pdo | None:
        """WdfDeviceWdmGetAttachedDevice: the next lower one, which is the PDO; a PDO has none."""
        return None if self.is_pdo else self.pdo

    @ddi("WdfDeviceGetDevicePowerState")
    def get_device_power_state(self) -> int:
        """WdfDeviceGetDevicePowerState: 1 for D0 to 4 for D3."""
        return self.power.state

    @ddi("WdfDeviceGetDevicePnpState")
    def get_device_pnp_state(self) -> PnpState:
        """WdfDeviceGetDevicePnpState, coarser than WDF_DEVICE_PNP_STATE."""
        return self.pnp.state

    @ddi("WdfDeviceAssignS0IdleSettings")
    def assign_s0_idle_settings(self, settings: S0IdleSettings) -> None:
        """WdfDeviceAssignS0IdleSettings: power down after `idle_timeout` without work. For the power policy owner."""
        if not self.power_policy_owner:
            raise ntstatus.StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{self.name} is not its power policy owner")
        self.idle.assign(settings)

    @ddi("WdfDeviceStopIdleNoTrack")
    def stop_idle(self, wait_for_d0: bool) -> int:
        """WdfDeviceStopIdle: STATUS_SUCCESS in D0, STATUS_PENDING while it is still on its way there (facts §3.2);
        STATUS_POWER_STATE_INVALID, and nothing to give back, for a device that failed or is removed."""
        when = "when WaitForD0 is TRUE"
        if wait_for_d0 and not limited_to(self.framework, PASSIVE_LEVEL, "WdfDeviceStopIdle", when):
            return ntstatus.STATUS_INVALID_DEVICE_REQUEST
        return self.idle.stop_idle(wait_for_d0)

    @ddi("WdfDeviceResumeIdleNoTrack")
    def resume_idle(self) -> None:
        """WdfDeviceResumeIdle: gives back one StopIdle."""
        self.idle.resume_idle()

    @ddi("WdfDeviceSetFailed")
    def set_failed(self, attempt_restart: bool = False) -> None:
        """WdfDeviceSetFailed: the PnP manager removes the device, and enumerates it again if that is wanted (facts §3.5)."""
        self.pnp.set_failed(attempt_restart)

    @ddi("WdfFdoQueryForInterface")
    def query_for_interface(self, guid: UUID) -> Any:
        """WdfFdoQueryForInterface: the bus' interface; StatusError STATUS_NOT_SUPPORTED when there is none."""
        interface = self.pdo.query_interface(guid)
        if interface is None:
            raise ntstatus.StatusError(ntstatus.STATUS_NOT_SUPPORTED, f"the bus has no interface {guid}")
        return interface

    @ddi("WdfInterruptCreate")
    def create_interrupt(
        self, type_: type[Interrupt], config: InterruptConfig, attributes: ObjectAttributes | None
    ) -> Interrupt:
        """WdfInterruptCreate's entry: see `Interrupt.create`."""
        return type_.make(self, config, attributes)

    @property
    def kernel(self) -> Kernel:
        """The routines that belong to no framework object."""
        return self.framework.kernel

    @property
    def in_d0(self) -> bool:
        """True while power-managed queues may present requests."""
        return self.power.io_started

    @property
    def started(self) -> bool:
        """True from the end of a START to the removal."""
        return self.pnp.state is PnpState.Started

    def internal_queue(self, callback: str) -> InternalQueue:
        """Where a request is while the device's own `callback` has it."""
        from dirql.wdf.file_object import InternalQueue

        if callback not in self._internal_queues:
            self._internal_queues[callback] = InternalQueue(self, callback)
        return self._internal_queues[callback]

    def on_cleanup(self) -> None:
        """Nobody can open it any more."""
        self.framework.names.forget(self)

    @property
    def pnp_state_is_init(self) -> bool:
        """True up to the first START, and after a start that failed back to Init."""
        return self.pnp.state is PnpState.Init

    def registered(self, name: str) -> bool:
        """True if the driver overrides the callback (or, for a host, has set it on the object)."""
        return name in vars(self) or getattr(type(self), name) is not getattr(Device, name)

    def callback(self, name: str, documented: str, *args: Any) -> int:
        """Call the driver's callback if it has one; an NTSTATUS."""
        if not self.registered(name):
            return ntstatus.STATUS_SUCCESS
        return self.framework.status(documented, self, getattr(self, name), *args)

    def callback_constraints(self, parent: Object) -> tuple[int, int]:
        """(SynchronizationScope, ExecutionLevel) that hold for callbacks of `parent`'s children."""
        scope, level = SynchronizationScope.InheritFromParent, ExecutionLevel.InheritFromParent
        node: Object | None = parent
        while node is not None:
            if scope == SynchronizationScope.InheritFromParent:
                scope = SynchronizationScope(node.attributes.synchronization_scope)
            if level == ExecutionLevel.InheritFromParent:
                level = ExecutionLevel(node.attributes.execution_level)
            node = node.parent
        return scope, level

    def callback_lock_for(self, parent: Object) -> Any:
        """The lock that AutomaticSerialization takes, None when the parent's scope needs none (facts §2.5)."""
        return callback_lock(parent)

    # What a driver may override. Each is named as the documentation names it.

    def evt_device_filter_remove_resource_requirements(self, requirements: IoResReqList) -> int | None:
        """EvtDeviceFilterRemoveResourceRequirements: on the way down to the bus."""

    def evt_device_filter_add_resource_requirements(self, requirements: IoResReqList) -> int | None:
        """EvtDeviceFilterAddResourceRequirements: on the way up."""

    def evt_device_remove_added_resources(self, raw: CmResourceList, translated: CmResourceList) -> int | None:
        """EvtDeviceRemoveAddedResources: just before the bus starts the device."""

    def evt_device_prepare_hardware(self, raw: CmResourceList, translated: CmResourceList) -> int | None:
        """EvtDevicePrepareHardware: map registers, create one interrupt per message."""

    def evt_device_release_hardware(self, translated: CmResourceList) -> int | None:
        """EvtDeviceReleaseHardware: called whenever PrepareHardware was, even if that failed."""

    def evt_device_d0_entry(self, previous_state: int) -> int | None:
        """EvtDeviceD0Entry: interrupts are not connected yet."""

    def evt_device_d0_entry_post_interrupts_enabled(self, previous_state: int) -> int | None:
        """EvtDeviceD0EntryPostInterruptsEnabled."""

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state: int) -> int | None:
        """EvtDeviceD0ExitPreInterruptsDisabled."""

    def evt_device_d0_exit(self, target_state: int) -> int | None:
        """EvtDeviceD0Exit: interrupts are disconnected."""

    def evt_device_self_managed_io_init(self) -> int | None:
        """EvtDeviceSelfManagedIoInit: once, when the device first works."""

    def evt_device_self_managed_io_restart(self) -> int | None:
        """EvtDeviceSelfManagedIoRestart: each later time."""

    def evt_device_self_managed_io_suspend(self) -> int | None:
        """EvtDeviceSelfManagedIoSuspend: before the device stops working."""

    def evt_device_self_managed_io_flush(self) -> None:
        """EvtDeviceSelfManagedIoFlush: after ReleaseHardware, on removal."""

    def evt_device_self_managed_io_cleanup(self) -> None:
        """EvtDeviceSelfManagedIoCleanup: undo SelfManagedIoInit, on removal."""

    def evt_device_query_stop(self) -> int | None:
        """EvtDeviceQueryStop: a failure vetoes rebalancing."""

    def evt_device_query_remove(self) -> int | None:
        """EvtDeviceQueryRemove: a failure vetoes removal."""

    def evt_device_surprise_removal(self) -> None:
        """EvtDeviceSurpriseRemoval: the device is gone; not synchronised with the others."""

"""WDFDEVICE_INIT: what a driver says of a device before it is created.

Limits: no security descriptors, no preprocessing of WDM IRPs; state-change callbacks and those of wake are kept, and the states
between those of `PnpState` are not entered, so that they are never called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.ntstatus import StatusError
from dirql.pnp.properties import DeviceProperty, DevPropKey, Value
from dirql.pnp.registry import Registry
from dirql.wdf.device_properties import REGKEY_KINDS, in_memory, open_key, query, query_key
from dirql.wdf.framework import Framework
from dirql.wdf.memory import Memory
from dirql.wdf.registry import Key

if TYPE_CHECKING:
    from dirql.wdf.child_list import ChildListConfig
    from dirql.wdf.device import Device
    from dirql.wdf.driver import Driver
    from dirql.wdf.file_object import FileObjectConfig
    from dirql.wdf.object import ObjectAttributes
    from dirql.wdf.request import Request

__all__ = ["REGKEY_KINDS", "DeviceInit", "Pdo"]

FILE_DEVICE_UNKNOWN = 0x22
STATE_CALLBACK_TYPES = 0x7  # StateNotificationEnterState, PostProcessState, LeaveState


class Pdo(Protocol):
    """The bus driver's end of the stack: what a function driver sends down to it."""

    @property
    def name(self) -> str:
        """For reports."""

    @property
    def instance_path(self) -> str:
        """The device instance ID."""

    def set_power(self, state: int) -> None:
        """Device power state 0 to 3 (D0 to D3): context is saved on the way down and restored on the way up."""

    def query_interface(self, guid: UUID) -> Any:
        """The interface behind a GUID; None when the bus has none."""

    def device_failed(self, status: int, attempt_restart: bool) -> None:
        """IoInvalidateDeviceState of a failed device: to be removed, and enumerated again if that is wanted."""

    def registry_key(self, which: str) -> Registry:
        """Its "hardware" or its "software" key."""

    def device_property(self, which: DeviceProperty) -> Value | None:
        """What the PnP manager knows; None where it has no such property."""

    def device_property_of_key(self, key: DevPropKey) -> tuple[int, Value] | None:
        """The same by DEVPROPKEY: (type, value)."""

    def assign_property(self, key: DevPropKey, type_: int, value: bytes) -> None:
        """A property of the driver's."""


class DeviceInit:
    """PWDFDEVICE_INIT, valid until WdfDeviceCreate has taken it."""

    def __init__(self, framework: Framework, driver: Driver, pdo: Pdo) -> None:
        self.framework = framework
        self.machine = framework.machine
        self.driver, self.pdo = driver, pdo
        self.device: Device | None = None
        self.freed = False
        self.power_pageable = True
        self.power_policy_owner = True
        self.is_filter = False
        self.io_type = "buffered"
        self.exclusive = False
        self.device_type = FILE_DEVICE_UNKNOWN
        self.characteristics = 0
        self.device_name = ""
        self.file_object_config: FileObjectConfig | None = None
        self.file_object_attributes: ObjectAttributes | None = None
        self.request_attributes: ObjectAttributes | None = None
        self.evt_io_in_caller_context: Callable[[Device, Request], None] | None = None
        self.child_list_config: ChildListConfig | None = None
        self.child_list_attributes: ObjectAttributes | None = None
        self.callbacks: dict[str, Callable[..., Any]] = {}  # a host's, by the device's own names of them

    # Power.

    @ddi("WdfDeviceInitSetPowerNotPageable")
    def set_power_not_pageable(self) -> None:
        """WdfDeviceInitSetPowerNotPageable: interrupts stay connected in Dx (facts §3.2)."""
        self.power_pageable = False

    @ddi("WdfDeviceInitSetPowerPageable")
    def set_power_pageable(self) -> None:
        """WdfDeviceInitSetPowerPageable: the default."""
        self.power_pageable = True

    @ddi("WdfDeviceInitSetPowerInrush")
    def set_power_inrush(self) -> None:
        """WdfDeviceInitSetPowerInrush: devices power up one after another anyway; not pageable from here on."""
        self.power_pageable = False

    @ddi("WdfDeviceInitSetPowerPolicyOwnership")
    def set_power_policy_ownership(self, owner: bool) -> None:
        """WdfDeviceInitSetPowerPolicyOwnership: a function driver owns it by default."""
        self.power_policy_owner = owner

    @ddi("WdfDeviceInitSetReleaseHardwareOrderOnFailure")
    def set_release_hardware_order_on_failure(self, order: int) -> None:
        """WdfDeviceInitSetReleaseHardwareOrderOnFailure: without children that are started the two orders are one."""

    # Callbacks that a host hands over together. A Python driver overrides the device's methods.

    @ddi("WdfDeviceInitSetPnpPowerEventCallbacks")
    def set_pnp_power_event_callbacks(self, callbacks: dict[str, Callable[..., Any]]) -> None:
        """WdfDeviceInitSetPnpPowerEventCallbacks: by the names of the device's methods."""
        self.callbacks.update(callbacks)

    @ddi("WdfDeviceInitSetPowerPolicyEventCallbacks")
    def set_power_policy_event_callbacks(self, callbacks: dict[str, Callable[..., Any]]) -> None:
        """WdfDeviceInitSetPowerPolicyEventCallbacks: arming for wake, which never happens."""
        if callbacks:
            self.framework.note(f"{', '.join(callbacks)}: dirql models no wake, they are not called")

    @ddi("WdfFdoInitSetEventCallbacks")
    def set_fdo_event_callbacks(self, callbacks: dict[str, Callable[..., Any]]) -> None:
        """WdfFdoInitSetEventCallbacks: the resource filters."""
        self.callbacks.update(callbacks)

    @ddi("WdfDeviceInitRegisterPnpStateChangeCallback")
    def register_pnp_state_change_callback(self, state: int, callback: Callable[..., Any], callback_types: int) -> None:
        """WdfDeviceInitRegisterPnpStateChangeCallback."""
        self._note_state_callback("WdfDeviceInitRegisterPnpStateChangeCallback", state, callback_types)

    @ddi("WdfDeviceInitRegisterPowerStateChangeCallback")
    def register_power_state_change_callback(self, state: int, callback: Callable[..., Any], callback_types: int) -> None:
        """WdfDeviceInitRegisterPowerStateChangeCallback."""
        self._note_state_callback("WdfDeviceInitRegisterPowerStateChangeCallback", state, callback_types)

    @ddi("WdfDeviceInitRegisterPowerPolicyStateChangeCallback")
    def register_power_policy_state_change_callback(self, state: int, callback: Callable[..., Any], callback_types: int) -> None:
        """WdfDeviceInitRegisterPowerPolicyStateChangeCallback."""
        self._note_state_callback("WdfDeviceInitRegisterPowerPolicyStateChangeCallback", state, callback_types)

    # I/O.

    @ddi("WdfDeviceInitSetIoType")
    def set_io_type(self, io_type: str) -> None:
        """WdfDeviceInitSetIoType: "buffered", "direct" or "neither"."""
        self.io_type = io_type

    @ddi("WdfDeviceInitSetIoTypeEx")
    def set_io_type_ex(self, read_write_io_type: str) -> None:
        """WdfDeviceInitSetIoTypeEx: in the kernel only ReadWriteIoType counts."""
        self.io_type = read_write_io_type

    @ddi("WdfDeviceInitSetFileObjectConfig")
    def set_file_object_config(self, config: FileObjectConfig, attributes: ObjectAttributes | None = None) -> None:
        """WdfDeviceInitSetFileObjectConfig: callbacks for opening and closing, and file objects to be seen."""
        self.file_object_config, self.file_object_attributes = config, attributes

    @ddi("WdfDeviceInitSetRequestAttributes")
    def set_request_attributes(self, attributes: ObjectAttributes) -> None:
        """WdfDeviceInitSetRequestAttributes: every request of the device gets them, with the context."""
        self.request_attributes = attributes

    @ddi("WdfDeviceInitSetIoInCallerContextCallback")
    def set_io_in_caller_context_callback(self, evt_io_in_caller_context: Callable[[Device, Request], None]) -> None:
        """WdfDeviceInitSetIoInCallerContextCallback: it has each request before a queue; `device.enqueue_request` goes on."""
        self.evt_io_in_caller_context = evt_io_in_caller_context

    @ddi("WdfDeviceInitSetExclusive")
    def set_exclusive(self, exclusive: bool) -> None:
        """WdfDeviceInitSetExclusive: one open at a time."""
        self.exclusive = exclusive

    # The device object.

    @ddi("WdfDeviceInitSetDeviceType")
    def set_device_type(self, device_type: int) -> None:
        """WdfDeviceInitSetDeviceType: FILE_DEVICE_…."""
        self.device_type = device_type

    @ddi("WdfDeviceInitSetCharacteristics")
    def set_characteristics(self, characteristics: int, or_in_values: bool) -> None:
        """WdfDeviceInitSetCharacteristics: FILE_DEVICE_SECURE_OPEN and its kind."""
        self.characteristics = characteristics | (self.characteristics if or_in_values else 0)

    @ddi("WdfDeviceInitAssignName")
    def assign_name(self, device_name: str) -> None:
        r"""WdfDeviceInitAssignName: `\Device\…`; empty takes it away."""
        self.device_name = device_name

    @ddi("WdfDeviceInitAssignSDDLString")
    def assign_sddl_string(self, sddl: str) -> None:
        """WdfDeviceInitAssignSDDLString: kept nowhere, since nobody is refused."""

    @ddi("WdfDeviceInitSetDeviceClass")
    def set_device_class(self, guid: UUID) -> None:
        """WdfDeviceInitSetDeviceClass: whose security settings hold; kept nowhere."""

    @ddi("WdfDeviceInitSetRemoveLockOptions")
    def set_remove_lock_options(self, flags: int) -> None:
        """WdfDeviceInitSetRemoveLockOptions: removal waits for requests anyway."""

    @ddi("WdfDeviceInitFree")
    def free(self) -> None:
        """WdfDeviceInitFree: for one that the driver allocated. The framework's own is refused."""
        self.framework.complain("device-init-free", "WdfDeviceInitFree of the WDFDEVICE_INIT that EvtDriverDeviceAdd was given, "
                                "which the framework frees; return a failure instead")  # fmt: skip

    # A function driver's.

    @ddi("WdfFdoInitSetFilter")
    def set_filter(self) -> None:
        """WdfFdoInitSetFilter: a filter is not its stack's power policy owner."""
        self.is_filter, self.power_policy_owner = True, False

    @ddi("WdfFdoInitSetDefaultChildListConfig")
    def set_default_child_list_config(self, config: ChildListConfig, attributes: ObjectAttributes | None = None) -> None:
        """WdfFdoInitSetDefaultChildListConfig: `device.get_default_child_list()` is the list."""
        self.child_list_config, self.child_list_attributes = config, attributes

    @ddi("WdfFdoInitWdmGetPhysicalDevice")
    def wdm_get_physical_device(self) -> Pdo:
        """WdfFdoInitWdmGetPhysicalDevice."""
        return self.pdo

    @ddi("WdfFdoInitQueryProperty")
    def query_property(self, device_property: int) -> Value:
        """WdfFdoInitQueryProperty: see `Device.query_property`."""
        return query(self.pdo, device_property, "WdfFdoInitQueryProperty")

    @ddi("WdfFdoInitQueryPropertyEx")
    def query_property_ex(self, key: DevPropKey) -> tuple[int, Value]:
        """WdfFdoInitQueryPropertyEx: see `Device.query_property_ex`."""
        return query_key(self.pdo, key, "WdfFdoInitQueryPropertyEx")

    @ddi("WdfFdoInitAllocAndQueryProperty")
    def alloc_and_query_property(self, device_property: int, attributes: ObjectAttributes | None = None) -> Memory:
        """WdfFdoInitAllocAndQueryProperty: the bytes in a memory object."""
        value = query(self.pdo, device_property, "WdfFdoInitAllocAndQueryProperty")
        return in_memory(self.framework, value, attributes)

    @ddi("WdfFdoInitAllocAndQueryPropertyEx")
    def alloc_and_query_property_ex(self, key: DevPropKey, attributes: ObjectAttributes | None = None) -> tuple[Memory, int]:
        """WdfFdoInitAllocAndQueryPropertyEx: (the bytes in a memory object, DEVPROPTYPE)."""
        type_, value = query_key(self.pdo, key, "WdfFdoInitAllocAndQueryPropertyEx")
        return in_memory(self.framework, value, attributes), type_

    @ddi("WdfFdoInitOpenRegistryKey")
    def open_registry_key(self, device_instance_key_type: int, attributes: ObjectAttributes | None = None) -> Key:
        """WdfFdoInitOpenRegistryKey: see `Device.open_registry_key`."""
        return open_key(self.framework, self.pdo, device_instance_key_type, attributes, "WdfFdoInitOpenRegistryKey")

    def refuse_used(self, routine: str) -> None:
        """StatusError for one that made its device, or was freed."""
        if self.device is not None or self.freed:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{routine}: this WDFDEVICE_INIT was used already")

    def _note_state_callback(self, routine: str, state: int, callback_types: int) -> None:
        if not callback_types or callback_types & ~STATE_CALLBACK_TYPES:
            why = f"{routine}: CallbackTypes {callback_types:#x} is not of 0x1, 0x2 and 0x4"
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)
        self.framework.note(f"{routine}: the callback on state {state:#x} is not called, dirql does not pass its state")

"""Physical device objects that a bus driver makes: PdoInit and what a child's stack rests on (WdfPdoInit…, WdfPdo…).

Model choices: a PDO without a device ID or an instance ID, and device text without a default locale, are
STATUS_INVALID_PARAMETER at WdfDeviceCreate.

Limits: a child is enumerated and no more: no driver is looked for, so that only a raw device is ever started. No resources, no
ejection, no requests that are forwarded to the parent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.ntstatus import StatusError
from dirql.pnp.properties import DeviceProperty, DevPropKey, Value
from dirql.pnp.registry import Registry
from dirql.wdf.device_init import DeviceInit

if TYPE_CHECKING:
    from dirql.wdf.child_list import Child
    from dirql.wdf.device import Device

__all__ = ["ChildPdo", "PdoInit"]


class ChildPdo:
    """Below a child's device there is only its bus driver, which is the parent's driver."""

    def __init__(self, parent: Device, name: str) -> None:
        self.parent, self.name = parent, name
        self.device_id = self.instance_id = ""
        self.hardware_ids: list[str] = []
        self.compatible_ids: list[str] = []
        self.texts: dict[int, tuple[str, str]] = {}  # by locale: description, location
        self.locale = 0
        self.raw_class: UUID | None = None
        self.container_id = ""
        self.power_state = 0
        self._keys = {"hardware": Registry(), "software": Registry()}
        self._assigned: dict[DevPropKey, tuple[int, Value]] = {}

    @property
    def instance_path(self) -> str:
        """The device instance ID; the parent's makes it unique."""
        return f"{self.device_id}\\{self.instance_id}"

    def set_power(self, state: int) -> None:
        """0 to 3 for D0 to D3."""
        self.power_state = state

    def query_interface(self, guid: UUID) -> Any:
        """The parent's driver exports none."""
        return None

    def device_failed(self, status: int, attempt_restart: bool) -> None:
        """It goes, as if its bus driver had reported it missing."""
        self.parent.framework.note(f"{self.name} reports that it failed ({ntstatus.name_of(status)})")

    def registry_key(self, which: str) -> Registry:
        """Its "hardware" or its "software" key."""
        return self._keys[which]

    def device_property(self, which: DeviceProperty) -> Value | None:
        """What its bus driver said."""
        bus = self.parent.bus_information
        description, location = self.texts.get(self.locale, ("", ""))
        known: dict[DeviceProperty, Value | None] = {
            DeviceProperty.HardwareID: tuple(self.hardware_ids) or None,
            DeviceProperty.CompatibleIDs: tuple(self.compatible_ids) or None,
            DeviceProperty.DeviceDescription: description or None,
            DeviceProperty.LocationInformation: location or None,
            DeviceProperty.EnumeratorName: self.device_id.partition("\\")[0],
            DeviceProperty.BusTypeGuid: bus.bus_type_guid if bus is not None else None,
            DeviceProperty.LegacyBusType: bus.legacy_bus_type if bus is not None else None,
            DeviceProperty.BusNumber: bus.bus_number if bus is not None else None,
        }  # fmt: skip
        return known.get(which)

    def device_property_of_key(self, key: DevPropKey) -> tuple[int, Value] | None:
        """Those that a driver assigned."""
        return self._assigned.get(key)

    def assign_property(self, key: DevPropKey, type_: int, value: bytes) -> None:
        """A property of the driver's."""
        self._assigned[key] = type_, value


class PdoInit(DeviceInit):
    """PWDFDEVICE_INIT of a child."""

    def __init__(self, parent: Device, child: Child | None = None) -> None:
        self.child_pdo = ChildPdo(parent, f"a child of {parent.name}")
        super().__init__(parent.framework, parent.driver, self.child_pdo)
        self.power_policy_owner = False
        self.parent, self.child = parent, child

    @classmethod
    @ddi_create("WdfPdoInitAllocate")
    def allocate(cls, parent_device: Device) -> PdoInit:
        """WdfPdoInitAllocate: for a static child; `free` it if no device is made."""
        return cls(parent_device)

    @ddi("WdfDeviceInitFree")
    def free(self) -> None:
        """WdfDeviceInitFree."""
        if self.device is not None or self.freed:
            self.framework.complain("device-init-free", "WdfDeviceInitFree of a WDFDEVICE_INIT that was used or freed already")
        self.freed = True

    @ddi("WdfPdoInitSetEventCallbacks")
    def set_event_callbacks(self, callbacks: dict[str, Callable[..., Any]]) -> None:
        """WdfPdoInitSetEventCallbacks: resources, ejection, wake at the bus; none of them is ever asked for."""
        if callbacks:
            self.framework.note(f"{', '.join(callbacks)}: nothing asks a child for it, they are not called")

    @ddi("WdfPdoInitAssignDeviceID")
    def assign_device_id(self, device_id: str) -> None:
        r"""WdfPdoInitAssignDeviceID: `BUS\Something`."""
        self.child_pdo.device_id = device_id

    @ddi("WdfPdoInitAssignInstanceID")
    def assign_instance_id(self, instance_id: str) -> None:
        """WdfPdoInitAssignInstanceID: unique among the children of its parent."""
        self.child_pdo.instance_id = instance_id

    @ddi("WdfPdoInitAddHardwareID")
    def add_hardware_id(self, hardware_id: str) -> None:
        """WdfPdoInitAddHardwareID: the most specific first."""
        self.child_pdo.hardware_ids.append(hardware_id)

    @ddi("WdfPdoInitAddCompatibleID")
    def add_compatible_id(self, compatible_id: str) -> None:
        """WdfPdoInitAddCompatibleID."""
        self.child_pdo.compatible_ids.append(compatible_id)

    @ddi("WdfPdoInitAssignContainerID")
    def assign_container_id(self, container_id: str) -> None:
        """WdfPdoInitAssignContainerID."""
        self.child_pdo.container_id = container_id

    @ddi("WdfPdoInitAddDeviceText")
    def add_device_text(self, description: str, location: str, locale_id: int) -> None:
        """WdfPdoInitAddDeviceText: once for each locale."""
        self.child_pdo.texts[locale_id] = description, location

    @ddi("WdfPdoInitSetDefaultLocale")
    def set_default_locale(self, locale_id: int) -> None:
        """WdfPdoInitSetDefaultLocale."""
        self.child_pdo.locale = locale_id

    @ddi("WdfPdoInitAssignRawDevice")
    def assign_raw_device(self, device_class_guid: UUID) -> None:
        """WdfPdoInitAssignRawDevice: it works without a function driver, and its bus driver owns the power policy."""
        self.child_pdo.raw_class = device_class_guid
        self.power_policy_owner = True

    @ddi("WdfPdoInitAllowForwardingRequestToParent")
    def allow_forwarding_request_to_parent(self) -> None:
        """WdfPdoInitAllowForwardingRequestToParent."""

    def refuse_incomplete(self) -> None:
        """What WdfDeviceCreate checks of a PDO."""
        pdo = self.child_pdo
        for what, value in (("device ID", pdo.device_id), ("instance ID", pdo.instance_id)):
            if not value:
                why = f"WdfDeviceCreate: a child of {self.parent.name} has no {what}"
                raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)
        if pdo.texts and pdo.locale not in pdo.texts:
            why = f"WdfDeviceCreate: {pdo.device_id} has no device text for its default locale {pdo.locale:#x}"
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)
        pdo.name = pdo.instance_path

"""WdfPdo*: the devices that a bus driver makes for its children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.hosts.sys.abi import NTSTATUS, PVOID, ULONG, VOID, Handle, Ptr, wdf
from dirql.hosts.sys.api.wdf_device_init import callbacks_of
from dirql.hosts.sys.child_lists import ChildDescriptions
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.guids import guid, optional_text
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.wdf_structs import WDF_PDO_EVENT_CALLBACKS
from dirql.hosts.sys.wdf_values import ntstatus_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.object import expect_parameter
from dirql.wdf.pdo import PdoInit

if TYPE_CHECKING:
    from dirql.wdf.child_list import ChildList

__all__ = ["AllocatedInits"]

CALLBACKS = tuple((name, name, ntstatus_of) for name in list(WDF_PDO_EVENT_CALLBACKS.fields)[1:])


class AllocatedInits:
    """A component of the guest: the inits that WdfPdoInitAllocate handed out, which only the driver knows."""

    def __init__(self, guest: Guest) -> None:
        self.inits: list[PdoInit] = []

    def add(self, init: PdoInit) -> PdoInit:
        """Kept until it was used or freed."""
        self.inits = [one for one in self.inits if one.device is None and not one.freed]
        self.inits.append(init)
        return init


@wdf
def WdfPdoInitAllocate(guest: Guest, parent: Handle[Device]) -> Handle[PdoInit]:
    """WdfPdoInitAllocate."""
    return guest.part(AllocatedInits).add(PdoInit.allocate(parent))


@wdf
def WdfPdoInitSetEventCallbacks(guest: Guest, init: Handle[PdoInit], callbacks: Ptr[WDF_PDO_EVENT_CALLBACKS]) -> VOID:
    """WdfPdoInitSetEventCallbacks."""
    init.set_event_callbacks(callbacks_of(guest, callbacks, CALLBACKS))


@wdf
def WdfPdoInitAssignDeviceID(guest: Guest, init: Handle[PdoInit], text: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfPdoInitAssignDeviceID."""
    expect_parameter(text, "DeviceID", "WdfPdoInitAssignDeviceID")
    init.assign_device_id(optional_text(text))
    return STATUS_SUCCESS


@wdf
def WdfPdoInitAssignInstanceID(guest: Guest, init: Handle[PdoInit], text: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfPdoInitAssignInstanceID."""
    expect_parameter(text, "InstanceID", "WdfPdoInitAssignInstanceID")
    init.assign_instance_id(optional_text(text))
    return STATUS_SUCCESS


@wdf
def WdfPdoInitAddHardwareID(guest: Guest, init: Handle[PdoInit], text: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfPdoInitAddHardwareID."""
    expect_parameter(text, "HardwareID", "WdfPdoInitAddHardwareID")
    init.add_hardware_id(optional_text(text))
    return STATUS_SUCCESS


@wdf
def WdfPdoInitAddCompatibleID(guest: Guest, init: Handle[PdoInit], text: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfPdoInitAddCompatibleID."""
    expect_parameter(text, "CompatibleID", "WdfPdoInitAddCompatibleID")
    init.add_compatible_id(optional_text(text))
    return STATUS_SUCCESS


@wdf
def WdfPdoInitAssignContainerID(guest: Guest, init: Handle[PdoInit], text: Ptr[UNICODE_STRING] | None) -> NTSTATUS:
    """WdfPdoInitAssignContainerID."""
    expect_parameter(text, "ContainerID", "WdfPdoInitAssignContainerID")
    init.assign_container_id(optional_text(text))
    return STATUS_SUCCESS


@wdf
def WdfPdoInitAddDeviceText(
    guest: Guest, init: Handle[PdoInit], description: Ptr[UNICODE_STRING] | None, location: Ptr[UNICODE_STRING] | None,
    locale: ULONG,
) -> NTSTATUS:  # fmt: skip
    """WdfPdoInitAddDeviceText."""
    expect_parameter(description, "DeviceDescription", "WdfPdoInitAddDeviceText")
    expect_parameter(location, "DeviceLocation", "WdfPdoInitAddDeviceText")
    init.add_device_text(optional_text(description), optional_text(location), locale)
    return STATUS_SUCCESS


@wdf
def WdfPdoInitSetDefaultLocale(guest: Guest, init: Handle[PdoInit], locale: ULONG) -> VOID:
    """WdfPdoInitSetDefaultLocale."""
    init.set_default_locale(locale)


@wdf
def WdfPdoInitAssignRawDevice(guest: Guest, init: Handle[PdoInit], class_guid: PVOID) -> NTSTATUS:
    """WdfPdoInitAssignRawDevice."""
    expect_parameter(class_guid or None, "DeviceClassGuid", "WdfPdoInitAssignRawDevice")
    init.assign_raw_device(guid(guest.space, class_guid))
    return STATUS_SUCCESS


@wdf
def WdfPdoInitAllowForwardingRequestToParent(guest: Guest, init: Handle[PdoInit]) -> VOID:
    """WdfPdoInitAllowForwardingRequestToParent."""
    init.allow_forwarding_request_to_parent()


@wdf
def WdfPdoGetParent(guest: Guest, device: Handle[Device]) -> Handle[Device] | None:
    """WdfPdoGetParent."""
    return device.get_parent()


@wdf
def WdfPdoMarkMissing(guest: Guest, device: Handle[Device]) -> NTSTATUS:
    """WdfPdoMarkMissing."""
    device.mark_missing()
    return STATUS_SUCCESS


@wdf
def WdfPdoRequestEject(guest: Guest, device: Handle[Device]) -> VOID:
    """WdfPdoRequestEject."""
    device.request_eject()


@wdf
def WdfPdoRetrieveIdentificationDescription(guest: Guest, device: Handle[Device], to: PVOID) -> NTSTATUS:
    """WdfPdoRetrieveIdentificationDescription."""
    identification = device.retrieve_identification_description()
    guest.part(ChildDescriptions).copy(_list_of(device), identification, to)
    return STATUS_SUCCESS


@wdf
def WdfPdoRetrieveAddressDescription(guest: Guest, device: Handle[Device], to: PVOID) -> NTSTATUS:
    """WdfPdoRetrieveAddressDescription."""
    address = device.retrieve_own_address_description()
    if address is not None:
        guest.part(ChildDescriptions).copy(_list_of(device), address, to, is_address=True)
    return STATUS_SUCCESS


@wdf
def WdfPdoUpdateAddressDescription(guest: Guest, device: Handle[Device], address: PVOID) -> NTSTATUS:
    """WdfPdoUpdateAddressDescription."""
    device.retrieve_own_address_description()
    device.update_address_description(guest.part(ChildDescriptions).kept(_list_of(device), address, is_address=True))
    return STATUS_SUCCESS


def _list_of(device: Device) -> ChildList:
    """The list that a child came from."""
    init = device.own_pdo_init
    assert init is not None and init.child is not None
    return init.child.of

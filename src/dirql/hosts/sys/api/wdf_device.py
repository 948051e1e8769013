"""WdfDevice*: a device's own routines. Its settings are in `wdf_device_settings`, what it is found by in `wdf_device_names`."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, LONG, NTSTATUS, PVOID, ULONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.structs import Struct
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.hosts.sys.wdm_views import WdmViews
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.driver import Driver
from dirql.wdf.file_object import FileObject, OpenFile
from dirql.wdf.framework import WDF_VIOLATION
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.io_queue_create import configure_request_dispatching
from dirql.wdf.io_target import IoTarget
from dirql.wdf.pnp_state import PnpState
from dirql.wdf.request import Request

__all__: list[str] = []

# WDF_DEVICE_PNP_STATE (model choice: the values are from memory).
PNP_STATES = {
    PnpState.Init: 0x105, PnpState.Started: 0x119, PnpState.Stopped: 0x11E, PnpState.Failed: 0x12E,
    PnpState.SurpriseRemoved: 0x121, PnpState.Removed: 0x113,
}  # fmt: skip
WDF_DEVICE_FAILED_ATTEMPT_RESTART = 1


class DeviceInitPointer(Struct, size=8):
    """The PWDFDEVICE_INIT that WdfDeviceCreate takes away."""

    c = "PVOID Init;"


class SysDevice(Device):
    """A device whose callbacks are the driver's functions."""


@wdf
def WdfDeviceCreate(
    guest: Guest, init: Ptr[DeviceInitPointer], attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, device: Out[Handle[Device]]
) -> NTSTATUS:
    """WdfDeviceCreate: the pointer to the init is NULL afterwards."""
    pending = guest.objects.get(init.Init)
    if not isinstance(pending, DeviceInit):
        raise BugCheck(WDF_VIOLATION, 5, init.Init, why=f"WdfDeviceCreate was given {init.Init:#x} for a PWDFDEVICE_INIT")
    made = SysDevice.create(pending, attributes_of(guest, attributes, "WdfDeviceCreate"))
    init.Init = 0
    device(made)
    return STATUS_SUCCESS


@wdf
def WdfDeviceGetDriver(guest: Guest, device: Handle[Device]) -> Handle[Driver]:
    """WdfDeviceGetDriver."""
    driver: Driver = device.get_driver()
    return driver


@wdf
def WdfDeviceGetDefaultQueue(guest: Guest, device: Handle[Device]) -> Handle[IoQueue] | None:
    """WdfDeviceGetDefaultQueue: NULL without one."""
    queue: IoQueue | None = device.get_default_queue()
    return queue


@wdf
def WdfDeviceGetIoTarget(guest: Guest, device: Handle[Device]) -> Handle[IoTarget]:
    """WdfDeviceGetIoTarget."""
    return device.get_io_target()


@wdf
def WdfDeviceConfigureRequestDispatching(
    guest: Guest, device: Handle[Device], queue: Handle[IoQueue], request_type: ULONG
) -> NTSTATUS:
    """WdfDeviceConfigureRequestDispatching."""
    configure_request_dispatching(device, queue, request_type)
    return STATUS_SUCCESS


@wdf
def WdfDeviceEnqueueRequest(guest: Guest, device: Handle[Device], request: Handle[Request]) -> NTSTATUS:
    """WdfDeviceEnqueueRequest."""
    device.enqueue_request(request)
    return STATUS_SUCCESS


@wdf
def WdfDeviceGetFileObject(guest: Guest, device: Handle[Device], file: PVOID) -> Handle[FileObject] | None:
    """WdfDeviceGetFileObject: NULL for no FILE_OBJECT of the device's."""
    found = guest.behind.get(file)
    return device.get_file_object(found) if isinstance(found, OpenFile) else None


# States.


@wdf
def WdfDeviceGetDevicePnpState(guest: Guest, device: Handle[Device]) -> ULONG:
    """WdfDeviceGetDevicePnpState: those of WDF_DEVICE_PNP_STATE in which a device rests."""
    return PNP_STATES[device.get_device_pnp_state()]


@wdf
def WdfDeviceSetFailed(guest: Guest, device: Handle[Device], action: ULONG) -> VOID:
    """WdfDeviceSetFailed."""
    device.set_failed(action == WDF_DEVICE_FAILED_ATTEMPT_RESTART)


@wdf
def WdfDeviceStopIdleNoTrack(guest: Guest, device: Handle[Device], wait_for_d0: BOOLEAN) -> NTSTATUS:
    """WdfDeviceStopIdle of drivers for KMDF up to 1.13."""
    return device.stop_idle(wait_for_d0)


@wdf
def WdfDeviceResumeIdleNoTrack(guest: Guest, device: Handle[Device]) -> VOID:
    """WdfDeviceResumeIdle of drivers for KMDF up to 1.13."""
    device.resume_idle()


@wdf
def WdfDeviceStopIdleActual(
    guest: Guest, device: Handle[Device], wait_for_d0: BOOLEAN, tag: PVOID, line: LONG, file: PVOID
) -> NTSTATUS:
    """WdfDeviceStopIdle: tags are not kept."""
    return device.stop_idle(wait_for_d0)


@wdf
def WdfDeviceResumeIdleActual(guest: Guest, device: Handle[Device], tag: PVOID, line: LONG, file: PVOID) -> VOID:
    """WdfDeviceResumeIdle: tags are not kept."""
    device.resume_idle()


@wdf
def WdfDeviceGetSystemPowerAction(guest: Guest, device: Handle[Device]) -> ULONG:
    """WdfDeviceGetSystemPowerAction."""
    return device.get_system_power_action()


# WDM.


@wdf
def WdfDeviceWdmGetDeviceObject(guest: Guest, device: Handle[Device]) -> PVOID:
    """WdfDeviceWdmGetDeviceObject."""
    return guest.part(WdmViews).device_object(device.wdm_get_device_object())


@wdf
def WdfDeviceWdmGetPhysicalDevice(guest: Guest, device: Handle[Device]) -> PVOID:
    """WdfDeviceWdmGetPhysicalDevice."""
    device.wdm_get_physical_device()
    return guest.part(WdmViews).physical(device)


@wdf
def WdfDeviceWdmGetAttachedDevice(guest: Guest, device: Handle[Device]) -> PVOID:
    """WdfDeviceWdmGetAttachedDevice."""
    pdo = device.wdm_get_attached_device()
    return guest.part(WdmViews).pdo(pdo) if pdo is not None else 0


@wdf
def WdfWdmDeviceGetWdfDeviceHandle(guest: Guest, device_object: PVOID) -> Handle[Device] | None:
    """WdfWdmDeviceGetWdfDeviceHandle: NULL for a device object that is not the framework's."""
    found = guest.behind.get(device_object)
    return found if isinstance(found, Device) and not found.destroyed else None

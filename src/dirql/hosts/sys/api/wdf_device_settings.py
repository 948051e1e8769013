"""WdfDevice* that set what a device can do: capabilities, state, idle and wake settings, its WDM fields."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, VOID, Handle, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.guids import guid
from dirql.hosts.sys.wdf_structs import (
    WDF_DEVICE_PNP_CAPABILITIES,
    WDF_DEVICE_POWER_CAPABILITIES,
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS,
    WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS,
    WDF_DEVICE_STATE,
)
from dirql.ntstatus import STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.device_settings import BusInformation, DeviceState, PnpCapabilities, PowerCapabilities, SxWakeSettings
from dirql.wdf.idle import S0IdleSettings
from dirql.wdf.interrupt_config import TriState
from dirql.wdf.object import expect_parameter

__all__: list[str] = []

IDLE_SIZES = (0x24, 0x1C, 0x18)  # of 1.11, of 1.9, and before
WAKE_SIZES = (0x14, 0x10)  # the second before the two about children
STATE_SIZES = (0x20, 0x1C)  # the second before KMDF 1.31
POWER_DEVICE_MAXIMUM, POWER_DEVICE_D3 = 5, 4
DEFAULT_TIMEOUT = 5_000


@wdf
def WdfDeviceAssignS0IdleSettings(
    guest: Guest, device: Handle[Device], settings: Ptr[WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS] | None
) -> NTSTATUS:
    """WdfDeviceAssignS0IdleSettings: PowerDeviceMaximum is D3, a time-out of 0 the default of 5 s (facts §3.2)."""
    expect_parameter(settings, "Settings", "WdfDeviceAssignS0IdleSettings")
    assert settings is not None
    size = settings.Size
    if size not in IDLE_SIZES:
        return STATUS_INFO_LENGTH_MISMATCH
    given = settings.load(size)
    if given.IdleCaps not in (1, 2, 3) or given.Enabled not in (0, 1, 2) or given.UserControlOfIdleSettings not in (0, 1, 2):
        return STATUS_INVALID_PARAMETER
    state = POWER_DEVICE_D3 if given.DxState == POWER_DEVICE_MAXIMUM else given.DxState
    device.assign_s0_idle_settings(
        S0IdleSettings(given.IdleTimeout or DEFAULT_TIMEOUT, state, enabled=given.Enabled != TriState.WdfFalse)
    )
    return STATUS_SUCCESS


@wdf
def WdfDeviceAssignSxWakeSettings(
    guest: Guest, device: Handle[Device], settings: Ptr[WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS] | None
) -> NTSTATUS:
    """WdfDeviceAssignSxWakeSettings."""
    expect_parameter(settings, "Settings", "WdfDeviceAssignSxWakeSettings")
    assert settings is not None
    if settings.Size not in WAKE_SIZES:
        return STATUS_INFO_LENGTH_MISMATCH
    given = settings.load(settings.Size)
    device.assign_sx_wake_settings(SxWakeSettings(
        given.DxState, given.UserControlOfWakeSettings, given.Enabled, bool(given.ArmForWakeIfChildrenAreArmedForWake),
        bool(given.IndicateChildWakeOnParentWake),
    ))  # fmt: skip
    return STATUS_SUCCESS


@wdf
def WdfDeviceIndicateWakeStatus(guest: Guest, device: Handle[Device], status: ULONG) -> NTSTATUS:
    """WdfDeviceIndicateWakeStatus."""
    device.indicate_wake_status(status)
    return STATUS_SUCCESS


@wdf
def WdfDeviceSetPnpCapabilities(guest: Guest, device: Handle[Device], capabilities: Ptr[WDF_DEVICE_PNP_CAPABILITIES]) -> VOID:
    """WdfDeviceSetPnpCapabilities: another Size is traced, and nothing is set."""
    if capabilities.Size != WDF_DEVICE_PNP_CAPABILITIES.size:
        guest.framework.note(f"WdfDeviceSetPnpCapabilities: Size {capabilities.Size:#x}; nothing is set")
        return
    device.set_pnp_capabilities(PnpCapabilities(*capabilities.load()[1:]))


@wdf
def WdfDeviceSetPowerCapabilities(
    guest: Guest, device: Handle[Device], capabilities: Ptr[WDF_DEVICE_POWER_CAPABILITIES]
) -> VOID:
    """WdfDeviceSetPowerCapabilities: another Size is traced, and nothing is set."""
    if capabilities.Size != WDF_DEVICE_POWER_CAPABILITIES.size:
        guest.framework.note(f"WdfDeviceSetPowerCapabilities: Size {capabilities.Size:#x}; nothing is set")
        return
    given = capabilities.load()
    device.set_power_capabilities(PowerCapabilities(
        given.DeviceD1, given.DeviceD2, (given.WakeFromD0, given.WakeFromD1, given.WakeFromD2, given.WakeFromD3),
        tuple(given.DeviceState), given.DeviceWake, given.SystemWake, (given.D1Latency, given.D2Latency, given.D3Latency),
        given.IdealDxStateForSx,
    ))  # fmt: skip


@wdf
def WdfDeviceSetBusInformationForChildren(guest: Guest, device: Handle[Device], information: PVOID) -> VOID:
    """WdfDeviceSetBusInformationForChildren: PNP_BUS_INFORMATION is a GUID, an INTERFACE_TYPE and a bus number."""
    expect_parameter(information or None, "BusInformation", "WdfDeviceSetBusInformationForChildren")
    kind, number = (int.from_bytes(guest.space.read(information + at, 4), "little") for at in (16, 20))
    device.set_bus_information_for_children(BusInformation(guid(guest.space, information), kind, number))


@wdf
def WdfDeviceGetDeviceState(guest: Guest, device: Handle[Device], state: Ptr[WDF_DEVICE_STATE]) -> VOID:
    """WdfDeviceGetDeviceState: as many members as its Size says there are."""
    size, known = state.Size, device.get_device_state()
    if size not in STATE_SIZES:
        guest.framework.note(f"WdfDeviceGetDeviceState: Size {size:#x}; nothing is filled in")
        return
    state.Disabled, state.DontDisplayInUI, state.Failed = known.disabled, known.dont_display_in_ui, known.failed
    state.NotDisableable, state.Removed, state.ResourcesChanged = known.not_disableable, known.removed, known.resources_changed
    if size == WDF_DEVICE_STATE.size:
        state.AssignedToGuest = known.assigned_to_guest


@wdf
def WdfDeviceSetDeviceState(guest: Guest, device: Handle[Device], state: Ptr[WDF_DEVICE_STATE]) -> VOID:
    """WdfDeviceSetDeviceState."""
    size = state.Size
    if size not in STATE_SIZES:
        guest.framework.note(f"WdfDeviceSetDeviceState: Size {size:#x}; nothing is set")
        return
    values = list(state.load(size)[1:])
    if size != WDF_DEVICE_STATE.size:
        values[-1] = TriState.WdfUseDefault
    device.set_device_state(DeviceState(*values))


@wdf
def WdfDeviceSetStaticStopRemove(guest: Guest, device: Handle[Device], stoppable: BOOLEAN) -> VOID:
    """WdfDeviceSetStaticStopRemove."""
    device.set_static_stop_remove(stoppable)


@wdf
def WdfDeviceSetSpecialFileSupport(guest: Guest, device: Handle[Device], file_type: ULONG, supported: BOOLEAN) -> VOID:
    """WdfDeviceSetSpecialFileSupport."""
    device.set_special_file_support(file_type, supported)


@wdf
def WdfDeviceGetCharacteristics(guest: Guest, device: Handle[Device]) -> ULONG:
    """WdfDeviceGetCharacteristics."""
    return device.get_characteristics()


@wdf
def WdfDeviceSetCharacteristics(guest: Guest, device: Handle[Device], characteristics: ULONG) -> VOID:
    """WdfDeviceSetCharacteristics."""
    device.set_characteristics(characteristics)


@wdf
def WdfDeviceGetAlignmentRequirement(guest: Guest, device: Handle[Device]) -> ULONG:
    """WdfDeviceGetAlignmentRequirement."""
    return device.get_alignment_requirement()


@wdf
def WdfDeviceSetAlignmentRequirement(guest: Guest, device: Handle[Device], alignment: ULONG) -> VOID:
    """WdfDeviceSetAlignmentRequirement."""
    device.set_alignment_requirement(alignment)

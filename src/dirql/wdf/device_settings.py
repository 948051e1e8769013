"""What a driver sets of its device once it is there: capabilities, state, the WDM device object's fields.

Limits: capabilities and wake settings are kept for whoever asks; only a state of failed or removed changes what happens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.ntstatus import StatusError
from dirql.wdf.interrupt_config import TriState
from dirql.wdf.object import Object

if TYPE_CHECKING:
    from dirql.wdf.pnp_state import PnpStateMachine

__all__ = ["BusInformation", "DeviceState", "PnpCapabilities", "PowerCapabilities", "SetDevice", "SxWakeSettings"]

DEFAULT = int(TriState.WdfUseDefault)


@dataclass(frozen=True)
class PnpCapabilities:
    """WDF_DEVICE_PNP_CAPABILITIES; each is a `TriState`."""

    lock_supported: int = DEFAULT
    eject_supported: int = DEFAULT
    removable: int = DEFAULT
    dock_device: int = DEFAULT
    unique_id: int = DEFAULT
    silent_install: int = DEFAULT
    surprise_removal_ok: int = DEFAULT
    hardware_disabled: int = DEFAULT
    no_display_in_ui: int = DEFAULT
    address: int = 0xFFFF_FFFF
    ui_number: int = 0xFFFF_FFFF


@dataclass(frozen=True)
class PowerCapabilities:
    """WDF_DEVICE_POWER_CAPABILITIES: states that the device has and can wake from, each a `TriState`; latencies in 100 µs."""

    device_d1: int = DEFAULT
    device_d2: int = DEFAULT
    wake_from: tuple[int, int, int, int] = (DEFAULT, DEFAULT, DEFAULT, DEFAULT)
    device_state: tuple[int, ...] = (0,) * 7
    device_wake: int = 0
    system_wake: int = 0
    latencies: tuple[int, int, int] = (0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF)
    ideal_dx_state_for_sx: int = 0


@dataclass(frozen=True)
class DeviceState:
    """WDF_DEVICE_STATE; each is a `TriState`."""

    disabled: int = DEFAULT
    dont_display_in_ui: int = DEFAULT
    failed: int = DEFAULT
    not_disableable: int = DEFAULT
    removed: int = DEFAULT
    resources_changed: int = DEFAULT
    assigned_to_guest: int = DEFAULT


@dataclass(frozen=True)
class SxWakeSettings:
    """WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS."""

    dx_state: int = 5
    user_control_of_wake_settings: int = 2
    enabled: int = DEFAULT
    arm_for_wake_if_children_are_armed_for_wake: bool = False
    indicate_child_wake_on_parent_wake: bool = False


@dataclass(frozen=True)
class BusInformation:
    """PNP_BUS_INFORMATION: what children are told that their bus is."""

    bus_type_guid: UUID
    legacy_bus_type: int
    bus_number: int


class SetDevice(Object):
    """The part of a device that its driver sets."""

    pnp: PnpStateMachine
    power_policy_owner: bool
    characteristics: int
    alignment_requirement: int
    static_stop_remove: bool
    pnp_capabilities: PnpCapabilities
    power_capabilities: PowerCapabilities
    device_state: DeviceState
    wake_settings: SxWakeSettings | None
    bus_information: BusInformation | None

    @ddi("WdfDeviceSetPnpCapabilities")
    def set_pnp_capabilities(self, capabilities: PnpCapabilities) -> None:
        """WdfDeviceSetPnpCapabilities."""
        self.pnp_capabilities = capabilities

    @ddi("WdfDeviceSetPowerCapabilities")
    def set_power_capabilities(self, capabilities: PowerCapabilities) -> None:
        """WdfDeviceSetPowerCapabilities."""
        self.power_capabilities = capabilities

    @ddi("WdfDeviceSetBusInformationForChildren")
    def set_bus_information_for_children(self, information: BusInformation) -> None:
        """WdfDeviceSetBusInformationForChildren."""
        self.bus_information = information

    @ddi("WdfDeviceGetDeviceState")
    def get_device_state(self) -> DeviceState:
        """WdfDeviceGetDeviceState."""
        return self.device_state

    @ddi("WdfDeviceSetDeviceState")
    def set_device_state(self, state: DeviceState) -> None:
        """WdfDeviceSetDeviceState, and IoInvalidateDeviceState: a device that says it failed or is removed goes."""
        self.device_state = state
        if TriState.WdfTrue in (state.failed, state.removed):
            self.pnp.set_failed(False)
        elif state.resources_changed == TriState.WdfTrue:
            self.framework.note(f"WdfDeviceSetDeviceState of {self.name}: ResourcesChanged starts no rebalance by itself")
            self.device_state = replace(state, resources_changed=DEFAULT)

    @ddi("WdfDeviceAssignSxWakeSettings")
    def assign_sx_wake_settings(self, settings: SxWakeSettings) -> None:
        """WdfDeviceAssignSxWakeSettings, for the power policy owner: kept, since the system never sleeps."""
        if not self.power_policy_owner:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{self.name} is not its power policy owner")
        if settings.dx_state not in (2, 3, 4, 5):
            why = f"WdfDeviceAssignSxWakeSettings: DxState {settings.dx_state} is not D1 to D3 or the maximum (2 to 5)"
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)
        self.wake_settings = settings

    @ddi("WdfDeviceIndicateWakeStatus")
    def indicate_wake_status(self, wait_wake_status: int) -> None:
        """WdfDeviceIndicateWakeStatus: STATUS_INVALID_DEVICE_REQUEST, since no wait-wake request is ever there."""
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{self.name} is not armed for wake; dirql models no wake")

    @ddi("WdfDeviceSetStaticStopRemove")
    def set_static_stop_remove(self, stoppable: bool) -> None:
        """WdfDeviceSetStaticStopRemove: False vetoes every query-stop and query-remove."""
        self.static_stop_remove = stoppable

    @ddi("WdfDeviceSetSpecialFileSupport")
    def set_special_file_support(self, file_type: int, supported: bool) -> None:
        """WdfDeviceSetSpecialFileSupport: no paging, hibernation or dump file is ever put on it."""

    @ddi("WdfDeviceGetCharacteristics")
    def get_characteristics(self) -> int:
        """WdfDeviceGetCharacteristics."""
        return self.characteristics

    @ddi("WdfDeviceSetCharacteristics")
    def set_characteristics(self, characteristics: int) -> None:
        """WdfDeviceSetCharacteristics."""
        self.characteristics = characteristics

    @ddi("WdfDeviceGetAlignmentRequirement")
    def get_alignment_requirement(self) -> int:
        """WdfDeviceGetAlignmentRequirement: FILE_…_ALIGNMENT, the alignment less one."""
        return self.alignment_requirement

    @ddi("WdfDeviceSetAlignmentRequirement")
    def set_alignment_requirement(self, alignment_requirement: int) -> None:
        """WdfDeviceSetAlignmentRequirement."""
        self.alignment_requirement = alignment_requirement

    @ddi("WdfDeviceGetSystemPowerAction")
    def get_system_power_action(self) -> int:
        """WdfDeviceGetSystemPowerAction: PowerActionNone."""
        return 0

"""WDFDEVICE_INIT: what a driver says of a device before it is created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from dirql.ddi import ddi
from dirql.wdf.framework import Framework

if TYPE_CHECKING:
    from dirql.wdf.device import Device
    from dirql.wdf.driver import Driver

__all__ = ["DeviceInit", "Pdo"]


class Pdo(Protocol):
    """The bus driver's end of the stack: what a function driver sends down to it."""

    @property
    def name(self) -> str:
        """For reports."""

    def set_power(self, state: int) -> None:
        """Device power state 0 to 3 (D0 to D3): context is saved on the way down and restored on the way up."""

    def query_interface(self, guid: UUID) -> Any:
        """The interface behind a GUID; None when the bus has none."""

    def device_failed(self, status: int, attempt_restart: bool) -> None:
        """IoInvalidateDeviceState of a failed device: to be removed, and enumerated again if that is wanted."""


class DeviceInit:
    """PWDFDEVICE_INIT, valid until WdfDeviceCreate has taken it."""

    def __init__(self, framework: Framework, driver: Driver, pdo: Pdo) -> None:
        self.framework = framework
        self.machine = framework.machine
        self.driver, self.pdo = driver, pdo
        self.device: Device | None = None
        self.power_pageable = True
        self.power_policy_owner = True
        self.io_type = "buffered"

    @ddi("WdfDeviceInitSetPowerNotPageable")
    def set_power_not_pageable(self) -> None:
        """WdfDeviceInitSetPowerNotPageable: interrupts stay connected in Dx (facts §3.2)."""
        self.power_pageable = False

    @ddi("WdfDeviceInitSetPowerPageable")
    def set_power_pageable(self) -> None:
        """WdfDeviceInitSetPowerPageable: the default."""
        self.power_pageable = True

    @ddi("WdfDeviceInitSetPowerPolicyOwnership")
    def set_power_policy_ownership(self, owner: bool) -> None:
        """WdfDeviceInitSetPowerPolicyOwnership: a function driver owns it by default."""
        self.power_policy_owner = owner

    @ddi("WdfDeviceInitSetIoType")
    def set_io_type(self, io_type: str) -> None:
        """WdfDeviceInitSetIoType: "buffered", "direct" or "neither"."""
        self.io_type = io_type

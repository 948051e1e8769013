"""WDFDMAENABLER: what a device can do by DMA (facts §3.1 step 9, §3.2).

Limits: no IOMMU: a logical address is a physical one; no system DMA (WdfDmaProfileSystem); all RAM lies below 4 GiB, so 32-bit
and 64-bit profiles behave alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.errors import NotModelled
from dirql.ntstatus import StatusError
from dirql.wdf.creation import required_parent, validate
from dirql.wdf.object import Object, ObjectAttributes, expect, expect_parameter

if TYPE_CHECKING:
    from dirql.wdf.device import Device
    from dirql.wdf.dma_transaction import DmaTransaction

__all__ = ["UNLIMITED_FRAGMENTS", "DmaDirection", "DmaEnabler", "DmaEnablerConfig", "DmaProfile"]

UNLIMITED_FRAGMENTS = 0xFFFF_FFFF  # WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS


class DmaProfile(IntEnum):
    """WDF_DMA_PROFILE."""

    Invalid = 0
    Packet = 1
    ScatterGather = 2
    Packet64 = 3
    ScatterGather64 = 4
    ScatterGatherDuplex = 5
    ScatterGather64Duplex = 6
    System = 7
    SystemDuplex = 8


class DmaDirection(IntEnum):
    """WDF_DMA_DIRECTION."""

    ReadFromDevice = 0
    WriteToDevice = 1


@dataclass(frozen=True)
class DmaEnablerConfig:
    """WDF_DMA_ENABLER_CONFIG. `evt_dma_enabler_…` are called on the way into D0 and out of it."""

    profile: int
    maximum_length: int
    evt_dma_enabler_fill: Callable[[DmaEnabler], int | None] | None = None
    evt_dma_enabler_flush: Callable[[DmaEnabler], int | None] | None = None
    evt_dma_enabler_disable: Callable[[DmaEnabler], int | None] | None = None
    evt_dma_enabler_enable: Callable[[DmaEnabler], int | None] | None = None
    evt_dma_enabler_self_managed_io_start: Callable[[DmaEnabler], int | None] | None = None
    evt_dma_enabler_self_managed_io_stop: Callable[[DmaEnabler], int | None] | None = None
    address_width_override: int = 0


class DmaEnabler(Object):
    """WDFDMAENABLER. A packet profile has one channel: one transaction at a time, the others wait their turn."""

    kind = "WDFDMAENABLER"

    def __init__(self, device: Device, config: DmaEnablerConfig, attributes: ObjectAttributes | None) -> None:
        super().__init__(device.framework, device, attributes)
        self.of_device = device
        self.config = config
        self.packet = config.profile in (DmaProfile.Packet, DmaProfile.Packet64)
        self.maximum_elements = UNLIMITED_FRAGMENTS
        self.channel: DmaTransaction | None = None
        self.waiting: deque[DmaTransaction] = deque()
        self.enabled = False

    @classmethod
    @ddi_create("WdfDmaEnablerCreate")
    def create(cls, device: Device, config: DmaEnablerConfig, attributes: ObjectAttributes | None = None) -> DmaEnabler:
        """WdfDmaEnablerCreate. Its parent is the device."""
        from dirql.wdf.device import Device as DeviceClass

        name = "WdfDmaEnablerCreate"
        expect(device, DeviceClass, name)
        expect_parameter(config, "Config", name)
        validate(cls.kind, attributes)
        if required_parent(device, attributes, name).device is not device:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: the parent is not below {device.name}")
        if config.maximum_length <= 0:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: MaximumLength is {config.maximum_length:#x}")
        if not DmaProfile.Packet <= config.profile <= DmaProfile.SystemDuplex:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: profile {config.profile} is not a WDF_DMA_PROFILE")
        if config.profile >= DmaProfile.System:
            raise NotModelled(
                f"{name}: system DMA ({DmaProfile(config.profile).name}) is not modelled; PCIe functions are bus masters"
            )
        enabler = cls(device, config, attributes)
        device.dma_enablers.append(enabler)
        if device.in_d0:
            enabler.power_up()
        return enabler

    @ddi("WdfDmaEnablerGetMaximumLength")
    def get_maximum_length(self) -> int:
        """WdfDmaEnablerGetMaximumLength."""
        return self.config.maximum_length

    @ddi("WdfDmaEnablerGetFragmentLength")
    def get_fragment_length(self, direction: DmaDirection) -> int:
        """WdfDmaEnablerGetFragmentLength: map registers are not scarce here, so it is the maximum length."""
        return self.config.maximum_length

    @ddi("WdfDmaEnablerGetMaximumScatterGatherElements")
    def get_maximum_scatter_gather_elements(self) -> int:
        """WdfDmaEnablerGetMaximumScatterGatherElements."""
        return self.maximum_elements

    @ddi("WdfDmaEnablerSetMaximumScatterGatherElements")
    def set_maximum_scatter_gather_elements(self, maximum_elements: int) -> None:
        """WdfDmaEnablerSetMaximumScatterGatherElements: a transfer that needs more fails with STATUS_WDF_TOO_FRAGMENTED."""
        if maximum_elements <= 0:
            routine = "WdfDmaEnablerSetMaximumScatterGatherElements"
            sentence = f"{routine} of {self.name}: {maximum_elements} is not above 0; the limit stays"
            self.framework.complain("dma-elements", sentence)
            return
        self.maximum_elements = maximum_elements

    def power_up(self) -> int:
        """Fill, Enable, SelfManagedIoStart; an NTSTATUS, the first failure's (facts §3.1 step 9)."""
        config = self.config
        for name, callback in (
            ("EvtDmaEnablerFill", config.evt_dma_enabler_fill),
            ("EvtDmaEnablerEnable", config.evt_dma_enabler_enable),
            ("EvtDmaEnablerSelfManagedIoStart", config.evt_dma_enabler_self_managed_io_start),
        ):
            status = self._call(name, callback)
            if not ntstatus.nt_success(status):
                return status
        self.enabled = True
        return ntstatus.STATUS_SUCCESS

    def power_down(self) -> int:
        """SelfManagedIoStop, Flush, Disable: all of them, whatever the ones before returned (facts §3.2)."""
        self.enabled = False
        config = self.config
        statuses = [
            self._call("EvtDmaEnablerSelfManagedIoStop", config.evt_dma_enabler_self_managed_io_stop),
            self._call("EvtDmaEnablerFlush", config.evt_dma_enabler_flush),
            self._call("EvtDmaEnablerDisable", config.evt_dma_enabler_disable),
        ]
        return next((s for s in statuses if not ntstatus.nt_success(s)), ntstatus.STATUS_SUCCESS)

    def on_cleanup(self) -> None:
        """The device forgets it."""
        if self in self.of_device.dma_enablers:
            self.of_device.dma_enablers.remove(self)

    def _call(self, name: str, callback: Callable[..., Any] | None) -> int:
        return ntstatus.STATUS_SUCCESS if callback is None else self.framework.status(name, self, callback, self)

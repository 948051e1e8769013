"""A device's way into D0 and out of it, step by step, and how every failure unwinds (facts §3.1 steps 6–11, §3.2, §3.5)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.kernel.wait import Event, EventType, wait
from dirql.wdf.afterwards import tell_of_dpcs_after_d0_exit
from dirql.wdf.interrupt import Interrupt, report_inactive_default
from dirql.wdf.interrupt_connection import connect, disable, disconnect, enable, record_failure
from dirql.wdf.interrupt_service import tell_if_not_quiet

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["PowerDeviceState", "PowerSequence"]


class PowerDeviceState(IntEnum):
    """WDF_POWER_DEVICE_STATE."""

    D0 = 1
    D1 = 2
    D2 = 3
    D3 = 4
    D3Final = 5


class PowerSequence:
    """Power-up and power-down of one device. One transition at a time: whoever comes second waits."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.state = PowerDeviceState.D3Final
        self.io_started = False
        self.self_managed_io_inited = False
        self._free = Event(device.framework.kernel, EventType.SynchronizationEvent, True, f"{device.name} power transition")

    def enter(self) -> None:
        """Before a transition: wait until no other one is under way."""
        wait(self.device.framework.kernel, [self._free], False, None)

    def leave(self) -> None:
        """After a transition."""
        self._free.state = True
        self._free.signal()

    def up(self) -> int:
        """To D0. A failure is unwound here, up to and without EvtDeviceReleaseHardware; the NTSTATUS tells who failed."""
        device, previous = self.device, self.state
        for interrupt in device.interrupts:
            if interrupt.ready:  # stayed connected in Dx: from here on it is too early until EvtInterruptEnable
                interrupt.ready = True
        if device.callback("evt_device_d0_entry", "EvtDeviceD0Entry", previous) & 0x80000000:
            return ntstatus.STATUS_DEVICE_POWER_FAILURE
        self.state = PowerDeviceState.D0
        if not self._connect_interrupts():
            return self._fail_after_interrupts(disable_them=False)
        status = device.callback("evt_device_d0_entry_post_interrupts_enabled", "EvtDeviceD0EntryPostInterruptsEnabled", previous)
        if not ntstatus.nt_success(status):
            return self._fail_after_interrupts(disable_them=True)
        for index, enabler in enumerate(device.dma_enablers):
            if not ntstatus.nt_success(enabler.power_up()):
                for started in reversed(device.dma_enablers[: index + 1]):
                    started.power_down()
                return self._fail_before_exit_pre()
        return self._start_io()

    def down(self, target: PowerDeviceState) -> None:
        """To Dx or out of the machine. Every callback is called, whatever the ones before it returned: that is recorded."""
        device = self.device
        if self.self_managed_io_inited:
            self._record("evt_device_self_managed_io_suspend", "EvtDeviceSelfManagedIoSuspend")
        self._stop_queues()
        for enabler in reversed(device.dma_enablers):
            enabler.power_down()
        self._record("evt_device_d0_exit_pre_interrupts_disabled", "EvtDeviceD0ExitPreInterruptsDisabled", target)
        final = target == PowerDeviceState.D3Final
        for interrupt in reversed(device.interrupts):
            self._interrupt_down(interrupt, final)
        self._record("evt_device_d0_exit", "EvtDeviceD0Exit", target)
        self.state = target
        for interrupt in device.interrupts:
            tell_if_not_quiet(interrupt)
        if device.power_pageable:
            tell_of_dpcs_after_d0_exit(device)

    def disconnect_what_is_left(self) -> None:
        """Before EvtDeviceReleaseHardware, and without EvtInterruptDisable: what stayed connected in Dx when the device is
        stopped or removed from there, or does not come back (facts §3.3, §3.5)."""
        for interrupt in reversed(self.device.interrupts):
            disconnect(interrupt)
        self.state = PowerDeviceState.D3Final

    def force_disconnect(self, interrupt: Interrupt) -> None:
        """WdfInterruptDisable."""
        interrupt.force_disconnected = True
        pageable = self.device.power_pageable
        disable(interrupt, stays=not pageable)
        if pageable:
            disconnect(interrupt)

    def force_reconnect(self, interrupt: Interrupt) -> None:
        """WdfInterruptEnable. In Dx the next power-up does it; when EvtInterruptEnable fails it is disconnected again."""
        interrupt.force_disconnected = False
        if self.state != PowerDeviceState.D0 or interrupt.enabled or not ntstatus.nt_success(connect(interrupt)):
            return
        if not ntstatus.nt_success(enable(interrupt)):
            disconnect(interrupt)

    def _connect_interrupts(self) -> bool:
        """Each in creation order: connected and enabled before the next is connected (facts §3.1 step 7). After a failure none
        is connected, those included that stayed so in Dx; EvtInterruptDisable is for those that were enabled (§3.5).

        Model choice: one that WdfInterruptEnable connected in EvtDeviceD0Exit, behind the way down, stays so in Dx and is left
        alone here, so that EvtInterruptEnable and EvtInterruptDisable come in turns.
        """
        for interrupt in self.device.interrupts:
            if interrupt.force_disconnected or interrupt.enabled:
                continue
            if not (ntstatus.nt_success(connect(interrupt)) and ntstatus.nt_success(enable(interrupt))):
                self._interrupts_down()
                return False
        return True

    def _interrupts_down(self) -> None:
        for interrupt in reversed(self.device.interrupts):
            self._interrupt_down(interrupt, final=True)

    def _interrupt_down(self, interrupt: Interrupt, final: bool) -> None:
        stays = not final and not self.device.power_pageable
        disable(interrupt, stays=stays)
        if stays:
            return
        if not final and report_inactive_default(interrupt.config):
            interrupt.set_active(False)
        else:
            disconnect(interrupt)

    def _record(self, name: str, documented: str, *args: int) -> None:
        status = self.device.callback(name, documented, *args)
        if not ntstatus.nt_success(status):
            record_failure(self.device, documented, status)

    def _start_io(self) -> int:
        device = self.device
        self.io_started = True
        for queue in device.queues:
            queue.power_start()
        if self.self_managed_io_inited:
            status = device.callback("evt_device_self_managed_io_restart", "EvtDeviceSelfManagedIoRestart")
        else:
            status = device.callback("evt_device_self_managed_io_init", "EvtDeviceSelfManagedIoInit")
        if ntstatus.nt_success(status):
            self.self_managed_io_inited = True
            return ntstatus.STATUS_SUCCESS
        self._stop_queues()
        for enabler in reversed(device.dma_enablers):
            enabler.power_down()
        return self._fail_before_exit_pre()

    def _stop_queues(self) -> None:
        self.io_started = False
        for queue in reversed(self.device.queues):
            queue.power_stop()

    def _fail_before_exit_pre(self) -> int:
        target = PowerDeviceState.D3Final
        self._record("evt_device_d0_exit_pre_interrupts_disabled", "EvtDeviceD0ExitPreInterruptsDisabled", target)
        return self._fail_after_interrupts(disable_them=True)

    def _fail_after_interrupts(self, *, disable_them: bool) -> int:
        if disable_them:
            self._interrupts_down()
        self._record("evt_device_d0_exit", "EvtDeviceD0Exit", PowerDeviceState.D3Final)
        self.state = PowerDeviceState.D3Final
        return ntstatus.STATUS_DEVICE_POWER_FAILURE

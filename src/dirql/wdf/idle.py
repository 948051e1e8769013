"""S0 idle: a device that powers down when nothing uses it and back up when something does (facts §3.2; §3.3).

Limits: idle time-outs only; no wake from S0 by the device's own signal (IdleUsbSelectiveSuspend, IdleCanWakeFromS0 act as
IdleCannotWakeFromS0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.errors import UsageError
from dirql.kernel.dpc import Kdpc
from dirql.kernel.timer import Ktimer
from dirql.kernel.wait import Event, wait

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["Idle", "S0IdleSettings"]

MAXULONG = 0xFFFF_FFFF


@dataclass(frozen=True)
class S0IdleSettings:
    """WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS: `idle_timeout` in milliseconds (default: IdleTimeoutDefaultValue, 5 s),
    `dx_state` 2 to 4 for D1 to D3."""

    idle_timeout: int = 5_000
    dx_state: int = 4
    enabled: bool = True


class Idle:
    """Power references of one device, and the timer that runs while there are none."""

    def __init__(self, device: Device) -> None:
        self.device = device
        kernel = device.framework.kernel
        self.references = 0
        self.settings: S0IdleSettings | None = None
        self._started = self._gone = False
        self._work_queued = False
        self._timer = Ktimer(kernel, name=f"{device.name} idle")
        self._dpc = Kdpc(kernel, self._timed_out, None, f"{device.name} idle")
        self._dpc.guarded = True
        self._in_d0 = Event(kernel, name=f"{device.name} in D0")

    def assign(self, settings: S0IdleSettings) -> None:
        """The driver's settings."""
        if not 2 <= settings.dx_state <= 4:
            raise ntstatus.StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"DxState {settings.dx_state} is not D1 to D3 (2 to 4)")
        timeout = settings.idle_timeout
        if not (isinstance(timeout, int) and 0 <= timeout <= MAXULONG):
            limit = f"IdleTimeout is a ULONG of milliseconds, 0 to {MAXULONG:#x}"
            raise UsageError(f"WdfDeviceAssignS0IdleSettings: idle_timeout {timeout!r:.40}; {limit}")
        self.settings = settings
        self._restart_timer()

    def begin(self) -> None:
        """The device is started."""
        self._started = True
        self._arrived()

    def end(self, *, gone: bool) -> None:
        """The device is being stopped, or is `gone`: it failed or is removed, and whoever waits for D0 waits in vain."""
        self._started, self._gone = False, gone
        self._timer.stop()
        if gone:
            self._wake()

    def stop_idle(self, wait_for_d0: bool) -> int:
        """One more reason to be in D0; none when the device is gone. Before the first start, success (model choice)."""
        if self._gone:
            return ntstatus.STATUS_POWER_STATE_INVALID
        self.references += 1
        self._timer.stop()
        if self._in_d0.state or not self._started:
            return ntstatus.STATUS_SUCCESS
        self._queue_power_up()
        if not wait_for_d0:
            return ntstatus.STATUS_PENDING
        wait(self.device.framework.kernel, [self._in_d0], False, None)
        if not self._gone:
            return ntstatus.STATUS_SUCCESS
        self.references -= 1
        return ntstatus.STATUS_POWER_STATE_INVALID

    def resume_idle(self) -> None:
        """One reason less; complained of when there was none. What a device that is gone held is of no interest any more."""
        if not self.references and self._gone:
            return
        if not self.references:
            sentence = f"WdfDeviceResumeIdle on {self.device.name} without WdfDeviceStopIdle"
            self.device.framework.complain("resume-idle-unbalanced", sentence)
            return
        self.references -= 1
        self._restart_timer()

    def _restart_timer(self) -> None:
        self._timer.stop()
        settings = self.settings
        if settings is not None and settings.enabled and self._started and not self.references and self._in_d0.state:
            self._timer.set(settings.idle_timeout * 1_000_000, 0, self._dpc)

    def _timed_out(self, dpc: Kdpc, context: Any, a: Any, b: Any) -> None:
        self.device.framework.kernel.work.queue(self._power_down, None)

    def _power_down(self, _: Any) -> None:
        from dirql.wdf.power_state import PowerDeviceState

        device, settings = self.device, self.settings
        device.power.enter()
        if self._started and not self.references and settings is not None and device.power.state == PowerDeviceState.D0:
            self._in_d0.state = False
            device.power.down(PowerDeviceState(settings.dx_state))
            device.pdo.set_power(settings.dx_state - 1)
        device.power.leave()
        if self.references and self._started and not self._in_d0.state:
            self._queue_power_up()

    def _queue_power_up(self) -> None:
        if not self._work_queued:
            self._work_queued = True
            self.device.framework.kernel.work.queue(self._power_up, None)

    def _power_up(self, _: Any) -> None:
        from dirql.wdf.power_state import PowerDeviceState

        device = self.device
        device.power.enter()
        self._work_queued = False
        if self._started and device.power.state != PowerDeviceState.D0:
            device.pdo.set_power(0)
            if ntstatus.nt_success(device.power.up()):
                self._arrived()
            else:
                device.pnp.power_up_failed()
        device.power.leave()

    def _arrived(self) -> None:
        self._wake()
        self._restart_timer()

    def _wake(self) -> None:
        self._in_d0.state = True
        self._in_d0.signal()

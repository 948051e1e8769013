"""What a device leaves behind: work that outlives its hardware, objects that each start makes again.

Limits: request callbacks are not looked at: power-managed queues present nothing after EvtDeviceReleaseHardware, and others
may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dirql.findings import Level
from dirql.wdf.object import Object

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["Makings", "kinds", "made_since", "tell_if_released", "tell_of_dpcs_after_d0_exit", "tell_of_dpcs_after_release"]


def tell_if_released(who: Object, callback: str) -> None:
    """A callback of `who`'s begins; a device that is only stopped, for a rebalance, may yet be glad of it."""
    device = who.device
    if device is not None and device.hardware_released:
        sentence = f"{callback} of {who.name} runs after EvtDeviceReleaseHardware of {device.name}"
        machine = device.machine
        level: Level = "warning" if device.pnp.state.value == "Stopped" else "error"
        machine.note_finding("work-after-release", f"{sentence}; stop it before that, and wait for it", machine.where(), level)


def tell_of_dpcs_after_d0_exit(device: Device) -> None:
    """EvtDeviceD0Exit has returned."""
    _tell_of_dpcs(device, "dpc-after-d0-exit", "EvtDeviceD0Exit")


def tell_of_dpcs_after_release(device: Device) -> None:
    """EvtDeviceReleaseHardware has returned."""
    _tell_of_dpcs(device, "work-after-release", "EvtDeviceReleaseHardware")


def _tell_of_dpcs(device: Device, rule: str, after: str) -> None:
    for interrupt in device.interrupts:
        dpc = interrupt.kdpc
        if device.machine.watch is not None:
            device.machine.watch.may_change(dpc)  # a moment earlier or later it may be otherwise
        if dpc.queued_on is not None or dpc.running:
            state = "still queued" if dpc.queued_on is not None else "still running"
            sentence = f"the DPC of {interrupt.name} is {state} when {after} of {device.name} has returned"
            device.framework.complain(rule, f"{sentence}; mask the device in EvtInterruptDisable, for certain")


class Makings:
    """What EvtDevicePrepareHardware makes. When it makes again what is still there from last time, that is a leak."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._before = 0
        self._made: list[Object] = []

    def begin(self) -> None:
        """The callback is about to be called."""
        self._before = self._device.framework.last_handle

    def end(self) -> None:
        """It has returned."""
        device = self._device
        left = [o for o in self._made if not o.deleting]
        self._made = made_since(device.driver, self._before, device)
        again = Counter(o.kind for o in self._made)
        piled = [o for o in left if again[o.kind]]
        if piled:
            sentence = f"EvtDevicePrepareHardware of {device.name} makes {kinds(piled)} again"
            remedy = "delete them in EvtDeviceReleaseHardware"
            device.framework.complain("object-leak", f"{sentence}, and those of the last start are still there; {remedy}")


def made_since(root: Object, handle: int, device: Device | None = None) -> list[Object]:
    """What is below `root` and was made after the object of `handle`; with a device, not what is below another one."""
    return [o for o in _below(root, device) if o.handle > handle]


def kinds(objects: list[Object]) -> str:
    """`2 WDFSPINLOCK, 1 WDFMEMORY`."""
    return ", ".join(f"{count} {kind}" for kind, count in Counter(o.kind for o in objects).items())


def _below(root: Object, device: Device | None) -> Iterator[Object]:
    waiting = list(root.children)
    while waiting:
        child = waiting.pop()
        if device is None or child.device is None or child.device is device:
            yield child
            waiting += child.children

"""WDFIOTARGET: the device below, as something that a driver can ask for.

Limits: nothing can be sent to it; whoever tries is told so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.wdf.object import Object

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["IoTarget"]


class IoTarget(Object):
    """WDFIOTARGET: a device's default one."""

    kind = "WDFIOTARGET"
    deletable = False

    def __init__(self, device: Device) -> None:
        super().__init__(device.framework, device, None, f"the default I/O target of {device.name}")

"""`Sys`: the class of devices that routines made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dirql import ntstatus, wdf
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.strings import unicode_string
from dirql.hosts.sys.structs import Struct
from dirql.pnp.inf import Inf

INF = r"""
[Version]
Signature = "$WINDOWS NT$"
Class = Net
ClassGuid = {4d36e972-e325-11ce-bfc1-08002be10318}
[Manufacturer]
P = Cards,NTamd64
[Cards.NTamd64]
A card = Install, PCI\VEN_1234&DEV_4D51
[Install.NT]
[Install.NT.HW]
AddReg = Hardware
[Hardware]
HKR, , Depth, 0x00010001, 7
HKR, , Label, 0x00000000, "left"
HKR, Interrupt Management\MessageSignaledInterruptProperties, MSISupported, 0x00010001, 1
"""


class Sys:
    """A device that was made by calls of routines, as an image's EvtDriverDeviceAdd makes them; `before` gets the init."""

    def __init__(self, world: Any, before: Callable[[Sys, int], None] | None = None) -> None:
        self.world, self.guest, self.space = world, world.guest, world.guest.space
        outer = self

        class Image(wdf.Driver):
            def evt_driver_device_add(self, init: wdf.DeviceInit) -> int:
                if before is not None:
                    before(outer, outer.guest.handle(init))
                pointer = outer.data(outer.guest.handle(init).to_bytes(8, "little"))
                out = outer.data(bytes(8))
                status = outer("WdfDeviceCreate", pointer, 0, out)
                assert outer.number(pointer, 8) == 0
                outer.handle = outer.number(out, 8)
                return status

        self.handle = 0
        self.driver = world.system.load(Image, Inf.parse(INF.encode()))
        assert world.system.start() == wdf.STATUS_SUCCESS
        self.device = world.system.device(world.card)

    def __call__(self, name: str, *arguments: int) -> int:
        """A routine on the calling thread, or on one of its own."""
        machine = self.world.system.machine
        if machine.cpu is machine.nobody:
            return int(self.world.routine(f"wdf!{name}", 0, *arguments))
        return int(self.guest.call(self.guest.stubs.address(f"wdf!{name}", ROUTINES[f"wdf!{name}"]), 0, *arguments))

    def data(self, data: bytes, room: int = 0) -> int:
        """Bytes in the driver's memory."""
        region = self.space.allocate(Area.BUFFER, max(len(data), room, 8), "test data")
        self.space.write(region.start, data)
        return int(region.start)

    def struct(self, type_: type[Struct], **values: Any) -> int:
        """A structure in the driver's memory, its Size filled in."""
        return self.data(bytes(type_.new(**({"Size": type_.size} | values))))

    def text(self, value: str) -> int:
        """A UNICODE_STRING."""
        return int(unicode_string(self.space, value, "test text").address)

    def number(self, address: int, size: int = 4) -> int:
        """What is stored there."""
        return int.from_bytes(self.space.read(address, size), "little")

    def bytes_of(self, memory: int) -> bytes:
        """What a memory object holds."""
        return bytes(self.world.system.call(self.guest.objects[memory].get_buffer))

    def made(self, name: str, *arguments: int) -> int:
        """A routine whose last argument is where a handle goes; the handle."""
        out = self.data(bytes(8))
        status = self(name, *arguments, out)
        assert status == 0, ntstatus.name_of(status)
        return self.number(out, 8)


@pytest.fixture(scope="session", name="Sys")
def sys_class() -> type[Sys]:
    """`Sys(world, …)` makes and starts a device."""
    return Sys

"""DEVICE_OBJECT and FILE_OBJECT as a driver's code sees them, and the way back to what they stand for.

Those of an image's devices form stacks on the PDO's (`dirql.hosts.sys.device_objects`). `guest.behind[address]` is the `Device`
of a function (or child) device object, the `DevNode` of a PDO, the `OpenFile` of a file object. The framework is authoritative
for all fields, and AlignmentRequirement and Characteristics follow the device each time that somebody asks for the structure;
what a driver writes to them has no effect. DeviceExtension is opaque (a NULL pointer), as are the queues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.device_objects import DeviceObjects
from dirql.hosts.sys.driver import SysDriver
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, DRIVER_OBJECT, FILE_OBJECT
from dirql.hosts.sys.strings import unicode_string
from dirql.wdf.device import Device

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest
    from dirql.wdf.file_object import OpenFile

__all__ = ["WdmViews"]

IO_TYPE_FILE = 5
DO_BUFFERED_IO, DO_DIRECT_IO, DO_BUS_ENUMERATED_DEVICE, DO_POWER_PAGABLE = 0x4, 0x10, 0x1000, 0x2000


class WdmViews:
    """A component of the guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._devices: WeakKeyDictionary[Device, int] = WeakKeyDictionary()

    def device_object(self, device: Device) -> int:
        """The address of a framework device's DEVICE_OBJECT."""
        guest = self.guest
        flags = {"buffered": DO_BUFFERED_IO, "direct": DO_DIRECT_IO}.get(device.io_type, 0)
        flags |= DO_POWER_PAGABLE if device.power_pageable else 0
        flags |= DO_BUS_ENUMERATED_DEVICE if device.is_pdo else 0
        address = self._devices.get(device)
        if address is None:
            objects = guest.part(DeviceObjects)
            driver = device.driver.driver_object.address if isinstance(device.driver, SysDriver) else self._no_driver()
            made = objects.new(driver, 0, device.name, device.device_type, device.characteristics)
            address = self._devices[device] = made.view.address
            made.view.Flags = flags
            guest.behind[address] = device
            if not device.is_pdo:
                objects.attach(address, self.physical(device))
        view = DEVICE_OBJECT(guest.space, address)
        view.AlignmentRequirement, view.Characteristics = device.alignment_requirement, device.characteristics
        return address

    def physical(self, device: Device) -> int:
        """The address of the PDO's."""
        return self.device_object(device) if device.is_pdo else self.pdo(device.pdo)

    def pdo(self, node: Any) -> int:
        """The same of what the bus enumerated."""
        return self.guest.part(DeviceObjects).pdo(node)

    def file_object(self, file: OpenFile) -> int:
        """The address of an open file's FILE_OBJECT."""
        guest = self.guest
        made = FILE_OBJECT.new(
            Type=IO_TYPE_FILE, Size=FILE_OBJECT.size, DeviceObject=self.physical(file.device), Flags=file.flags,
            ReadAccess=True, WriteAccess=True,
        )  # fmt: skip
        address = guest.structure(file, bytes(made), f"a FILE_OBJECT of {file.device.name}")
        view = FILE_OBJECT(guest.space, address)
        if file.file_name and not view.FileName.Buffer:
            name = unicode_string(guest.space, file.file_name, "a file's name")
            view.FileName.Length, view.FileName.MaximumLength, view.FileName.Buffer = name.Length, name.MaximumLength, name.Buffer
        return address

    def _no_driver(self) -> int:
        """For a device whose driver is no image: a driver object that nothing is in."""
        return self.guest.space.allocate(Area.KERNEL, DRIVER_OBJECT.size, "a DRIVER_OBJECT of no image").start

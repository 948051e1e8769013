"""DEVICE_OBJECT structures in the driver's memory, and the stacks that they form.

The structure is authoritative for Flags, StackSize, AttachedDevice, DeviceExtension and NextDevice, which drivers read and
write; who is attached to whom downwards is kept here, as in Windows' private part.
`pdo(node)` is the bus driver's device object of an enumerated function: its dispatch routines lead to the PnP manager's own
node. Limits: names are kept for messages only; no security, no VPB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, DRIVER_OBJECT
from dirql.pnp.manager import DevNode

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["DO_DEVICE_INITIALIZING", "MAJORS", "DeviceObjects", "MadeDevice", "every_major"]

IO_TYPE_DEVICE, IO_TYPE_DRIVER = 3, 4
DO_DEVICE_INITIALIZING = 0x80
DO_BUS_ENUMERATED_DEVICE = 0x1000
FILE_DEVICE_UNKNOWN = 0x22
MAJORS = DRIVER_OBJECT.offset("MajorFunction")
MAJOR_FUNCTIONS = 28  # IRP_MJ_MAXIMUM_FUNCTION + 1


@dataclass
class MadeDevice:
    """A device object: its structure, whose it is, and what it is attached to."""

    view: DEVICE_OBJECT
    region: Region
    driver: int  # the address of its DRIVER_OBJECT
    name: str
    below: int = 0
    node: DevNode | None = None  # of a PDO


class DeviceObjects:
    """`guest.part(DeviceObjects)`."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._space = guest.space
        self._made: dict[int, MadeDevice] = {}
        self._pdos: dict[int, int] = {}  # by the id of the node
        self._bus_driver = 0
        self.bus_dispatch: Callable[[DevNode, int], int] = lambda node, irp: 0  # the bus driver's, with the IRP's address

    def new(
        self, driver: int, extension: int, name: str, type_: int = FILE_DEVICE_UNKNOWN, characteristics: int = 0
    ) -> MadeDevice:
        """IoCreateDevice: the extension follows the structure, and is zero."""
        length = DEVICE_OBJECT.size + extension
        region = self._space.allocate(Area.POOL, length, f"the DEVICE_OBJECT {name}", at_end=True)
        view = DEVICE_OBJECT(self._space, region.start)
        driver_object = DRIVER_OBJECT(self._space, driver)
        view.store(
            Type=IO_TYPE_DEVICE, Size=length & 0xFFFF, DriverObject=driver, NextDevice=driver_object.DeviceObject,
            Flags=DO_DEVICE_INITIALIZING, Characteristics=characteristics, DeviceType=type_, StackSize=1,
            DeviceExtension=region.start + DEVICE_OBJECT.size if extension else 0,
        )  # fmt: skip
        driver_object.DeviceObject = region.start
        made = self._made[region.start] = MadeDevice(view, region, driver, name)
        return made

    def delete(self, address: int) -> bool:
        """IoDeleteDevice: False for what is none."""
        made = self._made.pop(address, None)
        if made is None:
            return False
        self._unlink(made)
        self._guest.behind.pop(address, None)
        self._space.free(made.region)
        return True

    def get(self, address: int) -> MadeDevice | None:
        """The device object there."""
        return self._made.get(address)

    def pdo(self, node: DevNode) -> int:
        """The PDO of a function; `guest.behind` has the node by this address."""
        address = self._pdos.get(id(node))
        if address is None:
            made = self.new(self._bus(), 0, f"the PDO of {node.name}")
            made.node = node
            made.view.Flags = DO_BUS_ENUMERATED_DEVICE
            address = self._pdos[id(node)] = made.view.address
            self._guest.behind[address] = node
        return address

    def top(self, address: int) -> int:
        """IoGetAttachedDevice: the highest of the stack that the device is in."""
        seen = {address}
        while above := DEVICE_OBJECT(self._space, address).AttachedDevice:
            if above in seen:
                break  # the driver made a ring
            seen.add(above)
            address = above
        return address

    def attach(self, source: int, target: int) -> int:
        """IoAttachDeviceToDeviceStack: what `source` is above now; 0 where one of them is none."""
        made = self._made.get(source)
        if made is None or target not in self._made:
            return 0
        below = self.top(target)
        view = DEVICE_OBJECT(self._space, below)
        view.AttachedDevice = source
        made.below = below
        made.view.StackSize = min(view.StackSize + 1, 127)
        made.view.AlignmentRequirement = view.AlignmentRequirement
        return below

    def detach(self, target: int) -> None:
        """IoDetachDevice: whoever is above `target` is not any more."""
        view = DEVICE_OBJECT(self._space, target)
        above = self._made.get(view.AttachedDevice)
        view.AttachedDevice = 0
        if above is not None:
            above.below = 0

    def node_below(self, address: int) -> DevNode | None:
        """The function at the bottom of the stack."""
        made = self._made.get(address)
        while made is not None and made.node is None:
            made = self._made.get(made.below)
        return made.node if made is not None else None

    def _unlink(self, made: MadeDevice) -> None:
        driver = DRIVER_OBJECT(self._space, made.driver)
        if driver.DeviceObject == made.view.address:
            driver.DeviceObject = made.view.NextDevice
            return
        for other in self._made.values():
            if other.driver == made.driver and other.view.NextDevice == made.view.address:
                other.view.NextDevice = made.view.NextDevice

    def _bus(self) -> int:
        """The bus driver's DRIVER_OBJECT: every major function leads to `bus_dispatch`."""
        if not self._bus_driver:
            region = self._space.allocate(Area.KERNEL, DRIVER_OBJECT.size, "the DRIVER_OBJECT of pci.sys")
            view = DRIVER_OBJECT(self._space, region.start)
            view.Type, view.Size = IO_TYPE_DRIVER, DRIVER_OBJECT.size
            entry = self._guest.stubs.address("pci!Dispatch", self._dispatch)
            self._space.write(region.start + MAJORS, every_major(entry))
            self._bus_driver = region.start
        return self._bus_driver

    def _dispatch(self, guest: Any, frame: Any) -> int:
        device, irp = frame.arguments[:2]
        made = self._made.get(device)
        node = made.node if made is not None else None
        if node is None:
            self._space.fault(device, 1)
        return self.bus_dispatch(node, irp)


def every_major(address: int) -> bytes:
    """A DRIVER_OBJECT's MajorFunction, in which all lead to one routine."""
    return address.to_bytes(8, "little") * MAJOR_FUNCTIONS

"""A driver image without a framework (WDM): AddDevice, the IRPs of plug and play, and the bus driver's answers to them.

A `WdmStack` answers to the PnP manager as a framework's device does; each request becomes an IRP to the top of the stack that
AddDevice built. The bus driver below completes what reaches it.
Model choices: IoStatus starts as STATUS_NOT_SUPPORTED; the capabilities that the bus reports; resource lists are gone when
IRP_MN_START_DEVICE is done, as drivers must expect.
Limits: no I/O from user mode, no power IRPs but those that the driver asks for, IRP_MN_FILTER_RESOURCE_REQUIREMENTS and
IRP_MN_QUERY_INTERFACE are not sent and not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.device_objects import DO_DEVICE_INITIALIZING, DeviceObjects
from dirql.hosts.sys.nt_structs import DEVICE_CAPABILITIES, DRIVER_EXTENSION, IO_STACK_LOCATION, IRP
from dirql.hosts.sys.wdm_irps import WdmIrps
from dirql.pnp.interfaces import PCI_WHICHSPACE_CONFIG, BusInterfaceStandard
from dirql.pnp.io_resources import IoResourceRequirementsList
from dirql.pnp.manager import DevNode
from dirql.pnp.resources import CmPartialResourceDescriptor, CmResourceList

if TYPE_CHECKING:
    from dirql.hosts.sys.driver import SysDriver
    from dirql.hosts.sys.guest import Guest

__all__ = ["WdmStack", "add_device"]

PNP, POWER = 0x1B, 0x16  # IRP_MJ_…
START, QUERY_REMOVE, REMOVE, STOP, QUERY_STOP, SURPRISE = 0x00, 0x01, 0x02, 0x04, 0x05, 0x17  # IRP_MN_…
CANCEL_REMOVE, CANCEL_STOP, CAPABILITIES, READ_CONFIG, WRITE_CONFIG = 0x03, 0x06, 0x09, 0x0F, 0x10
SET_POWER, QUERY_POWER = 2, 3
DEVICE_POWER_STATE = 1
SIMPLE = {QUERY_REMOVE, REMOVE, STOP, QUERY_STOP, SURPRISE, CANCEL_REMOVE, CANCEL_STOP}
UNKNOWN_SLOT = 0xFFFF_FFFF


def add_device(driver: SysDriver, node: DevNode) -> tuple[int, WdmStack | None]:
    """The driver's AddDevice for a function: its status, and the stack that it built."""
    guest = driver.guest
    devices = guest.part(DeviceObjects)
    devices.bus_dispatch = lambda below, irp: _bus(guest, below, irp)
    pdo = devices.pdo(node)
    entry = DRIVER_EXTENSION(guest.space, driver.driver_object.DriverExtension).AddDevice
    status = guest.call(entry, driver.driver_object.address, pdo) & 0xFFFF_FFFF
    if not ntstatus.nt_success(status):
        return status, None
    top = devices.get(devices.top(pdo))
    if top is not None and top.view.Flags & DO_DEVICE_INITIALIZING:
        sentence = f"AddDevice of {driver.name} left DO_DEVICE_INITIALIZING set; clear it before AddDevice returns"
        guest.machine.note_finding("device-initializing", sentence, driver.name)
    return status, WdmStack(guest, node, pdo)


class WdmStack:
    """What the PnP manager asks of a device, as IRPs; `lower` is the bus driver's part of a start that is under way."""

    def __init__(self, guest: Guest, node: DevNode, pdo: int) -> None:
        self.guest, self.node, self.pdo = guest, node, pdo
        self.lower: Callable[[], int] | None = None

    def filter_resource_requirements(
        self, requirements: IoResourceRequirementsList, lower: Callable[[IoResourceRequirementsList], IoResourceRequirementsList]
    ) -> tuple[int, IoResourceRequirementsList]:
        """The bus driver's list stays as it is."""
        return ntstatus.STATUS_SUCCESS, lower(requirements)

    def start(
        self, raw: Sequence[CmPartialResourceDescriptor], translated: Sequence[CmPartialResourceDescriptor],
        lower: Callable[[], int],
    ) -> int:  # fmt: skip
        """IRP_MN_START_DEVICE."""
        bus = self.node.port.place[0]
        space = self.guest.space
        lists = [CmResourceList(tuple(one), bus).pack() for one in (raw, translated)]
        regions = [space.allocate(Area.POOL, len(data), "a CM_RESOURCE_LIST of a start IRP", at_end=True) for data in lists]
        for region, data in zip(regions, lists, strict=True):
            space.write(region.start, data)

        def fill(location: IO_STACK_LOCATION) -> None:
            start = location.Parameters.StartDevice
            start.AllocatedResources, start.AllocatedResourcesTranslated = (region.start for region in regions)

        self.lower = lower
        status = self._send(START, fill)
        self.lower = None
        for region in regions:
            space.free(region)
        return status

    def query_stop(self) -> int:
        """IRP_MN_QUERY_STOP_DEVICE; a driver that vetoes it is told that the stop is cancelled."""
        return self._query(QUERY_STOP, CANCEL_STOP)

    def stop(self) -> None:
        """IRP_MN_STOP_DEVICE."""
        self._send(STOP)

    def query_remove(self) -> int:
        """IRP_MN_QUERY_REMOVE_DEVICE."""
        return self._query(QUERY_REMOVE, CANCEL_REMOVE)

    def remove(self) -> None:
        """IRP_MN_REMOVE_DEVICE; a driver that stays attached to the PDO is told of."""
        self._send(REMOVE)
        devices = self.guest.part(DeviceObjects)
        left = devices.get(devices.top(self.pdo))
        if left is not None and left.node is None:
            sentence = f"{self.node.name}: after IRP_MN_REMOVE_DEVICE the driver's device {left.name} is still attached"
            self.guest.machine.note_finding("device-left-attached", sentence, self.node.driver)
            devices.detach(self.pdo)

    def surprise_removal(self) -> None:
        """IRP_MN_SURPRISE_REMOVAL."""
        self._send(SURPRISE)

    def _query(self, minor: int, cancel: int) -> int:
        status = self._send(minor)
        if not ntstatus.nt_success(status):
            self._send(cancel)
        return status

    def _send(self, minor: int, more: Callable[[IO_STACK_LOCATION], None] | None = None) -> int:
        def fill(location: IO_STACK_LOCATION) -> None:
            location.MajorFunction, location.MinorFunction = PNP, minor
            if more is not None:
                more(location)

        status, _ = self.guest.part(WdmIrps).send(self.pdo, fill, status=ntstatus.STATUS_NOT_SUPPORTED)
        return status


def _bus(guest: Guest, node: DevNode, address: int) -> int:
    """pci.sys: whatever comes down as far as the PDO."""
    irps = guest.part(WdmIrps)
    irp = IRP(guest.space, address)
    location = irps.location(irp)
    major, minor, parameters = location.MajorFunction, location.MinorFunction, location.Parameters
    status = irp.IoStatus.Status & 0xFFFF_FFFF
    if major == PNP:
        status = _pnp(guest, node, minor, parameters, status)
    elif major == POWER and minor == SET_POWER:
        if parameters.Power.Type == DEVICE_POWER_STATE:
            node.set_power(max(parameters.Power.State.DeviceState - 1, 0))
        status = ntstatus.STATUS_SUCCESS
    elif major == POWER and minor == QUERY_POWER:
        status = ntstatus.STATUS_SUCCESS
    elif major != POWER:
        status = ntstatus.STATUS_INVALID_DEVICE_REQUEST
    irp.IoStatus.Status = status
    irps.complete(irp)
    return int(status)


def _pnp(guest: Guest, node: DevNode, minor: int, parameters: Any, status: int) -> int:
    if minor == START:
        lower = node.stack.lower if isinstance(node.stack, WdmStack) else None
        return lower() if lower is not None else ntstatus.STATUS_INVALID_DEVICE_REQUEST
    if minor in SIMPLE:
        return ntstatus.STATUS_SUCCESS
    if minor == CAPABILITIES:
        capabilities = DEVICE_CAPABILITIES(guest.space, parameters.DeviceCapabilities.Capabilities)
        capabilities.store(Address=node.port.place[1] << 16, UINumber=UNKNOWN_SLOT, D3Latency=0)
        return ntstatus.STATUS_SUCCESS
    if minor in (READ_CONFIG, WRITE_CONFIG):
        wanted = parameters.ReadWriteConfig
        config = BusInterfaceStandard(node.bus_device.function)
        if wanted.WhichSpace != PCI_WHICHSPACE_CONFIG:
            return ntstatus.STATUS_INVALID_PARAMETER_1
        if minor == READ_CONFIG:
            guest.space.write(wanted.Buffer, config.get_bus_data(wanted.WhichSpace, wanted.Offset, wanted.Length))
        else:
            config.set_bus_data(wanted.WhichSpace, wanted.Offset, guest.space.read(wanted.Buffer, wanted.Length))
        return ntstatus.STATUS_SUCCESS
    return status

r"""How a device can be found by who wants to open it: device interfaces, symbolic links, its own name.

An interface is enabled when the device has started and disabled when it is removed, as far as the driver does not say
otherwise (facts §3.1 step 12, §3.3); a symbolic link is there from its creation to the device's deletion.
Model choice: the instance part of an interface's link, and that a device without a name of its own can have symbolic links
(to the PDO's name).

Limits: no custom data, no security; what a disabled interface had open stays open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.ntstatus import StatusError
from dirql.wdf.names import DeviceInterface, below, plain_name
from dirql.wdf.object import Object
from dirql.wdf.string import String

if TYPE_CHECKING:
    from dirql.wdf.device_init import Pdo
    from dirql.wdf.pnp_state import PnpStateMachine

__all__ = ["NamedDevice"]


class NamedDevice(Object):
    """The part of a device that others find it by."""

    pdo: Pdo
    pnp: PnpStateMachine
    device_name: str
    interfaces: list[DeviceInterface]

    @ddi("WdfDeviceCreateDeviceInterface")
    def create_device_interface(self, guid: UUID, reference_string: str = "") -> None:
        """WdfDeviceCreateDeviceInterface: enabled when the device starts. Once more for the same is no error (model choice)."""
        if self._interface(guid, reference_string) is None:
            link = f"\\??\\{self.pdo.instance_path.replace(chr(92), '#')}#{{{guid}}}{below(reference_string)}"
            interface = DeviceInterface(guid, reference_string, link)
            self.interfaces.append(interface)
            self.framework.names.interfaces.append((self, interface))
            if self.started:
                self._enable(interface, True)

    @ddi("WdfDeviceSetDeviceInterfaceState")
    def set_device_interface_state(self, guid: UUID, reference_string: str = "", enable: bool = True) -> None:
        """WdfDeviceSetDeviceInterfaceState: before the start, whether it is enabled then. An interface that nobody created: no
        effect but a trace line."""
        interface = self._interface(guid, reference_string)
        if interface is None:
            self.framework.note(f"WdfDeviceSetDeviceInterfaceState: {self.name} has no interface {{{guid}}}")
            return
        interface.wanted = enable
        if self.started:
            self._enable(interface, enable)

    @ddi("WdfDeviceSetDeviceInterfaceStateEx")
    def set_device_interface_state_ex(self, guid: UUID, reference_string: str = "", enable: bool = True) -> None:
        """WdfDeviceSetDeviceInterfaceStateEx: the same, and an interface that nobody created is STATUS_OBJECT_NAME_NOT_FOUND
        (model choice)."""
        if self._interface(guid, reference_string) is None:
            why = f"WdfDeviceSetDeviceInterfaceStateEx: {self.name} has no interface {{{guid}}}"
            raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, why)
        self.set_device_interface_state(guid, reference_string, enable)

    @ddi("WdfDeviceRetrieveDeviceInterfaceString")
    def retrieve_device_interface_string(self, string: String, guid: UUID, reference_string: str = "") -> None:
        """WdfDeviceRetrieveDeviceInterfaceString: the interface's symbolic link, into `string`."""
        interface = self._interface(guid, reference_string)
        if interface is None:
            why = f"WdfDeviceRetrieveDeviceInterfaceString: {self.name} has no interface {{{guid}}}"
            raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, why)
        string.text = interface.link

    @ddi("WdfDeviceCreateSymbolicLink")
    def create_symbolic_link(self, symbolic_link_name: str) -> None:
        """WdfDeviceCreateSymbolicLink: STATUS_OBJECT_NAME_COLLISION if somebody has that name."""
        if not plain_name(symbolic_link_name):
            why = f"WdfDeviceCreateSymbolicLink: {symbolic_link_name!r} names nothing"
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)
        self.framework.names.add(symbolic_link_name, self)

    @ddi("WdfDeviceRetrieveDeviceName")
    def retrieve_device_name(self, string: String) -> None:
        """WdfDeviceRetrieveDeviceName: into `string`. STATUS_INVALID_DEVICE_STATE for a device without a name (model choice)."""
        if not self.device_name:
            why = f"WdfDeviceRetrieveDeviceName: {self.name} was given no name"
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, why)
        string.text = self.device_name

    @property
    def started(self) -> bool:
        """True while interfaces may be enabled."""
        raise NotImplementedError

    def enable_interfaces(self, enable: bool) -> None:
        """The device has started, or goes."""
        for interface in self.interfaces:
            self._enable(interface, enable and interface.wanted)

    def _enable(self, interface: DeviceInterface, enable: bool) -> None:
        if enable and not interface.enabled:
            self.framework.names.add(interface.link, self, below(interface.reference))
        elif interface.enabled and not enable:
            self.framework.names.links.pop(plain_name(interface.link), None)
        interface.enabled = enable

    def _interface(self, guid: UUID, reference: str) -> DeviceInterface | None:
        return next((one for one in self.interfaces if one.guid == guid and one.reference == reference), None)

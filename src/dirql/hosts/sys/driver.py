"""A driver image as a framework driver: DriverEntry, WdfDriverCreate, and the callbacks that it registers.

The stub that is linked into every KMDF driver (FxDriverEntry) binds to the framework, calls DriverEntry and displaces
DriverUnload (facts §6.1); it is the image's own code and runs as such.
Limits: class extensions and library clients are refused when the driver binds to them.
"""

from __future__ import annotations

from functools import partial

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.device_objects import MAJORS, every_major
from dirql.hosts.sys.driver_flags import InterruptFlag
from dirql.hosts.sys.guest import Frame, Guest
from dirql.hosts.sys.image import Image
from dirql.hosts.sys.loader import LoadedImage, discard_init, load_image
from dirql.hosts.sys.nt_structs import DRIVER_EXTENSION, DRIVER_OBJECT, IRP, UNICODE_STRING
from dirql.hosts.sys.pool import Pool
from dirql.hosts.sys.strings import unicode_string
from dirql.hosts.sys.wdf_structs import WDF_DRIVER_GLOBALS
from dirql.hosts.sys.wdf_values import nothing
from dirql.hosts.sys.wdm_driver import add_device
from dirql.hosts.sys.wdm_irps import WdmIrps
from dirql.ntstatus import StatusError
from dirql.pnp.manager import DeviceStack, DevNode
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.driver import Driver
from dirql.wdf.object import ObjectAttributes

__all__ = ["SysDriver"]

NON_PNP, NO_DISPATCH_OVERRIDE = 1, 2  # WDF_DRIVER_INIT_FLAGS
SERVICES = "\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\"


class SysDriver(Driver):
    """The WDFDRIVER of an image, there from the moment it is loaded; WdfDriverCreate gives it its callbacks."""

    def __init__(self, guest: Guest, image: Image) -> None:
        super().__init__(guest.framework)
        self.guest, self.image = guest, image
        self.name = image.name
        guest.part(InterruptFlag)
        self.loaded: LoadedImage = load_image(guest, image)
        guest.images.append(self.loaded)
        self.created = False
        self.kmdf = ""  # the version that it was built for, once it is bound
        self.globals = 0  # the address of WDF_DRIVER_GLOBALS, once it is bound
        self.device_add = 0
        self.registry_path = self._registry_path()
        self.driver_object = self._driver_object()
        guest.behind[self.driver_object.address] = self

    def enter(self) -> int:
        """Run DriverEntry; its NTSTATUS."""
        guest = self.guest
        self.entry_status = guest.call(self.loaded.entry, self.driver_object.address, self.registry_path.address) & 0xFFFF_FFFF
        discard_init(guest, self.loaded)
        return self.entry_status

    @ddi("WdfDriverCreate")
    def create(self, attributes: ObjectAttributes | None, device_add: int, unload: int, flags: int) -> None:
        """WdfDriverCreate: STATUS_DRIVER_INTERNAL_ERROR the second time (facts §6.3)."""
        if self.created:
            raise StatusError(ntstatus.STATUS_DRIVER_INTERNAL_ERROR, f"{self.name} has its WDFDRIVER already")
        self.created = True
        self.framework.driver = self.framework.driver or self  # the parent of what DriverEntry makes
        if attributes is not None:
            if status := attributes.validate(parent_allowed=False):
                raise StatusError(status, "WDF_OBJECT_ATTRIBUTES of a driver")
            self.attributes = attributes.copy()
            self._settle_attributes()
            self._make_context(self.attributes)
        self.device_add = device_add
        if unload:
            vars(self)["evt_driver_unload"] = partial(self.guest.callback(unload, nothing), self)
        self._be_unloaded(always=not flags & (NON_PNP | NO_DISPATCH_OVERRIDE) or bool(unload))

    def _be_unloaded(self, *, always: bool) -> None:
        """The framework's DriverUnload, which the image's stub is told to displace (facts §6.1, 9)."""
        guest, unload = self.guest, super().unload

        def framework_unload(_: Guest, frame: Frame) -> int:
            unload()
            return 0

        self.driver_object.DriverUnload = guest.stubs.address(f"wdf!unload of {self.name}", framework_unload)
        if self.globals:
            WDF_DRIVER_GLOBALS(guest.space, self.globals).DisplaceDriverUnload = always

    def evt_driver_device_add(self, init: DeviceInit) -> int:
        """EvtDriverDeviceAdd."""
        if not self.device_add:
            return ntstatus.STATUS_INVALID_DEVICE_REQUEST
        return self.guest.call(self.device_add, self.guest.handle(self), self.guest.handle(init)) & 0xFFFF_FFFF

    def wdm_stack(self, node: DevNode) -> tuple[int, DeviceStack | None] | None:
        """Of an image without a framework: what its AddDevice returned, and the stack that it built. None of any other."""
        extension = DRIVER_EXTENSION(self.guest.space, self.driver_object.DriverExtension)
        return None if self.created or not extension.AddDevice else add_device(self, node)

    def unload(self) -> None:
        """The DRIVER_OBJECT's DriverUnload: the image's stub has put its own in place of the framework's, calls that and then
        unbinds (facts §6.1)."""
        unload = self.driver_object.DriverUnload
        if unload:
            self.guest.call(unload, self.driver_object.address)
        if not self.deleting:
            self.dispose()
        self.guest.part(Pool).tell_leaks(self)

    @classmethod
    def require_callbacks(cls) -> None:
        """An image says only at run time what it has."""

    def _registry_path(self) -> UNICODE_STRING:
        text = f"{SERVICES}{self.name.rpartition('.')[0] or self.name}"
        return unicode_string(self.guest.space, text, "the registry path")

    def _driver_object(self) -> DRIVER_OBJECT:
        space = self.guest.space
        length = DRIVER_OBJECT.size + DRIVER_EXTENSION.size
        region: Region = space.allocate(Area.BUFFER, length, f"the DRIVER_OBJECT of {self.name}")
        driver_object = DRIVER_OBJECT(space, region.start)
        driver_object.Type, driver_object.Size = 4, DRIVER_OBJECT.size
        driver_object.DriverStart, driver_object.DriverSize = self.loaded.base, self.image.size
        driver_object.DriverInit = self.loaded.entry
        driver_object.DriverExtension = region.start + DRIVER_OBJECT.size
        refuse = self.guest.stubs.address("ntoskrnl!IopInvalidDeviceRequest", _invalid_device_request)
        space.write(region.start + MAJORS, every_major(refuse))
        DRIVER_EXTENSION(space, region.start + DRIVER_OBJECT.size).DriverObject = region.start
        return driver_object


def _invalid_device_request(guest: Guest, frame: Frame) -> int:
    """What a major function leads to that the driver has set no routine for (model choice: as the I/O manager leaves it)."""
    irp = IRP(guest.space, frame.arguments[1])
    irp.IoStatus.Status, irp.IoStatus.Information = ntstatus.STATUS_INVALID_DEVICE_REQUEST, 0
    guest.part(WdmIrps).complete(irp)
    return ntstatus.STATUS_INVALID_DEVICE_REQUEST

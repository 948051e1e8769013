"""WDFDRIVER: what a driver is (facts §6.3). A Python driver subclasses `Driver`; its module is its DriverEntry."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

from dirql.callback import refuse_asynchronous_methods
from dirql.ddi import ddi
from dirql.errors import UsageError
from dirql.pnp.registry import Registry
from dirql.reserved import refuse_clashes, refuse_misspelt
from dirql.wdf.framework import Framework
from dirql.wdf.leaks import tell_of_objects
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope
from dirql.wdf.registry import Key
from dirql.wdf.string import String

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel
    from dirql.wdf.device_init import DeviceInit

__all__ = ["Driver"]

SERVICES = "\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\"
VERSION = 1, 33


class Driver(Object):
    """WDFDRIVER, and the driver itself: override `evt_driver_device_add` (and `evt_driver_unload`).

    KMDF's defaults hold: ExecutionLevel Dispatch, SynchronizationScope None (facts §2.5).
    """

    kind = "WDFDRIVER"
    deletable = False
    entry_status = 0  # what DriverEntry returned; a Python driver's is its module, which was loaded
    entry_failure = ""  # why, where the framework refused to bind

    def __init__(self, framework: Framework, attributes: ObjectAttributes | None = None) -> None:
        super().__init__(framework, None, attributes, type(self).__name__)
        self.last_of_entry = 0  # the last handle when its DriverEntry had returned
        self.service_key = Registry()  # HKLM\SYSTEM\CurrentControlSet\Services\name, as the INF's AddReg fills it
        self._settle_attributes()

    def _settle_attributes(self) -> None:
        if self.attributes.execution_level == ExecutionLevel.InheritFromParent:
            self.attributes.execution_level = ExecutionLevel.Dispatch
        if self.attributes.synchronization_scope == SynchronizationScope.InheritFromParent:
            self.attributes.synchronization_scope = SynchronizationScope.None_

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        refuse_misspelt(cls, Driver, "evt_driver_", "driver")
        refuse_clashes(cls, Driver)
        refuse_asynchronous_methods(cls, [name for name in dir(Driver) if name.startswith("evt_")])

    @ddi("WdfDriverGetRegistryPath")
    def get_registry_path(self) -> str:
        """WdfDriverGetRegistryPath."""
        return f"{SERVICES}{self.name.rpartition('.')[0] or self.name}"

    @ddi("WdfDriverOpenParametersRegistryKey")
    def open_parameters_registry_key(self, attributes: ObjectAttributes | None = None) -> Key:
        """WdfDriverOpenParametersRegistryKey: there whether the INF writes to it or not (model choice)."""
        return Key.at(self.framework, self.service_key, "Parameters", attributes, "WdfDriverOpenParametersRegistryKey")

    @ddi("WdfDriverOpenPersistentStateRegistryKey")
    def open_persistent_state_registry_key(self, attributes: ObjectAttributes | None = None) -> Key:
        """WdfDriverOpenPersistentStateRegistryKey: empty at first, and gone with the run."""
        name = "WdfDriverOpenPersistentStateRegistryKey"
        return Key.at(self.framework, self.service_key, "PersistentState", attributes, name)

    @ddi("WdfDriverRetrieveVersionString")
    def retrieve_version_string(self, string: String) -> None:
        """WdfDriverRetrieveVersionString: into `string`."""
        string.text = f"Kernel Mode Driver Framework {VERSION[0]}.{VERSION[1]}"

    @ddi("WdfDriverIsVersionAvailable")
    def is_version_available(self, major: int, minor: int) -> bool:
        """WdfDriverIsVersionAvailable: the version that the driver runs on is that or a later one."""
        return major == VERSION[0] and minor <= VERSION[1]

    @property
    def kernel(self) -> Kernel:
        """The routines that belong to no framework object: `kernel.mm_map_io_space(…)`."""
        return self.framework.kernel

    def evt_driver_device_add(self, init: DeviceInit) -> int | None:
        """EvtDriverDeviceAdd: create the device."""
        raise NotImplementedError

    def evt_driver_unload(self) -> None:
        """EvtDriverUnload."""

    def unload(self) -> None:
        """The kernel unloads the driver: its callback, if it has one, and then the WDFDRIVER goes."""
        if "evt_driver_unload" in vars(self) or type(self).evt_driver_unload is not Driver.evt_driver_unload:
            self.framework.call("EvtDriverUnload", self, self.evt_driver_unload)
        tell_of_objects(self)
        if not self.deleting:
            self.dispose()

    @classmethod
    def require_callbacks(cls) -> None:
        """UsageError when the class cannot be a driver."""
        if cls.evt_driver_device_add is Driver.evt_driver_device_add:
            raise UsageError(f"{cls.__name__} has no evt_driver_device_add(self, init); without it no device is ever added")
        if cls.__init__ is not Driver.__init__:
            try:
                signature(cls).bind(None)
            except TypeError as problem:
                raise UsageError(f"{cls.__name__}.__init__: {problem}; it is called with (self, framework)") from None

"""WDFDRIVER: what a driver is (facts §6.3). A Python driver subclasses `Driver`; its module is its DriverEntry."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

from dirql.callback import refuse_asynchronous_methods
from dirql.errors import UsageError
from dirql.reserved import refuse_clashes, refuse_misspelt
from dirql.wdf.framework import Framework
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel
    from dirql.wdf.device_init import DeviceInit

__all__ = ["Driver"]


class Driver(Object):
    """WDFDRIVER, and the driver itself: override `evt_driver_device_add` (and `evt_driver_unload`).

    KMDF's defaults hold: ExecutionLevel Dispatch, SynchronizationScope None (facts §2.5).
    """

    kind = "WDFDRIVER"
    deletable = False
    entry_status = 0  # what DriverEntry returned; a Python driver's is its module, which was loaded

    def __init__(self, framework: Framework, attributes: ObjectAttributes | None = None) -> None:
        super().__init__(framework, None, attributes, type(self).__name__)
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

    @property
    def kernel(self) -> Kernel:
        """The routines that belong to no framework object: `kernel.mm_map_io_space(…)`."""
        return self.framework.kernel

    def evt_driver_device_add(self, init: DeviceInit) -> int | None:
        """EvtDriverDeviceAdd: create the device."""
        raise NotImplementedError

    def evt_driver_unload(self) -> None:
        """EvtDriverUnload."""

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

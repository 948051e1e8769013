"""A device of the framework's in D0, and structures in the driver's memory, for drivers that call WDF's routines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.mappings import Mappings
from dirql.hosts.sys.structs import Struct
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES, WDF_OBJECT_CONTEXT_TYPE_INFO
from dirql.kernel.irp import Irp
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.driver import Driver
from dirql.wdf.io_manager import IoManager
from dirql.wdf.object import Object


class Pdo:
    """A bus that has nothing to say."""

    name = "card"

    def set_power(self, state: int) -> None:
        """Nothing to power."""

    def query_interface(self, guid: Any) -> Any:
        """No interfaces."""
        return None


class Wdf:
    """`call("WdfX", …)` calls a routine as a driver does; handles and addresses are numbers."""

    def __init__(self, world: Any, io_type: str = "buffered") -> None:
        self.world, self.guest, self.system = world, world.guest, world.system
        self.framework, self.kernel = self.guest.framework, self.system.kernel
        driver = Driver(self.framework)
        self.framework.driver = driver
        init = DeviceInit(self.framework, driver, Pdo())
        init.io_type = io_type
        self.device_object = Device.create(init)
        self.device_object.power.io_started = True
        self.device = self.guest.handle(self.device_object)
        self.io = IoManager(self.kernel)
        self.log: list[Any] = []

    def call(self, name: str, *arguments: int) -> int:
        """What the routine leaves in RAX."""
        return int(self.world.routine(f"wdf!{name}", 0, *arguments))

    def inside(self, name: str, *arguments: int) -> int:
        """The same from within a callback, on whatever processor and stack that is."""
        from dirql.hosts.sys.abi import ROUTINES

        return int(self.guest.call(self.guest.stubs.address(f"wdf!{name}", ROUTINES[f"wdf!{name}"]), 0, *arguments))

    def memory(self, size: int, data: bytes = b"") -> int:
        """The address of `size` bytes of the driver's."""
        start = int(self.guest.space.allocate(Area.POOL, size, "a driver's variable").start)
        self.guest.space.write(start, data)
        return start

    def struct(self, type_: type[Struct], size: int | None = None, **values: Any) -> int:
        """The address of a structure with its Size set."""
        view = type_(self.guest.space, self.memory(type_.size))
        view.store(Size=type_.size if size is None else size, **values)
        return view.address

    def out(self) -> int:
        """Where a routine may put a handle."""
        return self.memory(8, b"\xaa" * 8)

    def value(self, address: int, size: int = 8) -> int:
        """What is there."""
        return int.from_bytes(self.guest.space.read(address, size), "little")

    def read(self, address: int, size: int) -> bytes:
        """The bytes that are there."""
        return bytes(self.guest.space.read(address, size))

    def object(self, handle: int) -> Any:
        """The framework's object behind a handle."""
        return self.guest.objects[handle]

    def create(self, name: str, *arguments: int, last: tuple[int, ...] = ()) -> int:
        """Call a routine that makes an object; its handle."""
        out = self.out()
        status = self.call(name, *arguments, out, *last)
        assert status == 0, f"{name} returned {status:#x}"
        return self.value(out)

    def attributes(self, **values: Any) -> int:
        """WDF_OBJECT_ATTRIBUTES as WDF_OBJECT_ATTRIBUTES_INIT leaves them, but for `values`."""
        return self.struct(WDF_OBJECT_ATTRIBUTES, **{"ExecutionLevel": 1, "SynchronizationScope": 1, **values})

    def context_type(self, size: int = 16) -> int:
        """The address of a WDF_OBJECT_CONTEXT_TYPE_INFO."""
        name = self.memory(8, b"CONTEXT\0")
        info = self.struct(WDF_OBJECT_CONTEXT_TYPE_INFO, ContextName=name, ContextSize=size)
        WDF_OBJECT_CONTEXT_TYPE_INFO(self.guest.space, info).UniqueType = info
        return info

    def callback(self, python: Callable[..., int | None], count: int = 4) -> int:
        """The address of a driver's function."""
        return int(self.world.function(python, count))

    def logs(self, name: str, count: int, then: Callable[..., int | None] | None = None) -> int:
        """A driver's function that writes down its arguments."""

        def call(*arguments: int) -> int | None:
            self.log.append((name, *arguments))
            return then(*arguments) if then is not None else 0

        return self.callback(call, count)

    def send(self, irp: Irp) -> Irp:
        """Send it from a thread of the user's, and let the machine come to rest."""
        self.io.start(self.device_object, irp)
        self.system.run()
        return irp

    @property
    def mappings(self) -> Mappings:
        """Where buffers are."""
        return self.guest.part(Mappings)

    def handle(self, object_: Object) -> int:
        """The driver's handle of it."""
        return int(self.guest.handle(object_))


@pytest.fixture
def wdf(world: Any) -> Wdf:
    """A device with buffered I/O."""
    return Wdf(world)


@pytest.fixture
def direct(world: Any) -> Wdf:
    """A device with direct I/O."""
    return Wdf(world, "direct")

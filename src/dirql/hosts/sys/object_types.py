"""Object types (POBJECT_TYPE) and the System process: what drivers name when they reference an object by its handle.

Limits: of a type only its first member is there, and a process is opaque; there is one process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql.hosts.sys.address_space import Area
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.thread import Thread
from dirql.kernel.timer import Ktimer
from dirql.kernel.wait import Event, Mutex, Semaphore

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["OBJECT_TYPES", "SYSTEM_PROCESS_ID", "ObjectTypes", "Process"]

SYSTEM_PROCESS_ID = 4


class Process(DispatcherObject):
    """EPROCESS of System: it never ends."""

    kind = "process"

    def signaled_for(self, thread: Thread) -> bool:
        """Never."""
        return False


# What an exported variable of the kernel's names, and which of dirql's objects are of that type.
OBJECT_TYPES: dict[str, type | None] = {
    "CmKeyObjectType": None, "ExEventObjectType": Event, "ExMutantObjectType": Mutex, "ExSemaphoreObjectType": Semaphore,
    "ExTimerObjectType": Ktimer, "IoDeviceObjectType": None, "IoDriverObjectType": None, "IoFileObjectType": None,
    "MmSectionObjectType": None, "PsJobType": None, "PsProcessType": Process, "PsThreadType": Thread, "SeTokenObjectType": None,
}  # fmt: skip


class ObjectTypes:
    """`guest.part(ObjectTypes)`: the types' addresses, and the System process."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._types = {name: self._make(name) for name in OBJECT_TYPES}
        self.process = Process(guest.kernel, "System")

    def _make(self, name: str) -> int:
        """An OBJECT_TYPE begins with the list of its objects, which is empty: whoever reads through one pointer too many
        (headers differ in how they declare the variables) finds the type again."""
        kind = name.removesuffix("ObjectType").removesuffix("Type")
        region = self._guest.space.allocate(Area.KERNEL, 16, f"the object type {kind}")
        self._guest.space.write(region.start, region.start.to_bytes(8, "little") * 2)
        return region.start

    def pointer(self, name: str) -> int:
        """The POBJECT_TYPE that the variable `name` holds."""
        return self._types[name]

    @property
    def system_process(self) -> int:
        """The PEPROCESS of System."""
        return self._guest.handle(self.process)

    def fits(self, value: Any, type_: int) -> bool:
        """Is `value` of the type at `type_`? Of types whose objects dirql has no class for, everything that is of no other."""
        name = next((each for each, address in self._types.items() if address == type_), None)
        if name is None:
            return not type_
        wanted = OBJECT_TYPES[name]
        if wanted is not None:
            return isinstance(value, wanted)
        return not isinstance(value, tuple(one for one in OBJECT_TYPES.values() if one is not None))

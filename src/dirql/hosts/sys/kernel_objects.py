"""Which object of the kernel's a structure in the driver's memory is.

An object is known by its address from when the driver initialises it until its memory is freed or initialised again; what a
macro of the headers initialises (spin locks, fast mutexes) is found when it is first used.

Limits: an ERESOURCE is opaque. A structure that the driver moved in memory is not the object that it was. Model choice: what was
never initialised is a bugcheck at once, as far as that can be seen.
"""

from __future__ import annotations

from struct import Struct as Codec
from typing import TYPE_CHECKING, Any, TypeVar

from dirql.hosts.sys.driver_objects import (
    DriverDpc,
    DriverEvent,
    DriverFastMutex,
    DriverMutex,
    DriverRundown,
    DriverSemaphore,
    DriverSpinLock,
    DriverTimer,
    WorkItem,
)
from dirql.hosts.sys.nt_structs import FAST_MUTEX, KDPC, KMUTANT, KTIMER
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.fast_mutex import FastMutex
from dirql.kernel.kinterrupt import KInterrupt
from dirql.kernel.lock import SpinLock
from dirql.kernel.resource import Resource
from dirql.kernel.rundown import Rundown
from dirql.kernel.stop import BugCheck, Hang
from dirql.kernel.thread import Thread
from dirql.kernel.wait import Event, EventType, Mutex, Semaphore

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["KernelObjects"]

WAIT_LIST = 8
EVENT, SYNCHRONIZATION_EVENT, MUTANT, SEMAPHORE, TIMER, DPC, THREADED_DPC = 0, 1, 2, 5, 8, 0x13, 0x18
HEADER = Codec("<BBBBiQQ")  # DISPATCHER_HEADER
RESOURCE_SIZE = 0x68
T = TypeVar("T")


def write_header(guest: Guest, address: int, type_: int, size: int, state: int) -> None:
    """A DISPATCHER_HEADER that nobody waits for."""
    head = address + WAIT_LIST & (1 << 64) - 1
    guest.space.write(address, HEADER.pack(type_, 0, size // 4, 0, state, head, head))


class KernelObjects:
    """`guest.part(KernelObjects)`: which object of the kernel's a structure of the driver's is."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._known = guest.kernel_objects

    # Initialised by the driver.

    def new_event(self, address: int, type_: int, state: bool) -> Event:
        """KeInitializeEvent."""
        kind = EventType(type_ & 1)
        write_header(self._guest, address, kind, 0x18, state)
        return self._keep(address, DriverEvent(self._guest, address, kind))

    def new_semaphore(self, address: int, count: int, limit: int) -> Semaphore:
        """KeInitializeSemaphore."""
        write_header(self._guest, address, SEMAPHORE, 0x20, count)
        self._guest.space.write(address + 0x18, (limit & 0xFFFF_FFFF).to_bytes(4, "little"))
        return self._keep(address, DriverSemaphore(self._guest, address, limit))

    def new_mutex(self, address: int) -> Mutex:
        """KeInitializeMutex."""
        self._guest.space.write(address, bytes(KMUTANT.size))
        write_header(self._guest, address, MUTANT, KMUTANT.size, 1)
        return self._keep(address, DriverMutex(self._guest, address))

    def new_timer(self, address: int, type_: int) -> DriverTimer:
        """KeInitializeTimerEx. One that is still set goes on ticking under Windows until memory is corrupt: bugcheck 0xC7."""
        old = self._known.get(address)
        if isinstance(old, DriverTimer) and old.inserted:
            raise BugCheck(0xC7, 0, address, address, address + KTIMER.size, why=f"{old.name} is initialised while it is set")
        kind = EventType(type_ & 1)
        self._guest.space.write(address, bytes(KTIMER.size))
        write_header(self._guest, address, TIMER + kind, KTIMER.size, 0)
        return self._keep(address, DriverTimer(self._guest, address, kind))

    def new_dpc(self, address: int, routine: int, context: int, *, threaded: bool = False) -> DriverDpc:
        """KeInitializeDpc; bugcheck 0xC7 for one that is queued."""
        old = self._known.get(address)
        if isinstance(old, DriverDpc) and old.queued_on is not None:
            raise BugCheck(0xC7, 1, address, address, address + KDPC.size, why=f"{old.name} is initialised while it is queued")
        view = KDPC(self._guest.space, address)
        view.clear()
        view.Type, view.Importance = THREADED_DPC if threaded else DPC, 1
        view.DeferredRoutine, view.DeferredContext = routine, context
        return self._keep(address, DriverDpc(self._guest, address))

    def new_spin_lock(self, address: int) -> SpinLock:
        """KeInitializeSpinLock, which is inline in many headers: any zero word is a spin lock."""
        self._guest.space.write(address, bytes(8))
        return self._keep(address, DriverSpinLock(self._guest, address))

    def new_fast_mutex(self, address: int) -> FastMutex:
        """ExInitializeFastMutex (inline in the headers) and KeInitializeGuardedMutex."""
        view = FAST_MUTEX(self._guest.space, address)
        view.clear()
        view.Count = 1
        return self._keep(address, DriverFastMutex(self._guest, address))

    def new_resource(self, address: int) -> Resource:
        """ExInitializeResourceLite: its list entry shows that it is initialised."""
        self._guest.space.write(address, bytes(0x68))
        self._guest.space.write(address, address.to_bytes(8, "little") * 2)
        return self._keep(address, Resource(self._guest.kernel, f"the ERESOURCE at {address:#x}"))

    def queue_work_item(self, address: int) -> WorkItem:
        """ExQueueWorkItem."""
        return self._keep(address, WorkItem(address))

    # Named by the driver.

    def waitable(self, address: int, routine: str) -> DispatcherObject:
        """Whatever can be waited for: a structure of the driver's, or a thread or timer of the kernel's."""
        found = self._known.get(address)
        if isinstance(found, DispatcherObject):
            return found
        for other in (self._guest.objects.get(address), self._guest.behind.get(address)):
            if isinstance(other, DispatcherObject):
                return other
        return self._adopt(address, DispatcherObject, routine)

    def event(self, address: int, routine: str) -> Event:
        """A KEVENT."""
        return self._find(address, Event, routine)

    def semaphore(self, address: int, routine: str) -> Semaphore:
        """A KSEMAPHORE."""
        return self._find(address, Semaphore, routine)

    def mutex(self, address: int, routine: str) -> Mutex:
        """A KMUTEX."""
        return self._find(address, Mutex, routine)

    def timer(self, address: int, routine: str) -> DriverTimer:
        """A KTIMER."""
        return self._find(address, DriverTimer, routine)

    def dpc(self, address: int, routine: str) -> DriverDpc:
        """A KDPC; bugcheck 0xC7 (2) for memory that none was initialised in."""
        found = self._known.get(address)
        if isinstance(found, DriverDpc):
            return found
        data = self._guest.space.read(address, KDPC.size)
        why = f"{routine} was given {address:#x}, where no KDPC was initialised"
        raise BugCheck(0xC7, 1, address, address, address + len(data), why=why)

    def spin_lock(self, address: int, *, acquire: bool = True) -> SpinLock:
        """A KSPIN_LOCK. One that holds what nobody stored by acquiring it is spun for for ever."""
        found = self._known.get(address)
        word = int.from_bytes(self._guest.space.read(address, 8), "little")
        if isinstance(found, SpinLock) and (word != 0) == (found.owner is not None):
            return found
        if acquire and word:
            cpu = self._guest.machine.cpu.index
            raise Hang("deadlock", f"cpu{cpu} spins for the spin lock at {address:#x}, which holds {word:#x} and is nobody's: it "
                                   "was not initialised, or was overwritten")  # fmt: skip
        if isinstance(found, SpinLock) and word:
            return found
        return self._keep(address, DriverSpinLock(self._guest, address))

    def fast_mutex(self, address: int, routine: str) -> FastMutex:
        """A FAST_MUTEX; the macro that initialises it is inline."""
        found = self._known.get(address)
        count = int.from_bytes(self._guest.space.read(address, 4), "little")
        if isinstance(found, FastMutex) and (count == 1) == (found.owner is None):
            return found
        if count == 1:
            return self._keep(address, DriverFastMutex(self._guest, address))
        raise self._refused(address, "fast mutex", routine)

    def rundown(self, address: int) -> Rundown:
        """An EX_RUNDOWN_REF: any 8 bytes."""
        found = self._known.get(address)
        return found if isinstance(found, Rundown) else self._keep(address, DriverRundown(self._guest, address))

    def resource(self, address: int, routine: str) -> Resource:
        """An ERESOURCE."""
        found = self._known.get(address)
        if isinstance(found, Resource):
            return found
        raise self._refused(address, "ERESOURCE", routine)

    def interrupt(self, address: int, routine: str) -> KInterrupt:
        """A KINTERRUPT, which the kernel made."""
        for found in (self._known.get(address), self._guest.objects.get(address), self._guest.behind.get(address)):
            if isinstance(found, KInterrupt):
                return found
        self._guest.space.read(address, 8)
        raise self._refused(address, "KINTERRUPT", routine)

    def thread(self, address: int, routine: str) -> Thread:
        """A PKTHREAD."""
        found = self._guest.objects.get(address)
        if isinstance(found, Thread):
            return found
        self._guest.space.read(address, 8)
        raise self._refused(address, "thread", routine)

    # Freed by the driver.

    def forget(self, start: int, end: int) -> None:
        """The memory from `start` to `end` is freed: bugcheck 0xC7 for a timer or DPC in it that is still queued, 0xE4 for a work
        item (model choice: at once, Windows looks only with Driver Verifier)."""
        if not self._known:
            return
        inside = range(start, end, 8)
        found = [a for a in inside if a in self._known] if len(inside) < len(self._known) else (
            [a for a in self._known if start <= a < end])  # fmt: skip
        for address in found:
            one = self._known.pop(address)
            if isinstance(one, DriverTimer) and one.inserted:
                raise BugCheck(0xC7, 0, address, start, end, why=f"{one.name} is still set and its memory is freed")
            if isinstance(one, DriverDpc) and one.queued_on is not None:
                raise BugCheck(0xC7, 1, address, start, end, why=f"{one.name} is still queued and its memory is freed")
            if isinstance(one, WorkItem):
                why = f"the work item at {address:#x} is still queued and its memory is freed"
                raise BugCheck(0xE4, 0, address, start, end, why=why)

    def drop(self, address: int) -> None:
        """It is no object any more."""
        self._known.pop(address, None)

    def _keep(self, address: int, value: T) -> T:
        self._known[address] = value
        return value

    def _find(self, address: int, kind: type[T], routine: str) -> T:
        found = self._known.get(address)
        return found if isinstance(found, kind) else self._adopt(address, kind, routine)

    def _adopt(self, address: int, kind: type[T], routine: str) -> T:
        """What looks like an initialised object becomes one: the driver (or a macro) may have filled it in by itself."""
        type_, _, _, _, state, flink, blink = HEADER.unpack(self._guest.space.read(address, HEADER.size))
        made: Any = None
        if flink == blink == address + WAIT_LIST:
            if type_ in (EVENT, SYNCHRONIZATION_EVENT):
                made = DriverEvent(self._guest, address, EventType(type_))
            elif type_ == SEMAPHORE:
                limit = int.from_bytes(self._guest.space.read(address + 0x18, 4), "little", signed=True)
                made = DriverSemaphore(self._guest, address, limit)
            elif type_ == MUTANT and state == 1:
                made = DriverMutex(self._guest, address)
        if isinstance(made, kind):
            return self._keep(address, made)
        raise self._refused(address, NAMES.get(kind, "dispatcher object"), routine, flink)

    def _refused(self, address: int, what: str, routine: str, touched: int = 0) -> BugCheck:
        """The kernel follows a list that was never made (model choice: at once, with what the list's head holds)."""
        why = f"{routine} was given {address:#x}, where no {what} was initialised"
        return BugCheck(0x0A, touched, 2, 0, 0, why=why)


NAMES: dict[type, str] = {Event: "KEVENT", Semaphore: "KSEMAPHORE", Mutex: "KMUTEX", DriverTimer: "KTIMER"}

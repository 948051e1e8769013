"""What the kernel's objects are where they live in the driver's memory: KEVENT, KSEMAPHORE, KMUTEX, KTIMER, KDPC, KSPIN_LOCK,
FAST_MUTEX, EX_RUNDOWN_REF.

Which side is authoritative: for Header.SignalState of events, semaphores, mutexes and timers, for EX_RUNDOWN_REF.Count, and for
DeferredRoutine, DeferredContext and the arguments of a KDPC, the driver's memory: what is there counts, whoever wrote it.
For waiters, owners, DPC queues and due times the kernel's object; KDPC.DpcData, KTIMER.DueTime, Period and Dpc, KSPIN_LOCK,
KMUTEX.OwnerThread, and Count and Owner of a FAST_MUTEX show them.
"""

from __future__ import annotations

from struct import Struct as Codec
from typing import TYPE_CHECKING, Any

from dirql.hosts.sys.nt_structs import FAST_MUTEX, KDPC, KMUTANT, KTIMER
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.dpc import Kdpc
from dirql.kernel.fast_mutex import FastMutex
from dirql.kernel.lock import SpinLock
from dirql.kernel.rundown import Rundown
from dirql.kernel.thread import Thread
from dirql.kernel.timer import Ktimer
from dirql.kernel.wait import Event, EventType, Mutex, Semaphore
from dirql.machine.cpu import Cpu

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = [
    "DriverDpc", "DriverEvent", "DriverFastMutex", "DriverMutex", "DriverRundown", "DriverSemaphore", "DriverSpinLock",
    "DriverTimer", "WorkItem",
]  # fmt: skip

SIGNAL_STATE = 4
DPC_CALL = Codec("<QQQQ")


class _State:
    """Header.SignalState, as what the object's state is."""

    guest: Guest
    address: int

    def signal_state(self) -> int:
        """What is in the driver's memory."""
        return int.from_bytes(self.guest.space.read(self.address + SIGNAL_STATE, 4), "little", signed=True)

    def set_signal_state(self, value: int) -> None:
        """Into the driver's memory."""
        self.guest.space.write(self.address + SIGNAL_STATE, (value & 0xFFFF_FFFF).to_bytes(4, "little"))


class DriverEvent(_State, Event):
    """KEVENT."""

    def __init__(self, guest: Guest, address: int, type_: EventType) -> None:
        self.guest, self.address = guest, address
        super().__init__(guest.kernel, type_, self.signal_state() != 0, f"the KEVENT at {address:#x}")

    @property
    def state(self) -> bool:
        """Header.SignalState."""
        return self.signal_state() != 0

    @state.setter
    def state(self, value: bool) -> None:
        self.set_signal_state(value)


class DriverSemaphore(_State, Semaphore):
    """KSEMAPHORE."""

    def __init__(self, guest: Guest, address: int, limit: int) -> None:
        self.guest, self.address = guest, address
        super().__init__(guest.kernel, self.signal_state(), limit, f"the KSEMAPHORE at {address:#x}")

    @property
    def count(self) -> int:
        """Header.SignalState."""
        return self.signal_state()

    @count.setter
    def count(self, value: int) -> None:
        self.set_signal_state(value)


class DriverMutex(_State, Mutex):
    """KMUTEX; its SignalState is 1 while it is free."""

    def __init__(self, guest: Guest, address: int) -> None:
        self.guest, self.address = guest, address
        super().__init__(guest.kernel, f"the KMUTEX at {address:#x}")

    @property
    def depth(self) -> int:
        """How often its owner has it."""
        return 1 - self.signal_state()

    @depth.setter
    def depth(self, value: int) -> None:
        self.set_signal_state(1 - value)
        owner = self.guest.handle(self.owner) if value and self.owner is not None else 0
        self.guest.space.write(self.address + KMUTANT.offset("OwnerThread"), owner.to_bytes(8, "little"))


class DriverDpc(Kdpc):
    """KDPC: what it calls, and with what, is read from the driver's memory when it is called."""

    __slots__ = ("_queued_on", "address", "guest")

    def __init__(self, guest: Guest, address: int) -> None:
        self.guest, self.address = guest, address
        self._queued_on: Cpu | None = None
        super().__init__(guest.kernel, _enter, None, f"the KDPC at {address:#x}")
        self.call_back(_deferred, self, None)

    @property
    def queued_on(self) -> Cpu | None:
        """The processor whose queue it is in; DpcData shows whether it is in any."""
        return self._queued_on

    @queued_on.setter
    def queued_on(self, cpu: Cpu | None) -> None:
        if cpu is not self._queued_on:
            data = self.guest.kpcr[cpu.index] + 0x180 if cpu is not None else 0
            self.guest.space.write(self.address + KDPC.offset("DpcData"), data.to_bytes(8, "little"))
        self._queued_on = cpu

    def enqueue(self) -> bool:
        """As `insert` was called: its arguments go into the structure."""
        if self._queued_on is None:
            self._arguments(self.guest.slot(self.argument1), self.guest.slot(self.argument2))
        return super().enqueue()

    def expire(self, cpu: Cpu, time: int) -> None:
        """A timer's: the arguments are the system time."""
        if self._queued_on is None:
            now = self.kernel.clock.query_time_at(time)
            self._arguments(now & 0xFFFF_FFFF, now >> 32)
        super().expire(cpu, time)

    def _arguments(self, first: int, second: int) -> None:
        self.guest.space.write(self.address + KDPC.offset("SystemArgument1"), DPC_CALL.pack(first, second, 0, 0)[:16])


def _enter(dpc: Kdpc, context: Any, first: Any, second: Any) -> None:
    assert isinstance(dpc, DriverDpc)
    _deferred(dpc, None)


def _deferred(dpc: DriverDpc, _: Any) -> None:
    data = dpc.guest.space.read(dpc.address + KDPC.offset("DeferredRoutine"), DPC_CALL.size)
    routine, *arguments = DPC_CALL.unpack(data)
    dpc.guest.call(routine, dpc.address, *arguments)


class DriverTimer(_State, Ktimer):
    """KTIMER."""

    def __init__(self, guest: Guest, address: int, type_: EventType) -> None:
        self.guest, self.address = guest, address
        super().__init__(guest.kernel, type_, f"the KTIMER at {address:#x}")

    @property
    def state(self) -> bool:
        """Header.SignalState."""
        return self.signal_state() != 0

    @state.setter
    def state(self, value: bool) -> None:
        self.set_signal_state(value)

    def show(self, due: int, period: int, dpc: int) -> None:
        """What KeSetTimerEx was told: `due` in interrupt time, `period` in milliseconds."""
        view = KTIMER(self.guest.space, self.address)
        view.DueTime.QuadPart, view.Period, view.Dpc = due, period, dpc


class DriverSpinLock(SpinLock):
    """KSPIN_LOCK: not 0 while somebody has it."""

    __slots__ = ("_owner", "address", "guest")

    def __init__(self, guest: Guest, address: int) -> None:
        self.guest, self.address = guest, address
        self._owner: Cpu | None = None
        super().__init__(guest.kernel, f"the spin lock at {address:#x}")

    @property
    def owner(self) -> Cpu | None:
        """The processor that has it."""
        return self._owner

    @owner.setter
    def owner(self, cpu: Cpu | None) -> None:
        if cpu is not self._owner:
            self.guest.space.write(self.address, (cpu is not None).to_bytes(8, "little"))
        self._owner = cpu


class DriverFastMutex(FastMutex):
    """FAST_MUTEX or KGUARDED_MUTEX: Count is 1 while it is free."""

    def __init__(self, guest: Guest, address: int) -> None:
        self.guest, self.address = guest, address
        self._owner: Thread | None = None
        super().__init__(guest.kernel, f"the fast mutex at {address:#x}")

    @property
    def owner(self) -> Thread | None:
        """The thread that has it."""
        return self._owner

    @owner.setter
    def owner(self, thread: Thread | None) -> None:
        if thread is not self._owner:
            view = FAST_MUTEX(self.guest.space, self.address)
            view.Count = int(thread is None)
            view.Owner = self.guest.handle(thread) if thread is not None else 0
        self._owner = thread


class DriverRundown(Rundown):
    """EX_RUNDOWN_REF."""

    def __init__(self, guest: Guest, address: int) -> None:
        self.guest, self.address = guest, address
        DispatcherObject.__init__(self, guest.kernel, f"the run-down protection at {address:#x}")

    @property
    def count(self) -> int:
        """Count, in the driver's memory."""
        return int.from_bytes(self.guest.space.read(self.address, 8), "little")

    @count.setter
    def count(self, value: int) -> None:
        self.guest.space.write(self.address, value.to_bytes(8, "little"))


class WorkItem:
    """A WORK_QUEUE_ITEM that is in a queue."""

    def __init__(self, address: int) -> None:
        self.address = address

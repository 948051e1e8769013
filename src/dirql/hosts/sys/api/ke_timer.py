"""Timers: KTIMER structures in the driver's memory, and EX_TIMERs, which are the kernel's."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, LONG, LONGLONG, PVOID, ULONG, ULONGLONG, VOID, api
from dirql.hosts.sys.durations import from_now
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.kernel.ex_timer import ExTimer

__all__: list[str] = []

MILLISECOND = 1_000_000
NOTIFICATION = 1 << 31  # EX_TIMER_NOTIFICATION; without it a timer is of the synchronization kind


@api("ntoskrnl")
def KeInitializeTimer(guest: Guest, timer: PVOID) -> VOID:
    """KeInitializeTimer: a notification timer."""
    enter(guest, "KeInitializeTimer")
    guest.part(KernelObjects).new_timer(timer, 0)


@api("ntoskrnl")
def KeInitializeTimerEx(guest: Guest, timer: PVOID, type_: ULONG) -> VOID:
    """KeInitializeTimerEx."""
    enter(guest, "KeInitializeTimerEx")
    guest.part(KernelObjects).new_timer(timer, type_)


@api("ntoskrnl")
def KeSetTimer(guest: Guest, timer: PVOID, due: ULONGLONG, dpc: PVOID) -> BOOLEAN:
    """KeSetTimer."""
    return _set(guest, timer, due, 0, 0, dpc, "KeSetTimer")


@api("ntoskrnl")
def KeSetTimerEx(guest: Guest, timer: PVOID, due: ULONGLONG, period: LONG, dpc: PVOID) -> BOOLEAN:
    """KeSetTimerEx."""
    return _set(guest, timer, due, period, 0, dpc, "KeSetTimerEx")


@api("ntoskrnl")
def KeSetCoalescableTimer(
    guest: Guest, timer: PVOID, due: ULONGLONG, period: ULONG, tolerable_delay: ULONG, dpc: PVOID
) -> BOOLEAN:  # fmt: skip
    """KeSetCoalescableTimer."""
    return _set(guest, timer, due, period, tolerable_delay, dpc, "KeSetCoalescableTimer")


@api("ntoskrnl")
def KeCancelTimer(guest: Guest, timer: PVOID) -> BOOLEAN:
    """KeCancelTimer."""
    return guest.part(KernelObjects).timer(timer, "KeCancelTimer").cancel()


@api("ntoskrnl")
def KeReadStateTimer(guest: Guest, timer: PVOID) -> BOOLEAN:
    """KeReadStateTimer."""
    return guest.part(KernelObjects).timer(timer, "KeReadStateTimer").read_state()


def _set(guest: Guest, timer: int, due: int, period: int, tolerable_delay: int, dpc: int, routine: str) -> bool:
    objects = guest.part(KernelObjects)
    found = objects.timer(timer, routine)
    queued = objects.dpc(dpc, routine) if dpc else None
    ns, milliseconds = from_now(guest, due), max(period, 0)
    was = found.set(ns, milliseconds * MILLISECOND, queued, tolerable_delay * MILLISECOND)
    found.show((guest.machine.cpu.now + ns) // 100, milliseconds, dpc)
    return was


@api("ntoskrnl")
def ExAllocateTimer(guest: Guest, callback: PVOID, context: PVOID, attributes: ULONG) -> PVOID:
    """ExAllocateTimer: the address of an EX_TIMER, opaque to drivers."""
    enter(guest, "ExAllocateTimer")

    def run(timer: ExTimer, context: int) -> None:
        guest.call(callback, guest.handle(timer), context)

    timer = ExTimer(
        guest.kernel, run if callback else None, context, synchronization=not attributes & NOTIFICATION, name="an EX_TIMER"
    )
    return guest.part(_Timers).add(timer)


@api("ntoskrnl")
def ExSetTimer(guest: Guest, timer: PVOID, due: ULONGLONG, period: LONGLONG, parameters: PVOID) -> BOOLEAN:
    """ExSetTimer; the period is in 100 ns units."""
    return guest.part(_Timers).get(timer).start(from_now(guest, due), max(period, 0) * 100)


@api("ntoskrnl")
def ExCancelTimer(guest: Guest, timer: PVOID, parameters: PVOID) -> BOOLEAN:
    """ExCancelTimer."""
    return guest.part(_Timers).get(timer).cancel_timer()


@api("ntoskrnl")
def ExDeleteTimer(guest: Guest, timer: PVOID, cancel: BOOLEAN, wait: BOOLEAN, parameters: PVOID) -> BOOLEAN:
    """ExDeleteTimer."""
    return guest.part(_Timers).delete(timer, cancel, wait)


class _Timers:
    """The EX_TIMERs that drivers have."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._timers: dict[int, ExTimer] = {}

    def add(self, timer: ExTimer) -> int:
        """Its address."""
        address = self._guest.handle(timer)
        self._timers[address] = timer
        return address

    def get(self, address: int) -> ExTimer:
        """The timer there; where there is none, the kernel faults."""
        timer = self._timers.get(address)
        if timer is None:
            self._guest.space.read(address, 8)
            self._guest.space.fault(address, 1)
        return timer

    def delete(self, address: int, cancel: bool, wait: bool) -> bool:
        """It is none any more."""
        was = self.get(address).delete(cancel, wait)
        self._timers.pop(address, None)
        return was

"""Clocks and counters."""

from __future__ import annotations

from dirql.hosts.sys.abi import PVOID, ULONG, ULONGLONG, VOID, Out, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter

__all__: list[str] = []


@api("ntoskrnl")
def KeQuerySystemTime(guest: Guest, time: Out[ULONGLONG]) -> VOID:
    """KeQuerySystemTime, which is a macro on x64."""
    time(guest.kernel.clock.query_system_time())


@api("ntoskrnl")
def KeQuerySystemTimePrecise(guest: Guest, time: Out[ULONGLONG]) -> VOID:
    """KeQuerySystemTimePrecise."""
    time(guest.kernel.clock.query_system_time_precise())


@api("ntoskrnl")
def KeQueryInterruptTime(guest: Guest) -> ULONGLONG:
    """KeQueryInterruptTime, which many headers have inline."""
    return guest.kernel.clock.query_interrupt_time()


@api("ntoskrnl")
def KeQueryInterruptTimePrecise(guest: Guest, counter: Out[ULONGLONG]) -> ULONGLONG:
    """KeQueryInterruptTimePrecise."""
    time, count = guest.kernel.clock.query_interrupt_time_precise()
    counter(count)
    return time


@api("ntoskrnl")
def KeQueryUnbiasedInterruptTime(guest: Guest) -> ULONGLONG:
    """KeQueryUnbiasedInterruptTime."""
    return guest.kernel.clock.query_unbiased_interrupt_time()


@api("ntoskrnl")
def KeQueryTickCount(guest: Guest, count: Out[ULONGLONG]) -> VOID:
    """KeQueryTickCount, which is a macro on x64."""
    count(guest.kernel.clock.query_tick_count())


@api("ntoskrnl")
def KeQueryTimeIncrement(guest: Guest) -> ULONG:
    """KeQueryTimeIncrement."""
    return guest.kernel.clock.query_time_increment()


@api("ntoskrnl")
def KeQueryPerformanceCounter(guest: Guest, frequency: Out[ULONGLONG] | None) -> ULONGLONG:
    """KeQueryPerformanceCounter."""
    count, a_second = guest.kernel.ke_query_performance_counter()
    if frequency is not None:
        frequency(a_second)
    return count


@api("ntoskrnl")
def ExSystemTimeToLocalTime(guest: Guest, system: PVOID, local: PVOID) -> VOID:
    """The machine's time zone is UTC."""
    enter(guest, "ExSystemTimeToLocalTime")
    guest.space.write(local, guest.space.read(system, 8))


@api("ntoskrnl")
def ExLocalTimeToSystemTime(guest: Guest, local: PVOID, system: PVOID) -> VOID:
    """The machine's time zone is UTC."""
    enter(guest, "ExLocalTimeToSystemTime")
    guest.space.write(system, guest.space.read(local, 8))


@api("ntoskrnl")
def ExSetTimerResolution(guest: Guest, desired: ULONG, set_: ULONG) -> ULONG:
    """Accepted; the resolution stays what it is, and that is what is returned."""
    enter(guest, "ExSetTimerResolution")
    return guest.kernel.clock.tick_ns // 100


@api("ntoskrnl")
def ExQueryTimerResolution(guest: Guest, maximum: Out[ULONG], minimum: Out[ULONG], current: Out[ULONG]) -> VOID:
    """One resolution, that of the clock tick."""
    enter(guest, "ExQueryTimerResolution")
    for out in (maximum, minimum, current):
        out(guest.kernel.clock.tick_ns // 100)

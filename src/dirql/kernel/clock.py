"""What time it is: system time, interrupt time and ticks, all from virtual time (KUSER_SHARED_DATA's clocks).

Model choices: the machine is started at 2024-01-01 00:00 UTC and stands in that time zone; what is not asked for precisely
advances at the clock tick (`Costs.clock_tick`), and no request for another timer resolution changes that.
"""

from __future__ import annotations

from dirql.ddi import ddi
from dirql.machine.machine import Machine

__all__ = ["BOOT_TIME", "Clock"]

BOOT_TIME = 133_485_408_000_000_000  # 100 ns units since 1601
UNIT = 100  # ns


class Clock:
    """The machine's clocks in the kernel's units of 100 ns."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.tick_ns = machine.costs.clock_tick

    @ddi("KeQuerySystemTime")
    def query_system_time(self) -> int:
        """KeQuerySystemTime: 100 ns units since 1601, as of the last clock tick."""
        return BOOT_TIME + self.interrupt_time()

    @ddi("KeQuerySystemTimePrecise")
    def query_system_time_precise(self) -> int:
        """KeQuerySystemTimePrecise: the same, now."""
        return BOOT_TIME + self.machine.cpu.now // UNIT

    @ddi("KeQueryInterruptTime")
    def query_interrupt_time(self) -> int:
        """KeQueryInterruptTime: 100 ns units since the machine was started, as of the last clock tick."""
        return self.interrupt_time()

    @ddi("KeQueryInterruptTimePrecise")
    def query_interrupt_time_precise(self) -> tuple[int, int]:
        """KeQueryInterruptTimePrecise: (interrupt time, performance counter), now."""
        now = self.machine.cpu.now // UNIT
        return now, now

    @ddi("KeQueryUnbiasedInterruptTime")
    def query_unbiased_interrupt_time(self) -> int:
        """KeQueryUnbiasedInterruptTime: without the time that the machine slept, which it never does."""
        return self.interrupt_time()

    @ddi("KeQueryTickCount")
    def query_tick_count(self) -> int:
        """KeQueryTickCount: clock ticks since the machine was started."""
        return self.machine.cpu.now // self.tick_ns

    @ddi("KeQueryTimeIncrement")
    def query_time_increment(self) -> int:
        """KeQueryTimeIncrement: 100 ns units in a tick."""
        return self.tick_ns // UNIT

    def interrupt_time(self) -> int:
        """Interrupt time, as of the last clock tick."""
        now = self.machine.cpu.now
        return (now - now % self.tick_ns) // UNIT

    def duration(self, interval: int) -> int:
        """ns from now of a time as C has it: negative for 100 ns units from now, else the system time at which it ends."""
        if interval < 0:
            return -interval * UNIT
        return max((interval - BOOT_TIME) * UNIT - self.machine.cpu.now, 0)

    def query_time_at(self, time: int) -> int:
        """System time at the virtual time `time`."""
        return BOOT_TIME + time // UNIT

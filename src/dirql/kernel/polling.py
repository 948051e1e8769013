"""Notices a register that is polled for ever: virtual time goes on with every read, so that nothing else would end it soon.

A read counts while one thread, DPC or ISR reads one register and gets the same value. After `ROUND` of them in a row twice over,
with nothing written to the device and nothing sent by it meanwhile, it is a hang if nothing is left that could change the value:
no other processor has anything to do and no event is on its way. Periodic timers get `PERIODIC` rounds to prove otherwise. A
device that was pulled out reads all ones for ever: there it takes rounds of `GONE` reads, if nothing but reads went on.

Limits: a loop that reads two registers in turn, or that writes to the device each time, ends after 60 s of virtual time only. A
loop that reads a device that was pulled out more than twice `GONE` times, without a pause or a look at a clock, before it gives
up is taken for one without an end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.kernel.stop import Hang

if TYPE_CHECKING:
    from dirql.machine.machine import Machine
    from dirql.machine.port import Port

__all__ = ["GONE", "ROUND", "Polling"]

ROUND = 500_000  # reads; a driver's own time-out of a second, in reads without a pause, is over by the second round
PERIODIC = 10
GONE = 5_000  # reads; twice that is 8 ms, in which a bound by count without any pause is over


class Polling:
    """The rounds of one mapped range."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._streak: tuple[object, ...] = ()
        self._first = self._reads = 0  # of the first round, and after it
        self._begin = 0  # when that was over

    def round(self, port: Port, bar: int, offset: int, value: int, reads: int) -> None:
        """One more, of so many reads, is over; `Hang` when that was for ever."""
        machine = self.machine
        cpu = machine.cpu
        streak = cpu, cpu.thread, cpu.servicing, cpu.dpc, port, port.writes, port.up.last, bar, offset, value
        if streak != self._streak:
            self._streak, self._first, self._reads, self._begin = streak, reads, 0, cpu.now
            return
        self._reads += reads
        if machine.scheduler.ready:
            return
        total = self._first + self._reads
        rounds = total // (GONE if port.removed and self._only_reads(cpu.now) else ROUND)
        events = machine.agenda.open()
        if rounds < 2 or any(not event.recurring for event in events) or (events and rounds < PERIODIC):
            return
        times = f"{total:,} reads in a row gave {value:#x}"
        why = "nothing was written to it meanwhile, and nothing is on its way that could change it"
        raise Hang("polling", f"{port.name} BAR{bar}+{offset:#x} is polled for ever: {times}, {why}")

    def _only_reads(self, now: int) -> bool:
        """Nothing else took time: no pause, no look at a clock, no interrupt."""
        costs, spent = self.machine.costs, now - self._begin
        return spent in (self._reads * costs.register_read, self._reads * (costs.register_read + self.machine.routine_ns))

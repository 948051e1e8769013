"""Notices a register that is polled for ever: virtual time goes on with every read, so that nothing else would end it soon.

A read counts while one thread, DPC or ISR reads one register and gets the same value. After `ROUND` of them in a row twice over,
with nothing written to the device and nothing sent by it meanwhile, it is a hang if nothing is left that could change the value:
no other processor has anything to do and no event is on its way. Periodic timers get `PERIODIC` rounds to prove otherwise.

Limits: a loop that reads two registers in turn, or that writes to the device each time, ends after 60 s of virtual time only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.kernel.stop import Hang

if TYPE_CHECKING:
    from dirql.machine.machine import Machine
    from dirql.machine.port import Port

__all__ = ["ROUND", "Polling"]

ROUND = 500_000  # reads; a driver's own time-out of a second, in reads without a pause, is over by the second round
PERIODIC = 10


class Polling:
    """The rounds of one mapped range."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._streak: tuple[object, ...] = ()
        self._rounds = 0

    def round(self, port: Port, bar: int, offset: int, value: int) -> None:
        """One more is over; `Hang` when that was for ever."""
        machine = self.machine
        cpu = machine.cpu
        streak = cpu, cpu.thread, cpu.servicing, cpu.dpc, port, port.writes, port.up.last, bar, offset, value
        if streak != self._streak:
            self._streak, self._rounds = streak, 1
            return
        self._rounds += 1
        if machine.scheduler.ready:
            return
        events = [event for event, _ in machine.agenda.open()]
        if any(not event.recurring for event in events) or (events and self._rounds < PERIODIC):
            return
        times = f"{self._rounds * ROUND:,} reads in a row gave {value:#x}"
        why = "nothing was written to it meanwhile, and nothing is on its way that could change it"
        raise Hang("polling", f"{port.name} BAR{bar}+{offset:#x} is polled for ever: {times}, {why}")

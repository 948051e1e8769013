"""Ends a driver's code that never comes back, and lets the machine get on while a driver waits for memory to change.

A thread of the host's looks several times a second whether the emulator still runs the same piece of code. If so it asks for a
stop, which comes before a block of code or not at all, and the code is looked at instruction by instruction, registers and
written pages compared: a loop that comes back to the same state can only be ended by somebody else. Then the loop stands at its
lowest address, the others go on until the next thing has happened, and it is entered again; where nothing can happen it is a
hang. When the looking begins depends on the host, what comes of it does not: a driver's instructions take no virtual time,
however many there were. Code that gets nowhere for `patience` seconds of real time, and is no such loop, is ended where it
stands: that is not replayable. Instructions that are counted, block by block (`Processor.limit`), end it at the same place in
every run.

Limits: a loop that counts is no spin, and goes on to its end at once; so is one of more than 4,096 instructions.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakSet, ref

from dirql.hosts.sys.page_table import PAGE_SHIFT
from dirql.hosts.sys.processor import TRAP_BASE, Activation, Exit
from dirql.hosts.sys.stacks import Stack
from dirql.kernel.stop import Hang
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["PATIENCE", "Overseer"]

PATIENCE = 10.0  # s of real time
TICK = 0.05
IDLE = 40  # ticks without a call of the driver, after which the thread ends
LONGEST_LOOP = 4_096  # instructions
PREFIXES = bytes((0x66, *range(0x40, 0x50)))
PUSHF = b"\x9c"


class Overseer:
    """Looks at what runs. `patience` 0 never ends anything."""

    def __init__(self, guest: Guest) -> None:
        self._guest = ref(guest)
        self.patience = PATIENCE
        self.asleep = True  # no thread looks
        self._thread: threading.Thread | None = None
        self._held = 0  # ticks that the emulator has not come back
        self._since = 0.0
        self._seen: object = None
        EVERYONE.add(self)

    # The thread that asks.

    def watch(self) -> None:
        """A call into the driver begins: somebody looks."""
        self.asleep = False
        self._thread = threading.Thread(target=_look, args=(ref(self),), name="overseer", daemon=True)
        self._thread.start()

    def rest(self) -> None:
        """No thread any more, until the next call: before a fork."""
        thread, self._thread = self._thread, None
        self.asleep = True
        if thread is not None:
            thread.join()

    def in_child(self) -> None:
        """After a fork: the thread is the parent's."""
        self._thread, self.asleep = None, True

    def tick(self, last: tuple[int, int]) -> tuple[int, int] | None:
        """(how often the emulator had run, ticks that it has been out of it): None when nothing is left to look at."""
        guest = self._guest()
        if guest is None or self._thread is not threading.current_thread():
            return None
        runs, idle = guest.processor.runs, last[1]
        if runs & 1:
            self._held = self._held + 1 if runs == last[0] else 0
            seldom = self._held and not self._held & self._held - 1  # more and more
            if self._stalled(guest) or (seldom and not guest.processor.slice):  # a slice ends by itself, and where it is to
                guest.processor.stop()
            return runs, 0
        if runs == last[0]:
            if idle >= IDLE:
                self._thread, self.asleep = None, True
                return None
            return runs, idle + 1
        self._stalled(guest)
        return runs, 0

    def _stalled(self, guest: Guest) -> bool:
        """No progress of the machine's for so long."""
        progress = guest.machine.scheduler.progress
        if progress != self._seen:
            self._seen, self._since = progress, time.monotonic()
            return False
        return bool(self.patience) and time.monotonic() - self._since > self.patience

    # What was asked for, outside of the emulator.

    def asked(self, activation: Activation, stack: Stack) -> Exit:
        """After a stop: what the driver's code really did, if it had stopped by itself; else whether it may go on."""
        guest = self._guest()
        assert guest is not None
        processor = guest.processor
        while True:
            who = f"cpu{guest.machine.cpu.index}"
            if processor.left < 0:
                raise Hang("max-instructions", f"{who} has run the last instruction that --max-instructions allows")
            if self._stalled(guest):
                remedy = "mend the loop, or give --watchdog more; not replayable, since it depends on the host"
                raise Hang("watchdog", f"{who} has not got on for {self.patience:g} s of real time: {remedy}")
            stop = self._spin(guest, stack)
            if stop is None:
                stop = processor.go()
            if stop is not Exit.ASKED:
                return stop

    def _spin(self, guest: Guest, stack: Stack) -> Exit | None:
        """Steps until the code is known not to spin (None), or has stopped by itself."""
        processor = guest.processor
        while True:
            lowest = self._iteration(guest)
            if lowest is None or isinstance(lowest, Exit):
                return lowest
            for _ in range(LONGEST_LOOP):
                if processor.registers[0] == lowest:
                    break
                stop = self._step(guest)
                if stop is not None:
                    return stop
            stack.top = processor.registers[5]
            self._let_others(guest)

    def _iteration(self, guest: Guest) -> int | Exit | None:
        """The lowest address of a loop that comes back to where it was with nothing changed; else what stopped it, or None."""
        processor, pages = guest.processor, set[int]()
        activation = processor.current
        assert activation is not None
        before, start = (processor.snapshot(activation), processor.flags(activation)), processor.registers[0]
        processor.watch_writes(pages)
        try:
            contents: dict[int, bytes] = {}
            for _ in range(2):
                lowest = start
                contents = {page: guest.space.peek(page << PAGE_SHIFT, PAGE_SIZE) for page in pages}
                for _ in range(LONGEST_LOOP):
                    stop = self._step(guest)
                    if stop is not None:
                        return stop
                    rip = processor.registers[0]
                    lowest = min(lowest, rip)
                    if rip == start and (processor.snapshot(activation), processor.flags(activation)) == before:
                        break
                else:
                    return None
            same = all(guest.space.peek(page << PAGE_SHIFT, PAGE_SIZE) == contents.get(page) for page in pages)
            return lowest if same else None
        finally:
            processor.watch_writes(None)

    def _step(self, guest: Guest) -> Exit | None:
        processor = guest.processor
        operation = guest.space.peek(processor.registers[0], 4).lstrip(PREFIXES)[:1]
        stop = processor.step()
        if stop is None and operation == PUSHF:  # the trap flag, bit 8, is the step's and not the driver's
            place = guest.pages.translate(processor.registers[5] + 1, 2)
            if place is not None and place < TRAP_BASE:
                guest.machine.memory.view[place] &= 0xFE
        return stop

    def _let_others(self, guest: Guest) -> None:
        activation = guest.processor.current
        assert activation is not None
        self.wait_for_something(guest, "spins for ever on memory that nobody changes any more")
        guest.take_over(activation)
        guest.devices.enter(None)  # what another's instruction has done
        guest.processor.refresh()

    def let_time_pass(self) -> None:
        """Until the next thing that can happen has happened, if there is any."""
        guest = self._guest()
        assert guest is not None
        machine = guest.machine
        if machine.agenda.heap or machine.scheduler.ready or machine.cpu.apic.irr:
            self.wait_for_something(guest, "")

    def wait_for_something(self, guest: Guest, why: str) -> None:
        """Until the next thing that can happen has happened, the processor gets nowhere."""
        machine = guest.machine
        cpu, heap, ready = machine.cpu, machine.agenda.heap, machine.scheduler.ready
        times = [heap[0][0]] if heap else []
        times += [ready[0][0] + machine.scheduler.lead] if ready else []
        if not times and not cpu.apic.irr:
            raise Hang("spin", f"cpu{cpu.index} {why}: nothing else can happen")
        cpu.now = max([cpu.now, *([min(times)] if times else [])])
        machine.scheduler.point(cpu)


def _look(overseer: ref[Overseer]) -> None:
    last: tuple[int, int] | None = (-1, 0)
    while last is not None:
        time.sleep(TICK)
        one = overseer()
        last = one.tick(last) if one is not None else None
        del one


def _in_child() -> None:
    for overseer in tuple(EVERYONE):
        overseer.in_child()


EVERYONE: WeakSet[Overseer] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)

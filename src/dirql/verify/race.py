"""Data races: two accesses to one place, one of them a write, that nothing puts in order (FastTrack: the last write, and the
reads since, against the clock of who comes now).

Nothing need go wrong for it to be seen: two accesses that happened to come one after the other, and could have come at once, are
enough. What counts as data is what a watch is told of: attributes of a Python driver's own objects, and RAM that an image's
instructions access; device registers and the kernel's own state are none. RAM that a device writes by DMA is in order with
whoever reads it afterwards: PCIe's writes are coherent and land whole.
Limits: of reads from one line in one kind of context on one processor, the last is remembered. An interlocked operation is in
order with every plain access to its variable, so that a plain write beside it is not seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from dirql.findings import TELLERS
from dirql.verify.clocks import Clocks, Context

__all__ = ["RaceDetector"]

PAGE_SHIFT = 12
LEVELS = {0: "PASSIVE_LEVEL", 1: "APC_LEVEL", 2: "DISPATCH_LEVEL", 15: "HIGH_LEVEL"}
INTERLOCKED = "use Interlocked operations"
Place = tuple[str, int] | str


class Access:
    """One access: by whom, when, from where."""

    __slots__ = ("clock", "context", "cpu", "irql", "place", "writes")

    def __init__(self, context: Context, place: Place, cpu: int, irql: int, writes: bool) -> None:
        self.context, self.clock = context, context.clock
        self.place, self.cpu, self.irql, self.writes = place, cpu, irql, writes

    @property
    def where(self) -> str:
        """The driver's line."""
        return self.place if isinstance(self.place, str) else f"{Path(self.place[0]).name}:{self.place[1]}"

    def __str__(self) -> str:
        level = LEVELS.get(self.irql, f"DIRQL {self.irql}")
        return f"{'written' if self.writes else 'read'} by {self.context.name} (cpu{self.cpu}, {level}, {self.where})"


class Cell:
    """One place: the last write, and the reads since."""

    __slots__ = ("reads", "what", "write")

    def __init__(self, what: object) -> None:
        self.what = what  # kept, so that its id is nobody else's
        self.write: Access | None = None
        self.reads: dict[Hashable, Access] = {}


class RaceDetector:
    """A watch. `name_in_memory` names a physical address; findings are noted on the machine."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.name_in_memory: Callable[[int], str] = lambda address: f"physical address {address:#x}"
        self._cells: dict[Hashable, Cell] = {}
        self._bytes: dict[int, Cell] = {}
        self._clocks = Clocks(machine, self._contexts)
        self._told: set[tuple[str, frozenset[str]]] = set()
        machine.memory.freed.append(self._freed)

    # What a watch is told.

    def read(self, what: object, part: Hashable) -> None:
        """Of data."""
        self._look(what, part, False)

    def write(self, what: object, part: Hashable) -> None:
        """Of data."""
        self._look(what, part, True)

    def acquire(self, what: object) -> None:
        """Of the machine itself: at rest, everything is known."""
        if what is self.machine:
            self._clocks.acquire_all()
        else:
            self._clocks.acquire(what)

    def release(self, what: object) -> None:
        """Of anything."""
        self._clocks.release(what)

    def may_change(self, what: object, part: Hashable = None) -> None:
        """No access."""

    def waits(self, what: object) -> None:
        """Puts nothing in order."""

    def begins(self, what: object) -> None:
        """A context."""
        self._clocks.begins(what)

    def ends(self) -> None:
        """The innermost."""
        self._clocks.ends()

    def lands(self, what: object) -> None:
        """A device's context, or a timer's."""
        self._clocks.land(what)

    def landed(self, what: object) -> None:
        """It has."""
        self._clocks.landed()

    # What comes of it.

    def _look(self, what: object, part: Hashable, writes: bool) -> None:
        if what is self.machine.memory:
            assert isinstance(part, tuple)
            self._look_at_memory(part[0], part[1], writes)
        elif self.machine.cpu is not self.machine.nobody and not self._clocks.lands and not of_dirql(what):
            self._synchronised(("interlocked", id(what), part))
            cell = self._cells.get((id(what), part))
            if cell is None:
                cell = self._cells[id(what), part] = Cell(what)
            access = self._access(writes)
            other = self._settle(cell, access)
            if other is not None:
                self._tell(attribute_name(what, part), access, other)

    def _look_at_memory(self, address: int, length: int, writes: bool) -> None:
        pages = range(address >> PAGE_SHIFT, (address + length - 1 >> PAGE_SHIFT) + 1)
        if self._clocks.lands or self.machine.cpu is self.machine.nobody:
            if writes:
                for page in pages:
                    self._clocks.release(("dma", page))
                self._forget(address, address + length)
            return
        for page in pages:
            self._synchronised(("dma", page))
        self._synchronised(("interlocked", id(self.machine.memory), address))
        access, other, first = self._access(writes), None, 0
        for one in range(address, address + length):
            cell = self._bytes.get(one)
            if cell is None:
                cell = self._bytes[one] = Cell(None)
            found = self._settle(cell, access)
            if other is None and found is not None:
                other, first = found, one
        if other is not None:
            self._tell(self.name_in_memory(first), access, other)

    def _synchronised(self, what: object) -> None:
        if self._clocks.has(what):
            self._clocks.acquire(what)

    def _access(self, writes: bool) -> Access:
        cpu = self.machine.cpu
        return Access(self._clocks.now, place(sys._getframe(1)), cpu.index, cpu.irql, writes)

    def _settle(self, cell: Cell, access: Access) -> Access | None:
        """Remember the access; one before it that it is in no order with."""
        context, last = access.context, cell.write
        found = last if last is not None and not context.knows(last.context, last.clock) else None
        if access.writes:
            for read in cell.reads.values():
                if found is None and not context.knows(read.context, read.clock):
                    found = read
            cell.write, cell.reads = access, {}
        else:
            cell.reads[access.place, context.name, access.cpu] = access
        return found

    def _tell(self, name: str, access: Access, other: Access) -> None:
        key = name, frozenset((access.where, other.where))
        if key in self._told:
            return
        self._told.add(key)
        sentence = f"{name} is {access} and was {other}, and nothing puts the two in order; {remedy(access, other)}"
        self.machine.note_finding("data-race", sentence, f"cpu{access.cpu}, {access.context.name}, {access.where}")

    def _contexts(self) -> Iterator[Context]:
        for cells in (self._cells.values(), self._bytes.values()):
            for cell in cells:
                if cell.write is not None:
                    yield cell.write.context
                for read in cell.reads.values():
                    yield read.context

    def _freed(self, pages: Any) -> None:
        for page in pages:
            self._forget(page, page + (1 << PAGE_SHIFT))

    def _forget(self, start: int, end: int) -> None:
        for address in range(start, end) if self._bytes else ():
            self._bytes.pop(address, None)


def remedy(one: Access, other: Access) -> str:
    """What would put the two in order."""
    level = max(one.irql, other.irql)
    isrs = {a.context.name for a in (one, other) if a.context.name.startswith("the ISR of ")}
    if len(isrs) == 2:
        return f"give both interrupts one lock (WDF_INTERRUPT_CONFIG.SpinLock), or {INTERLOCKED}"
    if isrs or level > 2:
        return f"hold the interrupt's lock on both sides (WdfInterruptAcquireLock; its ISR has it already), or {INTERLOCKED}"
    if level == 2:
        return f"hold one spin lock on both sides (WdfSpinLockAcquire), or {INTERLOCKED}"
    return f"hold one lock on both sides (WdfWaitLockAcquire), or {INTERLOCKED}"


def attribute_name(what: object, part: Hashable) -> str:
    """`Ring.head`; of a framework object's class with the object's name."""
    name = getattr(what, "name", None) if of_dirql_bases(what) else None
    return f"{type(what).__name__}.{part}" + (f" of {name}" if isinstance(name, str) else "")


def of_dirql(what: object) -> bool:
    """State of the machine's or the kernel's."""
    module = type(what).__module__
    return module == "dirql" or module.startswith("dirql.") or module == "builtins"


def of_dirql_bases(what: object) -> bool:
    """A class of the driver's on top of one of the framework's."""
    return any(base.__module__.startswith("dirql.") for base in type(what).__mro__)


def place(frame: FrameType | None) -> Place:
    """The innermost line of the driver's below `frame`."""
    while frame is not None:
        teller = TELLERS.get(frame.f_code)
        if teller is not None:
            return teller(frame)
        name = frame.f_globals.get("__name__", "")
        if name != "dirql" and not name.startswith("dirql."):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return ""

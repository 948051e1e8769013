"""What each step of a run touched, so that a search need not try both orders of two steps that have nothing in common.

A step is what one chain (a processor, a lane, a timer) does from one point to the next. Two steps depend on each other when both
touch the same thing and one of them writes it. Things are told apart by their names, which are the same in every run; of those
without a name only the class is known, and of a device nothing but which one it is, so that steps may seem to depend on each
other that do not: that costs schedules, and loses none.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from dirql.kernel.io_space import IoSpace, PortSpace
from dirql.kernel.kernel import Kernel
from dirql.machine.apic import LocalApic
from dirql.machine.memory import Memory
from dirql.machine.port import Port

__all__ = ["Footprint", "Footprints", "dependent"]

COMMON = (IoSpace, Kernel, PortSpace)
RAM = ("Memory", None)
Footprint = Mapping[Hashable, bool]  # what was touched, and whether it was written


def dependent(one: Footprint, other: Footprint) -> bool:
    """May the order of the two matter?"""
    if len(other) < len(one):
        one, other = other, one
    return any(wrote or other[what] for what, wrote in one.items() if what in other)


class Footprints:
    """A `Watch` that collects. `contexts` tells of a driver's context which framework object has it, by id."""

    def __init__(self) -> None:
        self.contexts: Mapping[int, Any] = {}
        self.processors: Mapping[LocalApic, int] = {}
        self._now: dict[Hashable, bool] = {}
        self._names: dict[int, tuple[object, Hashable]] = {}

    def begin(self) -> None:
        """A run begins."""
        self._now, self._names = {}, {}

    def step(self) -> Footprint:
        """What was touched since the last time; begins the next step."""
        now, self._now = self._now, {}
        now.setdefault(RAM, False)  # a Python driver's reads of a common buffer are not seen: every step may be one
        return now

    def read(self, what: object, part: Hashable) -> None:
        """Shared data is read."""
        self._now.setdefault(self._key(what, part), False)

    def write(self, what: object, part: Hashable) -> None:
        """Shared data is written."""
        self._now[self._key(what, part)] = True

    def acquire(self, what: object) -> None:
        """A lock's next owner matters."""
        self._now[self._key(what, None)] = True

    def release(self, what: object) -> None:
        """As much as its last."""
        self._now[self._key(what, None)] = True

    def lands(self, what: object) -> None:
        """A chain of its own, whose step has begun already. A device's own timer may do anything with the device."""
        if isinstance(what, Port):
            self.write(what, None)

    def landed(self, what: object) -> None:
        """Its step ends where the next is chosen."""

    def may_change(self, what: object, part: Hashable = None) -> None:
        """As good as written; not what all routines of one kind are called on."""
        if not isinstance(what, COMMON):
            self.write(what, part)

    def waits(self, what: object) -> None:
        """It would have been first, had it come before whoever has it."""
        self._now.setdefault(self._key(what, None), False)

    def begins(self, what: object) -> None:
        """Part of its processor's chain."""

    def ends(self) -> None:
        """An ISR, DPC or thread is over."""

    def _key(self, what: object, part: Hashable) -> Hashable:
        if isinstance(what, tuple | str):
            return what
        if isinstance(what, LocalApic):
            return "apic", self.processors.get(what)  # whichever vector: a processor looks at all of them
        if isinstance(what, Port | Memory):
            return self._name(what)  # a device's registers are its own affair; of RAM see `step`
        return self._name(what), part

    def _name(self, what: object) -> Hashable:
        known = self._names.get(id(what))
        if known is not None:
            return known[1]
        owner = self.contexts.get(id(what))
        name = (type(what).__name__, getattr(owner if owner is not None else what, "name", None))
        self._names[id(what)] = (what, name)
        return name

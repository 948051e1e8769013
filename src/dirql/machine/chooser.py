"""The one source of order: whatever could have happened in another order on a real machine is asked of a `Chooser`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["Chooser", "Option", "Point", "RandomChooser", "RunToBlocking"]


class Option(NamedTuple):
    """One way to go on. `id` is stable from run to run: `cpu0`, `land:mqueue.up`, `land:timer:watchdog`; the second of
    that name at one point is `land:timer:watchdog#2`."""

    id: str
    what: Any  # the Cpu to run, the event to land, the processor to take a message


class Point(NamedTuple):
    """A place where the order is open.

    * kind     — "step" (which processor goes on, or which event in flight lands) or "target" (who takes a message)
    * options  — never empty, in virtual-time order: the first is what the default would do
    * current  — the option id of the processor that runs now, if it could go on
    * yielding — option ids of processors that spin: running them changes nothing
    """

    kind: str
    options: Sequence[Option]
    current: str | None
    yielding: frozenset[str] = frozenset()


class Chooser(Protocol):
    """Chooses among the options of a point. `interleaves` False promises to take the first always, so that the scheduler need
    not ask at every routine; `at_data` asks for points at accesses to a Python driver's own data too, which are slower for it."""

    interleaves: bool
    at_data: bool

    def choose(self, point: Point) -> Option:
        """One of `point.options`."""

    def observe(self, step: str) -> None:
        """Told what the last step touched (a routine's name, a register, a lane)."""


class RunToBlocking:
    """The default: virtual time decides, and a processor runs to its next blocking point or interrupt."""

    interleaves = at_data = False

    def choose(self, point: Point) -> Option:
        """The first, which is the earliest."""
        return point.options[0]

    def observe(self, step: str) -> None:
        """Nothing to learn."""


class RandomChooser:
    """Interleaves by a seed; keeps the ids it chose, which are the schedule."""

    interleaves = True
    at_data = False

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.taken: list[str] = []

    def choose(self, point: Point) -> Option:
        """Any option that does something, by the seed."""
        useful = [o for o in point.options if o.id not in point.yielding] or point.options
        option = useful[self._random.randrange(len(useful))]
        self.taken.append(option.id)
        return option

    def observe(self, step: str) -> None:
        """Nothing to learn."""

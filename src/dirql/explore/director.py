"""The chooser of an exploration: it numbers the options of every point, asks a tactic which to take, and keeps the decisions.

Number 0 is what would happen anyway: an event whose time has come, else the processor that runs, else the earliest. A
processor that spins is not chosen while another can go on, since running it changes nothing; one that was chosen `FAIR` times in
a row lets another go first, since it may spin on memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Protocol

from dirql.explore.schedule import Decision
from dirql.kernel.stop import Stop
from dirql.machine.chooser import Option, Point
from dirql.machine.cpu import Cpu

_id: Callable[[Option], str] = itemgetter(0)
_decision: Callable[[tuple[object, ...]], Decision] = partial(tuple.__new__, Decision)  # without a call in Python, and often
FAIR = 1_000  # choices in a row, after which another goes first

__all__ = ["Abandoned", "Director", "Tactic"]


class Abandoned(Stop):
    """A run that is not gone on with: nothing is said of the driver."""

    kind = "abandoned"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)

    def __str__(self) -> str:
        return f"abandoned: {self.why}"


class Tactic(Protocol):
    """Takes the options of one run."""

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """The number of the option to take, of two or more; `kind` is the point's, `current` tells that number 0 is the processor
        that runs. Raises `Abandoned`."""

    def forced(self, id: str) -> None:
        """There was only this."""


class Director:
    """Asked at every point of a run. While it does not interleave, all happens as without it."""

    at_data = True

    def __init__(self) -> None:
        self.interleaves = False
        self.tactic: Tactic | None = None
        self.most = 0
        self.decisions: list[Decision] = []
        self._offered: list[Option] = []
        self._step = ""
        self._leader, self._lead = "", 0  # who was chosen last, and how often in a row

    def begin(self, tactic: Tactic, most: int) -> None:
        """From here on `tactic` chooses, at most so many times."""
        self.tactic, self.most, self.decisions, self.interleaves = tactic, most, [], True
        self._offered = []
        self._step = ""
        self._leader, self._lead = "", 0

    def choose(self, point: Point) -> Option:
        """One of `point.options`."""
        tactic = self.tactic
        kind, options, current, yielding = point
        if not self.interleaves or tactic is None:
            return options[0]
        if len(options) > 1 and (yielding or self._lead >= FAIR or (current is not None and options[0].id != current)):
            options = _numbered(options, current, yielding, self._leader if self._lead >= FAIR else "")
        if self._offered and kind == "step":
            options = [*options, *self._offered]
        if len(options) == 1:
            if kind == "step":
                tactic.forced(options[0].id)
            return options[0]
        ids = tuple(map(_id, options))
        option = options[self._take(tactic, kind, ids, ids[0] == current)]
        if option.id == self._leader:
            self._lead += 1
        else:
            self._leader, self._lead = option.id, 0
        return option

    def pick(self, kind: str, ids: tuple[str, ...]) -> int:
        """The number of the option to take of something that is no order; 0 while it does not interleave."""
        return self._take(self.tactic, kind, ids, False) if self.interleaves and self.tactic is not None else 0

    def offer(self, option: Option) -> None:
        """May be taken at every point from here on."""
        self._offered.append(option)

    def withdraw(self) -> None:
        """Nothing that was offered may."""
        self._offered = []

    def _take(self, tactic: Tactic, kind: str, ids: tuple[str, ...], current: bool) -> int:
        taken = tactic.take(kind, ids, current)
        self.decisions.append(_decision((ids, taken, self._step)))
        if len(self.decisions) >= self.most:
            raise Abandoned(f"it took {self.most} choices and was not at its end")
        return taken

    def observe(self, step: str) -> None:
        """What the running processor is about to do."""
        self._step = step


def _numbered(options: Sequence[Option], current: str | None, yielding: frozenset[str], leader: str) -> Sequence[Option]:
    if yielding or leader:
        options = [option for option in options if option.id != leader and option.id not in yielding] or options
    passed = 0
    for option in options:
        if option.id == current:
            break
        passed += isinstance(option.what, Cpu)
    else:
        return options
    if not passed:
        return options
    place = options.index(option)
    behind = [option for option in options[:place] if isinstance(option.what, Cpu)]  # it may run on past slower processors
    due = [option for option in options[:place] if not isinstance(option.what, Cpu)]
    return [*due, options[place], *behind, *options[place + 1 :]]

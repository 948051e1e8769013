"""Tactics: how the options of one run are taken (depth-first search has its own, see `depth_first`).

PCT follows Burckhardt, Kothari, Musuvathi and Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding
Bugs" (ASPLOS 2010): random priorities, and `depth - 1` random moments at which whoever leads falls behind all others. Its
chains are processors, lanes and timers; an ISR or a DPC belongs to the chain of its processor, which is one order of steps.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from dirql.explore.director import Abandoned

FAULT = "fault:"  # how the ids of failures begin; they stand behind all others
FAULTS = {"step": 64, "fault": 4}  # one in so many times something fails in a random run: at a point, at an allocation

__all__ = ["Follow", "Natural", "Pct", "Random", "RoundRobin"]


class Natural:
    """What would happen anyway; counts what PCT wants to know: `learned` is (chains, steps, choices drawn)."""

    def __init__(self) -> None:
        self._chains: set[str] = set()
        self._steps = 0

    @property
    def learned(self) -> tuple[int, int, int]:
        """How many chains there were, and how many steps they took; nothing is drawn."""
        return len(self._chains), self._steps, 0

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """Number 0."""
        self._chains.update(ids)
        self._steps += 1
        return 0

    def forced(self, id: str) -> None:
        """Counts as a step."""
        self._chains.add(id)
        self._steps += 1


class Follow:
    """Replays choices, and takes number 0 after them."""

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = choices
        self._at = 0

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """The next of the choices; `Abandoned` where there is no such option."""
        at = self._at
        if at >= len(self._choices):
            return 0
        self._at = at + 1
        number = self._choices[at]
        if number >= len(ids):
            raise Abandoned(f"choice {at + 1} is {number}, and there are {len(ids)} options: {', '.join(ids)}")
        return number

    def forced(self, id: str) -> None:
        """Not a choice."""


class Random:
    """Any option, by the seed."""

    def __init__(self, seed: object) -> None:
        self._draw = random.Random(repr(seed)).random

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """Evenly among the options; a failure more rarely, or it would come before anything else did."""
        count = len(ids)
        if ids[-1].startswith(FAULT):
            usual = sum(not id.startswith(FAULT) for id in ids)
            if self._draw() * FAULTS.get(kind, 1) < 1:
                return usual + int(self._draw() * (count - usual))
            count = usual
        return int(self._draw() * count)

    def forced(self, id: str) -> None:
        """Nothing to draw."""


class RoundRobin:
    """Each in turn: whoever was chosen longest ago, for `quantum` choices. Nothing fails."""

    def __init__(self, quantum: int) -> None:
        self._quantum = quantum
        self._left = 0
        self._last = ""
        self._turn: dict[str, int] = {}
        self._time = 0

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """The one that goes on, until its quantum is over."""
        ids = [id for id in ids if not id.startswith(FAULT)]
        self._time += 1
        if self._left > 0 and self._last in ids:
            self._left -= 1
        else:
            self._last = min(ids, key=lambda id: self._turn.get(id, 0))
            self._left = self._quantum - 1
        self._turn[self._last] = self._time
        return ids.index(self._last)

    def forced(self, id: str) -> None:
        """Takes no turn."""


class Pct:
    """Whoever has the highest priority, which changes at `depth - 1` of the first `steps` steps."""

    def __init__(self, seed: object, depth: int, steps: int) -> None:
        self._random = random.Random(repr(seed))
        self._priorities: dict[str, float] = {}
        changes = self._random.sample(range(1, max(steps, depth) + 1), depth - 1)
        self._changes = {step: -float(rank) for rank, step in enumerate(changes, 1)}
        self._fault = self._random.randrange(1, 2 * max(steps, 1) + 1)  # the step from which on a failure comes
        self._steps = 0
        self._drawn = 0

    @property
    def learned(self) -> tuple[int, int, int]:
        """How many chains there were, how many steps they took, and how many choices were drawn, of which no theorem speaks."""
        return len(self._priorities), self._steps, self._drawn

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """The leader's number; at a moment of change it falls behind first."""
        self._steps += 1
        if ids[-1].startswith(FAULT):
            self._drawn += 1
            usual = [id for id in ids if not id.startswith(FAULT)]
            if self._steps >= self._fault or (kind == "fault" and self._random.random() * FAULTS[kind] < 1):
                return self._random.randrange(len(usual), len(ids))
            ids = usual
        if kind != "step":
            self._drawn += 1
            return self._random.randrange(len(ids))
        leader = self._leader(ids)
        behind = self._changes.get(self._steps)
        if behind is not None:
            self._priorities[leader] = behind
            leader = self._leader(ids)
        return ids.index(leader)

    def forced(self, id: str) -> None:
        """A step all the same."""
        self._steps += 1
        self._leader((id,))

    def _leader(self, ids: Sequence[str]) -> str:
        priorities = self._priorities
        for id in ids:
            if id not in priorities:
                priorities[id] = 1.0 + self._random.random()
        return max(ids, key=priorities.__getitem__)

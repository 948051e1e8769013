"""Searches: which schedule to try next. A search is told what each came to, and says when there is nothing left."""

from __future__ import annotations

from typing import Protocol

from dirql.explore.director import Tactic
from dirql.explore.outcome import Outcome
from dirql.explore.tactics import Natural, Pct, Random, RoundRobin

__all__ = ["PctSearch", "RandomSearch", "RoundRobinSearch", "Search", "pct_bound"]


class Search(Protocol):
    """`exhausted` once every schedule that it stands for was played; `bound` what is proved of each, in words, or nothing."""

    exhausted: bool

    def next(self) -> Tactic | None:
        """How to play the next schedule; None when there is none."""

    def learn(self, outcome: Outcome) -> None:
        """What that one came to."""

    @property
    def bound(self) -> str:
        """What is proved about one schedule of it."""


class RandomSearch:
    """The natural order first, then any, by (seed, number)."""

    exhausted = False
    bound = ""

    def __init__(self, seed: int, first: int = 0) -> None:
        self._seed, self._number = seed, first

    def next(self) -> Tactic | None:
        """By the next number."""
        number = self._number
        self._number += 1
        return Random((self._seed, number)) if number else Natural()

    def learn(self, outcome: Outcome) -> None:
        """Nothing."""


class RoundRobinSearch:
    """The natural order first, then turns of 1, 2, 3 … choices, until a turn lasts as long as a run."""

    bound = ""

    def __init__(self, first: int = 0, longest: int = 1) -> None:
        self._quantum = first
        self._longest = longest
        self.exhausted = False

    def next(self) -> Tactic | None:
        """With turns of one choice more."""
        quantum = self._quantum
        self._quantum += 1
        self.exhausted = quantum > self._longest
        return None if self.exhausted else RoundRobin(quantum) if quantum else Natural()

    def learn(self, outcome: Outcome) -> None:
        """How long a run is."""
        self._longest = max(self._longest, len(outcome.decisions))


class PctSearch:
    """The natural order first, which tells how long a run is; then PCT for bugs of `depth` ordering constraints."""

    exhausted = False

    def __init__(self, seed: int, depth: int, first: int = 0, steps: int = 0) -> None:
        self._seed, self._depth, self._number = seed, depth, first
        self._steps = steps
        self.most_chains = 0
        self.most_steps = 0
        self.drawn = 0

    def next(self) -> Tactic | None:
        """By the next number."""
        number = self._number
        self._number += 1
        return Pct((self._seed, number), self._depth, self._steps) if number else Natural()

    def learn(self, outcome: Outcome) -> None:
        """How many chains and steps there are, and what is drawn besides."""
        chains, steps, drawn = outcome.learned or (0, 0, 0)
        self.drawn += drawn
        self._steps = self._steps or steps
        self.most_chains, self.most_steps = max(self.most_chains, chains), max(self.most_steps, steps)

    @property
    def bound(self) -> str:
        """The theorem's, where its premises were met."""
        return pct_bound(self._depth, self._steps, self.most_chains, self.most_steps, self.drawn)


def pct_bound(depth: int, steps: int, most_chains: int, most_steps: int, drawn: int) -> str:
    """The theorem's, where changes were drawn from at least as many `steps` as any run had, and nothing but order was chosen: for
    a message's target and for failures there is no such proof. What was not played may be longer: that is the condition."""
    if not steps or most_steps > steps or not most_chains or drawn:
        return ""
    steps = max(steps, depth)
    condition = f", if none has more than {steps} steps of {most_chains} processors, lanes and timers"
    least = 1 / (most_chains * steps ** (depth - 1))
    order = f"1/({most_chains} × {steps}^{depth - 1})" if depth > 1 else f"1/{most_chains}"
    return f"each schedule meets a bug of depth {depth} with a probability of at least {order} = {least:.2g}{condition}"

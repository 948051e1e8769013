"""A batch: some schedules of a search as a value that any process can be sent, and what they came to as another.

`play` is a plain function: it runs in this process, in a worker of a pool, on a machine of a cluster. A process keeps the root
that it built from one batch of a campaign to the next.
Limits: one batch at a time in a process; where an executor has several threads in one they take turns, each with its own root.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from dirql.errors import DirqlError
from dirql.explore.coverage import Coverage, Met, Ran
from dirql.explore.depth_first import DepthFirst
from dirql.explore.explorer import Explorer, Key
from dirql.explore.root import Root, root_of
from dirql.explore.search import PctSearch, RandomSearch, RoundRobinSearch, Search
from dirql.explore.trial import Plan

__all__ = ["SIZE", "Batch", "Measured", "Result", "Settings", "keep_root", "play"]

SIZE = 50  # schedules


@dataclass(frozen=True)
class Settings:
    """How a campaign searches. `preemptions` None is depth-first with reduction; `stop` ends it at the first failure;
    `check_every` plays every so many schedules twice."""

    chooser: str = "pct"
    seed: int = 0
    depth: int = 3
    preemptions: int | None = None
    stop: bool = False
    check_every: int = 50


@dataclass(frozen=True)
class Measured:
    """What the default order tells of all runs: PCT's steps, how many choices, the end that others must have."""

    chains: int = 0
    steps: int = 0
    choices: int = 0
    state: str | None = None


@dataclass(frozen=True)
class Batch:
    """Schedules `first` to `first + count - 1` of a search by number, or `count` more of a depth-first search that has come as
    far as `search`. `id` is its name in the journal, `campaign` tells which root it plays on."""

    id: str
    campaign: str
    plan: Plan
    settings: Settings
    measured: Measured
    first: int
    count: int
    search: DepthFirst | None = None
    tree: int = 0  # which subtree's search it is

    def begin(self) -> Search:
        """The search, where it goes on."""
        settings = self.settings
        if self.search is not None:
            return self.search
        if settings.chooser == "pct":
            return PctSearch(settings.seed, settings.depth, self.first, self.measured.steps)
        if settings.chooser == "random":
            return RandomSearch(settings.seed, self.first)
        return RoundRobinSearch(self.first, self.first + self.count)


@dataclass
class Result:
    """What a batch came to. `found` has of each kind of failure the number and the choices of the first schedule that had it;
    `ran` is the code that its process has come to, before too; `problem` is why it could not be played to its end; `cut` is one
    that an interruption ended before that."""

    played: int = 0
    abandoned: int = 0
    longest: int = 0
    chains: int = 0
    steps: int = 0
    drawn: int = 0
    exhausted: bool = False
    found: dict[Key, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    met: Met = field(default_factory=dict)
    ran: Ran = field(default_factory=set)
    problem: str = ""
    cut: bool = False
    search: DepthFirst | None = None

    def as_json(self) -> dict[str, Any]:
        """For the journal; without the search."""
        found = [[*key, number, list(choices)] for key, (number, choices) in sorted(self.found.items())]
        counts = {name: getattr(self, name) for name in COUNTS}
        met, ran = {k: list(v) for k, v in self.met.items()}, [list(line) for line in sorted(self.ran)]
        return {**counts, "exhausted": self.exhausted, "found": found, "met": met, "ran": ran}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Result:
        """What `as_json` wrote; KeyError, TypeError or ValueError for anything else."""
        found = {(str(rule), str(where)): (int(number), tuple(map(int, taken))) for rule, where, number, taken in told["found"]}
        met = {str(name): (int(options), int(taken)) for name, (options, taken) in told["met"].items()}
        ran = {(int(address), int(size)) for address, size in told["ran"]}
        result = cls(exhausted=bool(told["exhausted"]), found=found, met=met, ran=ran)
        for name in COUNTS:
            setattr(result, name, int(told[name]))
        return result


COUNTS = ("played", "abandoned", "longest", "chains", "steps", "drawn")
_HERE = threading.local()
_ONE_AT_A_TIME = threading.Lock()


def play(batch: Batch, interrupted: Callable[[], bool] = lambda: False) -> Result:
    """Play it, or what there was time for. What is wrong with the user's files, or does not come out twice alike, is the result's
    `problem`. What the driver prints is not shown: it would be, for each schedule."""
    with _ONE_AT_A_TIME, redirect_stdout(io.StringIO()):
        try:
            return _play(batch, _root(batch), interrupted)
        except DirqlError as problem:
            return Result(problem=str(problem))


def keep_root(campaign: str, root: Root | None) -> None:
    """What batches of that campaign are to be played on in this thread; None lets it go."""
    _HERE.campaign, _HERE.root = campaign if root is not None else None, root


def _root(batch: Batch) -> Root:
    if getattr(_HERE, "campaign", None) != batch.campaign:
        keep_root("", None)
        keep_root(batch.campaign, root_of(batch.plan)[0])
    root: Root = _HERE.root
    return root


def _play(batch: Batch, root: Root, interrupted: Callable[[], bool]) -> Result:
    search, coverage = batch.begin(), Coverage()
    explorer = Explorer(batch.plan, root, search, batch.settings.check_every, first=batch.first, state=batch.measured.state)
    explorer.heard = lambda outcome: coverage.hear(outcome.decisions)
    explorer.run(batch.count, lambda: interrupted() or (batch.settings.stop and bool(explorer.found)))
    found = {key: (number, outcome.choices) for key, (number, outcome) in explorer.found.items()}
    result = Result(explorer.played, explorer.abandoned, explorer.longest, exhausted=search.exhausted, found=found)
    result.met, result.ran, result.cut = coverage.told(), set(root.ran), interrupted()
    if isinstance(search, PctSearch):
        result.chains, result.steps, result.drawn = search.most_chains, search.most_steps, search.drawn
    if isinstance(search, DepthFirst):
        search.look_ahead()
        result.search, result.exhausted = search, search.exhausted
    return result

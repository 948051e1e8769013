"""A campaign: the schedules of a search as batches that others play.

What comes out does not depend on which batch is over first, nor on how many run at a time: searches by number are cut into the
same batches always, and of a kind of failure the schedule with the lowest number counts. A depth-first search is one batch after
the other; shared out, it is cut into subtrees (see `subtrees`), which are given their schedules in rounds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dirql.errors import UsageError
from dirql.explore.basis import basis_of
from dirql.explore.batch import SIZE, Batch, Measured, Result, Settings, keep_root
from dirql.explore.coverage import Coverage
from dirql.explore.crew import Crew, in_process
from dirql.explore.depth_first import DepthFirst
from dirql.explore.explorer import Found, Key, smallest
from dirql.explore.interruption import between_schedules
from dirql.explore.journal import Identity, Journal
from dirql.explore.outcome import Outcome
from dirql.explore.root import Root
from dirql.explore.search import pct_bound
from dirql.explore.subtrees import subtrees
from dirql.explore.tactics import Follow, Natural
from dirql.explore.trial import Plan

__all__ = ["Campaign", "identity_of"]

SUBTREES = 32  # that a depth-first search is cut into where it is shared out
Place = tuple[int, int]  # of a schedule: its subtree, its number there


def identity_of(plan: Plan, settings: Settings, shared: bool) -> Identity:
    """What two parts of one campaign have in common; how many schedules is not of it, so that more may be asked for."""
    told: Identity = {"journal": "dirql explore", "basis": basis_of(plan), "chooser": settings.chooser}
    match settings.chooser:
        case "pct":
            told |= {"seed": settings.seed, "depth": settings.depth}
        case "random":
            told |= {"seed": settings.seed}
        case "dfs":
            told |= {"preemptions": settings.preemptions, "subtrees": SUBTREES if shared else 1}
    told |= {"from": plan.begin, "level": plan.level, "faults": list(plan.faults), "grant": plan.grant}
    return told | {"invariant": plan.invariant, "same_outcome": plan.outcome, "first": settings.stop}


@dataclass
class _Subtree:
    search: DepthFirst
    share: int = 0  # schedules that it may still play in this round
    slices: int = 0
    played: int = 0
    live: bool = True


@dataclass
class Campaign:
    """So many `schedules` of `plan` by `settings`, played by `crew`. Here, on `root`, the default order is measured, a
    depth-first search cut, and failures made small."""

    plan: Plan
    settings: Settings
    schedules: int
    root: Root
    crew: Crew = field(default_factory=in_process)
    journal: Journal | None = None
    progress: Callable[[int, int], None] = lambda schedules, failures: None
    played: int = 0
    abandoned: int = 0
    longest: int = 0
    exhausted: bool = False
    coverage: Coverage = field(default_factory=Coverage)
    left_out: list[str] = field(default_factory=list)
    full: str = ""  # why the journal could not be written
    interrupted: bool = False  # before all failures were small
    measured: Measured = field(default_factory=Measured)
    _chains: int = 0
    _steps: int = 0
    _drawn: int = 0
    _found: dict[Key, tuple[Place, tuple[int, ...]]] = field(default_factory=dict)
    _waiting: deque[Batch] = field(default_factory=deque)
    _trees: list[_Subtree] = field(default_factory=list)
    _handed_out: int = 0
    _held: list[tuple[Batch, Result]] = field(default_factory=list)  # until it is known which failure is the first
    _failed_at: int | None = None

    @property
    def by_number(self) -> bool:
        """Is a schedule its number?"""
        return self.settings.chooser != "dfs"

    @property
    def kinds(self) -> int:
        """How many kinds of failure were found."""
        return len(self._found)

    @property
    def bound(self) -> str:
        """What is proved of each schedule, or what it is exhausted for."""
        settings = self.settings
        if settings.chooser == "pct":
            return pct_bound(settings.depth, self.measured.steps, self._chains, self._steps, self._drawn)
        return "" if self.by_number else DepthFirst(settings.preemptions).bound

    def run(self) -> None:
        """All of it. Where it is interrupted, what is known then stays known."""
        self.measured = self._measure()
        keep_root(self._name, self.root)  # for a crew that plays here
        try:
            self._waiting.extend(self._numbered() if self.by_number else self._cut())
            self.crew.work(self)
        finally:
            keep_root("", None)
            if self.journal is not None:
                self.journal.close()
            self._settle()
            self.coverage.count_blocks(self.root.images)

    def report(self) -> list[Found]:
        """Every kind of failure, with the smallest schedule found for it, or the smallest up to an interruption."""
        before = [0]
        for tree in self._trees:
            before.append(before[-1] + tree.played)
        found: dict[Key, tuple[int, Outcome]] = {}
        with between_schedules() as interrupted:
            for key, ((tree_number, number), choices) in self._found.items():
                found[key] = before[tree_number] + number, self.root.play(Follow(choices))
            small = smallest(self.plan, self.root, self.measured.state, found, interrupted)
            self.interrupted = interrupted()
        return small

    # A crew's source of batches.

    def next(self) -> Batch | None:
        """What is to be played now; what the journal knows is not."""
        while not self.full:
            if not self._waiting and not self._handed_out and self._trees:
                self._waiting.extend(self._round())
            if not self._waiting:
                return None
            batch = self._waiting.popleft()
            if self._failed_at is not None and batch.first > self._failed_at:
                continue
            self._handed_out += 1
            known = self.journal.known.pop(batch.id, None) if self.journal is not None else None
            if known is None:
                return batch
            self._merge(batch, known)
        return None

    def take(self, batch: Batch, result: Result) -> None:
        """It was played."""
        if result.problem:
            raise UsageError(result.problem)
        self._merge(batch, result)
        if self.journal is not None and not result.cut:
            try:
                self.journal.add(batch.id, result)
            except OSError as problem:
                self.full = f"{self.journal.path}: {problem.strerror}"

    def leave_out(self, batch: Batch) -> None:
        """Its workers died, twice."""
        self._handed_out -= 1
        if self.by_number:
            self.left_out.append(f"schedules {batch.first} to {batch.first + batch.count - 1}")
        else:
            tree = self._trees[batch.tree]
            tree.live = False
            choices = ".".join(map(str, tree.search.prefix)) or "nothing"
            self.left_out.append(f"what was left of the orders that begin with {choices}")

    # What is to be played.

    def _measure(self) -> Measured:
        """The default order. It is not counted: the first of the schedules is the same."""
        outcome = self.root.play(Natural())
        chains, steps, _ = outcome.learned or (0, 0, 0)
        state = outcome.state if self.plan.outcome and not outcome.failures and not outcome.abandoned else None
        return Measured(chains, steps, len(outcome.decisions), state)

    @property
    def _name(self) -> str:
        """The same for all batches that have a root in common."""
        return f"{basis_of(self.plan)} {self.plan!r}"

    @property
    def _wanted(self) -> int:
        """A turn of round-robin that lasts as long as the default order is the last."""
        return min(self.schedules, self.measured.choices + 1) if self.settings.chooser == "round-robin" else self.schedules

    def _numbered(self) -> Iterator[Batch]:
        most, name = self._wanted, self._name
        for first in range(0, most, SIZE):
            count = min(SIZE, most - first)
            yield Batch(f"{first}+{count}", name, self.plan, self.settings, self.measured, first, count)

    def _cut(self) -> Iterator[Batch]:
        bound = self.settings.preemptions
        searches = subtrees(self.root, bound, SUBTREES) if self.crew.workers > 1 else [DepthFirst(bound)]
        self._trees = [_Subtree(search) for search in searches]
        return self._round()

    def _round(self) -> Iterator[Batch]:
        """What is left to be played is shared among the subtrees that have something left."""
        live = [tree for tree in self._trees if tree.live]
        left = self.schedules - sum(tree.played for tree in self._trees)
        if self.settings.stop:
            left = 0 if self._found else min(left, len(live) * SIZE)
        for number, tree in enumerate(live):
            tree.share = left // len(live) + (number < left % len(live))
            if tree.share > 0:
                yield self._slice(tree)

    def _slice(self, tree: _Subtree) -> Batch:
        number, count = self._trees.index(tree), min(tree.share, SIZE)
        id, name = f"{number}/{tree.slices}", self._name
        return Batch(id, name, self.plan, self.settings, self.measured, tree.played, count, tree.search, number)

    # What came out.

    def _merge(self, batch: Batch, result: Result) -> None:
        self._handed_out -= 1
        if not self.by_number:
            self._go_on(self._trees[batch.tree], result)
        if self.by_number and self.settings.stop:
            self._held.append((batch, result))
            if result.found:
                self._failed_at = min(batch.first, self._failed_at if self._failed_at is not None else batch.first)
        else:
            self._count(batch, result)
        self.progress(self.played + sum(one.played for _, one in self._held), self.kinds)

    def _go_on(self, tree: _Subtree, result: Result) -> None:
        """The next slice of a subtree's share."""
        assert result.search is not None
        tree.search = result.search
        tree.slices += 1
        tree.played += result.played
        tree.share -= result.played
        tree.live = not result.exhausted
        if tree.live and tree.share > 0 and not (self.settings.stop and (self._found or result.found)):
            self._waiting.append(self._slice(tree))

    def _count(self, batch: Batch, result: Result) -> None:
        self.played += result.played
        self.abandoned += result.abandoned
        self.longest = max(self.longest, result.longest)
        self._chains, self._steps = max(self._chains, result.chains), max(self._steps, result.steps)
        self._drawn += result.drawn
        result.met, result.ran = self.coverage.join(result.met), self.coverage.join_ran(result.ran)  # a journal says it once
        for key, (number, choices) in result.found.items():
            place = batch.tree, number
            if key not in self._found or place < self._found[key][0]:
                self._found[key] = place, choices

    def _settle(self) -> None:
        for batch, result in sorted(self._held, key=lambda one: one[0].first):
            if self._failed_at is None or batch.first <= self._failed_at:
                self._count(batch, result)
        self._held.clear()
        if self.settings.chooser == "round-robin":
            self.exhausted = self.played == self.measured.choices + 1
        elif self._trees:
            self.exhausted = not (self.left_out or self.abandoned or any(tree.live for tree in self._trees))

"""Explores: plays the schedules of a search, keeps what fails, each kind once and made small, and checks itself on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dirql.errors import DirqlError
from dirql.explore.basis import basis_of
from dirql.explore.outcome import Failure, Outcome
from dirql.explore.root import Root
from dirql.explore.schedule import Schedule, path_of
from dirql.explore.search import Search
from dirql.explore.shrink import shrink
from dirql.explore.tactics import Follow
from dirql.explore.trial import Plan

__all__ = ["Explorer", "Found", "Key", "Unstable", "failures_of", "schedule_of", "smallest"]

Key = tuple[str, str]  # of a failure: rule and place


DECIDES = "something that is not in the schedule decides: time, randomness or state outside of the machine"

class Unstable(DirqlError):
    """One schedule came out in two ways: something in the driver, the model or dirql is not decided by the schedule."""


@dataclass(frozen=True)
class Found:
    """A failure: the smallest schedule that has it, the number of the schedule that had it first, all that is wrong in it."""

    schedule: Schedule
    number: int
    failures: tuple[Failure, ...]
    bugcheck: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """As `explore --json` has it."""
        told = [failure.as_json() for failure in self.failures]
        return {"schedule": str(self.schedule), "number": self.number, "findings": told, "bugcheck": self.bugcheck}


@dataclass
class Explorer:
    """Plays schedules from `root` as `search` wants them."""

    plan: Plan
    root: Root
    search: Search
    check_every: int = 50
    played: int = 0
    abandoned: int = 0
    longest: int = 0
    first: int = 0  # the first schedule's number
    state: str | None = None  # what all must end with, where the plan says so: by default what the first one ends with
    found: dict[Key, tuple[int, Outcome]] = field(default_factory=dict)
    heard: Callable[[Outcome], None] = lambda outcome: None  # told of each

    def run(self, most: int, enough: Callable[[], bool] = lambda: False) -> None:
        """Up to `most` schedules, until the search has no more or it is `enough`."""
        for _ in range(most):
            tactic = self.search.next()
            if tactic is None or enough():
                return
            outcome = self.root.play(tactic)
            self.search.learn(outcome)
            self.heard(outcome)
            self._judge(outcome)

    def _judge(self, outcome: Outcome) -> None:
        number = self.first + self.played
        self.played += 1
        self.longest = max(self.longest, len(outcome.decisions))
        if outcome.abandoned:
            self.abandoned += 1
            return
        if self.check_every and number % self.check_every == 0:
            self._play_again(outcome)
        for failure in (*outcome.failures, *self._other_outcome(outcome)):
            self.found.setdefault(failure.key, (number, outcome))

    def _other_outcome(self, outcome: Outcome) -> tuple[Failure, ...]:
        """It ends otherwise than the first one did."""
        if outcome.failures or not self.plan.outcome:
            return ()
        if self.state is None:
            self.state = outcome.state
        return other_outcome(self.state, outcome)

    def _play_again(self, outcome: Outcome) -> None:
        again = self.root.play(Follow(outcome.choices))
        if again.same_as != outcome.same_as:
            schedule = schedule_of(self.plan, outcome)
            raise Unstable(f"schedule {schedule} came out otherwise the second time ({_difference(outcome, again)}); "
                           f"{DECIDES}")  # fmt: skip

    def report(self) -> list[Found]:
        """Every kind of failure once, with the smallest schedule found for it."""
        return smallest(self.plan, self.root, self.state, self.found)


def smallest(
    plan: Plan, root: Root, state: str | None, found: Mapping[Key, tuple[int, Outcome]],
    enough: Callable[[], bool] = lambda: False,
) -> list[Found]:
    """Every kind of failure once, by the number of the schedule that had it first. What a schedule that was made small already
    has too is not told again. Once it is `enough` they stay as they are."""
    told: list[Found] = []
    for key, (number, outcome) in sorted(found.items(), key=lambda one: (one[1][0], one[0])):
        if not any(key == failure.key for one in told for failure in one.failures):
            if not _fails(key, state, outcome):  # it was played again, to be told of
                raise Unstable(f"schedule {schedule_of(plan, outcome)} failed ({key[0]}) and does not the second time; {DECIDES}")
            small = shrink(root, outcome, partial(_fails, key, state), enough)
            told.append(Found(schedule_of(plan, small), number, failures_of(small, state), small.stop))
    return told


def failures_of(outcome: Outcome, state: str | None) -> tuple[Failure, ...]:
    """Its own, and an end other than `state` where schedules must agree."""
    more = other_outcome(state, outcome) if state is not None and not outcome.failures else ()
    return (*outcome.failures, *more)


def _fails(key: Key, state: str | None, outcome: Outcome) -> bool:
    return any(failure.key == key for failure in failures_of(outcome, state))


def other_outcome(state: str, outcome: Outcome) -> tuple[Failure, ...]:
    """The failure that an end other than `state` is."""
    if outcome.state == state:
        return ()
    sentence = f"it ends with {outcome.state:.200}, where the first schedule ends with {state:.200}"
    return (Failure("other-outcome", sentence, "", -1),)


def schedule_of(plan: Plan, outcome: Outcome) -> Schedule:
    """The outcome's, as a value to print."""
    choices = list(outcome.choices)
    while choices and not choices[-1]:
        choices.pop()
    return Schedule(tuple(choices), basis_of(plan), path_of(outcome.decisions), plan.keys)


def _difference(one: Outcome, other: Outcome) -> str:
    for number, (a, b) in enumerate(zip(one.decisions, other.decisions, strict=False), 1):
        if a != b:
            return f"choice {number} was among {', '.join(a.ids)} and then among {', '.join(b.ids)}"
    if len(one.decisions) != len(other.decisions):
        return f"{len(one.decisions)} choices and then {len(other.decisions)}"
    return "the same choices, another end"

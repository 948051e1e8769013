"""Plays a schedule again, and holds it to what it was: another scenario, other options on the way or a choice that does not exist
is an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from dirql.errors import UsageError
from dirql.explore.basis import basis_of
from dirql.explore.explorer import Found, failures_of, schedule_of
from dirql.explore.outcome import Outcome
from dirql.explore.root import Scratch
from dirql.explore.schedule import Schedule, path_of
from dirql.explore.story import Observed, Row, rows_of
from dirql.explore.tactics import Follow, Natural
from dirql.explore.trial import Plan, Trial
from dirql.scenario.play import Play

__all__ = ["Replay"]


class Replay:
    """One run of `schedule`, traced. A schedule of bare choices is followed as far as it goes, and not checked."""

    def __init__(self, plan: Plan, schedule: Schedule) -> None:
        self.plan, self.schedule = plan, schedule
        basis = basis_of(plan)
        if schedule.basis and schedule.basis != basis:
            what = f"its basis is {schedule.basis}, and here it is {basis}"
            why = "the scenario or a file that it names was changed since, or other options were given"
            raise UsageError(f"schedule {short(schedule)} is of another scenario: {what}; {why}: {_remedy(schedule)}")
        self._trial = Trial(plan, trace=True)

    @property
    def play(self) -> Play:
        """What is played."""
        return self._trial.play

    @cached_property
    def outcome(self) -> Outcome:
        """What it came to."""
        return self._trial.go(self._observed)

    @cached_property
    def _observed(self) -> Observed:
        trial = self._trial
        assert trial.system.trace is not None
        observed = Observed(Follow(self.schedule.choices), trial.system.trace)
        _before(trial.play, "work", lambda: observed.enter("work"))
        _before(trial.system, "shut_down", lambda: observed.enter("end"))
        return observed

    def run(self) -> None:
        """UsageError when it comes another way than the schedule did."""
        outcome, schedule = self.outcome, self.schedule
        if outcome.abandoned:
            raise UsageError(f"schedule {short(schedule)} cannot be followed: {outcome.abandoned}")
        path = path_of(outcome.decisions)
        if schedule.path and schedule.path != path:
            what = f"its path is {schedule.path}, and this time it was {path}"
            why = "the scenario is the same, so dirql, Python or something outside of the scenario's files was changed since"
            raise UsageError(f"schedule {short(schedule)} has diverged: {what}; {why}: {_remedy(schedule)}")

    @cached_property
    def found(self) -> Found:
        """As explore has it."""
        state = None
        if self.plan.outcome:
            first = Scratch(self.plan).play(Natural())
            state = first.state if not first.failures and not first.abandoned else None
        outcome = self.outcome
        return Found(schedule_of(self.plan, outcome), 0, failures_of(outcome, state), outcome.stop)

    @property
    def unused(self) -> int:
        """Choices that the run came to its end without."""
        return max(len(self.schedule.choices) - len(self.outcome.decisions), 0)

    @property
    def rows(self) -> list[Row]:
        """The story, from where choices begin."""
        return rows_of(self._observed, self._observed.begin or 0)


def _before(one: object, method: str, act: Callable[[], None]) -> None:
    """Act whenever a method is called, before it."""
    called = getattr(one, method)

    def call() -> None:
        act()
        called()

    setattr(one, method, call)


def _remedy(schedule: Schedule) -> str:
    return f"explore again, or follow the bare choices: {Schedule(schedule.choices, keys=schedule.keys)}"


def short(schedule: Schedule) -> str:
    """To name it in a sentence."""
    text = str(schedule)
    return text if len(text) <= 60 else f"{text[:57]}…"

"""What one schedule came to: the decisions it made, and everything about it that counts as failing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dirql.explore.schedule import Decision
from dirql.findings import Finding

__all__ = ["Failure", "Outcome"]


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong at the end of a run. The rule of a bugcheck is `bugcheck-0xd1`, of a hang its own; `unserved-work`,
    `invariant` and `other-outcome` are the exploration's."""

    rule: str
    sentence: str
    where: str
    cpu: int

    @property
    def key(self) -> tuple[str, str]:
        """Two failures of one key are one: the same rule at the same place, on whichever processor and of whichever object."""
        return self.rule, re.sub(r"^cpu\d+, (?:[^,]+, )?", "", self.where)

    def as_json(self) -> dict[str, Any]:
        """As `explore --json` has it."""
        return {"rule": self.rule, "sentence": self.sentence, "where": self.where, "cpu": self.cpu}


@dataclass(frozen=True)
class Outcome:
    """`failures` are findings at or above the level that was asked for, how the run stopped, unserved work and broken
    invariants; `state` is what schedules must agree on where the user says so; `abandoned` says why it was not gone on with;
    `ran` are the lines of code, as (address, bytes), that no schedule played there before has come to."""

    decisions: tuple[Decision, ...]
    failures: tuple[Failure, ...] = ()
    findings: tuple[Finding, ...] = ()
    stop: dict[str, Any] | None = None
    state: str = ""
    time_ns: int = 0
    abandoned: str = ""
    learned: Any = None  # what the tactic saw, for its search
    ran: frozenset[tuple[int, int]] = frozenset()

    @property
    def choices(self) -> tuple[int, ...]:
        """The numbers taken."""
        return tuple(decision.taken for decision in self.decisions)

    @property
    def same_as(self) -> tuple[object, ...]:
        """What two runs of one schedule must have in common."""
        return self.decisions, self.failures, self.findings, self.state, self.time_ns

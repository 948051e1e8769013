"""What a search has met: the points where the order was open, and which of their options were taken.

A point is told apart by what the running processor was about to do and by its options, not by where in the run it came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dirql.explore.schedule import Decision

__all__ = ["Coverage", "Met"]

Met = dict[str, tuple[int, int]]  # point → how many options it has, and a bit for each that was taken


@dataclass
class Coverage:
    """A union: the order in which it is told of runs, and of others' coverage, does not matter."""

    met: Met = field(default_factory=dict)
    _seen: dict[tuple[str, tuple[str, ...]], int] = field(default_factory=dict)

    def hear(self, decisions: Iterable[Decision]) -> None:
        """The choices of one run."""
        seen = self._seen
        for decision in decisions:
            point = decision.before, decision.ids
            seen[point] = seen.get(point, 0) | 1 << decision.taken

    def told(self) -> Met:
        """All of it, with names for the points that are the same in every process."""
        met = dict(self.met)
        for (before, ids), taken in self._seen.items():
            _join(met, _name(before, ids), len(ids), taken)
        return met

    def join(self, other: Mapping[str, tuple[int, int]]) -> Met:
        """What was met elsewhere; returns what of it is new."""
        new: Met = {}
        for name, (options, taken) in other.items():
            before = self.met.get(name, (0, 0))[1]
            if taken & ~before or name not in self.met:
                new[name] = options, taken
                _join(self.met, name, options, taken)
        return new

    def as_json(self) -> dict[str, Any]:
        """As `explore --json` has it."""
        met = self.told()
        options, taken = sum(count for count, _ in met.values()), sum(bits.bit_count() for _, bits in met.values())
        return {"points": len(met), "options": options, "taken": taken}


def _join(met: Met, name: str, options: int, taken: int) -> None:
    met[name] = options, met.get(name, (0, 0))[1] | taken


def _name(before: str, ids: tuple[str, ...]) -> str:
    return hashlib.blake2b("\0".join((before, *ids)).encode(), digest_size=8).hexdigest()

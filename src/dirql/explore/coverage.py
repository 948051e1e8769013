"""What a search has met: the points where the order was open, which of their options were taken, and the code that ran.

A point is told apart by what the running processor was about to do and by its options, not by where in the run it came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dirql.explore.schedule import Decision

if TYPE_CHECKING:
    from dirql.hosts.sys.loader import LoadedImage

__all__ = ["Coverage", "Met", "Ran"]

Met = dict[str, tuple[int, int]]  # point → how many options it has, and a bit for each that was taken
Ran = set[tuple[int, int]]  # lines of images' code: (address, bytes), the same in every process


@dataclass
class Coverage:
    """A union: the order in which it is told of runs, and of others' coverage, does not matter."""

    met: Met = field(default_factory=dict)
    ran: Ran = field(default_factory=set)
    blocks: tuple[int, int] | None = None  # basic blocks that ran, and all, where there is an image
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

    def join_ran(self, other: Ran) -> Ran:
        """What ran elsewhere; returns what of it is new."""
        new = other - self.ran
        self.ran |= new
        return new

    def count_blocks(self, images: Iterable[LoadedImage]) -> None:
        """How much of them ran."""
        counts = [image.coverage(self.ran) for image in images]
        self.blocks = (sum(ran for ran, _ in counts), sum(every for _, every in counts)) if counts else None

    def as_json(self) -> dict[str, Any]:
        """As `explore --json` has it."""
        met = self.told()
        options, taken = sum(count for count, _ in met.values()), sum(bits.bit_count() for _, bits in met.values())
        blocks = {"ran": self.blocks[0], "all": self.blocks[1]} if self.blocks is not None else None
        return {"points": len(met), "options": options, "taken": taken, "blocks": blocks}


def _join(met: Met, name: str, options: int, taken: int) -> None:
    met[name] = options, met.get(name, (0, 0))[1] | taken


def _name(before: str, ids: tuple[str, ...]) -> str:
    return hashlib.blake2b("\0".join((before, *ids)).encode(), digest_size=8).hexdigest()

"""In which order locks are taken: a graph of "held while taking", in which a circle is a deadlock that waits for its day.

Limits: a lock that is only tried for, or waited for with a time-out, is never what somebody waits for for ever; KMUTEX and
ERESOURCE are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["LockOrder", "Named", "Taking"]


class Named(Protocol):
    """A lock of any kind."""

    name: str


@dataclass(frozen=True, slots=True)
class Taking:
    """`taken` was taken while `held` was held, there for the first time."""

    held: Named
    taken: Named
    where: str

    def __str__(self) -> str:
        return f"{self.taken.name} is taken while {self.held.name} is held ({self.where})"


class LockOrder:
    """Every pair of locks of which one was taken while the other was held."""

    def __init__(self) -> None:
        self._after: dict[Named, dict[Named, Taking]] = {}

    def take(self, lock: Named, held: Iterable[Named], where: Callable[[], str]) -> list[Taking] | None:
        """`lock` is about to be taken. The circle that this closes, from its pair on; None if there is none, or it was told.
        `where` is asked when a pair is new."""
        circle = None
        for outer in held:
            after = self._after.get(outer)
            if outer is lock or (after is not None and lock in after):
                continue
            pair = Taking(outer, lock, where())
            back = self._way(lock, outer)
            self._after.setdefault(outer, {})[lock] = pair
            if back is not None and circle is None:
                circle = [pair, *back]
        return circle

    def _way(self, start: Named, end: Named) -> list[Taking] | None:
        """The shortest chain of pairs from one to the other."""
        ways: dict[Named, list[Taking]] = {start: []}
        front = [start]
        while front:
            lock = front.pop(0)
            for pair in self._after.get(lock, {}).values():
                if pair.taken not in ways:
                    ways[pair.taken] = [*ways[lock], pair]
                    front.append(pair.taken)
        return ways.get(end)

"""Address windows from which BARs get their place (model choice: the windows are those of a common PC).

Limits: no bridges; what is behind one bus is behind all.
"""

from __future__ import annotations

from bisect import bisect_left, insort

__all__ = ["Window"]


class Window:
    """Addresses `first` to `last`; ranges are handed out aligned, the lowest that fits first. What somebody else placed may
    be claimed from `floor` on."""

    def __init__(self, floor: int, first: int, last: int) -> None:
        self.floor, self.first, self.last = floor, first, last
        self._taken: list[tuple[int, int]] = []  # (start, end), sorted, end exclusive

    def claim(self, start: int, size: int) -> bool:
        """Takes exactly this range; False if it is outside or somebody has a part of it."""
        if start < self.floor or start + size - 1 > self.last:
            return False
        at = bisect_left(self._taken, (start, start))
        before = at > 0 and self._taken[at - 1][1] > start
        after = at < len(self._taken) and self._taken[at][0] < start + size
        if before or after:
            return False
        insort(self._taken, (start, start + size))
        return True

    def allocate(self, size: int, alignment: int, least: int = 0, most: int = (1 << 64) - 1) -> int | None:
        """The lowest free aligned range within [least, most], or None."""
        start = _up(max(self.first, least), alignment)
        for taken, end in [*self._taken, (self.last + 1, self.last + 1)]:
            if end <= start:
                continue
            if start + size <= taken:
                break
            start = _up(end, alignment)
        return start if start + size - 1 <= min(self.last, most) and self.claim(start, size) else None

    def release(self, start: int, size: int) -> None:
        """The range is free again."""
        self._taken.remove((start, start + size))


def _up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment

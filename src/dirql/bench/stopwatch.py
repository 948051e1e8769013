"""Timing that a noisy machine disturbs little: several contestants in interleaved rounds, and the median of each.

Before each measurement the garbage of those before it is collected; the collector stays on while the clock runs, since
users run with it on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from gc import collect
from statistics import median
from time import perf_counter

__all__ = ["Clock", "Contestant", "Effort", "Times", "race"]

Clock = Callable[[], float]


@dataclass(frozen=True)
class Effort:
    """How hard to measure: `rounds` after one warm-up, about `messages` in each; `processes` for what starts a process."""

    rounds: int = 9
    messages: int = 30_000
    processes: int = 5

    @classmethod
    def quick(cls) -> Effort:
        """A look rather than a measurement."""
        return cls(rounds=3, messages=6_000, processes=2)


@dataclass(frozen=True)
class Contestant:
    """`work` does `units` of something `times` over; `after`, untimed, leaves the world as it was."""

    work: Callable[[], object]
    units: int = 1
    times: int = 1
    after: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Times:
    """Seconds per unit of each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.seconds)

    @property
    def rate(self) -> float:
        """Units per second, of the middle one."""
        return 1 / self.median


def race(contestants: Mapping[str, Contestant], rounds: int, clock: Clock = perf_counter) -> dict[str, Times]:
    """Each contestant once to warm up, then all of them in turn, `rounds` times."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, one in contestants.items():
            collect()
            work = one.work
            begin = clock()
            for _ in range(one.times):
                work()
            end = clock()
            one.after()
            if turn:
                seconds[name].append((end - begin) / (one.units * one.times))
    return {name: Times(tuple(all_of_it)) for name, all_of_it in seconds.items()}

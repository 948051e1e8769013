"""A figure: what is measured, in which unit, against which target, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dirql.bench.stopwatch import Effort

__all__ = ["Figure", "Measured", "Target", "entry", "unmeasured"]


@dataclass(frozen=True)
class Target:
    """A limit that a value should keep."""

    limit: float
    lower_is_better: bool = False

    def met(self, value: float) -> bool:
        """Is `value` within it?"""
        return value <= self.limit if self.lower_is_better else value >= self.limit


@dataclass(frozen=True)
class Figure:
    """One figure before it is measured. `ratios` are targets for value / what stands beside it, by name."""

    name: str
    unit: str
    what: str
    measure: Callable[[Effort], Measured]
    target: Target | None = None
    ratios: Mapping[str, Target] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """One figure's result: the median, the lowest and highest round, and what stands beside it in the same rounds."""

    value: float
    rounds: int
    low: float
    high: float
    beside: Mapping[str, float] = field(default_factory=dict)

    def with_beside(self, more: Mapping[str, float]) -> Measured:
        """The same with more beside it."""
        return Measured(self.value, self.rounds, self.low, self.high, {**self.beside, **more})

    @property
    def ratio(self) -> dict[str, float]:
        """value / beside, for each."""
        return {name: self.value / other for name, other in self.beside.items() if other}


def unmeasured(figure: Figure, why: str) -> dict[str, Any]:
    """The same for a figure that could not be measured."""
    return {"name": figure.name, "value": None, "unit": figure.unit, "beside": {}, "ratio": {}, "why": why, "what": figure.what}


def entry(figure: Figure, measured: Measured) -> dict[str, Any]:
    """The keys of one entry of `bench --json`."""
    ratio = measured.ratio
    targets = [figure.target.met(measured.value)] if figure.target is not None else []
    targets += [target.met(ratio[name]) for name, target in figure.ratios.items() if name in ratio]
    return {
        "name": figure.name, "value": measured.value, "unit": figure.unit,
        "beside": dict(measured.beside), "ratio": ratio,
        "low": measured.low, "high": measured.high, "rounds": measured.rounds,
        "target": figure.target.limit if figure.target is not None else None,
        "ratio_target": {name: target.limit for name, target in figure.ratios.items()},
        "lower_is_better": figure.target.lower_is_better if figure.target is not None else figure.unit == "s",
        "met": all(targets) if targets else None,
        "what": figure.what,
    }  # fmt: skip

"""How many schedules it takes to find each order bug of a corpus: by random choice, by PCT, depth first, and in the usual order.

A corpus is a folder of folders; a case has `case.toml` (what is wrong, and which rules must say so), `scenario.toml` that names
the wrong driver, or its wrong INF, and beside that the mended one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from dirql.errors import InputError
from dirql.explore import DepthFirst, Explorer, Natural, PctSearch, Plan, RandomSearch, Root, Search, root_of
from dirql.explore.faults import check_faults
from dirql.files import read_file
from dirql.scenario.values import DriverSource, Scenario

__all__ = ["CORPUS", "Case", "Found", "cases", "find", "table"]

CORPUS = Path(__file__).resolve().parents[3] / "tests" / "corpus"
SEEDS, MOST, STRESS = range(5), 2_000, 10_000
LARGEST = 1 << 16


@dataclass(frozen=True)
class Case:
    """One wrong driver and its mended twin. `told` is its `case.toml`: title, kind ("rule" or "order"), rules, where it is needed
    `from`, `faults`, `invariant`, `level`, `races`, and of an order `found`: the schedule that met its first rule, seed 0."""

    folder: Path

    @property
    def told(self) -> dict[str, Any]:
        """What is said of it; InputError when that is no TOML or leaves out what every case has."""
        path = self.folder / "case.toml"
        try:
            told = tomllib.loads(read_file(path, str(path), LARGEST, "write one").decode("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            raise InputError(str(path), "", f"is no TOML: {problem}", "correct the syntax") from None
        missing = [key for key in ("title", "kind", "rules") if not told.get(key)]
        if missing:
            raise InputError(str(path), "", f"leaves out {', '.join(missing)}", "every case has a title, a kind and rules")
        return told

    def plan(self, *, mended: bool = False, reduce: bool = False) -> Plan:
        """Of the wrong driver, or of its twin."""
        told = self.told
        scenario = Scenario.load(self.folder / "scenario.toml")
        if mended:
            scenario = replace(scenario, drivers=tuple(map(_mended, scenario.drivers)))
        begin = told.get("from", "start")
        return Plan(
            replace(scenario, races=told.get("races", False)), begin, told.get("level", "warning"), told.get("invariant", ""),
            faults=check_faults(told.get("faults", ()), begin), reduce=reduce,
        )  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Of one case: after how many schedules each search met its first rule, the median of several seeds; None for not at all."""

    case: str
    random: float | None
    pct: float | None
    depth_first: float | None
    usual: int | None
    played: int  # in the usual order

    def as_json(self) -> dict[str, Any]:
        """As `bench --corpus --json` has it."""
        return {"case": self.case, "random": self.random, "pct": self.pct, "depth_first": self.depth_first,
                "usual_order": self.usual, "usual_order_played": self.played}  # fmt: skip


def cases(folder: Path = CORPUS) -> list[Case]:
    """Those of a corpus, by name; InputError when there is none."""
    found = [Case(path.parent) for path in sorted(folder.glob("*/*/case.toml"))]
    if not found:
        raise InputError(str(folder), "", "holds no case", "name a folder of folders with a case.toml each")
    return found


def find(case: Case, *, seeds: range = SEEDS, most: int = MOST, stress: int = STRESS) -> Found:
    """Look for the case's first rule in up to `most` schedules of each search, and in `stress` runs of the usual order."""
    rule = case.told["rules"][0]
    root, _ = root_of(case.plan())
    ways: list[Callable[[int], Search]] = [RandomSearch, lambda seed: PctSearch(seed, 3)]
    plan = case.plan(reduce=True)
    reduced, _ = root_of(plan)
    usual = _first(case.plan(), root, _Usual(), rule, stress)
    random, pct = (_median([_first(case.plan(), root, way(seed), rule, most) for seed in seeds]) for way in ways)
    first = _first(plan, reduced, DepthFirst(), rule, most)
    return Found(case.folder.name, random, pct, first, usual, stress)


class _Usual:
    """The default order, again and again."""

    exhausted = False
    bound = ""

    def next(self) -> Natural:
        """Once more."""
        return Natural()

    def learn(self, outcome: object) -> None:
        """Nothing."""


def _first(plan: Plan, root: Root, search: Search, rule: str, most: int) -> int | None:
    """Counted from 1."""
    explorer = Explorer(plan, root, search, check_every=0)
    explorer.run(most, lambda: any(found == rule for found, _ in explorer.found))
    return next((number + 1 for (found, _), (number, _) in explorer.found.items() if found == rule), None)


def _median(numbers: list[int | None]) -> float | None:
    """None counts as later than all."""
    middle = median(number if number is not None else float("inf") for number in numbers)
    return None if middle == float("inf") else middle


def _mended(driver: DriverSource) -> DriverSource:
    said = {name: getattr(driver, name).replace("wrong", "mended") for name in ("python", "source", "inf")}
    return replace(driver, **said)


def table(found: list[Found]) -> list[str]:
    """At 80 columns."""
    width = max(len(one.case) for one in found)
    lines = [f"{'schedules until it was found':<{width}}  random     pct     dfs   usual order"]
    for one in found:
        numbers = [f"{n:g}" if n is not None else "-" for n in (one.random, one.pct, one.depth_first)]
        usual = f"{one.usual}" if one.usual is not None else f"not in {one.played:,}"
        lines.append(f"{one.case:<{width}}  {numbers[0]:>6}  {numbers[1]:>6}  {numbers[2]:>6}  {usual:>12}")
    return lines

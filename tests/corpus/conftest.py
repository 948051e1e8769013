"""The corpus: wrong drivers, each with its mended twin, and what is said of them in `case.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dirql.explore import Explorer, Plan, Search, root_of
from dirql.explore.faults import check_faults
from dirql.explore.trial import WEIGHT
from dirql.kernel.stop import BugCheck, Hang
from dirql.scenario.play import Play
from dirql.scenario.values import DriverSource, Scenario

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.glob("*/*/case.toml"))


@dataclass(frozen=True)
class Case:
    """One pair. `told` is its `case.toml`."""

    folder: Path

    @property
    def told(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "case.toml").read_text("utf-8"))

    def plan(self, *, mended: bool = False, begin: str = "") -> Plan:
        """Of the wrong driver, or of its twin."""
        told = self.told
        scenario = Scenario.load(self.folder / "scenario.toml")
        if mended:
            scenario = replace(scenario, drivers=tuple(map(_mended, scenario.drivers)))
        begin = begin or told.get("from", "start")
        return Plan(
            replace(scenario, races=told.get("races", False)), begin, told.get("level", "warning"),
            invariant=told.get("invariant", ""), faults=check_faults(told.get("faults", ()), begin),
        )  # fmt: skip

    def run(self) -> set[str]:
        """What `dirql run` finds: the rules, how it stopped, and work left unserved."""
        plan = self.plan()
        play = Play(plan.scenario)
        reports = play.run()
        rules = {f.rule for report in reports for f in report.findings if WEIGHT[f.level] >= WEIGHT[plan.level]}
        rules |= {"unserved-work" for report in reports if report.unserved}
        stop = play.system.stopped
        if isinstance(stop, BugCheck):
            rules.add(f"bugcheck-{stop.code:#x}")
        if isinstance(stop, Hang):
            rules.add(stop.rule)
        return rules

    def explored(self, search: Search, most: int, *, mended: bool = False, rule: str = "") -> Explorer:
        """So many schedules, or as many as it takes to meet `rule`."""
        plan = self.plan(mended=mended)
        explorer = Explorer(plan, root_of(plan)[0], search)
        explorer.run(most, lambda: any(found == rule for found, _ in explorer.found))
        return explorer


def _mended(driver: DriverSource) -> DriverSource:
    return replace(driver, python=driver.python.replace("wrong", "mended"), source=driver.source.replace("wrong", "mended"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [Case(folder) for folder in FOLDERS], ids=[folder.name for folder in FOLDERS])

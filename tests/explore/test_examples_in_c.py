"""The drivers of examples/explore_c lose a job in the orders in which their siblings in Python do, and the mended one in none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.explore import DepthFirst, Explorer, PctSearch, Plan, Search, root_of
from dirql.scenario.values import Scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
LOST = ("unserved-work", "Jobs")


def explorer(name: str, search: Search, begin: str = "start", reduce: bool = False) -> Explorer:
    plan = Plan(Scenario.load(EXAMPLES / f"{name}.toml"), begin, reduce=reduce)
    return Explorer(plan, root_of(plan)[0], search, check_every=0)


@pytest.mark.parametrize("folder", ["explore", "explore_c"])
@pytest.mark.parametrize("name", ["flag", "count"])
def test_a_first_look_finds_the_lost_job(folder: str, name: str) -> None:
    search = explorer(f"{folder}/{name}", PctSearch(0, 3))
    search.run(10, lambda: bool(search.found))
    ((key, (number, outcome)),) = search.found.items()
    assert (key, [one.sentence for one in outcome.failures]) == (LOST, ["queue 0: 1 jobs"])
    assert number > 0  # in the usual order all are served


@pytest.mark.parametrize("folder", ["explore", "explore_c"])
@pytest.mark.parametrize(("name", "found"), [("flag", {LOST}), ("count", {LOST}), ("mended", set())])
def test_of_all_orders_only_those_of_the_mended_driver_are_right(folder: str, name: str, found: set[tuple[str, str]]) -> None:
    every = DepthFirst()
    search = explorer(f"{folder}/{name}", every, reduce=True)
    search.run(100)
    assert every.exhausted and set(search.found) == found


def test_a_long_look_finds_nothing_in_the_mended_driver_in_c() -> None:
    search = explorer("explore_c/mended", PctSearch(0, 3), "work")
    search.run(300)
    assert (search.played, search.found) == (300, {})

"""Every wrong driver of the corpus is found, and its mended twin is clean in every order that is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.bench.corpus import Case
from dirql.explore import DepthFirst, Explorer, PctSearch, RandomSearch, Search, root_of
from dirql.explore.trial import WEIGHT
from dirql.kernel.stop import BugCheck, Hang
from dirql.scenario.play import Play

LINES = range(10, 61)
MOST = 2_000


def usual(case: Case) -> set[str]:
    """What `dirql run` finds: the rules, how it stopped, and work left unserved."""
    plan = case.plan()
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


def explored(case: Case, search: Search, most: int, *, mended: bool = False, rule: str = "") -> Explorer:
    """So many schedules, or as many as it takes to meet `rule`."""
    plan = case.plan(mended=mended)
    explorer = Explorer(plan, root_of(plan)[0], search)
    explorer.run(most, lambda: any(found == rule for found, _ in explorer.found))
    return explorer


def search_of(name: str) -> Search:
    return PctSearch(0, 3) if name == "pct" else RandomSearch(0)


def test_there_are_at_least_forty_pairs_and_some_in_c() -> None:
    here = Path(__file__).parent
    assert len(list(here.glob("*/*/case.toml"))) >= 40
    assert len(list(here.glob("c/*/case.toml"))) >= 10


def test_a_case_says_what_is_wrong_in_few_lines(case: Case) -> None:
    assert case.told["kind"] in ("rule", "order")
    for name in ("wrong", "mended"):
        (source,) = [path for what in (f"{name}.py", f"{name}/*.c", f"{name}.inf") for path in case.folder.glob(what)]
        for path in (source, *case.folder.glob("driver.py")):  # the driver of two INFs
            assert len(path.read_text("utf-8").splitlines()) in LINES


def test_a_case_says_how_many_schedules_found_the_wrong_order(case: Case) -> None:
    found = case.told.get("found", {})
    assert bool(found) == (case.told["kind"] == "order")
    assert set(found) <= {"random", "pct", "dfs"} and all(type(number) is int and number > 0 for number in found.values())


def test_the_usual_order_shows_a_broken_rule_and_hides_a_wrong_order(case: Case) -> None:
    told, rules = case.told, usual(case)
    if told["kind"] == "rule":
        assert set(told["rules"]) <= rules
    else:
        assert not set(told["rules"]) & rules


def test_a_search_finds_the_wrong_order(case: Case) -> None:
    if case.told["kind"] == "rule":
        return
    rule = case.told["rules"][0]
    found: set[str] = set()
    for name in ("pct", "random"):
        if rule not in found:
            found |= {known for known, _ in explored(case, search_of(name), MOST, rule=rule).found}
    assert rule in found


@pytest.mark.parametrize("name", ["pct", "random"])
def test_the_mended_twin_stays_clean(case: Case, name: str) -> None:
    explorer = explored(case, search_of(name), MOST // 2, mended=True)
    assert explorer.played == MOST // 2 and not explorer.found and not explorer.abandoned


def test_depth_first_search_is_not_exhausted_before_it_has_met_the_wrong_order(case: Case) -> None:
    told = case.told
    if told["kind"] == "rule":
        return
    rule, plan, search = told["rules"][0], case.plan(reduce=True), DepthFirst()
    explorer = Explorer(plan, root_of(plan)[0], search)
    explorer.run(MOST // 10, lambda: any(found == rule for found, _ in explorer.found))
    assert not search.exhausted or rule in {found for found, _ in explorer.found}

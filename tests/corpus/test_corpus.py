"""Every wrong driver of the corpus is found, and its mended twin is clean in every order that is tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirql.explore import PctSearch, RandomSearch

LINES = range(10, 101)
MOST = 2_000


def test_there_are_at_least_forty_pairs_and_some_in_c() -> None:
    here = Path(__file__).parent
    assert len(list(here.glob("*/*/case.toml"))) >= 40
    assert len(list(here.glob("c/*/case.toml"))) >= 10


def test_a_case_says_what_is_wrong_in_few_lines(case: Any) -> None:
    told = case.told
    assert told["kind"] in ("rule", "order") and told["rules"] and told["title"]
    for name in ("wrong", "mended"):
        (source,) = [*case.folder.glob(f"{name}.py"), *case.folder.glob(f"{name}/*.c")]
        assert len(source.read_text("utf-8").splitlines()) in LINES


def test_the_usual_order_shows_a_broken_rule_and_hides_a_wrong_order(case: Any) -> None:
    rules = case.run()
    if case.told["kind"] == "rule":
        assert set(case.told["rules"]) <= rules
    else:
        assert not set(case.told["rules"]) & rules


def test_a_search_finds_the_wrong_order(case: Any) -> None:
    told = case.told
    if told["kind"] == "rule":
        pytest.skip("shows in the usual order")
    found = set()
    for search in (PctSearch(0, 3), RandomSearch(0)):
        found |= {rule for rule, _ in case.explored(search, MOST, rule=told["rules"][0]).found}
    assert told["rules"][0] in found


@pytest.mark.parametrize("search", [PctSearch, RandomSearch])
def test_the_mended_twin_stays_clean(case: Any, search: Any) -> None:
    explorer = case.explored(search(0, 3) if search is PctSearch else search(0), MOST // 2, mended=True)
    assert explorer.played == MOST // 2 and not explorer.found and not explorer.abandoned

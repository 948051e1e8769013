"""`dirql rules`, and how a run's report leads to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from dirql.verify import rule, rules

Run = Callable[..., tuple[int, str, str]]


def test_the_list_has_every_rule_under_its_area(dirql: Run) -> None:
    status, out, err = dirql("rules")
    assert (status, err, max(map(len, out.split("\n"))) <= 80) == (0, "", True)
    told = [line.split()[:2] for line in out.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    assert told == [[one.id, one.level] for one in rules().values()]
    assert [line for line in out.splitlines() if line and not line.startswith(" ")] == sorted({r.area for r in rules().values()})


def test_one_rule_is_told_with_all_that_is_known(dirql: Run) -> None:
    status, out, _ = dirql("rules", "bad-priority")
    known = rule("bad-priority")
    assert (status, max(map(len, out.split("\n"))) <= 80) == (0, True)
    texts = [known.sentence, "Why", known.why, "Mend", known.mend, "Source", known.source]
    assert " ".join(out.split()) == f"bad-priority (error) {' '.join(texts)}"


def test_json_has_all_rules_or_the_one(dirql: Run) -> None:
    everything = json.loads(dirql("rules", "--json")[1])
    assert list(everything) == ["rules"]
    assert [one["id"] for one in everything["rules"]] == list(rules())
    assert list(everything["rules"][0]) == ["id", "level", "sentence", "why", "mend", "source"]
    assert json.loads(dirql("rules", "deadlock", "--json")[1]) == {"rules": [rule("deadlock").as_json()]}
    assert {f.name for f in fields(rule("deadlock"))} == {"area", *everything["rules"][0]}


@pytest.mark.parametrize(
    ("id", "hint"),
    [("deadlok", "did you mean deadlock?"), ("watch", "did you mean watchdog?"), ("zzz", "`dirql rules` lists them")],
)
def test_an_unknown_rule_is_bad_usage_and_suggests(id: str, hint: str, dirql: Run) -> None:
    assert dirql("rules", id) == (2, "", f"dirql: there is no rule {id!r}; {hint}\n")


@pytest.mark.parametrize(
    ("isr", "line"),
    [
        ("interrupt.queue_dpc_for_isr()", "dirql rules isr-returned-nothing tells why, and what to do"),
        ("self.kernel.ps_create_system_thread(print)", "dirql rules ID tells why, and what to do"),
        ("return True", None),
    ],
)
def test_the_report_says_how_to_learn_more(folder: Path, dirql: Run, isr: str, line: str | None) -> None:
    code = (folder / "small.py").read_text().replace("interrupt.queue_dpc_for_isr()\n        return True", isr)
    (folder / "small.py").write_text(code)
    told = [one.strip() for one in dirql("run", "small.toml")[1].splitlines() if one.strip().startswith("dirql rules")]
    assert told == ([line] if line else [])

"""`dirql explore` and `dirql replay`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]
PAGE = Path(__file__).parent.parent.parent / "docs" / "json.md"
OTHER_BASIS = (
    "schedule 1.1@00000000.00000000 is of another scenario: its basis is 00000000, and here it is BASIS; the scenario or a file "
    "that it names was changed since, or other options were given: explore again, or follow the bare choices: 1.1"
)
OTHER_PATH = (
    "schedule 1.1@BASIS.00000000 has diverged: its path is 00000000, and this time it was PATH; the scenario is the same, so "
    "dirql, Python or something outside of the scenario's files was changed since: explore again, or follow the bare choices: 1.1"
)
ONE_GRANT = "--messages and --line exclude each other: what is granted is messages or the line; give one"
FEW = ("--schedules", "12", "--check-every", "0")


def failure_of(out: str) -> str:
    """The last paragraph."""
    return out.rstrip("\n").split("\n\n")[-1]


def test_a_failure_ends_with_the_line_that_plays_it_again(dirql: Run) -> None:
    status, out, err = dirql("explore", "s.toml", *FEW)
    lines = failure_of(out).split("\n")
    assert (status, err) == (1, "")
    assert lines[:3] == ["unserved-work: 1 jobs", "  at Card", "  2 choices deviate from the default order"]
    assert re.fullmatch(r"replay: dirql replay s\.toml 1\.1@[0-9a-f]{8}\.[0-9a-f]{8}", lines[3])
    assert out.startswith("s.toml: 12 schedules, 1 failure\n") and max(map(len, out.split("\n"))) <= 80


@pytest.mark.parametrize(
    "options",
    [
        [], ["--chooser", "dfs"], ["--chooser", "dfs", "--preemptions", "2"], ["--from", "work"],
        ["--messages", "1", "--cpus", "1"],
        ["--level", "error", "--same-outcome", "card.py:jobs"], ["--invariant", "card.py:odd_jobs"], ["--same-outcome", "model"],
    ],
)  # fmt: skip
def test_the_line_prints_the_same_failure_again(dirql: Run, options: list[str]) -> None:
    failures = dirql("explore", "s.toml", "--schedules", "40", "--check-every", "0", *options).out.rstrip("\n").split("\n\n")[1:]
    assert failures
    line = failures[0].split("\n")[-1].removeprefix("replay: dirql ")
    status, out, err = dirql(*line.split(" "))
    assert (status, failure_of(out), err) == (1, failures[0], "")


def test_the_line_says_after_how_long_a_schedule_hangs(dirql: Run) -> None:
    out = dirql("explore", "s.toml", *FEW, "--watchdog", "20.5").out
    assert failure_of(out).endswith(" --watchdog 20.5")


def test_a_schedule_without_a_failure_is_clean(dirql: Run) -> None:
    status, out, _ = dirql("replay", "s.toml", "0")
    assert (status, failure_of(out)) == (0, "nothing failed")


def test_the_story_has_a_column_for_each_processor_and_marks_the_choices(dirql: Run) -> None:
    out = dirql("replay", "s.toml", "1.1").out
    rows = out.split("\n\n")[1].split("\n")
    assert rows[0].split() == ["ns", "cpu0", "device"]
    assert [row.strip() for row in rows if "►" in row] == [
        "►  choice 1: Card.timer2 lands, not Card.up lands", "►  choice 2: Card.up lands, not cpu0 goes on",
    ]  # fmt: skip
    assert any(row.endswith("0x51 merged: cpu0 has it pending") for row in rows)
    assert max(map(len, out.split("\n"))) <= 80


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("1.1@00000000.00000000", OTHER_BASIS),
        ("1.1@BASIS.00000000", OTHER_PATH),
        ("0.9", "schedule 0.9 cannot be followed: choice 2 is 9, and there are 2 options: OPTIONS"),
        ("1.1,grant=two", "schedule: grant=two is none; paste the whole of what explore printed"),
        ("1.1,colour=red", "schedule: colour=red is nothing that this dirql knows; paste the whole of what explore printed"),
        ("1.1,from=end", "--from end: choices begin at start or work"),
        ("1.1,faults=fire", "--faults fire: there is no such fault; give some of alloc, grant, remove, power"),
        ("one", "schedule one: 'one' is no choice; write numbers with dots, as in 0.1.1.0:4.2"),
    ],
)  # fmt: skip
def test_a_schedule_that_is_none_of_the_scenario_says_what_changed(dirql: Run, schedule: str, why: str) -> None:
    told = json.loads(dirql("explore", "s.toml", *FEW, "--json").out)["failures"][0]["schedule"]
    basis, path = told.partition("@")[2].split(".")
    status, out, err = dirql("replay", "s.toml", schedule.replace("BASIS", basis))
    err = re.sub("options: .*", "options: OPTIONS", err)
    assert (status, out) == (2, "")
    assert err == f"dirql: {why.replace('BASIS', basis).replace('PATH', path)}\n"


@pytest.mark.parametrize("statement", ["import part", "from part import N", "import parts.one", "from parts import one"])
def test_a_module_that_the_driver_imports_belongs_to_the_scenario(dirql: Run, tmp_path: Path, statement: str) -> None:
    world = tmp_path / "world"
    shutil.copytree(Path(__file__).parent / "lost", world)
    (world / "parts").mkdir()
    for module in ("part", "parts/__init__", "parts/one"):
        (world / f"{module}.py").write_text("N = 1\n")
    driver = world / "driver.py"
    driver.write_text(driver.read_text().replace("from dirql", f"{statement}\nfrom dirql", 1))
    told = json.loads(dirql("explore", f"{world}/s.toml", *FEW, "--json").out)["failures"][0]["schedule"]
    assert dirql("replay", f"{world}/s.toml", told).status == 1
    (world / ("parts/one.py" if "parts" in statement else "part.py")).write_text("N = 2\n")
    status, _, err = dirql("replay", f"{world}/s.toml", told)
    assert status == 2 and " is of another scenario: " in err


def test_choices_that_the_run_did_not_come_to_are_told(dirql: Run) -> None:
    made = len(json.loads(dirql("replay", "s.toml", "0", "--json").out)["choices"])
    assert "  the run came to its end without the last 1 choice\n" in dirql("replay", "s.toml", f"0:{made}.1").out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--chooser", "best"], "--chooser best: there is no such chooser; give pct, random, dfs, round-robin"),
        (["--chooser", "dfs", "--depth", "2"], "--depth is for --chooser pct; leave it out with dfs"),
        (["--preemptions", "2"], "--preemptions is for --chooser dfs; leave it out with pct"),
        (["--chooser", "dfs", "--seed", "2"], "--seed is for --chooser pct and random; leave it out with dfs"),
        (["--schedules", "0"], "--schedules 0: out of range; give 1 to 1000000000"),
        (["--seed", "-1"], "--seed -1: out of range; give 0 to 18446744073709551615"),
        (["--depth", "0"], "--depth 0: out of range; give 1 to 64"),
        (["--jobs", "2", "--dask", "x:1"], "--jobs and --dask exclude each other: the cluster has workers of its own; give one"),
        (["--level", "fatal"], "--level fatal: a level is error, warning, advice"),
        (["--from", "end"], "--from end: choices begin at start or work"),
        (["--faults", "fire"], "--faults fire: there is no such fault; give some of alloc, grant, remove, power"),
        (["--invariant", "odd"], "--invariant odd: that is no function; write file.py:function"),
        (["--stub", "A=1"], "--stub A: s.toml has no image (.sys); leave the option out"),
        (["--messages", "1", "--line"], ONE_GRANT),
        (["--watchdog", "-1"], "--watchdog -1: out of range; give 1 to 1000000 seconds, a part of one, or 0 for none"),
    ],
)  # fmt: skip
def test_bad_usage_says_what_to_give(dirql: Run, options: list[str], why: str) -> None:
    assert dirql("explore", "s.toml", *options) == (2, "", f"dirql: {why}\n")


def test_only_a_scenario_is_explored(dirql: Run) -> None:
    assert dirql("explore", "driver.py") == (2, "", "dirql: 'driver.py' is no scenario; give scenario.toml\n")


def test_an_interrupted_search_prints_what_it_has_and_how_to_go_on(
    dirql: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @contextmanager
    def interrupting(what: str, total: int) -> Iterator[Callable[[int, str], None]]:
        def show(done: int, words: str) -> None:
            raise KeyboardInterrupt

        yield show

    monkeypatch.setattr("dirql.cli.explore_command.progress_bar", interrupting)
    journal = str(tmp_path / "j.jsonl")
    status, out, err = dirql("explore", "s.toml", "--schedules", "70", "--resume", journal)
    assert (status, out.split("\n")[0]) == (130, "s.toml: 50 schedules, 1 failure")
    command = f"dirql explore s.toml --schedules 70 --resume {journal}"
    assert err == f"dirql: interrupted; what was found up to there is above; go on with: {command}\n"


def test_a_full_disk_is_told_after_the_results(dirql: Run) -> None:
    status, out, err = dirql("explore", "s.toml", *FEW, "--resume", "/dev/full")
    assert (status, out.split("\n")[0]) == (74, "s.toml: 12 schedules, 1 failure")
    command = "dirql explore s.toml --schedules 12 --check-every 0 --resume /dev/full"
    what = "what was found up to there is above; free some room and go on with"
    assert err == f"dirql: the journal cannot be written: /dev/full: No space left on device; {what}: {command}\n"


def test_the_same_seed_gives_the_same_document_in_every_process(lost: Path) -> None:
    command = [sys.executable, "-m", "dirql", "explore", "s.toml", *FEW, "--json"]
    processes = [subprocess.Popen(command, cwd=lost.parent, stdout=subprocess.PIPE, env=os.environ | {"PYTHONHASHSEED": seed})
                 for seed in ("1", "2")]  # fmt: skip
    one, other = (process.communicate()[0] for process in processes)
    assert one == other and json.loads(one)["schedules"] == 12


def seen(value: Any, path: str = "") -> Iterator[str]:
    """Every key of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            yield here
            if key != "bugcheck":
                yield from seen(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from seen(inner, f"{path}[]")


@pytest.mark.parametrize(("command", "arguments"), [("explore", FEW), ("replay", ["1.1"])])
def test_json_prints_what_is_documented(dirql: Run, command: str, arguments: list[str]) -> None:
    part = next(p for p in PAGE.read_text().split("\n## ") if p.startswith(f"`dirql {command} --json`"))
    documented = set(re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE))
    assert set(seen(json.loads(dirql(command, "s.toml", *arguments, "--json").out))) == documented

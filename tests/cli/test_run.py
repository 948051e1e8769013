"""`dirql run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_a_scenario_runs_and_reports_with_status_0(folder: Path, dirql: Run) -> None:
    status, out, err = dirql("run", "small.toml")
    assert (status, err) == (0, "")
    assert out.startswith("MultiQueue 1234:4d51, driver Driver: started\n2 processors, ")
    assert out.endswith("\nnothing found\n")


def test_plain_output_has_no_colour_and_at_most_80_columns(folder: Path, dirql: Run) -> None:
    out = dirql("run", "small.toml")[1]
    assert "\x1b" not in out
    assert max(map(len, out.split("\n"))) <= 80


def test_a_driver_and_a_device_need_no_scenario(folder: Path, dirql: Run) -> None:
    status, out, _ = dirql("run", "small.py:Driver", "--device", "mqueue", "--inf", "small.inf", "--cpus", "3", "--json")
    told = json.loads(out)
    assert (told["cpus"], told["kind"], told["granted"]) == (3, "msi-x", 9)
    assert status == 0


@pytest.mark.parametrize(("options", "kind", "granted"), [
    ([], "msi-x", 9), (["--messages", "1"], "msi-x", 1), (["--messages", "3"], "msi-x", 3), (["--line"], "line", 1),
])  # fmt: skip
def test_the_options_choose_the_grant(folder: Path, dirql: Run, options: list[str], kind: str, granted: int) -> None:
    text = (folder / "small.toml").read_text().partition("[workload]")[0]
    (folder / "small.toml").write_text(text + "[[step]]\nrun = true\n")
    told = json.loads(dirql("run", "small.toml", *options, "--json")[1])
    assert (told["kind"], told["granted"], told["synthetic"]) == (kind, granted, granted == 3)


def test_unserved_work_is_status_1(folder: Path, dirql: Run) -> None:
    (folder / "small.toml").write_text((folder / "small.toml").read_text().partition("[workload]")[0] + "[[step]]\nfail = 7\n")
    status, out, _ = dirql("run", "small.toml")
    assert "  admin: error 0x0007 not acknowledged\n" in out
    assert out.endswith("\nfound: work left unserved\n")
    assert status == 1


def test_the_trace_is_written_in_the_format_of_its_suffix(folder: Path, dirql: Run) -> None:
    dirql("run", "small.toml", "--trace", "run.jsonl")
    dirql("run", "small.toml", "--trace", "run.txt")
    events = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
    assert len(events) == len((folder / "run.txt").read_text().splitlines())
    assert {"sent", "isr", "dpc", "callback"} <= {event["kind"] for event in events}


def test_the_same_seed_gives_the_same_trace(folder: Path, dirql: Run) -> None:
    for name in ("a.txt", "b.txt"):
        dirql("run", "small.toml", "--seed", "7", "--trace", name)
    assert (folder / "a.txt").read_bytes() == (folder / "b.txt").read_bytes()


def test_a_trace_overwrites_a_file_only_if_forced(folder: Path, dirql: Run) -> None:
    (folder / "run.txt").write_text("mine")
    refused = "dirql: --trace run.txt: the file exists; choose another name, or give --force\n"
    assert dirql("run", "small.toml", "--trace", "run.txt") == (2, "", refused)
    assert (folder / "run.txt").read_text() == "mine"
    assert dirql("run", "small.toml", "--trace", "run.txt", "--force")[0] == 0
    assert (folder / "run.txt").read_text() != "mine"


@pytest.mark.parametrize(("arguments", "error"), [
    (["none.toml"], "none.toml: No such file or directory; name a scenario file that can be read"),
    (["small.sys"], "small.sys: images (.sys) are not modelled yet; give scenario.toml, or driver.py[:Class]"),
    (["small.bin"], "small.bin: it is neither a scenario (.toml) nor a driver (.py); give scenario.toml, or driver.py[:Class]"),
    (["small.py"], "small.py: which device? give --device edu, mqueue, model.py:Class or a dump"),
    (["small.toml", "--device", "edu"],
     "--device edu: small.toml names its device; leave the option out, or give a driver.py"),
    (["small.toml", "--messages", "2", "--line"],
     "--messages and --line exclude each other: what is granted is messages or the line; give one"),
    (["small.toml", "--messages", "12"], "12 messages cannot be granted: 9 are asked for; take 9 or fewer"),
    (["small.toml", "--trace", "run.xml"], "--trace run.xml: the suffix tells the format; write .jsonl or .txt"),
    (["small.toml", "--trace", "no/run.txt"], "no/run.txt: No such file or directory; name a file that can be written"),
    (["small.toml", "--cpus", "65"],
     "65 processors: one group holds 1 to 64; more need processor groups, which are not modelled yet"),
    (["small.toml", "--messages", "0"], "a grant of 0 messages is none; ask for 1 or more, or for the line"),
    (["small.toml", "--colour"], "No such option: --colour (see dirql run --help)"),
])  # fmt: skip
def test_bad_usage_is_one_line_and_status_2(folder: Path, dirql: Run, arguments: list[str], error: str) -> None:
    assert dirql("run", *arguments) == (2, "", f"dirql: {error}\n")


def test_a_driver_without_callbacks_is_named(folder: Path, dirql: Run) -> None:
    status, out, err = dirql("run", "small.py:NoCallbacks", "--device", "mqueue")
    assert err == (f"dirql: {folder}/small.py: NoCallbacks has no evt_driver_device_add(self, init); "
                   "without it no device is ever added\n")  # fmt: skip
    assert (status, out) == (2, "")

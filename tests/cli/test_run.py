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


@pytest.mark.parametrize(("line", "note"), [
    (r'HKR, "Interrupt Management\MessageSignaledInterruptProperties", MSISupported, 0, "1"',
     "MSISupported is REG_SZ; Windows reads a REG_DWORD (flags 0x00010001)"),
    (r'HKR, "Interrupt Management\MessageSignaledInterruptProperties", MessageNumberLimits, 0x00010001, 4',
     "nobody reads MessageNumberLimits; did you mean MessageNumberLimit?"),
])  # fmt: skip
def test_the_notes_of_the_inf_are_shown_as_resources_shows_them(folder: Path, dirql: Run, line: str, note: str) -> None:
    (folder / "small.inf").write_text((folder / "small.inf").read_text() + line + "\n")
    assert f"  note: {note}\n" in dirql("run", "small.toml")[1]
    assert f"note: {note}\n" in dirql("resources", "small.toml")[1]
    assert json.loads(dirql("run", "small.toml", "--json")[1])["notes"][0] == note
    assert json.loads(dirql("resources", "small.toml", "--json")[1])["notes"] == [note]


def test_a_run_without_an_inf_tells_why_it_has_a_line(folder: Path, dirql: Run) -> None:
    told = json.loads(dirql("run", "small.py:Driver", "--device", "mqueue", "--json")[1])
    assert (told["kind"], told["why"]) == ("line", None)
    asked = "no INF sets MSISupported to 1, so Windows does not ask for the 9 MSI-X messages of this function"
    assert told["notes"] == [f"{asked}; dirql resources shows what to write"]


def test_what_an_object_serves_is_a_list_of_words(folder: Path, dirql: Run) -> None:
    text, create = (folder / "small.py").read_text(), "wdf.Interrupt.create(self, config)"
    (folder / "small.py").write_text(text.replace(create, f"{create}.serves = 'queue 0, queue 1, admin'"))
    told = json.loads(dirql("run", "small.toml", "--messages", "1", "--json")[1])
    assert told["interrupts"][0]["serves"] == ["queue 0", "queue 1", "admin"]
    assert " queues 0-1, admin\n" in dirql("run", "small.toml", "--messages", "1")[1]


@pytest.mark.parametrize("seconds", ["-1", "2e9", "nan"])
def test_a_limit_that_is_no_time_is_refused(folder: Path, dirql: Run, seconds: str) -> None:
    refused = f"dirql: --watchdog {float(seconds):g}: out of range; give 1 to 1000000 seconds, a part of one, or 0 for none\n"
    assert dirql("run", "small.toml", "--watchdog", seconds) == (2, "", refused)


def test_a_driver_without_an_end_is_ended_with_status_1_and_its_trace(folder: Path, dirql: Run) -> None:
    (folder / "small.py").write_text((folder / "small.py").read_text().replace("        pass\n", "        while True: pass\n", 1))
    status, out, _ = dirql("run", "small.toml", "--watchdog", "1", "--trace", "run.txt")
    assert (status, out.splitlines()[0]) == (1, "MultiQueue 1234:4d51, driver Driver: hang (watchdog)")
    assert "(small.py:22 in dpc)" in " ".join(out.split())
    assert "hang (watchdog)" in (folder / "run.txt").read_text().splitlines()[-1]


@pytest.mark.parametrize("option", ["--inf", "--trace"])
def test_an_option_that_names_nothing_is_refused(folder: Path, dirql: Run, option: str) -> None:
    refused = f"dirql: {option} '': it names nothing; name something, or leave the option out\n"
    assert dirql("run", "small.toml", option, "") == (2, "", refused)


@pytest.mark.parametrize(("arguments", "error"), [
    ([""], "'' names nothing; give scenario.toml, driver.py[:Class] or driver.sys"),
    (["none.toml"], "none.toml: No such file or directory; name a scenario file that can be read"),
    (["small.sys"], "small.sys: which device? give --device edu, mqueue, model.py:Class or a dump"),
    (["small.bin"], ("small.bin: it is neither a scenario (.toml) nor a driver (.py, .sys); "
                     "give scenario.toml, driver.py[:Class] or driver.sys")),
    (["small.py"], "small.py: which device? give --device edu, mqueue, model.py:Class or a dump"),
    (["small.toml", "--device", "edu"],
     "--device edu: small.toml names its device; leave the option out, or give a driver.py"),
    (["small.toml", "--messages", "2", "--line"],
     "--messages and --line exclude each other: what is granted is messages or the line; give one"),
    (["small.toml", "--messages", "12"], "small.toml: --messages 12: 9 are asked for; take 9 or fewer"),
    (["small.toml", "--trace", "run.xml"], "--trace run.xml: the suffix tells the format; write .jsonl or .txt"),
    (["small.toml", "--trace", "no/run.txt"], "no/run.txt: No such file or directory; name a file that can be written"),
    (["small.toml", "--cpus", "65"],
     "--cpus 65: one group holds 1 to 64, and several are not modelled yet; give 1 to 64"),
    (["small.toml", "--messages", "0"], "--messages 0: out of range; give 1 to 2048, or --line for the line"),
    (["small.toml", "--colour"], "No such option: --colour (see dirql run --help)"),
])  # fmt: skip
def test_bad_usage_is_one_line_and_status_2(folder: Path, dirql: Run, arguments: list[str], error: str) -> None:
    assert dirql("run", *arguments) == (2, "", f"dirql: {error}\n")


def test_a_driver_without_callbacks_is_named(folder: Path, dirql: Run) -> None:
    status, out, err = dirql("run", "small.py:NoCallbacks", "--device", "mqueue")
    assert err == (f"dirql: {folder}/small.py:30: NoCallbacks has no evt_driver_device_add(self, init); "
                   "without it no device is ever added\n")  # fmt: skip
    assert (status, out) == (2, "")

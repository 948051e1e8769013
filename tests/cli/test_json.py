"""docs/json.md says what the commands print, and they print what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dirql.bench.figure import Figure, Measured, entry, unmeasured
from dirql.findings import Finding
from dirql.kernel.stop import BugCheck, Details, Hang
from dirql.report import InterruptRow, MessageRow, Report

Run = Callable[..., tuple[int, str, str]]
PAGE = Path(__file__).parent.parent.parent / "docs" / "json.md"
KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", dict: "object", list: "list"}
# Objects whose keys are data, or bits that the text sums up.
OPAQUE = {
    "command", "status", "fields", "dropped_why", "reads_at_dirql", "registers", "beside", "ratio", "ratio_target", "machine",
    "peers",
}  # fmt: skip


def documented(command: str) -> dict[str, str]:
    """Key → type, of one command's table."""
    part = next(p for p in PAGE.read_text().split("\n## ") if p.startswith(f"`dirql {command} --json`"))
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", part, re.MULTILINE))


def seen(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a document with the type of its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            yield here, KINDS[type(inner)]
            if key not in OPAQUE and not (path == "" and key == "descriptors" and "messages" in value):
                yield from seen(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from seen(inner, f"{path}[]" if path else "")


def wrong(document: Any, command: str) -> list[str]:
    """Keys that are not documented, or not with that type."""
    known = documented(command)
    out = []
    for key, kind in seen(document):
        allowed = [word.partition(" of ")[0] for word in known.get(key, "").split(" or ")]
        if kind not in allowed and not (kind == "integer" and "number" in allowed):
            out.append(f"{key}: {kind}, documented: {known.get(key)}")
    return out


def full_report(bugcheck: dict[str, object] | None) -> Any:
    row = InterruptRow(0, "interrupt0", None, 0x51, (0,), 5, ("queue 0",), 1, 1, 10, 1, 10)
    rows = [MessageRow(0, 0, 3, 1, 0, 0, 0, 0, 0, {"bus master off": 2}, (0,)), MessageRow(1, None, 0, 0, 0, 0, 0, 0, 0, {}, ())]
    line = {"gsi": 20, "vector": 0x51, "irql": 5, "cpus": [0]}
    report = Report("1234:4d51", "card", "Driver", 4, "line", 9, 1, False, "", 0, "STATUS_SUCCESS", [], [row], rows, line)
    report.findings = [Finding("rule", "error", "sentence", "where", 0, 1)]
    report.callbacks, report.reads_at_dirql, report.bugcheck = [("EvtDriverDeviceAdd", "Driver")], {"BAR0+0x0": 1}, bugcheck
    return json.loads(json.dumps(report.as_json()))


def test_run_prints_what_is_documented(folder: Path, dirql: Run) -> None:
    crash = BugCheck(0xD1, why="x")
    crash.details = Details("nop", {"rax": 1}, ("nic.sys!EvtIsr+0x1a (nic.c:12)",))
    documents = [full_report(crash.as_json()), full_report(Hang("r", "x").as_json()),
                 json.loads(dirql("run", "small.toml", "--json")[1])]  # fmt: skip
    assert [wrong(one, "run") for one in documents] == [[], [], []]
    assert set(documented("run")) == {key for one in documents for key, _ in seen(one)}


def test_rules_prints_what_is_documented(dirql: Run) -> None:
    document = json.loads(dirql("rules", "--json")[1])
    assert wrong(document, "rules") == []
    assert set(documented("rules")) == {key for key, _ in seen(document)}


@pytest.mark.parametrize("inf", [[], ["--inf", "small.inf"]])
def test_resources_prints_what_is_documented(folder: Path, examples: Path, dirql: Run, inf: list[str]) -> None:
    dump = str(examples / "dumps" / "qemu-e1000e-nvme.txt")
    assert wrong(json.loads(dirql("resources", dump, *inf, "--json")[1]), "resources") == []


def test_all_that_is_documented_of_resources_is_printed(folder: Path, examples: Path, dirql: Run) -> None:
    dump = str(examples / "dumps" / "qemu-e1000e-nvme.txt")
    documents = [json.loads(dirql("resources", source, "--json")[1]) for source in (dump, "small.toml")]
    assert set(documented("resources")) == {key for one in documents for key, _ in seen(one)}


def test_inspect_prints_what_is_documented(examples: Path, dirql: Run) -> None:
    documents = [json.loads(dirql("inspect", str(path), "--json")[1]) for path in sorted((examples / "dumps").glob("*.txt"))]
    assert [wrong(one, "inspect") for one in documents] == [[] for _ in documents]
    assert set(documented("inspect")) == {key for one in documents for key, _ in seen(one)}


def test_bench_prints_what_is_documented() -> None:
    figure = Figure("name", "1/s", "what", lambda effort: Measured(1.0, 3, 0.5, 2.0))
    figures = [entry(figure, Measured(1.0, 3, 0.5, 2.0)), unmeasured(figure, "why")]
    document = {"figures": figures, "machine": {}, "peers": {}}
    assert wrong(document, "bench") == []
    assert set(documented("bench")) == {key for key, _ in seen(document)}

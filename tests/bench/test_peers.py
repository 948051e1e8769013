"""The peer is run where it is installed, and what is missing is named where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dirql.bench import peers
from dirql.bench.stopwatch import Effort

TINY = Effort(rounds=1, messages=18, processes=1)


def test_an_interpreter_that_does_not_run_is_named() -> None:
    assert peers.missing("/nowhere/python") == [
        "/nowhere/python is no Python interpreter that runs; name another with --peer-python"
    ]


def test_a_module_that_is_there_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MODULES", {"json": "json", "no_such.part": "such-part"})
    monkeypatch.setattr(peers.shutil, "which", lambda name: "/usr/bin/" + name)
    assert peers.missing(sys.executable) == ["pip install such-part"]


def answering(monkeypatch: pytest.MonkeyPatch, stdout: str, stderr: str = "", status: int = 0) -> None:
    """A testbench that ends so."""

    def run(command: list[str], **kw: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, status, stdout, stderr)

    monkeypatch.setattr(peers, "missing", lambda python: [])
    monkeypatch.setattr(peers.subprocess, "run", run)


def test_the_peers_figures_are_medians_of_its_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "noise\n" + json.dumps({"rates": {"cocotbext_pcie": [1, 5, 3]}, "versions": {"cocotb": "2"}}) + "\n")
    assert peers.cocotbext_pcie(TINY) == peers.Peer({"cocotbext_pcie": 3}, {"cocotb": "2"})


@pytest.mark.parametrize("stdout", ["", "no JSON\n", "{}\n", "[]\n"])
def test_a_testbench_that_fails_says_its_last_line(monkeypatch: pytest.MonkeyPatch, stdout: str) -> None:
    answering(monkeypatch, stdout, "Traceback\nboom: it broke\n", 1)
    assert peers.cocotbext_pcie(TINY).problem == (
        "cocotbext-pcie was not measured: its testbench ended with status 1: boom: it broke"
    )


def test_a_testbench_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **kw: Any) -> None:
        raise subprocess.TimeoutExpired(command, kw["timeout"])

    monkeypatch.setattr(peers, "missing", lambda python: [])
    monkeypatch.setattr(peers.subprocess, "run", run)
    assert peers.cocotbext_pcie(TINY).problem == (
        "cocotbext-pcie was not measured: its testbench ran longer than 120 s and was ended"
    )


def test_the_testbench_needs_nothing_of_dirql_and_imports_without_the_peer() -> None:
    testbench = import_module("dirql.bench.cocotbext_testbench")
    assert not hasattr(testbench, "test")
    assert "import dirql" not in Path(str(testbench.__file__)).read_text(encoding="utf-8")

"""A driver that loses the second of two messages, as a scenario; and `dirql` as a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from dirql.cli.app import main
from dirql.explore import Plan
from dirql.scenario.values import Scenario


class Ended(NamedTuple):
    """How a command line ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def lost() -> Path:
    """The scenario's file."""
    return Path(__file__).parent / "lost" / "s.toml"


@pytest.fixture
def plan(lost: Path) -> Plan:
    """It, to be explored from its workload on: that is four times as fast."""
    return Plan(Scenario.load(lost), "work")


@pytest.fixture
def here(lost: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is the current one."""
    monkeypatch.chdir(lost.parent)


@pytest.fixture
def dirql(capsys: pytest.CaptureFixture[str], here: None) -> Callable[..., Ended]:
    """`dirql("explore", "s.toml")`."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Ended(end.value.code, said.out, said.err)

    return run

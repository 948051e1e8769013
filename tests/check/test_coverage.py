"""What real KMDF drivers for PCI cards use (facts/coverage.csv) is modelled, row by row."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from dirql.check.modelled import is_found
from dirql.facts import routines
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.load import declare_routines

LINES = files("dirql.facts").joinpath("coverage.csv").read_text("utf-8").splitlines()
ROWS = [tuple(row.values()) for row in csv.DictReader(line for line in LINES if not line.startswith("#"))]


def test_every_row_is_of_a_kind_and_named_once() -> None:
    assert {kind for kind, *_ in ROWS} == {"framework", "import", "inline", "macro"}
    names = [name for _, name, *_ in ROWS]
    assert len(set(names)) == len(names) >= 245


@pytest.mark.parametrize("name", [name for kind, name, *_ in ROWS if kind == "framework"])
def test_a_framework_function_that_drivers_use_is_modelled(name: str) -> None:
    declare_routines()
    assert routines()[name].index is not None
    assert f"wdf!{name}" in ROUTINES


@pytest.mark.parametrize("name", sorted({
    each for kind, name, needs, _ in ROWS if kind != "framework" for each in ([name] if kind == "import" else needs.split())
}))  # fmt: skip
def test_an_export_that_drivers_use_is_modelled(name: str) -> None:
    assert is_found(name)

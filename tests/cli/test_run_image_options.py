"""`dirql run`: the options that only an image has a use for, given wrongly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
FORM = "write NAME=VALUE, as in IoWMIRegistrationControl=0xC00000BB"


@pytest.mark.parametrize(
    "given", ["IoFancyNewThing", "IoFancyNewThing=", "=1", "nt!X=1", "X=1.5", f"X={1 << 64}", f"X={-(1 << 63) - 1}"]
)
def test_a_stub_that_is_no_name_and_value_is_refused(folder: Path, dirql: Run, given: str) -> None:
    assert dirql("run", "small.toml", "--stub", given) == (2, "", f"dirql: --stub {given}: {FORM}\n")


def test_a_stub_for_a_python_driver_is_refused(folder: Path, dirql: Run) -> None:
    refused = "dirql: --stub X: small.toml has no image (.sys); leave the option out\n"
    assert dirql("run", "small.toml", "--stub", "X=1") == (2, "", refused)


def test_no_instructions_at_all_are_refused(folder: Path, dirql: Run) -> None:
    refused = "dirql: --max-instructions 0: out of range; give 1 or more\n"
    assert dirql("run", "small.toml", "--max-instructions", "0") == (2, "", refused)


def test_a_limit_of_instructions_for_a_python_driver_is_refused(folder: Path, dirql: Run) -> None:
    refused = "dirql: --max-instructions 5: small.toml has no image (.sys); leave the option out\n"
    assert dirql("run", "small.toml", "--max-instructions", "5") == (2, "", refused)

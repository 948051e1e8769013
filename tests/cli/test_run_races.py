"""`dirql run --races` and `[verifier] races`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def racy(folder: Path) -> Path:
    """The folder's driver, whose ISR and DPC share a counter, with a message before and one after the DPC has run."""
    driver = (folder / "small.py").read_text()
    driver = driver.replace("        interrupt.queue_dpc", "        self.calls = 1\n        interrupt.queue_dpc")
    driver = driver.replace("        pass\n\n\nclass Driver", "        self.calls = 0\n\n\nclass Driver")
    driver += "\n\ndef fire_twice(system, card):\n    card.msix.fire(1)\n    system.run()\n    card.msix.fire(1)\n"
    (folder / "small.py").write_text(driver)
    scenario = (folder / "small.toml").read_text().partition("[workload]")[0] + '[workload]\ncall = "small.py:fire_twice"\n'
    (folder / "small.toml").write_text(scenario)
    return folder


def test_races_are_looked_for_on_request(racy: Path, dirql: Run) -> None:
    assert dirql("run", "small.toml")[0] == 0
    status, out, err = dirql("run", "small.toml", "--races")
    assert (status, err) == (1, "")
    assert "data-race" in out
    assert "Card.calls of MultiQueue is written by the ISR of interrupt1" in " ".join(out.split())


def test_a_scenario_can_ask_for_them(racy: Path, dirql: Run) -> None:
    (racy / "small.toml").write_text((racy / "small.toml").read_text() + "[verifier]\nraces = true\n")
    status, out, _ = dirql("run", "small.toml")
    assert status == 1
    assert "data-race" in out


def test_a_driver_without_one_is_clean(folder: Path, dirql: Run) -> None:
    status, out, _ = dirql("run", "small.toml", "--races", "--trace", "run.txt")
    assert status == 0
    assert out.endswith("\nnothing found\n")
    assert " isr " in (folder / "run.txt").read_text()

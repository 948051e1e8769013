"""Where what a run prints goes: JSON alone on standard output, and a full disk in one line."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("command", ["run", "resources"])
def test_what_a_driver_prints_does_not_spoil_the_json(folder: Path, dirql: Run, command: str) -> None:
    text = (folder / "small.py").read_text()
    (folder / "small.py").write_text(text.replace("        Card.create(init)\n", "        print('added', Card.create(init))\n"))
    status, out, err = dirql(command, "small.toml", "--json")
    assert (status, err) == (0, "added <WDFDEVICE MultiQueue>\n")
    assert json.loads(out)["function"] == "1234:4d51"
    assert dirql(command, "small.toml")[1].startswith("added <WDFDEVICE MultiQueue>\n")


class Full:
    """An output on a full disk."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        """Nothing is held."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.descriptor


def test_a_full_disk_is_one_line_and_74(folder: Path, dirql: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", Full(file.fileno()))
        status, _, err = dirql("run", "small.toml")
    assert (status, err) == (74, "dirql: the output cannot be written: No space left on device; send it where there is room\n")


DUMP = Path(__file__).parents[2] / "examples" / "dumps" / "qemu-e1000e-nvme.txt"
DUMPED = f"""[device]
dump = "{DUMP}"
function = "01:00.0"
[driver]
python = "small.py:Driver"
inf = "small.inf"
"""
TELL = "tell it in [device.bars], or take the dump with lspci -vv as well"
NOTE = f"a dump holds no BAR sizes: that of BAR 0 (0x1000), 1 (0x1000), 2 (0x20), 3 (0x4000) is assumed; {TELL}"


@pytest.mark.parametrize("command", ["run", "resources"])
def test_sizes_that_are_assumed_are_said_so_and_null(folder: Path, dirql: Run, command: str) -> None:
    (folder / "small.inf").write_text((folder / "small.inf").read_text().replace("DEV_10C9", "DEV_10D3"))
    (folder / "dump.toml").write_text(DUMPED)
    told = json.loads(dirql(command, "dump.toml", "--json")[1])
    memory = [one for one in told["descriptors"] if one["type"] in ("memory", "port")]
    assert [(one["translated"]["length"], one["raw_hex"]) for one in memory] == [(None, None)] * 4
    assert NOTE in told["notes"]
    (folder / "dump.toml").write_text(f"{DUMPED}[device.bars]\n0 = 0x20000\n1 = 0x20000\n2 = 0x20\n3 = 0x4000\n")
    told = json.loads(dirql(command, "dump.toml", "--json")[1])
    assert (told["descriptors"][0]["translated"]["length"], NOTE in told["notes"]) == (0x20000, False)


def test_a_page_fault_beyond_an_assumed_bar_says_so(folder: Path, dirql: Run) -> None:
    (folder / "small.inf").write_text((folder / "small.inf").read_text().replace("DEV_10C9", "DEV_10D3"))
    text = (folder / "small.py").read_text()
    (folder / "small.py").write_text(text.replace("        self.regs.unmap()", "        self.regs.read_register_ulong(0x1000)"))
    (folder / "dump.toml").write_text(DUMPED)
    why = json.loads(dirql("run", "dump.toml", "--json")[1])["bugcheck"]["why"]
    assert why.partition(";")[2].startswith(
        " that BAR 0 of 0000:01:00.0 has so many is assumed, as a dump holds no BAR sizes: tell it in [device.bars] (small.py:"
    )


@pytest.mark.parametrize(("call", "error"), [
    ("small.py:nosuch", "small.py: there is no 'nosuch'; it defines Card, Driver, NoCallbacks"),
    ("small2.py:fire", "small2.py: no such file; paths are relative to the scenario's folder"),
])  # fmt: skip
def test_a_workload_that_is_not_there_is_told_with_the_scenarios_line(folder: Path, dirql: Run, call: str, error: str) -> None:
    (folder / "small.toml").write_text((folder / "small.toml").read_text().replace("small.py:fire", call))
    assert dirql("run", "small.toml") == (2, "", f"dirql: small.toml:10: [workload] call = '{call}': {error}\n")


def test_a_misspelt_callback_is_told_with_its_line(folder: Path, dirql: Run) -> None:
    text = (folder / "small.py").read_text()
    (folder / "small.py").write_text(text.replace("evt_driver_device_add", "evt_driver_device_ad"))
    known = "there are evt_driver_device_add, evt_driver_unload"
    assert dirql("run", "small.toml") == (
        2, "", f"dirql: small.py:26: Driver.evt_driver_device_ad is no callback of a driver; {known}\n",
    )  # fmt: skip


def test_a_timer_without_an_action_names_the_model(folder: Path, dirql: Run) -> None:
    with (folder / "small.py").open("a") as file:
        file.write("\n\ndef late(card):\n    card.after(5, None)\n")
    (folder / "small.toml").write_text((folder / "small.toml").read_text().replace("small.py:fire", "small.py:late"))
    error = "MultiQueue.after(action=None): an action is a function without arguments"
    assert dirql("run", "small.toml") == (2, "", f"dirql: small.toml:10: [workload] call = 'small.py:late': {error}\n")

"""The peer: cocotbext-pcie with Icarus Verilog, run in processes of its own where it is installed.

Two figures of it: `cocotbext_pcie` as it comes (its logging at its defaults, each message awaited), and
`cocotbext_pcie_quiet` with the logging turned down and a round's messages in flight together, which is the best it does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from dirql.bench.stopwatch import Effort

__all__ = ["COCOTBEXT", "Peer", "cocotbext_pcie", "missing"]

COCOTBEXT = "0.2.16"
PATIENCE = 120  # seconds that the whole testbench may take
MODULES = {"cocotb": "cocotb", "cocotbext.pcie": f"cocotbext-pcie=={COCOTBEXT}"}  # module → what pip calls it
PROBE = """
import importlib.util, sys
def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
print(" ".join(name for name in sys.argv[1:] if not found(name)))
"""


@dataclass(frozen=True)
class Peer:
    """What the peer did: its rates, or why there are none."""

    rates: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def missing(python: str) -> list[str]:
    """What has to be installed for `python` to run the peer, in words."""
    words = []
    try:
        probe = subprocess.run([python, "-c", PROBE, *MODULES], capture_output=True, text=True, timeout=PATIENCE, check=True)
        absent = probe.stdout.split()
    except (OSError, subprocess.SubprocessError):
        return [f"{python} is no Python interpreter that runs; name another with --peer-python"]
    if absent:
        words.append("pip install " + " ".join(MODULES[name] for name in absent))
    if shutil.which("iverilog") is None:
        words.append("Icarus Verilog (Debian, Ubuntu: apt-get install iverilog; macOS: brew install icarus-verilog)")
    return words


def cocotbext_pcie(effort: Effort, python: str | None = None) -> Peer:
    """Run the testbench with the interpreter `python` (default: this one)."""
    python = python or sys.executable
    absent = missing(python)
    if absent:
        return Peer(problem="cocotbext-pcie was not measured; it needs: " + "; ".join(absent))
    testbench = Path(__file__).with_name("cocotbext_testbench.py")
    command = [python, str(testbench), str(effort.rounds), str(max(9, effort.messages // 30))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return Peer(problem=f"cocotbext-pcie was not measured: its testbench ran longer than {PATIENCE} s and was ended")
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
        rates = {name: median(rates) for name, rates in answer["rates"].items()}
        return Peer(rates, answer["versions"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Peer(problem=f"cocotbext-pcie was not measured: its testbench ended with status {done.returncode}: {last}")

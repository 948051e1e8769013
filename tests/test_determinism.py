"""The same scenario and seed give the same trace, byte for byte, in whatever process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def traced(path: Path, scenario: str, hash_seed: str, *options: str) -> bytes:
    command = [sys.executable, "-m", "dirql", "run", f"examples/multiqueue/{scenario}.toml", "--trace", str(path), *options]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return path.read_bytes() + done.stdout.replace(bytes(path), b"")


@pytest.mark.parametrize(("scenario", "options"), [("idle", ()), ("nine_messages", ("--seed", "7"))])
def test_a_trace_is_the_same_in_two_processes_with_different_hash_seeds(
    tmp_path: Path, scenario: str, options: tuple[str, ...]
) -> None:
    first = traced(tmp_path / "first.jsonl", scenario, "1", *options)
    assert len(first) > 10_000
    assert first == traced(tmp_path / "second.jsonl", scenario, "77", *options)


def test_another_seed_is_another_order(tmp_path: Path) -> None:
    first = traced(tmp_path / "first.jsonl", "nine_messages", "1", "--seed", "7")
    assert first != traced(tmp_path / "second.jsonl", "nine_messages", "1", "--seed", "8")

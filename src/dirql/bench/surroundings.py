"""What the figures were measured on, without anything that names the machine or a place on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["surroundings"]

CPUINFO = Path("/proc/cpuinfo")  # Linux


def _cpu_model() -> str:
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


def surroundings() -> dict[str, str | int]:
    """CPU model and count, interpreter, platform."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count() or 1,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.machine()}",
    }

"""The files that a scenario's driver is built from."""

from __future__ import annotations

from pathlib import Path

__all__ = ["source_files"]


def source_files(directory: Path) -> list[Path]:
    """C and C++, and the headers: beside them, and what they include with quotes from elsewhere."""
    from dirql.build import input_files  # only where sources are named

    return input_files(directory)

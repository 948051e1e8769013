"""What a run notes about a driver: a value with a rule id, a level and where it happened."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal

__all__ = ["TELLERS", "Finding", "Level", "calling_driver", "defined_at"]

Level = Literal["error", "warning", "advice"]
TELLERS: dict[CodeType, Callable[[FrameType], str]] = {}  # of code of dirql's that runs a driver's: what that one's place is


@dataclass(frozen=True)
class Finding:
    """One broken rule: the first place it was seen, and how often after that."""

    rule: str
    level: Level
    sentence: str
    where: str
    cpu: int
    time: int
    count: int = 1

    def __str__(self) -> str:
        more = f", {self.count} times" if self.count > 1 else ""
        return f"finding {self.rule}: {self.sentence} ({self.where}{more})"


def calling_driver(frame: FrameType | None = None) -> str:
    """`file.py:line` of the innermost caller (of `frame`, by default of this) that is not dirql's own code; empty when there
    is none."""
    if frame is None:
        frame = sys._getframe(1)
    while True:
        teller = TELLERS.get(frame.f_code)
        if teller is not None:
            return teller(frame)
        name = frame.f_globals.get("__name__", "")
        if name != "dirql" and not name.startswith("dirql."):
            return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        if frame.f_back is None:
            return ""
        frame = frame.f_back


def defined_at(routine: Any) -> str:
    """`file.py:line: `, to stand before a sentence about a function of the driver's; empty for what is no Python function."""
    code = getattr(routine, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}: " if code is not None else ""

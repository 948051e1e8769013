"""Whose mistake an exception is that ended a run: the driver's, a device model's, a misuse of dirql's own surface, or dirql's.

On Windows an exception that a driver lets escape is KMODE_EXCEPTION_NOT_HANDLED; nothing else here is a bugcheck.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from types import FrameType

from dirql.errors import InputError, NotModelled, UsageError
from dirql.kernel.stop import BugCheck

__all__ = ["unhandled"]

KMODE_EXCEPTION_NOT_HANDLED = 0x1E


def unhandled(error: Exception) -> BugCheck:
    """The bugcheck that a driver's exception is; raises what is none, with its place where that is the user's code."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    users = [index for index, frame in enumerate(frames) if _package(frame) not in ("dirql", "greenlet")]
    if not users or isinstance(error, InputError):
        raise error
    last = traceback.extract_tb(error.__traceback__)[users[-1]]
    where = f"{Path(last.filename).name}:{last.lineno} in {last.name}"
    if isinstance(error, UsageError | NotModelled):
        raise type(error)(f"{where}: {error}") from error
    if _is_model(frames, users[-1]):
        problem = f"{type(error).__name__}: {error}"
        raise InputError(last.filename, f"line {last.lineno}", problem, "mend the device model") from error
    stop = BugCheck(KMODE_EXCEPTION_NOT_HANDLED, why=f"{type(error).__name__}: {error} ({where})")
    stop.__cause__ = error
    return stop


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_model(frames: list[FrameType], index: int) -> bool:
    """True when the innermost of dirql's frames further out is a device's: it was called by its registers or its timers."""
    for frame in reversed(frames[:index]):
        if _package(frame) == "dirql":
            return str(frame.f_globals["__name__"]).split(".")[1] in ("device", "pci", "machine")
    return False

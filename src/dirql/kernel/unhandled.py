"""Whose mistake an exception is that ended a run: the driver's, a device model's, a misuse of dirql's own surface, or dirql's.

On Windows an exception that a driver lets escape is KMODE_EXCEPTION_NOT_HANDLED; nothing else here is a bugcheck. It makes no
difference that Python derives some exceptions from BaseException: a driver that calls sys.exit() does not end dirql.
"""

from __future__ import annotations

import traceback
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType

from dirql.errors import InputError, NotModelled, UsageError
from dirql.kernel.stop import BugCheck

__all__ = ["in_driver", "unhandled"]

KMODE_EXCEPTION_NOT_HANDLED = 0x1E


def unhandled(error: BaseException) -> BugCheck:
    """The bugcheck that a driver's exception is; raises what is none, with its place where that is the user's code."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, TypeError) and frames and (called := _refused_call(frames[-1], str(error))) is not None:
        remedy = "give it the arguments that docs/c-python.md lists for the callback"
        raise InputError(called.co_filename, str(called.co_firstlineno), f"{error}", remedy) from error
    users = [index for index, frame in enumerate(frames) if _package(frame) not in ("dirql", "greenlet")]
    if not users or isinstance(error, InputError):
        raise error
    last = traceback.extract_tb(error.__traceback__)[users[-1]]
    where = f"{Path(last.filename).name}:{last.lineno} in {last.name}"
    if isinstance(error, UsageError | NotModelled):
        raise type(error)(f"{where}: {error}") from error
    if _is_model(frames, users[-1]):
        raise InputError(last.filename, str(last.lineno), _words(error), "mend the device model") from error
    stop = BugCheck(KMODE_EXCEPTION_NOT_HANDLED, why=f"{_words(error)} ({where})")
    stop.__cause__ = error
    return stop


def in_driver(error: BaseException) -> str:
    """`file.py:line in function` of the innermost frame inside the machine that is not dirql's own; empty when there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    packages = [_package(frame) for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = next((i for i, package in enumerate(packages) if package == "dirql"), 0)  # before it stands who called run()
    pairs = list(zip(frames, packages, strict=True))[inside:]
    theirs = [one for one, package in pairs if package not in ("dirql", "greenlet")]
    return f"{Path(theirs[-1].filename).name}:{theirs[-1].lineno} in {theirs[-1].name}" if theirs else ""


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _refused_call(frame: FrameType, message: str) -> CodeType | None:
    """The user's function that dirql's innermost `frame` could not even enter: Python names it in the TypeError's message."""
    if _package(frame) != "dirql":
        return None
    for value in frame.f_locals.values():
        routine = value.func if isinstance(value, partial) else value
        routine = getattr(routine, "__func__", routine)
        if isinstance(routine, FunctionType) and message.startswith(f"{routine.__qualname__}() "):
            return None if routine.__module__.partition(".")[0] == "dirql" else routine.__code__
    return None


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_model(frames: list[FrameType], index: int) -> bool:
    """True when the innermost of dirql's frames further out is a device's: it was called by its registers or its timers."""
    for frame in reversed(frames[:index]):
        if _package(frame) == "dirql":
            return str(frame.f_globals["__name__"]).split(".")[1] in ("device", "pci", "machine")
    return False

"""A file of the user's, read whole and bounded; a FIFO that nobody writes to makes nobody wait."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dirql.errors import InputError

__all__ = ["read_file"]

CHUNK = 1 << 20


def read_file(path: Path, source: str, most: int, remedy: str) -> bytes:
    """At most `most` bytes and one more, by which the caller sees that there were too many. `source` is its name in messages."""
    try:
        with open(path, "rb", buffering=0, opener=_open) as file:
            chunks, left = [], most + 1
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                first = file.read(CHUNK)  # nothing: nobody writes; None: somebody has not written yet
                if first == b"":
                    raise InputError(source, "", "is a FIFO that nobody writes to", remedy)
                os.set_blocking(file.fileno(), True)
                chunks.append(first or b"")
                left -= len(chunks[0])
            while left > 0 and (chunk := file.read(min(left, CHUNK))):
                chunks.append(chunk)
                left -= len(chunk)
            return b"".join(chunks)[: most + 1]
    except OSError as problem:
        raise InputError(source, "", problem.strerror or str(problem), remedy) from None
    except ValueError as problem:  # a NUL in the name
        raise InputError(repr(source), "", str(problem), remedy) from None


def _open(path: str, flags: int) -> int:
    """Opening a FIFO waits for its other end, unless it is told not to."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode) and hasattr(os, "O_NONBLOCK"):
        os.set_blocking(descriptor, True)
    return descriptor

"""What C and C++ files include with quotes, wherever it lies: beside the file that names it, or beside the driver's sources.

Limits: what an #include names by a macro or in angle brackets is not followed. One that is not compiled, in `#if 0` or a comment,
is.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from dirql.build.errors import BuildError

__all__ = ["MOST_BYTES", "MOST_FILES", "included"]

MOST_FILES, MOST_BYTES = 1000, 64 << 20
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\r\n]+)"', re.MULTILINE)


def included(files: Sequence[Path], directory: Path) -> list[Path]:
    """By `files` of a driver in `directory`, and by what they include: each once, in the order in which they are met, without
    `files`."""
    seen = {path.resolve() for path in files}
    waiting, found, size = deque(files), list[Path](), 0
    while waiting:
        path = waiting.popleft()
        for named in INCLUDE.findall(path.read_bytes()):
            for place in (path.parent, directory):
                one = place / named.decode("utf-8", "replace").replace("\\", "/")
                if not _is_readable(one) or one.resolve() in seen:
                    continue
                size += one.stat().st_size
                found.append(one)
                if len(found) > MOST_FILES or size > MOST_BYTES:
                    raise BuildError(f"{directory}: its sources include more with quotes than {MOST_FILES} files of "
                                     f"{MOST_BYTES:#x} bytes; include less")  # fmt: skip
                seen.add(one.resolve())
                waiting.append(one)
    return found


def _is_readable(path: Path) -> bool:
    """A file, and no name that there cannot be."""
    try:
        if not path.is_file():
            return False
        with path.open("rb"):
            return True
    except (OSError, ValueError):
        return False

"""A campaign's journal: JSON lines, of which the first says which campaign it is and each other one what a batch came to.

A line is written when its batch is over, at once. A last line without its end was cut off by whatever ended the campaign; it is
taken away, and its batch played again.
Limits: a depth-first search goes on from where the last line of its subtree has it; what that line holds is a Python literal.
"""

from __future__ import annotations

import errno
import json
import os
from ast import literal_eval
from pathlib import Path
from typing import Any

from dirql.errors import InputError
from dirql.explore.batch import Result
from dirql.explore.depth_first import DepthFirst

__all__ = ["Identity", "Journal"]

Identity = dict[str, Any]


class Journal:
    """The file at `path`, of the campaign that `identity` tells: begun, or gone on with. `known` has what it holds, by the
    batches' ids."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.known: dict[str, Result] = {}
        try:
            size = self._read(identity) if path.is_file() and path.stat().st_size else 0
            self._file = path.open("ab", buffering=0)
            if path.is_file():
                self._file.truncate(size)
        except UnicodeDecodeError:
            raise InputError(str(path), "", "it is no journal of dirql explore", "name another file with --resume") from None
        except OSError as problem:
            what = problem.strerror or str(problem)
            raise InputError(str(path), "", what, "name a file that can be written with --resume") from None
        self._first = None if size else identity

    def add(self, id: str, result: Result) -> None:
        """A batch is over. OSError when the disk is full."""
        if self._first is not None:
            self._write(self._first)
            self._first = None
        told = result.as_json()
        if result.search is not None:
            told["search"] = repr(result.search.state)
        self._write({"batch": id, **told})

    def close(self) -> None:
        """Nothing more."""
        self._file.close()

    def _write(self, value: dict[str, Any]) -> None:
        line = (json.dumps(value, separators=(",", ":")) + "\n").encode()
        if self._file.write(line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _read(self, identity: Identity) -> int:
        """Up to which byte it is whole."""
        content = self.path.read_bytes()
        size = content.rfind(b"\n") + 1
        lines = content[:size].decode().split("\n")[:-1]
        for number, line in enumerate(lines, 1):
            try:
                told = json.loads(line)
                if number == 1:
                    self._check(told, identity)
                else:
                    self.known[told["batch"]] = _result(told)
            except (KeyError, TypeError, ValueError, SyntaxError, MemoryError, RecursionError, AttributeError):
                raise InputError(str(self.path), str(number), "this is no line of a journal of dirql explore",
                                 "name another file with --resume") from None  # fmt: skip
        return size

    def _check(self, told: dict[str, Any], identity: Identity) -> None:
        if told == identity:
            return
        if not isinstance(told, dict) or "journal" not in told:
            raise ValueError
        other = [key for key in identity if told.get(key) != identity[key]]
        said = ", ".join(f"{key.replace('_', ' ')} {told.get(key)!r} and not {identity[key]!r}" for key in other)
        raise InputError(str(self.path), "1", f"it is another campaign's: {said or 'made by another dirql'}",
                         "give the same options, or name another file with --resume")  # fmt: skip


def _result(told: dict[str, Any]) -> Result:
    result = Result.from_json(told)
    if "search" in told:
        result.search = DepthFirst.of_state(literal_eval(told["search"]))
    return result

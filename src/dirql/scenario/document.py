"""A TOML file (toml.io, v1.0.0) whose every key is looked at: what nobody asks for is an error that names its line.

Limits: TOML's parser tells no positions, so a key's line is looked for in the text; keys of inline tables have the line of the
key that holds the table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dirql.errors import InputError
from dirql.files import read_file

__all__ = ["KINDS", "Document", "Table", "shown"]

LARGEST = 1 << 20
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_PART = re.compile(r"""\s*(?:"([^"\\]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)""")
_KEY = re.compile(r"""\s*((?:"[^"\\]*"|'[^']*'|[A-Za-z0-9_.\s-])+?)\s*=(?!=)""")
KINDS = {bool: "true or false", int: "a whole number", str: "a text in quotes", dict: "a table", list: "an array"}

Path_ = tuple[str | int, ...]


class Document:
    """A parsed file: its top table, and the line of every key."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as problem:
            raise self._syntax(str(problem), text) from None
        except RecursionError:
            raise InputError(source, "", "is nested too deeply", "a scenario needs three levels") from None
        except ValueError as problem:  # a number longer than Python reads
            raise InputError(source, "", f"is no TOML: {problem}", "write a smaller number") from None
        self.lines = _lines_of(text)

    @classmethod
    def load(cls, path: Path) -> Document:
        """Reads at most 1 MiB of a file."""
        source = str(path)
        data = read_file(path, source, LARGEST, "name a scenario file that can be read")
        if len(data) > LARGEST:
            raise InputError(source, "", f"is longer than {LARGEST:#x} bytes", "name a scenario file")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as problem:
            where = str(data.count(10, 0, problem.start) + 1)
            byte = f"byte {data[problem.start]:#x} at offset {problem.start:#x}"
            raise InputError(source, where, f"{byte} is no UTF-8", "save the file as UTF-8") from None
        return cls(source, text)

    @property
    def top(self) -> Table:
        """The keys outside of every section, and the sections."""
        return Table(self, (), self.values)

    def line(self, path: Path_) -> str:
        """The line of a key, or of the nearest thing around it that has a line."""
        while path:
            if path in self.lines:
                return str(self.lines[path])
            path = path[:-1]
        return ""

    def error(self, path: Path_, problem: str, remedy: str = "") -> InputError:
        """An error about the key at `path`."""
        return InputError(self.source, self.line(path), problem, remedy)

    def _syntax(self, message: str, text: str) -> InputError:
        match = _AT.search(message)
        line = (match[1] or str(text.count("\n") + 1)) if match else ""
        what = message[: match.start()] if match else message
        return InputError(self.source, line, f"is no TOML: {what}", "correct the syntax")


class Table:
    """One table while it is read: what it was asked for is known, `done` refuses the rest."""

    def __init__(self, document: Document, path: Path_, values: Mapping[str, Any]) -> None:
        self.document, self.path, self.values = document, path, values
        self._known: list[str] = []

    @property
    def name(self) -> str:
        """As the file writes it: `[machine.costs]`, `[[step]]`."""
        words = ".".join(part for part in self.path if isinstance(part, str))
        return f"[[{words}]]" if self.path and isinstance(self.path[-1], int) else f"[{words}]" if words else "the file"

    def __contains__(self, key: object) -> bool:
        return key in self.values

    def error(self, key: str, problem: str, remedy: str = "") -> InputError:
        """An error about `key` (empty: the table itself)."""
        return self.document.error((*self.path, key) if key else self.path, problem, remedy)

    def said(self, key: str) -> str:
        """What the file says, as a message begins with it: `[machine] cpus = 65`."""
        value = self.values[key]
        if isinstance(value, dict):
            return f"[{'.'.join([*(part for part in self.path if isinstance(part, str)), key])}]"
        return f"{self.name} {key} = {shown(value)}" if self.path else f"{key} = {shown(value)}"

    def wrong(self, key: str, limit: str, remedy: str) -> InputError:
        """An error about the value of `key`: `FILE:LINE: [section] key = value: limit; remedy`."""
        return self.error(key, f"{self.said(key)}: {limit}", remedy)

    def text(self, key: str, default: str = "", choices: Sequence[str] = ()) -> str:
        """A text, one of `choices` if there are any."""
        value: str = self._get(key, str, default)
        if key in self.values and choices and value not in choices:
            raise self.wrong(key, "there is no such choice", f"write one of {', '.join(choices)}")
        if key in self.values and (not value or "\0" in value):
            raise self.wrong(key, "it names nothing", "write a name, or leave the key out")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        value: bool = self._get(key, bool, default)
        return value

    def only_true(self, key: str) -> bool:
        """A key whose presence says all."""
        value: bool = self._get(key, bool, False)
        if key in self.values and not value:
            raise self.wrong(key, "true is its only value", "write true, or leave the key out")
        return value

    def integer(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number within limits."""
        value: int = self._get(key, int, default)
        if not least <= value <= most:
            raise self.wrong(key, "out of range", f"write {number(least)} to {number(most)}")
        return value

    def table(self, key: str) -> Table | None:
        """A table within, None when it is not there."""
        value: dict[str, Any] = self._get(key, dict, {})
        return Table(self.document, (*self.path, key), value) if key in self.values else None

    def tables(self, key: str) -> list[Table]:
        """`[key]` once, or `[[key]]` any number of times."""
        self._known.append(key)
        value = self.values.get(key, [])
        if isinstance(value, dict):
            return [Table(self.document, (*self.path, key), value)]
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong(key, "it has the wrong type", f"write a section [{key}], or several [[{key}]]")
        return [Table(self.document, (*self.path, key, index), one) for index, one in enumerate(value)]

    def read(self, key: str, reader: Callable[[Table], Any]) -> Any:
        """What `reader` makes of the table `key`; None when it is not there."""
        table = self.table(key)
        return None if table is None else reader(table)

    def anything(self, key: str) -> Any:
        """The value as it is; None when it is not there."""
        self._known.append(key)
        return self.values.get(key)

    def refuse(self, key: str, problem: str, remedy: str) -> None:
        """A key that is known and cannot be obeyed."""
        self._known.append(key)
        if key in self.values:
            raise self.wrong(key, problem, remedy)

    def exactly_one(self, keys: Sequence[str]) -> str:
        """The one of `keys` that is there."""
        present = [key for key in keys if key in self.values]
        if len(present) != 1:
            have = "has " + " and ".join(present) if present else "has none of its keys"
            raise self.error(present[1] if present else "", f"{self.name} {have}", f"write one of {', '.join(keys)}")
        return present[0]

    def done(self, also: Sequence[str] = ()) -> None:
        """Everything was asked for: the first key that nobody asked for is the error."""
        known = sorted({*self._known, *also})
        for key in self.values:
            if key not in known:
                near = get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]}? " if near else ""
                what = "section" if not self.path else "key"
                raise self.wrong(key, f"there is no such {what}", f"{hint}{what}s: {', '.join(known)}")

    def _get(self, key: str, kind: type, default: Any) -> Any:
        self._known.append(key)
        if key not in self.values:
            return default
        value = self.values[key]
        if type(value) is not kind:
            raise self.wrong(key, "it has the wrong type", f"write {KINDS[kind]}")
        return value


def shown(value: Any) -> str:
    """A value of the file's in a message: short, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return number(value)
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def number(value: int) -> str:
    """Small ones as they are, large ones in hex."""
    return str(value) if abs(value) < 1 << 16 else f"{value:#x}" if value.bit_length() <= 256 else "a number of many digits"


def _lines_of(text: str) -> dict[Path_, int]:
    """The line of each key and each section; good TOML is presumed."""
    lines: dict[Path_, int] = {}
    here: Path_ = ()
    counts: dict[Path_, int] = {}
    quote = ""  # the delimiter of the multi-line string that the line is in
    for index, line in enumerate(text.split("\n"), 1):
        if quote:
            if line.count(quote) % 2:
                quote = ""
            continue
        if header := _HEADER.fullmatch(line.rstrip("\r")):
            path = _resolve((), _parts(header[2]), counts)
            if header[1] == "[[":
                counts[path] = counts.get(path, -1) + 1
                lines.setdefault(path, index)
                path = (*path, counts[path])
            here = path
            lines.setdefault(here, index)
        elif key := _KEY.match(line):
            parts = _parts(key[1])
            for depth in range(1, len(parts) + 1):
                lines.setdefault((*here, *parts[:depth]), index)
        for delimiter in ('"""', "'''"):
            if line.count(delimiter) % 2:
                quote = delimiter
                break
    return lines


def _parts(dotted: str) -> list[str]:
    return [basic or literal or bare for basic, literal, bare in _PART.findall(dotted)]


def _resolve(path: Path_, parts: Sequence[str], counts: Mapping[Path_, int]) -> Path_:
    """The path of a header: a part that is an array of tables stands for its last one."""
    for position, part in enumerate(parts):
        path = (*path, part)
        if path in counts and position < len(parts) - 1:
            path = (*path, counts[path])
    return path

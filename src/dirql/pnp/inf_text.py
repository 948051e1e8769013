"""The text of an INF file as sections of lines of fields (windows-driver-docs, "General Syntax Rules for INF Files").

Comments, continuations, quotes and %strkey% tokens are resolved here; what the fields mean is `inf`'s business.

Limits: the ANSI code page is Windows-1252; [Strings.0409] (US English) wins over [Strings], other languages are not read.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dirql.errors import InputError

__all__ = ["LARGEST", "Line", "Sections", "parse"]

LARGEST = 1 << 20
_BREAKS = re.compile(r"\r\n|\n|\r")
_TOKEN = re.compile(r"%([^%]*)%")
_DIRID = re.compile(r"[0-9]+")
_SPACE = " \t\v\f\u00a0"


@dataclass(frozen=True)
class Line:
    """One entry: `key = values`, or values alone. `number` is the line it starts on."""

    number: int
    key: str | None
    values: tuple[str, ...]

    def value(self, index: int) -> str:
        """Value `index`, empty when the line is shorter."""
        return self.values[index] if index < len(self.values) else ""


@dataclass(frozen=True)
class Sections:
    """Every section of a file; sections of the same name are one, and names compare without case."""

    source: str
    lines: Mapping[str, tuple[Line, ...]]
    names: Mapping[str, str]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self.lines

    def __getitem__(self, name: str) -> tuple[Line, ...]:
        return self.lines.get(name.casefold(), ())

    def error(self, number: int, problem: str, remedy: str = "") -> InputError:
        """An error about line `number`."""
        return InputError(self.source, str(number), problem, remedy)


def decode(source: str, data: bytes) -> str:
    """UTF-16 and UTF-8 by their byte order mark, then UTF-8, then the ANSI code page, as Windows does."""
    if len(data) > LARGEST:
        raise InputError(source, "", f"is {len(data):#x} bytes long; an INF file has at most {LARGEST:#x}", "name an INF file")
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):  # fmt: skip
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as problem:
                at = f"{len(mark) + problem.start:#x}"
                raise InputError(source, at, f"is no {encoding}, as its byte order mark says", "save the file again") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def parse(source: str, data: bytes) -> Sections:
    """The sections of a file; a line that is no INF syntax is an `InputError`."""
    text = decode(source, data)
    nul = text.find("\0")
    if nul >= 0:
        number = len(_BREAKS.findall(text, 0, nul)) + 1
        remedy = "save the file as text: UTF-8, or UTF-16 with a byte order mark"
        raise InputError(source, str(number), "holds a NUL character", remedy)
    found: dict[str, list[tuple[int, str | None, list[str]]]] = {}
    names: dict[str, str] = {}
    section: str | None = None
    for number, code in _logical_lines(source, text):
        if code.startswith("["):
            name = _section_name(source, number, code)
            section = name.casefold()
            names.setdefault(section, name)
            found.setdefault(section, [])
        elif section is None:
            raise InputError(source, str(number), f"{_short(code)} stands before every section", "begin with [Version]")
        else:
            found[section].append((number, *_fields(source, number, code)))
    expander = _Expander(source, _strings(found))
    lines = {name: tuple(expander.line(name, *entry) for entry in entries) for name, entries in found.items()}
    return Sections(source, lines, names)


def _strings(found: Mapping[str, list[tuple[int, str | None, list[str]]]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in ("strings", "strings.0409"):
        for _, key, fields in found.get(name, ()):
            if key is not None:
                values[key.casefold()] = ",".join(fields)
    return values


class _Expander:
    """%% is a percent sign, %12% a directory id that stays, %name% its string; what they grow to is bounded."""

    def __init__(self, source: str, strings: Mapping[str, str]) -> None:
        self.source, self.strings, self.grown = source, strings, 0

    def line(self, section: str, number: int, key: str | None, fields: list[str]) -> Line:
        if section == "strings" or section.startswith("strings."):
            return Line(number, key, tuple(fields))
        values = tuple(self.expand(number, field) for field in fields)
        return Line(number, None if key is None else self.expand(number, key), values)

    def expand(self, number: int, text: str) -> str:
        return _TOKEN.sub(lambda match: self.one(number, match[1]), text) if "%" in text else text

    def one(self, number: int, name: str) -> str:
        if not name:
            return "%"
        if _DIRID.fullmatch(name):
            return f"%{name}%"
        text = self.strings.get(name.casefold())
        where = str(number)
        if text is None:
            remedy = "define it in [Strings], or write %% for a percent sign"
            raise InputError(self.source, where, f"%{_short(name)}% is not defined", remedy)
        self.grown += len(text)
        if self.grown > LARGEST:
            raise InputError(self.source, where, f"the %strings% grow to more than {LARGEST:#x} characters", "shorten them")
        return text


def _logical_lines(source: str, text: str) -> list[tuple[int, str]]:
    """(number, text) of every line that is not empty; comments are gone and continued lines are one."""
    out: list[tuple[int, str]] = []
    start, pending = 0, ""
    for number, physical in enumerate(_BREAKS.split(text.split("\x1a", 1)[0]), 1):
        code = _without_comment(source, number, physical)
        start = start or number
        if code.endswith("\\"):
            pending += code[:-1].rstrip(_SPACE) + " "
            continue
        joined = (pending + code).strip(_SPACE)
        if joined:
            out.append((start, joined))
        start, pending = 0, ""
    if pending.strip(_SPACE):
        raise InputError(source, str(start), "is continued by \\ at the end of the file", "remove the \\ or add the rest")
    return out


def _without_comment(source: str, number: int, physical: str) -> str:
    """The line without its comment and outer spaces. A quoted string ends on its line: a \\ inside it continues nothing."""
    quoted = False
    for at, char in enumerate(physical):
        if char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            return physical[:at].strip(_SPACE)
    if quoted:
        opened = physical.rindex('"') + 1
        problem = f"the quote in column {opened} is not closed"
        raise InputError(source, str(number), problem, 'close it, or write "" for a quote')
    return physical.strip(_SPACE)


def _section_name(source: str, number: int, code: str) -> str:
    end = code.find("]")
    if end < 0:
        raise InputError(source, str(number), f"section name {_short(code)} has no closing ]", "write [name]")
    name = code[1:end].strip(_SPACE).strip('"')
    if not name:
        raise InputError(source, str(number), "a section without a name", "write [name]")
    rest = code[end + 1 :].strip(_SPACE)
    if rest:
        raise InputError(source, str(number), f"{_short(rest)} follows a section name", "move it to a line of its own")
    return name


def _fields(source: str, number: int, code: str) -> tuple[str | None, list[str]]:
    """Splits at commas, and at the first = when no comma stands before it, both outside quotes."""
    key: str | None = None
    fields: list[str] = []
    part: list[str] = []
    kept = 0  # characters of `part` that a quote protects from trimming
    quoted, at = False, 0

    def take() -> str:
        nonlocal kept
        text = "".join(part)
        out = text[:kept] + text[kept:].rstrip(_SPACE)
        part.clear()
        kept = 0
        return out

    while at < len(code):
        char = code[at]
        if quoted:
            if char != '"':
                part.append(char)
            elif code[at + 1 : at + 2] == '"':
                part.append('"')
                at += 1
            else:
                quoted = False
            kept = len(part)
        elif char == '"':
            quoted = True
        elif char == "=" and key is None and not fields:
            key = take()
            if not key:
                raise InputError(source, str(number), "nothing stands before =", "write key = value")
        elif char == ",":
            fields.append(take())
        elif part or char not in _SPACE:
            part.append(char)
        at += 1
    fields.append(take())
    return key, fields


def _short(text: str) -> str:
    """At most 40 characters of a text that goes into a message, without control characters."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:40])
    return shown + "…" if len(text) > 40 else shown

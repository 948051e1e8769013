"""wdf_callbacks.h and wdf_functions.h (KMDF 1.9 to 1.33): prototypes.txt with the indexes of facts/wdf_functions.csv.

A routine is an inline function that calls its entry of the function table with the driver's WDF_DRIVER_GLOBALS first, as the
framework's own headers have it. A routine newer than KMDF_VERSION_MINOR is not declared, and neither is its table entry.

Limits: a routine without a prototype has its index and no function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dirql.errors import ApiError
from dirql.facts import Routine, routines

__all__ = ["Prototype", "callbacks_header", "function_count", "functions_header", "prototypes"]

TABLE = "build/prototypes.txt"
LINE = re.compile(r"(?P<result>.+?)\b(?P<name>\w+)\((?P<parameters>.*)\)$")


@dataclass(frozen=True)
class Prototype:
    """One line of the table."""

    result: str
    name: str
    parameters: tuple[tuple[str, str], ...]  # type and name of each

    @property
    def declared(self) -> str:
        """The parameters as a declaration lists them."""
        return ", ".join(f"{kind} {name}" for kind, name in self.parameters) or "void"


@cache
def prototypes(section: str) -> tuple[Prototype, ...]:
    """The rows of a section of the table: "callbacks" or "routines"."""
    found, here = [], ""
    for number, line in enumerate(files("dirql.build").joinpath("prototypes.txt").read_text("utf-8").splitlines(), 1):
        if line.startswith("["):
            here = line.strip("[]")
        elif here == section and line and not line.startswith("#"):
            found.append(_parse(line, number))
    return tuple(found)


def function_count(minor: int) -> int:
    """Entries of the function table of KMDF 1.`minor`."""
    return sum(_minor(row.since) <= minor for row in routines().values() if row.index is not None)


def callbacks_header() -> str:
    """EVT_… function types and PFN_… pointers to them."""
    lines = _head("Types of the driver's callbacks.", "callbacks")
    for one in prototypes("callbacks"):
        lines.append(f"typedef {one.result} (NTAPI EVT_{one.name})({one.declared});")
        lines.append(f"typedef EVT_{one.name} *PFN_{one.name};")
    return _text(lines)


def functions_header() -> str:
    """The table's indexes, its variable by version, and a function per routine."""
    known = {row.name: row for row in routines().values() if row.index is not None}
    in_order = sorted(known.values(), key=lambda row: row.index or 0)
    lines = [*_head("The function table and a function per entry.", "functions"), "typedef enum _WDFFUNCENUM {"]
    at = 0
    for row in in_order:
        at = _switch(lines, at, _minor(row.since))
        lines.append(f"    {row.name}TableIndex = {row.index},")
    _switch(lines, at, 0)
    lines += ["} WDFFUNCENUM;", ""]
    minors = sorted({_minor(row.since) for row in in_order} | {33})
    for minor in reversed(minors):
        word = "#if" if minor == minors[-1] else "#elif"
        lines += [f"{word} KMDF_VERSION_MINOR >= {minor}", f"#define WdfFunctionTableNumEntries {function_count(minor)}"]
    lines += [
        "#endif", "",
        "#define DIRQL_JOIN_(a, b) a##b",
        "#define DIRQL_JOIN(a, b) DIRQL_JOIN_(a, b)",
        "#if KMDF_VERSION_MINOR < 10",
        "#define WdfFunctions DIRQL_JOIN(WdfFunctions_0100, KMDF_VERSION_MINOR)",
        "#else",
        "#define WdfFunctions DIRQL_JOIN(WdfFunctions_010, KMDF_VERSION_MINOR)",
        "#endif", "",
        "extern PWDF_DRIVER_GLOBALS WdfDriverGlobals;",
        "#if WdfFunctionTableNumEntries <= 438 /* the table itself is the driver's */",
        "extern WDFFUNC WdfFunctions[WdfFunctionTableNumEntries];",
        "#else",
        "extern WDFFUNC *WdfFunctions;",
        "#endif", "",
    ]  # fmt: skip
    at = 0
    for one in sorted(prototypes("routines"), key=lambda one: _index(one, known)):
        at = _switch(lines, at, _minor(known[one.name].since))
        pointer = f"PFN_{one.name.upper()}"
        passed = ", ".join(["WdfDriverGlobals", *(name for _, name in one.parameters)])
        types = ", ".join(["PWDF_DRIVER_GLOBALS DriverGlobals", *(f"{kind} {name}" for kind, name in one.parameters)])
        result = "" if one.result == "void" else "return "
        lines.append(f"typedef {one.result} (NTAPI *{pointer})({types});")
        lines.append(f"FORCEINLINE {one.result} {one.name}({one.declared})")
        lines.append(f"{{ {result}(({pointer})WdfFunctions[{one.name}TableIndex])({passed}); }}")
    _switch(lines, at, 0)
    return _text(lines)


def _index(one: Prototype, known: dict[str, Routine]) -> int:
    if one.name not in known:
        raise ApiError(f"{TABLE}: {one.name} has no row in facts/wdf_functions.csv; spell it as the table does")
    return known[one.name].index or 0


def _parse(line: str, number: int) -> Prototype:
    matched = LINE.match(line)
    if matched is None:
        raise ApiError(f"{TABLE}:{number}: {line!r} is no prototype; write 'RESULT NAME(TYPE NAME, …)'")
    parameters = []
    if matched["parameters"] != "void":
        for one in matched["parameters"].split(","):
            kind, _, name = one.strip().rpartition(" ")
            parameters.append((kind, name))
    return Prototype(matched["result"].strip(), matched["name"], tuple(parameters))


def _minor(since: str) -> int:
    return int(since.partition(".")[2])


def _switch(lines: list[str], old: int, new: int) -> int:
    """Ends the condition on one version and opens that of another; version 1.9 is always there."""
    old, new = (minor if minor > 9 else 0 for minor in (old, new))
    if old != new:
        if old:
            lines.append("#endif")
        if new:
            lines.append(f"#if KMDF_VERSION_MINOR >= {new}")
    return new


def _head(what: str, name: str) -> list[str]:
    guard = f"DIRQL_WDF_{name.upper()}_H"
    return [f"/* {what} Written by dirql/build/wdf_headers.py. */", f"#ifndef {guard}", f"#define {guard}", ""]


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, "", "#endif", ""])

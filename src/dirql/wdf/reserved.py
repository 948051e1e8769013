"""Which attribute names a driver's classes cannot use, since the framework's own objects keep theirs under them.

In C a driver's state lives in a context of its own; in Python it shares the object with the framework's. A clash is told
when the class is made, before anything runs, and costs nothing after that.

Limits: sees what the class defines and what its functions assign to `self`; not setattr(), nor an assignment from elsewhere.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

from dirql.errors import UsageError

__all__ = ["refuse_clashes", "refuse_misspelt"]

PACKAGE = "dirql"


def refuse_clashes(cls: type, base: type) -> None:
    """UsageError when `cls`, a driver's, defines or assigns an attribute that the framework's `base` has already."""
    if _is_ours(cls):
        return
    taken = {name for name in dir(base) if not name.startswith(("__", "evt_"))}
    for parent in base.__mro__:
        taken |= {name for code in _codes_of(parent) for name, _ in _stores(code)}
    remedy = f"the framework's own attribute of a {base.__name__}; choose another name"
    for name, value in vars(cls).items():
        if name in taken:
            raise UsageError(f"{_place(value)}{cls.__name__}.{name} is {remedy}")
    for code in _codes_of(cls):
        for name, line in _stores(code):
            if name in taken:
                where = f"{Path(code.co_filename).name}:{line}"
                raise UsageError(f"{where}: {cls.__name__} assigns self.{name}, which is {remedy}")


def refuse_misspelt(cls: type, base: type, prefix: str, kind: str) -> None:
    """UsageError for a method that looks like one of the callbacks of `base`, which begin with `prefix`, and is none."""
    known = sorted(name for name in dir(base) if name.startswith("evt_"))
    near = {_bare(spelling): name for name in known for spelling in (name, name.replace(prefix, "evt_"))}
    for name in vars(cls):
        if name in known or not name.lower().startswith("evt"):
            continue
        meant = near.get(_bare(name))
        if meant is not None or name.startswith(prefix):
            hint = f"did you mean {meant}?" if meant is not None else f"there are {', '.join(known)}"
            raise UsageError(f"{cls.__name__}.{name} is no callback of a {kind}; {hint}")


def _is_ours(cls: type) -> bool:
    return cls.__module__ == PACKAGE or cls.__module__.startswith(f"{PACKAGE}.")


def _codes_of(cls: type) -> Iterator[CodeType]:
    """Of its functions, and of those within them."""
    waiting = [value.__code__ for value in vars(cls).values() if isinstance(value, FunctionType)]
    while waiting:
        code = waiting.pop()
        waiting += [one for one in code.co_consts if isinstance(one, CodeType)]
        yield code


def _stores(code: CodeType) -> Iterator[tuple[str, int]]:
    """(attribute, line) of each assignment to an attribute of `self`."""
    before: list[dis.Instruction] = []
    updated: set[str] = set()  # read from a copy of `self`, as += does before it stores
    line = code.co_firstlineno
    for step in dis.get_instructions(code):
        line = step.positions.lineno if step.positions is not None and step.positions.lineno is not None else line
        if step.opname == "LOAD_ATTR" and len(before) > 1 and before[-1].opname == "COPY" and _loads_self(before[-2]):
            updated.add(step.argval)
        if step.opname == "STORE_ATTR":
            swapped = before[-1].opname == "SWAP" and step.argval in updated
            if swapped or _loads_self(before[-1]):
                yield step.argval, line
        before = [*before[-1:], step]


def _loads_self(step: dis.Instruction) -> bool:
    """3.13 and later load two locals with one instruction: the second is on top."""
    last = step.argval[-1] if isinstance(step.argval, tuple) else step.argval
    return step.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and last == "self"


def _place(value: object) -> str:
    if not isinstance(value, FunctionType):
        return ""
    return f"{Path(value.__code__.co_filename).name}:{value.__code__.co_firstlineno}: "


def _bare(name: str) -> str:
    return name.lower().replace("_", "")

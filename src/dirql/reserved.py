"""Which attribute names a driver's or a model's class cannot use, since the object of dirql's that it is keeps its own there.

In C a driver's state lives in a context of its own; in Python it shares the object with the framework's. A clash is told
when the class is made, before anything runs, and costs nothing after that.

Limits: sees what the class defines and what its functions assign to `self`; not setattr(), nor an assignment from elsewhere.
"""

from __future__ import annotations

import dis
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType

from dirql.errors import UsageError
from dirql.findings import defined_at

__all__ = ["is_ours", "refuse_clashes", "refuse_misspelt"]

PACKAGE = "dirql"
NOTHING: Mapping[str, str] = {}


def refuse_clashes(
    cls: type, base: type, *, whose: str = "the framework's", hooks: Collection[str] = (), declared: Mapping[str, str] = NOTHING
) -> None:
    """UsageError when `cls`, a user's, defines or assigns an attribute that `base`, which is `whose`, has already.

    `hooks` are there to be overridden, as all names are that begin with evt_. `declared` says what those names are that the
    class may define and not assign.
    """
    if is_ours(cls):
        return
    taken = {name for name in dir(base) if not name.startswith(("__", "evt_"))}
    for parent in base.__mro__:
        taken |= {name for code in _codes_of(parent) for name, _ in _stores(code)}
    own = f"{whose} own attribute of a {base.__name__}; choose another name"
    for name, value in vars(cls).items():
        if name in taken and name not in hooks:
            hook = f", or override on_{name}" if f"on_{name}" in hooks else ""
            raise UsageError(f"{defined_at(value)}{cls.__name__}.{name} is {own}{hook}")
    for code in _codes_of(cls):
        for name, line in _stores(code):
            if name in taken or name in declared:
                what = f"{declared[name]}; choose another name" if name in declared else own
                raise UsageError(f"{Path(code.co_filename).name}:{line}: {cls.__name__} assigns self.{name}, which is {what}")


def refuse_misspelt(cls: type, base: type, prefix: str, kind: str) -> None:
    """UsageError for a method that looks like one of the callbacks of `base`, which begin with `prefix`, and is none."""
    known = sorted(name for name in dir(base) if name.startswith("evt_"))
    near = {_bare(spelling): name for name in known for spelling in (name, name.replace(prefix, "evt_"))}
    for name, value in vars(cls).items():
        if name in known or not name.lower().startswith("evt"):
            continue
        meant = near.get(_bare(name))
        if meant is not None or name.startswith(prefix):
            hint = f"did you mean {meant}?" if meant is not None else f"there are {', '.join(known)}"
            raise UsageError(f"{defined_at(value)}{cls.__name__}.{name} is no callback of a {kind}; {hint}")


def is_ours(cls: type) -> bool:
    """True for a class of dirql's own; checking those would cost time at every import."""
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


def _bare(name: str) -> str:
    return name.lower().replace("_", "")

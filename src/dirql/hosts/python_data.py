"""Which attributes of a Python driver's own objects change while its devices run: what its code assigns outside of set-up, or
holds a container in that it changes there.

The rest is set up once and only read, so that no order of reads matters.
Limits: reads the bytecode of the driver's module; not setattr(), and not what another module does. A container that is changed
through a local variable is not known to be one.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any

__all__ = ["changing"]

SET_UP = {
    "__init__", "__new__", "evt_driver_device_add", "evt_driver_unload", "evt_device_prepare_hardware",
    "evt_device_release_hardware",
}  # fmt: skip
CHANGES = {
    "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft", "remove",
    "reverse", "rotate", "setdefault", "sort", "update",
}  # fmt: skip
CALLS = {"LOAD_METHOD", "LOAD_ATTR"}
ITEMS = {"STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE"}


def changing(class_: type) -> frozenset[str]:
    """The attributes' names, in all functions of the module that `class_` stands in."""
    found: set[str] = set()
    names = _globals_of(class_)
    for value in list(names.values()):
        own = isinstance(value, type) and value.__module__ == class_.__module__
        for routine in vars(value).values() if own else [value]:
            code = getattr(getattr(routine, "__func__", routine), "__code__", None)
            if code is not None and code.co_name not in SET_UP and code.co_filename == names.get("__file__"):
                found |= _changed_by(code)
    return frozenset(found)


def _globals_of(class_: type) -> Mapping[str, Any]:
    """Of its module, which need not be known by its name any more."""
    functions = (value for value in vars(class_).values() if isinstance(value, FunctionType))
    module = sys.modules.get(class_.__module__)
    otherwise = vars(module) if module is not None else {}
    return next((function.__globals__ for function in functions if function.__module__ == class_.__module__), otherwise)


@cache
def _changed_by(code: CodeType) -> frozenset[str]:
    found = {name for inner in code.co_consts if isinstance(inner, CodeType) for name in _changed_by(inner)}
    return frozenset(found | set(_names(list(dis.get_instructions(code)))))


def _names(steps: list[dis.Instruction]) -> Iterator[str]:
    """Attributes that are stored; loaded to have a method of `CHANGES` called; or loaded on a line where an item is stored."""
    lines = {_line(step) for step in steps if step.opname in ITEMS}
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        if step.opname in ("STORE_ATTR", "DELETE_ATTR"):
            yield step.argval
        elif step.opname == "LOAD_ATTR":
            called = after is not None and after.opname in CALLS and after.argval in CHANGES
            if called or (lines and _line(step) in lines):
                yield step.argval


def _line(step: dis.Instruction) -> int | None:
    return step.positions.lineno if step.positions is not None else None

"""What a callback may be: a plain function, which has done its work when it returns.

An `async def` or a generator function hands back an object instead, which nobody runs and which is true as an answer.

Limits: sees functions, methods, partial() and objects that can be called; not what a plain function returns. Whether a function
takes its arguments is looked at for those of an interrupt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_ITERABLE_COROUTINE, signature
from types import FunctionType
from typing import Any

from dirql.errors import UsageError
from dirql.findings import defined_at

__all__ = ["refuse_asynchronous", "refuse_asynchronous_methods", "refuse_uncallable"]

# fmt: off
KINDS = {
    CO_COROUTINE:          "an async function",
    CO_ASYNC_GENERATOR:    "an async generator function",
    CO_ITERABLE_COROUTINE: "a coroutine function",
    CO_GENERATOR:          "a generator function",
}
# fmt: on
ANY = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE | CO_GENERATOR


def refuse_asynchronous(routine: Any, who: str) -> None:
    """UsageError when calling `routine` would not run it; `who` names the callback."""
    code = getattr(routine, "__code__", None)
    if code is not None and not code.co_flags & ANY:  # the usual, quick way
        return
    function = _function_of(routine)
    flags = function.__code__.co_flags if function is not None else 0
    if not flags & ANY:
        return
    kind = next(words for flag, words in KINDS.items() if flags & flag)
    raise UsageError(f"{defined_at(function)}{who} is {kind}; a callback is a plain function, without async, await and yield")


def refuse_uncallable(routine: Any, who: str, arguments: Sequence[str]) -> None:
    """UsageError when `routine` cannot be called with so many arguments, if that can be known; `who` names the callback."""
    if not callable(routine):
        raise UsageError(f"{who} is {routine!r:.60}; give a function of ({', '.join(arguments)})")
    try:
        known = signature(routine)
    except (TypeError, ValueError):
        return  # something built in
    try:
        known.bind(*arguments)
    except TypeError as problem:
        name = getattr(routine, "__qualname__", type(routine).__name__)
        place = defined_at(_function_of(routine))
        given = f"called with ({', '.join(arguments)})"
        raise UsageError(f"{place}{who} is {given}, and {name}{known} does not take that: {problem}") from None


def refuse_asynchronous_methods(cls: type, names: Iterable[str]) -> None:
    """The same for the methods of `cls` that are callbacks by their `names`."""
    for name in names:
        refuse_asynchronous(getattr(cls, name), f"{cls.__name__}.{name}")


def _function_of(routine: Any) -> FunctionType | None:
    """What is behind partial(), a bound, static or class method, or an object that can be called."""
    while isinstance(routine, partial):
        routine = routine.func
    routine = getattr(routine, "__func__", routine)
    if not isinstance(routine, FunctionType):
        routine = next((vars(cls)["__call__"] for cls in type(routine).__mro__ if "__call__" in vars(cls)), None)
    return routine if isinstance(routine, FunctionType) else None

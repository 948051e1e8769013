"""The steps of a scenario, `[[step]]` in their order: each does one thing.

    run = true                              until nothing is left to happen
    run_ns = 25_000                         for that long
    exercise = true                         the model's own workload
    submit = { queue = 3, count = 2 }       the model's method, with these arguments; so does `fail`
    call = "file.py:function"               with the card, or (system, card)
    rebalance = { messages = 1 }            or one, line, all = true: stopped, and started with that grant
    remove = true, surprise_remove = true   orderly, or pulled out

`device = "name"` says which of several; without it the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dirql.pnp.grant import GrantChoice
from dirql.scenario.document import Table

__all__ = ["Step", "check_reference", "read_grant", "read_steps"]

ACTIONS = ("run", "run_ns", "exercise", "submit", "fail", "call", "rebalance", "remove", "surprise_remove")
MESSAGES = 2048
LONGEST = 1 << 53  # ns, a hundred days
FIRST_ARGUMENT = {"submit": "queue", "fail": "code"}


@dataclass(frozen=True)
class Step:
    """One action; `value` is a time, a reference, keyword arguments or a `GrantChoice`, as the action needs."""

    action: str
    value: Any = None
    device: str = ""
    where: str = ""
    said: str = ""  # `[[step]] submit = 9`


def read_steps(tables: Sequence[Table], names: Sequence[str]) -> tuple[Step, ...]:
    """The steps; `names` are those of the devices that have one."""
    return tuple(_step(table, names) for table in tables)


def _step(table: Table, names: Sequence[str]) -> Step:
    unknown = [key for key in table.values if key not in (*ACTIONS, "device")]
    if unknown:
        table.done([*ACTIONS, "device"])
    device = table.text("device", choices=names) if names or "device" not in table else _nameless(table)
    action = table.exactly_one(ACTIONS)
    value: Any = None
    match action:
        case "run_ns":
            value = table.integer("run_ns", 1, 1, LONGEST)
        case "call":
            value = table.text("call")
            check_reference(table, "call", value)
        case "rebalance":
            inner = table.table("rebalance")
            assert inner is not None
            inner.done(["messages", "one", "line", "all"])
            value = read_grant(inner, ("all",))
        case "submit" | "fail":
            value = _arguments(table, action)
        case _:
            table.only_true(action)
    return Step(action, value, device, table.document.line((*table.path, action)), table.said(action))


def _nameless(table: Table) -> str:
    raise table.wrong("device", "no [[device]] has a name", "give it one: name = …")


def _arguments(table: Table, action: str) -> dict[str, Any]:
    value = table.anything(action)
    if isinstance(value, dict):
        return dict(value)
    if type(value) is int:
        return {FIRST_ARGUMENT[action]: value}
    first = FIRST_ARGUMENT[action]
    raise table.wrong(action, "it has the wrong type", f"write {action} = {{ {first} = 0 }}, or {action} = 0 for short")


def read_grant(table: Table, also: tuple[str, ...] = ()) -> GrantChoice:
    """`messages = N`, `one = true`, `line = true`, and `all = true` where `also` has it."""
    match table.exactly_one(["messages", "one", "line", *also]):
        case "messages":
            return GrantChoice.messages(table.integer("messages", 1, 1, MESSAGES))
        case "one":
            table.only_true("one")
            return GrantChoice.one()
        case "line":
            table.only_true("line")
            return GrantChoice.line()
        case _:
            table.only_true("all")
            return GrantChoice.all()


def check_reference(table: Table, key: str, reference: str) -> None:
    """InputError unless it reads `file.py:name`."""
    file, _, name = reference.partition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise table.wrong(key, "it names no function of a file", 'write "file.py:function"')

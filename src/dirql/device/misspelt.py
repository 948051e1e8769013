"""Finds registers and fields that a model's BARs do not have, in the text of its methods.

Python would find them as well, once they run and without a list of what there is. Here it is told when the class is made, and
costs nothing after that.

Limits: follows `self.<bar>.…` and local names that are assigned once, in classes that have a source file;
no other way to a register.
"""

from __future__ import annotations

import ast
import inspect
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import FunctionType

from dirql.errors import UsageError
from dirql.layout import Block, Register
from dirql.reserved import is_ours

__all__ = ["refuse_misspelt_registers"]

Chain = tuple[str, ...]  # attributes from `self` on; "[]" stands for a subscript


def refuse_misspelt_registers(cls: type, bars: Mapping[str, type[Block]]) -> None:
    """UsageError for the first such name in `cls`'s own methods."""
    for method in () if is_ours(cls) else vars(cls).values():
        if isinstance(method, FunctionType):
            for use in _uses(method):
                bar, *path = use.chain
                problem = _problem(bars[bar], path, use.assigned) if bar in bars else ""
                if problem:
                    where = f"{Path(method.__code__.co_filename).name}:{use.line}"
                    target = ".".join(["self", *use.chain]).replace(".[", "[")
                    does = "assigns" if use.assigned else "reads"
                    raise UsageError(f"{where}: {cls.__name__}.{method.__name__} {does} {target}; {problem}")


@dataclass(frozen=True)
class _Use:
    chain: Chain
    line: int
    assigned: bool


def _problem(block: type[Block], path: list[str], assigned: bool) -> str:
    """What is wrong with the use of `path` below `block`; empty when nothing is, or nobody can tell."""
    kind: type[Block | Register] = block
    index = problem = ""
    names = deque(path)
    while names:
        name = names.popleft()
        if not assigned and hasattr(kind, name) and not (issubclass(kind, Block) and name in kind.placements):
            return ""  # a field, or something else that every register has
        if issubclass(kind, Register):
            return "" if names or name in (*kind.fields, "value") else kind.no_field(name)
        placement = kind.placements.get(name)
        if placement is None:
            return kind.no_register(name)
        index = names.popleft() if placement.count > 1 and names and names[0] == "[]" else ""
        problem = placement.no_place(index)
        if placement.count > 1 and not index:
            return problem if assigned else ""
        kind = placement.kind
    return problem if assigned else ""


def _uses(method: FunctionType) -> Iterator[_Use]:
    """The chains of more than one attribute below `self`, in the order of the text."""
    try:
        lines, first = inspect.getsourcelines(method)
        tree = ast.parse(dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return  # there is no text to look at
    counts = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load))
    counts.update(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))
    known: dict[str, Chain] = {"self": ()}
    for assignment in sorted((n for n in ast.walk(tree) if isinstance(n, ast.Assign)), key=lambda n: n.lineno):
        target = assignment.targets[0]
        if len(assignment.targets) == 1 and isinstance(target, ast.Name) and counts[target.id] == 1:
            chain = _chain(assignment.value, known)
            if chain is not None:
                known[target.id] = chain
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Subscript)]
    for node in sorted(nodes, key=lambda n: (n.lineno, n.end_col_offset or 0)):
        chain = _chain(node, known)
        if chain is not None and len(chain) > 1:
            yield _Use(chain, first + node.lineno - 1, isinstance(node.ctx, ast.Store))


def _chain(node: ast.expr, known: Mapping[str, Chain]) -> Chain | None:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute | ast.Subscript):
        below = _chain(node.value, known)
        return None if below is None else (*below, node.attr if isinstance(node, ast.Attribute) else "[]")
    return None

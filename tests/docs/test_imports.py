"""The shape of the sources: who imports whom, what a module exports, how long it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module

# Over 400 lines, each for a reason.
LONG: dict[str, str] = {"hosts/sys/processor.py": "the one importer of Unicorn, and all that touches an engine is in it"}


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names of dirql's parts that a module imports when it runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            parts = node.module.split(".")
            if parts[0] == "dirql":
                yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [a.name.split(".")[1] for a in node.names if a.name.startswith("dirql.")]
        yield from _imports(node)


def _part(pages, source) -> str:
    return pages.relative(source).partition("/")[0].removesuffix(".py")


def test_a_module_imports_only_what_its_layer_may(pages, layers, source):
    part = _part(pages, source)
    if part == "__init__":
        return  # the package itself shows what users import
    beyond = set(_imports(ast.parse(source.read_text("utf-8")))) - {part} - layers.MAY_IMPORT[part]
    assert beyond == set(), f"{pages.relative(source)} may import {sorted(layers.MAY_IMPORT[part])}"


def test_the_layers_have_no_cycle(layers):
    done: set[str] = set()
    for part, lower in layers.MAY_IMPORT.items():
        assert lower <= done, f"{part} imports what stands below it in the table: {sorted(lower - done)}"
        done.add(part)


def test_a_module_can_be_imported(pages, source):
    name = "dirql." + pages.relative(source).removesuffix(".py").replace("/", ".").removesuffix("__init__")
    if not name.endswith("__main__"):
        import_module(name.rstrip("."))


def test_what_a_module_exports_is_sorted(pages, source):
    for node in ast.parse(source.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            try:
                names = ast.literal_eval(node.value)
            except ValueError:
                continue  # put together from parts: each part is a list of its own module's
            assert sorted(names, key=_constants_first) == list(names)


def _constants_first(name: str) -> tuple[int, list[tuple[int, str]]]:
    """The order that ruff keeps: CONSTANTS, then Classes, then functions; numbers by value."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def test_no_source_names_a_path_of_some_machine(source):
    found = re.findall(r"(?<![\w.])/(?:home|root|work|Users|tmp|mnt|opt)/\w+", source.read_text("utf-8"))
    assert found == []


def test_a_long_source_has_a_reason(pages, source):
    lines = len(source.read_text("utf-8").splitlines())
    assert lines <= 400 or pages.relative(source) in LONG, f"{lines} lines: split it, or say in LONG why not"


def test_a_package_only_exports_again(pages, source):
    if source.name != "__init__.py":
        return
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr, ast.AnnAssign, ast.If)  # If: TYPE_CHECKING
    body = ast.parse(source.read_text("utf-8")).body
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    assert [type(n).__name__ for n in body if not isinstance(n, (*allowed, ast.FunctionDef))] == []
    assert set(functions) <= {"__dir__", "__getattr__"}  # PEP 562: what is exported is loaded when it is named

"""The pages' own tool: runs the command blocks of a page, and writes the tables that come from the code.

A block that starts with three backticks and `console` holds `$ command` lines, each followed by what it prints. Commands run
from the root of the checkout. `dirql …` and `python FILE` run inside this process, others and what stands behind a `|` in a
shell. A `python` block must run; a `text` block right behind it is what it prints.

    python tests/docs/pages.py      writes every block and table anew
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import os
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import dirql
from dirql.ddi import routine_of
from dirql.facts import Routine
from dirql.facts.routines import routines

__all__ = [
    "EXAMPLE", "LINK", "ROOT", "SOURCE", "SOURCE_NAME", "Block", "blocks", "c_name", "declared_routines", "output_of", "pages",
    "put", "regenerated", "relative", "rewritten", "source_files", "table_pages", "update",
]  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "dirql"
FENCE = re.compile(
    r"^```(?:console\n(?P<session>.*?)^```"
    r"|python\n(?P<program>.*?)^```(?:\n\n```text\n(?P<output>.*?)^```)?)$",
    re.M | re.S,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SOURCE_NAME = re.compile(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|csv))`")
EXAMPLE = re.compile(r"examples/[\w/.-]+\.(?:toml|inf|py|txt)")
SECTION = re.compile(r"(<!-- begin (\w[\w-]*)[^>]*-->\n)(.*?)(<!-- end -->)", re.S)


# Command blocks.


class Block(NamedTuple):
    """One block of a page: `number` counts the page's blocks from 0; `shown` is a session, or what the program prints."""

    page: str
    number: int
    program: str | None
    shown: str | None


def pages() -> list[Path]:
    """README.md and docs/*.md."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks() -> Iterator[Block]:
    """Every block that runs."""
    for page in pages():
        for number, found in enumerate(FENCE.finditer(page.read_text("utf-8"))):
            shown = found["session"] if found["program"] is None else found["output"]
            yield Block(page.relative_to(ROOT).as_posix(), number, found["program"], shown)


def rewritten(block: Block) -> str | None:
    """What the block should show."""
    if block.program is not None:
        printed = run_python(block.program)
        return None if block.shown is None else printed
    assert block.shown is not None
    lines = [line for line in block.shown.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{output_of(line[2:])}" for line in lines)


def put(text: str, block: Block, shown: str | None) -> str:
    """The page's text with that block showing `shown`."""
    found = list(FENCE.finditer(text))[block.number]
    start, end = found.span("session" if block.program is None else "output")
    return text if shown is None else text[:start] + shown + text[end:]


def output_of(command: str) -> str:
    """What a command prints on both streams, with `; echo $?` behind it its exit status too."""
    command, echo, _ = command.partition("; echo $?")
    first, pipe, rest = command.partition(" | ")
    text, status = "", 0
    if first.startswith(("dirql ", "python ")):
        with inside(ROOT) as printed:
            status = _run(shlex.split(first))
        text = printed.getvalue()
    else:
        pipe, rest = " | ", command
    if pipe:
        done = subprocess.run(["sh", "-c", rest], input=text, capture_output=True, text=True, check=False, cwd=ROOT)
        text, status = done.stdout + done.stderr, done.returncode
    return _trimmed(text) + (f"{status}\n" if echo else "")


def run_python(text: str) -> str:
    """What a program prints."""
    with inside(ROOT) as printed:
        exec(compile(text, "block.py", "exec"), {"__name__": "__main__"})
    return _trimmed(printed.getvalue())


def _trimmed(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[io.StringIO]:
    """Both streams are gathered, and the folder, the arguments and the modules of examples are put back afterwards."""
    modules, argv, path, here = set(sys.modules), sys.argv, list(sys.path), Path.cwd()
    environment = dict(os.environ)
    printed = io.StringIO()
    os.chdir(folder)
    os.environ.update(COLUMNS="120", TERM="dumb")
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield printed
    finally:
        os.chdir(here)
        sys.argv, sys.path[:] = argv, path
        os.environ.clear()
        os.environ.update(environment)
        for name in set(sys.modules) - modules:
            if not name.startswith("dirql") and "examples" in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def _run(words: list[str]) -> int:
    try:
        if words[0] == "dirql":
            sys.argv = words
            import_module("dirql.cli").main()
        elif words[0] == "python":
            sys.argv = words[1:]
            sys.path.insert(0, str(Path(words[1]).parent.resolve()))
            runpy.run_path(words[1], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


# Tables that come from the code: what stands between `<!-- begin NAME -->` and `<!-- end -->`.


def table_pages() -> list[str]:
    """Pages with a table from the code."""
    return [p.relative_to(ROOT).as_posix() for p in pages() if SECTION.search(p.read_text("utf-8"))]


def regenerated(text: str) -> str:
    """A page with each of its tables made anew."""
    return SECTION.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[4]}", text)


def source_files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def wdf_routines() -> str:
    return _routines(lambda name: name.startswith("Wdf"))


def wdm_routines() -> str:
    return _routines(lambda name: not name.startswith("Wdf"))


def _routines(wanted: Callable[[str], bool]) -> str:
    rows = {(c_name(row), call, _limit(row)) for row, call in declared_routines() if wanted(row.name)}
    declared = {c for c, _, _ in rows}
    others = ((name, call) for name, call in undeclared_routines() if wanted(name) and name not in declared)
    rows |= {(name, call, _limit(routines().get(name)) + ", unchecked") for name, call in others}
    return _table(("C", "Python", "IRQL"), [(f"`{c}`", f"`{python}`", limit) for c, python, limit in sorted(rows)])


def declared_routines() -> Iterator[tuple[Routine, str]]:
    """Every routine that some method or function of dirql is declared to be (`ddi`), and how Python calls it."""
    for _, method, call in _callables():
        if (row := routine_of(method)) is not None:
            yield row, ENTRIES.get(row.name, call)


def undeclared_routines() -> Iterator[tuple[str, str]]:
    """Routines that only a docstring names: those of values, which belong to no machine."""
    for name, method, call in _callables():
        found = re.match(r"(Wdf[A-Z][A-Za-z0-9]+)\b", method.__doc__ or "")
        if found is not None and routine_of(method) is None and not name.startswith("_"):
            yield found[1], call


def _callables() -> Iterator[tuple[str, Callable[..., object], str]]:
    """(name, function, how Python calls it) of all that dirql defines."""
    for module in _modules():
        package = _package(module.__name__)
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(value):
                for attribute, one in vars(value).items():
                    method = getattr(one, "__func__", one)
                    if inspect.isfunction(method):
                        receiver = _receiver(value, package, isinstance(one, classmethod))
                        yield attribute, method, f"{receiver}.{attribute}({_parameters(method, 1)})"
            elif inspect.isfunction(value):
                yield name, value, f"{package}.{name}({_parameters(value, 0)})"


ENTRIES = {"WdfInterruptCreate": "wdf.Interrupt.create(device, config, attributes=None)"}  # where a driver enters elsewhere
RECEIVERS = {
    "Clock": "kernel.clock", "ObjectManager": "kernel.objects", "Processors": "kernel.processors",
    "InterruptController": "kernel.interrupts", "IoSpace": "registers", "Kdpc": "dpc", "KInterrupt": "kinterrupt",
    "Ktimer": "timer", "NamedDevice": "device", "ParentDevice": "device", "PortSpace": "ports", "QueryableDevice": "device",
    "SetDevice": "device",
}  # fmt: skip


def _receiver(owner: type, package: str, of_class: bool) -> str:
    if of_class:
        return f"{package}.{owner.__name__}"
    if package == "wdf" and owner.__name__ == "Object":
        return "any_object"
    return RECEIVERS.get(owner.__name__, _snake(owner.__name__))


def _parameters(method: Callable[..., object], skip: int) -> str:
    words = []
    for parameter in list(inspect.signature(method).parameters.values())[skip:]:
        default = parameter.default
        shown = default.name if hasattr(default, "name") else repr(default)
        words.append(parameter.name if default is parameter.empty else f"{parameter.name}={shown}")
    return ", ".join(words)


def c_name(row: Routine) -> str:
    """As a driver's source has it: the table's entries behind the header's macros have longer names."""
    for ending in ("NoTrack", "Actual", "Worker"):
        if row.name.endswith(ending):
            return row.name.removesuffix(ending)
    return row.name


def _limit(row: Routine | None) -> str:
    if row is None or row.limit_name == "HIGH_LEVEL":
        return "any"
    limit = row.limit_name if row.min_irql == row.max_irql else f"<= {row.limit_name}"
    return limit + ("" if row.enforced else ", warns")


def callbacks() -> str:
    rows = []
    for class_name in ("Driver", "Device"):
        owner = getattr(import_module("dirql.wdf"), class_name)
        for name, value in vars(owner).items():
            if name.startswith("evt_") and callable(value):
                rows.append((f"`{_camel(name)}`", f"`{class_name}.{name}({_parameters(value, 1)})`", _returns(value)))
    for owner in _dataclasses():
        for field in dataclasses.fields(owner):
            if field.name.startswith("evt_"):
                rows.append((f"`{_camel(field.name)}`", f"`{owner.__name__}({field.name}=…)`", _shape(str(field.type))))
    for _, method, call in _callables():
        if routine_of(method) is not None:
            for parameter in inspect.signature(method).parameters.values():
                if parameter.name.startswith("evt_"):
                    called = call.partition("(")[0]
                    rows.append((f"`{_camel(parameter.name)}`", f"`{called}({parameter.name}=…)`", "see the method"))
    return _table(("C", "Python", "returns, or takes → returns"), sorted(set(rows)))


def structures() -> str:
    rows = []
    for owner in _dataclasses():
        name = re.match(r"_?([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)\b", owner.__doc__ or "")
        if name is not None:
            fields = ", ".join(f"`{f.name}`" for f in dataclasses.fields(owner) if not f.name.startswith("_"))
            rows.append((f"`{name[1]}`", f"`{_package(owner.__module__)}.{owner.__name__}`", fields))
    return _table(("C", "Python", "fields"), sorted(set(rows)))


def limits() -> str:
    found = []
    for path in source_files():
        module = ast.parse(path.read_text("utf-8"))
        text = ast.get_docstring(module) or ""
        _, marker, rest = text.partition("Limits: ")
        if marker:
            found.append(f"- `{relative(path)}`: {' '.join(rest.split())}\n")
    return "".join(found)


def layers() -> str:
    allowed: dict[str, set[str]] = runpy.run_path(str(Path(__file__).with_name("layers.py")))["MAY_IMPORT"]
    rows = [(f"`{name}`", ", ".join(f"`{n}`" for n in sorted(lower)) or "nothing") for name, lower in allowed.items()]
    return _table(("package", "may import"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "callbacks": callbacks,
    "layers": layers,
    "limits": limits,
    "structures": structures,
    "wdf-routines": wdf_routines,
    "wdm-routines": wdm_routines,
}


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(dirql.__path__, "dirql."):
        if not found.name.endswith("__main__"):
            yield import_module(found.name)


def _dataclasses() -> list[type]:
    owners = {
        value
        for module in _modules()
        for value in vars(module).values()
        if inspect.isclass(value) and dataclasses.is_dataclass(value) and value.__module__.startswith(("dirql.wdf", "dirql.pnp"))
    }
    return sorted(owners, key=lambda owner: (owner.__module__, owner.__name__))


def _package(module: str) -> str:
    return module.split(".")[1]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _returns(value: Callable[..., object]) -> str:
    return {"None": "nothing", "int | None": "None or an NTSTATUS"}.get(str(value.__annotations__.get("return")), "a value")


def _shape(annotation: str) -> str:
    found = re.search(r"Callable\[\[(.*)\], (.*?)\]", annotation)
    if found is None:
        return "a callable"
    takes = re.sub(r"\bAny\b", "object", found[1])
    return f"({takes}) → {found[2]}".replace("|", "or")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines) + "\n"


def update(page: Path) -> None:
    """Every table and block of a page, as the code makes it now."""
    text = regenerated(page.read_text("utf-8"))
    for block in blocks():
        if ROOT / block.page == page:
            text = put(text, block, rewritten(block))
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    for one in pages():
        update(one)

"""What commands share: how they print, and the options that mean the same in all of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Annotated, Any, TextIO

import typer

from dirql.errors import UsageError

__all__ = [
    "WATCHDOG", "Cpus", "FunctionAddress", "Inf", "Json", "Line", "Messages", "colour", "named", "one_grant",
    "output_kept_for_json", "print_json", "progress", "progress_bar", "width",
]  # fmt: skip


def named(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """The value of an option that names something; an empty one is a shell variable that nobody set."""
    source = context.get_parameter_source(parameter.name or "")
    if not value.strip() and source is not None and source.name != "DEFAULT":
        raise UsageError(f"{parameter.opts[0]} {value!r}: it names nothing; name something, or leave the option out")
    return value


WATCHDOG = 60.0  # s of real time without progress
# fmt: off
Cpus            = Annotated[int | None, typer.Option("--cpus", metavar="N", help="Processors, 1 to 64; default 4.")]
FunctionAddress = Annotated[str, typer.Option("--function", metavar="BDF", callback=named, help="Only this one, as 01:00.0.")]
Inf             = Annotated[str, typer.Option("--inf", metavar="FILE", callback=named, help="The driver's INF.")]
Json            = Annotated[bool, typer.Option("--json", help="JSON, as docs/json.md lists it.")]
Line            = Annotated[bool, typer.Option("--line", help="Grant the line, as when no message can be had.")]
Messages        = Annotated[int | None, typer.Option("--messages", metavar="N", help="Grant N messages.")]
# fmt: on


def colour() -> bool:
    """True on a terminal, unless NO_COLOR is set or the terminal is dumb (no-color.org)."""
    return _fancy(sys.stdout)


def width() -> int:
    """The terminal's columns, 80 to 120; 80 where the output goes to a file or a pipe."""
    if not sys.stdout.isatty():
        return 80
    return min(max(os.get_terminal_size(sys.stdout.fileno()).columns, 80), 120)


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner on standard error while something runs, if that is a terminal; what it yields changes the words."""
    if not _fancy(sys.stderr):
        yield lambda words: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    spinner = Spinner("dots", what)
    with Live(spinner, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False):
        yield lambda words: spinner.update(text=words)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar on standard error, if that is a terminal; what it yields is told how many of `total` are done, and more words."""
    if not _fancy(sys.stderr):
        yield lambda done, words: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    counts = TextColumn("{task.completed:,.0f} of {task.total:,.0f}{task.fields[words]}")
    columns = (TextColumn("{task.description}"), BarColumn(), counts, TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(what, total=total, words="")
        yield lambda done, words: bar.update(task, completed=done, words=words)


@contextmanager
def output_kept_for_json(wanted: bool) -> Iterator[None]:
    """Where JSON is `wanted`, what a driver or a model prints goes to standard error meanwhile: the document stands alone."""
    with redirect_stdout(sys.stderr) if wanted else nullcontext():
        yield


def print_json(value: Any) -> None:
    """One document, indented, in the keys' own order."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def one_grant(messages: int | None, line: bool) -> None:
    """UsageError when both are asked for."""
    if messages is not None and line:
        raise UsageError("--messages and --line exclude each other: what is granted is messages or the line; give one")


def _fancy(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

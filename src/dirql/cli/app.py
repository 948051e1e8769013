"""`dirql` itself: its commands, its version, and how a command that cannot go on ends.

Exit statuses: 0 nothing found; 1 findings, a bugcheck, work left unserved or a start that failed; 2 bad input or usage;
74 the output cannot be written; 130 interrupted; 141 nobody reads the output any more; 70 a bug of dirql.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from dirql.cli.bench_command import bench
from dirql.cli.build_command import build
from dirql.cli.check_command import check
from dirql.cli.explore_command import explore
from dirql.cli.inspect_command import inspect
from dirql.cli.replay_command import replay
from dirql.cli.resources_command import resources
from dirql.cli.rules_command import rules
from dirql.cli.run_command import run
from dirql.errors import DirqlError

__all__ = ["app", "main"]

BAD_INPUT, BUG, NO_OUTPUT, INTERRUPTED, NOBODY_READS = 2, 70, 74, 130, 141
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

app = typer.Typer(
    name="dirql",
    add_completion=False,
    rich_markup_mode=None,  # plain help: the same in a pipe, and 100 ms sooner
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
app.command("run", short_help="Run a driver on a device and report.")(run)
app.command("explore", short_help="Search the orders of events for failures.")(explore)
app.command("replay", short_help="Play one schedule again, and tell its story.")(replay)
app.command("rules", short_help="What a driver can break, why, and what to do.")(rules)
app.command("resources", short_help="What EvtDevicePrepareHardware is handed.")(resources)
app.command("inspect", short_help="Decode configuration space, as lspci -vv does.")(inspect)
app.command("build", short_help="Compile a driver to a .sys.")(build)
app.command("check", short_help="What a driver image uses and dirql models.")(check)
app.command("bench", short_help="Measure dirql on this machine.")(bench)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            known = version("dirql")
        except PackageNotFoundError:
            known = "(not installed: no version)"
        print(f"dirql {known}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def dirql(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Run the interrupt path of a PCIe driver against a device with MSI or
    MSI-X that you can hold still.

    \b
    Examples:
      dirql run scenario.toml            start a driver, exercise it, report
      dirql resources lspci.txt --cpus 4 what EvtDevicePrepareHardware is handed
      dirql inspect lspci.txt            configuration space, decoded

    \b
    Exit status: 0 nothing found; 1 findings, a bugcheck, unserved work or a
    failed start; 2 bad input or usage.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(BAD_INPUT)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and exit with its status."""
    sys.exit(_status(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    """Not through typer's main(), which has words and exit statuses of its own for what is told apart below."""
    command = typer.main.get_command(app)
    status = 0
    try:
        with command.make_context("dirql", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        status = end.exit_code
    sys.stdout.flush()
    return status


def _status(arguments: Sequence[str]) -> int:
    try:
        return _run(arguments)
    except DirqlError as problem:
        return _complain(str(problem))
    except SystemExit as end:  # dirql's own commands leave with typer.Exit
        last = traceback.extract_tb(end.__traceback__)[-1]
        where = f"{last.filename}:{last.lineno}"
        return _complain(f"{where}: {last.name}() calls sys.exit({end.code!r}); a driver returns or fails")
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return NOBODY_READS
    except OSError as problem:
        if problem.errno not in UNWRITABLE:
            return _bug()
        _drop_output()
        return _complain(f"the output cannot be written: {problem.strerror}; send it where there is room", NO_OUTPUT)
    except Exception as problem:
        message = getattr(problem, "format_message", None)
        if message is not None:  # what typer says of a command line
            used = getattr(problem, "ctx", None)
            return _complain(f"{message()} (see {used.command_path if used is not None else 'dirql'} --help)")
        return _bug()


def _drop_output() -> None:
    """Python flushes again at exit; there must be something that takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bug() -> int:
    traceback.print_exc()
    return _complain("this is a bug of dirql: report it with the lines above and the input that did it", BUG)


def _complain(what: str, status: int = BAD_INPUT) -> int:
    print("dirql: " + " ".join(what.split()), file=sys.stderr)
    return status

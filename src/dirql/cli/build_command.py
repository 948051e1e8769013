"""`dirql build`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["build"]


def build(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A driver's C or C++ sources; it names the image.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the image goes; by default beside the sources.")
    ] = None,
    headers: Annotated[
        list[Path] | None,
        typer.Option("--headers", metavar="WDK_INCLUDE", help="Use a WDK's headers: its Include/10.0.NNNNN.0 (repeatable)."),
    ] = None,
    define: Annotated[
        list[str] | None, typer.Option("--define", "-D", metavar="NAME[=VALUE]", help="A macro, such as KMDF_VERSION_MINOR=15.")
    ] = None,
) -> None:
    """Compile a Windows driver: C or C++ to DIR.sys and DIR.pdb, with dirql's
    own wdf.h and the compiler of the ziglang package.

    \b
    Examples:
      dirql build examples/mqueue
      dirql build mydriver --out build -D KMDF_VERSION_MINOR=15

    \b
    Exit status: 0 built, or built already; 2 it does not compile, or bad usage.
    """
    from dirql.build import CompileError, build_driver

    try:
        made = build_driver(directory, out, headers=headers or (), defines=define or ())
    except CompileError as problem:
        print(problem.diagnostics, end="", file=sys.stderr)
        raise
    print(made.diagnostics, end="", file=sys.stderr)
    print(f"{made.image}: {'built' if made.fresh else 'up to date'}")

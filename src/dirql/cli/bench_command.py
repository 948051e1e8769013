"""`dirql bench`."""

from __future__ import annotations

from typing import Annotated

import typer

from dirql.cli.output import Json, progress

__all__ = ["bench"]


def bench(
    figure: Annotated[list[str] | None, typer.Argument(metavar="FIGURE", help="Only these figures; all without.")] = None,
    json: Json = False,
    peers: Annotated[bool, typer.Option("--peers", help="Run cocotbext-pcie as well, where it is installed.")] = False,
    peer_python: Annotated[
        str | None, typer.Option("--peer-python", metavar="PYTHON", help="The interpreter that has cocotbext-pcie.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", metavar="DIR", help="How many schedules find each order bug of a corpus; minutes.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Rough figures in a few seconds.")] = False,
) -> None:
    """Measure dirql here: the figures of the README's performance table, each
    beside what it is compared with.

    \b
    Examples:
      dirql bench
      dirql bench messages_per_second --peers --json

    \b
    Exit status: 0 measured; 1 a figure could not be measured; 2 bad usage, or
    a peer that is not installed.
    """
    from dirql.bench.command import bench as measure
    from dirql.bench.command import bench_corpus

    if corpus is not None:
        raise typer.Exit(bench_corpus(corpus, json, quick=quick, progress=progress))
    status = measure(as_json=json, peers=peers, only=figure or [], quick=quick, peer_python=peer_python, progress=progress)
    raise typer.Exit(status)

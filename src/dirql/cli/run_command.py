"""`dirql run`."""

from __future__ import annotations

from typing import Annotated

import typer

from dirql.cli.output import (
    WATCHDOG,
    Cpus,
    Inf,
    Json,
    Line,
    Messages,
    colour,
    named,
    one_grant,
    output_kept_for_json,
    print_json,
    progress,
    width,
)

__all__ = ["run"]


def run(
    source: Annotated[
        str, typer.Argument(metavar="SCENARIO|DRIVER", help="A scenario (.toml), or a driver: driver.py[:Class], driver.sys.")
    ],
    device: Annotated[
        str, typer.Option("--device", metavar="DEVICE", callback=named, help="Of a DRIVER: mqueue, edu, model.py:Class, a dump.")
    ] = "",
    inf: Inf = "",
    cpus: Cpus = None,
    messages: Messages = None,
    line: Line = False,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Interleave processors and events by this seed.")
    ] = None,
    races: Annotated[bool, typer.Option("--races", help="Look for data races too: about ten times slower.")] = False,
    json: Json = False,
    trace: Annotated[
        str, typer.Option("--trace", metavar="FILE", callback=named, help="Write every event to FILE: .jsonl or .txt.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Let --trace overwrite FILE.")] = False,
    watchdog: Annotated[
        float, typer.Option("--watchdog", metavar="SECONDS", help="End a run that gets nowhere for so long; 0 never.")
    ] = WATCHDOG,
    stub: Annotated[
        list[str] | None,
        typer.Option("--stub", metavar="NAME=VALUE", help="Let a .sys call routine NAME, which only returns VALUE; repeatable."),
    ] = None,
    max_instructions: Annotated[
        int | None, typer.Option("--max-instructions", metavar="N", help="End a .sys after N instructions: counted, slower.")
    ] = None,
) -> None:
    """Start a driver on a device, exercise it, stop it, and report: resources,
    the map from table entry to interrupt object, every message's fate, ISRs,
    DPCs, callbacks and findings.

    \b
    Examples:
      dirql run scenario.toml
      dirql run scenario.toml --messages 1 --trace run.jsonl
      dirql run driver.py --device mqueue --inf mqueue.inf --cpus 4

    \b
    Exit status: 0 nothing found; 1 findings, a bugcheck, unserved work or a
    failed start; 2 bad input or usage.
    """
    from dirql.cli.run_of import play_of, traced
    from dirql.report.text import render

    one_grant(messages, line)
    with output_kept_for_json(json), traced(trace, force) as begun:
        play = play_of(source, device, inf, cpus, messages, line, seed, trace=begun, watchdog=watchdog,
                       stubs=stub or (), max_instructions=max_instructions, races=races)  # fmt: skip
        with progress(source):
            reports = play.run()
    if json:
        told = [report.as_json() for report in reports]
        print_json(told[0] if len(told) == 1 else told)
    else:
        print("\n\n".join(render(report, colour=colour(), width=width()) for report in reports))
    raise typer.Exit(0 if all(report.clean for report in reports) else 1)

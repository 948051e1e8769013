"""`dirql explore`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dirql.cli.output import (
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
    progress_bar,
    width,
)
from dirql.errors import UsageError

if TYPE_CHECKING:
    from dirql.explore.batch import Settings
    from dirql.explore.campaign import Campaign
    from dirql.explore.explorer import Found
    from dirql.explore.root import Root
    from dirql.explore.trial import Plan

__all__ = ["explore"]

CHOOSERS = ("pct", "random", "dfs", "round-robin")
MOST_SCHEDULES, MOST_DEPTH, SEEDS = 10**9, 64, 1 << 64
NO_OUTPUT, INTERRUPTED = 74, 130
# fmt: off
Level       = Annotated[str, typer.Option("--level", metavar="LEVEL", help="error, warning or advice: what fails a schedule.")]
Invariant   = Annotated[str, typer.Option("--invariant", metavar="FILE:FUNCTION", callback=named,
                                          help="Asked at rest; AssertionError, False or a text fails.")]
SameOutcome = Annotated[str, typer.Option("--same-outcome", metavar="WHAT", callback=named,
                                          help="All must end alike: model, or what FILE:FUNCTION returns.")]
Stub        = Annotated[list[str] | None, typer.Option("--stub", metavar="NAME=VALUE",
                                                       help="Let a .sys call routine NAME, which only returns VALUE.")]
Watchdog    = Annotated[float, typer.Option("--watchdog", metavar="SECONDS",
                                            help="End a schedule that gets nowhere for so long; 0 never.")]
# fmt: on


def explore(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario (.toml).")],
    schedules: Annotated[int, typer.Option("--schedules", metavar="N", help="At most so many.")] = 1000,
    chooser: Annotated[str, typer.Option("--chooser", metavar="NAME", help="pct, random, dfs or round-robin.")] = "pct",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of pct and random.")] = 0,
    depth: Annotated[int, typer.Option("--depth", metavar="N", help="Of pct: how many orders a bug needs.")] = 3,
    preemptions: Annotated[
        int | None, typer.Option("--preemptions", metavar="N", help="Of dfs: at most so many, and all of those orders.")
    ] = None,
    begin: Annotated[str, typer.Option("--from", metavar="WHEN", help="Choices begin at start, or at work.")] = "start",
    level: Level = "warning",
    faults: Annotated[
        str, typer.Option("--faults", metavar="LIST", callback=named, help="Choose failures too: alloc,grant,remove,power.")
    ] = "",
    invariant: Invariant = "",
    same_outcome: SameOutcome = "",
    first: Annotated[bool, typer.Option("--first", help="Stop at the first failure.")] = False,
    check_every: Annotated[int, typer.Option("--check-every", metavar="N", help="Play each Nth schedule twice; 0 none.")] = 50,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Processes.")] = 1,
    dask: Annotated[str, typer.Option("--dask", metavar="ADDRESS", callback=named, help="A dask scheduler's workers.")] = "",
    resume: Annotated[
        str, typer.Option("--resume", metavar="FILE", callback=named, help="Keep a journal in FILE, and go on from it.")
    ] = "",
    json: Json = False,
    inf: Inf = "",
    cpus: Cpus = None,
    messages: Messages = None,
    line: Line = False,
    stub: Stub = None,
    watchdog: Watchdog = 10.0,
) -> None:
    """Play a scenario in many orders of its events, and show each kind of
    failure in the smallest schedule that has it: findings, bugchecks, hangs,
    work left unserved.

    \b
    Examples:
      dirql explore scenario.toml
      dirql explore scenario.toml --chooser dfs --schedules 100000
      dirql explore scenario.toml --jobs 8 --resume night.jsonl

    \b
    Exit status: 0 no failure; 1 failures; 2 bad input or usage; 130
    interrupted: what was found up to there is printed.
    """
    from dirql.cli.exploration_of import Asked, Machine, plan_of, replay_line
    from dirql.cli.explore_text import as_json, failure_text, search_text
    from dirql.explore.batch import Settings
    from dirql.explore.root import root_of

    one_grant(messages, line)
    settings = _checked(context, Settings(chooser, seed, depth, preemptions, first, check_every), schedules)
    asked = Asked(source, inf, level, invariant, same_outcome, tuple(stub or ()), watchdog)
    reduce = chooser == "dfs" and preemptions is None
    plan = plan_of(asked, Machine(cpus, messages, line), begin, faults, reduce)
    with output_kept_for_json(True):
        with progress(f"{source}: the root"):
            root, _ = root_of(plan)
        campaign = _campaign(plan, settings, schedules, root, jobs, dask, resume)
        interrupted = _run(campaign, source, schedules)
        with progress(f"{source}: making failures small"):
            found = campaign.report()
        interrupted = interrupted or campaign.interrupted
    if json:
        print_json(as_json(campaign, found, type(root).__name__.lower(), interrupted))
    else:
        print(search_text(source, campaign, len(found), width(), colour()))
        for one in found:
            print("\n" + failure_text(one, replay_line(asked, one.schedule), width(), colour()))
    _end(context, campaign, found, interrupted, resume)


def _checked(context: typer.Context, settings: Settings, schedules: int) -> Settings:
    """UsageError for what is out of range, and for what another chooser's is."""
    chooser = settings.chooser
    if chooser not in CHOOSERS:
        raise UsageError(f"--chooser {chooser}: there is no such chooser; give {', '.join(CHOOSERS)}")
    for name, owners in (("depth", ("pct",)), ("preemptions", ("dfs",)), ("seed", ("pct", "random"))):
        if _given(context, name) and chooser not in owners:
            raise UsageError(f"--{name} is for --chooser {' and '.join(owners)}; leave it out with {chooser}")
    limits = (
        ("schedules", schedules, 1, MOST_SCHEDULES), ("seed", settings.seed, 0, SEEDS - 1),
        ("depth", settings.depth, 1, MOST_DEPTH),
        ("preemptions", settings.preemptions or 0, 0, MOST_SCHEDULES), ("check-every", settings.check_every, 0, MOST_SCHEDULES),
    )  # fmt: skip
    for name, value, least, most in limits:
        if not least <= value <= most:
            raise UsageError(f"--{name} {value}: out of range; give {least} to {most}")
    return settings


def _campaign(
    plan: Plan, settings: Settings, schedules: int, root: Root, jobs: int, dask: str, resume: str
) -> Campaign:
    from dirql.explore.campaign import Campaign, identity_of
    from dirql.explore.crew import cluster, pool
    from dirql.explore.journal import Journal

    if dask and jobs != 1:
        raise UsageError("--jobs and --dask exclude each other: the cluster has workers of its own; give one")
    if dask:
        plan = replace(plan, scenario=replace(plan.scenario, base=plan.scenario.base.absolute()))  # workers run in other folders
    crew = cluster(dask) if dask else pool(jobs)
    journal = Journal(Path(resume), identity_of(plan, settings, crew.workers > 1)) if resume else None
    return Campaign(plan, settings, schedules, root, crew, journal)


def _run(campaign: Campaign, source: str, schedules: int) -> bool:
    """Was it interrupted?"""
    from dirql.report.words import plural

    with progress_bar(source, schedules) as show:

        def told(played: int, kinds: int) -> None:
            show(played, f", {plural(kinds, 'kind')} of failure" if kinds else "")

        campaign.progress = told
        try:
            campaign.run()
        except KeyboardInterrupt:
            return True
    return False


def _end(context: typer.Context, campaign: Campaign, found: list[Found], interrupted: bool, resume: str) -> NoReturn:
    """What must be said besides, and the exit status."""
    sys.stdout.flush()
    if campaign.full:
        where = "what was found up to there is above; free some room and go on with"
        print(f"dirql: the journal cannot be written: {campaign.full}; {where}: {_command(context)}", file=sys.stderr)
        raise typer.Exit(NO_OUTPUT)
    if interrupted:
        how = f"go on with: {_command(context)}" if resume else "with --resume FILE it could be gone on with"
        print(f"dirql: interrupted; what was found up to there is above; {how}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if found else 0)


def _given(context: typer.Context, name: str) -> bool:
    """Does the command line say it?"""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _command(context: typer.Context) -> str:
    """The command line as it was given, to be pasted."""
    words = ["dirql", context.info_name or "explore"]
    for parameter in context.command.params:
        name, value = parameter.name or "", context.params.get(parameter.name or "")
        if not _given(context, name):
            continue
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif value is True:
            words.append(parameter.opts[0])
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                words += [parameter.opts[0], str(one)]
    return shlex.join(words)

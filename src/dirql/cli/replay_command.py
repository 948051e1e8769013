"""`dirql replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from dirql.cli.explore_command import Invariant, Level, SameOutcome, Stub, Watchdog
from dirql.cli.output import Inf, Json, colour, named, output_kept_for_json, print_json, width

__all__ = ["replay"]


def replay(
    source: Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario (.toml).")],
    schedule: Annotated[str, typer.Argument(metavar="SCHEDULE", help="What explore printed, or bare choices: 0.1.1.")],
    json: Json = False,
    trace: Annotated[
        str, typer.Option("--trace", metavar="FILE", callback=named, help="Write every event to FILE: .jsonl or .txt.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Let --trace overwrite FILE.")] = False,
    inf: Inf = "",
    level: Level = "warning",
    invariant: Invariant = "",
    same_outcome: SameOutcome = "",
    stub: Stub = None,
    watchdog: Watchdog = 10.0,
) -> None:
    """Play one schedule again: what each processor did, where it left the
    default order, and what failed, as `dirql explore` told it.

    \b
    Examples:
      dirql replay scenario.toml 0.1.1.0.1@4eab1ea5.e1208d2e
      dirql replay scenario.toml 0.1.1 --trace run.txt

    \b
    Exit status: 0 no failure; 1 failures; 2 the schedule is none of this
    scenario, bad input or usage.
    """
    from dirql.cli.exploration_of import Asked, plan_of_schedule, replay_line
    from dirql.cli.explore_text import failure_text
    from dirql.cli.replay_text import as_json, story_text
    from dirql.cli.run_of import traced
    from dirql.explore.replay import Replay
    from dirql.explore.schedule import Schedule

    asked = Asked(source, inf, level, invariant, same_outcome, tuple(stub or ()), watchdog)
    wanted = Schedule.parse(schedule)
    with output_kept_for_json(json), traced(trace, force) as begun:
        again = Replay(plan_of_schedule(asked, wanted), wanted)
        if begun is not None:
            begun(again.play.system)
        again.run()
    found = again.found
    if json:
        print_json(as_json(again))
    else:
        print(story_text(again, width(), colour()))
        if found.failures:
            print("\n" + failure_text(found, replay_line(asked, found.schedule), width(), colour()))
        else:
            print("\nnothing failed")
    raise typer.Exit(1 if found.failures else 0)

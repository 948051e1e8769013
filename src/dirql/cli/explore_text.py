"""What `dirql explore` and `dirql replay` print: what was searched, and failures, which both print the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dirql.explore.campaign import Campaign
from dirql.explore.explorer import Found
from dirql.explore.granularity import granularity_of
from dirql.report.page import BAD, FAINT, GOOD, Page
from dirql.report.words import plural

__all__ = ["as_json", "failure_text", "search_text"]

CHOOSERS = {
    "pct": "PCT with seed {seed}, for bugs of depth {depth}",
    "random": "random with seed {seed}",
    "dfs": "depth-first",
    "round-robin": "round-robin, turns of 1, 2, 3 … choices",
}
BEGINNINGS = {"start": "from the start of the devices on", "work": "from the beginning of the workload on"}


def search_text(source: str, campaign: Campaign, failures: int, width: int, colour: bool) -> str:
    """What was searched, and how much of all there is."""
    page = Page(colour, width)
    plan, settings = campaign.plan, campaign.settings
    found = plural(failures, "failure") if failures else "no failure"
    page.words(f"{source}: {plural(campaign.played, 'schedule')}, {found}", BAD if failures else GOOD, "", "  ")
    how = CHOOSERS[settings.chooser].format(seed=settings.seed, depth=settings.depth)
    faults = f", with failures of {', '.join(plan.faults)}" if plan.faults else ""
    most = f"; the longest took {plural(campaign.longest, 'choice')}" if campaign.played else ""
    page.words(f"searched: {how}, {BEGINNINGS[plan.begin]}{faults}{most}", hanging=HANG)
    page.words(f"points:   {granularity_of(plan)}", hanging=HANG)
    page.words(f"covered:  {_covered(campaign.coverage.as_json())}", hanging=HANG)
    page.words(_exhausted(campaign), hanging=HANG)
    if settings.chooser == "pct" and campaign.bound:
        page.words(f"bound:    {campaign.bound}", hanging=HANG)
    if campaign.abandoned:
        what = f"{plural(campaign.abandoned, 'schedule')} took {plan.most:,} choices without an end, and nothing is said of them"
        page.words(f"left out: {what}", BAD, hanging=HANG)
    for what in campaign.left_out:
        page.words(f"left out: {what}: a process that played them ended, twice", BAD, hanging=HANG)
    return page.text()


HANG = " " * 12


def _covered(told: dict[str, Any]) -> str:
    covered = f"{plural(told['points'], 'point')} with a choice, {told['taken']:,} of their {told['options']:,} options taken"
    blocks = told.get("blocks")
    return covered + (f"; blocks of code {blocks['ran']:,} of {blocks['all']:,}" if blocks else "")


def _exhausted(campaign: Campaign) -> str:
    if campaign.settings.chooser == "round-robin":
        turns = f"turns of up to {plural(campaign.measured.choices, 'choice')}, as many as the default order takes"
        return f"exhausted: {turns}" if campaign.exhausted else f"not exhausted: there are {turns}"
    if campaign.exhausted:
        return f"exhausted: {campaign.bound}, at these points"
    return "not exhausted: there are orders that were not tried"


def failure_text(found: Found, replay: str, width: int, colour: bool) -> str:
    """One failure, with the line that plays it again as the last: not wrapped, to be pasted."""
    page = Page(colour, width)
    for failure in found.failures:
        page.words(f"{failure.rule}: {failure.sentence}", BAD, "", "  ")
        if failure.where:
            page.words(f"at {failure.where}")
    page.words(f"{deviating(found.schedule.choices)} from the default order", FAINT)
    return f"{page.text()}\n{replay}"


def deviating(choices: Sequence[int]) -> str:
    """How many."""
    count = sum(number != 0 for number in choices)
    return "no choice deviates" if not count else "1 choice deviates" if count == 1 else f"{count} choices deviate"


def as_json(campaign: Campaign, found: Iterable[Found], root: str, interrupted: bool) -> dict[str, Any]:
    """Keys as docs/json.md lists them."""
    return {
        "schedules": campaign.played,
        "exhausted": campaign.exhausted,
        "failures": [one.as_json() for one in found],
        "seed": campaign.settings.seed,
        "chooser": campaign.settings.chooser,
        "bound": campaign.bound,
        "granularity": granularity_of(campaign.plan),
        "abandoned": campaign.abandoned,
        "longest": campaign.longest,
        "coverage": campaign.coverage.as_json(),
        "root": root,
        "interrupted": interrupted,
        "left_out": campaign.left_out,
    }

"""The figures of `dirql explore`: schedules per second, of a Python driver and of an image, and what a second process brings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from dirql.bench.figure import Figure, Measured, Target
from dirql.bench.stopwatch import Contestant, Effort, race
from dirql.errors import DirqlError
from dirql.explore import Plan, RandomSearch, Root, root_of
from dirql.explore.batch import Settings
from dirql.explore.campaign import Campaign
from dirql.explore.crew import Crew, in_process, pool
from dirql.scenario.values import Scenario

__all__ = ["EXPLORE_FIGURES"]

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
CAMPAIGN = 6_000  # schedules at least: a worker takes half a second to begin
PYTHON, IMAGE = "explore/six_jobs.toml", "edu_c/msi.toml"


def _plan(example: str) -> Plan:
    path = EXAMPLES / example
    if not path.is_file():
        raise DirqlError(f"there is no {path}: the figures of explore are measured in a source checkout")
    return Plan(Scenario.load(path), "work")


def schedules_per_second(effort: Effort, example: str = PYTHON, share: int = 60) -> Measured:
    """Random schedules from the workload on, rules on, in one process."""
    root, _ = root_of(_plan(example))
    search, schedules = RandomSearch(0), max(1, effort.messages // share)

    def play() -> None:
        tactic = search.next()
        assert tactic is not None
        root.play(tactic)

    times = race({"dirql": Contestant(play, times=schedules)}, effort.rounds)["dirql"]
    rates = [1 / seconds for seconds in times.seconds]
    return Measured(median(rates), len(rates), min(rates), max(rates))


def two_processes(effort: Effort) -> Measured:
    """The same campaign of some seconds in this process and in two others, which begin and end in the time."""
    plan = _plan(PYTHON)
    root, _ = root_of(plan)
    schedules = max(CAMPAIGN, effort.messages // 4)
    contestants = {
        "one": Contestant(partial(_campaign, plan, root, in_process, schedules)),
        "two": Contestant(partial(_campaign, plan, root, partial(pool, 2), schedules)),
    }
    times = race(contestants, max(2, effort.rounds // 3))
    ratios = [one / two for one, two in zip(times["one"].seconds, times["two"].seconds, strict=True)]
    return Measured(median(ratios), len(ratios), min(ratios), max(ratios))


def _campaign(plan: Plan, root: Root, crew: Callable[[], Crew], schedules: int) -> None:
    Campaign(plan, Settings("random"), schedules, root, crew()).run()


EXPLORE_FIGURES = (
    Figure(
        "schedules_per_second", "1/s", "explore: random schedules of a Python driver with about 50 choices, rules on",
        schedules_per_second, Target(1_000),
    ),
    Figure(
        "sys_schedules_per_second", "1/s", "the same of a small image", partial(schedules_per_second, example=IMAGE, share=300),
        Target(150),
    ),
    Figure("two_processes", "ratio", "a campaign over two processes, beside the same in one", two_processes, Target(1.7)),
)  # fmt: skip

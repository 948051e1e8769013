"""What `dirql explore` and `dirql replay` play: a scenario with what the command line says instead, as a plan.

What changes the machine or its grant goes into the schedule (`grant=cpus2+messages1`), so that a replay need not be told; what
names files or says what counts as failing goes onto the replay's command line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dirql.cli.resources_of import overridden
from dirql.cli.run_of import check_watchdog, stubs_of
from dirql.errors import UsageError
from dirql.explore.faults import check_faults
from dirql.explore.schedule import Schedule
from dirql.explore.trial import Plan
from dirql.findings import Level
from dirql.scenario.values import Scenario

__all__ = ["LEVELS", "Asked", "Machine", "plan_of", "plan_of_schedule", "replay_line"]

LEVELS: Mapping[str, Level] = {"error": "error", "warning": "warning", "advice": "advice"}
BEGINNINGS = ("start", "work")
WATCHDOG = 10.0  # s, unless another is given
_PART = re.compile(r"(cpus|messages)(\d{1,5})|line")


@dataclass(frozen=True)
class Machine:
    """What the command line says of processors and grant."""

    cpus: int | None = None
    messages: int | None = None
    line: bool = False

    @classmethod
    def parse(cls, text: str) -> Machine:
        """What `str` made, out of a schedule."""
        values: dict[str, int] = {}
        line = False
        for part in text.split("+") if text else ():
            match = _PART.fullmatch(part)
            if match is None:
                raise UsageError(f"schedule: grant={text:.40} is none; paste the whole of what explore printed")
            if match[1]:
                values[match[1]] = int(match[2])
            else:
                line = True
        return cls(values.get("cpus"), values.get("messages"), line)

    def __str__(self) -> str:
        cpus = f"cpus{self.cpus}" if self.cpus is not None else ""
        messages = f"messages{self.messages}" if self.messages is not None else ""
        return "+".join(filter(None, (cpus, messages, "line" if self.line else "")))


@dataclass(frozen=True)
class Asked:
    """What explore and replay must be told alike."""

    source: str
    inf: str = ""
    level: str = "warning"
    invariant: str = ""
    outcome: str = ""
    stubs: Sequence[str] = ()
    watchdog: float = WATCHDOG

    @property
    def options(self) -> list[str]:
        """Of a command line, those that are not the default."""
        told = [("--inf", self.inf), ("--level", self.level if self.level != "warning" else ""), ("--invariant", self.invariant)]
        told += [("--same-outcome", self.outcome), *(("--stub", stub) for stub in self.stubs)]
        told.append(("--watchdog", f"{self.watchdog:g}" if self.watchdog != WATCHDOG else ""))
        return [word for option, value in told if value for word in (option, value)]


def plan_of(asked: Asked, machine: Machine, begin: str, faults: str, reduce: bool) -> Plan:
    """What is explored."""
    if not asked.source.endswith(".toml"):
        raise UsageError(f"{asked.source!r} is no scenario; give scenario.toml")
    if begin not in BEGINNINGS:
        raise UsageError(f"--from {begin}: choices begin at {' or '.join(BEGINNINGS)}")
    if asked.level not in LEVELS:
        raise UsageError(f"--level {asked.level}: a level is {', '.join(LEVELS)}")
    check_watchdog(asked.watchdog)
    functions = (("--invariant", asked.invariant), ("--same-outcome", asked.outcome if asked.outcome != "model" else ""))
    for option, value in functions:
        if value and not re.fullmatch(r".+\.py:\w+", value):
            raise UsageError(f"{option} {value}: that is no function; write file.py:function")
    scenario = overridden(Scenario.load(asked.source), machine.cpus, asked.inf, machine.messages, machine.line)
    stubs = stubs_of(asked.source, scenario, asked.stubs)
    return Plan(
        scenario, begin, LEVELS[asked.level], asked.invariant, asked.outcome, stubs=stubs, watchdog=asked.watchdog,
        faults=check_faults(filter(None, faults.split(",")), begin), grant=str(machine), reduce=reduce,
    )  # fmt: skip


def plan_of_schedule(asked: Asked, schedule: Schedule) -> Plan:
    """What a schedule was found in."""
    keys = dict(schedule.keys)
    machine = Machine.parse(keys.pop("grant", ""))
    begin, faults = keys.pop("from", "start"), keys.pop("faults", "").replace("+", ",")
    if keys:
        unknown = ", ".join(f"{key}={value}" for key, value in keys.items())
        raise UsageError(f"schedule: {unknown} is nothing that this dirql knows; paste the whole of what explore printed")
    return plan_of(asked, machine, begin, faults, False)


def replay_line(asked: Asked, schedule: Schedule) -> str:
    """The last line of a failure."""
    return "replay: " + shlex.join(["dirql", "replay", asked.source, str(schedule), *asked.options])

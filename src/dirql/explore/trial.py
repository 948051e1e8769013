"""A trial: a scenario's system that one schedule is played on, from its start (or its workload) until it is shut down."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.errors import InputError, Unfinished
from dirql.explore.depth_first import DepthFirstTactic
from dirql.explore.director import Abandoned, Director, Tactic
from dirql.explore.faults import Faults
from dirql.explore.footprints import Footprints
from dirql.explore.outcome import Failure, Outcome
from dirql.findings import Finding, Level
from dirql.kernel.stop import BugCheck, Hang, Stop
from dirql.scenario.play import Play
from dirql.scenario.steps import Step
from dirql.scenario.values import Scenario
from dirql.system import System

if TYPE_CHECKING:
    from dirql.hosts.sys.loader import LoadedImage

__all__ = ["LATITUDE", "Plan", "Trial"]

LATITUDE = 100_000  # ns that a posted write may be late (model choice: PCIe bounds no latency)
BY_MODEL = "model"
EXPECTED = ("alloc", "grant", "remove")  # failures after which a program is told of errors; sleeping and waking is not seen
WEIGHT: Mapping[Level, int] = {"advice": 0, "warning": 1, "error": 2}


@dataclass(frozen=True)
class Plan:
    """What is explored, and what counts as failing. A value that another process can be sent.

    * begin     — "start": choices begin when the devices are started; "work": when the workload begins
    * level     — findings at or above it fail a schedule
    * invariant — `file.py:function` of (system) or (system, card): called at rest; an AssertionError, False or a sentence fails
    * outcome   — "" or `file.py:function` of the same: schedules must agree on the repr of what it returns; "model" for what
                  the devices themselves say
    """

    scenario: Scenario
    begin: str = "start"
    level: Level = "warning"
    invariant: str = ""
    outcome: str = ""
    most: int = 20_000
    stubs: Mapping[str, int] = field(default_factory=dict)
    watchdog: float = 10.0
    faults: tuple[str, ...] = ()
    grant: str = ""
    reduce: bool = False  # what steps touch is looked at, for a search that leaves orders out

    @property
    def keys(self) -> dict[str, str]:
        """What a replay has to be told besides the choices."""
        told = {"from": self.begin if self.begin != "start" else "", "faults": "+".join(self.faults), "grant": self.grant}
        return {key: value for key, value in told.items() if value}


class Trial:
    """Built, and where the plan begins with the workload started too. `go` plays one schedule, once."""

    def __init__(self, plan: Plan, *, trace: bool = False) -> None:
        self.plan = plan
        self.director = Director()
        self._footprints = Footprints()
        traced, watch = (trace, None) if not plan.reduce else (True, self._looking)
        self.play = Play(
            plan.scenario, trace=traced, watchdog=plan.watchdog, stubs=plan.stubs, chooser=self.director, watch=watch
        )  # fmt: skip
        self.play.load_calls()
        self.system = self.play.system
        self.system.observing = False
        self.system.machine.agenda.latitude = LATITUDE
        self._invariant = self._asked("--invariant", plan.invariant)
        self._outcome = self._asked("--same-outcome", plan.outcome if plan.outcome != BY_MODEL else "")
        self._faults = Faults(plan.faults, self.director, self.play)
        self._status = self.play.start() if plan.begin == "work" else None

    def go(self, tactic: Tactic) -> Outcome:
        """Play one schedule."""
        director, system = self.director, self.system
        director.begin(tactic, self.plan.most)
        if isinstance(tactic, DepthFirstTactic):
            tactic.watch(self._footprints)
        with self.play.watched():
            failures, state = self._play()
        decisions, learned = tuple(director.decisions), getattr(tactic, "learned", None)
        stop, ran = system.stopped, self._ran()
        if isinstance(stop, Abandoned):
            return Outcome(decisions, abandoned=stop.why, learned=learned, ran=ran)
        failures += _noted(system.findings, self.plan.level) + _stopped(stop, system.kernel.stuck_threads)
        told = stop.as_json() if stop is not None else None
        findings = tuple(system.findings)
        return Outcome(decisions, tuple(failures), findings, told, state, system.now, learned=learned, ran=ran)

    def _ran(self) -> frozenset[tuple[int, int]]:
        """What of images was come to since this was asked last."""
        lines = [image.ran for image in self.images]
        ran = frozenset[tuple[int, int]]().union(*lines)
        for one in lines:
            one.clear()
        return ran

    @property
    def images(self) -> list[LoadedImage]:
        """Those of the drivers."""
        return self.system.guest.images if self.system.guest is not None else []

    def _play(self) -> tuple[list[Failure], str]:
        """From its beginning to its end; what is wrong at rest, and the state there."""
        play, system, faults = self.play, self.system, self._faults
        faults.begin()
        status = play.start() if self._status is None else self._status
        if ntstatus.nt_success(status):
            faults.started()
            failed = self._work()
            if failed:
                faults.over()
                return failed, ""
        system.run()
        if system.stopped is not None:
            return [], ""
        failures: list[Failure] = []
        if not ntstatus.nt_success(status) and not faults.happened:
            failures.append(Failure("failed-start", system.framework.last_failure or ntstatus.name_of(status), "", -1))
        if faults.happened != "alloc":  # what there was no memory for is not served
            failures += self._unserved()
        failures += self._broken()
        state = self._state()
        faults.over()
        system.shut_down()
        return failures, state

    def _work(self) -> list[Failure]:
        """The workload. In the default order its error is the user's; in another one it is a failure of the schedule, unless a
        failure was chosen that a program has to expect: what then matters is that it was told."""
        try:
            self.play.work()
        except InputError as problem:
            cause = problem.__cause__ or problem.__context__
            if not any(decision.taken for decision in self.director.decisions):
                raise
            place = f"{problem.source}:{problem.where}" if problem.where else problem.source
            if isinstance(cause, Unfinished):
                return [Failure("request-not-completed", str(cause), place, -1)]
            if self._faults.happened not in EXPECTED:
                return [Failure("workload", problem.problem, place, -1)]
        return []

    def _looking(self, system: System) -> Footprints:
        self._footprints.contexts = system.framework.of_context
        self._footprints.processors = {cpu.apic: cpu.index for cpu in system.machine.cpus}
        return self._footprints

    def _asked(self, option: str, reference: str) -> Callable[[], Any] | None:
        """The user's function, to be asked at rest."""
        said = f"{option} {reference}"
        return self.play.routine(reference, self.play.cards[0].function, Step("call", said=said)) if reference else None

    def _unserved(self) -> list[Failure]:
        """What the devices that are there and started still have."""
        failures = []
        for card in self.play.cards:
            node = self.system.node(card.function)
            left = card.function.unserved() if node.stack is not None and not node.port.removed else ()
            failures += [Failure("unserved-work", what, node.name, -1) for what in left]
        return failures

    def _broken(self) -> list[Failure]:
        """What the user's invariant says."""
        if self._invariant is None:
            return []
        try:
            said = self._invariant()
        except AssertionError as problem:
            line = traceback.extract_tb(problem.__traceback__)[-1]
            said = str(problem) or f"assert failed: {line.line}"
        if said is None or said is True:
            return []
        return [Failure("invariant", said if isinstance(said, str) else f"it returned {said!r:.60}", self.plan.invariant, -1)]

    def _state(self) -> str:
        """What schedules must agree on; empty where the user does not ask for that."""
        if self._outcome is not None:
            return _told(self._outcome())
        if self.plan.outcome != BY_MODEL:
            return ""
        return repr([(card.function.name, list(card.function.unserved())) for card in self.play.cards])


def _told(value: object) -> str:
    """Its repr, with the elements of sets in one order: Python's is another one in each process."""
    match value:
        case set() | frozenset() if value:
            whole = f"{{{', '.join(sorted(map(_told, value)))}}}"
            return whole if type(value) is set else f"{type(value).__name__}({whole})"
        case dict() if type(value) is dict:
            return f"{{{', '.join(f'{_told(key)}: {_told(of)}' for key, of in value.items())}}}"
        case list() if type(value) is list:
            return f"[{', '.join(map(_told, value))}]"
        case tuple() if type(value) is tuple:
            return f"({', '.join(map(_told, value))}{',' * (len(value) == 1)})"
        case _:
            return repr(value)


def _noted(findings: Sequence[Finding], level: Level) -> list[Failure]:
    return [Failure(f.rule, f.sentence, f.where, f.cpu) for f in findings if WEIGHT[f.level] >= WEIGHT[level]]


def _stopped(stop: Stop | None, stuck_threads: Callable[[], list[str]]) -> list[Failure]:
    if stop is None:
        return [Failure("stuck", what, "", -1) for what in stuck_threads()]
    rule = f"bugcheck-{stop.code:#x}" if isinstance(stop, BugCheck) else stop.rule if isinstance(stop, Hang) else stop.kind
    return [Failure(rule, str(stop), _place(stop), -1)]


def _place(stop: Stop) -> str:
    """Where it stopped: of an image its innermost place, or the routine that it called where no call comes back to it."""
    if stop.details is None:
        found = re.search(r"\(([^()]+)\)$", stop.why)
        return found[1] if found is not None else ""
    calls = [line.partition(" ×")[0] for line in stop.details.trace if not line.startswith("---")]  # a recursion's once
    return next((line for line in calls if stop.why.endswith(f"({line})")), calls[0] if calls else "")

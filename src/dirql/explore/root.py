"""Where every schedule begins again: from scratch, or from a system that was built once.

`Scratch` builds the system anew. `Forked` builds it once and plays each schedule in a child process (POSIX). `Rewound` builds
it once too, and puts back what a schedule changed: several times as fast where it can be done, which is tried before it is relied
on. An image's code and memory are put back like all else; the overseer's thread keeps nothing of a run.
Limits: a child of `Forked` inherits what the user's model has open, as fork has it.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from greenlet import greenlet

from dirql.errors import UsageError
from dirql.explore.director import Tactic
from dirql.explore.outcome import Outcome
from dirql.explore.rewind import CannotRewind, Snapshot
from dirql.explore.tactics import Natural, Random
from dirql.explore.trial import Plan, Trial
from dirql.machine.memory import PAGE_SIZE
from dirql.system import System

if TYPE_CHECKING:
    from dirql.hosts.sys.loader import LoadedImage

__all__ = ["Forked", "Rewound", "Root", "Scratch", "root_of"]

TRIED = (Natural, partial(Random, 1), partial(Random, 2))  # what is played both ways before rewinding is relied on


def root_of(plan: Plan) -> tuple[Root, str]:
    """The fastest that holds for the plan, and why it is not the one before it."""
    forks = hasattr(os, "fork")
    try:
        rewound = Rewound(plan)
        exact = Forked(plan, rewound.trial) if forks else Scratch(plan)
        if all(exact.play(tactic()).same_as == rewound.play(tactic()).same_as for tactic in TRIED for _ in range(2)):
            return rewound, ""
        why = "a schedule came out otherwise after a rewinding"
    except CannotRewind as problem:
        why = f"what cannot be rewound: {problem}"
    return Forked(plan) if forks else Scratch(plan), why


class Root(Protocol):
    """Plays schedules from one state. `ran` are the lines of images' code that they came to, all of them together."""

    ran: set[tuple[int, int]]

    @property
    def images(self) -> list[LoadedImage]:
        """The drivers', as they lie in every system that is played on."""

    def play(self, tactic: Tactic) -> Outcome:
        """One schedule."""


class Scratch:
    """Builds everything again."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ran: set[tuple[int, int]] = set()

    @property
    def images(self) -> list[LoadedImage]:
        """Of a system more."""
        return Trial(self.plan).images

    def play(self, tactic: Tactic) -> Outcome:
        """One schedule on a new system."""
        trial = Trial(self.plan)
        outcome = trial.go(tactic)
        self.ran |= outcome.ran
        _idle_loops(trial.system)  # those left in the middle of something would never be garbage
        return outcome


class Rewound:
    """The system is built here, played here, and put back."""

    def __init__(self, plan: Plan) -> None:
        self.trial = trial = Trial(plan)
        self.ran: set[tuple[int, int]] = set()
        self.images = trial.images
        system = trial.system
        if not _at_rest(system):
            raise CannotRewind("a thread that waits")
        self._guest = system.guest
        self._view = view = system.machine.memory.view
        self._pages = [(start, bytes(view[start : start + PAGE_SIZE])) for start in system.machine.memory.taken]
        apart = [system.guest.overseer, *(image.ran for image in self.images)] if system.guest is not None else []
        self._snapshot = Snapshot([trial], _is_users, apart)

    def play(self, tactic: Tactic) -> Outcome:
        """One schedule, and back."""
        outcome = self.trial.go(tactic)
        self.ran |= outcome.ran
        system = self.trial.system
        idle = _idle_loops(system)
        self._snapshot.restore()
        system.machine.scheduler.spare_stacks[:] = idle
        view = self._view
        for start, content in self._pages:
            view[start : start + PAGE_SIZE] = content
        if self._guest is not None:
            self._guest.space.pages.flush()  # what the processor knows of pages
        return outcome


def _idle_loops(system: System) -> list[greenlet]:
    """The stacks that are good for any processor. Those in the middle of something are unwound, while no processor runs."""
    stacks = list(system.machine.scheduler.spare_stacks)
    if system.stopped is None and _at_rest(system):
        return stacks
    system.machine.cpu = system.machine.nobody
    broken = [cpu.greenlet for cpu in system.machine.cpus] + [thread.greenlet for thread in system.kernel.dispatcher.threads]
    for stack in (*stacks, *broken):
        if stack:  # begun, and not at its end
            with suppress(BaseException):  # whatever the driver does about it
                stack.throw()
    return []


def _at_rest(system: System) -> bool:
    """No stack but those of idle loops."""
    return all(cpu.greenlet is None for cpu in system.machine.cpus) and all(t.finished for t in system.kernel.dispatcher.threads)


def _is_users(module: str) -> bool:
    """Neither dirql's, nor Python's, nor an installed package's."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return top != "dirql" and top not in sys.stdlib_module_names and "site-packages" not in file


class Forked:
    """The system is built here and played in a child, which tells the outcome through a pipe."""

    def __init__(self, plan: Plan, trial: Trial | None = None) -> None:
        self.trial = trial or Trial(plan)
        self.ran: set[tuple[int, int]] = set()
        self.images = self.trial.images
        guest = self.trial.system.guest
        if guest is not None:
            guest.overseer.rest()  # its thread would not be in the child

    def play(self, tactic: Tactic) -> Outcome:
        """One schedule in a child."""
        read, write = os.pipe()
        child = os.fork()
        if not child:
            self._in_child(tactic, write)
        os.close(write)
        with open(read, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        if not told:
            raise UsageError(f"a schedule ended its process ({_words(status)}); find what in the driver or the model does that")
        outcome = pickle.loads(told)
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, Outcome)
        self.ran |= outcome.ran
        return outcome

    def _in_child(self, tactic: Tactic, write: int) -> None:
        gc.disable()  # so that what the child does not change is not touched, and not copied
        result: object
        try:
            result = self.trial.go(tactic)
        except BaseException as problem:
            result = problem
        try:
            told = pickle.dumps(result)
        except (pickle.PicklingError, AttributeError, TypeError):  # what an exception carries; its words can be told
            told = pickle.dumps(UsageError(str(result)))
        with open(write, "wb") as pipe:
            pipe.write(told)
        os._exit(0)


def _words(status: int) -> str:
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.waitstatus_to_exitcode(status)}"

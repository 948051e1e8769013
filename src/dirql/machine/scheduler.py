"""Which processor goes on: a deterministic scheduler over greenlets that asks a Chooser.

A processor that does something has a stack (a greenlet: an idle loop or the thread it runs), and interrupts nest on it as
plain calls. Control changes hands in three places only: `point`, which every kernel and framework routine passes; `park`,
where a processor waits in the middle of something; and `rest`, where it is idle and leaves its stack to the next one. By
default a processor runs on until the agenda's horizon: the next event in flight, or another processor that has fallen behind
by more than `Costs.lead`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from typing import Protocol

from greenlet import getcurrent, greenlet

from dirql.errors import UsageError
from dirql.machine.chooser import Chooser, Point
from dirql.machine.cpu import Cpu
from dirql.machine.flight import FOREVER, Agenda, Landable
from dirql.machine.openings import Openings
from dirql.machine.watch import Watch

__all__ = ["Scheduler"]

STEPS = 5_000_000  # that a run without an end may take
GRACE = 100  # expirations of periodic timers, when nothing else is left
NOBODY: frozenset[str] = frozenset()
_point: Callable[[tuple[object, ...]], Point] = partial(tuple.__new__, Point)  # without a call in Python, and often
HIGHEST = 12  # no device's interrupt is taken at this IRQL or above


class Runs(Protocol):
    """What the scheduler tells which processor runs."""

    cpu: Cpu
    watch: Watch | None

    def come_to_rest(self) -> None:
        """None does any more."""


class Scheduler:
    """Runs processors one at a time. `take(cpu)` (the kernel's) takes what is pending in the processor's APIC."""

    def __init__(
        self, agenda: Agenda, chooser: Chooser, lead: int, machine: Runs, always: bool = False
    ) -> None:
        self.agenda = agenda
        self.chooser = chooser
        self.lead = lead
        self.always = always or chooser.interleaves  # pass `point` at every routine, whatever the time
        self.ready: list[tuple[int, int, Cpu]] = []  # a heap by clock: (now, index, processor)
        self.take: Callable[[Cpu], None] = lambda cpu: None
        self.new_stack: Callable[[], greenlet] = lambda: greenlet(None)  # the kernel's idle loop, on a stack of its own
        self.spare_stacks: list[greenlet] = []
        self.machine = machine
        self._openings = Openings(agenda, self.ready)
        self._outside: greenlet | None = None
        self._until = FOREVER
        self._enough = self._grace_is_over
        self._grace = 0
        self._steps = 0
        self._stopped = ""  # what ended the last run before its time: the stacks it broke cannot go on

    def make_ready(self, cpu: Cpu, time: int) -> None:
        """`cpu` has something to do from `time` on."""
        if cpu.ready:
            return
        cpu.ready = True
        if cpu.now < time:
            cpu.now = time
        now = cpu.now
        heappush(self.ready, (now, cpu.index, cpu))
        if self.agenda.horizon > now + self.lead:
            self.agenda.horizon = now + self.lead

    def due(self, cpu: Cpu) -> bool:
        """Is it somebody else's turn? What the horizon says in one comparison, where the horizon is not asked to say more."""
        if self.chooser.interleaves:
            return True
        heap = self.agenda.heap
        if cpu.now > self._until or (heap and heap[0][0] <= cpu.now):
            return True
        return bool(self.ready) and self.ready[0][0] + self.lead <= cpu.now

    def point(self, cpu: Cpu) -> None:
        """The running processor lets others go on where it is their turn, and takes what is pending for itself."""
        heappush(self.ready, (cpu.now, cpu.index, cpu))
        chosen = self._pick(cpu)
        if chosen is not cpu:
            self._switch(chosen)
        if self.machine.watch is not None and cpu.irql < HIGHEST:
            self.machine.watch.read(cpu.apic, None)  # an interrupt that comes later is not seen here
        if cpu.apic.irr or cpu.dpc_requested:
            self.take(cpu)

    def park(self, cpu: Cpu) -> None:
        """The running processor has nothing to do; returns when it was made ready."""
        cpu.ready = False
        chosen = self._pick(None)
        if chosen is not cpu:
            self._switch(chosen)

    def rest(self, cpu: Cpu, stack: greenlet) -> None:
        """The running processor has nothing to do and nothing on its stack; returns when the stack is somebody's again: then
        `machine.cpu` says whose. One idle processor after another goes on here without a change of stacks."""
        cpu.ready = False
        cpu.greenlet = None
        chosen = self._pick(None)
        if chosen is not None and chosen.greenlet is None:
            self.machine.cpu = chosen
        else:
            self.spare_stacks.append(stack)
            self._switch(chosen)

    def give_back(self, stack: greenlet) -> None:
        """An idle loop's stack that its processor does not need while it runs a thread."""
        self.spare_stacks.append(stack)

    def spare_stack(self) -> greenlet:
        """A stack for an idle processor."""
        return self.spare_stacks.pop() if self.spare_stacks else self.new_stack()

    def run(self, until: int = FOREVER, *, enough: Callable[[], bool] | None = None, steps: int | None = None) -> None:
        """From outside: everything that can happen (up to the time `until`) happens. Where only periodic timers are left it
        goes on until it is `enough`; by default it lets `GRACE` of their expirations happen. It ends after about `steps` of what
        happens and of changes from processor to processor."""
        if self._outside is not None:
            raise UsageError("run() was called while the machine runs; a driver or model cannot run the machine it is in")
        if self._stopped:
            raise UsageError(f"run() was called after the machine had stopped ({self._stopped}); make a new machine to go on")
        self._outside, self._until, self._enough = getcurrent(), until, enough or self._grace_is_over
        self._grace = GRACE
        self._steps = FOREVER if steps is None else steps
        try:
            chosen = self._pick(None)
            if chosen is not None:
                self._switch(chosen)
        except BaseException as error:
            self._stopped = str(error) or type(error).__name__
            raise
        finally:
            self._outside = None
            self.machine.come_to_rest()

    def end_stacks(self) -> None:
        """Of idle loops, unless the machine runs or another thread has it. A stack that is to go on is never garbage, and so
        neither is what its frames name: the whole machine."""
        if self._outside is not None:
            return
        with suppress(ValueError):  # another thread's
            while self.spare_stacks:
                stack = self.spare_stacks[-1]
                stack.parent = getcurrent()
                self.spare_stacks.pop()
                if stack:
                    stack.throw()

    def spend(self, steps: int) -> None:
        """Something went on that was no change from processor to processor, and counts all the same."""
        self._steps -= steps

    @property
    def progress(self) -> tuple[int, int]:
        """Other than before where something has happened, or another processor could have gone on. A clock that runs alone is
        none: every routine that a loop calls moves it."""
        return self.agenda.clock.time, self._steps

    @property
    def unfinished(self) -> list[Cpu]:
        """Processors that were in the middle of something when `run` ended."""
        return [cpu for _, _, cpu in sorted(self.ready)]

    def restless(self) -> list[str]:
        """What would still happen by itself, were it not for the time limit of `run`; periodic timers aside."""
        if not self.ready and not self.agenda.heap:
            return []
        waiting = [f"cpu{index}" for _, index, _ in sorted(self.ready)]
        return waiting + [what.name for what in self.agenda.open() if not what.recurring]

    @property
    def running(self) -> bool:
        """True while `run` has not returned."""
        return self._outside is not None

    def _switch(self, chosen: Cpu | None) -> None:
        """Control goes to `chosen`'s stack (or outside); returns when it comes back to this one."""
        if chosen is None:
            self.machine.come_to_rest()
            target = self._outside
        else:
            self.machine.cpu = chosen
            target = chosen.greenlet or self.spare_stack()
        assert target is not None
        target.switch()

    def _pick(self, current: Cpu | None) -> Cpu | None:
        """Who goes on, after everything that is due before; None when there is nobody. Sets the horizon for who does."""
        agenda = self.agenda
        if self.chooser.interleaves:
            chosen = self._ask(current)
            agenda.horizon = -1
            return chosen
        steps = self._steps - 1
        if steps < 0:
            return None
        ready, heap, until = self.ready, agenda.heap, self._until
        while True:
            due = heap[0][0] if heap else FOREVER
            if ready:
                now = ready[0][0]
                if now < due:
                    if now > until:
                        return None
                    chosen = heappop(ready)[2]
                    break
            if due > until or (not ready and (not heap or self._only_recurs())):
                return None
            steps -= 1
            if steps < 0:
                return None
            agenda.land_next()
        self._steps = steps
        horizon = due if due < until else until
        if ready:
            behind = ready[0][0] + self.lead
            if behind < horizon:
                horizon = behind
        agenda.horizon = -1 if self.always else horizon
        return chosen

    def _grace_is_over(self) -> bool:
        self._grace -= 1
        return self._grace < 0

    def _only_recurs(self) -> bool:
        heap = self.agenda.heap
        return heap[0][2].recurring and all(what.recurring for _, _, what in heap) and self._enough()

    def _ask(self, current: Cpu | None) -> Cpu | None:
        ready, openings = self.ready, self._openings
        mine = openings.of[current] if current is not None else None
        while True:
            options = openings.options(self._until, self._only_recurs)
            self._steps -= 1
            if not options or self._steps < 0:
                return None
            spinning = NOBODY
            for _, _, cpu in ready:
                if cpu.spinning_on is not None and cpu.spinning_on.owner is not None:
                    spinning |= {openings.of[cpu].id}
            now = mine.id if mine is not None and mine in options else None
            what = self.chooser.choose(_point(("step", options, now, spinning))).what
            if isinstance(what, Cpu):
                ready.remove((what.now, what.index, what))  # sorted as it was left, it stays a heap
                return what
            self._land(what)

    def _land(self, what: Landable) -> None:
        heap = self.agenda.heap
        for place, entry in enumerate(heap):
            if entry[2] is what:
                del heap[place]  # sorted as it was left, it stays a heap
                break
        self.chooser.observe(what.name)
        self.agenda.clock.time = what.due()
        what.land_one()
        while heap and heap[0][2].window() is None:
            self.agenda.land_next()

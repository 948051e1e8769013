"""Depth-first search over schedules, without both orders of steps that do not depend on each other.

The reduction is dynamic (Flanagan and Godefroid, "Dynamic Partial-Order Reduction for Model Checking Software", POPL 2005): an
option is tried at a point only where a later step of its chain turned out to depend on the step that was taken there. Sleep sets
(Godefroid, 1996) keep an order from being met again from the other side. With a bound on preemptions every option within
the bound is tried and nothing is left out, since a schedule that stands for others may lie beyond the bound.
Limits: the chains' own clocks are left aside: what a window of time rules out in the one order of two independent steps counts as
ruled out in the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from dirql.explore.footprints import Footprint, Footprints, dependent
from dirql.explore.outcome import Outcome
from dirql.explore.tactics import FAULT

__all__ = ["DepthFirst", "DepthFirstTactic", "Sleep", "Step"]

Sleep = Mapping[str, Footprint]


class Step(NamedTuple):
    """One step of a run: what could be taken, what was, what it touched, and which options were asleep. `order` is False where
    no chain was chosen but something else (a processor for a message, a fault)."""

    ids: tuple[str, ...]
    taken: int
    touched: Footprint
    asleep: Sleep
    order: bool
    current: bool

    def preempts(self, number: int) -> bool:
        """Does option `number` take the processor away from who could go on?"""
        return _preempts(self, number)


class DepthFirstTactic:
    """Follows `prefix`, then takes the first option that is awake. `asleep` are the options at the prefix' last point whose
    orders were seen already."""

    def __init__(self, prefix: Sequence[int], asleep: Sleep) -> None:
        self._prefix = prefix
        self._chosen = 0
        self._asleep: Sleep = asleep
        self._footprints: Footprints | None = None
        self._steps: list[Step] = []
        self._redundant = False

    def watch(self, footprints: Footprints) -> None:
        """Who sees what a step touches."""
        self._footprints = footprints
        footprints.step()

    @property
    def learned(self) -> tuple[list[Step], bool]:
        """The steps of the run, up to where all was asleep: what came then was seen before."""
        self._close()
        return self._steps, self._redundant

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """The prefix' option, then the first that is awake."""
        order = kind == "step"
        self._close(ids if order else None)
        taken = 0
        if self._chosen < len(self._prefix):
            taken = self._prefix[self._chosen]
            asleep: Sleep = self._asleep if self._chosen == len(self._prefix) - 1 else {}
        else:
            asleep = self._still_asleep()
            if order and not self._redundant:
                awake = [number for number, id in enumerate(ids) if id not in asleep]
                self._redundant = not awake
                taken = awake[0] if awake else 0
        self._chosen += 1
        if not self._redundant:
            self._steps.append(Step(tuple(ids), taken, {}, asleep, order, current))
        return taken

    def forced(self, id: str) -> None:
        """A step without a choice."""
        self._close((id,))
        asleep = self._still_asleep() if self._chosen >= len(self._prefix) else {}
        self._redundant = self._redundant or id in asleep
        if not self._redundant:
            self._steps.append(Step((id,), 0, {}, asleep, True, True))

    def _close(self, open_now: Sequence[str] | None = None) -> None:
        """The step before is over, and what it touched known: its own chain too, and those that cannot go on any more after it,
        since a time window has closed, an event was cancelled or a lane flushed."""
        if self._footprints is None or not self._steps or self._redundant:
            return
        last = self._steps[-1]
        touched = dict(self._footprints.step())
        if last.order:
            gone = set(last.ids).difference(open_now) if open_now is not None else ()
            touched |= {("chain", id): True for id in (last.ids[last.taken], *gone)}
        self._steps[-1] = last._replace(touched=touched)

    def _still_asleep(self) -> Sleep:
        if not self._steps or self._redundant:
            return {}
        last = self._steps[-1]
        mover = last.ids[last.taken] if last.order else None
        return {id: touched for id, touched in last.asleep.items() if id != mover and not dependent(touched, last.touched)}


def _preempts(point: Step | _Node, number: int) -> bool:
    return point.order and point.current and number > 0 and point.ids[number].startswith("cpu")


@dataclass
class _Node:
    """A point on the path of the run before: its options, the one that was taken, those that are to be tried, and those that
    were, with what their step touched."""

    ids: tuple[str, ...]
    order: bool
    current: bool
    asleep: Sleep
    taken: int
    todo: set[str]
    fixed: bool = False  # its other options are another search's
    done: dict[str, Footprint] = field(default_factory=dict)

    def preempts(self, number: int) -> bool:
        """Does option `number` take the processor away from who could go on?"""
        return _preempts(self, number)


class DepthFirst:
    """All schedules, or with `bound` those with so many preemptions: another processor where the running one could go on. With a
    `prefix` those that begin with these choices, but for what is `asleep` at the last of them: what another search left to it."""

    def __init__(self, bound: int | None = None, prefix: Sequence[int] = (), asleep: Sleep | None = None) -> None:
        self.bound_on_preemptions = bound
        self.prefix, self.asleep = tuple(prefix), dict(asleep or {})
        self.exhausted = False
        self.redundant = 0
        self._nodes: list[_Node] = []
        self._begun = False

    @property
    def bound(self) -> str:
        """What holds once it is exhausted."""
        if self.bound_on_preemptions is not None:
            return f"every order with at most {self.bound_on_preemptions} preemption{'s' * (self.bound_on_preemptions != 1)}"
        return "every order of steps that depend on each other"

    def next(self) -> DepthFirstTactic | None:
        """The deepest point that has something left to try."""
        if not self._begun:
            self._begun = True
            return DepthFirstTactic(self.prefix, self.asleep)
        number = self._deepest()
        if number is None:
            self.exhausted = True
            return None
        node = self._nodes[-1]
        node.taken = number
        prefix = [n.taken for n in self._nodes if len(n.ids) > 1]
        return DepthFirstTactic(prefix, self._asleep(node))

    @property
    def state(self) -> tuple[Any, ...]:
        """How far it has come, as a value of which Python can read what it prints."""
        nodes = [tuple(getattr(node, one.name) for one in fields(node)) for node in self._nodes]
        return self.bound_on_preemptions, self.prefix, self.asleep, self.exhausted, self.redundant, self._begun, nodes

    @classmethod
    def of_state(cls, state: tuple[Any, ...]) -> DepthFirst:
        """It goes on from there."""
        bound, prefix, asleep, exhausted, redundant, begun, nodes = state
        search = cls(bound, prefix, asleep)
        search.exhausted, search.redundant, search._begun = exhausted, redundant, begun
        search._nodes = [_Node(*values) for values in nodes]
        return search

    def look_ahead(self) -> None:
        """Say that it is exhausted as soon as it is, without being asked for the next."""
        self.exhausted = self.exhausted or (self._begun and self._deepest() is None)

    def _deepest(self) -> int | None:
        """The option to try at the deepest point that has one left, which becomes the last of the nodes."""
        while self._nodes:
            number = self._left(self._nodes[-1])
            if number is not None:
                return number
            self._nodes.pop()
        return None

    def learn(self, outcome: Outcome) -> None:
        """The steps of the run: what is new of them, and what is to be tried at the points before."""
        steps: list[Step]
        steps, redundant = outcome.learned
        self.redundant += redundant
        chosen = 0
        for place, step in enumerate(steps):
            if place < len(self._nodes):
                node = self._nodes[place]
            else:
                everything = not self._reduces or not step.order
                todo = set(step.ids) if everything else {id for id in step.ids if id.startswith(FAULT)} | {step.ids[step.taken]}
                node = _Node(step.ids, step.order, step.current, step.asleep, step.taken, todo, chosen < len(self.prefix))
                self._nodes.append(node)
            node.done[step.ids[step.taken]] = step.touched
            chosen += len(step.ids) > 1
        if self._reduces:
            self._look_for_other_orders(steps)

    @property
    def _reduces(self) -> bool:
        return self.bound_on_preemptions is None

    def _asleep(self, node: _Node) -> Sleep:
        """Whose orders were seen when the others were tried; a failure's are never."""
        if not self._reduces or not node.order:
            return node.asleep
        seen = (*node.asleep.items(), *node.done.items())
        return {id: touched for id, touched in seen if id != node.ids[node.taken] and not id.startswith(FAULT)}

    def _left(self, node: _Node) -> int | None:
        if node.fixed:
            return None
        for number, id in enumerate(node.ids):
            awake = id not in node.asleep or not node.order
            if awake and id in node.todo and id not in node.done and self._allowed(node, number):
                return number
        return None

    def _allowed(self, node: _Node, number: int) -> bool:
        if self.bound_on_preemptions is None or not node.preempts(number):
            return True
        return sum(n.preempts(n.taken) for n in self._nodes[:-1]) < self.bound_on_preemptions

    def _look_for_other_orders(self, steps: Sequence[Step]) -> None:
        """Where a step depends on one of another chain before it, and nothing between them says that it had to come after, its
        chain is to be tried first there. What came before a step is kept as a bit mask over the run's steps."""
        past: dict[str, int] = {}  # of each chain: what came before its next step
        wrote: dict[object, tuple[int, int]] = {}  # (step, what came before it and itself)
        read: dict[object, list[tuple[int, int]]] = {}
        open_before: frozenset[str] = frozenset()
        chain, place = "", 0  # of the step before
        before = 0
        for number, step in enumerate(steps):
            if step.order:
                for id in step.ids:
                    if id not in open_before and id != chain:
                        past[id] = past.get(id, 0) | before  # the step before let it go on
                open_now = frozenset(step.ids)
                for id in open_before - open_now - {chain}:
                    self._nodes[place].todo.add(id)  # the step before took it away: cancelled, flushed, out of its window
                open_before = open_now
                chain, place = step.ids[step.taken], number
            known = past.get(chain, 0)
            before = known
            for what, writes in step.touched.items():
                others = [wrote[what]] if what in wrote else []
                if writes:
                    others += read.get(what, [])
                for other, mask in others:
                    if not known >> other & 1:
                        self._try_first(steps, other, chain, place, past)
                    before |= mask
            before |= 1 << place
            past[chain] = before
            for what, writes in step.touched.items():
                if writes:
                    wrote[what] = place, before
                    read[what] = []
                else:
                    read.setdefault(what, []).append((place, before))

    def _try_first(self, steps: Sequence[Step], place: int, chain: str, later: int, past: Mapping[str, int]) -> None:
        node = self._nodes[place]
        if chain in node.ids:
            node.todo.add(chain)
            return
        known = past.get(chain, 0)
        for step in range(place + 1, later):  # a chain whose steps led to the later one
            mover = steps[step].ids[steps[step].taken]
            if known >> step & 1 and steps[step].order and mover in node.ids:
                node.todo.add(mover)
                return
        node.todo.update(node.ids)

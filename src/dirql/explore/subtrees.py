"""Cuts the tree of a depth-first search into subtrees that are searched apart: by processes, by machines.

Above the cut every option that is awake is taken: whether it matters is only known of a run, and the runs are others'. What an
option's step touched still puts it to sleep in the subtrees after its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dirql.explore.depth_first import DepthFirst, DepthFirstTactic, Sleep, Step
from dirql.explore.root import Root
from dirql.explore.tactics import FAULT

__all__ = ["subtrees"]

DEEPEST = 40  # choices above the cut


@dataclass
class _Branch:
    """A prefix, what is asleep at its last choice, and the steps of a run that begins with it."""

    prefix: tuple[int, ...]
    asleep: Sleep
    steps: list[Step]
    redundant: bool
    preemptions: int = 0

    @property
    def last(self) -> Step:
        """The prefix' last choice, as it was played."""
        return [step for step in self.steps if len(step.ids) > 1][len(self.prefix) - 1]

    @property
    def open(self) -> Step | None:
        """The first choice behind the prefix."""
        choices = [step for step in self.steps if len(step.ids) > 1]
        return choices[len(self.prefix)] if len(choices) > len(self.prefix) else None


def subtrees(root: Root, bound: int | None, wanted: int) -> list[DepthFirst]:
    """At least so many searches that share the work, in the order of their prefixes, or fewer where the tree is small."""
    level = [_play(root, (), {}, 0)]
    for _ in range(DEEPEST):
        if len(level) >= wanted or all(branch.open is None for branch in level):
            break
        level = [child for branch in level for child in _children(root, branch, bound)]
    return [DepthFirst(bound, branch.prefix, branch.asleep) for branch in level]


def _play(root: Root, prefix: tuple[int, ...], asleep: Sleep, preemptions: int) -> _Branch:
    steps, redundant = root.play(DepthFirstTactic(prefix, asleep)).learned or ([], False)
    return _Branch(prefix, asleep, steps, redundant, preemptions)


def _children(root: Root, branch: _Branch, bound: int | None) -> Iterator[_Branch]:
    """One for each option that is awake; the branch itself where there is nothing to choose."""
    choice = branch.open
    if choice is None:
        if not branch.redundant:
            yield branch
        return
    asleep = dict(choice.asleep)
    for number, id in enumerate(choice.ids):
        preemptions = branch.preemptions + choice.preempts(number)
        if (choice.order and id in choice.asleep) or (bound is not None and preemptions > bound):
            continue
        child = _play(root, (*branch.prefix, number), dict(asleep), preemptions)
        yield child
        if bound is None and choice.order and not id.startswith(FAULT):
            asleep[id] = child.last.touched

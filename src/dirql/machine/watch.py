"""Who looks on: told of what the running code touches, so that a race, or the steps that depend on each other, can be seen.

`Machine.watch` is None unless somebody looks; what is on the hot path asks only where it traces too, so a watch wants a trace.
`what` is the thing itself, or what stands for it: ("vector", cpu, vector), ("dpcs", cpu), a `Variable`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

__all__ = ["Variable", "Watch", "Watches"]


class Watch(Protocol):
    """What runs is the machine's running processor with its ISR, DPC, work item or thread, or between `lands` and `landed` the
    event that lands. A part is what tells two places of one thing apart: an attribute's name, an offset, of RAM (an address,
    a length)."""

    def read(self, what: object, part: Hashable) -> None:
        """Shared data, or state of the machine's whose order matters, is read."""

    def write(self, what: object, part: Hashable) -> None:
        """Shared data, or state of the machine's whose order matters, is written."""

    def acquire(self, what: object) -> None:
        """What was done before `what` was released is known from here on: a lock taken, an event waited for, a queue emptied."""

    def release(self, what: object) -> None:
        """What was done so far is known to whoever acquires `what`: a lock given, an event set, a DPC queued."""

    def may_change(self, what: object, part: Hashable = None) -> None:
        """A routine of `what` is called, or something is reached that is changed through it: no access to data, and yet its order
        may matter."""

    def waits(self, what: object) -> None:
        """`what` was found taken, or not signalled: it would have been otherwise in another order."""

    def begins(self, what: object) -> None:
        """On the running processor begins an ISR (an interrupt object), a DPC or a work item, which acquires `what`. What it
        interrupted, or the thread that it runs on, goes on after `ends`."""

    def ends(self) -> None:
        """The innermost of them has."""

    def lands(self, what: object) -> None:
        """An event in flight (a lane's head, a timer) begins to happen; it acquires `what`."""

    def landed(self, what: object) -> None:
        """It has."""


class Variable:
    """What an interlocked operation acquires and releases: an attribute, or an address of RAM. `variable` is equal for the same
    one; `name` is the same in every run."""

    __slots__ = ("name", "owner", "variable")

    def __init__(self, owner: object, part: Hashable) -> None:
        self.owner, self.name = owner, f"{type(owner).__name__}.{part}"
        self.variable = "interlocked", id(owner), part


class Watches:
    """Several watches as one."""

    def __init__(self, *watches: Watch) -> None:
        self.watches = watches

    def read(self, what: object, part: Hashable) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.read(what, part)

    def write(self, what: object, part: Hashable) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.write(what, part)

    def acquire(self, what: object) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.acquire(what)

    def release(self, what: object) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.release(what)

    def may_change(self, what: object, part: Hashable = None) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.may_change(what, part)

    def waits(self, what: object) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.waits(what)

    def begins(self, what: object) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.begins(what)

    def ends(self) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.ends()

    def lands(self, what: object) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.lands(what)

    def landed(self, what: object) -> None:
        """Told to each."""
        for watch in self.watches:
            watch.landed(what)

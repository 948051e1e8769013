"""Message vectors of one function: which may be sent now, which are pending, what became of each (PCIe 6.0 §6.1.4).

MSI and MSI-X differ in where address, data and mask bits live; what follows from them is here, once. `_ready` holds what
each vector would send if only its own mask counted; `live` is that list while nothing function-wide holds the messages, and a
list of None otherwise, so that a function-wide change costs nothing per vector.

Limits: a function-wide hold does not pace anything: messages that it held leave back to back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from dirql.errors import UsageError
from dirql.pci.function import Fate, Function, Message

__all__ = ["Deliver", "Vectors"]

Deliver = Callable[[Function, Message, Fate], None]


def _not_plugged_in(function: Function, message: Message, fate: Fate) -> None:
    fate.drop("not plugged in")


class Vectors:
    """The vectors of one MSI or MSI-X capability; `fire` and `withdraw` are the device's side."""

    what: ClassVar[str] = ""

    def __init__(self, owner: Function, count: int) -> None:
        self.owner = owner
        self.deliver: Deliver = _not_plugged_in
        self.fates = [Fate(i) for i in range(count)]
        self._fate_of = dict(enumerate(self.fates))  # a dict: a negative vector must not count from the end
        self._ready: list[Message | None] = [None] * count
        self._shut: list[Message | None] = [None] * count
        self.live = self._shut
        self._pending = 0
        self._closed = ""

    def __len__(self) -> int:
        return len(self.fates)

    @property
    def enabled(self) -> bool:
        """The enable bit of Message Control."""
        raise NotImplementedError

    @property
    def function_mask(self) -> bool:
        """All vectors are masked at once; MSI has no such bit."""
        return False

    def masked(self, vector: int) -> bool:
        """The vector's own mask bit or the function mask is set."""
        raise NotImplementedError

    def pending(self, vector: int) -> bool:
        """The vector's Pending bit."""
        return bool(self._pending >> self._fate(vector).entry & 1)

    def fire(self, vector: int) -> None:
        """The device has something to tell: send the vector's message, or hold or drop it as the capability says."""
        try:
            fate, message = self._fate_of[vector], self.live[vector]
        except (KeyError, TypeError):
            raise self._no_vector(vector) from None
        fate.sent += 1
        if message is not None:
            deliver = self.deliver  # a call through an attribute would be looked up as a method first
            deliver(self.owner, message, fate)
        else:
            self._hold(fate)

    def withdraw(self, vector: int) -> None:
        """The cause went away: a pending message must not be sent any more (§6.1.4.5)."""
        fate = self._fate(vector)
        if self._pending >> fate.entry & 1:
            self._latch(self._pending & ~(1 << fate.entry))
            fate.latched -= 1
            fate.withdrawn += 1

    def gate(self, closed: str = "") -> None:
        """Look again at the capability's own bits; `closed` says why the function may send no request at all ("": it may)."""
        self._closed = closed
        self.live = self._ready if self.enabled and not closed and not self.function_mask else self._shut
        self.settle()

    def settle(self) -> None:
        """Send every pending vector that nothing holds; every write ends here."""
        waiting = self._pending
        while waiting:
            lowest = waiting & -waiting
            waiting ^= lowest
            vector = lowest.bit_length() - 1
            message = self.live[vector]
            if message is None or not self._pending & lowest:  # the second: a delivery may have withdrawn it
                continue
            self._latch(self._pending & ~lowest)
            fate = self.fates[vector]
            fate.latched -= 1
            self.deliver(self.owner, message, fate)

    def reset(self) -> None:
        """Every Pending bit clears, and what it held is lost."""
        for fate in self.fates:
            if fate.latched:
                fate.latched = 0
                fate.drop("reset")
        self._latch(0)

    def _hold(self, fate: Fate) -> None:
        if not self.enabled:
            fate.drop(f"{self.what} not enabled")  # model choice: not latched, as QEMU's devices do
        elif self._pending >> fate.entry & 1:
            fate.merged += 1
        elif self.masked(fate.entry):
            fate.latched += 1
            self._latch(self._pending | 1 << fate.entry)
        else:
            fate.drop(self._closed)  # model choice: lost with Bus Master Enable off, as in QEMU

    def _latch(self, pending: int) -> None:
        self._pending = pending

    def _fate(self, vector: int) -> Fate:
        try:
            return self._fate_of[vector]
        except (KeyError, TypeError):
            raise self._no_vector(vector) from None

    def _no_vector(self, vector: object) -> UsageError:
        who, last = f"{self.owner.name} {self.what} vector", len(self.fates) - 1
        if not isinstance(vector, int):
            return UsageError(f"{who} {vector!r:.40}: a vector is a whole number, 0 to {last}")
        return UsageError(f"{who} {vector}: there are {last + 1}, 0 to {last}; use one of them or declare more")

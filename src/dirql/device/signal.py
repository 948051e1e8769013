"""From a device's interrupt sources to whatever the driver's side has enabled: MSI-X vectors, MSI messages or the line.

What a model must get right is in one place here (PCIe 6.0 §6.1.4, PCI 3.0 §6.8):

* the mode is looked up at every event: software may change it at any time;
* a message tells of an *event*, the line is a *level*, the OR of the sources that are raised, brought up to date at every
  change in every mode (the endpoint knows whether it may leave the function);
* with fewer MSI messages granted than sources, the message number is the vector modulo the grant;
* a cause that goes away while its message is latched takes the message back (PCIe 6.0 §6.1.4.5), unless another cause shares it.

Model choice, where the standard leaves it to the device: a source that stands when software enables messages is not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dirql.pci.endpoint import Endpoint

__all__ = ["InterruptSignal", "Line"]


class Line:
    """The function's INTx pin as a level."""

    __slots__ = ("_intx",)

    def __init__(self, endpoint: Endpoint) -> None:
        self._intx = endpoint.intx

    @property
    def asserted(self) -> bool:
        """The device's condition; whether it shows on the wire is up to Interrupt Disable and the mode."""
        return self._intx.condition

    def assert_(self) -> None:
        """The device wants service."""
        self.set(True)

    def deassert(self) -> None:
        """The device no longer wants service."""
        self.set(False)

    def set(self, asserted: bool) -> None:
        """The level; telling the same level twice is one event."""
        if asserted is not self._intx.condition:
            self._intx.set(asserted)


class InterruptSignal:
    """The sources of a device. `raise_source` and `lower_source` are the whole job for a device with a level per source;
    `message`, `withdraw` and `line` are the parts for one that has rules of its own in between (masks, moderation)."""

    def __init__(self, endpoint: Endpoint, line: Line) -> None:
        self._msix, self._msi = endpoint.msix, endpoint.msi
        self._line = line
        self._raised: dict[int, int] = {}  # source → its vector

    @property
    def raised(self) -> tuple[int, ...]:
        """The sources that want service, lowest first."""
        return tuple(sorted(self._raised))

    @property
    def messages(self) -> int:
        """How many different messages software enabled; 0 when the line is all there is."""
        if self._msix is not None and self._msix.enabled:
            return len(self._msix)
        return self._msi.granted if self._msi is not None and self._msi.enabled else 0

    def message(self, vector: int) -> bool:
        """An event on `vector`: send its message. False when no messages are enabled."""
        msix = self._msix
        if msix is not None:
            live = msix.live
            if (vector < len(live) and live[vector] is not None) or msix.enabled:  # the first is the usual, quick way
                msix.fire(vector)
                return True
        msi = self._msi
        if msi is not None and msi.enabled:
            msi.fire(vector % msi.granted)
            return True
        return False

    def withdraw(self, vector: int, others: Iterable[int] = ()) -> None:
        """The cause behind `vector` is gone: a latched message goes with it. `others` are vectors whose cause stands."""
        if self._msix is not None:  # enabled or not: a Pending bit may outlive the enable bit
            self._msix.withdraw(vector)
        msi = self._msi
        if msi is not None:
            granted = msi.granted
            if all((other - vector) % granted for other in others):
                msi.withdraw(vector % granted)

    def line(self, active: bool) -> None:
        """The level for the line: true while any cause stands."""
        self._line.set(active)

    def raise_source(self, source: int, vector: int | None = None) -> None:
        """The source wants service; its vector is its own number unless said. Every call is an event of its own."""
        vector = source if vector is None else vector
        self._raised[source] = vector
        self.message(vector)
        self.line(True)

    def lower_source(self, source: int) -> None:
        """The source was served."""
        vector = self._raised.pop(source, None)
        if vector is not None:
            if vector not in self._raised.values():
                self.withdraw(vector, self._standing())
            self.line(bool(self._raised))

    def lower_all(self) -> None:
        """No source wants service any more: reset."""
        for source in list(self._raised):
            self.lower_source(source)
        self.line(False)

    def _standing(self) -> Iterator[int]:
        yield from self._raised.values()

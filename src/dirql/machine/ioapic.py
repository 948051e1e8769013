"""The I/O APIC: level-triggered, shared interrupt lines (Intel 82093AA; PCI 3.0 §2.2.6 for who shares them).

Limits: 24 pins, one I/O APIC; edge-triggered pins are not modelled, since PCI lines are level-triggered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["PINS", "IoApic", "Redirection"]

PINS = 24


@dataclass
class Redirection:
    """One pin: where it leads, who holds it asserted, and whether an interrupt of it is in service."""

    vector: int = 0
    targets: tuple[int, ...] = ()
    masked: bool = True
    remote_irr: bool = False
    asserted_by: set[object] = field(default_factory=set)
    refires: int = 0  # in a row, without the line having been released in between


class _Pins(dict[int, Redirection]):
    """Those that were ever used: few are."""

    def __missing__(self, gsi: int) -> Redirection:
        if not 0 <= gsi < PINS:
            raise IndexError(f"GSI {gsi}: the I/O APIC has {PINS} pins, 0 to {PINS - 1}")
        pin = self[gsi] = Redirection()
        return pin


class IoApic:
    """`deliver(targets, vector)` is called for each interrupt that a pin raises."""

    def __init__(self, deliver: Callable[[tuple[int, ...], int], None]) -> None:
        self.pins = _Pins()
        self._deliver = deliver

    def program(self, gsi: int, vector: int, targets: tuple[int, ...]) -> None:
        """Route pin `gsi` and unmask it."""
        pin = self.pins[gsi]
        pin.vector, pin.targets, pin.masked = vector, targets, False
        self._settle(pin)

    def mask(self, gsi: int) -> None:
        """Nothing of this pin is delivered until it is programmed again."""
        self.pins[gsi].masked = True
        self.pins[gsi].remote_irr = False

    def set(self, gsi: int, source: object, asserted: bool) -> None:
        """`source` drives the line; it is asserted while anybody drives it (wired OR)."""
        pin = self.pins[gsi]
        if asserted:
            pin.asserted_by.add(source)
        else:
            pin.asserted_by.discard(source)
            if not pin.asserted_by:
                pin.refires = 0
        self._settle(pin)

    def eoi(self, vector: int) -> int:
        """A processor is done with `vector`; a line that is still asserted fires again. Returns how often in a row
        it has now fired without being released."""
        most = 0
        for _, pin in sorted(self.pins.items()):
            if pin.remote_irr and pin.vector == vector:
                pin.remote_irr = False
                pin.refires += bool(pin.asserted_by)
                most = max(most, pin.refires)
                self._settle(pin)
        return most

    def _settle(self, pin: Redirection) -> None:
        if pin.asserted_by and not pin.masked and not pin.remote_irr:
            pin.remote_irr = True
            self._deliver(pin.targets, pin.vector)

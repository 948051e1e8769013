"""INTx: the emulated interrupt line of a function, a level (PCIe 6.0 §6.1.2, §7.5.1.1.3, §7.5.1.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from dirql.pci.header import Type0Header

__all__ = ["Intx"]


def _nowhere(asserted: bool) -> None:
    """Not plugged in."""


class Intx:
    """The line: a level condition, and the gates between it and the wire."""

    def __init__(self, header: Type0Header) -> None:
        self._header = header
        self.pin: int = header.interrupt_pin.pin
        self.drive: Callable[[bool], None] = _nowhere
        self.condition = False
        self.asserted = False
        self._quiet = False

    def set(self, asserted: bool) -> None:
        """The device's condition; what the wire does is the gates' business. Nothing happens where Interrupt Pin is 0."""
        self.condition = bool(asserted)
        self.settle()

    def gate(self, quiet: bool) -> None:
        """`quiet`: MSI or MSI-X is enabled, or the power state forbids it; look at Interrupt Disable again as well."""
        self._quiet = quiet
        self.settle()

    def settle(self) -> None:
        """Bring Interrupt Status and the wire in line with condition and gates."""
        shown = self.condition and self.pin != 0 and not self._quiet
        self._header.status.interrupt_status = int(shown)
        wanted = shown and not self._header.command.interrupt_disable
        if wanted != self.asserted:
            self.asserted = wanted
            self.drive(wanted)

    def reset(self) -> None:
        """The condition is gone."""
        self.set(False)

"""MSI: one address, consecutive data, in configuration space (PCIe 6.0 §7.7.1, §6.1.4).

Model choices, where the standard leaves it open: a function that was granted 2^n messages folds message i onto i
modulo 2^n; a Multiple Message Enable above Multiple Message Capable grants what is capable; Pending bits survive MSI Enable
and Bus Master Enable going to 0; the message address and data reset to 0.
"""

from __future__ import annotations

from typing import ClassVar

from dirql.pci.capabilities import MsiCapability
from dirql.pci.function import Function, Message
from dirql.pci.vectors import Vectors

__all__ = ["Msi"]


class Msi(Vectors):
    """The MSI side of a function. A fate belongs to the message that leaves: entry i modulo `granted`."""

    what: ClassVar[str] = "MSI"

    def __init__(self, owner: Function, capability: MsiCapability) -> None:
        self.capability = capability
        self._control = capability.control
        self._mask, self._pending_bits = capability.views.get("mask"), capability.views.get("pending")
        super().__init__(owner, 1 << min(self._control.multiple_message_capable, 5))

    @property
    def enabled(self) -> bool:
        return bool(self._control.enable)

    @property
    def granted(self) -> int:
        """Messages that software granted: a power of two."""
        enable: int = self._control.multiple_message_enable
        return min(1 << enable, len(self.fates))

    @property
    def excess(self) -> str:
        """What is wrong with Multiple Message Enable; empty when the function is capable of it (§7.7.1.2)."""
        enable, capable = self._control.multiple_message_enable, len(self.fates)
        if 1 << enable <= capable:
            return ""
        able = f"{capable} message{'s' if capable > 1 else ''}"
        limit = f"is above what the function is capable of, {able}; {self.granted} granted here"
        return f"Multiple Message Enable {enable:#x} ({1 << enable} messages) {limit}"

    def masked(self, vector: int) -> bool:
        entry = self._fate(vector).entry
        return self._mask is not None and bool(self._mask.bits >> entry & 1)

    def message(self, vector: int) -> Message:
        """What leaves for message `vector`, masked or not: only the low bits of the data are the function's (§6.1.4.3)."""
        views, low = self.capability.views, self.granted - 1
        upper = views["upper_address"].value if "upper_address" in views else 0
        data = views["data"].value
        if self._control.extended_data_enable:
            data |= views["extended_data"].value << 16
        return Message(upper << 32 | views["address"].value, data & ~low | self._fate(vector).entry & low)

    def gate(self, closed: str = "") -> None:
        low = self.granted - 1
        for vector in range(len(self.fates)):
            self._fate_of[vector] = self.fates[vector & low]
            self._ready[vector] = None if self.masked(vector) else self.message(vector)
        super().gate(closed)

    def _latch(self, pending: int) -> None:
        super()._latch(pending)
        if self._pending_bits is not None:
            self._pending_bits.bits = pending

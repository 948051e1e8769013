"""A processor: its clock, its IRQL, its local APIC and the stack it runs on."""

from __future__ import annotations

from typing import Any

from greenlet import greenlet

from dirql.machine.apic import LocalApic

__all__ = ["Cpu"]


class Cpu:
    """One processor. `now` is its own virtual time: processors run side by side, so each has a clock.

    `ready` is False while it waits for an interrupt or for a lock. What the kernel keeps per processor (the interrupt
    descriptor table, the DPC queue, the current thread) hangs here too, since real kernels keep it in the KPCR.
    """

    __slots__ = (
        "apic", "bit", "direct", "dpc", "dpc_requested", "dpcs", "greenlet", "idt", "index", "irql", "locks", "now", "ready",
        "spinning_on", "thread",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.bit = 1 << index if index >= 0 else 0
        self.now = 0
        self.irql = 0
        self.ready = False
        self.apic = LocalApic()
        self.greenlet: greenlet | None = None  # the stack it goes on with; None while it is idle and needs none
        self.idt: list[Any] = [None] * 256  # the interrupt objects of each vector
        self.direct: list[Any] = [None] * 256  # the one of each vector that has a single one, to be called at once
        self.dpcs: Any = None
        self.dpc_requested = False
        self.dpc: Any = None  # the DPC that runs now
        self.thread: Any = None
        self.spinning_on: Any = None
        self.locks: Any = None  # the spin locks that its code took: the innermost, and what was held before

    @property
    def servicing(self) -> Any:
        """The interrupt object whose service routine runs now, None outside of any."""
        if not self.apic.in_service:
            return None
        return next((i for i in self.idt[self.apic.in_service[-1]] or () if i.lock.owner is self), None)

    def __repr__(self) -> str:
        return f"<cpu{self.index} irql={self.irql} now={self.now}>"

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
        "apic", "bit", "dpc", "dpc_requested", "dpcs", "greenlet", "idle", "idt", "index", "irql", "now", "ready", "servicing",
        "spinning_on", "thread",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.bit = 1 << index if index >= 0 else 0
        self.now = 0
        self.irql = 0
        self.ready = False
        self.apic = LocalApic()
        self.greenlet: greenlet | None = None  # what runs, or resumes, when this processor goes on
        self.idle: greenlet | None = None  # its idle loop
        self.idt: list[Any] = [None] * 256
        self.dpcs: Any = None
        self.dpc_requested = False
        self.dpc: Any = None  # the DPC that runs now
        self.thread: Any = None
        self.servicing: Any = None  # the interrupt object whose ISR runs now
        self.spinning_on: Any = None

    def __repr__(self) -> str:
        return f"<cpu{self.index} irql={self.irql} now={self.now}>"

"""The stripped loop: what one message costs in this interpreter when nothing but the work itself is left.

Plain objects and lists do the table look-up, the mask test, the APIC bit, the priority test, the call of the interrupt
service routine, the queueing of the DPC and its call, with none of dirql's layers: no capability, no memory write, no flight,
no time, no fates, no locks, no IRQL checks, no trace. It is written as one would write it for reading, not for speed.

Limits: a message whose IRR bit is set already is lost without a count; a masked one stays in `pending`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

__all__ = ["StrippedLoop"]


class Entry:
    """One entry of the message table."""

    __slots__ = ("masked", "processor", "vector")

    def __init__(self, processor: Processor, vector: int) -> None:
        self.processor, self.vector = processor, vector
        self.masked = False


class Interrupt:
    """What a vector leads to: an interrupt service routine that queues a DPC."""

    __slots__ = ("dpc", "isr", "message")

    def __init__(self, message: int, isr: Callable[[Interrupt, Processor], None], dpc: Callable[[Interrupt], None]) -> None:
        self.message, self.isr, self.dpc = message, isr, dpc


class Processor:
    """Request bits, the interrupt descriptor table, the priority it runs at and its DPC queue."""

    __slots__ = ("dpcs", "idt", "irql", "irr")

    def __init__(self) -> None:
        self.irr = self.irql = 0
        self.idt: list[Interrupt | None] = [None] * 256
        self.dpcs: deque[Interrupt] = deque()


class StrippedLoop:
    """A table of messages, processors and a driver that notes in `taken` which messages its DPCs ran for.

    `routes` says (processor, vector) for each message.
    """

    def __init__(self, processors: int, routes: Sequence[tuple[int, int]]) -> None:
        self.processors = [Processor() for _ in range(processors)]
        self.table: list[Entry] = []
        self.taken: list[int] = []
        self.pending = 0
        for message, (index, vector) in enumerate(routes):
            processor = self.processors[index]
            processor.idt[vector] = Interrupt(message, self.isr, self.dpc)
            self.table.append(Entry(processor, vector))

    def fire(self, message: int) -> None:
        """The device's side: the table, the mask, the bit in the processor's APIC."""
        entry = self.table[message]
        if entry.masked:
            self.pending |= 1 << message
        else:
            entry.processor.irr |= 1 << entry.vector

    def run(self) -> None:
        """Every processor takes what is pending above its priority, highest vector first, then runs its DPCs."""
        for processor in self.processors:
            while processor.irr:
                vector = processor.irr.bit_length() - 1
                before = processor.irql
                if vector >> 4 <= before:
                    break
                processor.irr ^= 1 << vector
                interrupt = processor.idt[vector]
                if interrupt is not None:
                    processor.irql = vector >> 4
                    interrupt.isr(interrupt, processor)
                    processor.irql = before
            while processor.dpcs:
                interrupt = processor.dpcs.popleft()
                interrupt.dpc(interrupt)

    def isr(self, interrupt: Interrupt, processor: Processor) -> None:
        """The driver's interrupt service routine."""
        processor.dpcs.append(interrupt)

    def dpc(self, interrupt: Interrupt) -> None:
        """The driver's DPC."""
        self.taken.append(interrupt.message)

    def everything(self) -> None:
        """Fire every message once, then let all of them be served."""
        fire = self.fire
        for message in range(len(self.table)):
            fire(message)
        self.run()

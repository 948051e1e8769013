"""The stripped loop: what one message costs in this interpreter when nothing but the work itself is left.

Plain objects and lists do the table look-up, the mask test, the APIC bit, the priority test, the call of the interrupt
service routine, the queueing of the DPC and its call, with none of dirql's layers: no capability, no flight, no time, no
fates, no locks, no IRQL checks, no trace. It is written for reading: an object for each part and a method for each of its
jobs, but no layer that only passes on.

Limits: two messages of one vector are one interrupt without a count of it; a masked one waits in `pending` for good.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

__all__ = ["StrippedLoop"]

MESSAGE_BASE = 0xFEE0_0000
DISPATCH_LEVEL = 2


class Entry:
    """One entry of the message table: the memory write that is the message, and the mask bit."""

    __slots__ = ("address", "data", "masked")

    def __init__(self, address: int, data: int) -> None:
        self.address, self.data, self.masked = address, data, False


class Dpc:
    """A routine with its context, in one queue at most."""

    __slots__ = ("context", "queued", "routine")

    def __init__(self, routine: Callable[[int], None], context: int) -> None:
        self.routine, self.context, self.queued = routine, context, False


class Interrupt:
    """What a vector leads to: the interrupt service routine, and the DPC that it queues."""

    __slots__ = ("dpc", "isr")

    def __init__(self, isr: Callable[[Interrupt, Processor], bool], dpc: Dpc) -> None:
        self.isr, self.dpc = isr, dpc


class Apic:
    """A request bit for each vector."""

    __slots__ = ("irr",)

    def __init__(self) -> None:
        self.irr = 0

    def accept(self, vector: int) -> None:
        """Request `vector`."""
        self.irr |= 1 << vector

    def highest(self) -> int:
        """The highest vector requested."""
        return self.irr.bit_length() - 1

    def acknowledge(self, vector: int) -> None:
        """`vector` is being served."""
        self.irr &= ~(1 << vector)


class Processor:
    """Its APIC, its interrupt descriptor table, the level it runs at and its DPC queue."""

    __slots__ = ("apic", "dpcs", "idt", "irql")

    def __init__(self) -> None:
        self.apic = Apic()
        self.irql = 0
        self.idt: list[Interrupt | None] = [None] * 256
        self.dpcs: deque[Dpc] = deque()

    def take(self) -> None:
        """Serve what is requested above the level, highest first, then the DPCs."""
        apic = self.apic
        while apic.irr:
            vector = apic.highest()
            before = self.irql
            if vector >> 4 <= before:
                break
            apic.acknowledge(vector)
            interrupt = self.idt[vector]
            if interrupt is not None:
                self.irql = vector >> 4
                interrupt.isr(interrupt, self)
                self.irql = before
        if self.dpcs:
            self.drain()

    def queue(self, dpc: Dpc) -> bool:
        """False when it is queued already."""
        if dpc.queued:
            return False
        dpc.queued = True
        self.dpcs.append(dpc)
        return True

    def drain(self) -> None:
        """Run what is queued."""
        before, self.irql = self.irql, DISPATCH_LEVEL
        while self.dpcs:
            dpc = self.dpcs.popleft()
            dpc.queued = False
            dpc.routine(dpc.context)
        self.irql = before


class StrippedLoop:
    """A card's message table, processors, and a driver that notes in `taken` which messages its DPCs ran for.

    `routes` says (processor, vector) for each message.
    """

    def __init__(self, processors: int, routes: Sequence[tuple[int, int]]) -> None:
        self.processors = [Processor() for _ in range(processors)]
        self.table: list[Entry] = []
        self.taken: list[int] = []
        self.pending = 0
        for message, (processor, vector) in enumerate(routes):
            self.processors[processor].idt[vector] = Interrupt(self.isr, Dpc(self.dpc, message))
            self.table.append(Entry(MESSAGE_BASE | processor << 12, vector))

    def fire(self, message: int) -> None:
        """The device's side: the table and the mask."""
        entry = self.table[message]
        if entry.masked:
            self.pending |= 1 << message
        else:
            self.processors[entry.address >> 12 & 0xFF].apic.accept(entry.data & 0xFF)

    def run(self) -> None:
        """Let every processor serve what it has."""
        for processor in self.processors:
            if processor.apic.irr:
                processor.take()

    def isr(self, interrupt: Interrupt, processor: Processor) -> bool:
        """The driver's interrupt service routine."""
        processor.queue(interrupt.dpc)
        return True

    def dpc(self, message: int) -> None:
        """The driver's DPC."""
        self.taken.append(message)

    def everything(self, rounds: int = 1) -> None:
        """In each round fire every message once, then let all of them be served."""
        for _ in range(rounds):
            for message in range(len(self.table)):
                self.fire(message)
            self.run()

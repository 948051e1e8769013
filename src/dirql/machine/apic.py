"""Local APICs and the way from a message to a vector on a processor (Intel SDM vol. 3, ch. 11 "APIC").

A message is decoded once and its route kept. Up to eight processors a set of targets is the flat logical destination;
above eight it needs interrupt remapping, as on real machines (remappable format of Intel VT-d §5.1.2.2: address bit 4, the
handle in bits 19:5 and 2, bit 3 for "add the data". Model choice: 256 consecutive entries for each set, and the data is
the vector, so that the consecutive data of a function's MSI messages reach consecutive vectors).
"""

from __future__ import annotations

from typing import NamedTuple

from dirql.errors import NotModelled, UsageError
from dirql.pci.function import Fate, Message

__all__ = ["DEVICE_VECTORS", "LocalApic", "MessageRouter", "Route"]

DEVICE_VECTORS = range(0x30, 0xC0)  # what Windows gives devices (model choice, facts §5.1)
MESSAGE_BASE = 0xFEE00000
LOGICAL = 1 << 2
REDIRECTION_HINT = 1 << 3
SUBHANDLE_VALID = 1 << 3  # in the remappable format
REMAPPED = 1 << 4
MAXIMUM_SETS = 256
LOWEST_PRIORITY = 1 << 8


class LocalApic:
    """One processor's: an IRR bit (requested) and an ISR bit (in service) per vector, hence at most two outstanding
    interrupts per vector. The task priority is the processor's IRQL. Interrupts nest, so the ISR is kept as a stack."""

    __slots__ = ("fates", "in_service", "irr", "level")

    def __init__(self) -> None:
        self.irr = 0
        self.in_service: list[int] = []  # vectors, the innermost last
        self.level = 0  # trigger mode register: vectors that came from a level-triggered pin
        self.fates: list[Fate | None] = [None] * 256  # whose message each IRR bit stands for

    @property
    def isr(self) -> int:
        """The in-service register: a bit per vector."""
        return sum(1 << vector for vector in self.in_service)

    @property
    def priority(self) -> int:
        """The highest class requested or in service: what arbitration for lowest priority compares."""
        return max(self.irr, self.isr).bit_length() - 1 >> 4 if self.irr or self.isr else 0


class Route(NamedTuple):
    """Where a message goes. With `lowest_priority` one of `targets` takes it, else each of them does."""

    vector: int
    targets: tuple[int, ...]
    lowest_priority: bool


class MessageRouter:
    """Composes messages for a set of processors and decodes those that arrive."""

    def __init__(self, cpus: int) -> None:
        self.cpus = cpus
        self.routes: dict[Message, Route | None] = {}
        self._remapped: list[tuple[tuple[int, ...], bool]] = []

    def compose(self, targets: int, vector: int, lowest_priority: bool) -> Message:
        """The message that reaches the processors of the mask `targets` as `vector`."""
        targets &= (1 << self.cpus) - 1
        if not targets:
            raise UsageError(f"a message for vector {vector:#x} needs a target; this machine has processors 0 to {self.cpus - 1}")
        indexes = tuple(i for i in range(self.cpus) if targets >> i & 1)
        mode = LOWEST_PRIORITY if lowest_priority else 0
        if len(indexes) == 1:
            return Message(MESSAGE_BASE | indexes[0] << 12, vector)
        if self.cpus <= 8:
            hint = REDIRECTION_HINT if lowest_priority else 0
            return Message(MESSAGE_BASE | targets << 12 | hint | LOGICAL, vector | mode)
        aim = indexes, lowest_priority
        if aim not in self._remapped:
            if len(self._remapped) == MAXIMUM_SETS:
                raise NotModelled(f"more than {MAXIMUM_SETS} different sets of target processors; use fewer affinity masks")
            self._remapped.append(aim)
            self.routes.clear()  # what nobody answered before may have an answer now
        handle = self._remapped.index(aim) << 8
        high = (handle >> 15) << 2
        return Message(MESSAGE_BASE | (handle & 0x7FFF) << 5 | REMAPPED | SUBHANDLE_VALID | high, vector)

    def route(self, message: Message) -> Route | None:
        """Where `message` goes, or None: not an interrupt, or nobody has that destination."""
        try:
            return self.routes[message]
        except KeyError:
            route = self.routes[message] = self._decode(message)
            return route

    def _decode(self, message: Message) -> Route | None:
        address, data = message
        if address >> 20 != MESSAGE_BASE >> 20:
            return None
        if address & REMAPPED:
            handle = (address >> 5 & 0x7FFF) | (address >> 2 & 1) << 15
            if address & SUBHANDLE_VALID:
                handle += data & 0xFFFF
            index, vector = divmod(handle, 256)
            return Route(vector, *self._remapped[index]) if index < len(self._remapped) and vector >= 0x10 else None
        vector, destination = data & 0xFF, address >> 12 & 0xFF
        if vector < 0x10:
            return None
        if address & LOGICAL:
            targets = tuple(i for i in range(min(self.cpus, 8)) if destination >> i & 1)
        elif destination == 0xFF:
            targets = tuple(range(self.cpus))
        else:
            targets = (destination,) if destination < self.cpus else ()
        lowest = len(targets) > 1 and (bool(data & LOWEST_PRIORITY) or bool(address & REDIRECTION_HINT))
        return Route(vector, targets, lowest) if targets else None

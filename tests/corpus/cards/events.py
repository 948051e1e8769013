"""A card with four sources of events: a source is told of by the table entry that `vector` says, once its `enable` bit is set."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RO, Block, Register, Word, at

SOURCES = 4


class Capability(Register, width=32):
    """What the card has."""

    sources = RO[7:0](reset=SOURCES)


class Registers(Block, size=0x1000):
    enable     = at(0x00, Word)                           # a bit per source: what came before it is told of when it is set
    cause      = at(0x04, Word)                           # a bit per source that had an event; a read clears it
    capability = at(0x08, Capability)
    take       = at(0x10, Word, count=SOURCES, stride=4)  # a write takes all events off source n
    vector     = at(0x20, Word, count=SOURCES, stride=4)  # the table entry of source n; n after a reset


class Events(Device, vendor=0x1234, device=0x1111, interrupt_pin=0):
    """An event at source 0, `gap` ns later at source 1, and so on, `rounds` times."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=SOURCES, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, rounds: int = 1, gap: int = 6_000, name: str = "") -> None:
        super().__init__(name=name)
        self.rounds, self.gap = rounds, gap
        self.on_reset()

    def on_reset(self) -> None:
        """Nothing has happened."""
        self.waiting = [0] * SOURCES
        for source in range(SOURCES):
            self.regs.vector[source].value = source

    @regs.cause.reading
    def causes(self) -> int:
        """Told once."""
        cause: int = self.regs.cause.value
        self.regs.cause.value = 0
        return cause

    @regs.enable.written
    def enabled(self, value: int) -> None:
        """What has waited for that is told of."""
        for source, count in enumerate(self.waiting):
            if count:
                self._tell(source)

    @regs.take.written
    def taken(self, source: int, value: int) -> None:
        """The driver has seen them."""
        self.waiting[source] = 0

    def happen(self, source: int) -> None:
        """An event."""
        self.waiting[source] += 1
        self.regs.cause.value |= 1 << source
        self._tell(source)

    def exercise(self) -> None:
        """Its own workload."""
        for number in range(self.rounds * SOURCES):
            self.after(1_000 + number * self.gap, lambda source=number % SOURCES: self.happen(source))

    def unserved(self) -> list[str]:
        """Events that nobody took."""
        return [f"source {source}: {count} events" for source, count in enumerate(self.waiting) if count]

    def _tell(self, source: int) -> None:
        if self.regs.enable.value >> source & 1:
            self.msix.fire(self.regs.vector[source].value)

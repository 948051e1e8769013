"""A card with two sources of events: a source that is enabled is told of by the message that its vector register says."""

from dirql.device import Bar, Device, Msix
from dirql.layout import Block, Word, at

SOURCES = 2


class Registers(Block, size=0x1000):
    enable = at(0x00, Word)                           # a bit per source: the source's first event comes after it is set
    take   = at(0x10, Word, count=SOURCES, stride=4)  # a write takes all events off source n
    vector = at(0x20, Word, count=SOURCES, stride=4)  # the table entry of source n; 0 after a reset


class Sources(Device, vendor=0x1234, device=0x1111):
    """One event at each source, `early` ns after it is enabled."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=SOURCES, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, early: int = 8_000, name: str = "") -> None:
        super().__init__(name=name)
        self.early = early
        self.on_reset()

    def on_reset(self) -> None:
        """Nothing has happened."""
        self.waiting = [0] * SOURCES

    @regs.enable.written
    def enabled(self, value: int) -> None:
        """What is ready soon."""
        for source in range(SOURCES):
            if value >> source & 1:
                self.after(self.early, lambda source=source: self.happen(source))

    @regs.take.written
    def taken(self, source: int, value: int) -> None:
        """The driver has seen them."""
        self.waiting[source] = 0

    def happen(self, source: int) -> None:
        """An event, if the source is still enabled."""
        if self.regs.enable.value >> source & 1:
            self.waiting[source] += 1
            self.msix.fire(self.regs.vector[source].value)

    def unserved(self) -> list[str]:
        """Events that nobody took."""
        return [f"source {source}: {count} events" for source, count in enumerate(self.waiting) if count]

"""A card that completes work into a ring in host memory: an entry takes two DMA writes, and its last word is its phase."""

from dirql.device import Bar, Device, Msix
from dirql.layout import Block, Word, at

ENTRIES = 8
HALF = 8  # bytes of an entry that one write holds: tag and length, then status and phase


class Registers(Block, size=0x1000):
    base_low  = at(0x00, Word)  # where the ring is; on once the high half is written
    base_high = at(0x04, Word)
    reap      = at(0x08, Word)  # the driver writes tag << 16 | status of what it took from the ring


class Rings(Device, vendor=0x1234, device=0x1111):
    """`completions` of them, `gap` ns apart, each announced by message 0. The entry's second half follows after `between` ns."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=1, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, completions: int = 2, gap: int = 5_000, between: int = 100, name: str = "") -> None:
        super().__init__(name=name)
        self.completions, self.gap, self.between = completions, gap, between
        self.open: dict[int, int] = {}  # status by tag

    @regs.reap.written
    def reaped(self, value: int) -> None:
        """The driver has it, with that status."""
        if self.open.get(value >> 16) == value & 0xFFFF:
            del self.open[value >> 16]

    def complete(self, number: int) -> None:
        """The first half: tag and length."""
        tag = self.open_tag(number)
        self.dma.write(self.at(number), tag.to_bytes(4, "little") + (512).to_bytes(4, "little"))
        self.after(self.between, lambda: self.finish(number, tag))

    def finish(self, number: int, tag: int) -> None:
        """The second: status and phase, 1 on the first pass over the ring."""
        phase = 1 - number // ENTRIES % 2
        self.dma.write(self.at(number) + HALF, self.open[tag].to_bytes(4, "little") + phase.to_bytes(4, "little"))
        self.msix.fire(0)

    def open_tag(self, number: int) -> int:
        """A new piece of work."""
        tag = number + 1
        self.open[tag] = 0x100 + number
        return tag

    def at(self, number: int) -> int:
        """The address of that entry."""
        return (self.regs.base_high.value << 32 | self.regs.base_low.value) + number % ENTRIES * 2 * HALF

    def exercise(self) -> None:
        """Its own workload."""
        for number in range(self.completions):
            self.after(1_000 + number * self.gap, lambda number=number: self.complete(number))

    def unserved(self) -> list[str]:
        """Completions that the driver did not take, or took for something else."""
        return [f"the completion with tag {tag}" for tag in self.open]

"""A card that reports into host memory: each report is written by DMA, one behind the other, and announced by message 0."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RO, RW, Block, Register, Word, at

SIZE = 16  # bytes of a report


class Control(Register, width=32):
    """It reports while it is on."""

    on = RW[0]


class Count(Register, width=32):
    """How many reports it has room for."""

    reports = RO[31:0]


class Registers(Block, size=0x1000):
    control   = at(0x00, Control)
    base_low  = at(0x08, Word)  # where the reports go
    base_high = at(0x0C, Word)
    count     = at(0x10, Count)


class Reports(Device, vendor=0x1234, device=0x1111):
    """`reports` of them, `gap` ns apart."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=1, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, reports: int = 4, gap: int = 2_000, name: str = "") -> None:
        super().__init__(name=name)
        self.reports, self.gap = reports, gap
        self.on_reset()

    def on_reset(self) -> None:
        self.regs.count.reports = self.reports

    def report(self, number: int) -> None:
        """One, if it is on."""
        if self.regs.control.on:
            base = self.regs.base_high.value << 32 | self.regs.base_low.value
            self.dma.write(base + number * SIZE, (number + 1).to_bytes(SIZE, "little"))
            self.msix.fire(0)

    def exercise(self) -> None:
        """Its own workload."""
        for number in range(self.reports):
            self.after(1_000 + number * self.gap, lambda number=number: self.report(number))

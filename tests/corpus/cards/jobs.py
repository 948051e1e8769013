"""A card with work: each job is announced by a message, and done when the driver takes it off."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RW, Block, Register, Word, at


class Enable(Register, width=32):
    """The card announces nothing while it is off."""

    on = RW[0](reset=1)


class Registers(Block, size=0x1000):
    enable = at(0x00, Enable)
    take   = at(0x10, Word, count=4, stride=4)  # a write takes that many jobs off queue n
    status = at(0x20, Word)                     # which queues have jobs


class Jobs(Device, vendor=0x1234, device=0x1111):
    """`queues` queues, a message for each; `jobs` of them for every queue, `gap` ns apart."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=4, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, queues: int = 1, jobs: int = 2, gap: int = 3_000, name: str = "") -> None:
        super().__init__(name=name)
        self.queues, self.jobs, self.gap = queues, jobs, gap
        self.waiting = [0] * queues

    @regs.take.written
    def taken(self, queue: int, value: int) -> None:
        """The driver has done them. The register of a queue that the card has not does nothing."""
        if queue < self.queues:
            self.waiting[queue] -= min(value, self.waiting[queue])
            self._tell()

    def submit(self, queue: int) -> None:
        """A job arrives."""
        self.waiting[queue] += 1
        self._tell()
        if self.regs.enable.on:
            self.msix.fire(queue)

    def exercise(self) -> None:
        """Its own workload."""
        for number in range(self.jobs):
            for queue in range(self.queues):
                self.after(1_000 + number * self.gap, lambda queue=queue: self.submit(queue))

    def unserved(self) -> list[str]:
        """Jobs that nobody took."""
        return [f"queue {queue}: {count} jobs" for queue, count in enumerate(self.waiting) if count]

    def _tell(self) -> None:
        self.regs.status.value = sum(1 << queue for queue, count in enumerate(self.waiting) if count)

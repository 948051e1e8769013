"""A card with several queues and a vector register for each: the driver chooses which message tells of which queue."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RW1C, Block, Register, Word, at


class Cause(Register, width=32):
    """Which queues got jobs; the driver clears them by writing ones. The messages do not need it."""

    queues = RW1C[3:0]


class Registers(Block, size=0x1000):
    take   = at(0x10, Word, count=4, stride=4)  # a write takes that many jobs off queue n
    cause  = at(0x20, Cause)
    vector = at(0x30, Word, count=4, stride=4)  # the message of queue n


class Steered(Device, vendor=0x1234, device=0x1111):
    """`jobs` jobs for each of `queues` queues, `gap` ns apart; a queue begins `stagger` ns after the one before."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=4, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, queues: int = 2, jobs: int = 1, gap: int = 20_000, stagger: int = 5_000, name: str = "") -> None:
        super().__init__(name=name)
        self.queues, self.jobs, self.gap, self.stagger = queues, jobs, gap, stagger
        self.waiting = [0] * queues

    @regs.take.written
    def taken(self, queue: int, value: int) -> None:
        """The driver has done them."""
        if queue < self.queues:
            self.waiting[queue] -= min(value, self.waiting[queue])

    def submit(self, queue: int) -> None:
        """A job arrives."""
        self.waiting[queue] += 1
        self.regs.cause.queues |= 1 << queue
        self.msix.fire(self.regs.vector[queue].value % 4)

    def exercise(self) -> None:
        """Its own workload."""
        for number in range(self.jobs):
            for queue in range(self.queues):
                self.after(1_000 + number * self.gap + queue * self.stagger, lambda queue=queue: self.submit(queue))

    def unserved(self) -> list[str]:
        """Jobs that nobody took."""
        return [f"queue {queue}: {count} jobs" for queue, count in enumerate(self.waiting) if count]

"""A card that tells of finished jobs by completions in host memory, and of completions by one message for each arming."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RW, Block, Quad, Register, Word, at

ENTRIES, ENTRY_SIZE = 16, 16
EVERYTHING = 2


class Control(Register, width=32):
    """The card writes completions while it runs."""

    run = RW[0]


class Arm(Register, width=32):
    """The next completion sends the message and clears it; a completion that is there already does not."""

    on = RW[0]


class Registers(Block, size=0x1000):
    control = at(0x00, Control)
    reset   = at(0x04, Word)  # 1 resets the queue, 2 the MSI-X table as well
    ring    = at(0x08, Quad)  # where it is: 16 entries of 16 bytes
    arm     = at(0x10, Arm)
    done    = at(0x14, Word)  # a write says that the driver has seen the completion with this tag


class Ring(Device, vendor=0x1234, device=0x1111, interrupt_pin=0):
    """An entry is (status = 1, length) and (tag, phase), the phase 1 in the first pass over the ring. `jobs` come `gap` ns apart;
    with `early` there is one that many ns after the card runs. `halves`: an entry is written by two writes. `moderated` False:
    a message for each completion, whatever is armed."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=1, table=(2, 0x000), pba=(2, 0x800))

    def __init__(
        self, jobs: int = 2, gap: int = 12_000, early: int = 0, halves: bool = False, moderated: bool = True, name: str = ""
    ) -> None:
        super().__init__(name=name)
        self.jobs, self.gap, self.early, self.halves, self.moderated = jobs, gap, early, halves, moderated
        self.on_reset()

    def on_reset(self) -> None:
        """No job was ever done."""
        self.tail = 0
        self.told: list[int] = []  # tags that the driver has not acknowledged

    @regs.control.written
    def controlled(self, value: int) -> None:
        """What is ready at once."""
        if self.regs.control.run and self.early:
            self.after(self.early, self.finish)

    @regs.reset.written
    def resets(self, value: int) -> None:
        """Back to the beginning."""
        self.reset_registers()
        self.on_reset()
        if value == EVERYTHING:
            self.msix.reset()

    @regs.done.written
    def acknowledged(self, tag: int) -> None:
        """The driver has seen it."""
        if tag in self.told:
            self.told.remove(tag)

    def on_power(self, state: int) -> None:
        """Nothing runs in D3."""
        if state:
            self.regs.control.run = 0
            self.regs.arm.on = 0

    def finish(self) -> None:
        """A job is done."""
        if not self.regs.control.run:
            return
        self.tail += 1
        self.told.append(self.tail)
        passes, slot = divmod(self.tail - 1, ENTRIES)
        words = (1, 64, self.tail, 1 - passes % 2)
        entry = b"".join(word.to_bytes(4, "little") for word in words)
        address = self.regs.ring.value + ENTRY_SIZE * slot
        for part in (entry[:8], entry[8:]) if self.halves else (entry,):
            self.dma.write(address, part)
            address += len(part)
        if self.regs.arm.on or not self.moderated:
            self.regs.arm.on = 0
            self.msix.fire(0)

    def exercise(self) -> None:
        """Its own workload."""
        for number in range(self.jobs):
            self.after(1_000 + number * self.gap, self.finish)

    def unserved(self) -> list[str]:
        """Completions that the driver has not acknowledged."""
        return [f"completion {tag} was not acknowledged" for tag in self.told]

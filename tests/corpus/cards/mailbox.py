"""A card whose mail is valid a little after its message: until then it is busy."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RO, Block, Register, Word, at


class Status(Register, width=32):
    """Busy from the message until the mail is valid."""

    busy = RO[0]


class Registers(Block, size=0x1000):
    status = at(0x00, Status)
    mail   = at(0x04, Word)    # the number of the last one, from 1 on
    seen   = at(0x08, Word)    # that of the last one that the driver has seen


class Mailbox(Device, vendor=0x1234, device=0x1111, interrupt_pin=0):
    """`mails` of them, `gap` ns apart, each valid `settles` ns after its message."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=1, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, mails: int = 2, gap: int = 12_000, settles: int = 1_500, name: str = "") -> None:
        super().__init__(name=name)
        self.mails, self.gap, self.settles = mails, gap, settles

    def tell(self) -> None:
        """One arrives."""
        self.regs.status.busy = 1
        self.msix.fire(0)
        self.after(self.settles, self.settle)

    def settle(self) -> None:
        """It can be read."""
        self.regs.mail.value += 1
        self.regs.status.busy = 0

    def exercise(self) -> None:
        """Its own workload."""
        for number in range(self.mails):
            self.after(1_000 + number * self.gap, self.tell)

    def unserved(self) -> list[str]:
        """Mail that the driver has not seen."""
        left = self.regs.mail.value - self.regs.seen.value
        return [f"{left} mails were not seen"] if left else []

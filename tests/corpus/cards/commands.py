"""A card that carries out commands, one at a time, and a program that sends it some."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RO, Block, Register, Word, at


class Status(Register, width=32):
    """What it is doing."""

    busy  = RO[0]
    count = RO[31:16]  # how many commands it has carried out


class Registers(Block, size=0x1000):
    start  = at(0x00, Word)  # a write starts a command; while another one is under way it is lost
    status = at(0x04, Status)
    mode   = at(0x08, Word)


class Commands(Device, vendor=0x1234, device=0x1111):
    """A command takes `takes` ns, and sometimes up to `slack` ns more; message 0 tells that it is done."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=1, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, takes: int = 20_000, slack: int = 0, name: str = "") -> None:
        super().__init__(name=name)
        self.takes, self.slack = takes, slack

    @regs.start.written
    def begin(self, value: int) -> None:
        if not self.regs.status.busy:
            self.regs.status.busy = 1
            self.after(self.takes, self.finish, self.slack)

    def finish(self) -> None:
        """The command is carried out."""
        self.regs.status.busy = 0
        self.regs.status.count += 1
        self.msix.fire(0)

    def exercise(self) -> None:
        """It does nothing by itself."""


def one_write(system, card):
    """A program writes once and waits for nothing."""
    system.open(r"\\.\Commands").start_write(b"command")


def one_read(system, card):
    """A program reads, and there is nothing to read."""
    system.open(r"\\.\Commands").start_read(16)


def two_writes(system, card):
    """A program writes twice and waits for neither."""
    handle = system.open(r"\\.\Commands")
    handle.start_write(b"first")
    handle.start_write(b"second")


def read_later(system, card):
    """A program opens the device, does nothing for long, and then asks it for its status."""
    handle = system.open(r"\\.\Commands")
    system.run()
    handle.ioctl(0x220000, output_length=4)

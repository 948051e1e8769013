"""A card with a cause register: each event sets its bit, and interrupts by a message or, where there is none, by the line."""

from dirql.device import Bar, Device, Msix
from dirql.layout import RW1C, Block, Register, Word, at


class Cause(Register, width=32):
    """Which events happened; the driver clears them by writing ones."""

    events = RW1C[7:0]


class Registers(Block, size=0x1000):
    cause = at(0x00, Cause)
    done  = at(0x08, Word)  # the driver writes the events that it has worked off


class Causes(Device, vendor=0x1234, device=0x1111, interrupt_pin=1):
    """`events` different events, `gap` ns apart, the first `start` ns from the beginning. The line is up while a cause stands."""

    regs = Bar(0, Registers)
    msix = Msix(vectors=1, table=(2, 0x000), pba=(2, 0x800))

    def __init__(self, events: int = 3, gap: int = 10_000, start: int = 1_000, line: bool = False, name: str = "") -> None:
        if line:
            super().__init__(name=name, msix=None)
        else:
            super().__init__(name=name)
        self.events, self.gap, self.start = events, gap, start
        self.open = 0

    @regs.cause.written
    def acknowledged(self, value: int) -> None:
        self.intx.set(self.regs.cause.events != 0)

    @regs.done.written
    def worked_off(self, value: int) -> None:
        """The driver has done what these events ask for."""
        self.open &= ~value

    def happen(self, event: int) -> None:
        """An event."""
        self.open |= 1 << event
        self.regs.cause.events |= 1 << event
        self.interrupt_signal.message(0)
        self.intx.set(True)

    def exercise(self) -> None:
        """Its own workload."""
        for event in range(self.events):
            self.after(self.start + event * self.gap, lambda event=event: self.happen(event))

    def unserved(self) -> list[str]:
        """Events that nobody worked off."""
        return [f"event {event}" for event in range(8) if self.open >> event & 1]

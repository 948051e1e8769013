"""A card that is handed two jobs, and sends message 0 for each."""

from dirql.device import Bar, Device, Msix
from dirql.layout import Block, Word, at


class Regs(Block, size=0x1000):
    take = at(0, Word)


class Card(Device, vendor=0x1234, device=0x1):
    regs = Bar(0, Regs)
    msix = Msix(vectors=2, table=(2, 0), pba=(2, 0x800))

    def __init__(self, name=""):
        super().__init__(name=name)
        self.jobs = 0

    @regs.take.written
    def took(self, value):
        self.jobs -= 1

    def exercise(self):
        for time in (1000, 4000):
            self.after(time, self.submit)

    def submit(self):
        self.jobs += 1
        self.msix.fire(0)

    def unserved(self):
        return [f"{self.jobs} jobs"] if self.jobs else []


def odd_jobs(card):
    return card.jobs % 2 == 0


def jobs(card):
    return card.jobs


def named(card):
    return [frozenset(f"job{number}" for number in (3, 1, 4, 2)), {"of": ({card.name}, set(), [1, (2, 3)])}]

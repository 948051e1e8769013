"""A card that likes no vector."""

from dirql.device.models import MultiQueue


class RefusingCard(MultiQueue):
    """Every vector that is written for a queue reads back 0xFFFF."""

    def route(self, queue: int, value: int) -> None:
        self.regs.queue[queue].vector.value = 0xFFFF

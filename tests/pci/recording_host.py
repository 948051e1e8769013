"""A host that writes down what a function does, and a card on it that a test drives as software would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dirql.pci.bar import BarSpec
from dirql.pci.endpoint import Endpoint, Identity, MsiSpec, MsixSpec
from dirql.pci.function import Cancel, Fate, Function, Message

MEMORY, MASTER, DISABLE_INTX = 1 << 1, 1 << 2, 1 << 10


class RecordingHost:
    """Every message arrives at once; all traffic is kept in its order."""

    def __init__(self) -> None:
        self.traffic: list[tuple[Any, ...]] = []
        self.notes: list[tuple[str, dict[str, Any]]] = []

    @property
    def messages(self) -> list[Message]:
        return [what[1] for what in self.traffic if what[0] == "message"]

    @property
    def wire(self) -> list[bool]:
        return [what[1] for what in self.traffic if what[0] == "intx"]

    @property
    def said(self) -> list[str]:
        return [what for what, _ in self.notes]

    def now(self) -> int:
        return 0

    def after(self, delay: int, action: Callable[[], None], slack: int = 0) -> Cancel:
        return lambda: None

    def dma_write(self, function: Function, address: int, data: bytes) -> None:
        self.traffic.append(("dma", address, data))

    def dma_read(self, function: Function, address: int, length: int) -> bytes:
        return bytes(length)

    def send(self, function: Function, message: Message, fate: Fate) -> None:
        fate.delivered += 1
        self.traffic.append(("message", message, fate))

    def intx(self, function: Function, asserted: bool) -> None:
        self.traffic.append(("intx", asserted))

    def note(self, function: Function, what: str, **detail: Any) -> None:
        self.notes.append((what, detail))


class Scratch:
    """A BAR target that keeps what was written, by offset."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}
        self.accesses: list[tuple[str, int, int]] = []

    def read(self, offset: int, size: int) -> int:
        self.accesses.append(("read", offset, size))
        return self.values.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        self.accesses.append(("write", offset, size))
        self.values[offset] = value


class Card:
    """An endpoint with registers in BAR 0 and, with MSI-X, table and PBA in BAR 2; Memory Space and Bus Master are on."""

    TABLE, PBA = 0x0, 0x8000

    def __init__(self, *, vectors: int = 0, msi: MsiSpec | None = None, pin: int = 1, on: bool = True, **options: Any) -> None:
        self.registers, self.host = Scratch(), RecordingHost()
        bars: dict[int, Any] = {0: (BarSpec(0x1000), self.registers)}
        if vectors:
            bars[2] = (BarSpec(0x10000, "memory64"), None)
        msix = MsixSpec(vectors, (2, self.TABLE), (2, self.PBA)) if vectors else None
        self.endpoint = Endpoint("card", Identity(0x1234, 0x0004, interrupt_pin=pin), bars=bars, msi=msi, msix=msix, **options)
        self.endpoint.connect(self.host)
        self.vectors = vectors
        if on:
            self.command(MEMORY | MASTER)

    # configuration cycles

    def capability(self, number: int) -> int:
        return next(link.offset for link in self.endpoint.config.capabilities() if link.id == number)

    def config(self, offset: int, size: int = 4) -> int:
        return self.endpoint.config_read(offset, size)

    def command(self, value: int) -> None:
        self.endpoint.config_write(0x04, 2, value)

    def status(self) -> int:
        return self.endpoint.config_read(0x06, 2)

    def power(self, state: int) -> None:
        self.endpoint.config_write(self.capability(0x01) + 4, 2, state)

    def flr(self) -> None:
        place = self.capability(0x10) + 8
        self.endpoint.config_write(place, 2, self.config(place, 2) | 1 << 15)

    # MSI-X

    def msix(self, *, enable: int = 1, function_mask: int = 0) -> None:
        self.endpoint.config_write(self.capability(0x11) + 2, 2, enable << 15 | function_mask << 14)

    def program(self, vector: int, *, address: int = 0xFEE0_0000, data: int | None = None, masked: int = 0) -> None:
        entry = self.TABLE + 16 * vector
        words = (address & 0xFFFF_FFFF, address >> 32, 0x4000 + vector if data is None else data, masked)
        for i, word in enumerate(words):
            self.endpoint.bar_write(2, entry + 4 * i, 4, word)

    def mask(self, vector: int, masked: int = 1) -> None:
        self.endpoint.bar_write(2, self.TABLE + 16 * vector + 12, 4, masked)

    def pba(self, vector: int) -> int:
        return self.endpoint.bar_read(2, self.PBA + vector // 64 * 8, 8) >> vector % 64 & 1

    def ready(self) -> Card:
        """MSI-X on, every vector programmed and unmasked."""
        self.msix(enable=1, function_mask=1)
        for vector in range(self.vectors):
            self.program(vector)
        self.msix(enable=1)
        return self

    # MSI

    def msi(self, *, enable: int = 1, granted: int = 0, extended: int = 0) -> None:
        self.endpoint.config_write(self.capability(0x05) + 2, 2, enable | granted << 4 | extended << 10)

    def msi_place(self, register: str) -> int:
        kind = type(self.endpoint.msi.capability)
        return self.capability(0x05) + kind.placements[register].offset

    def msi_write(self, register: str, value: int) -> None:
        kind = type(self.endpoint.msi.capability).placements[register].kind
        self.endpoint.config_write(self.msi_place(register), kind.size, value)

    def msi_read(self, register: str) -> int:
        kind = type(self.endpoint.msi.capability).placements[register].kind
        return self.endpoint.config_read(self.msi_place(register), kind.size)

    @property
    def sent(self) -> list[int]:
        return [message.data for message in self.host.messages]

    @property
    def balanced(self) -> bool:
        return all(fate.balanced for fate in self.endpoint.fates)

"""A host that records what a device posts, in order, over virtual time; and a rig that plays the driver's side of a bus."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import pytest

from dirql.device import Device
from dirql.pci.function import Cancel, Fate, Function, Message

COMMAND, CAPABILITIES = 0x04, 0x34
MSI, MSIX = 0x05, 0x11
FIRST_DATA = 0x40
RAM = 1 << 20


class RecordingHost:
    """A `pci.Host`: RAM from address 0, timers on a heap, and `posted` as (what, …) in the order of arrival."""

    def __init__(self) -> None:
        self.time = 0
        self.ram = bytearray(RAM)
        self.posted: list[tuple[Any, ...]] = []
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self._heap: list[tuple[int, int, list[Callable[[], None]]]] = []
        self._order = 0

    def now(self) -> int:
        return self.time

    def after(self, delay: int, action: Callable[[], None], slack: int = 0) -> Cancel:
        self._order += 1
        cell = [action]
        heappush(self._heap, (self.time + delay, self._order, cell))
        return cell.clear

    def dma_write(self, function: Function, address: int, data: bytes) -> None:
        self.posted.append(("dma", address, data))
        self.ram[address : address + len(data)] = data

    def dma_read(self, function: Function, address: int, length: int) -> bytes:
        return bytes(self.ram[address : address + length]).ljust(length, b"\xff")

    def send(self, function: Function, message: Message, fate: Fate) -> None:
        fate.delivered += 1
        self.posted.append(("message", message.data - FIRST_DATA))

    def intx(self, function: Function, asserted: bool) -> None:
        self.posted.append(("line", asserted))

    def note(self, function: Function, what: str, **detail: Any) -> None:
        assert isinstance(function, Device)
        self.notes.append((what, detail))

    def run(self, until: int | None = None) -> None:
        """All timers in order of time, or those up to `until`."""
        while self._heap and (until is None or self._heap[0][0] <= until):
            self.time, _, cell = heappop(self._heap)
            for action in cell:
                action()
        self.time = max(self.time, until or 0)


class Rig:
    """A device plugged into a recording host, with memory decoding and bus mastering on."""

    def __init__(self, device: Any) -> None:
        self.device, self.host = device, RecordingHost()
        device.connect(self.host)
        self.power_up()

    def power_up(self) -> None:
        self.device.config_write(COMMAND, 2, 0x0007)

    def find(self, capability: int) -> int:
        """The offset of a capability; 0 when the function has none such."""
        at = self.device.config_read(CAPABILITIES, 1)
        while at and self.device.config_read(at, 1) != capability:
            at = self.device.config_read(at + 1, 1)
        return int(at)

    def enable_msix(self, masked: tuple[int, ...] = ()) -> None:
        at = self.find(MSIX)
        self.device.config_write(at + 2, 2, 0x8000)
        for vector in range((self.device.config_read(at + 2, 2) & 0x7FF) + 1):
            self.device.bar_write(4, 16 * vector, 8, 0xFEE0_0000)
            self.device.bar_write(4, 16 * vector + 8, 8, int(vector in masked) << 32 | FIRST_DATA + vector)

    def unmask(self, vector: int) -> None:
        self.device.bar_write(4, 16 * vector + 12, 4, 0)

    def enable_msi(self, granted: int = 1) -> None:
        at = self.find(MSI)
        self.device.config_write(at + 4, 4, 0xFEE0_0000)
        self.device.config_write(at + 12, 2, FIRST_DATA)
        self.device.config_write(at + 2, 2, (granted.bit_length() - 1) << 4 | 1)

    def place(self, path: str, *indices: int) -> tuple[int, int]:
        """(offset, size) of a register of BAR 0."""
        block: Any = self.device._bars["regs"].facts.block
        offset, rest = 0, list(indices)
        for name in path.split("."):
            placement = block.placements[name]
            offset += placement.offset + (placement.stride * rest.pop(0) if placement.count > 1 else 0)
            block = placement.kind
        return offset, block.size

    def get(self, path: str, *indices: int) -> int:
        offset, size = self.place(path, *indices)
        return int(self.device.bar_read(0, offset, size))

    def put(self, path: str, *indices_and_value: int) -> None:
        *indices, value = indices_and_value
        offset, size = self.place(path, *indices)
        self.device.bar_write(0, offset, size, value)

    def take(self, what: str) -> list[Any]:
        """What was posted of this kind since the last time of asking, without the kind."""
        found = [p[1] if len(p) == 2 else p[1:] for p in self.host.posted if p[0] == what]
        self.host.posted = [p for p in self.host.posted if p[0] != what]
        return found

    def run(self, until: int | None = None) -> None:
        self.host.run(until)


class QueueDriver:
    """The least driver of a MultiQueue: rings at 0x1000 × (queue + 1), one vector per queue, reading the ring by phase."""

    def __init__(self, rig: Rig, size: int = 4, vectors: int | None = None) -> None:
        self.rig, self.size = rig, size
        self.card = rig.device
        self.vectors = vectors or self.card.vectors
        self.heads = [0] * self.card.queues
        for queue in range(self.card.queues):
            rig.put("queue.base_low", queue, 0x1000 * (queue + 1))
            rig.put("queue.ring_size", queue, size)
            rig.put("queue.vector", queue, queue % self.vectors)
            rig.put("queue.control", queue, 1)
        rig.put("admin_vector", self.card.queues % self.vectors)
        for vector in range(self.vectors):
            rig.put("vector.arm", vector, 1)

    def entries(self, queue: int) -> list[tuple[int, int, int, int]]:
        """(sequence, tag, queue, status) of the valid entries not consumed yet, by their phase bits alone."""
        found: list[tuple[int, int, int, int]] = []
        while len(found) < self.size:
            turn, slot = divmod(self.heads[queue] + len(found), self.size)
            at = 0x1000 * (queue + 1) + 16 * slot
            raw = self.rig.host.ram[at : at + 16]
            if raw[12] & 1 != ~turn & 1:
                break
            numbers = [int.from_bytes(raw[a:b], "little") for a, b in ((0, 4), (4, 8), (8, 10), (10, 12))]
            found.append((numbers[0], numbers[1], numbers[2], numbers[3]))
        return found

    def consume(self, queue: int, most: int = 1 << 16) -> list[tuple[int, int, int, int]]:
        """Take entries and return them to the card by the doorbell."""
        found = self.entries(queue)[:most]
        self.heads[queue] += len(found)
        self.rig.put("queue.doorbell", queue, self.heads[queue] & 0xFFFF_FFFF)
        return found


@pytest.fixture(scope="session")
def plug() -> Callable[[Any], Rig]:
    """Plug a device into a recording host."""
    return Rig


@pytest.fixture(scope="session")
def drive() -> Callable[..., QueueDriver]:
    """Bring up a MultiQueue as a driver does."""
    return QueueDriver

"""Where a function is plugged in: the two lanes of its posted traffic, its decode windows and what it sees of the host.

Limits: requests have no TLP attributes. A message's Relaxed Ordering and No Snoop, which must be 0 (PCIe 6.0 §2.2.6.4, §2.2.6.5),
cannot be set wrongly, and DMA that asks for either is ordered and coherent all the same. There is one traffic class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.machine.flight import Lane, Timer
from dirql.pci.function import Cancel, Fate, Function, Message
from dirql.trace import FABRIC, Kind

if TYPE_CHECKING:
    from dirql.machine.machine import Machine

__all__ = ["Port"]

INTERRUPT_RANGE = 0xFEE  # address bits 31:20 of every message


class Port:
    """One function in its slot. It is the function's `Host`, and the processors' way to the function."""

    def __init__(self, machine: Machine, function: Function, address: str, name: str = "") -> None:
        self.machine, self.function, self.address = machine, function, address
        self.name = name or function.name
        self.gsi: int | None = None  # the I/O APIC pin its INTx leads to
        self.removed = False
        self.generation = 0  # counts configuration writes, so that decode windows are looked up again
        self.reads = self.writes = 0
        costs = machine.costs
        self.up = Lane(f"{self.name}.up", machine.agenda, costs.message_flight)
        self.down = Lane(f"{self.name}.down", machine.agenda, costs.posted_flight)
        self._timers = 0
        self._astray: dict[str, str] = {}  # what was said of DMA outside RAM, by its direction
        self.message_flight = costs.message_flight
        self._accept, self._deliver = machine.accept, machine.deliver

    # What the function sees: pci.function.Host.

    def now(self) -> int:
        """Virtual time, ns."""
        return self.machine.time

    def after(self, delay: int, action: Callable[[], None], slack: int = 0) -> Cancel:
        """A timer of the device's own."""
        self._timers += 1
        time = self.machine.time + delay
        timer = Timer(f"{self.name}.timer{self._timers}", time, slack, self._unless_removed(action))
        self.machine.agenda.add(time, timer)
        return timer.cancel

    def dma_write(self, function: Function, address: int, data: bytes) -> None:
        """Posted, behind everything this function posted before."""
        if not self.removed:
            self.up.post(self.machine.time + self.machine.costs.dma_flight, self._land_dma, address, bytes(data))

    def dma_read(self, function: Function, address: int, length: int) -> bytes:
        """Non-posted; modelled as instantaneous, after the function's own posted writes (PCIe 6.0 §2.4.1)."""
        machine = self.machine
        if self.removed:
            return b"\xff" * length
        self.up.flush()
        if machine.trace is not None:
            machine.trace.add((machine.time, FABRIC, Kind.DMA_READ, self.name, address, length))
        if address + length > machine.memory.size:
            self._outside("read", address, length)
        return machine.memory.read(address, length)

    def send(self, function: Function, message: Message, fate: Fate) -> None:
        """A message, behind the DMA posted before it."""
        machine = self.machine
        if fate.message is message:
            up, time = self.up, machine.time + self.message_flight
            if up.queue and time >= up.last:  # what `post` does, for the usual case
                up.last = time
                up.queue.append((time, self._accept, fate.route, fate))
            else:
                up.post(time, self._accept, fate.route, fate)
        elif not self.removed:
            self.up.post(machine.time + self.message_flight, self._deliver, message, fate)
        else:
            fate.drop("surprise removed")
            return
        if machine.trace is not None:
            machine.trace.add((machine.time, FABRIC, Kind.SENT, self.name, fate.entry, message.address, message.data))

    def intx(self, function: Function, asserted: bool) -> None:
        """Assert_INTx or Deassert_INTx: a posted message as well."""
        if not self.removed:
            self.up.post(self.machine.time + self.machine.costs.message_flight, self._land_intx, asserted, None)

    def note(self, function: Function, what: str, **detail: Any) -> None:
        """A line in the trace."""
        if self.machine.trace is not None:
            words = " ".join([what, *(f"{k}={v:#x}" if isinstance(v, int) else f"{k}={v}" for k, v in detail.items())])
            self.machine.trace.add((self.machine.time, FABRIC, Kind.NOTE, self.name, words))

    # What processors do to the function.

    def read(self, bar: int, offset: int, size: int) -> int:
        """A register read: flushes the writes before it on its way down, and brings up what the device posted before."""
        machine = self.machine
        if self.removed:
            return (1 << 8 * size) - 1
        now = machine.time
        self.down.flush()
        machine.time = now
        value = self.function.bar_read(bar, offset, size)
        self.up.flush()
        machine.time = now
        return value

    def write(self, bar: int, offset: int, size: int, value: int) -> None:
        """A posted register write: reaches the device later, or when a read pushes it."""
        if not self.removed:
            flight = self.machine.costs.posted_flight
            self.down.post(self.machine.time + flight, self._land_write, (bar, offset, size), value)

    def config_read(self, offset: int, size: int) -> int:
        """Configuration read: non-posted, flushes like any read."""
        if self.removed:
            return (1 << 8 * size) - 1
        self._arrive()
        value = self.function.config_read(offset, size)
        self.up.flush()
        machine = self.machine
        if machine.cpu.apic.irr:
            machine.scheduler.take(machine.cpu)
        return value

    def config_write(self, offset: int, size: int, value: int) -> None:
        """Configuration write: non-posted, done when it returns."""
        if self.removed:
            return
        self._arrive()
        self.generation += 1
        self.function.config_write(offset, size, value)

    @property
    def place(self) -> tuple[int, int]:
        """(bus, device) of its address."""
        _, bus, slot = self.address.split(":")
        return int(bus, 16), int(slot.split(".")[0], 16)

    @property
    def bus_view(self) -> BusView:
        """The function as the bus driver drives it."""
        return BusView(self)

    def remove(self) -> None:
        """Surprise removal: what was on its way is lost, reads give all ones from now on."""
        self.removed = True
        for fate in self.function.fates:
            fate.message = None
        for _, action, _, fate in self.up.queue:
            if action in (self._accept, self._deliver):
                fate.drop("surprise removed")
        self.up.queue.clear()
        self.down.queue.clear()
        if self.gsi is not None:
            self.machine.ioapic.set(self.gsi, self, False)

    def in_flight(self, fate: Fate) -> int:
        """How many messages of `fate` have left and not arrived."""
        return sum(1 for _, action, _, b in self.up.queue if b is fate)

    def _arrive(self) -> None:
        """A non-posted request of the running processor's pushes the writes before it."""
        machine = self.machine
        if machine.cpu is not machine.nobody:
            machine.time = machine.cpu.now
        self.down.flush()

    def _land_write(self, where: tuple[int, int, int], value: int) -> None:
        bar, offset, size = where
        machine = self.machine
        if machine.trace is not None:
            machine.trace.add((machine.time, FABRIC, Kind.LANDED, self.name, bar, offset, size, value))
        self.function.bar_write(bar, offset, size, value)

    def _land_dma(self, address: int, data: bytes) -> None:
        machine = self.machine
        if machine.trace is not None:
            machine.trace.add((machine.time, FABRIC, Kind.DMA_WRITE, self.name, address, len(data)))
        if address >> 20 == INTERRUPT_RANGE and len(data) == 4:
            machine.deliver(Message(address, int.from_bytes(data, "little")), None)
        elif not machine.memory.write(address, data):
            self.note(self.function, f"DMA write of {len(data)} bytes outside RAM", address=address)
            self._outside("write", address, len(data))

    def _outside(self, direction: str, address: int, length: int) -> None:
        """One finding for each direction, with the first place: a wrong ring goes wrong entry by entry."""
        machine = self.machine
        sentence = self._astray.get(direction)
        if sentence is None:
            where = f"which is outside of RAM (0 to {machine.memory.size:#x})"
            said = f"the {direction} of {length:#x} bytes at {address:#x}, {where}"
            sentence = self._astray[direction] = f"DMA of {self.name}: {said}; give the device the logical address of a buffer"
        machine.note_finding("dma-outside-memory", "error", sentence, f"{self.name} at {self.address}")

    def _land_intx(self, asserted: bool, _: None) -> None:
        machine = self.machine
        if self.gsi is not None:
            if machine.trace is not None:
                machine.trace.add((machine.time, FABRIC, Kind.LINE, self.gsi, asserted))
            machine.ioapic.set(self.gsi, self, asserted)

    def _unless_removed(self, action: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            if not self.removed:
                action()

        return run


class BusView:
    """The function as the bus driver reaches it through its port: synchronous, and answering all ones once removed."""

    def __init__(self, port: Port) -> None:
        self.port = port
        function = port.function
        self.name, self.deterministic, self.fates = port.name, function.deterministic, function.fates
        self.bar_size, self.connect, self.unserved = function.bar_size, function.connect, function.unserved

    def config_read(self, offset: int, size: int) -> int:
        """Through the port."""
        self._now()
        return self.port.config_read(offset, size)

    def config_write(self, offset: int, size: int, value: int) -> None:
        """Through the port."""
        self._now()
        self.port.config_write(offset, size, value)

    def bar_read(self, bar: int, offset: int, size: int) -> int:
        """Through the port, flushing."""
        self._now()
        return self.port.read(bar, offset, size)

    def bar_write(self, bar: int, offset: int, size: int, value: int) -> None:
        """A write that is read back: there when this returns."""
        self._now()
        if not self.port.removed:
            self.port.down.flush()
            self.port.function.bar_write(bar, offset, size, value)

    def reset(self) -> None:
        """A conventional reset."""
        self._now()
        if not self.port.removed:
            self.port.function.reset()

    def _now(self) -> None:
        machine = self.port.machine
        if machine.cpu is not machine.nobody:
            machine.time = machine.cpu.now

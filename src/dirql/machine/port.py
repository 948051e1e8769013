"""Where a function is plugged in: the two lanes of its posted traffic, its decode windows and what it sees of the host.

Limits: requests have no TLP attributes. A message's Relaxed Ordering and No Snoop, which must be 0 (PCIe 6.0 §2.2.6.4, §2.2.6.5),
cannot be set wrongly, and DMA that asks for either is ordered and coherent all the same. There is one traffic class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from dirql.findings import Level
from dirql.machine.flight import Lane, Timer
from dirql.machine.lent import PAGE_SHIFT
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
        self.questions = 0  # configuration reads, which may ask who interrupted as well
        # What the bus driver and the framework say of the device, for what a driver may do to it.
        self.power = 0  # 1 to 3 in D1 to D3
        self.released = False  # EvtDeviceReleaseHardware has returned
        self.known_removed = False  # its driver was told of the surprise removal, and is not on the way down
        self.messages = 0  # granted
        self.beyond: set[int] = set()  # table entries beyond the grant that nobody aimed
        self.guarded: tuple[tuple[int, int, int, str], ...] = ()  # (BAR, start, end, what): the bus driver's registers
        self.advised: set[tuple[int, int]] = set()  # registers whose reads in an ISR were told of
        costs = machine.costs
        self.up = Lane(f"{self.name}.up", machine.agenda, costs.message_flight, self)
        self.down = Lane(f"{self.name}.down", machine.agenda, costs.posted_flight, self)
        self._timers = 0
        self._astray: dict[str, tuple[str, str]] = {}  # what was said of DMA that went wrong, by its direction
        self._low, self._high = 1, 0  # of the buffer that DMA went to last
        self._extents = machine.memory.lent.of_page
        machine.memory.freed.append(self._look_again)
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
        if self.machine.watch is not None:
            self.machine.watch.release(self)
        self.machine.agenda.add(time, timer)
        return timer.cancel

    def dma_write(self, function: Function, address: int, data: bytes) -> None:
        """Posted, behind everything this function posted before."""
        if not self.removed:
            self.up.post(self.machine.time + self.machine.costs.dma_flight, self._land_dma, address, bytes(data))
            if self.machine.watch is not None:
                self._posted(self.up)

    def dma_read(self, function: Function, address: int, length: int) -> bytes:
        """Non-posted; modelled as instantaneous, after the function's own posted writes (PCIe 6.0 §2.4.1)."""
        machine = self.machine
        if self.removed:
            return b"\xff" * length
        self.up.flush()
        if machine.trace is not None:
            if machine.watch is not None:
                machine.watch.read(machine.memory, (address, length))
            machine.trace.add((machine.time, FABRIC, Kind.DMA_READ, self.name, address, length))
        if address < self._low or address + length > self._high:
            self._buffer_of("read", address, length)
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
            if fate.entry in self.beyond:
                self._beyond_the_grant(fate.entry)
            self.up.post(machine.time + self.message_flight, self._deliver, message, fate)
        else:
            fate.drop("surprise removed")
            return
        if machine.trace is not None:
            if machine.watch is not None:
                self._posted(self.up)
            machine.trace.add((machine.time, FABRIC, Kind.SENT, self.name, fate.entry, message.address, message.data))

    def intx(self, function: Function, asserted: bool) -> None:
        """Assert_INTx or Deassert_INTx: a posted message as well."""
        if not self.removed:
            self.up.post(self.machine.time + self.machine.costs.message_flight, self._land_intx, asserted, None)
            if self.machine.watch is not None:
                self._posted(self.up)

    def is_changed(self) -> None:
        """The bus is about to program the function: who looks on cannot see that as an access."""
        if self.machine.watch is not None:
            self.machine.watch.may_change(self)

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
        if machine.watch is not None:
            machine.watch.read(self, (bar, offset))
        return value

    def write(self, bar: int, offset: int, size: int, value: int) -> None:
        """A posted register write: reaches the device later, or when a read pushes it."""
        if not self.removed:
            flight = self.machine.costs.posted_flight
            self.down.post(self.machine.time + flight, self._land_write, (bar, offset, size), value)
            if self.machine.watch is not None:
                self._posted(self.down)

    def config_read(self, offset: int, size: int) -> int:
        """Configuration read: non-posted, flushes like any read."""
        if self.removed:
            return (1 << 8 * size) - 1
        self._arrive()
        self.questions += 1
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

    def set_power(self, state: int) -> None:
        """The device is in D0 (0) or in D1 to D3."""
        self.power = state
        self.generation += 1

    def set_released(self, released: bool) -> None:
        """Its driver has given its hardware back, or is given it."""
        self.released = released
        self.generation += 1

    def tell_removed(self, known: bool) -> None:
        """Its driver knows of the surprise removal, but for what it does on the way down in any case."""
        self.known_removed = known and self.removed
        self.generation += 1

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

    def _posted(self, lane: Lane) -> None:
        """For who looks on: what is posted later comes later, and knows what was done before it was posted."""
        watch = self.machine.watch
        if watch is not None:
            watch.write(lane, "order")
            watch.release(lane)

    def _land_write(self, where: tuple[int, int, int], value: int) -> None:
        bar, offset, size = where
        machine = self.machine
        if machine.trace is not None:
            if machine.watch is not None:
                machine.watch.write(self, (bar, offset))
            machine.trace.add((machine.time, FABRIC, Kind.LANDED, self.name, bar, offset, size, value))
        self.function.bar_write(bar, offset, size, value)

    def _land_dma(self, address: int, data: bytes) -> None:
        machine = self.machine
        if machine.trace is not None:
            if machine.watch is not None:
                machine.watch.write(machine.memory, (address, len(data)))
            machine.trace.add((machine.time, FABRIC, Kind.DMA_WRITE, self.name, address, len(data)))
        if address >> 20 == INTERRUPT_RANGE and len(data) == 4:
            machine.deliver(Message(address, int.from_bytes(data, "little")), None)
        else:
            if address < self._low or address + len(data) > self._high:
                self._buffer_of("write", address, len(data))
            if not machine.memory.write(address, data):
                self.note(self.function, f"DMA write of {len(data)} bytes outside RAM", address=address)

    def _buffer_of(self, direction: str, address: int, length: int) -> None:
        """Whose memory this is, for the next DMA to the same; a finding if it is nobody's."""
        end = address + length
        extent = self._extents.get(address >> PAGE_SHIFT)
        if extent is not None and extent[0] <= address and end <= extent[1]:  # what `around` does, for the usual case
            self._low, self._high = extent[0], extent[1]
            return
        around = self.machine.memory.lent.around(address, end)
        if around is not None:
            self._low, self._high = around
        elif length:
            self._goes_astray(direction, address, end)

    def _look_again(self, pages: Iterable[int]) -> None:
        self._low, self._high = 1, 0

    def _goes_astray(self, direction: str, address: int, end: int) -> None:
        """One finding for each direction, with the first place: a wrong ring goes wrong entry by entry."""
        machine, lent = self.machine, self.machine.memory.lent
        told = self._astray.get(direction)
        if told is None:
            said = f"DMA of {self.name}: the {direction} of {end - address:#x} bytes at {address:#x}"
            remedy = "give the device the logical address of a buffer"
            buffer = lent.buffer_at(address)
            if end > machine.memory.size:
                told = "dma-outside-memory", f"{said}, which is outside of RAM (0 to {machine.memory.size:#x}); {remedy}"
            elif lent.freed(address) and buffer is not None:
                was = f"where a buffer was, {buffer[0]:#x} to {buffer[1]:#x}, that is freed by now"
                told = "dma-after-free", f"{said}, {was}; stop the device's DMA before its memory is freed"
            elif buffer is not None and buffer[0] <= address < buffer[1]:
                past = f"{end - buffer[1]:#x} bytes past the end of its buffer, {buffer[0]:#x} to {buffer[1]:#x}"
                told = "dma-outside-buffer", f"{said} goes {past}; tell the device how long the buffer is"
            else:
                told = "dma-outside-buffer", f"{said}, which is no buffer's; {remedy}"
            self._astray[direction] = told
        machine.note_finding(*told, f"{self.name} at {self.address}")

    def _beyond_the_grant(self, entry: int) -> None:
        """Windows aims the entries beyond the grant at message 0. Where that is all there is, a driver may count on it."""
        self.beyond.discard(entry)
        count = self.messages
        granted = f"the {count} messages granted" if count > 1 else "the one message granted"
        sentence = f"{self.name} signals through table entry {entry}, beyond {granted}: message 0 is delivered instead"
        remedy = f"give its causes entries 0 to {count - 1}, by what was granted" if count > 1 else "let message 0's ISR serve it"
        level: Level | None = "advice" if count == 1 else None
        self.machine.note_finding("vector-beyond-grant", f"{sentence}; {remedy}", f"{self.name} at {self.address}", level)

    def _land_intx(self, asserted: bool, _: None) -> None:
        machine = self.machine
        if self.gsi is not None:
            if machine.trace is not None:
                machine.trace.add((machine.time, FABRIC, Kind.LINE, self.gsi, asserted))
            machine.ioapic.set(self.gsi, self, asserted)

    def _unless_removed(self, action: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            if self.removed:
                return
            watch = self.machine.watch
            if watch is not None:
                watch.lands(self)
            action()
            if watch is not None:
                watch.landed(self)

        return run


class BusView:
    """The function as the bus driver reaches it through its port: synchronous, and answering all ones once removed."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.behind = function = port.function
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

"""What the figures run: whole systems with a driver that has an interrupt object and a DPC for every message.

`Delivery` is the path of a message and nothing else; `Completions` is a multi-queue driver at work with its rings.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from dirql.device.models.mqueue import ENTRY, MultiQueue
from dirql.device.models.mqueue_registers import ARM, CAUSE, QUEUES, VECTORS, QueueRegisters
from dirql.errors import DirqlError
from dirql.ntstatus import name_of, nt_success
from dirql.pnp.constants import CmResourceType
from dirql.pnp.inf import Inf
from dirql.system import System
from dirql.wdf.common_buffer import CommonBuffer
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.dma import DmaEnabler, DmaEnablerConfig, DmaProfile
from dirql.wdf.driver import Driver
from dirql.wdf.interrupt import Interrupt
from dirql.wdf.interrupt_config import InterruptConfig

__all__ = ["Completions", "Delivery", "start"]

INF = rb"""
[Version]
Signature = "$WINDOWS NT$"
Class     = Net
ClassGuid = {4d36e972-e325-11ce-bfc1-08002be10318}
Provider  = bench

[Manufacturer]
bench = Cards,NTamd64

[Cards.NTamd64]
Card = MultiQueue, PCI\VEN_1234&DEV_4D51

[MultiQueue.NT]

[MultiQueue.NT.HW]
AddReg = MultiQueue.Interrupts

[MultiQueue.Interrupts]
HKR, "Interrupt Management\MessageSignaledInterruptProperties", MSISupported, 0x00010001, 1
HKR, "Interrupt Management\Affinity Policy", DevicePolicy, 0x00010001, 5 ; spread messages across all processors
"""
RING_ENTRIES = 64


class BenchDevice(Device):
    """An interrupt object per message; a DPC notes whose it was."""

    def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> None:
        """Create the interrupt objects, in the order of the messages."""
        self.taken: list[int] = []
        for one_raw, one in zip(raw, translated, strict=True):
            if one.is_message:
                self.create_interrupt_object(one_raw, one)

    def create_interrupt_object(self, raw: Any, translated: Any) -> None:
        """For one message."""
        config = InterruptConfig(self.isr, self.dpc, interrupt_raw=raw, interrupt_translated=translated)
        Interrupt.create(self, config)

    def isr(self, interrupt: Interrupt, message_id: int) -> bool:
        """EvtInterruptIsr."""
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt: Interrupt, device: Device) -> None:
        """EvtInterruptDpc."""
        self.taken.append(interrupt.message_number)


class QueueDevice(BenchDevice):
    """A multi-queue driver: a completion ring per queue, served by the DPC of its message, which arms it again."""

    def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> None:
        """Map the registers, allocate the rings, create the interrupt objects."""
        super().evt_device_prepare_hardware(raw, translated)
        memory = next(one.u for one in translated if one.type == CmResourceType.CmResourceTypeMemory)
        self.registers = self.kernel.mm_map_io_space(memory.start, memory.length)
        enabler = DmaEnabler.create(self, DmaEnablerConfig(DmaProfile.ScatterGather64, 4096))
        self.buffers = [CommonBuffer.create(enabler, RING_ENTRIES * ENTRY.size) for _ in self.interrupts[1:]]
        self.rings = [buffer.get_aligned_virtual_address() for buffer in self.buffers]
        self.heads = [0] * len(self.rings)

    def evt_device_d0_entry(self, previous_state: int) -> None:
        """Program every ring; queue q has message q."""
        write, at = self.registers.write_register_ulong, QueueRegisters.placements
        for queue, buffer in enumerate(self.buffers):
            base, address = QUEUES + QueueRegisters.size * queue, buffer.get_aligned_logical_address()
            write(base + at["base_low"].offset, address & 0xFFFF_FFFF)
            write(base + at["base_high"].offset, address >> 32)
            write(base + at["ring_size"].offset, RING_ENTRIES)
            self.registers.write_register_ushort(base + at["vector"].offset, queue)
            write(base + at["control"].offset, 1)
            write(VECTORS + 16 * queue + ARM, 0b11)

    def evt_device_release_hardware(self, translated: Any) -> None:
        """Give the registers back."""
        self.registers.unmap()

    def dpc(self, interrupt: Interrupt, device: Device) -> None:
        """Clear the cause, serve the ring, give the entries back and arm, with a check for what came since the clearing."""
        queue, head = interrupt.message_number, self.heads[interrupt.message_number]
        ring, taken = self.rings[queue], self.taken
        write = self.registers.write_register_ulong
        write(VECTORS + 16 * queue + CAUSE, 0b01)
        while True:
            turn, slot = divmod(head, RING_ENTRIES)
            _, tag, _, _, phase = ENTRY.unpack_from(ring, slot * ENTRY.size)
            if phase & 1 == turn & 1:
                break
            taken.append(tag)
            head += 1
        self.heads[queue] = head
        write(QUEUES + QueueRegisters.size * queue + QueueRegisters.placements["doorbell"].offset, head & 0xFFFF_FFFF)
        write(VECTORS + 16 * queue + ARM, 0b11)


class BenchDriver(Driver):
    """Adds a `BenchDevice`."""

    kind_of_device: type[BenchDevice] = BenchDevice
    made: BenchDevice

    def evt_driver_device_add(self, init: DeviceInit) -> None:
        """EvtDriverDeviceAdd."""
        self.made = self.kind_of_device.create(init)


class QueueDriver(BenchDriver):
    """Adds a `QueueDevice`."""

    kind_of_device = QueueDevice


def start(driver: type[BenchDriver], card: MultiQueue, cpus: int, *, trace: bool = False) -> tuple[System, BenchDevice]:
    """A system that has come to D0 with a message for each of the card's vectors."""
    system = System(cpus, trace=trace)
    system.plug(card)
    loaded = system.load(driver, Inf.parse(INF, source="the INF of dirql bench"))
    status = system.start()
    if not nt_success(status) or system.stopped is not None:
        raise DirqlError(f"the bench's own driver did not start: {name_of(status)}, {system.stopped or 'no stop'}; report it")
    assert isinstance(loaded, BenchDriver)
    device = loaded.made
    if len(device.interrupts) != card.vectors:
        raise DirqlError(f"{len(device.interrupts)} messages were granted of the card's {card.vectors}; report it")
    return system, device


class Delivery:
    """`vectors` messages on `cpus` processors: the model fires them, the driver's DPCs note them in `taken`."""

    def __init__(self, vectors: int, cpus: int, *, trace: bool = False) -> None:
        self.card = MultiQueue(vectors - 1)
        self.system, device = start(BenchDriver, self.card, cpus, trace=trace)
        self.taken, self.vectors, self.cpus = device.taken, vectors, cpus
        self.routes = [(i.info.target_processor_set.bit_length() - 1, i.info.vector) for i in device.interrupts]
        self.fire = self.card.msix.fire
        self.run = self.system.run

    def everything(self, rounds: int = 1) -> None:
        """The card fires every vector once in each round, by its own timer, with time enough between to serve them all."""
        spacing = 2_000 * (-(-self.vectors // self.cpus) + 1)
        fire, vectors, after = self.fire, range(self.vectors), self.card.after

        def burst(left: int) -> None:
            for vector in vectors:
                fire(vector)
            if left > 1:
                after(spacing, partial(burst, left - 1))

        burst(rounds)
        self.run()

    def forget(self) -> None:
        """Drop what a measurement leaves behind, so that the next one starts as this one did."""
        self.taken.clear()
        if self.system.trace is not None:
            self.system.trace.log.clear()


class Completions:
    """A multi-queue driver at work: the card completes a piece of work for each queue by DMA and a message."""

    def __init__(self, queues: int, cpus: int) -> None:
        self.card = MultiQueue(queues)
        self.system, device = start(QueueDriver, self.card, cpus)
        self.taken, self.queues = device.taken, queues

    def everything(self) -> None:
        """One piece of work for each queue, served to the end."""
        for queue in range(self.queues):
            self.card.submit(queue)
        self.system.run()

"""`edu`, the teaching device of QEMU, 1234:11e8, from its public register description (QEMU, docs/specs/edu).

Registers (BAR 0, 1 MiB; below 0x80 accesses of 4 bytes only, from 0x80 on of 4 or 8):

    0x00  identification  RO  0x010000ED: major, minor, 0x00, 0xED
    0x04  liveness        RW  reads back the complement of what was written
    0x08  factorial       RW  n! modulo 2^32 replaces n when it is computed
    0x20  status              bit 0 RO computing, bit 7 RW interrupt when the factorial is done
    0x24  interrupt       RO  why it interrupts: a bit per reason, 0x001 factorial, 0x100 DMA, others as raised
    0x60  raise           WO  these bits are ORed into the interrupt status, and the interrupt is raised
    0x64  acknowledge     WO  these bits are cleared from it
    0x80  DMA source      RW  0x88 destination, 0x90 count in bytes
    0x98  DMA command     RW  bit 0 start (and busy), bit 1 direction (0 from RAM, 1 to RAM), bit 2 interrupt when done

The device's side of a transfer is its buffer of 4096 bytes at 0x40000. It drives 28 address lines (`dma_mask`). One 64-bit
MSI message, or INTx on pin A; the interrupt is a level while the interrupt status is not 0.

Model choices: a transfer that leaves the buffer is not done, and noted (QEMU stops the machine); a DMA address beyond the mask is
clamped to it; a factorial and a transfer take `factorial_ns` and `dma_ns`; what no register answers reads all ones, as in QEMU.

Limits: migration and the trace points of QEMU's model.
"""

from __future__ import annotations

from dirql.device.declare import Bar, Msi
from dirql.device.device import Device
from dirql.device.models.times import refuse_no_times
from dirql.layout import RO, RW, WO, Block, Quad, Register, Word, at

__all__ = ["Edu"]

BUFFER, BUFFER_SIZE = 0x40000, 4096
FACTORIAL_DONE, DMA_DONE = 0x001, 0x100
ONES = 0xFFFF_FFFF


# fmt: off
class Identification(Register, width=32):
    """What the device is."""

    magic = RO[15:0](reset=0x00ED)
    minor = RO[23:16]
    major = RO[31:24](reset=1)


class Status(Register, width=32):
    """Of the factorial unit."""

    computing = RO[0]
    interrupt = RW[7]


class InterruptStatus(Register, width=32):
    """The reasons that stand."""

    reasons = RO[31:0]


class Bits(Register, width=32):
    """Bits to raise or to acknowledge."""

    bits = WO[31:0]


class Command(Register, width=64):
    """Of the DMA engine."""

    start     = RW[0]
    to_ram    = RW[1]
    interrupt = RW[2]


class EduRegisters(Block, size=0xA0):
    """BAR 0."""

    identification = at(0x00, Identification)
    liveness       = at(0x04, Word)
    factorial      = at(0x08, Word)
    status         = at(0x20, Status)
    interrupt      = at(0x24, InterruptStatus)
    raised         = at(0x60, Bits)
    acknowledge    = at(0x64, Bits)
    source         = at(0x80, Quad)
    destination    = at(0x88, Quad)
    count          = at(0x90, Quad)
    command        = at(0x98, Command)
# fmt: on


def _accepts(offset: int, size: int) -> bool:
    return size == 4 or (size == 8 and offset >= 0x80)


class Edu(
    Device, vendor=0x1234, device=0x11E8, class_code=0x00FF00, revision=0x10, subsystem_vendor=0x1AF4, subsystem=0x1100,
    interrupt_pin=1, pcie=False, power_management=False,
):  # fmt: skip
    """The teaching device: liveness check, factorial, DMA, and an interrupt for each."""

    regs = Bar(0, EduRegisters, size=1 << 20, accepts=_accepts, empty=0xFF)
    msi = Msi(messages=1, address64=True)

    def __init__(
        self, *, msi: bool = True, dma_mask: int = (1 << 28) - 1, factorial_ns: int = 1_000, dma_ns: int = 100_000, name: str = ""
    ) -> None:
        refuse_no_times("Edu", factorial_ns=factorial_ns, dma_ns=dma_ns)
        if msi:
            super().__init__(name=name)
        else:
            super().__init__(name=name, msi=None)
        self.dma_mask, self.factorial_ns, self.dma_ns = dma_mask, factorial_ns, dma_ns
        self.buffer = bytearray(BUFFER_SIZE)
        self._argument = 0

    def on_reset(self) -> None:
        self.buffer[:] = bytes(BUFFER_SIZE)

    def served_by(self) -> dict[int, list[str]]:
        """Both units share the one interrupt."""
        return {0: ["factorial", "DMA"]}

    def unserved(self) -> list[str]:
        """Interrupt reasons that were never acknowledged."""
        reasons = self.regs.interrupt.reasons
        return [f"interrupt status {reasons:#x} not acknowledged"] if reasons else []

    @regs.liveness.written
    def invert(self, value: int) -> None:
        self.regs.liveness.value = ~value & ONES

    @regs.factorial.written
    def compute(self, value: int) -> None:
        status = self.regs.status
        if status.computing:
            self.regs.factorial.value = self._argument  # the unit is busy: the write is ignored
            return
        self._argument = value
        status.computing = 1
        self.after(self.factorial_ns, self._computed)

    @regs.raised.written
    def raise_reasons(self, value: int) -> None:
        self.regs.raised.value = 0
        self._raise(value)

    @regs.acknowledge.written
    def acknowledge_reasons(self, value: int) -> None:
        self.regs.acknowledge.value = 0
        interrupt = self.regs.interrupt
        interrupt.value &= ~value & ONES
        if not interrupt.value:
            self.interrupt_signal.lower_source(0)

    @regs.command.written
    def start(self, value: int) -> None:
        if value & 1:
            self.after(self.dma_ns, self._transfer)

    def _computed(self) -> None:
        self.regs.factorial.value = _factorial(self._argument)
        self.regs.status.computing = 0
        if self.regs.status.interrupt:
            self._raise(FACTORIAL_DONE)

    def _transfer(self) -> None:
        regs = self.regs
        command, count = regs.command, regs.count.value
        inside, outside = (regs.source, regs.destination) if command.to_ram else (regs.destination, regs.source)
        offset, address = inside.value - BUFFER, outside.value & self.dma_mask
        if address != outside.value:
            self.note("DMA address beyond the mask", address=outside.value, mask=self.dma_mask)
        if offset < 0 or offset + count > BUFFER_SIZE:
            self.note("DMA outside the device's buffer", start=inside.value, count=count, buffer=BUFFER, size=BUFFER_SIZE)
        elif command.to_ram:
            self.dma.write(address, bytes(self.buffer[offset : offset + count]))
        else:
            self.buffer[offset : offset + count] = self.dma.read(address, count)
        command.start = 0
        if command.interrupt:
            self._raise(DMA_DONE)

    def _raise(self, reasons: int) -> None:
        self.regs.interrupt.value |= reasons
        if self.regs.interrupt.value:
            self.interrupt_signal.raise_source(0)


def _factorial(n: int) -> int:
    """n! modulo 2^32, which is 0 from 34! on."""
    result = 1
    for factor in range(2, min(n, 34) + 1):
        result = result * factor & ONES
    return result

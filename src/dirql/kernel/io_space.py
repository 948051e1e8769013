"""Register access: MmMapIoSpaceEx and the READ_/WRITE_REGISTER_ and _PORT_ families.

A read is a round trip that flushes posted writes and stalls the processor; a write is posted. Every access has exactly
the width of its routine. Reads at device IRQL are counted: they are what message-signalled interrupts exist to avoid.
An access to a device that cannot answer, or to registers that are the bus driver's, is a finding: looked for where a mapping's
way to the device is looked up, which whatever changes the device's state makes anew. So it is told once for each such change.
A mapping's caching attribute stands in the trace; a device's registers that are mapped cached are a finding.
Limits: no caching attribute has an effect. A reset that the device does by itself is no such change.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn

from dirql.ddi import ddi, irql_name
from dirql.kernel.irql import DISPATCH_LEVEL
from dirql.kernel.polling import GONE, ROUND, Polling
from dirql.kernel.stop import BugCheck
from dirql.machine.machine import Machine
from dirql.machine.port import Port
from dirql.trace import Kind

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["IoSpace", "MemoryCachingType", "PortSpace", "decode"]

MEMORY_BARS = range(6)


class MemoryCachingType(IntEnum):
    """MEMORY_CACHING_TYPE (wdm.h)."""

    MmNonCached = 0
    MmCached = 1
    MmWriteCombined = 2
    MmHardwareCoherentCached = 3
    MmNonCachedUnordered = 4
    MmUSWCCached = 5


def decode(ports: list[Port], address: int, io: bool) -> tuple[Port, int, int] | None:
    """(port, BAR, offset) that a physical address reaches by what the BARs hold now."""
    for port in ports:
        function = port.function
        skip = False
        for bar in MEMORY_BARS:
            size = 0 if skip else function.bar_size(bar)
            skip = False
            if not size:
                continue
            low = function.config_read(0x10 + 4 * bar, 4)
            if low & 1:
                base = low & ~3
            else:
                base = low & ~15
                if low & 6 == 4:
                    base |= function.config_read(0x14 + 4 * bar, 4) << 32
                    skip = True
            if bool(low & 1) == io and base <= address < base + size:
                return port, bar, address - base
    return None


class _Space:
    """A mapped range. Each access goes where its own address leads, by what the BARs hold now; what was found for one is kept for
    the rest of that BAR."""

    def __init__(self, kernel: Kernel, start: int, length: int, io: bool) -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self.start, self.length, self.io = start, length, io
        self.mapped = True
        self._port: Port | None = None  # that answers from `_low` up to `_high` of the range, `_base` further on in its BAR
        self._bar = self._base = self._low = self._high = 0
        self._generation = -1
        self._unanswered = False  # and told of
        self._polled = self._seen = -1  # where was read last and what came of it,
        self._again = 0  # so often in a row
        self._polling = Polling(self.machine)

    def _check(self, offset: int, size: int, write: int) -> None:
        port = self._port
        if port is None or not self._low <= offset <= self._high - size or port.generation != self._generation:
            self._route(offset, size, write)

    def _route(self, offset: int, size: int, write: int) -> None:
        """Find who answers at `offset`. An access across the end of a BAR goes whole to where it begins (model choice)."""
        if not self.mapped:
            self._fault(offset, write, f"access at {self.start + offset:#x}: the range was unmapped (MmUnmapIoSpace)")
        if not 0 <= offset <= self.length - size:
            holds = f"the mapping holds {self.length:#x} bytes from {self.start:#x}"
            self._fault(offset, write, f"access of {size} bytes at offset {offset:#x}: {holds}{self._assumed()}")
        found = decode(self.machine.ports, self.start + offset, self.io)
        if found is None:
            self._port = None
            if not self._unanswered:
                self._unanswered = True
                what = f"access of {size} bytes at {'I/O port' if self.io else 'physical address'} {self.start + offset:#x}"
                state = "where no BAR is: reads give all ones, writes are lost"
                self._tell("access-without-decoding", f"{what}, {state}; a reset clears the BARs")
            return
        port, bar, at = found
        self._port, self._bar, self._base, self._generation = port, bar, at - offset, port.generation
        self._low, self._high = max(0, offset - at), min(self.length, offset - at + port.function.bar_size(bar))
        self._judge(port, offset, size)
        if port.guarded:
            self._stay_out(port, offset, size, write)

    def _judge(self, port: Port, offset: int, size: int) -> None:
        """Tell of an access that the device cannot answer. One that is gone reads all ones before its driver can know."""
        bar, reach = f"BAR{self._bar}+{self._base + offset:#x}", "I/O" if self.io else "memory"
        said = f"access of {size} bytes to {bar} of {port.name}"
        if port.released:
            self._tell("access-after-release", f"{said} after EvtDeviceReleaseHardware; unmap there what PrepareHardware mapped")
        elif port.removed:
            if port.known_removed:
                state = "which was pulled out: reads give all ones, writes are lost"
                self._tell("access-after-removal", f"{said}, {state}; keep in EvtDeviceSurpriseRemoval that it is gone")
        elif port.power:
            state = f"which is in D{port.power}: reads give all ones, writes are lost"
            self._tell("access-in-dx", f"{said}, {state}; touch it between EvtDeviceD0Entry and EvtDeviceD0Exit")
        elif not port.function.config_read(0x04, 2) & (1 if self.io else 2):
            state = f"whose Command register has {reach} decoding off: reads give all ones, writes are lost"
            self._tell("access-without-decoding", f"{said}, {state}; a reset or a stop did that")

    def _stay_out(self, port: Port, offset: int, size: int, write: int) -> None:
        """What is kept of the way to the device leaves out the registers that the bus driver programs, so that each write to them
        comes by here."""
        at = self._base + offset
        for bar, start, end, what in port.guarded:
            if bar != self._bar:
                continue
            if at < end and at + size > start:
                self._generation = -1
                if write:
                    said = f"write of {size} bytes to {what} of {port.name}, BAR{bar}+{at:#x}: that is the bus driver's"
                    routines = "SetTableEntry, MaskTableEntry or UnmaskTableEntry of GUID_MSIX_TABLE_CONFIG_INTERFACE"
                    self._tell("table-written-by-driver", f"{said}; use {routines}")
            elif at >= end:
                self._low = max(self._low, end - self._base)
            else:
                self._high = min(self._high, start - self._base)

    def _tell(self, rule: str, sentence: str) -> None:
        self.machine.note_finding(rule, sentence, self.machine.where())

    def _assumed(self) -> str:
        """That the size of the BAR at the start was nobody's word: a dump holds none."""
        found = decode(self.machine.ports, self.start, self.io)
        if found is None or found[1] not in getattr(found[0].function, "assumed", ()):
            return ""
        which = f"BAR {found[1]} of {found[0].name}"
        return f"; that {which} has so many is assumed, as a dump holds no BAR sizes: tell it in [device.bars]"

    def _fault(self, offset: int, write: int, why: str) -> NoReturn:
        """The page fault that it is on Windows: 0xD1 at DISPATCH_LEVEL and above, else 0x50 (facts §5.2). The address in the
        parameters is the physical one, since there is no virtual one."""
        irql, address = self.machine.cpu.irql, self.start + offset
        if irql >= DISPATCH_LEVEL:
            raise BugCheck(0xD1, address, irql, write, why=why)
        raise BugCheck(0x50, address, 2 * write, why=why)

    def _read(self, offset: int, size: int) -> int:
        machine = self.machine
        cpu = machine.cpu
        self._check(offset, size, 0)
        cpu.now += machine.costs.register_read
        machine.time = cpu.now
        port = self._port
        if port is None:
            return (1 << 8 * size) - 1
        port.reads += 1
        if cpu.irql > 2:
            self.kernel.note_read_at_dirql(port, self._bar, self._base + offset)
            if port.messages > 1 and cpu.apic.in_service and (self._bar, self._base + offset) not in port.advised:
                self._advise(port, self._base + offset)
        value = port.read(self._bar, self._base + offset, size)
        if machine.trace is not None:
            machine.trace.add((cpu.now, cpu.index, Kind.READ, port.name, self._bar, self._base + offset, size, value))
        if value == self._seen and offset == self._polled:
            self._again = again = self._again + 1
            if again >= GONE and (again >= ROUND or port.removed):
                self._again = 0
                self._polling.round(port, self._bar, self._base + offset, value, again)
        else:
            self._polled, self._seen, self._again = offset, value, 0
        if cpu.apic.irr:
            self.kernel.take_interrupts(cpu)
        return value

    def _write(self, offset: int, size: int, value: int) -> None:
        machine = self.machine
        cpu = machine.cpu
        self._check(offset, size, 1)
        cpu.now += machine.costs.register_write
        machine.time = cpu.now
        port = self._port
        if port is None:
            return
        port.writes += 1
        if machine.trace is not None:
            machine.trace.add((cpu.now, cpu.index, Kind.WRITE, port.name, self._bar, self._base + offset, size, value))
        port.write(self._bar, self._base + offset, size, value & (1 << 8 * size) - 1)

    def _advise(self, port: Port, at: int) -> None:
        """Where several messages tell their causes apart, an ISR need not ask. Where there is one it may have to."""
        isr = self.machine.cpu.servicing
        if isr is None:
            return
        port.advised.add((self._bar, at))
        cost = f"{self.machine.costs.register_read} ns at DIRQL for each message"
        sentence = f"the ISR of {isr.name} reads BAR{self._bar}+{at:#x} of {port.name}: {cost}, and the message says who it was"
        self._tell("status-read-in-isr", f"{sentence}; go by the MessageID, read in the DPC")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.start:#x}+{self.length:#x}>"


def _reader(name: str, size: int) -> Callable[[Any, int], int]:
    @ddi(name)
    def read(self: _Space, offset: int) -> int:
        return self._read(offset, size)

    read.__doc__ = f"{name}: {size} bytes at `offset`, unsigned, in one access."
    return read


def _writer(name: str, size: int) -> Callable[[Any, int, int], None]:
    @ddi(name)
    def write(self: _Space, offset: int, value: int) -> None:
        self._write(offset, size, value)

    write.__doc__ = f"{name}: {size} bytes at `offset`, in one posted access."
    return write


class IoSpace(_Space):
    """Mapped device memory."""

    def __init__(
        self, kernel: Kernel, start: int, length: int, cache_type: MemoryCachingType = MemoryCachingType.MmNonCached
    ) -> None:
        super().__init__(kernel, start, length, io=False)
        self.cache_type = cache_type
        kernel.mapped[self] = self.machine.where()
        self._tell_caching()

    def _tell_caching(self) -> None:
        machine, cached = self.machine, self.cache_type is MemoryCachingType.MmCached
        if machine.trace is None and not cached:
            return
        found = decode(machine.ports, self.start, self.io)
        what = f"{self.length:#x} bytes at {self.start:#x}" + (f", BAR{found[1]} of {found[0].name}" if found else "")
        if machine.trace is not None:
            mapped = f"{what}, {self.cache_type.name}"
            machine.trace.add((machine.cpu.now, machine.cpu.index, Kind.NOTE, "MmMapIoSpaceEx", mapped))
        if cached and found is not None:
            remedy = "map them MmNonCached: PAGE_READWRITE | PAGE_NOCACHE for MmMapIoSpaceEx"
            self._tell("cached-registers", f"{what}, are mapped {self.cache_type.name}; {remedy}")

    read_register_uchar = _reader("READ_REGISTER_UCHAR", 1)
    read_register_ushort = _reader("READ_REGISTER_USHORT", 2)
    read_register_ulong = _reader("READ_REGISTER_ULONG", 4)
    read_register_ulong64 = _reader("READ_REGISTER_ULONG64", 8)
    write_register_uchar = _writer("WRITE_REGISTER_UCHAR", 1)
    write_register_ushort = _writer("WRITE_REGISTER_USHORT", 2)
    write_register_ulong = _writer("WRITE_REGISTER_ULONG", 4)
    write_register_ulong64 = _writer("WRITE_REGISTER_ULONG64", 8)

    @ddi("MmUnmapIoSpace")
    def unmap(self) -> None:
        """MmUnmapIoSpace: any later access is an error."""
        if self.machine.cpu.irql > 1:  # Driver Verifier 0xC4/0x7B objects, the page does not (facts §7)
            sentence = f"MmUnmapIoSpace above APC_LEVEL, at {irql_name(self.machine.cpu.irql)}"
            self.machine.note_finding("irql-too-high", sentence, self.machine.where(), "warning")
        if not self.mapped:
            self._fault(0, 0, f"MmUnmapIoSpace of {self.start:#x}, which was unmapped before")
        self.mapped, self._port = False, None
        self.kernel.mapped.pop(self, None)


class PortSpace(_Space):
    """An I/O port range; no mapping is needed on x64."""

    def __init__(self, kernel: Kernel, start: int, length: int) -> None:
        super().__init__(kernel, start, length, io=True)

    read_port_uchar = _reader("READ_PORT_UCHAR", 1)
    read_port_ushort = _reader("READ_PORT_USHORT", 2)
    read_port_ulong = _reader("READ_PORT_ULONG", 4)
    write_port_uchar = _writer("WRITE_PORT_UCHAR", 1)
    write_port_ushort = _writer("WRITE_PORT_USHORT", 2)
    write_port_ulong = _writer("WRITE_PORT_ULONG", 4)

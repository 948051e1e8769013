"""Device memory as a driver's code reaches it: each access of an instruction is one access of the device, made outside of the
emulator.

An instruction that touches a mapped BAR stops before anything happens. The access is carried out by the mapping's own
routine (a scheduling point, and what a register read costs). Of a plain move that is all; any other instruction is entered
again, with what was read or with its write done, which the emulator then asks for. It hands eight bytes over as two halves of
one stop, joined here; sixteen reach the device as two of eight, as PCIe may split them.

Limits: a read that is not aligned and crosses a page reads the aligned eights around it. An instruction that compares two
places of device memory (`cmps`) reads the first one twice.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import Array, c_uint64

from dirql.hosts.sys.address_space import AddressSpace, Area, Region
from dirql.hosts.sys.decode import Move
from dirql.hosts.sys.page_table import PAGE_SHIFT, Rights
from dirql.hosts.sys.processor import TRAP_BASE, TRAP_SIZE
from dirql.kernel.io_space import IoSpace
from dirql.machine.memory import PAGE_SIZE

__all__ = ["Access", "DeviceMapping", "DevicePages"]

READ_WRITE = Rights.READ | Rights.WRITE
MOVED = int(READ_WRITE)
READERS = {1: IoSpace.read_register_uchar, 2: IoSpace.read_register_ushort, 4: IoSpace.read_register_ulong,
           8: IoSpace.read_register_ulong64}  # fmt: skip
WIDEST = (0, 1, 2, 2, 4, 4, 4, 4)  # access within so many bytes
WRITERS = {1: IoSpace.write_register_uchar, 2: IoSpace.write_register_ushort, 4: IoSpace.write_register_ulong,
           8: IoSpace.write_register_ulong64}  # fmt: skip


class DeviceMapping:
    """What MmMapIoSpaceEx returned: a range of the driver's addresses, and the register access behind it."""

    def __init__(self, io_space: IoSpace, region: Region, trap_page: int) -> None:
        self.io_space, self.region = io_space, region
        self.origin = (trap_page << PAGE_SHIFT) + (region.start & PAGE_SIZE - 1)  # among the trapped addresses


class Access:
    """What one instruction has done so far: the bytes that it read, the ranges that it wrote."""

    __slots__ = ("expected_read", "expected_write", "read", "rip", "written")

    def __init__(self, rip: int, expected: tuple[int, int]) -> None:
        self.rip = rip
        self.expected_read, self.expected_write = expected
        self.read: list[tuple[int, int, int]] = []  # (offset, size, value)
        self.written: list[tuple[int, int]] = []  # (offset, size)

    def begins_anew(self, rip: int, writes: bool) -> bool:
        """True when an access of this kind cannot belong to the same execution of the instruction."""
        if rip != self.rip:
            return True
        done, expected = (self.written, self.expected_write) if writes else (self.read, self.expected_read)
        return sum(piece[1] for piece in done) >= expected


class DevicePages:
    """The trapped physical pages, and whose they are. `widths(rip)` is how many bytes the instruction there reads and writes."""

    def __init__(self, space: AddressSpace, widths: Callable[[int], tuple[int, int]]) -> None:
        self._space, self._widths = space, widths
        self._next = 0
        self._mapping_of: dict[int, DeviceMapping] = {}  # by trapped page
        self._by_address: dict[int, DeviceMapping] = {}
        self.current: Access | None = None
        self._reads = self._writes = 0  # how many pieces of the current access were taken since it was entered
        self._pieces: list[tuple[int, int, int]] = []
        self._piece_writes = False

    # Mapping.

    def has_room(self, start: int, length: int) -> bool:
        """There are trapped pages left for the physical range; none is used twice."""
        return self._next + -(-((start & PAGE_SIZE - 1) + length) // PAGE_SIZE) < TRAP_SIZE >> PAGE_SHIFT

    def map(self, io_space: IoSpace, start: int, length: int, rights: Rights = READ_WRITE) -> int:
        """The address at which the driver sees the physical range, which `has_room`."""
        inside = start & PAGE_SIZE - 1
        count = -(-(inside + length) // PAGE_SIZE)
        first, self._next = self._next, self._next + count
        pages = [TRAP_BASE + (first + i << PAGE_SHIFT) for i in range(count)]
        region = self._space.place(Area.DEVICE, pages, inside, length, "a mapping of device memory", rights)
        mapping = DeviceMapping(io_space, region, first)
        for i in range(count):
            self._mapping_of[first + i] = mapping
        self._by_address[region.start] = mapping
        return region.start

    def unmap(self, address: int) -> DeviceMapping | None:
        """The mapping that began there, gone now; None when there is none."""
        mapping = self._by_address.pop(address, None)
        if mapping is not None:
            self._space.free(mapping.region)
        return mapping

    def mapping(self, address: int) -> tuple[DeviceMapping, int] | None:
        """(mapping, offset in it) of an address of the driver's."""
        region = self._space.region(address)
        mapping = self._by_address.get(region.start) if region is not None and region.live else None
        return (mapping, address - mapping.region.start) if mapping is not None else None

    # Around the emulator.

    def enter(self, access: Access | None) -> None:
        """Before the emulator goes on: what the instruction has done already."""
        self.current = access
        self._reads = self._writes = 0

    def move(self, move: Move, registers: Array[c_uint64]) -> int | None:
        """After a stop: carry out a plain move. What was read, or written; None when that takes more than one access."""
        size, address = move.size, registers[move.base] + registers[move.index] * move.scale + move.displacement
        offset = (self._space.pages.translate(address, MOVED) or 0) - TRAP_BASE
        if offset < 0 or address & size - 1:
            return None
        self._pieces.clear()  # of one that was let pass with another instruction
        mapping, mask = self._mapping_of[offset >> PAGE_SHIFT], (1 << 8 * size) - 1
        if not move.writes:
            return READERS[size](mapping.io_space, offset - mapping.origin) & mask
        value = (registers[move.register] if move.value is None else move.value) & mask
        WRITERS[size](mapping.io_space, offset - mapping.origin, value)
        return value

    def perform(self, rip: int) -> Access:
        """After a stop: carry out what the instruction at `rip` waits for; nothing yet when it was only kept from beginning."""
        pieces, writes, access = self._pieces, self._piece_writes, self.current
        if access is None or access.begins_anew(rip, writes):
            access = Access(rip, self._widths(rip))
        if not pieces:
            return access
        self._pieces = []
        offset, size, value = pieces[0]
        for _, more, part in pieces[1:]:
            value |= part << 8 * size
            size += more
        mapping = self._mapping_of[offset >> PAGE_SHIFT]
        at = offset - mapping.origin
        while size:
            part = 8 if size >= 8 else WIDEST[size]
            if writes:
                WRITERS[part](mapping.io_space, at, value & (1 << 8 * part) - 1)
                access.written.append((offset, part))
            else:
                access.read.append((offset, part, READERS[part](mapping.io_space, at)))
            at, offset, size, value = at + part, offset + part, size - part, value >> 8 * part
        return access

    # Called by the emulator: nothing but looking and noting.

    def read(self, offset: int, size: int) -> int | None:
        """Half by half, what the access has read."""
        access = self.current
        if access is not None and self._reads < len(access.read):
            start, length, value = access.read[self._reads]
            if offset + size == start + length:
                self._reads += 1
            return value >> 8 * (offset - start) & (1 << 8 * size) - 1
        self._note(offset, size, 0, False)
        return None

    def write(self, offset: int, size: int, value: int) -> bool:
        """True for what was written already."""
        access = self.current
        if access is not None and self._writes < len(access.written):
            start, length = access.written[self._writes]
            if offset + size == start + length:
                self._writes += 1
            return True
        self._note(offset, size, value, True)
        return False

    def _note(self, offset: int, size: int, value: int, writes: bool) -> None:
        if self._pieces and (self._piece_writes != writes or self._pieces[-1][0] + self._pieces[-1][1] != offset):
            return  # after the stop was asked for: not an access of this instruction's own
        self._piece_writes = writes
        self._pieces.append((offset, size, value))

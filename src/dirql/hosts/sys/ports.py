"""Port instructions of a driver's code: in, out, ins and outs reach a device as one access each, made outside of the emulator.

Unicorn cannot stop at a port instruction before the rest of its block has run. So every block is looked at once, before it
runs for the first time; a port instruction in it is replaced by a hlt, as loading an image does with other instructions, and
carried out here, by the kernel's READ_PORT_ and WRITE_PORT_ routines.
Limits: a port that no BAR decodes reads all ones and takes writes; the chipset's own ports are not modelled.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import capstone
from capstone import x86_const as x86

from dirql.hosts.sys.decode import Instruction
from dirql.kernel.io_space import PortSpace, decode

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Ports"]

CANDIDATE = re.compile(rb"[\xe4-\xe7\xec-\xef\x6c-\x6f]")
IDS = {x86.X86_INS_IN: "in", x86.X86_INS_OUT: "out"}
STRINGS = {
    x86.X86_INS_INSB: ("ins", 1), x86.X86_INS_INSW: ("ins", 2), x86.X86_INS_INSD: ("ins", 4),
    x86.X86_INS_OUTSB: ("outs", 1), x86.X86_INS_OUTSW: ("outs", 2), x86.X86_INS_OUTSD: ("outs", 4),
}  # fmt: skip
DIRECTION = 0x400  # EFLAGS.DF
READERS = {1: PortSpace.read_port_uchar, 2: PortSpace.read_port_ushort, 4: PortSpace.read_port_ulong}
WRITERS = {1: PortSpace.write_port_uchar, 2: PortSpace.write_port_ushort, 4: PortSpace.write_port_ulong}
HLT = b"\xf4"


class PortInstruction(Instruction):
    """One of them: `port` is None where DX names it, `repeats` with a rep prefix."""

    __slots__ = ("port", "repeats")

    def __init__(self, one: Any, name: str, size: int, port: int | None, repeats: bool) -> None:
        super().__init__(one.address, one.size, name, "", size, f"{one.mnemonic} {one.op_str}".strip())
        self.port, self.repeats = port, repeats


class Ports:
    """`guest.part(Ports)`: finds port instructions and carries them out."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._engine.detail = True
        self._found: list[PortInstruction] = []
        self._told: set[int] = set()

    def look(self, address: int, size: int) -> bool:
        """Called by the emulator before a block runs for the first time; True for one with port instructions in it."""
        guest = self._guest
        code = guest.space.peek(address, size)
        if not CANDIDATE.search(code):
            return False
        found = [made for one in self._engine.disasm(code, address) if (made := _port_instruction(one)) is not None]
        self._found += found
        return bool(found)

    def replace(self) -> None:
        """After the stop that `look` asked for: what was found is trapped from now on."""
        guest = self._guest
        for instruction in self._found:
            physical = guest.pages.translate(instruction.address, 4)
            if physical is not None and not guest.traps.watches(instruction.address):
                guest.traps.watch(instruction)
                guest.space.memory.write(physical, HLT)
        self._found.clear()
        guest.processor.forget_code()

    def perform(self, instruction: Instruction) -> None:
        """Carry out what was replaced."""
        assert isinstance(instruction, PortInstruction)
        processor = self._guest.processor
        activation = processor.current
        assert activation is not None
        port = processor.register("rdx") & 0xFFFF if instruction.port is None else instruction.port
        size, mask = instruction.size, (1 << 8 * instruction.size) - 1
        if instruction.name in ("ins", "outs"):
            self._string(instruction, port)
        elif instruction.name == "in":
            rax = processor.register("rax")
            value = self._read(port, size)
            self._guest.take_over(activation)
            processor.set_register("rax", value if size == 4 else rax & ~mask | value)
        else:
            self._write(port, size, processor.register("rax") & mask)
            self._guest.take_over(activation)

    def _string(self, instruction: PortInstruction, port: int) -> None:
        guest, size = self._guest, instruction.size
        processor = guest.processor
        activation = processor.current
        assert activation is not None
        pointer = "rdi" if instruction.name == "ins" else "rsi"
        address, left = processor.register(pointer), processor.register("rcx") if instruction.repeats else 1
        step = -size if processor.register("eflags") & DIRECTION else size
        while left:
            if instruction.name == "ins":
                guest.space.write(address, self._read(port, size).to_bytes(size, "little"))
            else:
                self._write(port, size, int.from_bytes(guest.space.read(address, size), "little"))
            address, left = address + step & (1 << 64) - 1, left - 1
        guest.take_over(activation)
        processor.set_register(pointer, address)
        if instruction.repeats:
            processor.set_register("rcx", 0)

    def _read(self, port: int, size: int) -> int:
        return READERS[size](self._space(port, size), 0)

    def _write(self, port: int, size: int, value: int) -> None:
        WRITERS[size](self._space(port, size), 0, value)

    def _space(self, port: int, size: int) -> PortSpace:
        guest = self._guest
        if port not in self._told and decode(guest.machine.ports, port, True) is None:
            self._told.add(port)
            guest.framework.note(f"port {port:#x} is no device's: reads give all ones, writes are lost")
        return guest.kernel.port_space(port, size)


def _port_instruction(one: Any) -> PortInstruction | None:
    if one.id in IDS:
        operands = one.operands
        number = next((o.imm & 0xFF for o in operands if o.type == x86.X86_OP_IMM), None)
        register = operands[0 if one.id == x86.X86_INS_IN else 1]
        return PortInstruction(one, IDS[one.id], int(register.size), number, False)
    if one.id in STRINGS and one.mnemonic.split()[-1] in ("insb", "insw", "insd", "outsb", "outsw", "outsd"):
        name, size = STRINGS[one.id]
        repeats = any(prefix in (x86.X86_PREFIX_REP, x86.X86_PREFIX_REPNE) for prefix in one.prefix)
        return PortInstruction(one, name, size, None, repeats)
    return None

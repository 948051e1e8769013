"""What dirql must know of single instructions: how many bytes one reads and writes, and which ones must not run as they are.

Where else capstone is imported (`ports.py`, `dirql.check`) code is looked at as a whole.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import capstone
from capstone import x86_const as x86

from dirql.hosts.sys.address_space import AddressSpace
from dirql.hosts.sys.processor import PLACE
from dirql.machine.memory import PAGE_SIZE

__all__ = ["WHOLE", "Decoder", "Instruction", "Move", "special_instructions"]

LONGEST = 15
AT_ONCE = 4096  # instructions that a disassembler lays out in memory
READ_WRITE = capstone.CS_AC_READ | capstone.CS_AC_WRITE
MORE_THAN_READ = {  # they write what they read, of which capstone does not tell
    x86.X86_INS_CMPXCHG, x86.X86_INS_CMPXCHG8B, x86.X86_INS_CMPXCHG16B, x86.X86_INS_ROL, x86.X86_INS_ROR, x86.X86_INS_RCL,
    x86.X86_INS_RCR,
}  # fmt: skip
TWICE = {x86.X86_INS_CMPSB, x86.X86_INS_CMPSW, x86.X86_INS_CMPSD, x86.X86_INS_CMPSQ}

# What an emulator's own state would answer (CR8 does not stick, the others leak the host): found by their bytes, then confirmed
# by decoding from the function's start. 0F 20/22 /r with CR8 (REX.R), 0F 30 to 32, 0F A2, 0F 01 F9, 0F C7 /6 and /7 (a register).
SPECIAL = re.compile(rb"[\x44-\x47\x4c-\x4f]\x0f[\x20\x22][\xc0-\xc7]|\x0f[0-2\xa2]|\x0f\x01\xf9|\x0f\xc7[\xf0-\xff]", re.DOTALL)
SPECIAL_IDS = {
    x86.X86_INS_RDTSC: "rdtsc", x86.X86_INS_RDTSCP: "rdtscp", x86.X86_INS_RDRAND: "rdrand", x86.X86_INS_RDSEED: "rdseed",
    x86.X86_INS_RDMSR: "rdmsr", x86.X86_INS_WRMSR: "wrmsr", x86.X86_INS_CPUID: "cpuid",
}  # fmt: skip
MOVES = {x86.X86_INS_MOV, x86.X86_INS_MOVZX}


def _parts(whole: str) -> tuple[str, str, str, str]:
    """The names of a general register and of its lowest four, two and one bytes."""
    if whole[1:].isdigit():
        return whole, f"{whole}d", f"{whole}w", f"{whole}b"
    word = whole[1:]
    return whole, f"e{word}", word, f"{word.removesuffix('x')}l"


WHOLE = {part: whole for whole in PLACE for part in _parts(whole)}


class Instruction:
    """A decoded instruction that needs care: `name` ("mov cr8", "mov from cr8", "rdtsc" …), its register and length."""

    __slots__ = ("address", "length", "name", "register", "size", "text")

    def __init__(self, address: int, length: int, name: str, register: str, size: int, text: str) -> None:
        self.address, self.length, self.name, self.register, self.size, self.text = address, length, name, register, size, text


@dataclass(frozen=True, slots=True)
class Move:
    """A plain `mov` or `movzx` between a register and memory, which does nothing else. Registers by their place in
    `Processor.registers`."""

    length: int
    size: int  # bytes in memory
    base: int
    index: int
    scale: int  # 0 without an index
    displacement: int
    writes: bool
    register: int  # the one that is filled, zero-extended, or whose lowest bytes are written
    value: int | None  # what is written in place of a register


class Decoder:
    """Looks at the driver's code where it is."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._engine.detail = True
        self._widths: dict[int, tuple[int, int]] = {}
        self._moves: dict[int, Move | None] = {}
        self._counts: dict[bytes, int] = {}

    def widths(self, rip: int) -> tuple[int, int]:
        """(bytes read, bytes written) by the memory operands of the instruction at `rip`; looked at once."""
        known = self._widths.get(rip)
        if known is None:
            known = self._widths[rip] = self._measure(rip)
        return known

    def move(self, rip: int) -> Move | None:
        """What the instruction at `rip` moves; None for one that is no plain move. Looked at once."""
        if rip not in self._moves:
            one = self._at(rip)
            self._moves[rip] = _move(one) if one is not None and one.id in MOVES else None
        return self._moves[rip]

    def text(self, rip: int) -> str:
        """The instruction as a disassembler writes it; empty where there is none."""
        one = self._at(rip)
        return f"{one.mnemonic} {one.op_str}".strip() if one is not None else ""

    def length(self, rip: int) -> int:
        """Its length in bytes; 0 where there is none."""
        one = self._at(rip)
        return int(one.size) if one is not None else 0

    def count(self, address: int, size: int) -> int:
        """How many instructions lie in the range."""
        code = self._space.peek(address, size)
        known = self._counts.get(code)
        if known is None:
            known = self._counts[code] = sum(1 for _ in self._engine.disasm_lite(code, address))
        return known

    def touched(self, rip: int, page: int, register: Callable[[str], int]) -> int:
        """The address in the page at `page` that the instruction at `rip` accesses: all that an emulator tells is the page."""
        one = self._at(rip)
        for address, size in _operands(one, register) if one is not None else ():
            if address & -PAGE_SIZE == page:
                return address
            if address < page < address + size:
                return page
        return page

    def also_writes(self, rip: int) -> bool:
        """The instruction at `rip` reads a place and writes it: such a read asks for the right to write, and one of a place that
        nobody may access is told as a write (model choice)."""
        one = self._at(rip)
        return one is not None and any(_access(one, each) == READ_WRITE for each in one.operands if each.type == x86.X86_OP_MEM)

    def forget(self) -> None:
        """Code has gone."""
        self._widths.clear()
        self._moves.clear()

    def _measure(self, rip: int) -> tuple[int, int]:
        one = self._at(rip)
        if one is None:
            return 8, 8
        read = written = 0
        for operand in one.operands:
            if operand.type == x86.X86_OP_MEM:
                access = _access(one, operand)
                read = max(read, operand.size if access & capstone.CS_AC_READ else 0)
                written = max(written, operand.size if access & capstone.CS_AC_WRITE else 0)
        return (2 * read if one.id in TWICE else read), written

    def _at(self, rip: int) -> Any:
        code = b""
        for part in _pages(rip, LONGEST):
            physical = self._space.pages.translate(part.start, 5)
            if physical is None:
                break
            code += self._space.memory.read(physical, len(part))
        return next(iter(self._engine.disasm(code, rip, 1)), None)


def _access(one: Any, operand: Any) -> int:
    """What `one` does with an operand in memory."""
    return READ_WRITE if one.id in MORE_THAN_READ else int(operand.access) or capstone.CS_AC_READ


def _move(one: Any) -> Move | None:
    """Of a `mov` or `movzx`. Not plain: one that fills a part of its register, or has AH, a segment, no base or a 32-bit one."""
    writes = one.operands[0].type == x86.X86_OP_MEM
    memory, other = one.operands if writes else reversed(one.operands)
    if memory.type != x86.X86_OP_MEM or memory.mem.segment or (not writes and other.size < 4):
        return None
    at, immediate = memory.mem, other.type == x86.X86_OP_IMM
    try:
        base, index = PLACE[one.reg_name(at.base)], PLACE[one.reg_name(at.index)] if at.index else 0
        register = 0 if immediate else PLACE[WHOLE[one.reg_name(other.reg)]]
    except KeyError:
        return None
    scale, value = at.scale if at.index else 0, other.imm if immediate else None
    return Move(one.size, memory.size, base, index, scale, at.disp, writes, register, value)


def _operands(one: Any, register: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """(address, size) of everything in memory that an instruction names or implies; registers as they were before it."""
    for operand in one.operands:
        if operand.type == x86.X86_OP_MEM:
            memory, name = operand.mem, one.reg_name
            address = memory.disp + sum(
                (one.address + one.size if name(part) == "rip" else register(name(part))) * times
                for part, times in ((memory.base, 1), (memory.index, memory.scale))
                if part
            )
            if memory.segment in (x86.X86_REG_GS, x86.X86_REG_FS):
                address += register(f"{name(memory.segment)}_base")
            yield address & (1 << 64) - 1, operand.size
    if one.id in (x86.X86_INS_PUSH, x86.X86_INS_CALL, x86.X86_INS_PUSHFQ):
        yield register("rsp") - 8 & (1 << 64) - 1, 8
    if one.id in (x86.X86_INS_POP, x86.X86_INS_RET, x86.X86_INS_POPFQ):
        yield register("rsp"), 8


def _pages(address: int, length: int) -> Iterator[range]:
    end = address + length
    while address < end:
        stop = min(end, (address | PAGE_SIZE - 1) + 1)
        yield range(address, stop)
        address = stop


def special_instructions(code: bytes, base: int, starts: Iterable[int]) -> list[Instruction]:
    """The instructions in `code` (at `base`) that must be trapped, found from the function starts in it; `starts` are
    addresses, and code before or between them is decoded on from the start before."""
    candidates = [base + match.start() for match in SPECIAL.finditer(code)]
    if not candidates:
        return []
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.detail = True
    engine.skipdata = True
    bounds = sorted({base, *(s for s in starts if base <= s < base + len(code))})
    found: list[Instruction] = []
    for index in sorted({bisect_right(bounds, candidate) - 1 for candidate in candidates}):
        start, end = bounds[index], bounds[index + 1] if index + 1 < len(bounds) else base + len(code)
        found += _in_function(engine, code[start - base : end - base], start)
    return found


def _disassembled(engine: Any, code: bytes, start: int) -> Iterator[Any]:
    """All of `code`, a part at a time: of megabytes in one function the instructions alone would fill gigabytes."""
    at = 0
    while at < len(code):
        for one in engine.disasm(code[at : at + AT_ONCE * LONGEST], start + at, AT_ONCE):
            yield one
            at += one.size


def _in_function(engine: Any, code: bytes, start: int) -> Iterator[Instruction]:
    for one in _disassembled(engine, code, start):
        if one.id == 0:
            continue
        text = f"{one.mnemonic} {one.op_str}".strip()
        if one.id in SPECIAL_IDS:
            register = one.reg_name(one.operands[0].reg) if one.operands else ""
            size = one.operands[0].size if one.operands else 8
            yield Instruction(one.address, one.size, SPECIAL_IDS[one.id], register, size, text)
        elif one.id == x86.X86_INS_MOV and len(one.operands) == 2:
            names = [one.reg_name(o.reg) if o.type == x86.X86_OP_REG else "" for o in one.operands]
            if names[0] == "cr8":
                yield Instruction(one.address, one.size, "mov to cr8", names[1], 8, text)
            elif names[1] == "cr8":
                yield Instruction(one.address, one.size, "mov from cr8", names[0], 8, text)

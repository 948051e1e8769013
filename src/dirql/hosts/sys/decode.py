"""What dirql must know of single instructions: how many bytes one reads and writes, and which ones must not run as they are.

This module alone imports capstone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import capstone
from capstone import x86_const as x86

from dirql.hosts.sys.address_space import AddressSpace
from dirql.machine.memory import PAGE_SIZE

__all__ = ["Decoder", "Instruction", "special_instructions"]

LONGEST = 15
TWICE = {x86.X86_INS_CMPSB, x86.X86_INS_CMPSW, x86.X86_INS_CMPSD, x86.X86_INS_CMPSQ}

# What an emulator's own state would answer (CR8 does not stick, the others leak the host): found by their bytes, then confirmed
# by decoding from the function's start. 0F 20/22 /r with CR8 (REX.R), 0F 31, 0F 01 F9, 0F C7 /6 and /7 with a register.
SPECIAL = re.compile(rb"[\x44-\x47\x4c-\x4f]\x0f[\x20\x22][\xc0-\xc7]|\x0f\x31|\x0f\x01\xf9|\x0f\xc7[\xf0-\xff]", re.DOTALL)
SPECIAL_IDS = {
    x86.X86_INS_RDTSC: "rdtsc", x86.X86_INS_RDTSCP: "rdtscp", x86.X86_INS_RDRAND: "rdrand", x86.X86_INS_RDSEED: "rdseed",
}  # fmt: skip


class Instruction:
    """A decoded instruction that needs care: `name` ("mov cr8", "mov from cr8", "rdtsc" …), its register and length."""

    __slots__ = ("address", "length", "name", "register", "size", "text")

    def __init__(self, address: int, length: int, name: str, register: str, size: int, text: str) -> None:
        self.address, self.length, self.name, self.register, self.size, self.text = address, length, name, register, size, text


class Decoder:
    """Looks at the driver's code where it is."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._engine.detail = True
        self._widths: dict[int, tuple[int, int]] = {}

    def widths(self, rip: int) -> tuple[int, int]:
        """(bytes read, bytes written) by the memory operands of the instruction at `rip`; looked at once."""
        known = self._widths.get(rip)
        if known is None:
            known = self._widths[rip] = self._measure(rip)
        return known

    def text(self, rip: int) -> str:
        """The instruction as a disassembler writes it; empty where there is none."""
        one = self._at(rip)
        return f"{one.mnemonic} {one.op_str}".strip() if one is not None else ""

    def length(self, rip: int) -> int:
        """Its length in bytes; 0 where there is none."""
        one = self._at(rip)
        return int(one.size) if one is not None else 0

    def forget(self) -> None:
        """Code has gone."""
        self._widths.clear()

    def _measure(self, rip: int) -> tuple[int, int]:
        one = self._at(rip)
        if one is None:
            return 8, 8
        read = written = 0
        for operand in one.operands:
            if operand.type == x86.X86_OP_MEM:
                access = operand.access or capstone.CS_AC_READ
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
    for index, start in enumerate(bounds):
        end = bounds[index + 1] if index + 1 < len(bounds) else base + len(code)
        if any(start <= candidate < end for candidate in candidates):
            found += _in_function(engine, code[start - base : end - base], start)
    return found


def _in_function(engine: Any, code: bytes, start: int) -> Iterator[Instruction]:
    for one in engine.disasm(code, start):
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

"""A processor's own page (KPCR, and the KPRCB in it) as a driver's code sees it through gs.

What the DDK's headers publish of it and a machine of dirql's knows is there. An instruction that reads anything else through
gs, or writes, is found before its block runs for the first time, as `ports.py` finds its own, and ends the run where it is come
to. KPCR.Irql is not kept up: on x64 the IRQL is in CR8.
Limits: what is read through a pointer to the page (KPCR.Self, KPCR.CurrentPrcb) is not looked at: all but the above reads 0
there. Of what is computed while the driver runs only a mov into a register can be carried out.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import capstone
from capstone import x86_const as x86

from dirql.errors import NotModelled
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.decode import WHOLE, Instruction
from dirql.hosts.sys.nt_structs import KPCR, KPRCB
from dirql.machine.cpu import Cpu

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["CURRENT_THREAD", "GsAccesses", "make_kpcr"]

LENGTH = 0x1000
PRCB = 0x180
MXCSR = 0x1F80
VERSION = 1  # PCR_MAJOR_VERSION, PCR_MINOR_VERSION
KNOWN = [
    *(KPCR.field(name) for name in ("Self", "CurrentPrcb", "ObsoleteNumber", "MajorVersion", "MinorVersion")),
    *(KPRCB.field(name).moved(PRCB, name) for name in ("MxCsr", "CurrentThread", "Number")),
]
CURRENT_THREAD = PRCB + KPRCB.offset("CurrentThread")
LEGACY_NUMBER = PRCB + KPRCB.offset("LegacyNumber")
# The number is read as a word or a DWORD too: what is beside it is 0.
READABLE = [*((field.offset, field.offset + field.size) for field in KNOWN), (LEGACY_NUMBER, LEGACY_NUMBER + 4)]
REMEDIES = {"Irql": "KeGetCurrentIrql"}
ROUTINES = "the kernel's routines (KeGetCurrentThread, KeGetCurrentProcessorNumberEx, KeGetCurrentIrql)"
GS = 0x65
HLT = b"\xf4"
NO_ACCESS = {x86.X86_INS_LEA, x86.X86_INS_NOP}


def make_kpcr(guest: Guest, cpu: Cpu) -> int:
    """The address of the page of `cpu`, filled."""
    start = guest.space.allocate(Area.KERNEL, LENGTH, f"the KPCR of cpu{cpu.index}").start
    KPCR(guest.space, start).store(
        Self=start, CurrentPrcb=start + PRCB, ObsoleteNumber=cpu.index & 0xFF, MajorVersion=VERSION, MinorVersion=VERSION
    )
    KPRCB(guest.space, start + PRCB).store(MxCsr=MXCSR, LegacyNumber=cpu.index & 0xFF, Number=cpu.index)
    return start


class GsAccess(Instruction):
    """An instruction that is trapped. Its displacement, to which `base` and `index` times `scale` are added, and what it does:
    `loads` into `register`, and nothing else; or `writes`."""

    __slots__ = ("base", "displacement", "index", "loads", "scale", "writes")

    def __init__(self, one: Any, operand: Any) -> None:
        text = f"{one.mnemonic} {one.op_str}".strip()
        first, memory = one.operands[0], operand.mem
        self.loads = one.id == x86.X86_INS_MOV and first.type == x86.X86_OP_REG and one.reg_name(first.reg) in WHOLE
        super().__init__(one.address, one.size, "gs", one.reg_name(first.reg) if self.loads else "", operand.size, text)
        self.displacement, self.scale = memory.disp, memory.scale
        self.base = one.reg_name(memory.base) if memory.base else ""
        self.index = one.reg_name(memory.index) if memory.index else ""
        self.writes = bool(operand.access & capstone.CS_AC_WRITE)

    @property
    def is_fixed(self) -> bool:
        """Its displacement is all that there is."""
        return not self.base and not self.index


class GsAccesses:
    """`guest.part(GsAccesses)`: sees to it from the moment it is there."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._found: list[GsAccess] = []
        others = guest.processor.new_block
        guest.processor.new_block = lambda address, size: self._look(address, size) | others(address, size)

    def _look(self, address: int, size: int) -> bool:
        """Called by the emulator before a block runs for the first time."""
        code = self._guest.space.peek(address, size)
        if GS not in code:
            return False
        found = [access for one in _engine().disasm(code, address) if (access := _gs_access(one)) is not None]
        self._found += found
        return bool(found)

    def replace(self) -> None:
        """After the stop that was asked for: what was found is trapped from now on."""
        guest = self._guest
        for access in self._found:
            physical = guest.pages.translate(access.address, 4)
            if physical is not None and not guest.traps.watches(access.address):
                guest.traps.watch(access)
                guest.space.memory.write(physical, HLT)
        if self._found:
            self._found.clear()
            guest.processor.forget_code()

    def perform(self, access: Instruction) -> None:
        """The driver has come to it; NotModelled unless it loads what is known."""
        assert isinstance(access, GsAccess)
        processor = self._guest.processor
        at = access.displacement + access.length * (access.base == "rip")
        for part, times in ((access.base, 1), (access.index, access.scale)):
            at += processor.register(part) * times if part else 0
        at &= (1 << 64) - 1
        if not access.loads or not _is_readable(at, access.size):
            self._refuse(access, at)
        address = self._guest.kpcr[self._guest.machine.cpu.index] + at
        value = int.from_bytes(self._guest.space.read(address, access.size), "little")
        whole = WHOLE[access.register]
        if access.size < 4:  # the rest of the register stays
            value |= processor.register(whole) >> 8 * access.size << 8 * access.size
        processor.set_register(whole, value)

    def _refuse(self, access: GsAccess, at: int) -> None:
        where = self._guest.words(access.address)
        field = next((one for one in _fields() if one.offset <= at < one.offset + one.size), None)
        name = f", {field.path}" if field is not None else ""
        does = "writes" if access.writes else "reads"
        known = "the page of a processor is the kernel's alone" if access.writes else "dirql does not know what it holds"
        if not access.writes and _is_readable(at, access.size):
            known = "dirql carries out no instruction but mov where the place is computed"
        remedy = REMEDIES.get(field.name, ROUTINES) if field is not None else ROUTINES
        raise NotModelled(f"{where} {does} gs:[{at:#x}]{name} ({access.text}), and {known}; call {remedy} instead")


def _gs_access(one: Any) -> GsAccess | None:
    """Of an instruction that is to be trapped."""
    if one.id in NO_ACCESS:
        return None
    operand = next((o for o in one.operands if o.type == x86.X86_OP_MEM and o.mem.segment == x86.X86_REG_GS), None)
    if operand is None:
        return None
    access = GsAccess(one, operand)
    if access.is_fixed and not access.writes and _is_readable(access.displacement, access.size):
        return None
    return access


def _is_readable(at: int, size: int) -> bool:
    return any(start <= at and at + size <= end for start, end in READABLE)


@cache
def _fields() -> list[Any]:
    """What the headers name of the page, reserved places aside."""
    both = [*KPCR.fields.values(), *(field.moved(PRCB, field.path) for field in KPRCB.fields.values())]
    return [field for field in both if not re.match("Unused|Fill|NtTib|.*Reserved|PcrAlign|Used_Self", field.name)]


@cache
def _engine() -> Any:
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.detail = True
    return engine

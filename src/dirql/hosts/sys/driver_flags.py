"""The interrupt flag of a driver's code: cli, sti and popf (Intel SDM vol. 3, "Masking Maskable Hardware Interrupts").

While the flag is 0 its processor takes no interrupt, not even that of a DPC. Like the instructions of `ports.py` these are
found in every block before it runs for the first time, replaced by a hlt, and carried out here.
Model choice: a processor whose flag is 0 stands at HIGH_LEVEL for every routine that it calls, which is where Windows would
hang or bugcheck if the routine waits or touches what is paged out; the driver's own reads of CR8 see the IRQL from before. A
callback that returns with the flag at 0 is told as one that returned at another IRQL.
Limits: an interrupt can come right behind sti, not only after the next instruction; iret is not looked at.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import capstone
from capstone import x86_const as x86

from dirql.hosts.sys.decode import Instruction
from dirql.kernel.irql import HIGH_LEVEL

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["InterruptFlag"]

CANDIDATE = re.compile(rb"[\xfa\xfb\x9d]")
NAMES = {x86.X86_INS_CLI: ("cli", 0), x86.X86_INS_STI: ("sti", 0), x86.X86_INS_POPF: ("popf", 2), x86.X86_INS_POPFQ: ("popf", 8)}
INTERRUPT = 0x200  # EFLAGS.IF
ALWAYS = 2
WRITABLE = 0x24_4FD5  # what popf changes in the kernel, but for IOPL
HLT = b"\xf4"


class InterruptFlag:
    """`guest.part(InterruptFlag)`: sees to it from the moment it is there."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._found: list[Instruction] = []
        self._before: dict[int, int] = {}  # by processor: its IRQL when the flag became 0
        others = guest.processor.new_block
        guest.processor.new_block = lambda address, size: self._look(address, size) | others(address, size)

    def _look(self, address: int, size: int) -> bool:
        """Called by the emulator before a block runs for the first time."""
        code = self._guest.space.peek(address, size)
        if not CANDIDATE.search(code):
            return False
        found = [
            Instruction(one.address, one.size, NAMES[one.id][0], "", NAMES[one.id][1], f"{one.mnemonic} {one.op_str}".strip())
            for one in _engine().disasm(code, address)
            if one.id in NAMES
        ]
        self._found += found
        return bool(found)

    def replace(self) -> None:
        """After the stop that was asked for: what was found is trapped from now on."""
        guest = self._guest
        for instruction in self._found:
            physical = guest.pages.translate(instruction.address, 4)
            if physical is not None and not guest.traps.watches(instruction.address):
                guest.traps.watch(instruction)
                guest.space.memory.write(physical, HLT)
        if self._found:
            self._found.clear()
            guest.processor.forget_code()

    def perform(self, instruction: Instruction) -> None:
        """Carry out what was replaced."""
        processor = self._guest.processor
        flags = processor.register("eflags")
        if instruction.name == "popf":
            rsp, size = processor.register("rsp"), instruction.size
            mask = WRITABLE & (1 << 8 * size) - 1
            flags = flags & ~mask | int.from_bytes(self._guest.space.read(rsp, size), "little") & mask
            processor.set_register("rsp", rsp + size)
        else:
            flags = flags | INTERRUPT if instruction.name == "sti" else flags & ~INTERRUPT
        processor.set_register("eflags", flags | ALWAYS)
        self._settle(enabled=bool(flags & INTERRUPT))

    def cr8(self, irql: int) -> int:
        """What CR8 holds on a processor at `irql`."""
        return self._before[self._index] if self._off else irql

    def write_cr8(self, irql: int) -> bool:
        """True when the flag is 0, so that the IRQL is kept for later."""
        if self._off:
            self._before[self._index] = irql
            return True
        return False

    @property
    def _index(self) -> int:
        return self._guest.machine.cpu.index

    @property
    def _off(self) -> bool:
        """Whether the flag is 0 here; a processor that others have brought down again has it back at 1."""
        return self._index in self._before and self._guest.machine.cpu.irql == HIGH_LEVEL

    def _settle(self, *, enabled: bool) -> None:
        cpu = self._guest.machine.cpu
        if enabled == (not self._off):
            return
        if enabled:
            self._guest.kernel.lower(cpu, self._before.pop(cpu.index))
        else:
            self._before[cpu.index], cpu.irql = cpu.irql, HIGH_LEVEL


@cache
def _engine() -> Any:
    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)

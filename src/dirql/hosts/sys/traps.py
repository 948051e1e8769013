"""What stops a driver's code other than a call: faults, exceptions, software interrupts and instructions that are trapped.

A driver that handles nothing gets the bugcheck that Windows would show (facts §5.2).
Limits: no debugger is attached, so that a breakpoint is an exception nobody handles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from dirql.hosts.sys.decode import Instruction
from dirql.hosts.sys.processor import Exit
from dirql.kernel.stop import BugCheck

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Traps"]

FAST_FAIL, ASSERTION, BREAKPOINT, DIVIDE, INVALID_OPCODE, PROTECTION = 0x29, 0x2C, 3, 0, 6, 13
STATUS_BREAKPOINT = 0x80000003
STATUS_ACCESS_VIOLATION = 0xC0000005
STATUS_ILLEGAL_INSTRUCTION = 0xC000001D
STATUS_INTEGER_DIVIDE_BY_ZERO = 0xC0000094
STATUS_PRIVILEGED_INSTRUCTION = 0xC0000096
STATUS_ASSERTION_FAILURE = 0xC0000420
FAST_FAIL_NAMES = {
    2: "a stack cookie was overwritten (FAST_FAIL_STACK_COOKIE_CHECK_FAILURE)",
    3: "a LIST_ENTRY is corrupt: an entry was removed twice or overwritten (FAST_FAIL_CORRUPT_LIST_ENTRY)",
    5: "a parameter that is fatal when it is invalid (FAST_FAIL_INVALID_ARG)",
    7: "the driver ended itself (FAST_FAIL_FATAL_APP_EXIT)",
}
CYCLES_PER_NS = 3  # of the time-stamp counter (model choice: 3 GHz)


class Traps:
    """Handles every stop that is neither a call nor a register access."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._instructions: dict[int, Instruction] = {}
        self._random = 0x9E37_79B9_7F4A_7C15
        self._do: dict[str, Callable[[Instruction], None]] = {
            "mov to cr8": self._write_cr8, "mov from cr8": self._read_cr8, "rdtsc": self._rdtsc, "rdtscp": self._rdtsc,
            "rdrand": self._rdrand, "rdseed": self._rdrand,
        }  # fmt: skip

    def watch(self, instruction: Instruction) -> None:
        """`instruction` was replaced by a hlt and is carried out here."""
        self._instructions[instruction.address] = instruction

    def take(self, stop: Exit, rip: int) -> None:
        """Carry out what stopped there, and let the driver go on; or end the run."""
        guest = self._guest
        if stop is Exit.HALT:
            instruction = self._instructions.get(rip - 1)
            if instruction is None:
                self._exception(STATUS_PRIVILEGED_INSTRUCTION, rip - 1, "hlt: the driver stops its processor")
            self._do[instruction.name](instruction)
            guest.processor.set_register("rip", instruction.address + instruction.length)
            guest.processor.registers[0] = instruction.address + instruction.length
        elif stop is Exit.FAULT:
            processor = guest.processor
            raise guest.space.bugcheck(processor.fault_address, processor.fault_access, rip, in_driver=True)
        elif stop is Exit.INVALID:
            self._exception(STATUS_ILLEGAL_INSTRUCTION, rip, "an instruction that the processor does not know")
        else:
            vector, guest.processor.vector = guest.processor.vector, -1
            self._interrupt(vector, rip)

    def _interrupt(self, vector: int, rip: int) -> NoReturn:
        processor = self._guest.processor
        if vector == FAST_FAIL:
            code = processor.register("rcx") & 0xFFFF_FFFF
            why = FAST_FAIL_NAMES.get(code, f"__fastfail({code})")
            raise BugCheck(0x139, code, why=why)
        if vector == BREAKPOINT:
            self._exception(STATUS_BREAKPOINT, rip - 1, "a breakpoint, and no debugger is attached")
        if vector == ASSERTION:
            self._exception(STATUS_ASSERTION_FAILURE, rip - 2, "an assertion of the driver's failed (NT_ASSERT)")
        if vector == DIVIDE:
            self._exception(STATUS_INTEGER_DIVIDE_BY_ZERO, rip, "a division by zero")
        if vector == PROTECTION:
            self._exception(STATUS_ACCESS_VIOLATION, rip, "a general protection fault: an address that is not canonical, or an "
                            "operand that is not aligned as the instruction needs it")  # fmt: skip
        self._exception(STATUS_ILLEGAL_INSTRUCTION, rip, f"interrupt {vector:#x}, which no driver may raise")

    def _exception(self, status: int, rip: int, why: str) -> NoReturn:
        """Nobody handles it: 0x1E, as for any exception in a system thread of a driver's (0x7E where the thread's own start
        routine has a handler of last resort: model choice)."""
        text = self._guest.decoder.text(rip)
        raise BugCheck(0x1E, status, rip, 0, 0, why=f"{why} ({text or 'no instruction'} at {rip:#x})")

    def _read_cr8(self, instruction: Instruction) -> None:
        self._guest.processor.set_register(instruction.register, self._guest.kernel.ke_get_current_irql())

    def _write_cr8(self, instruction: Instruction) -> None:
        """KeRaiseIrql and KeLowerIrql are this instruction in a driver's own code."""
        kernel, new = self._guest.kernel, self._guest.processor.register(instruction.register) & 15
        if new >= self._guest.machine.cpu.irql:
            kernel.ke_raise_irql(new)
        else:
            kernel.ke_lower_irql(new)

    def _rdtsc(self, instruction: Instruction) -> None:
        processor, cpu = self._guest.processor, self._guest.machine.cpu
        count = cpu.now * CYCLES_PER_NS
        processor.set_register("rax", count & 0xFFFF_FFFF)
        processor.set_register("rdx", count >> 32)
        if instruction.name == "rdtscp":
            processor.set_register("rcx", cpu.index)

    def _rdrand(self, instruction: Instruction) -> None:
        """A sequence that is the same in every run (xorshift64)."""
        x = self._random
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        self._random = x = (x ^ x << 17) & (1 << 64) - 1
        processor = self._guest.processor
        processor.set_register(instruction.register, x & (1 << 8 * instruction.size) - 1)
        processor.set_register("eflags", processor.register("eflags") | 1)

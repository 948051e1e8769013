"""What stops a driver's code other than a call: faults, exceptions, software interrupts and instructions that are trapped.

What a driver may handle is an exception, and the others are the bugcheck that Windows would show (facts §5.2).
Limits: no debugger is attached, so that a breakpoint is an exception. `hlt` waits for the next thing that happens. An operand of
16 bytes that has to be aligned and is not (movaps) is accessed all the same, where a processor raises a general protection fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from dirql.errors import NotModelled
from dirql.findings import calling_driver
from dirql.hosts.sys.cpuid import cpuid
from dirql.hosts.sys.decode import Instruction
from dirql.hosts.sys.driver_flags import InterruptFlag
from dirql.hosts.sys.exceptions import double_fault
from dirql.hosts.sys.kpcr import GsAccesses
from dirql.hosts.sys.ports import Ports
from dirql.hosts.sys.processor import Exit
from dirql.hosts.sys.raised import Raised
from dirql.kernel.irql import HIGH_LEVEL, irql_name
from dirql.kernel.stop import BugCheck
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Traps"]

FAST_FAIL, ASSERTION, BREAKPOINT, DIVIDE, STEP, OVERFLOW, INVALID_OPCODE, PROTECTION = 0x29, 0x2C, 3, 0, 1, 4, 6, 13
X87, ALIGNMENT, SIMD = 16, 17, 19
INT = 0xCD
OFFSET = re.compile(r"(?<=.)\+0x[0-9a-f]+(?: .*)?$")  # of `mqueue.sys!Isr+0x1a (mqueue.c:88)`
TIME_STAMP_COUNTER = 0x10  # IA32_TIME_STAMP_COUNTER
STATUS_BREAKPOINT = 0x80000003
STATUS_ACCESS_VIOLATION = 0xC0000005
STATUS_SINGLE_STEP = 0x80000004
STATUS_DATATYPE_MISALIGNMENT = 0x80000002
STATUS_ILLEGAL_INSTRUCTION = 0xC000001D
STATUS_FLOAT_INVALID_OPERATION = 0xC0000090
STATUS_INTEGER_DIVIDE_BY_ZERO = 0xC0000094
STATUS_INTEGER_OVERFLOW = 0xC0000095
STATUS_ASSERTION_FAILURE = 0xC0000420
FAST_FAIL_NAMES = {
    2: "a stack cookie was overwritten (FAST_FAIL_STACK_COOKIE_CHECK_FAILURE)",
    3: "a LIST_ENTRY is corrupt: an entry was removed twice or overwritten (FAST_FAIL_CORRUPT_LIST_ENTRY)",
    5: "a parameter that is fatal when it is invalid (FAST_FAIL_INVALID_ARG)",
    7: "the driver ended itself (FAST_FAIL_FATAL_APP_EXIT)",
}
NOT_CANONICAL = (1 << 64) - 1  # ExceptionInformation[1] where the processor does not tell the address
READ_COUNTER_NS = 10  # what reading the time-stamp counter takes (model choice)
CYCLES_PER_NS = 3  # of the time-stamp counter (model choice: 3 GHz)


# By vector: the exception, how far back its instruction begins, and what it is.
EXCEPTIONS = {
    DIVIDE: (STATUS_INTEGER_DIVIDE_BY_ZERO, 0, "a division by zero, or one whose result does not fit"),
    STEP: (STATUS_SINGLE_STEP, 0, "a single step, and no debugger is attached"),
    BREAKPOINT: (STATUS_BREAKPOINT, 1, "a breakpoint, and no debugger is attached"),
    OVERFLOW: (STATUS_INTEGER_OVERFLOW, 0, "an overflow"),
    INVALID_OPCODE: (STATUS_ILLEGAL_INSTRUCTION, 0, "an instruction that the processor does not know"),
    PROTECTION: (STATUS_ACCESS_VIOLATION, 0, "a general protection fault: no canonical address, or an operand out of line"),
    X87: (STATUS_FLOAT_INVALID_OPERATION, 0, "a floating point exception"),
    ALIGNMENT: (STATUS_DATATYPE_MISALIGNMENT, 0, "an operand that is not aligned"),
    SIMD: (STATUS_FLOAT_INVALID_OPERATION, 0, "a floating point exception"),
    ASSERTION: (STATUS_ASSERTION_FAILURE, 2, "an assertion of the driver's failed (NT_ASSERT)"),
}  # fmt: skip


class Traps:
    """Handles every stop that is neither a call nor a register access."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._instructions: dict[int, Instruction] = {}
        self._random = 0x9E37_79B9_7F4A_7C15
        self._do: dict[str, Callable[[Instruction], None]] = {
            "mov to cr8": self._write_cr8, "mov from cr8": self._read_cr8, "rdtsc": self._rdtsc, "rdtscp": self._rdtsc,
            "rdrand": self._rdrand, "rdseed": self._rdrand, "rdmsr": self._rdmsr, "wrmsr": self._wrmsr, "cpuid": self._cpuid,
            "gs": lambda instruction: guest.part(GsAccesses).perform(instruction),
            **dict.fromkeys(("in", "out", "ins", "outs"), lambda instruction: guest.part(Ports).perform(instruction)),
            **dict.fromkeys(("cli", "sti", "popf"), lambda instruction: guest.part(InterruptFlag).perform(instruction)),
        }  # fmt: skip

    def watch(self, instruction: Instruction) -> None:
        """`instruction` was replaced by a hlt and is carried out here."""
        self._instructions[instruction.address] = instruction

    def watches(self, address: int) -> bool:
        """Whether the instruction there was replaced."""
        return address in self._instructions

    def text(self, rip: int) -> str:
        """The instruction at `rip` as the driver's author wrote it."""
        replaced = self._instructions.get(rip)
        return replaced.text if replaced is not None else self._guest.decoder.text(rip)

    def take(self, stop: Exit, rip: int) -> None:
        """Carry out what stopped there, and let the driver go on; raises the exception or the bugcheck that it is."""
        guest = self._guest
        if stop is Exit.HALT:
            instruction = self._instructions.get(rip - 1)
            if instruction is None:
                activation = guest.processor.current
                assert activation is not None
                guest.overseer.wait_for_something(guest, "is stopped by hlt for ever")
                guest.take_over(activation)
                guest.processor.registers[0] = rip
                return
            activation = guest.processor.current
            assert activation is not None
            self._do[instruction.name](instruction)
            guest.take_over(activation)
            guest.processor.set_register("rip", instruction.address + instruction.length)
            guest.processor.registers[0] = instruction.address + instruction.length
        elif stop is Exit.FAULT:
            self._fault(guest.processor.fault_address, guest.processor.fault_access, rip)
        elif stop is Exit.BLOCK:
            guest.part(Ports).replace()
            guest.part(InterruptFlag).replace()
            guest.part(GsAccesses).replace()
        elif stop is Exit.INVALID:
            self._exception(STATUS_ILLEGAL_INSTRUCTION, rip, "an instruction that the processor does not know")
        elif stop is Exit.INTERRUPT:
            vector, guest.processor.vector = guest.processor.vector, -1
            self._interrupt(vector, rip)

    def overflow(self, rip: int, rsp: int) -> NoReturn:
        """No stack is left."""
        cpu = self._guest.machine.cpu
        stack = self._guest.stacks.of(cpu)
        size = stack.region.end - stack.region.start
        why = f"{stack.region.what} of {size:#x} bytes is used up: a recursion, or too much in local variables"
        raise double_fault(rip, rsp, why)

    def too_deep(self, entry: int) -> BugCheck:
        """The driver and routines call each other without end; on Windows that uses up the stack."""
        top = self._guest.stacks.of(self._guest.machine.cpu).top
        return double_fault(entry, top, "the driver and what it calls call each other without end")

    def pageable_data(self, address: int, access: int) -> bool:
        """Told: the driver's instruction, or a routine that it calls, touches data of a pageable section at a raised IRQL. False
        where that is no finding but a fault."""
        machine = self._guest.machine
        if not self._guest.pages.lend(address, access):
            return False
        who = OFFSET.sub("", calling_driver())
        doing, irql = "writes" if access == 2 else "reads", irql_name(machine.cpu.irql)
        section, offset = self._section(address)
        text = f"{who} {doing} {section}+{offset:#x} at {irql}, and data of {section} are pageable; "
        text += "take them out of that section (#pragma data_seg), or touch them lower"
        machine.note_finding("paged-code-irql", text, machine.where())
        return True

    def _pageable_code(self, address: int) -> bool:
        machine = self._guest.machine
        if not self._guest.pages.lend(address, 4):
            return False
        who, irql = OFFSET.sub("", self._guest.words(address)), irql_name(machine.cpu.irql)
        text = f"{who} is code of the pageable section {self._section(address)[0]} and runs at {irql}; "
        text += "take it out of that section (#pragma alloc_text), or call it lower"
        machine.note_finding("paged-code-irql", text, machine.where())
        return True

    def _section(self, address: int) -> tuple[str, int]:
        image = next(image for image in self._guest.images if address in image)
        rva = address - image.base
        begun = (section for section in image.image.sections if section.pageable and section.rva & -PAGE_SIZE <= rva)
        section = max(begun, key=lambda section: section.rva)  # its last page may go on behind its end
        return section.name, rva - section.rva

    def _fault(self, page: int, access: int, rip: int) -> None:
        guest = self._guest
        page &= -PAGE_SIZE
        if access == 4:
            address = rip if rip & -PAGE_SIZE == page else page
            if self._pageable_code(address):
                return
        else:
            address = guest.decoder.touched(rip, page, guest.processor.register)
            access = 2 if guest.decoder.also_writes(rip) else access
            if self.pageable_data(address, access):
                return
        region = guest.stacks.of(guest.machine.cpu).region
        if region.first - PAGE_SIZE <= address < region.first:
            self.overflow(rip, guest.processor.registers[5])
        raise guest.space.bugcheck(address, access, rip, in_driver=True)

    def _interrupt(self, vector: int, rip: int) -> NoReturn:
        processor = self._guest.processor
        if vector == FAST_FAIL:
            processor.set_register("rip", rip - 2)  # so that the report shows the instruction
            code = processor.register("rcx") & 0xFFFF_FFFF
            raise BugCheck(0x139, code, why=FAST_FAIL_NAMES.get(code, f"__fastfail({code})"))
        if vector in EXCEPTIONS:
            status, back, why = EXCEPTIONS[vector]
            if back:
                processor.set_register("rip", rip - back)
                processor.registers[0] = rip - back
            information = (0, NOT_CANONICAL) if vector == PROTECTION else ()
            self._exception(status, rip - back, why, *information)
        if self._guest.space.peek(rip - 2, 2) == bytes((INT, vector)):
            processor.set_register("rip", rip - 2)
        raise BugCheck(0x12, 1, vector, why=f"interrupt {vector:#x}, which no driver may raise")

    def _exception(self, status: int, rip: int, why: str, *information: int) -> NoReturn:
        raise Raised(status, rip, information, why=f"{why} ({self.text(rip) or 'no instruction'} at {rip:#x})")

    def _read_cr8(self, instruction: Instruction) -> None:
        activation = self._guest.processor.current
        irql = self._guest.kernel.ke_get_current_irql()  # a scheduling point: others may have had the emulator since
        if activation is not None:
            self._guest.take_over(activation)
        self._guest.processor.set_register(instruction.register, self._guest.part(InterruptFlag).cr8(irql))

    def _write_cr8(self, instruction: Instruction) -> None:
        """KeRaiseIrql and KeLowerIrql are this instruction in a driver's own code."""
        kernel, new = self._guest.kernel, self._guest.processor.register(instruction.register)
        if new > HIGH_LEVEL:
            status, _, why = EXCEPTIONS[PROTECTION]
            self._guest.processor.set_register("rip", instruction.address)
            self._guest.processor.registers[0] = instruction.address
            self._exception(status, instruction.address, f"{why}; here {new:#x}, and an IRQL has four bits", 0, NOT_CANONICAL)
        if self._guest.part(InterruptFlag).write_cr8(new):
            return
        if new >= self._guest.machine.cpu.irql:
            kernel.ke_raise_irql(new)
        else:
            kernel.ke_lower_irql(new)

    def _rdtsc(self, instruction: Instruction) -> None:
        processor, cpu = self._guest.processor, self._guest.machine.cpu
        cpu.now += READ_COUNTER_NS
        if cpu.now >= self._guest.machine.agenda.horizon:
            activation = processor.current
            assert activation is not None
            self._guest.machine.scheduler.point(cpu)
            self._guest.take_over(activation)
            cpu = self._guest.machine.cpu
        count = cpu.now * CYCLES_PER_NS
        processor.set_register("rax", count & 0xFFFF_FFFF)
        processor.set_register("rdx", count >> 32)
        if instruction.name == "rdtscp":
            processor.set_register("rcx", cpu.index)

    def _rdmsr(self, instruction: Instruction) -> None:
        """Of what a processor has, the time-stamp counter is there."""
        if (number := self._guest.processor.register("rcx") & 0xFFFF_FFFF) != TIME_STAMP_COUNTER:
            self._refuse_msr(instruction, f"reads MSR {number:#x}", "call the routine that tells what is wanted of it")
        self._rdtsc(instruction)

    def _wrmsr(self, instruction: Instruction) -> NoReturn:
        number = self._guest.processor.register("rcx") & 0xFFFF_FFFF
        self._refuse_msr(instruction, f"writes MSR {number:#x}", "leave that to the kernel")

    def _refuse_msr(self, instruction: Instruction, what: str, remedy: str) -> NoReturn:
        where = self._guest.words(instruction.address)
        raise NotModelled(f"{where} {what} ({instruction.text}); of model specific registers dirql has the time-stamp counter "
                          f"({TIME_STAMP_COUNTER:#x}) only, to be read; {remedy}")  # fmt: skip

    def _cpuid(self, instruction: Instruction) -> None:
        processor = self._guest.processor
        leaf, subleaf = (processor.register(name) & 0xFFFF_FFFF for name in ("rax", "rcx"))
        for name, value in zip(("rax", "rbx", "rcx", "rdx"), cpuid(leaf, subleaf), strict=True):
            processor.set_register(name, value)

    def _rdrand(self, instruction: Instruction) -> None:
        """A sequence that is the same in every run (xorshift64)."""
        x = self._random
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        self._random = x = (x ^ x << 17) & (1 << 64) - 1
        processor = self._guest.processor
        processor.set_register(instruction.register, x & (1 << 8 * instruction.size) - 1)
        processor.set_register("eflags", processor.register("eflags") | 1)

"""The CPU emulator behind a few methods. This module alone imports Unicorn.

One emulator serves all processors: `take_over` gives it to an activation, whose registers are saved only when another wants
it. It stops at a `hlt` (every import stub is one), at a register access that is not allowed yet, at a fault. Nothing
here calls into a driver or switches stacks while the emulator runs: a callback notes what it saw and stops it.

Limits: what Unicorn 2.1 does not execute (AVX) is an invalid instruction. `rdmsr`, `lgdt` and their kind act on the
emulator's own state and are not told.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

import unicorn
from unicorn import x86_const as x86
from unicorn.unicorn_py3.unicorn import uclib

from dirql.hosts.sys.page_table import PAGE_SHIFT, PageTable
from dirql.machine.memory import Memory

__all__ = ["TRAP_BASE", "TRAP_SIZE", "Activation", "DevicePages", "Exit", "Processor"]

TRAP_BASE = 1 << 40  # physical pages that are no memory: every access to them is told
TRAP_SIZE = 1 << 32
FLAGS = 0x202  # interrupts on: IF is the machine's business
ERROR_EXCEPTION = unicorn.unicorn_const.UC_ERR_EXCEPTION
ERROR_INVALID = unicorn.unicorn_const.UC_ERR_INSN_INVALID
MASK = (1 << 52) - 1

GENERAL = ("RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15")


class Exit(IntEnum):
    """Why the processor stopped."""

    HALT = 0  # a hlt: of an import stub, the return stub, or the driver's own
    DEVICE = 1  # a register access that waits to be allowed: `Processor.waiting`
    FAULT = 2  # a page fault: `Processor.fault_address`, `fault_access`
    INTERRUPT = 3  # int n, or an exception that the instruction raised: `Processor.vector`
    INVALID = 4  # no such instruction


class DevicePages(Protocol):
    """Who is asked before an access to a trapped page. Neither may touch a device."""

    def read(self, offset: int, size: int) -> int | None:
        """The value, when the instruction that reads has it already; None stops the processor."""

    def write(self, offset: int, size: int, value: int) -> bool:
        """True when the instruction's write was done already; False stops the processor."""


class Activation:
    """One call into the driver: its registers while another has the emulator."""

    __slots__ = ("context", "index", "saved")

    def __init__(self, context: Any) -> None:
        self.context = context
        self.saved = False
        self.index = -1  # the processor whose KPCR its GS base shows


RIGHT_OF = {16: 1, 17: 2, 18: 4}  # of UC_MEM_READ, UC_MEM_WRITE, UC_MEM_FETCH


class Registers:
    """Registers that are read or written together: `values` in the order of the names, and what the library is given."""

    def __init__(self, *names: str) -> None:
        count = len(names)
        self.values = (ctypes.c_uint64 * count)()
        self._ids = (ctypes.c_int * count)(*(getattr(x86, f"UC_X86_REG_{name}") for name in names))
        self._pointers = (ctypes.c_void_p * count)(*(ctypes.addressof(self.values) + 8 * i for i in range(count)))
        self.ids, self.at = ctypes.addressof(self._ids), ctypes.addressof(self._pointers)


class Processor:
    """`registers` holds RIP, RCX, RDX, R8, R9, RSP and RAX after each `go`."""

    def __init__(self, memory: Memory, pages: PageTable, until: int) -> None:
        self._uc: Any = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        self._ram = (ctypes.c_char * memory.size).from_buffer(memory.view)
        self._uc.mem_map_ptr(0, memory.size, unicorn.UC_PROT_ALL, ctypes.addressof(self._ram))
        self._uc.mmio_map(TRAP_BASE, TRAP_SIZE, self._device_read, None, self._device_write, None)
        self._uc.ctl_set_tlb_mode(unicorn.unicorn_const.UC_TLB_VIRTUAL)
        self._uc.hook_add(unicorn.UC_HOOK_TLB_FILL, self._fill)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._port_in, None, 1, 0, x86.UC_X86_INS_IN)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._port_out, None, 1, 0, x86.UC_X86_INS_OUT)
        self._entries = pages.entries
        pages.flush = self._flush
        self.devices: DevicePages | None = None
        self.ports: Callable[[int, int, int | None], int] = lambda port, size, value: (1 << 8 * size) - 1
        self.current: Activation | None = None
        self.vector = -1
        self.fault_address = self.fault_access = 0
        self._faulted = self._waiting = False
        self._spare: list[Any] = []
        self._until = until
        self._prepare()

    def _prepare(self) -> None:
        """Calls into the library with their argument types settled and their arguments laid out once."""
        library = ctypes.CDLL(uclib._name)
        self._handle = self._uc._uch.value
        self._start = library.uc_emu_start
        self._start.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t]
        self._read_batch, self._write_batch = library.uc_reg_read_batch, library.uc_reg_write_batch
        self._save, self._restore = library.uc_context_save, library.uc_context_restore
        for routine in (self._read_batch, self._write_batch):
            routine.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
        for routine in (self._save, self._restore):
            routine.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._out = Registers("RIP", "RCX", "RDX", "R8", "R9", "RSP", "RAX")
        self.registers = self._out.values
        self._back = Registers("RIP", "RAX", "RSP")
        self._in = Registers("RIP", "RCX", "RDX", "R8", "R9", "RSP", "EFLAGS", "GS_BASE")

    # Activations.

    def activation(self) -> Activation:
        """A place to keep registers in."""
        return Activation(self._spare.pop() if self._spare else self._uc.context_save())

    def discard(self, activation: Activation) -> None:
        """It will not run any more."""
        self._spare.append(activation.context)
        if self.current is activation:
            self.current = None

    def begin(self, activation: Activation, index: int, kpcr: int, arguments: tuple[int, ...], entry: int, rsp: int) -> None:
        """`activation` has the emulator, about to run `entry` with up to four arguments in registers."""
        self._put_away()
        self.current = activation
        activation.saved = False
        values, (rcx, rdx, r8, r9) = self._in.values, (*arguments, 0, 0, 0, 0)[:4]
        values[0], values[1], values[2], values[3], values[4], values[5] = entry, rcx, rdx, r8, r9, rsp
        values[6], values[7] = FLAGS, kpcr
        self._write_batch(self._handle, self._in.ids, self._in.at, 8)
        self.registers[0] = entry
        activation.index = index

    def take_over(self, activation: Activation, index: int, kpcr: int) -> None:
        """`activation` goes on where it was saved, perhaps on another processor."""
        self._put_away()
        self._restore(self._handle, activation.context.context)
        activation.saved = False
        self.current = activation
        if activation.index != index:
            activation.index = index
            self._uc.reg_write(x86.UC_X86_REG_GS_BASE, kpcr)

    def _put_away(self) -> None:
        current = self.current
        if current is not None and not current.saved:
            self._save(self._handle, current.context.context)
            current.saved = True

    # Running.

    def resume(self, rip: int, rax: int, rsp: int) -> None:
        """Where `go` goes on, with which result and stack."""
        back = self._back
        values = back.values
        values[0], values[1], values[2] = rip, rax, rsp
        self._write_batch(self._handle, back.ids, back.at, 3)
        self.registers[0] = rip

    def go(self) -> Exit:
        """Run until something stops it."""
        error = self._start(self._handle, self.registers[0], self._until, 0, 0)
        self._read_batch(self._handle, self._out.ids, self._out.at, 7)
        if self._waiting:
            self._waiting = False
            return Exit.DEVICE
        if self.vector >= 0:
            return Exit.INTERRUPT
        if error == 0:
            return Exit.HALT
        if self._faulted:
            self._faulted = False
            return Exit.FAULT
        if error == ERROR_INVALID:
            return Exit.INVALID
        self.vector = 13
        return Exit.INTERRUPT

    def register(self, name: str) -> int:
        """By its name in the manual."""
        return int(self._uc.reg_read(getattr(x86, f"UC_X86_REG_{name.upper()}")))

    def set_register(self, name: str, value: int) -> None:
        """By its name in the manual."""
        self._uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), value)

    def all_registers(self) -> dict[str, int]:
        """The general registers, RIP and the flags."""
        return {name.lower(): self.register(name) for name in (*GENERAL, "RIP", "EFLAGS")}

    def stop(self) -> None:
        """From a signal handler: `go` returns soon."""
        self._uc.emu_stop()

    def _flush(self) -> None:
        self._uc.ctl(unicorn.unicorn_const.UC_CTL_TLB_FLUSH, unicorn.unicorn_const.UC_CTL_IO_WRITE)

    def forget_code(self) -> None:
        """What was translated may have changed."""
        self._uc.ctl_flush_tb()

    # Callbacks of the emulator's: note and stop, nothing else.

    def _fill(self, uc: Any, address: int, access: int, result: Any, _: Any) -> bool:
        entry = self._entries.get(address >> PAGE_SHIFT & MASK)
        right = RIGHT_OF[access]
        if entry is None or not entry[1] & right:
            self.fault_address, self.fault_access = address, right
            self._faulted = True
            return False
        result.paddr, result.perms = entry
        return True

    def _interrupt(self, uc: Any, vector: int, _: Any) -> None:
        self.vector = vector
        uc.emu_stop()

    def _device_read(self, uc: Any, offset: int, size: int, _: Any) -> int:
        assert self.devices is not None
        value = self.devices.read(offset, size)
        if value is None:
            self._waiting = True
            uc.emu_stop()
            return 0
        return value

    def _device_write(self, uc: Any, offset: int, size: int, value: int, _: Any) -> None:
        assert self.devices is not None
        if not self.devices.write(offset, size, value):
            self._waiting = True
            uc.emu_stop()

    def _port_in(self, uc: Any, port: int, size: int, _: Any) -> int:
        return self.ports(port, size, None)

    def _port_out(self, uc: Any, port: int, size: int, value: int, _: Any) -> None:
        self.ports(port, size, value)

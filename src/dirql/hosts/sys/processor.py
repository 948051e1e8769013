"""The CPU emulator behind a few methods. This module alone imports Unicorn.

One emulator serves all processors: `take_over` gives it to an activation, whose registers are saved only when another wants
it. It stops at a `hlt` (every import stub is one), at a register access that is not allowed yet, at a fault, and before a block
where another thread has asked for it: each is noted by what saw it, none is told from another by its address. Nothing
here calls into a driver or switches stacks while the emulator runs: a callback notes what it saw and stops it.

Limits: what Unicorn 2.1 does not execute (AVX) is an invalid instruction. `lgdt`, `mov cr3` and their kind act on the
emulator's own state and are not told.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import Any

import unicorn
from unicorn import x86_const as x86
from unicorn.unicorn_py3.unicorn import uclib

from dirql.hosts.sys.callback_types import MMIO_READ, MMIO_WRITE, TLB_FILL, DevicePages
from dirql.hosts.sys.page_table import PAGE_MASK, PAGE_SHIFT, PageTable, Rights
from dirql.hosts.sys.stop_request import StopRequest
from dirql.machine.memory import Memory

__all__ = ["PLACE", "TRAP_BASE", "TRAP_SIZE", "Activation", "Exit", "Processor", "run_alone"]

TRAP_BASE = 1 << 40  # physical pages that are no memory: every access to them is told
TRAP_SIZE = 1 << 32
FLAGS = 0x202  # interrupts on: IF is the machine's business
TRAP_FLAG, STEPPED = 0x100, 1  # EFLAGS.TF, and the vector of what it raises behind an instruction
ERROR_INVALID = unicorn.unicorn_const.UC_ERR_INSN_INVALID

GENERAL = ("RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15")
SHOWN = ("RIP", "RCX", "RDX", "R8", "R9", "RSP", "RAX", "RBX", "RBP", "RSI", "RDI", *(f"R{n}" for n in range(10, 16)))
PLACE = {name.lower(): place for place, name in enumerate(SHOWN) if place}  # of the general ones in `Processor.registers`
RAX = PLACE["rax"]
BY_ENCODING = [getattr(x86, f"UC_X86_REG_{name}") for name in (*GENERAL, "RIP")]
XMM = [getattr(x86, f"UC_X86_REG_XMM{n}") for n in range(16)]


class Exit(IntEnum):
    """Why the processor stopped."""

    HALT = 0  # a hlt: of an import stub, the return stub, or the driver's own
    DEVICE = 1  # before an instruction that accesses a trapped page
    FAULT = 2  # a page fault: `Processor.fault_address`, `fault_access`
    INTERRUPT = 3  # int n, or an exception that the instruction raised: `Processor.vector`
    INVALID = 4  # no such instruction
    ASKED = 5  # before a block, since somebody called `stop` or `limit` was reached
    BLOCK = 6  # before a block that `new_block` wants to see changed
    SLICE = 7  # so many instructions were run, or memory is to be accessed: see `slice_by`


HALT, DEVICE, ASKED, SLICE = Exit.HALT, Exit.DEVICE, Exit.ASKED, Exit.SLICE  # an enumeration's member is looked up slowly


class Activation:
    """One call into the driver: its registers while another has the emulator."""

    __slots__ = ("context", "doing", "index", "interrupts", "kept", "nested", "on_thread", "outer", "saved")

    def __init__(self, context: Any) -> None:
        self.context, self.kept = context, context.context
        self.saved = False
        self.index = -1  # the processor whose KPCR its GS base shows
        self.outer: Activation | None = None  # the one below it on the same stack
        self.doing: tuple[Any, int] = (None, 0)  # the DPC that its processor ran, and how many interrupts were in service
        self.interrupts = False  # it was not made from within a routine that `outer` called
        self.on_thread = False  # its stack is a thread's
        self.nested = 0  # how many calls of the driver lie around it


FILLED = ctypes.c_uint64 * 2  # physical address, rights
PAGEABLE = int(Rights.PAGEABLE)
RIGHT_OF = {16: 1, 17: 2, 18: 4}  # of UC_MEM_READ, UC_MEM_WRITE, UC_MEM_FETCH


class Registers:
    """Registers that are read or written together: `values` in the order of the names."""

    def __init__(self, *names: str) -> None:
        self.count = count = len(names)
        self.values = (ctypes.c_uint64 * count)()
        self._ids = (ctypes.c_int * count)(*(getattr(x86, f"UC_X86_REG_{name}") for name in names))
        self._places = (ctypes.c_void_p * count)(*(ctypes.addressof(self.values) + 8 * i for i in range(count)))

    def arguments(self, first: int = 0, count: int = 0) -> tuple[Any, Any, int]:
        """What the library's batches are given for so many of them from `first` on; for all of them without a count."""
        return ctypes.byref(self._ids, 4 * first), ctypes.byref(self._places, 8 * first), count or self.count


class Processor:
    """`registers` holds RIP, RCX, RDX, R8, R9, RSP and RAX after each `go`, then the other general ones; `PLACE` by name."""

    def __init__(self, memory: Memory, pages: PageTable, devices: DevicePages) -> None:
        self._uc: Any = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        self._ram = (ctypes.c_char * memory.size).from_buffer(memory.view)
        self._uc.mem_map_ptr(0, memory.size, unicorn.UC_PROT_ALL, ctypes.addressof(self._ram))
        self._uc.ctl_set_tlb_mode(unicorn.unicorn_const.UC_TLB_VIRTUAL)
        self._uc.ctl_exits_enabled(True)  # and there are none: at an address to end at it would forget code after each run
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._port_in, None, 1, 0, x86.UC_X86_INS_IN)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._port_out, None, 1, 0, x86.UC_X86_INS_OUT)
        self._uc.hook_add(unicorn.UC_HOOK_EDGE_GENERATED, self._translated)
        self._request = request = StopRequest(uclib.uc_emu_stop)
        uclib.uc_hook_add(self._uc._uch, ctypes.byref(ctypes.c_size_t()), unicorn.UC_HOOK_BLOCK, request.hook,
                          ctypes.c_void_p(ctypes.addressof(request)), ctypes.c_uint64(1), ctypes.c_uint64(0))
        self._fill_callback = TLB_FILL(self._fill)
        uclib.uc_hook_add(self._uc._uch, ctypes.byref(ctypes.c_size_t()), unicorn.UC_HOOK_TLB_FILL, self._fill_callback, 0,
                          ctypes.c_uint64(1), ctypes.c_uint64(0))
        self._device_callbacks = MMIO_READ(self._device_read), MMIO_WRITE(self._device_write)
        uclib.uc_mmio_map(self._uc._uch, TRAP_BASE, TRAP_SIZE, self._device_callbacks[0], 0, self._device_callbacks[1], 0)
        self._devices, self._pages, self._entries = devices, pages, pages.entries
        pages.flush = self._flush
        self.new_block: Callable[[int, int], bool] = lambda address, size: False  # asked once for each, before it runs
        self.current: Activation | None = None
        self.vector = -1
        self.fault_address = self.fault_access = 0
        self._event: Exit | None = None  # what a callback saw
        self._faulted = False
        self.runs = 0  # how often `go` was entered and left
        self._written: set[int] | None = None
        self.left, self.limited = 0, False  # instructions, where they are limited
        self.slice, self.tells_memory = 0, False  # instructions that `go` may run, 0 for no limit; see `slice_by`
        self._passes = 0  # the instruction whose memory accesses are not told again
        self._spare: list[Activation] = []
        self._prepare()

    def _prepare(self) -> None:
        """Calls into the library, their arguments laid out once and passed without conversion, which would cost as much again."""
        library = ctypes.CDLL(uclib._name)
        brief = ctypes.PyDLL(uclib._name)  # does not give Python's lock away, for calls that are over sooner than that
        engine = ctypes.byref(ctypes.c_char.from_address(self._uc._uch.value))
        read, write = brief.uc_reg_read_batch, brief.uc_reg_write_batch
        save, restore = brief.uc_context_save, brief.uc_context_restore
        for routine in (read, write, save, restore, library.uc_emu_stop):
            routine.restype = None
        out, self._in = Registers(*SHOWN), Registers("RIP", "RCX", "RDX", "R8", "R9", "RSP", "EFLAGS", "GS_BASE")
        self.registers: ctypes.Array[ctypes.c_uint64] = out.values
        self._count = ctypes.c_size_t()  # instructions that `go` may run
        begin = ctypes.c_uint64.from_buffer(self.registers)  # RIP
        nothing = ctypes.c_uint64()  # no address to end at, no time limit
        self._start: Callable[[], Any] = partial(library.uc_emu_start, engine, begin, nothing, nothing, self._count)
        self._stop = partial(library.uc_emu_stop, engine)
        self._look, self._look_at_rip = partial(read, engine, *out.arguments()), partial(read, engine, *out.arguments(0, 1))
        self._put = [partial(write, engine, *out.arguments(place, 1)) for place in range(out.count)]
        self._enter = partial(write, engine, *self._in.arguments())
        self._save, self._restore = partial(save, engine), partial(restore, engine)
        flags = Registers("EFLAGS")
        self._flags = flags.values
        self._get_flags, self._put_flags = partial(read, engine, *flags.arguments()), partial(write, engine, *flags.arguments())

    # Activations.

    def activation(self) -> Activation:
        """A place to keep registers in."""
        return self._spare.pop() if self._spare else Activation(self._uc.context_save())

    def discard(self, activation: Activation) -> None:
        """It will not run any more."""
        activation.outer = None
        self._spare.append(activation)
        if self.current is activation:
            self.current = None

    def begin(self, activation: Activation, index: int, kpcr: int, arguments: tuple[int, ...], entry: int, rsp: int) -> None:
        """`activation` has the emulator, about to run `entry` with up to four arguments in registers."""
        if self.current is not None:
            self._put_away(self.current)
        self.current = activation
        activation.saved = False
        self._in.values[:] = [entry, *(*arguments, 0, 0, 0, 0)[:4], rsp, FLAGS, kpcr]
        self._enter()
        self.registers[0] = entry
        activation.index = index

    def take_over(self, activation: Activation, index: int, kpcr: int) -> None:
        """`activation` goes on where it was saved, perhaps on another processor."""
        if self.current is not None:
            self._put_away(self.current)
        self._restore(activation.kept)
        self._look_at_rip()  # where `go` goes on
        activation.saved = False
        self.current = activation
        if activation.index != index:
            activation.index = index
            self._uc.reg_write(x86.UC_X86_REG_GS_BASE, kpcr)

    def _put_away(self, current: Activation) -> None:
        if not current.saved:
            self._save(current.kept)
            current.saved = True

    # Running.

    def answer(self, value: int, place: int = RAX) -> None:
        """What the routine returned whose stub was called; or what another of `registers` is to be."""
        self.registers[place] = value
        self._put[place]()

    def go(self) -> Exit:
        """Run until something stops it."""
        self.runs += 1
        error = self._start()
        self.runs += 1
        self._look()
        event = self._event
        if event is not None:
            self._event = None
            self._request.taken = 0
            return event
        if error:
            return self._failed(error)
        return ASKED if self._request.taken and self._request.answered() else HALT

    def _failed(self, error: int) -> Exit:
        self._request.taken = 0
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
        """From any thread, at any moment: this `go`, or the next, returns ASKED before its next block."""
        self._request.asked = 1

    def step(self) -> Exit | None:
        """One instruction, or one round of a repeated one: None; or what stopped it before it was done."""
        while True:
            self._set_trap_flag(TRAP_FLAG)
            stop = self.go()
            self._set_trap_flag(0)
            if stop is Exit.INTERRUPT and self.vector == STEPPED:
                self.vector = -1
                return None
            if stop is not ASKED or self.left < 0:
                return stop

    def _set_trap_flag(self, value: int) -> None:
        self._get_flags()
        self._flags[0] = self._flags[0] & ~TRAP_FLAG | value
        self._put_flags()

    def slice_by(self, instructions: int) -> None:
        """Stop after every so many instructions, or (0) before every instruction that accesses memory: with HALT after
        instructions, where the caller knows better than to take it for a hlt, and with SLICE before an access. To be called
        before the first `go`: what was translated without it is not told."""
        self.slice = self._count.value = instructions
        self.tells_memory = not instructions
        if not instructions:
            self._uc.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, self._accessed)

    def tell_memory(self, told: Callable[[int, int, int, int], None]) -> None:
        """Call `told(rip, access, physical address, size)` at every access to memory, once for one that is entered again. To be
        called before `slice_by` and the first `go`."""

        def access(uc: Any, access: int, physical: int, size: int, value: int, _: Any) -> None:
            if physical < TRAP_BASE:
                rip = int(uc.reg_read(x86.UC_X86_REG_RIP))
                if not self.tells_memory or rip == self._passes:
                    told(rip, access, physical, size)

        self._uc.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, access)

    def _accessed(self, uc: Any, access: int, physical: int, size: int, value: int, _: Any) -> None:
        """Of an instruction that reads, nothing has happened; a write has, and happens again with the same value."""
        if physical < TRAP_BASE:
            rip = int(uc.reg_read(x86.UC_X86_REG_RIP))
            if rip != self._passes:
                self._passes, self._event = rip, SLICE
                uc.emu_stop()

    def watch_writes(self, pages: set[int] | None) -> None:
        """From now on the numbers of pages that are written go into `pages`."""
        self._written = pages
        self._flush()

    def limit(self, instructions: int, length: Callable[[int, int], int]) -> None:
        """Stop with ASKED, `left` below 0, before the block with which it would be more; `length(address, size)` counts those of
        a block. To be called before the first `go`: what was translated without it is not counted."""
        self.left, self.limited, start, block = instructions, True, self._start, [0, 0]

        def count(uc: Any, address: int, size: int, _: Any) -> None:
            block[:] = address, size
            self.left -= length(address, size)
            if self.left < 0:
                self._event = ASKED
                uc.emu_stop()

        def counted() -> Any:
            block[:] = 0, 0
            error, rip = start(), self.register("RIP")
            if self.left >= 0 and block[0] <= rip < sum(block):  # the rest of it was not run, and is a block of its own later
                self.left += length(rip, sum(block) - rip)
            return error

        self._start = counted
        self._uc.hook_add(unicorn.UC_HOOK_BLOCK, count)

    def refresh(self) -> None:
        """`registers` again, after others have run."""
        self._look()

    def snapshot(self, activation: Activation) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """The general registers by their encoding, XMM0 to XMM15 and RIP of an activation, wherever they are kept."""
        source = activation.context if activation.saved else self._uc
        values = [int(source.reg_read(register)) for register in BY_ENCODING]
        return tuple(values[:16]), tuple(int(source.reg_read(register)) for register in XMM), values[16]

    def flags(self, activation: Activation) -> int:
        """EFLAGS of an activation."""
        return int((activation.context if activation.saved else self._uc).reg_read(x86.UC_X86_REG_EFLAGS))

    def set_all(self, rip: int, registers: Sequence[int], xmm: Sequence[int], flags: int | None = None) -> None:
        """The activation that has the emulator goes on with these."""
        for register, value in zip((*BY_ENCODING, *XMM), (*registers, rip, *xmm), strict=True):
            self._uc.reg_write(register, value)
        if flags is not None:
            self._uc.reg_write(x86.UC_X86_REG_EFLAGS, flags & 0xCD5 | FLAGS)
        self.registers[0], self.registers[5] = rip, registers[4]

    def _flush(self) -> None:
        self._uc.ctl(unicorn.unicorn_const.UC_CTL_TLB_FLUSH, unicorn.unicorn_const.UC_CTL_IO_WRITE)

    def forget_code(self) -> None:
        """What was translated may have changed."""
        self._uc.ctl_flush_tb()

    # Callbacks of the emulator's: note and stop, nothing else.

    def _fill(self, _: Any, address: int, access: int, result: int, __: Any) -> bool:
        entry = self._entries.get(address >> PAGE_SHIFT & PAGE_MASK)
        right = RIGHT_OF[access]
        if self._written is not None and entry is not None:
            if right == 2:
                self._written.add(address >> PAGE_SHIFT)
            else:
                entry = entry[0], entry[1] & ~2  # so that a write is told
        if entry is None or not entry[1] & right:
            self.fault_address, self.fault_access = address, right
            self._faulted = True
            return False
        if entry[0] >= TRAP_BASE and self._devices.current is None:
            self._event = DEVICE
            return False
        filled = FILLED.from_address(result)
        filled[0], filled[1] = entry
        return not entry[1] & PAGEABLE or self._fill_pageable(address, right, filled)

    def _fill_pageable(self, address: int, right: int, filled: Any) -> bool:
        if self._pages.paged_out():
            self.fault_address, self.fault_access = address, right
            self._faulted = True
            return False
        filled[1] &= 7
        self._pages.pageable_seen = True
        return True

    def _interrupt(self, uc: Any, vector: int, _: Any) -> None:
        self.vector, self._event = vector, Exit.INTERRUPT
        uc.emu_stop()

    def _device_read(self, _: Any, offset: int, size: int, __: Any) -> int:
        value = self._devices.read(offset, size)
        if value is None:
            self._event = DEVICE
            self._stop()
            return 0
        return value

    def _device_write(self, _: Any, offset: int, size: int, value: int, __: Any) -> None:
        if not self._devices.write(offset, size, value):
            self._event = DEVICE
            self._stop()

    def _port_in(self, uc: Any, port: int, size: int, _: Any) -> int:
        """Only code that changed after it was looked at comes here."""
        return int((1 << 8 * size) - 1)

    def _port_out(self, uc: Any, port: int, size: int, value: int, _: Any) -> None:
        """As above."""

    def _translated(self, uc: Any, block: Any, before: Any, _: Any) -> None:
        if self.new_block(block.pc, block.size):
            self._event = Exit.BLOCK
            uc.emu_stop()


def run_alone(code: bytes, eax: int, ecx: int) -> tuple[int, int, int, int]:
    """EAX, EBX, ECX and EDX after `code`, on a processor that has nothing else."""
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    start = 1 << PAGE_SHIFT
    engine.mem_map(start, 1 << PAGE_SHIFT)
    engine.mem_write(start, code)
    engine.reg_write(x86.UC_X86_REG_EAX, eax)
    engine.reg_write(x86.UC_X86_REG_ECX, ecx)
    engine.emu_start(start, start + len(code))
    a, b, c, d = (int(engine.reg_read(getattr(x86, f"UC_X86_REG_{name}"))) for name in ("EAX", "EBX", "ECX", "EDX"))
    return a, b, c, d

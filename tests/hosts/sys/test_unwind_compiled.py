"""Unwinding what a compiler made: after every instruction of a run the unwound callers are those that a shadow stack has."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from unicorn import UC_ARCH_X86, UC_HOOK_CODE, UC_MODE_64, Uc
from unicorn import x86_const as x86

from dirql.hosts.sys.image import Image
from dirql.hosts.sys.unwind import Frame, LoadedTable, scopes_at, stack_trace, unwind, virtual_unwind
from dirql.hosts.sys.unwind_info import Operation, function_at, read_info

BASE, STACK, STACK_SIZE, EXIT = 0x140000000, 0x50000000, 0x100000, 0x70000000
NONVOLATILE, NONVOLATILE_XMM = (3, 4, 5, 6, 7, 12, 13, 14, 15), range(6, 16)
NAMES = ("RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", *(f"R{number}" for number in range(8, 16)))
REGISTERS = [getattr(x86, f"UC_X86_REG_{name}") for name in NAMES]
XMM = [getattr(x86, f"UC_X86_REG_XMM{n}") for n in range(16)]
SOURCE = """
typedef unsigned long long u64;
#define NOINLINE __attribute__((noinline))
NOINLINE void probe(void);
NOINLINE u64 leaf(u64 a);
static volatile u64 sink;
NOINLINE u64 dynamic(u64 n) { volatile char *p = __builtin_alloca(n); p[0] = 1; probe(); return p[0]; }
NOINLINE u64 floating(double a, double b, u64 n) {
    double c = a * b, d = a + b, e = a - b;
    for (u64 i = 0; i < n; i++) { probe(); c += d * e; d += c; e -= d; }
    return (u64)(c + d + e);
}
NOINLINE u64 large(u64 n) { volatile char b[0x400]; b[n & 0x3ff] = 1; probe(); return b[3]; }
NOINLINE u64 huge(u64 n) { volatile char b[0x90000]; b[n] = 1; probe(); return b[n]; }
NOINLINE u64 many(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
    probe(); u64 x = a * b; probe(); u64 y = c * d; probe(); sink += x + y + e + f + a + b + c + d; probe(); return x ^ y;
}
NOINLINE u64 recursive(u64 n) {
    if (!n) { probe(); return 0; } u64 r = recursive(n - 1) + n; if (n & 1) sink = r; probe(); return r;
}
NOINLINE u64 tail(u64 n) { probe(); return leaf(n); }
NOINLINE u64 (*volatile pointer)(u64) = leaf;
NOINLINE u64 indirect_tail(u64 n) { probe(); return pointer(n); }
NOINLINE u64 wrapped(u64 a, u64 b, u64 c) { if (!a) return b; u64 x = b * c; probe(); probe(); return x + a + sink; }
NOINLINE u64 aligned(u64 n) {
    volatile char b[64] __attribute__((aligned(64))); b[n & 63] = 2; probe(); return b[0] + dynamic(n);
}
u64 DriverEntry(void *a, void *b) {
    return dynamic(100) + floating(1.5, 2.5, 2) + large(5) + huge(9) + many(1, 2, 3, 4, 5, 6) + recursive(4) + tail(2)
        + indirect_tail(3) + wrapped(0, 1, 2) + wrapped(1, 2, 3) + aligned(7);
}
u64 leaf(u64 a) { return a * 3 + 1; }
void probe(void) { sink++; }
"""
GUARDED = """
typedef unsigned long long u64;
static volatile u64 sink;
__attribute__((noinline)) void probe(void) { sink++; }
long filter(u64 code) { return code == 5; }
u64 DriverEntry(void *a, void *b) {
    u64 seen = 0;
    __try {
        probe();
        __try { probe(); sink += 2; } __finally { sink += 3; }
    } __except (filter(sink)) { seen = 1; }
    __try { probe(); } __except (1) { seen += 2; }
    probe();
    return seen;
}
"""
KINDS = {
    "frame pointers, not optimised": ("-O0", "-fno-omit-frame-pointer"),
    "frame pointers, optimised": ("-O2", "-fno-omit-frame-pointer"),
    "no frame pointers": ("-O2", "-fomit-frame-pointer"),
    "small": ("-Os", "-fomit-frame-pointer"),
    "unwind information version 2": ("-O2", "-fomit-frame-pointer", "-Xclang", "-fwinx64-eh-unwindv2=best-effort"),
}


@dataclass(frozen=True)
class Call:
    """What the shadow stack knows of a call: where it returns to, and the registers that must then be as they were."""

    rip: int
    rsp: int
    registers: tuple[int, ...]
    xmm: tuple[int, ...]


class Run:
    """One driver in a bare emulator, with a look at every instruction."""

    def __init__(self, image: Image) -> None:
        self.uc = Uc(UC_ARCH_X86, UC_MODE_64)
        self.uc.mem_map(BASE, image.size)
        self.uc.mem_write(BASE, bytes(image.laid_out(BASE)))
        self.uc.mem_map(STACK, STACK_SIZE)
        self.uc.mem_map(EXIT, 0x1000)
        self.calls: list[Call] = []
        self.was: tuple[int, int, Frame] | None = None
        self.seen = 0
        directory = image.exceptions
        assert directory is not None
        self.tables = [LoadedTable(BASE, image.size, directory.rva, directory.size)]
        self.entry = BASE + image.entry
        self.wrong: list[str] = []

    def read(self, address: int, size: int) -> bytes:
        for start, length in ((BASE, self.tables[0].image_size), (STACK, STACK_SIZE)):
            if start <= address < start + length:
                return bytes(self.uc.mem_read(address, min(size, start + length - address)))
        return b""

    def frame(self) -> Frame:
        registers = tuple(self.uc.reg_read_batch(REGISTERS))
        return Frame(self.uc.reg_read(x86.UC_X86_REG_RIP), registers, tuple(self.uc.reg_read_batch(XMM)))

    def go(self) -> None:
        for number, register in enumerate(REGISTERS):
            self.uc.reg_write(register, 0x1111111111111111 * number)
        for number, register in enumerate(XMM):
            self.uc.reg_write(register, 0x77 << 120 | number)
        rsp = STACK + STACK_SIZE - 0x108
        self.uc.reg_write(x86.UC_X86_REG_RSP, rsp)
        self.uc.mem_write(rsp, EXIT.to_bytes(8, "little"))
        first = self.frame()
        self.calls.append(Call(EXIT, rsp + 8, first.registers, first.xmm))
        self.uc.hook_add(UC_HOOK_CODE, self._step)
        self.uc.emu_start(self.entry, EXIT)

    def _step(self, _: Uc, address: int, size: int, __: object) -> None:
        now = self.frame()
        if self.was is not None:
            at, length, before = self.was
            code = self.read(at, length)
            rest = code[1:] if 0x40 <= code[0] < 0x50 else code
            if rest[0] == 0xE8 or (rest[0] == 0xFF and rest[1] >> 3 & 7 == 2):
                self.calls.append(Call(at + length, before.rsp, before.registers, before.xmm))
            elif rest[0] == 0xC3:
                self.calls.pop()
        self.was = (address, size, now)
        self.seen += 1
        if not self.wrong:
            self._compare(Frame(address, now.registers, now.xmm))

    def _compare(self, frame: Frame) -> None:
        caller, call = unwind(frame, self.tables, self.read), self.calls[-1]
        if (caller.rip, caller.rsp) != (call.rip, call.rsp):
            self.wrong.append(f"at {frame.rip - BASE:#x}: {caller} and not {call.rip:#x}, {call.rsp:#x}")
        for number in NONVOLATILE:
            if number != 4 and caller.registers[number] != call.registers[number]:
                self.wrong.append(f"at {frame.rip - BASE:#x}: register {number} is {caller.registers[number]:#x}")
        for number in NONVOLATILE_XMM:
            if caller.xmm[number] != call.xmm[number]:
                self.wrong.append(f"at {frame.rip - BASE:#x}: xmm{number} is {caller.xmm[number]:#x}")
        if self.seen % 8 == 0:
            trace = stack_trace(frame, self.tables, self.read)
            if [f.rip for f in trace.frames[1:]] != [c.rip for c in reversed(self.calls)] or trace.stopped:
                self.wrong.append(f"at {frame.rip - BASE:#x}: {trace}")


@pytest.fixture(scope="session")
def pe() -> ModuleType:
    """The module that builds images."""
    spec = spec_from_file_location("image_builder", Path(__file__).with_name("image_builder.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def images(pe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """The driver, compiled in every way."""
    folder = tmp_path_factory.mktemp("drivers")
    paths = {kind: pe.compile_driver(folder, f"kind{n}", SOURCE, *options) for n, (kind, options) in enumerate(KINDS.items())}
    paths["guarded"] = pe.compile_driver(folder, "guarded", GUARDED, "-O1", "-fms-extensions")
    return {kind: Image.from_bytes(path.read_bytes(), path.name) for kind, path in paths.items()}


def test_the_compiled_drivers_use_every_step_that_a_prologue_has(images: dict[str, Image]) -> None:
    used, versions, chained = set(), set(), False
    for image in images.values():
        run = Run(image)
        for section in image.sections:
            for rva in range(section.rva, section.end if section.executable else section.rva):
                table, function = function_at(BASE + rva, run.tables, run.read)
                if table is not None and function is not None and rva == function.begin:
                    info = read_info(table, function, run.read)
                    used |= {code.operation for code in info.codes}
                    versions.add(info.version)
                    chained |= info.chained is not None
    assert versions == {1, 2}
    # the rest: test_unwind
    assert used == set(Operation) - {
        Operation.EPILOG, Operation.SPARE,  # stepped over
        Operation.SAVE_NONVOL, Operation.SAVE_NONVOL_FAR, Operation.SAVE_XMM128_FAR, Operation.PUSH_MACHFRAME,
    }  # fmt: skip
    assert not chained  # by hand too


@pytest.mark.parametrize("kind", KINDS)
def test_at_every_instruction_the_caller_is_the_one_that_called(images: dict[str, Image], kind: str) -> None:
    run = Run(images[kind])
    run.go()
    assert run.wrong == []
    assert run.seen > 300 and not run.calls[1:]


def test_the_scopes_of_guarded_code_are_found_innermost_first(images: dict[str, Image]) -> None:
    run, found = Run(images["guarded"]), []

    def look(frame: Frame) -> None:
        for caller in stack_trace(frame, run.tables, run.read).frames[1:-1]:
            unwound = virtual_unwind(caller, run.tables, run.read)
            found.append([(s.is_finally, s.handler == 1) for s in scopes_at(unwound, caller.rip, run.read)])

    run._compare = look  # type: ignore[method-assign]
    run.go()
    finally_, filtered, always = (True, False), (False, False), (False, True)
    # between the last two: the __finally runs as a function of its own, which the outer scope calls
    unique = [scopes for scopes, before in zip(found, [None, *found[:-1]], strict=True) if scopes != before]
    assert [scopes for scopes in unique if scopes] == [[filtered], [finally_, filtered], [filtered], [always]]

"""The `.sys` host's worlds for `dirql bench`, and beside them the emulator with nothing of dirql's around it.

The peer is Unicorn as its Python wrapper offers it, with the same page hook over the same memory. It is the one place besides
the processor that imports Unicorn, since it measures that.
"""

from __future__ import annotations

import mmap
from ctypes import addressof, c_char
from typing import Any

import unicorn
from unicorn import x86_const as x86

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.load import declare_routines
from dirql.hosts.sys.page_table import Rights
from dirql.machine.memory import PAGE_SIZE
from dirql.system import System

__all__ = ["BareEmulator", "GuestCode"]

# rbx = rcx times: call rdx.
CALLS = bytes.fromhex("53 56 4883ec28 4889cb 4889d6 ffd6 48ffcb 75f9 4883c428 5e 5b c3")
# rcx times: rax = [rdx]; rax += 1; [rdx + 8] = rax; eax = [rdx + 16]; [rdx + 24] = eax.
LOADS_AND_STORES = bytes.fromhex("488b02 4883c001 48894208 8b4210 894218 48ffc9 75ea c3")
SIZE = 4 << 20
CODE, DATA, STUB, STACK = (0xFFFF_F801_0000_0000 + offset for offset in (0x1000, 0x10000, 0x20000, 0x30000))


class GuestCode:
    """Machine code in a guest, run on a system thread as a driver's code is."""

    def __init__(self) -> None:
        declare_routines()
        self.system = System(1)
        self.guest = guest = Guest(self.system.kernel, self.system.framework)
        self._calls, self._loop = self._place(CALLS), self._place(LOADS_AND_STORES)
        self._data = guest.space.allocate(Area.POOL, PAGE_SIZE, "the bench's data").start
        self._routine = guest.stubs.known("KeGetCurrentIrql")

    def calls(self, count: int) -> None:
        """So many calls of KeGetCurrentIrql, each with its stop, its IRQL limit and its scheduling point."""
        self.system.call(self.guest.call, self._calls, count, self._routine)

    def loop(self, count: int) -> None:
        """So many times four loads and stores."""
        self.system.call(self.guest.call, self._loop, count, self._data)

    def _place(self, code: bytes) -> int:
        region = self.guest.space.allocate(Area.IMAGE, PAGE_SIZE, "the bench's code", Rights.READ | Rights.WRITE)
        self.guest.space.write(region.start, code)
        self.guest.space.pages.protect(region.first, region.pages, Rights.READ | Rights.EXECUTE)
        return region.start


class BareEmulator:
    """Unicorn through its wrapper: a page hook, and for a call nothing but to stop, read the argument and go on."""

    def __init__(self) -> None:
        self._ram = mmap.mmap(-1, SIZE)
        self._view = (c_char * SIZE).from_buffer(self._ram)
        uc: Any = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        self._uc = uc
        uc.mem_map_ptr(0, SIZE, unicorn.UC_PROT_ALL, addressof(self._view))
        uc.ctl_set_tlb_mode(unicorn.unicorn_const.UC_TLB_VIRTUAL)
        self._pages = {CODE + at >> 12: at for at in range(0, SIZE // 2, PAGE_SIZE)}
        uc.hook_add(unicorn.UC_HOOK_TLB_FILL, self._fill)
        for address, code in ((CODE, CALLS), (CODE + 0x100, LOADS_AND_STORES), (STUB, b"\xf4")):
            at = address - CODE
            self._ram[at : at + len(code)] = code

    def calls(self, count: int) -> None:
        """A stop at a stub's hlt and a start again, as often."""
        uc = self._uc
        self._enter(count, STUB)
        rip = CODE
        while True:
            uc.emu_start(rip, STUB + 0x100)
            if uc.reg_read(x86.UC_X86_REG_RIP) == STUB + 0x100:
                return
            uc.reg_read(x86.UC_X86_REG_RCX)
            rsp = uc.reg_read(x86.UC_X86_REG_RSP)
            at = rsp - CODE
            rip = int.from_bytes(self._ram[at : at + 8], "little")
            uc.reg_write(x86.UC_X86_REG_RSP, rsp + 8)
            uc.reg_write(x86.UC_X86_REG_RAX, 0)

    def loop(self, count: int) -> None:
        """The same code."""
        self._enter(count, DATA)
        self._uc.emu_start(CODE + 0x100, STUB + 0x100)

    def _enter(self, rcx: int, rdx: int) -> None:
        uc, rsp = self._uc, STACK + 0x8000 - 8
        at = rsp - CODE
        self._ram[at : at + 8] = (STUB + 0x100).to_bytes(8, "little")
        uc.reg_write(x86.UC_X86_REG_RCX, rcx)
        uc.reg_write(x86.UC_X86_REG_RDX, rdx)
        uc.reg_write(x86.UC_X86_REG_RSP, rsp)

    def _fill(self, uc: Any, address: int, access: int, result: Any, _: Any) -> bool:
        physical = self._pages.get((address & ~0xFFF) >> 12)
        if physical is None:
            return False
        execute = address & ~0xFFF in (CODE, STUB)
        result.paddr = physical
        result.perms = unicorn.UC_PROT_READ | (unicorn.UC_PROT_EXEC if execute else unicorn.UC_PROT_WRITE)
        return True

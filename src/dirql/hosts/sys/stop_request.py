"""How another thread stops the emulator: before a block of code begins, and nowhere else.

`uc_emu_stop` from another thread ends Unicorn 2.1 behind any load or store, in the middle of an instruction, which then begins
again: `inc [mem]` adds 2, a device's register is read twice. So a thread only sets a word, and a hook before every block looks
at it, on the emulator's own thread. The hook is a few bytes of machine code: a Python function takes longer than the block.
A stop that was taken leaves its mark, so that nobody has to tell it from a hlt by the address.

Limits: on hosts that are not x86-64 POSIX, or refuse memory that is written and run, the hook is the Python function.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from typing import Any

from dirql.hosts.sys.callback_types import BLOCK

__all__ = ["StopRequest"]

# void hook(uc, address, size, request), System V: cmp dword [rcx], 0; je over; mov dword [rcx + 4], 1; jmp [rcx + 8]; over: ret
LOOK = bytes.fromhex("833900 740a c7410401000000 ff6108 c3")


class StopRequest(ctypes.Structure):
    """`asked` by any thread at any moment; `taken` by the hook, which calls `routine` with the emulator."""

    _fields_ = (("asked", ctypes.c_uint32), ("taken", ctypes.c_uint32), ("routine", ctypes.c_void_p))
    asked: int
    taken: int
    routine: int

    def __init__(self, routine: Any) -> None:
        super().__init__(0, 0, ctypes.cast(routine, ctypes.c_void_p).value)
        self._routine = routine
        self._code: Any = _executable() or BLOCK(self._look)
        self.hook = ctypes.cast(self._code, ctypes.c_void_p)  # what looks; its last argument is `self`

    def answered(self) -> bool:
        """Whether a stop was taken; another one can be asked for now."""
        if not self.taken:
            return False
        self.asked = self.taken = 0
        return True

    def _look(self, uc: int, address: int, size: int, _: int) -> None:
        if self.asked:
            self.taken = 1
            self._routine(ctypes.c_void_p(uc))


def _executable() -> Any:
    """`LOOK` where it can run; None where it cannot."""
    if os.name != "posix" or platform.machine() not in ("x86_64", "amd64"):
        return None
    try:
        memory = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                           mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)  # fmt: skip
    except OSError:
        return None
    memory.write(LOOK)
    return (ctypes.c_char * len(LOOK)).from_buffer(memory)

"""What the emulator calls: Unicorn's own callback types, without its wrapper's layer around them, and who answers for devices.

A fill is asked for at each register access, so that the layer would be felt.
Limits: the types are those of Unicorn 2.1.
"""

from __future__ import annotations

import ctypes
from typing import Protocol

__all__ = ["BLOCK", "MMIO_READ", "MMIO_WRITE", "TLB_FILL", "DevicePages"]

BLOCK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)
MMIO_READ = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p)
TLB_FILL = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p)
MMIO_WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p)


class DevicePages(Protocol):
    """Who is asked before an access to a trapped page: while there is a `current` one it is asked what the instruction reads and
    whether it has written, piece by piece; else the processor stops. Neither may touch a device."""

    @property
    def current(self) -> object:
        """What the instruction that the processor is to enter again has done already."""

    def read(self, offset: int, size: int) -> int | None:
        """The value, when the instruction that reads has it already; None stops the processor."""

    def write(self, offset: int, size: int, value: int) -> bool:
        """True when the instruction's write was done already; False stops the processor."""

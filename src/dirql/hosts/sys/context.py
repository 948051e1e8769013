"""CONTEXT (winnt.h): the registers of a call into the driver, written for its handlers and read back when one lets it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.hosts.sys.nt_structs import CONTEXT
from dirql.hosts.sys.processor import Activation

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["frame_to_context", "read_context", "write_context"]

CONTEXT_FULL = 0x0010_000B  # control, integer, floating point
NAMES = ("Rax", "Rcx", "Rdx", "Rbx", "Rsp", "Rbp", "Rsi", "Rdi", *(f"R{number}" for number in range(8, 16)))
KERNEL_CS, KERNEL_SS = 0x10, 0x18
MXCSR = 0x1F80
XMM_AT = CONTEXT.offset("Xmm0")


def write_context(guest: Guest, context: CONTEXT, activation: Activation) -> None:
    """The registers that `activation` has now; at the stub of a routine that it called, the routine is where it stands."""
    registers, xmm, rip = guest.processor.snapshot(activation)
    index = guest.stubs.index(rip - 1)
    rip = guest.stubs.base + 16 * index if index is not None else rip
    frame_to_context(context, rip, registers, xmm, guest.processor.flags(activation))


def frame_to_context(context: CONTEXT, rip: int, registers: tuple[int, ...], xmm: tuple[int, ...], flags: int = 0x202) -> None:
    """Fill in a CONTEXT that is all zeroes."""
    context.ContextFlags, context.MxCsr, context.EFlags = CONTEXT_FULL, MXCSR, flags & 0xFFFF_FFFF
    context.SegCs, context.SegSs = KERNEL_CS, KERNEL_SS
    for name, value in zip(NAMES, registers, strict=True):
        setattr(context, name, value)
    context.Rip = rip
    context.memory.write(context.address + XMM_AT, b"".join(value.to_bytes(16, "little") for value in xmm))


def read_context(guest: Guest, context: CONTEXT) -> None:
    """The activation that has the emulator goes on with these registers."""
    data = guest.space.read(context.address + XMM_AT, 16 * 16)
    xmm = tuple(int.from_bytes(data[at : at + 16], "little") for at in range(0, 256, 16))
    guest.processor.set_all(context.Rip, [getattr(context, name) for name in NAMES], xmm, context.EFlags)

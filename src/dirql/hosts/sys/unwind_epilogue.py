"""Whether a program counter stands in an epilogue (Windows "x64 prolog and epilog"): an x64 epilogue has no unwind codes, its few
permitted instructions are recognised and carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Epilogue", "find_epilogue"]

LONGEST = 7 + 16 * 2 + 7  # lea, every pop with its prefix, a jump
RET, RET_N, REPEAT, BND = 0xC3, 0xC2, 0xF3, 0xF2
JMP_NEAR, JMP_SHORT, JMP_GROUP = 0xE9, 0xEB, 0xFF
REX_B, REX_W = 0x41, 0x48
ADD_BYTE, ADD_DWORD, LEA, POP = 0x83, 0x81, 0x8D, 0x58
ADD_RSP = 0xC4  # ModRM: add, rsp
RSP, RBP = 4, 5


@dataclass(frozen=True)
class Epilogue:
    """What is left of it: rsp becomes register `base` plus `adjust`, `pops` follow, and `discard` bytes go with the return."""

    base: int
    adjust: int
    pops: tuple[int, ...]
    discard: int = 0


def find_epilogue(code: bytes, frame_register: int, leaves: Callable[[int], bool]) -> Epilogue | None:
    """The epilogue whose rest begins `code`; `leaves` says whether a jump's target, relative to `code`, is another function."""
    code = code[:LONGEST]
    base, adjust, at = _release(code, frame_register)
    pops: list[int] = []
    while True:
        if code[at : at + 1] and code[at] & 0xF8 == POP:
            pops.append(code[at] & 7)
            at += 1
        elif code[at : at + 1] and code[at] == REX_B and code[at + 1 : at + 2] and code[at + 1] & 0xF8 == POP:
            pops.append(8 | code[at + 1] & 7)
            at += 2
        else:
            break
    discard = _exit(code, at, leaves)
    return None if discard is None else Epilogue(base, adjust, tuple(pops), discard)


def _release(code: bytes, frame_register: int) -> tuple[int, int, int]:
    """add rsp, constant; or lea rsp, [frame register + constant]; or nothing."""
    if code[:3] == bytes((REX_W, ADD_BYTE, ADD_RSP)) and len(code) > 3:
        return RSP, int.from_bytes(code[3:4], "little", signed=True), 4
    if code[:3] == bytes((REX_W, ADD_DWORD, ADD_RSP)) and len(code) > 6:
        return RSP, int.from_bytes(code[3:7], "little", signed=True), 7
    if frame_register and len(code) > 2 and code[0] & 0xFE == REX_W and code[1] == LEA and code[2] >> 3 & 7 == RSP:
        mod, register = code[2] >> 6, (code[0] & 1) << 3 | code[2] & 7
        at = 4 if register & 7 == RSP else 3  # r12 needs a SIB byte
        size = {0: None if register & 7 == RBP else 0, 1: 1, 2: 4}.get(mod)  # without a displacement rbp's encoding is rip's
        if register == frame_register and size is not None and len(code) >= at + size:
            return register, int.from_bytes(code[at : at + size], "little", signed=True), at + size
    return RSP, 0, 0


def _exit(code: bytes, at: int, leaves: Callable[[int], bool]) -> int | None:
    """The bytes that a return drops besides its address, for what is no exit None."""
    rest = code[at:]
    if rest[:1] in (bytes((REPEAT,)), bytes((BND,))) and rest[1:2] == bytes((RET,)):
        return 0
    if not rest:
        return None
    if rest[0] == RET:
        return 0
    if rest[0] == RET_N and len(rest) > 2:
        return int.from_bytes(rest[1:3], "little")
    if rest[0] == JMP_SHORT and len(rest) > 1:
        return 0 if leaves(at + 2 + int.from_bytes(rest[1:2], "little", signed=True)) else None
    if rest[0] == JMP_NEAR and len(rest) > 4:
        return 0 if leaves(at + 5 + int.from_bytes(rest[1:5], "little", signed=True)) else None
    if rest[0] == JMP_GROUP and rest[1:2] == b"\x25":  # through an import slot
        return 0
    if len(rest) > 2 and rest[0] & 0xF8 == REX_W and rest[1] == JMP_GROUP and rest[2] >> 3 & 7 == 4:
        return 0  # the prefix marks a tail call; a switch's jump goes without
    return None

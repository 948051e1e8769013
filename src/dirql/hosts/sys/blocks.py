"""The basic blocks of an image's code: straight lines between the places that a branch goes to, or that follow one.

Limits: code without an entry in .pdata (leaf functions) is not counted; nor is a table inside of code told from code. A place
that only a table of a `switch` leads to begins no block. What ran is what the emulator came to: a line that faults in its middle
counts whole. The framework's entry stub that is linked into a driver counts as its code.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import capstone

__all__ = ["basic_blocks", "covered"]

ENDS = frozenset({"jmp", "ret", "retf", "iretq", "int3", "ud2", "hlt"})
PADDING = frozenset({"int3", "nop"})


def basic_blocks(functions: Iterable[tuple[int, bytes]]) -> list[int]:
    """Where they begin, of functions by their address and code; sorted."""
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    begins: set[int] = set()
    known: set[int] = set()
    for address, code in functions:
        begins.add(address)
        after = False  # is the next instruction one that is only reached by a branch, if at all?
        for at, size, name, operands in engine.disasm_lite(code, address):
            known.add(at)
            if after and name not in PADDING:
                begins.add(at)
            after = name in ENDS or (after and name in PADDING)
            if name[0] == "j" or name.startswith("loop"):
                if operands.startswith("0x"):
                    begins.add(int(operands, 16))
                if name != "jmp":
                    begins.add(at + size)
    return sorted(begins & known)


def covered(blocks: Sequence[int], ran: Iterable[tuple[int, int]]) -> set[int]:
    """Which of `blocks` begin in what ran: straight lines as (address, bytes), as a processor translated them."""
    found: set[int] = set()
    for address, size in ran:
        found.update(blocks[bisect_left(blocks, address) : bisect_left(blocks, address + size)])
    return found

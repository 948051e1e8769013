"""An image's bytes by address and its instructions by their operands: what is looked at without running anything.

Addresses are those of the preferred base, so that a pointer in the file counts as it stands there.
Limits: an encoding that the disassembler does not know ends a path; of leaf functions in a row only the first has a known start.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Container, Iterator
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

import capstone

from dirql.hosts.sys.image import Image, Section

__all__ = ["Code", "Instruction", "Memory", "Operand", "Reference", "Register"]

RUNTIME_FUNCTION = Struct("<3I")
CHAINED = 4 << 3  # UNW_FLAG_CHAININFO where UNWIND_INFO has its flags
CHUNK = 64  # bytes that are decoded at once
LONGEST_TEXT = 512  # bytes of a wide string
MASK = (1 << 64) - 1
PADDING = b"\xcc\x90\0"
SIZES = {"byte": 1, "word": 2, "dword": 4, "qword": 8, "xmmword": 16, "ymmword": 32}
WIDTHS: dict[str, tuple[str, int]] = {}  # the full register and the bytes of the part that a name means
for _name in "abcd":
    _wide = f"r{_name}x"
    WIDTHS |= {_wide: (_wide, 8), f"e{_name}x": (_wide, 4), f"{_name}x": (_wide, 2), f"{_name}l": (_wide, 1)}
    WIDTHS[f"{_name}h"] = (_wide, 1)
for _name in ("si", "di", "bp", "sp"):
    _wide = f"r{_name}"
    WIDTHS |= {_wide: (_wide, 8), f"e{_name}": (_wide, 4), _name: (_wide, 2), f"{_name}l": (_wide, 1)}
for _number in range(8, 16):
    _wide = f"r{_number}"
    WIDTHS |= {_wide: (_wide, 8), f"{_wide}d": (_wide, 4), f"{_wide}w": (_wide, 2), f"{_wide}b": (_wide, 1)}
for _number in range(16):
    WIDTHS[f"xmm{_number}"] = f"xmm{_number}", 16


class Register(NamedTuple):
    """A register's part: the whole one's name, and how many bytes of it."""

    name: str
    size: int


class Memory(NamedTuple):
    """A memory operand; `base` and `scaled`, the index, are "" where there is none. With RIP, `offset` is the whole address."""

    size: int
    base: str
    scaled: str
    scale: int
    offset: int


Operand = Register | Memory | int


class Instruction(NamedTuple):
    """One instruction."""

    address: int
    size: int
    name: str
    operands: tuple[Operand, ...]

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size


class Reference(NamedTuple):
    """Code at `at`, the first byte of its displacement, that names `target` relative to RIP."""

    at: int
    target: int


class Code:
    """One image. `decoded` counts the instructions that were told apart so far."""

    def __init__(self, image: Image) -> None:
        self.image, self.base = image, image.preferred_base
        self.sections = image.sections
        self.decoded = 0
        self._starts = [section.rva for section in image.sections]
        self._engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._known: dict[int, Instruction | None] = {}
        self._read_functions()

    # Bytes.

    def section(self, address: int) -> Section | None:
        """The section around an address."""
        index = bisect_right(self._starts, address - self.base) - 1
        return self.sections[index] if index >= 0 and address - self.base < self.sections[index].end else None

    def holds(self, address: int) -> bool:
        """True for an address in the image."""
        return 0 <= address - self.base < self.image.size

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes, zeros where the file has none of them; fewer where the section ends."""
        section = self.section(address)
        if section is None:
            return b""
        at = address - self.base - section.rva
        size = min(size, section.virtual_size - at)
        data = section.data[at : at + size]
        return data + bytes(size - len(data))

    def integer(self, address: int, size: int = 8) -> int | None:
        """The integer there; None where the image has nothing."""
        data = self.read(address, size)
        return int.from_bytes(data, "little") if len(data) == size else None

    def constant(self, address: int, size: int = 8) -> int | None:
        """The integer there, if nothing can change it."""
        section = self.section(address)
        return self.integer(address, size) if section is not None and not section.writable else None

    def wide_text(self, address: int) -> str | None:
        """A WCHAR string of printable ASCII that ends with a zero; None for anything else."""
        data = self.read(address, LONGEST_TEXT)
        found: list[str] = []
        for at in range(0, len(data) - 1, 2):
            unit = data[at] | data[at + 1] << 8
            if not unit:
                return "".join(found) or None
            if not 0x20 <= unit < 0x7F:
                return None
            found.append(chr(unit))
        return None

    def pointers_to(self, targets: Container[int]) -> Iterator[tuple[int, int]]:
        """(where, what) of each aligned pointer in the image that holds one of `targets`."""
        for section in self.sections:
            data = section.data[: len(section.data) & ~7]
            for index, value in enumerate(array("Q", data)):
                if value in targets:
                    yield self.base + section.rva + 8 * index, value

    # Code.

    def references(self, targets: Container[int]) -> list[Reference]:
        """What in executable sections looks like an operand, or a near call or jump, that names one of `targets`."""
        found: list[Reference] = []
        for section in self.sections:
            if not section.executable:
                continue
            data, start = section.data, self.base + section.rva
            for first in range(min(4, len(data))):
                part = data[first : first + (len(data) - first & ~3)]
                behind = start + first + 4
                for index, distance in enumerate(array("i", part)):
                    if (target := behind + 4 * index + distance) in targets:
                        at = first + 4 * index
                        before = data[at - 1] if at else 0
                        if before & 0xC7 == 0x05 or before in (0xE8, 0xE9):
                            found.append(Reference(start + at, target))
        return sorted(found)

    def instruction(self, address: int) -> Instruction | None:
        """The instruction at `address`; None where there is none."""
        if address not in self._known:
            self._decode(address)
        return self._known.get(address)

    def around(self, reference: Reference) -> Instruction | None:
        """The instruction that a reference is a part of."""
        for length in (3, 2, 1, 4):
            found = self.instruction(reference.at - length)
            if found is not None and found.address < reference.at < found.end and _names(found, reference.target):
                return found
        return None

    def function(self, address: int) -> int:
        """Where the function around an address starts; where .pdata has none (a leaf), where the code between two others does."""
        index = bisect_right(self._begins, address) - 1
        if index >= 0 and address < self._ends[index]:
            return self._primary[index]
        section = self.section(address)
        start = self.base + section.rva if section is not None else address
        if index >= 0:
            start = max(start, self._ends[index])
        between = self.read(start, address - start)
        return start + len(between) - len(between.lstrip(PADDING))

    def is_function(self, address: int) -> bool:
        """True where a function starts."""
        return address in self._entries

    def _decode(self, address: int) -> None:
        self._known[address] = None
        section = self.section(address)
        if section is None or not section.executable:
            return
        for at, size, name, operands in self._engine.disasm_lite(self.read(address, CHUNK), address):
            if self._known.get(at) is not None:
                break  # from here on it is known
            self.decoded += 1
            self._known[at] = Instruction(at, size, name, _operands(operands, at + size))

    def _read_functions(self) -> None:
        directory, base = self.image.exceptions, self.base
        rows = []
        if directory is not None:
            table = self.read(base + directory.rva, directory.size)
            rows = sorted(RUNTIME_FUNCTION.iter_unpack(table[: len(table) // 12 * 12]))
        self._begins = [base + begin for begin, _, _ in rows]
        self._ends = [base + end for _, end, _ in rows]
        self._primary = [self._first(base + begin, info) for begin, _, info in rows]
        self._entries = frozenset(self._primary)

    def _first(self, begin: int, info: int) -> int:
        """The start of the function that a piece of code belongs to."""
        for _ in range(32):
            head = self.read(self.base + info, 4)
            if len(head) < 4 or not head[0] & CHAINED:
                break
            chained = self.read(self.base + info + 4 + 2 * (head[2] + head[2] % 2), RUNTIME_FUNCTION.size)
            if len(chained) < RUNTIME_FUNCTION.size:
                break
            first, _, info = RUNTIME_FUNCTION.unpack(chained)
            begin = self.base + first
        return begin


def _names(one: Instruction, target: int) -> bool:
    return any(
        operand == target if isinstance(operand, int) else isinstance(operand, Memory) and operand[1:] == ("", "", 1, target)
        for operand in one.operands
    )


def _operands(text: str, behind: int) -> tuple[Operand, ...]:
    found = _parsed(text)
    if "rip" in text:
        return tuple(
            Memory(one.size, "", "", 1, behind + one.offset & MASK) if isinstance(one, Memory) and one.base == "rip" else one
            for one in found
        )
    return found


@lru_cache(maxsize=1 << 15)
def _parsed(text: str) -> tuple[Operand, ...]:
    return tuple(_operand(one) for one in text.split(", ")) if text else ()


def _operand(text: str) -> Operand:
    if text in WIDTHS:
        return Register(*WIDTHS[text])
    if text.endswith("]"):
        head, _, inside = text[:-1].partition("[")
        words = inside.replace(" - ", " + -").split(" + ")
        base, index, scale, offset = "", "", 1, 0
        for word in words:
            name, star, times = word.partition("*")
            if star:
                index, scale = name, int(times)
            elif word.lstrip("-")[:1].isdigit():
                offset += int(word, 0)
            elif base:
                index = word
            else:
                base = word
        if ":" in head:
            base = base or "segment"  # gs:[…] is no address of the image's
        return Memory(SIZES.get(head.partition(" ")[0], 0), base, index, scale, offset)
    try:
        return int(text, 0)
    except ValueError:
        return Register(text, 0)

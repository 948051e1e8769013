"""What .pdata and .xdata say about a function (Windows "x64 exception handling"): read from the loaded image, checked, as values.

Limits: UNWIND_INFO of versions 1 and 2; version 2's epilogue codes are stepped over, as the instructions tell the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct

from dirql.errors import DirqlError

__all__ = [
    "LoadedTable", "Operation", "Read", "RuntimeFunction", "Scope", "UnwindCode", "UnwindError", "UnwindFlag", "UnwindInfo",
    "function_at", "read_info", "read_scopes", "take",
]  # fmt: skip

Read = Callable[[int, int], bytes]
"""`read(address, size)`: the bytes, or fewer (none) where memory cannot be read. Never raises."""

RUNTIME_FUNCTION = Struct("<3I")
DWORD = Struct("<I")
SCOPE = Struct("<4I")
INDIRECT = 1  # low bit of UnwindData: what it leads to is the real RUNTIME_FUNCTION
MOST_SCOPES = 4_096
MOST_INDIRECTIONS = 32


class UnwindError(DirqlError):
    """A stack that cannot be unwound further; says at which address, and what is wrong there."""


class Operation(IntEnum):
    """UWOP_…"""

    PUSH_NONVOL = 0
    ALLOC_LARGE = 1
    ALLOC_SMALL = 2
    SET_FPREG = 3
    SAVE_NONVOL = 4
    SAVE_NONVOL_FAR = 5
    EPILOG = 6
    SPARE = 7
    SAVE_XMM128 = 8
    SAVE_XMM128_FAR = 9
    PUSH_MACHFRAME = 10


class UnwindFlag(IntFlag):
    """UNW_FLAG_…"""

    EHANDLER = 1
    UHANDLER = 2
    CHAININFO = 4


@dataclass(frozen=True)
class LoadedTable:
    """An image in memory and its function table: `rva` and `size` are the exception directory's, 0 for an image without."""

    base: int
    image_size: int
    rva: int = 0
    size: int = 0

    def holds(self, address: int) -> bool:
        """Whether `address` lies in the image."""
        return self.base <= address < self.base + self.image_size


@dataclass(frozen=True)
class RuntimeFunction:
    """A function, or a piece of one; `begin`, `end` and `info` are RVAs."""

    begin: int
    end: int
    info: int


@dataclass(frozen=True)
class UnwindCode:
    """One step of a prologue: `at` is the offset behind its instruction, `register` an encoding, `value` bytes."""

    at: int
    operation: Operation
    register: int
    value: int


@dataclass(frozen=True)
class UnwindInfo:
    """UNWIND_INFO; `frame_offset` in bytes, `handler` and `handler_data` are RVAs, `chained` is the piece that it continues."""

    version: int
    flags: UnwindFlag
    prologue_size: int
    frame_register: int
    frame_offset: int
    codes: tuple[UnwindCode, ...]
    handler: int
    handler_data: int
    chained: RuntimeFunction | None


@dataclass(frozen=True)
class Scope:
    """A row of __C_specific_handler's SCOPE_TABLE, in RVAs.

    `target` 0 means that `handler` is a __finally; else `handler` is the filter, or 1 for one that is always true.
    """

    begin: int
    end: int
    handler: int
    target: int

    @property
    def is_finally(self) -> bool:
        """A termination handler and no filter."""
        return self.target == 0


def function_at(address: int, tables: Iterable[LoadedTable], read: Read) -> tuple[LoadedTable | None, RuntimeFunction | None]:
    """The image that holds `address`, and the entry for it: none for a leaf. The table counts as sorted, as on Windows."""
    table = next((table for table in tables if table.holds(address)), None)
    if table is None:
        return None, None
    rva, low, high = address - table.base, 0, table.size // RUNTIME_FUNCTION.size
    while low < high:
        middle = (low + high) // 2
        entry = _entry(table, table.rva + middle * RUNTIME_FUNCTION.size, read)
        if rva < entry.begin:
            high = middle
        elif rva >= entry.end:
            low = middle + 1
        else:
            return table, _direct(table, entry, read)
    return table, None


def _direct(table: LoadedTable, entry: RuntimeFunction, read: Read) -> RuntimeFunction:
    for _ in range(MOST_INDIRECTIONS):
        if not entry.info & INDIRECT:
            return entry
        entry = _entry(table, entry.info & ~INDIRECT, read)
    raise UnwindError(f"function entry at RVA {entry.info & ~INDIRECT:#x} leads on more than {MOST_INDIRECTIONS} times")


def read_info(table: LoadedTable, function: RuntimeFunction, read: Read) -> UnwindInfo:
    """The unwind information of `function`."""
    at = table.base + function.info
    first, prologue_size, count, frame = take(read, at, 4, "unwind information")
    version, flags = first & 7, UnwindFlag(first >> 3)
    if version not in (1, 2):
        raise UnwindError(f"unwind information at {at:#x} is of version {version}; 1 and 2 are modelled")
    codes = _codes(take(read, at + 4, 2 * count, "unwind codes"), version, at)
    behind = function.info + 4 + 2 * (count + count % 2)
    chained, handler, data = None, 0, 0
    if flags & UnwindFlag.CHAININFO:
        chained = _direct(table, _entry(table, behind, read), read)
    elif flags & (UnwindFlag.EHANDLER | UnwindFlag.UHANDLER):
        (handler,) = DWORD.unpack(take(read, table.base + behind, 4, "the address of a handler"))
        data = behind + 4
    return UnwindInfo(version, flags, prologue_size, frame & 15, (frame >> 4) * 16, codes, handler, data, chained)


def _codes(slots: bytes, version: int, at: int) -> tuple[UnwindCode, ...]:
    found: list[UnwindCode] = []
    index = 0
    while index < len(slots):
        offset, packed = slots[index], slots[index + 1]
        number, info = packed & 15, packed >> 4
        if number > Operation.PUSH_MACHFRAME or (version == 1 and number in (Operation.EPILOG, Operation.SPARE)):
            raise UnwindError(f"unwind information at {at:#x} has operation {number}, which version {version} does not know")
        operation = Operation(number)
        large = operation is Operation.ALLOC_LARGE
        wide = operation in (Operation.SAVE_NONVOL_FAR, Operation.SAVE_XMM128_FAR) or (large and info == 1)
        narrow = operation in (Operation.SAVE_NONVOL, Operation.SAVE_XMM128) or (large and info == 0)
        size = 4 if wide else 2 if narrow else 0
        operand = slots[index + 2 : index + 2 + size]
        if len(operand) < size or (large and info > 1):
            raise UnwindError(f"unwind information at {at:#x} has a broken {operation.name} at slot {index // 2}")
        value = int.from_bytes(operand, "little")
        if operation == Operation.ALLOC_SMALL:
            value = info * 8 + 8
        elif narrow:
            value *= 16 if operation == Operation.SAVE_XMM128 else 8
        if operation not in (Operation.EPILOG, Operation.SPARE):
            found.append(UnwindCode(offset, operation, info, value))
        index += 2 + size
    return tuple(found)


def read_scopes(table: LoadedTable, data: int, read: Read) -> tuple[Scope, ...]:
    """The scopes at RVA `data`, innermost first, as __C_specific_handler walks them."""
    at = table.base + data
    (count,) = DWORD.unpack(take(read, at, 4, "a scope table"))
    if count > MOST_SCOPES:
        raise UnwindError(f"the scope table at {at:#x} has {count:#x} scopes; {MOST_SCOPES:#x} are read")
    return tuple(Scope(*row) for row in SCOPE.iter_unpack(take(read, at + 4, count * SCOPE.size, "a scope table")))


def take(read: Read, address: int, size: int, what: str) -> bytes:
    """All `size` bytes or an error that names them."""
    data = read(address, size) if size and address + size <= 1 << 64 else b""
    if len(data) != size:
        raise UnwindError(f"{what} at {address:#x} cannot be read")
    return data


def _entry(table: LoadedTable, rva: int, read: Read) -> RuntimeFunction:
    return RuntimeFunction(*RUNTIME_FUNCTION.unpack(take(read, table.base + rva, RUNTIME_FUNCTION.size, "a function entry")))

"""Base Address Registers: what a BAR claims, how software sizes it, and who answers behind it (PCIe 6.0 §7.5.1.2.1).

Limits: no expansion ROM BAR, no Resizable BAR, no Enhanced Allocation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from dirql.errors import LayoutError
from dirql.layout import Register, RegisterFile
from dirql.pci.header import IoBar, MemoryBar
from dirql.pci.spec import ALL_ONES, BAR_COUNT, BAR_OFFSET

__all__ = ["BarKind", "BarSpec", "BarTarget", "Bars", "Note", "Overlay", "Window", "all_ones", "ignore"]

BarKind = Literal["memory32", "memory64", "io"]

_SMALLEST = {"memory32": 0x10, "memory64": 0x10, "io": 0x4}
_LARGEST = {"memory32": 1 << 31, "memory64": 1 << 63, "io": 0x100}


class Note(Protocol):
    """Tells the trace of something that software should not have done."""

    def __call__(self, what: str, **detail: Any) -> None: ...


class BarTarget(Protocol):
    """Whatever answers behind a BAR; offsets count from the BAR's base."""

    def read(self, offset: int, size: int, /) -> int:
        """A read of 1, 2, 4 or 8 bytes."""

    def write(self, offset: int, size: int, value: int, /) -> None:
        """A write of 1, 2, 4 or 8 bytes."""


@dataclass(frozen=True)
class BarSpec:
    """What one BAR claims: a power of two of bytes."""

    size: int
    kind: BarKind = "memory32"
    prefetchable: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(BarKind):
            raise LayoutError(f"BarSpec: kind {self.kind!r} is none of {', '.join(get_args(BarKind))}")
        low, high = _SMALLEST[self.kind], _LARGEST[self.kind]
        if not low <= self.size <= high:
            raise LayoutError(f"BarSpec: size {self.size:#x} is outside what a {self.kind} BAR claims, {low:#x} to {high:#x}")
        if self.size & (self.size - 1):
            above = 1 << self.size.bit_length()
            raise LayoutError(f"BarSpec: size {self.size:#x} is not a power of two; the next one is {above:#x}")
        if self.prefetchable and self.kind == "io":
            raise LayoutError("BarSpec: an I/O BAR cannot be prefetchable; drop prefetchable or make it memory")


class Bars:
    """The six BARs of a type 0 header: their registers, sizes and the addresses that they decode."""

    def __init__(self, name: str, specs: Mapping[int, BarSpec], file: RegisterFile) -> None:
        self.specs = dict(sorted(specs.items()))
        self._file = file
        for index, spec in self.specs.items():
            if not 0 <= index < BAR_COUNT:
                raise LayoutError(f"{name} BAR {index}: a type 0 header has BARs 0 to {BAR_COUNT - 1}")
            if spec.kind == "memory64":
                if index + 1 == BAR_COUNT:
                    raise LayoutError(f"{name} BAR {index}: a 64-bit BAR takes two registers; the last place for it is BAR 4")
                if index + 1 in self.specs:
                    raise LayoutError(f"{name} BAR {index + 1}: is the upper half of 64-bit BAR {index}; use another index")
            self._lay(index, spec)
        file.forget_rules()

    def _lay(self, index: int, spec: BarSpec) -> None:
        offset = BAR_OFFSET + 4 * index
        kind: type[Register] = IoBar if spec.kind == "io" else MemoryBar
        writable = kind.mask("stores") & ~(spec.size - 1)
        image = kind.reset
        if spec.kind != "io":
            image |= (MemoryBar.locatable.mask & (2 << 1) if spec.kind == "memory64" else 0) | spec.prefetchable << 3
        if spec.kind == "memory64":
            writable |= (0xFFFF_FFFF << 32) & ~(spec.size - 1)
        span = slice(offset, offset + (8 if spec.kind == "memory64" else 4))
        width = span.stop - span.start
        self._file.store[span] = writable.to_bytes(width, "little")
        self._file.buffer[span] = image.to_bytes(width, "little")

    def size(self, index: int) -> int:
        """Bytes that BAR `index` claims; 0 for none and for the upper half of a 64-bit one."""
        spec = self.specs.get(index)
        return spec.size if spec else 0

    def base(self, index: int) -> int:
        """The address programmed into BAR `index`."""
        spec = self.specs[index]
        raw = self._file.read(BAR_OFFSET + 4 * index, 8 if spec.kind == "memory64" else 4)
        return raw & ~((IoBar.io.mask | IoBar.reserved.mask) if spec.kind == "io" else 0xF)

    def decode(self, address: int, *, io: bool = False) -> tuple[int, int] | None:
        """The BAR that claims `address`, and the offset in it; None where none does. Command enables are not asked."""
        for index, spec in self.specs.items():
            offset = address - self.base(index)
            if (spec.kind == "io") == io and 0 <= offset < spec.size:
                return index, offset
        return None


@dataclass(frozen=True)
class Window:
    """A range of a BAR that somebody else than its main target answers; `target` sees offsets from `start`."""

    start: int
    size: int
    target: BarTarget

    @property
    def end(self) -> int:
        return self.start + self.size


class Overlay:
    """A BAR target with windows in it; an access that touches a window belongs to it wholly."""

    def __init__(self, under: BarTarget | None, windows: Sequence[Window], note: Note) -> None:
        self._under, self._windows, self._note = under, tuple(windows), note

    def read(self, offset: int, size: int) -> int:
        for window in self._windows:
            if offset < window.end and offset + size > window.start:
                return window.target.read(offset - window.start, size)
        if self._under is not None:
            return self._under.read(offset, size)
        self._note("read outside every register", offset=offset, size=size)
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        for window in self._windows:
            if offset < window.end and offset + size > window.start:
                window.target.write(offset - window.start, size, value)
                return
        if self._under is not None:
            self._under.write(offset, size, value)
        else:
            self._note("write outside every register", offset=offset, size=size, value=value)


def all_ones(offset: int, size: int) -> int:
    """What a read gets that no function claims."""
    return ALL_ONES.get(size) or (1 << 8 * size) - 1


def ignore(offset: int, size: int, value: int) -> None:
    """What becomes of a write that no function claims."""

"""Configuration space of a type 0 function: header, capability list, extended capabilities (PCIe 6.0 §7.2, §7.5.1, §7.6.3).

Software reads and writes it through `ConfigSpace.read` and `.write`; hardware looks through the blocks that `add` returns.
A chain is walked by `walk` and `walk_extended` alone, here and for dumps.

Limits: no bridges (type 1 headers); extended capabilities are read-only bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from dirql.errors import DirqlError, LayoutError
from dirql.layout import RegisterFile
from dirql.pci.bar import Bars, BarSpec
from dirql.pci.capabilities import Capability, capability_block
from dirql.pci.header import Type0Header
from dirql.pci.spec import CONFIG_SIZE, CONVENTIONAL_SIZE, EXTENDED_BASE, HEADER_SIZE, capability_name, extended_capability_name

__all__ = ["BrokenChain", "ConfigSpace", "Link", "walk", "walk_extended"]

C = TypeVar("C", bound=Capability)

_POINTER = Type0Header.placements["capabilities_pointer"].offset
_STATUS = Type0Header.placements["status"].offset
_CAPABILITIES_LIST = 1 << 4


class BrokenChain(DirqlError):
    """A capability list that cannot be followed: the pointer at `offset` holds `value`."""

    def __init__(self, offset: int, value: int, problem: str, remedy: str) -> None:
        self.offset, self.value, self.problem, self.remedy = offset, value, problem, remedy
        super().__init__(f"capability pointer at {offset:#x} holds {value:#x}: {problem}; {remedy}")


class Link(NamedTuple):
    """One capability of a list: where it is, what it is, where the next one is (0: the last)."""

    id: int
    offset: int
    next: int
    version: int = 0


def walk(data: bytes | bytearray) -> Iterator[Link]:
    """The capability list of these configuration bytes (64, 256 or more); BrokenChain where it cannot be followed."""
    if len(data) < HEADER_SIZE or not data[_STATUS] & _CAPABILITIES_LIST:
        return
    limit = min(len(data), CONVENTIONAL_SIZE)
    seen: set[int] = set()
    where, offset = _POINTER, data[_POINTER]
    while offset:
        _check(where, offset, HEADER_SIZE, limit, seen)
        seen.add(offset)
        link = Link(data[offset], offset, data[offset + 1])
        yield link
        where, offset = link.offset + 1, link.next


def walk_extended(data: bytes | bytearray) -> Iterator[Link]:
    """The extended capability list of these configuration bytes; empty where they hold no extended space."""
    if len(data) < EXTENDED_BASE + 4:
        return
    seen: set[int] = set()
    where, offset = EXTENDED_BASE, EXTENDED_BASE
    while offset:
        _check(where, offset, EXTENDED_BASE, len(data), seen)
        seen.add(offset)
        header = int.from_bytes(data[offset : offset + 4], "little")
        if header in (0, 0xFFFF_FFFF):  # no extended capability at all, or space that nobody answers for
            return
        link = Link(header & 0xFFFF, offset, header >> 20, header >> 16 & 0xF)
        yield link
        where, offset = link.offset + 2, link.next


def _check(where: int, offset: int, low: int, end: int, seen: set[int]) -> None:
    if offset in seen:
        raise BrokenChain(where, offset, "the list comes back to where it was", "link every capability once")
    if offset & 3:
        raise BrokenChain(where, offset, "a capability starts on a DWORD", "clear bits 1:0 of the pointer")
    if offset < low:
        raise BrokenChain(where, offset, f"capabilities start at {low:#x}", "point past the header or end the list with 0")
    if offset + 4 > end:
        raise BrokenChain(where, offset, f"there are {end:#x} bytes", "give all bytes or end the list with 0")


class ConfigSpace:
    """4096 bytes of configuration space with the rules of a type 0 header over them."""

    def __init__(self, name: str, bars: Mapping[int, BarSpec] | None = None) -> None:
        self.name = name
        self.file = RegisterFile(CONFIG_SIZE)
        self.file.mount(Type0Header)
        self.header = Type0Header(self.file.buffer)
        self.bars = Bars(name, bars or {}, self.file)
        self.blocks: dict[int, Capability] = {}
        self._taken: list[tuple[int, int, str]] = [(0, HEADER_SIZE, "the header")]
        self._extended: list[tuple[int, int, str]] = []
        self._last = _POINTER
        self._last_extended = 0
        self._watches: list[tuple[int, int, Callable[[], None]]] = []
        self._sticky = 0
        self._initial: bytes | None = None

    @classmethod
    def of_bytes(cls, name: str, raw: bytes, bars: Mapping[int, BarSpec] | None = None) -> ConfigSpace:
        """Exactly these bytes (a dump's); what a type 0 function lets software write is writable, the rest is read-only.

        A BAR whose size `bars` does not tell stays read-only. A reset leaves the reset values of the writable bits.
        """
        config = cls(name, bars)
        for link in walk(raw):
            kind = capability_block(raw, link.offset)
            if kind is None or link.offset + kind.size > min(len(raw), CONVENTIONAL_SIZE):
                continue
            config._mount(kind, link.offset)
        file, size = config.file, min(len(raw), CONFIG_SIZE)
        for i in range(size):
            writable = file.store[i] | file.clear[i] | file.set[i]
            file.buffer[i] = (raw[i] & ~writable) | (file.buffer[i] & writable)
            file.reserved[i] &= ~raw[i]  # writing back what was read is no news
        config.seal()
        file.buffer[:size] = raw[:size]
        return config

    def add(self, kind: type[C], *, offset: int | None = None) -> C:
        """Link a capability of `kind` at the end of the list and return its view; `offset` None: the next free place."""
        base = self._claim(kind.size, offset, capability_name(kind.id))
        view = self._mount(kind, base)
        self._link(kind.id, base)
        return view

    def add_opaque(self, number: int, body: bytes, *, offset: int | None = None) -> int:
        """Link a capability that is read-only bytes after its id and next pointer; returns where it starts."""
        base = self._claim(2 + len(body), offset, capability_name(number))
        self._store(base + 2, body)
        self._link(number, base)
        return base

    def add_extended(self, number: int, body: bytes, *, version: int = 1, offset: int | None = None) -> int:
        """Link an extended capability that is read-only bytes after its header DWORD; returns where it starts."""
        who, size = extended_capability_name(number), 4 + len(body)
        base = self._place(size, offset, who, self._extended, EXTENDED_BASE, CONFIG_SIZE)
        if base != EXTENDED_BASE and not self._extended:
            raise LayoutError(f"{self.name}: {who} at {base:#x}: the first one starts at {EXTENDED_BASE:#x}; move it there")
        self._extended.append((base, base + size, who))
        self._store(base, (number & 0xFFFF | (version & 0xF) << 16).to_bytes(4, "little") + body)
        if self._last_extended:
            previous = int.from_bytes(self.file.buffer[self._last_extended : self._last_extended + 4], "little")
            self._store(self._last_extended, (previous & 0xFFFFF | base << 20).to_bytes(4, "little"))
        self._last_extended = base
        return base

    def watch(self, offset: int, size: int, changed: Callable[[], None]) -> None:
        """Call `changed` after every software write that touches these bytes."""
        self._watches.append((offset, offset + size, changed))

    def seal(self) -> None:
        """What the bytes hold now is what a reset leaves."""
        self._initial = bytes(self.file.buffer)

    def reset(self, *, function_level: bool = False) -> None:
        """Back to the sealed bytes. No watch is told: whoever resets knows."""
        if self._initial is None:
            self.seal()
        assert self._initial is not None
        if function_level and self._sticky:
            kept = int.from_bytes(self.file.buffer, "little") & self._sticky
            image = int.from_bytes(self._initial, "little") & ~self._sticky | kept
            self.file.buffer[:] = image.to_bytes(CONFIG_SIZE, "little")
        else:
            self.file.buffer[:] = self._initial

    def read(self, offset: int, size: int) -> int:
        return self.file.read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        self.file.write(offset, size, value)
        for changed in [told for start, end, told in self._watches if offset < end and offset + size > start]:
            changed()

    def capabilities(self) -> Iterator[Link]:
        """The capability list, as software finds it."""
        return walk(self.file.buffer)

    def extended_capabilities(self) -> Iterator[Link]:
        """The extended capability list, as software finds it."""
        return walk_extended(self.file.buffer)

    def _mount(self, kind: type[C], base: int) -> C:
        self.file.mount(kind, base)
        view = kind(self.file.buffer, base)
        for register, bits in kind.survives_flr:
            self._sticky |= bits << 8 * (base + kind.placements[register].offset)
        self.blocks.setdefault(kind.id, view)
        return view

    def _claim(self, size: int, offset: int | None, who: str) -> int:
        base = self._place(size, offset, who, self._taken, HEADER_SIZE, CONVENTIONAL_SIZE)
        self._taken.append((base, base + size, who))
        return base

    def _place(self, size: int, offset: int | None, who: str, taken: list[tuple[int, int, str]], low: int, limit: int) -> int:
        base = self._gap(size, taken, low) if offset is None else offset
        at = f"{self.name}: {who} at {base:#x}"
        if base & 3:
            raise LayoutError(f"{at}: a capability starts on a DWORD; use {base & ~3:#x} or {(base + 3) & ~3:#x}")
        if base < low or base + size > limit:
            raise LayoutError(f"{at} with {size:#x} bytes leaves {low:#x} to {limit:#x}; move it or drop another capability")
        for start, end, other in taken:
            if base < end and base + size > start:
                raise LayoutError(f"{at} with {size:#x} bytes overlaps {other} at {start:#x} to {end:#x}; move one of them")
        return base

    def _gap(self, size: int, taken: list[tuple[int, int, str]], low: int) -> int:
        base = low
        for start, end, _ in sorted(taken):
            if base + size <= start:
                break
            base = max(base, (end + 3) & ~3)
        return base

    def _link(self, number: int, base: int) -> None:
        self._store(base, bytes((number, 0)))
        self._store(self._last, bytes((base,)))
        self._last = base + 1
        self.header.status.capabilities_list = 1

    def _store(self, offset: int, data: bytes) -> None:
        """Read-only bytes."""
        self.file.buffer[offset : offset + len(data)] = data
        self.file.reserved[offset : offset + len(data)] = bytes(len(data))

"""The registers behind one BAR: software's accesses of any width, told to the model register by register.

An access is cut at register boundaries and handled in address order, as PCIe's byte enables allow (PCIe 6.0 §2.2.5);
each register that it touches gets one hook call. Bytes outside every register read as the BAR's `empty`, ignore writes, and
are noted.

Limits: `words` needs a little-endian host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dirql.device.declare import BarDeclaration
from dirql.device.hooks import HookPoint
from dirql.layout import Block, Register, RegisterFile

__all__ = ["Note", "RegisterBar", "locate"]

Note = Callable[..., None]
Hook = Callable[..., Any]
MOST_PLANS = 1 << 16  # so that a hostile access pattern cannot grow the cache without end


def locate(block: type[Block], offset: int) -> tuple[tuple[str, ...], tuple[int, ...], type[Register], int] | None:
    """(path, array indices, register class, offset of its first byte) of the register that holds byte `offset`."""
    path: list[str] = []
    indices: list[int] = []
    base = 0
    kind: type[Block | Register] = block
    while issubclass(kind, Block):
        found = kind.find(offset - base)
        if found is None:
            return None
        placement, index = found
        path.append(placement.name)
        if placement.count > 1:
            indices.append(index)
        base += placement.offset + index * placement.stride
        kind = placement.kind
    return tuple(path), tuple(indices), kind, base


class _Part:
    """The piece of one access that falls on one register."""

    __slots__ = ("at", "first", "kind", "reading", "shift", "size", "written")

    def __init__(self, at: int, size: int, first: int, shift: int, kind: type[Register]) -> None:
        self.at, self.size, self.first, self.shift, self.kind = at, size, first, shift, kind
        self.written: Hook | None = None
        self.reading: Hook | None = None


class _Plan:
    """What an access of one offset and width touches; computed once."""

    __slots__ = ("exact", "holes", "parts", "quiet")

    def __init__(self, parts: list[_Part], holes: int) -> None:
        self.parts, self.holes = parts, holes
        self.quiet = not holes and all(p.reading is None for p in parts)
        self.exact = not holes and len(parts) == 1 and parts[0].size == parts[0].kind.size


class RegisterBar:
    """A BAR's bytes, its hooks and the dispatch between them; the `BarTarget` of an endpoint."""

    def __init__(self, name: str, facts: BarDeclaration, hooks: Mapping[HookPoint, Hook], note: Note) -> None:
        self.name, self.facts, self.hooks, self._note = name, facts, hooks, note
        self.file = RegisterFile(facts.block.size)
        self.file.on_reserved = self._reserved
        self.reset()
        self.view = facts.block(self.file.buffer)
        self._plans: dict[int, _Plan] = {}

    @property
    def words(self) -> memoryview:
        """The registers as 32-bit integers, for a model's hot path: the same bytes as the view, by offset // 4."""
        return memoryview(self.file.buffer).cast("I")

    def reset(self) -> None:
        """Every register to its reset value."""
        self.file.mount(self.facts.block)

    def read(self, offset: int, size: int) -> int:
        """Software reads."""
        plan = self._plans.get(offset << 4 | size)
        if plan is None:
            plan = self._plan(offset, size)
        if plan.quiet:
            return self.file.read(offset, size)
        parts = plan.parts
        if plan.exact and (reading := parts[0].reading) is not None:
            answer = reading()
            return self.file.read(offset, size) if answer is None else int(answer) & ((1 << 8 * size) - 1)
        if plan.holes:
            self._outside("read", offset, size)
        answers = [None if part.reading is None else part.reading() for part in parts]
        value = plan.holes & int.from_bytes(bytes([self.facts.empty]) * size, "little")
        for part, answer in zip(parts, answers, strict=True):
            piece = self.file.read(part.at, part.size)
            if answer is not None:
                piece = (int(answer) >> part.shift) & ((1 << 8 * part.size) - 1)
            value |= piece << 8 * (part.at - offset)
        return value

    def write(self, offset: int, size: int, value: int) -> None:
        """Software writes."""
        plan = self._plans.get(offset << 4 | size)
        if plan is None:
            plan = self._plan(offset, size)
        parts = plan.parts
        if plan.exact:
            self.file.write(offset, size, value)
            if (written := parts[0].written) is not None:
                written(value)
            return
        if plan.holes:
            self._outside("write", offset, size, value=value)
        for part in parts:
            piece = (value >> 8 * (part.at - offset)) & ((1 << 8 * part.size) - 1)
            before = int.from_bytes(self.file.buffer[part.first : part.first + part.kind.size], "little")
            self.file.write(part.at, part.size, piece)
            if part.written is not None:
                others = ~(((1 << 8 * part.size) - 1) << part.shift)
                kept = before & part.kind.mask("stores") & ~part.kind.mask("hidden") & others
                part.written(kept | piece << part.shift)

    def _plan(self, offset: int, size: int) -> _Plan:
        parts: list[_Part] = []
        holes = 0
        accepts = self.facts.accepts
        at = end = offset + size
        if accepts is None or accepts(offset, size):
            at = offset
        else:
            holes = (1 << 8 * size) - 1
        while at < end:
            found = locate(self.facts.block, at)
            if found is None:
                holes |= 0xFF << 8 * (at - offset)
                at += 1
                continue
            path, indices, kind, first = found
            part = _Part(at, min(end, first + kind.size) - at, first, 8 * (at - first), kind)
            part.written = self._bind(HookPoint(self.name, path, "written"), indices)
            part.reading = self._bind(HookPoint(self.name, path, "reading"), indices)
            parts.append(part)
            at += part.size
        plan = _Plan(parts, holes)
        if parts:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[offset << 4 | size] = plan
        return plan

    def _bind(self, point: HookPoint, indices: tuple[int, ...]) -> Hook | None:
        hook = self.hooks.get(point)
        return hook if hook is None or not indices else partial(hook, *indices)

    def _outside(self, done: str, offset: int, size: int, **detail: Any) -> None:
        self._note(f"{done} outside every register", bar=self.facts.index, offset=offset, size=size, **detail)

    def _reserved(self, offset: int, size: int, stray: int) -> None:
        found = locate(self.facts.block, offset)
        register = ".".join(found[0]) if found else "?"
        self._note("reserved bits written", bar=self.facts.index, offset=offset, size=size, register=register, bits=stray)

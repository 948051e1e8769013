"""What is known of registers and of the stack at one place of a function, before it runs.

A value is an integer (a constant, or an address of the image), or one of the kinds below; what is not there is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["VOLATILE", "Bytes", "Function", "Imported", "JumpOffset", "JumpTarget", "Stack", "State", "Table", "Value",
           "Variable"]  # fmt: skip

VOLATILE = ("rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5")
HOME = 0x20  # bytes above a call's stack pointer that the called function may write


class Stack(NamedTuple):
    """An address on the stack, from where RSP was on entry."""

    offset: int


class Table(NamedTuple):
    """The framework's function table and `offset` bytes; None where a computed index was added. `origin` is what loaded it."""

    offset: int | None
    origin: int


class Variable(NamedTuple):
    """The address of the variable that holds the function table's."""

    address: int


class Function(NamedTuple):
    """What was read through the function table."""

    number: int | None


class Imported(NamedTuple):
    """What the import slot at this address holds."""

    slot: int


class JumpOffset(NamedTuple):
    """A row of the jump table at this address."""

    table: int


class JumpTarget(NamedTuple):
    """A row of a jump table with the address added that its rows count from."""

    table: int
    base: int


class Bytes(NamedTuple):
    """Sixteen bytes of the image."""

    address: int


Value = int | Stack | Table | Variable | Function | Imported | JumpOffset | JumpTarget | Bytes


class State:
    """Registers by the whole one's name, stack slots by their offset; `names` are strings that RtlInitUnicodeString was given
    for a UNICODE_STRING on the stack."""

    __slots__ = ("names", "registers", "slots")

    def __init__(self, registers: dict[str, Value], slots: dict[int, Value], names: dict[int, int]) -> None:
        self.registers, self.slots, self.names = registers, slots, names

    @classmethod
    def on_entry(cls) -> State:
        """Nothing but the stack pointer, and a frame pointer that may be set already where a search starts in the middle."""
        return cls({"rsp": Stack(0), "rbp": Stack(1 << 40)}, {}, {})

    def copy(self) -> State:
        """Another one that goes its own way."""
        return State(dict(self.registers), dict(self.slots), dict(self.names))

    def joined(self, other: State, same: set[int]) -> bool:
        """Keep only what `other` knows too; True when something went. Tables of two origins go on as one: the other origin
        is put into `same`."""
        pairs = (self.registers, other.registers), (self.slots, other.slots), (self.names, other.names)
        return sum(_join(mine, theirs, same) for mine, theirs in pairs) > 0  # all three, whatever the first says

    def holds_table(self) -> bool:
        """True while something leads to the function table."""
        known = (*self.registers.values(), *self.slots.values())
        return any(isinstance(value, Table | Variable) for value in known)

    def called(self) -> None:
        """A call has returned: what the called function may change is not known any more."""
        for name in VOLATILE:
            self.registers.pop(name, None)
        top = self.registers.get("rsp")
        if isinstance(top, Stack):
            self.forget(range(top.offset, top.offset + HOME))
        else:
            self.slots.clear()

    def forget(self, slots: Iterable[int]) -> None:
        """Stack slots that something else may have written."""
        for slot in slots:
            self.slots.pop(slot, None)
            self.names.pop(slot, None)


def _join(mine: dict[Any, Any], theirs: dict[Any, Any], same: set[int]) -> bool:
    changed = False
    for key, value in list(mine.items()):
        found = theirs.get(key)
        if found == value:
            continue
        if isinstance(found, Table) and isinstance(value, Table):
            same.add(found.origin)
            if found.offset == value.offset or value.offset is None:
                continue
            mine[key] = Table(None, value.origin)
        else:
            del mine[key]
        changed = True
    return changed

"""The frames on a driver's stack, from the innermost out: through every call into the driver that has not come back yet.

A call of the driver that was made from within a routine which the driver had called continues in that routine's caller;
one that interrupted whatever ran on the processor's stack does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirql.hosts.sys.processor import Activation
from dirql.hosts.sys.unwind import Frame, LoadedTable, Unwound, virtual_unwind
from dirql.hosts.sys.unwind_info import UnwindError

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Frames", "Step"]

MOST = 256  # frames of one call


@dataclass(frozen=True)
class Step:
    """A frame of `activation`, and what undoing it tells; `unwound` is None where that cannot be done."""

    activation: Activation
    frame: Frame
    unwound: Unwound | None
    first: bool  # the innermost of its activation


class Frames:
    """`guest.part(Frames)`: looks at stacks."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._tables: dict[int, LoadedTable] = {}

    def here(self, activation: Activation) -> Frame:
        """Where `activation` stands: at an instruction, or at the stub of the routine that it called."""
        guest = self._guest
        registers, xmm, rip = guest.processor.snapshot(activation)
        index = guest.stubs.index(rip - 1)
        return Frame(guest.stubs.base + 16 * index if index is not None else rip, registers, xmm)

    def walk(self, activation: Activation, frame: Frame | None = None) -> Iterator[Step]:
        """From `frame` (by default where it stands) of `activation` to the outermost call on the same stack."""
        current: Activation | None = activation
        while current is not None:
            yield from self._of(current, frame or self.here(current))
            frame = None
            current = None if current.interrupts else current.outer

    def _of(self, activation: Activation, frame: Frame) -> Iterator[Step]:
        guest, tables = self._guest, self.tables()
        for number in range(MOST):
            if frame.rip == guest.stubs.returns:
                return
            try:
                unwound = virtual_unwind(frame, tables, guest.space.peek)
            except UnwindError:
                unwound = None
            known = not number or any(table.holds(frame.rip) for table in tables)
            if unwound is None or not known or (number and unwound.caller.rsp <= frame.rsp):
                yield Step(activation, frame, None, not number)
                return
            yield Step(activation, frame, unwound, not number)
            frame = unwound.caller

    def tables(self) -> list[LoadedTable]:
        """The function table of every image."""
        for loaded in self._guest.images:
            if loaded.base not in self._tables:
                directory = loaded.image.exceptions
                rva, size = (directory.rva, directory.size) if directory is not None else (0, 0)
                self._tables[loaded.base] = LoadedTable(loaded.base, loaded.image.size, rva, size)
        return list(self._tables.values())

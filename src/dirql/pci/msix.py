"""MSI-X: a table of messages in a BAR, a mask bit and a Pending bit for each (PCIe 6.0 §7.7.2, §6.1.4).

Model choices, where the standard leaves it open: an access to the table or the Pending Bit Array that is no aligned DWORD
or QWORD is ignored and reads all ones; an entry that is written while unmasked takes effect at once; Pending bits survive
MSI-X Enable and Bus Master Enable going to 0 and are sent when both are 1 again; address and data reset to 0.

Limits: no Steering Tags (TPH) in Vector Control. The advice to keep table and Pending Bit Array in pages of their own (§7.7.2,
4 KB, better 8 KB) is not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import ClassVar

from dirql.layout import RW, Block, Register, RegisterFile, Word, at
from dirql.pci.bar import Note, all_ones
from dirql.pci.capabilities import MessageAddress, MsixCapability
from dirql.pci.function import Function, Message
from dirql.pci.spec import ALL_ONES, MSIX_ENTRY_SIZE, pba_size
from dirql.pci.vectors import Vectors

__all__ = ["Msix", "PendingBitArray", "TableEntry", "VectorControl", "VectorTable"]

_ENTRY = Struct("<IIII")


# fmt: off
class VectorControl(Register, width=32):
    """The last DWORD of a table entry (§7.7.2.7); reserved bits read 0 here."""

    masked = RW[0](reset=1)


class TableEntry(Block, size=MSIX_ENTRY_SIZE):
    """One entry of the MSI-X table (§7.7.2.5 to §7.7.2.7)."""

    address       = at(0x0, MessageAddress)
    upper_address = at(0x4, Word)
    data          = at(0x8, Word)
    control       = at(0xC, VectorControl)
# fmt: on


_MASKED = VectorControl.fields["masked"].mask


def _proper(offset: int, size: int, end: int) -> bool:
    return size in (4, 8) and not offset % size and 0 <= offset <= end - size


class VectorTable:
    """The MSI-X table as a BAR target; tells `written` which entry a write has touched."""

    def __init__(self, vectors: int, written: Callable[[int, Message], None], note: Note) -> None:
        self.size = vectors * MSIX_ENTRY_SIZE
        self._written, self._note = written, note
        self._file = RegisterFile(self.size)
        self._file.store[:] = TableEntry.masks["store"] * vectors
        self._file.reserved[:] = TableEntry.masks["reserved"] * vectors
        self._file.on_reserved = self._reserved
        self._vectors = vectors
        self.reset()

    def reset(self) -> None:
        self._file.buffer[:] = TableEntry.image * self._vectors

    def entry(self, vector: int) -> TableEntry:
        """The entry as hardware sees it; after a change by this way call `Msix.reload`."""
        return TableEntry(self._file.buffer, vector * MSIX_ENTRY_SIZE)

    def load(self, vector: int) -> tuple[Message, bool]:
        """The entry's message, and whether its mask bit is set."""
        low, high, data, control = _ENTRY.unpack_from(self._file.buffer, vector * MSIX_ENTRY_SIZE)
        return Message(high << 32 | low, data), bool(control & _MASKED)

    def read(self, offset: int, size: int) -> int:
        if not _proper(offset, size, self.size):
            self._note("MSI-X table read that is no aligned DWORD or QWORD", offset=offset, size=size)
            return all_ones(offset, size)
        return self._file.read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if not _proper(offset, size, self.size):
            self._note("MSI-X table write that is no aligned DWORD or QWORD", offset=offset, size=size, value=value)
            return
        vector = offset // MSIX_ENTRY_SIZE
        before, _ = self.load(vector)
        self._file.write(offset, size, value)
        self._written(vector, before)

    def _reserved(self, offset: int, size: int, bits: int) -> None:
        self._note("reserved MSI-X table bits written", offset=offset, size=size, bits=bits)


class PendingBitArray:
    """The Pending bits as a BAR target: bit k of QWORD n is vector 64n + k; software only reads them (§7.7.2.8)."""

    def __init__(self, vectors: int, bits: Callable[[], int], note: Note) -> None:
        self.size = pba_size(vectors)
        self._bits, self._note = bits, note

    def read(self, offset: int, size: int) -> int:
        if not _proper(offset, size, self.size):
            self._note("MSI-X PBA read that is no aligned DWORD or QWORD", offset=offset, size=size)
            return all_ones(offset, size)
        return self._bits() >> 8 * offset & ALL_ONES[size]

    def write(self, offset: int, size: int, value: int) -> None:
        self._note("MSI-X PBA written, which is undefined", offset=offset, size=size, value=value)


class Msix(Vectors):
    """The MSI-X side of a function; `table` and `pba` go into its BARs."""

    what: ClassVar[str] = "MSI-X"

    def __init__(self, owner: Function, capability: MsixCapability, note: Note) -> None:
        self.capability = capability
        self._control = capability.control
        vectors = self._control.table_size + 1
        super().__init__(owner, vectors)
        self._note = note
        self.table = VectorTable(vectors, self._entry_written, note)
        self.pba = PendingBitArray(vectors, lambda: self._pending, note)

    @property
    def enabled(self) -> bool:
        return bool(self._control.enable)

    @property
    def function_mask(self) -> bool:
        return bool(self._control.function_mask)

    def masked(self, vector: int) -> bool:
        return self.function_mask or self.table.load(self._fate(vector).entry)[1]

    def message(self, vector: int) -> Message:
        """What the entry holds, masked or not."""
        return self.table.load(self._fate(vector).entry)[0]

    def reload(self) -> None:
        """Every entry changed otherwise than by software's writes (a restored snapshot): look at all of them again."""
        for vector in range(len(self.fates)):
            self._take(vector)
        self.settle()

    def reset(self) -> None:
        """Every entry is masked, nothing is pending; the caller resets Message Control."""
        super().reset()
        self.table.reset()
        self._ready[:] = self._shut
        self.live = self._shut

    def _take(self, vector: int) -> Message:
        message, masked = self.table.load(vector)
        self._ready[vector] = None if masked else message
        return message

    def _entry_written(self, vector: int, before: Message) -> None:
        unmasked = self._ready[vector] is not None and not self.function_mask
        if self._take(vector) != before and unmasked:
            self._note("MSI-X table entry changed while unmasked, which is undefined", vector=vector)
        self.settle()

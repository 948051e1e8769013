"""The bus driver's interfaces that drivers query for: GUID_MSIX_TABLE_CONFIG_INTERFACE and GUID_BUS_INTERFACE_STANDARD
(windows-driver-docs-ddi, pci_msix_set_entry, pci_msix_maskunmask_entry, bus_interface_standard).

The first GUID's value and GetTableEntry, GetTableSize are model choices: the sources at hand do not show them.

Limits: TranslateBusAddress and GetDmaAdapter of the standard interface are not modelled; the expansion ROM reads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

from dirql.ntstatus import STATUS_INVALID_PARAMETER
from dirql.pci.function import Function
from dirql.pci.spec import CONFIG_SIZE
from dirql.pnp.message_table import MsixTable

__all__ = [
    "GUID_BUS_INTERFACE_STANDARD", "GUID_MSIX_TABLE_CONFIG_INTERFACE", "PCI_WHICHSPACE_CONFIG", "BusInterfaceStandard",
    "MsixTableConfig",
]  # fmt: skip

GUID_MSIX_TABLE_CONFIG_INTERFACE: Final = UUID("1a6a460b-194f-455d-b34b-b84c5b05712b")
GUID_BUS_INTERFACE_STANDARD: Final = UUID("496b8280-6f25-11d0-beaf-08002be2092f")
PCI_WHICHSPACE_CONFIG: Final = 0


class MsixTableConfig:
    """Callable at IRQL <= DIRQL. Returns NTSTATUS; while the device is stopped there is no table to configure."""

    def __init__(self, table: Callable[[], MsixTable | None]) -> None:
        self._table = table

    def set_table_entry(self, entry: int, message: int) -> int:
        """SetTableEntry: from now on `entry` raises `message`."""
        table = self._table()
        return STATUS_INVALID_PARAMETER if table is None else table.aim(entry, message)

    def mask_table_entry(self, entry: int) -> int:
        """MaskTableEntry."""
        table = self._table()
        return STATUS_INVALID_PARAMETER if table is None else table.mask(entry, True)

    def unmask_table_entry(self, entry: int) -> int:
        """UnmaskTableEntry; the entry stays masked while its message is not connected (model choice)."""
        table = self._table()
        return STATUS_INVALID_PARAMETER if table is None else table.mask(entry, False)

    def get_table_entry(self, entry: int) -> tuple[int, bool] | None:
        """(message, masked by the driver), or None for a bad entry."""
        table = self._table()
        if table is None or not 0 <= entry < table.entries:
            return None
        return table.message_of[entry], table.masked_by_driver[entry]

    def get_table_size(self) -> int:
        """Entries of the table, 0 while the device is stopped."""
        table = self._table()
        return 0 if table is None else table.entries


class BusInterfaceStandard:
    """GetBusData and SetBusData at IRQL <= DISPATCH_LEVEL; each returns how many bytes it moved."""

    def __init__(self, function: Function, about_to_write: Callable[[int, int, int], None] | None = None) -> None:
        self._function, self._about_to_write = function, about_to_write

    def get_bus_data(self, data_type: int, offset: int, length: int) -> bytes:
        """The bytes of configuration space from `offset` on; fewer past its end, none for another space."""
        parts = (self._function.config_read(at, size).to_bytes(size, "little") for at, size in _cycles(data_type, offset, length))
        return b"".join(parts)

    def set_bus_data(self, data_type: int, offset: int, buffer: bytes) -> int:
        """Writes `buffer` to configuration space from `offset` on."""
        done = 0
        for at, size in _cycles(data_type, offset, len(buffer)):
            value = int.from_bytes(buffer[done : done + size], "little")
            if self._about_to_write is not None:
                self._about_to_write(at, size, value)
            self._function.config_write(at, size, value)
            done += size
        return done


def _cycles(data_type: int, offset: int, length: int) -> Iterator[tuple[int, int]]:
    """Aligned configuration cycles of 4, 2 or 1 bytes that cover a range."""
    if data_type != PCI_WHICHSPACE_CONFIG or offset < 0:
        return
    end = min(offset + length, CONFIG_SIZE)
    while offset < end:
        size = next(size for size in (4, 2, 1) if offset % size == 0 and offset + size <= end)
        yield offset, size
        offset += size

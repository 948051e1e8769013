"""The bus driver's interfaces as structures of functions: what WdfFdoQueryForInterface fills in.

The functions are stubs over the same objects as a Python driver gets (`dirql.pnp.interfaces`); Context is theirs. An interface
whose device is gone stays callable.
Model choices: a Size below the interface's is STATUS_NOT_SUPPORTED, as for one that nobody has; the version has to be 1.

Limits: TranslateBusAddress and GetDmaAdapter are loud.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, VOID, Handle, Out, Thunk
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.nt_structs import BUS_INTERFACE_STANDARD, PCI_MSIX_TABLE_CONFIG_INTERFACE
from dirql.hosts.sys.structs import Struct
from dirql.hosts.sys.stubs import Unmodelled
from dirql.ntstatus import STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from dirql.pnp.interfaces import BusInterfaceStandard, MsixTableConfig

__all__ = ["BusInterfaces"]

VERSION = 1
LEAST_MSIX = 0x38  # without GetTableEntry and GetTableSize


def InterfaceReference(guest: Guest, context: PVOID) -> VOID:
    """Nothing is counted."""


def InterfaceDereference(guest: Guest, context: PVOID) -> VOID:
    """Nothing is counted."""


def GetBusData(
    guest: Guest, bus: Handle[BusInterfaceStandard], data_type: ULONG, buffer: PVOID, offset: ULONG, length: ULONG
) -> ULONG:
    """How many bytes of configuration space were read."""
    data = bus.get_bus_data(data_type, offset, length)
    guest.space.write(buffer, data)
    return len(data)


def SetBusData(
    guest: Guest, bus: Handle[BusInterfaceStandard], data_type: ULONG, buffer: PVOID, offset: ULONG, length: ULONG
) -> ULONG:
    """How many bytes of configuration space were written."""
    return bus.set_bus_data(data_type, offset, guest.space.read(buffer, min(length, 0x1000)))


def SetTableEntry(guest: Guest, table: Handle[MsixTableConfig], entry: ULONG, message: ULONG) -> NTSTATUS:
    """SetTableEntry."""
    return table.set_table_entry(entry, message)


def MaskTableEntry(guest: Guest, table: Handle[MsixTableConfig], entry: ULONG) -> NTSTATUS:
    """MaskTableEntry."""
    return table.mask_table_entry(entry)


def UnmaskTableEntry(guest: Guest, table: Handle[MsixTableConfig], entry: ULONG) -> NTSTATUS:
    """UnmaskTableEntry."""
    return table.unmask_table_entry(entry)


def GetTableEntry(
    guest: Guest, table: Handle[MsixTableConfig], entry: ULONG, message: Out[ULONG] | None, masked: Out[BOOLEAN] | None
) -> NTSTATUS:
    """GetTableEntry."""
    found = table.get_table_entry(entry)
    if found is None:
        return STATUS_INVALID_PARAMETER
    if message is not None:
        message(found[0])
    if masked is not None:
        masked(found[1])
    return STATUS_SUCCESS


def GetTableSize(guest: Guest, table: Handle[MsixTableConfig]) -> ULONG:
    """GetTableSize."""
    return table.get_table_size()


COMMON = (InterfaceReference, InterfaceDereference)
KINDS: dict[type, tuple[type[Struct], int, tuple[Callable[..., Any], ...], tuple[str, ...]]] = {
    BusInterfaceStandard: (BUS_INTERFACE_STANDARD, BUS_INTERFACE_STANDARD.size, (SetBusData, GetBusData),
                           ("TranslateBusAddress", "GetDmaAdapter")),
    MsixTableConfig: (PCI_MSIX_TABLE_CONFIG_INTERFACE, LEAST_MSIX,
                      (SetTableEntry, MaskTableEntry, UnmaskTableEntry, GetTableEntry, GetTableSize), ()),
}  # fmt: skip


class BusInterfaces:
    """A component of the guest: the interfaces that were handed out, which drivers hold by their Context."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._handed_out: list[Any] = []

    def fits(self, interface: Any, size: int, version: int) -> bool:
        """True if the driver's structure can take the interface."""
        kind = KINDS.get(type(interface))
        return kind is not None and size >= kind[1] and version == VERSION

    def write(self, interface: Any, address: int, size: int) -> None:
        """The interface at `address`, as much of it as `size` bytes hold."""
        guest = self.guest
        structure, _, functions, loud = KINDS[type(interface)]
        self._handed_out.append(interface)
        made = structure.new(Size=min(size, structure.size), Version=VERSION, Context=guest.handle(interface))
        for function in (*COMMON, *functions):
            thunk = Thunk("pci", function, 0)
            setattr(made, function.__name__, guest.stubs.address(f"pci!{function.__name__}", cast("Any", thunk)))
        for name in loud:
            setattr(made, name, guest.stubs.address(f"pci!{name}", Unmodelled("pci.sys", name)))
        guest.space.write(address, bytes(made)[:size])

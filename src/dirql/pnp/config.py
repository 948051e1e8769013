"""Reads and writes of a function's configuration space by the standard's register names (PCIe 6.0 §7.5, §7.7).

Limits: a capability list with a loop or a pointer into the header ends there; `dirql inspect` is who complains about it.
"""

from __future__ import annotations

from typing import Any

from dirql.layout import Register
from dirql.pci.capabilities import (
    CapabilityHeader,
    MsiControl,
    MsixCapability,
    MsixControl,
    PowerManagementCapability,
    TableLocation,
)
from dirql.pci.function import Function
from dirql.pci.header import Command, Status, Type0Header
from dirql.pci.spec import CONVENTIONAL_SIZE, HEADER_SIZE, CapabilityId

__all__ = [
    "MsiLocation", "MsixLocation", "capabilities", "message_capabilities", "msi", "msix", "power_management", "read", "write",
    "write_command",
]  # fmt: skip


def read(function: Function, kind: type[Register], offset: int) -> Any:
    """A copy of one register, with its fields by name."""
    size = 4 if kind.size == 3 else kind.size
    return kind(bytearray(function.config_read(offset, size).to_bytes(size, "little")), 0)


def write(function: Function, register: Register, offset: int) -> None:
    """Writes a register that `read` gave and somebody edited."""
    function.config_write(offset, register.size, register.value)


def write_command(function: Function, *, io: bool, memory: bool, master: bool, interrupt_disable: bool) -> None:
    """Sets the four bits of Command that PnP decides; the others stay."""
    command = read(function, Command, Type0Header.command.offset)
    command.io_space, command.memory_space, command.bus_master = io, memory, master
    command.interrupt_disable = interrupt_disable
    write(function, command, Type0Header.command.offset)


def capabilities(function: Function) -> dict[int, int]:
    """Capability id → offset, the first of each id, in the list's order."""
    found: dict[int, int] = {}
    if not read(function, Status, Type0Header.status.offset).capabilities_list:
        return found
    seen: set[int] = set()
    at = function.config_read(Type0Header.capabilities_pointer.offset, 1) & ~3
    while HEADER_SIZE <= at < CONVENTIONAL_SIZE and at not in seen:
        seen.add(at)
        header = read(function, CapabilityHeader, at)
        found.setdefault(header.id, at)
        at = header.next & ~3
    return found


class MsixLocation:
    """Where a function's MSI-X registers are."""

    def __init__(self, function: Function, offset: int) -> None:
        self.control = offset + MsixCapability.control.offset
        self.entries = read(function, MsixControl, self.control).table_size + 1
        table = read(function, TableLocation, offset + MsixCapability.table.offset)
        self.bar, self.table = table.bir, table.offset
        pba = read(function, TableLocation, offset + MsixCapability.pba.offset)
        self.pba_bar, self.pba = pba.bir, pba.offset


class MsiLocation:
    """Where a function's MSI registers are: the form of the capability moves them (PCIe 6.0 §7.7.1)."""

    def __init__(self, function: Function, offset: int) -> None:
        self.control = offset + 2
        control = read(function, MsiControl, self.control)
        self.capable = 1 << min(control.multiple_message_capable, 5)
        self.address = offset + 4
        self.upper = offset + 8 if control.address64 else None
        self.data = offset + (0x0C if control.address64 else 0x08)
        self.mask = self.data + 4 if control.per_vector_mask else None


def msix(function: Function) -> MsixLocation | None:
    """The MSI-X registers, if the function has them."""
    offset = capabilities(function).get(CapabilityId.MSI_X)
    return None if offset is None else MsixLocation(function, offset)


def msi(function: Function) -> MsiLocation | None:
    """The MSI registers, if the function has them."""
    offset = capabilities(function).get(CapabilityId.MSI)
    return None if offset is None else MsiLocation(function, offset)


def message_capabilities(function: Function) -> list[tuple[str, int, int]]:
    """(name, offset, size) of the MSI and the MSI-X capability (PCIe 6.0 §7.7.1, §7.7.2)."""
    found, at = [], capabilities(function)
    if (offset := at.get(CapabilityId.MSI)) is not None:
        control = read(function, MsiControl, offset + 2)
        found.append(("the MSI capability", offset, 10 + 4 * control.address64 + 10 * control.per_vector_mask))
    if (offset := at.get(CapabilityId.MSI_X)) is not None:
        found.append(("the MSI-X capability", offset, MsixCapability.size))
    return found


def power_management(function: Function) -> int | None:
    """The offset of PMCSR, if the function has one."""
    offset = capabilities(function).get(CapabilityId.POWER_MANAGEMENT)
    return None if offset is None else offset + PowerManagementCapability.control.offset

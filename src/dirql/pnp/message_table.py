"""pci.sys' hand on a function's message registers: which table entry raises which OS message, masked or not
(PCIe 6.0 §7.7.1, §7.7.2; windows-driver-docs, "Dynamically Configuring MSI-X").

MSI-X: entry i raises message i, every entry beyond the grant message 0. Enable is set at START under Function Mask, with every
entry masked; entries are unmasked when their message is connected (model choice). An entry that the driver masks through its
interface stays masked across that.

MSI: address and data are written at START; Enable is set at the first connect and cleared after the last disconnect, and
single messages are masked in between where the function can (model choice). Messages beyond those connected reach nobody.

Limits: reserved bits of Vector Control are preserved as they were found at START.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dirql.ntstatus import STATUS_DEVICE_CONFIGURATION_ERROR, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, StatusError
from dirql.pci.capabilities import MsiControl, MsixControl
from dirql.pci.function import Function, Message
from dirql.pci.spec import MSIX_ENTRY_SIZE, pba_size
from dirql.pnp import config
from dirql.pnp.grant import MessageGrant

__all__ = ["Compose", "MessageRegisters", "MsiRegisters", "MsixTable", "table_and_pba"]

Compose = Callable[[int, int, bool], Message]
MASKED = 1
# fmt: off
LOWER, UPPER, DATA, CONTROL = 0x0, 0x4, 0x8, 0xC       # of a table entry
# fmt: on


def table_and_pba(function: Function) -> tuple[tuple[int, int, int, str], ...]:
    """(BAR, start, end, what) of the MSI-X registers in memory; nothing without MSI-X."""
    at = config.msix(function)
    if at is None:
        return ()
    table, pba = at.table + at.entries * MSIX_ENTRY_SIZE, at.pba + pba_size(at.entries)
    return (at.bar, at.table, table, "the MSI-X table"), (at.pba_bar, at.pba, pba, "the MSI-X Pending Bit Array")


class MessageRegisters(Protocol):
    """MSI or MSI-X of a started function. `reachable` is False where its registers do not answer (D3hot, removed)."""

    reachable: bool

    def program(self) -> None:
        """Writes everything, at START and after the registers were lost."""

    def set_connected(self, message: int, connected: bool) -> None:
        """An interrupt object of `message` was connected or disconnected; out of reach this is only remembered."""

    def disable(self) -> None:
        """At STOP."""

    def lost(self, function: Function) -> str:
        """What `function`, the registers themselves, does not hold any more of what was programmed, if that kept back a message;
        empty where all is well."""


class MsixTable:
    """The MSI-X table of one function and what is known of each entry."""

    def __init__(self, function: Function, messages: tuple[MessageGrant, ...], compose: Compose) -> None:
        location = config.msix(function)
        if location is None:
            raise StatusError(STATUS_DEVICE_CONFIGURATION_ERROR, f"{function.name} has no MSI-X; grant it MSI or a line")
        end, size = location.table + location.entries * MSIX_ENTRY_SIZE, function.bar_size(location.bar)
        if end > size:
            raise StatusError(
                STATUS_DEVICE_CONFIGURATION_ERROR,
                f"{function.name}: the MSI-X table ends at {end:#x}, past BAR {location.bar} of {size:#x} bytes",
            )
        self._function, self._location = function, location
        self._messages = [compose(m.targets, m.vector, m.lowest_priority) for m in messages]
        self.message_of = [entry if entry < len(messages) else 0 for entry in range(location.entries)]
        self.beyond = set(range(len(messages), location.entries))  # entries that nobody aimed: message 0 is what they raise
        self.masked_by_driver = [False] * location.entries
        self._connected = [False] * len(messages)
        self._reserved: list[int] | None = None
        self.reachable = True

    @property
    def entries(self) -> int:
        """Table entries."""
        return len(self.message_of)

    def program(self) -> None:
        """Enable under Function Mask, write and mask every entry, then lift Function Mask and unmask what is connected."""
        self._control(enable=1, function_mask=1)
        if self._reserved is None:
            self._reserved = [self._read(entry, CONTROL) & ~MASKED for entry in range(self.entries)]
        for entry in range(self.entries):
            self._write(entry, CONTROL, self._reserved[entry] | MASKED)
            self._aim(entry)
        self._control(enable=1, function_mask=0)
        for entry in range(self.entries):
            if not self._masked(entry):
                self._write(entry, CONTROL, self._reserved[entry])

    def set_connected(self, message: int, connected: bool) -> None:
        """Unmasks or masks every entry that raises `message`."""
        self._connected[message] = connected
        for entry, raises in enumerate(self.message_of):
            if raises == message:
                self._settle(entry)

    def disable(self) -> None:
        """Masks every entry and clears Enable."""
        for entry in range(self.entries):
            self._put_control(entry, MASKED)
        self._control(enable=0, function_mask=0)

    def aim(self, entry: int, message: int) -> int:
        """SetTableEntry: `entry` raises `message` from now on. It is masked while it changes (PCIe 6.0 §7.7.2)."""
        if not 0 <= entry < self.entries or not 0 <= message < len(self._messages):
            return STATUS_INVALID_PARAMETER
        self.message_of[entry] = message
        self.beyond.discard(entry)
        if self.reachable:
            self._put_control(entry, MASKED)
            self._aim(entry)
            self._settle(entry)
        return STATUS_SUCCESS

    def mask(self, entry: int, masked: bool) -> int:
        """MaskTableEntry, UnmaskTableEntry."""
        if not 0 <= entry < self.entries:
            return STATUS_INVALID_PARAMETER
        self.masked_by_driver[entry] = masked
        self._settle(entry)
        return STATUS_SUCCESS

    def lost(self, function: Function) -> str:
        """Enable, Function Mask, and the entries that may speak and could not."""
        if not self.reachable:
            return ""
        suspects = [e for e, fate in enumerate(function.fates) if (fate.dropped or fate.latched) and not self._masked(e)]
        if not suspects:
            return ""
        control = config.read(function, MsixControl, self._location.control)
        if not control.enable or control.function_mask:
            return "MSI-X Enable is 0" if not control.enable else "Function Mask is set"
        for entry in suspects:
            at = self._location.table + entry * MSIX_ENTRY_SIZE
            fields = (LOWER, UPPER, DATA, CONTROL)
            low, high, data, mask = (function.bar_read(self._location.bar, at + field, 4) for field in fields)
            if mask & MASKED:
                return f"table entry {entry} is masked"
            if (high << 32 | low, data) != self._messages[self.message_of[entry]]:
                return f"table entry {entry} holds the message {high << 32 | low:#x}, {data:#x}"
        return ""

    def _masked(self, entry: int) -> bool:
        return self.masked_by_driver[entry] or not self._connected[self.message_of[entry]]

    def _settle(self, entry: int) -> None:
        if self.reachable:
            self._put_control(entry, MASKED if self._masked(entry) else 0)

    def _aim(self, entry: int) -> None:
        address, data = self._messages[self.message_of[entry]]
        self._write(entry, LOWER, address & 0xFFFF_FFFF)
        self._write(entry, UPPER, address >> 32)
        self._write(entry, DATA, data)

    def _put_control(self, entry: int, mask: int) -> None:
        self._write(entry, CONTROL, (self._reserved[entry] if self._reserved else 0) | mask)

    def _control(self, *, enable: int, function_mask: int) -> None:
        control = config.read(self._function, MsixControl, self._location.control)
        control.enable, control.function_mask = enable, function_mask
        config.write(self._function, control, self._location.control)

    def _read(self, entry: int, field: int) -> int:
        return self._function.bar_read(self._location.bar, self._location.table + entry * MSIX_ENTRY_SIZE + field, 4)

    def _write(self, entry: int, field: int, value: int) -> None:
        self._function.bar_write(self._location.bar, self._location.table + entry * MSIX_ENTRY_SIZE + field, 4, value)


class MsiRegisters:
    """The MSI capability of one function."""

    def __init__(self, function: Function, messages: tuple[MessageGrant, ...], compose: Compose) -> None:
        location = config.msi(function)
        if location is None:
            raise StatusError(STATUS_DEVICE_CONFIGURATION_ERROR, f"{function.name} has no MSI; grant it MSI-X or a line")
        if len(messages) > location.capable:
            raise StatusError(
                STATUS_DEVICE_CONFIGURATION_ERROR,
                f"{function.name}: {len(messages)} MSI messages are granted, and it can send {location.capable}",
            )
        first = messages[0]
        self._function, self._location, self._count = function, location, len(messages)
        self._message = compose(first.targets, first.vector, first.lowest_priority)
        self._connected = 0
        self.reachable = True

    def program(self) -> None:
        """Address, data, how many, and every message masked that is not connected."""
        function, at = self._function, self._location
        address, data = self._message
        self._control(enabled=False)
        function.config_write(at.address, 4, address & 0xFFFF_FFFF)
        if at.upper is not None:
            function.config_write(at.upper, 4, address >> 32)
        function.config_write(at.data, 2, data & 0xFFFF)
        self._settle()

    def set_connected(self, message: int, connected: bool) -> None:
        """Masks or unmasks the message; the first one connected enables MSI, the last one disconnected disables it."""
        if connected:
            self._connected |= 1 << message
        else:
            self._connected &= ~(1 << message)
        if self.reachable:
            self._settle()

    def disable(self) -> None:
        """Clears Enable."""
        self._connected = 0
        self._settle()

    def lost(self, function: Function) -> str:
        """Enable, address and data, once a message was kept back."""
        if not self.reachable or not self._connected or not any(fate.dropped for fate in function.fates):
            return ""
        at, (address, data) = self._location, self._message
        if not config.read(function, MsiControl, at.control).enable:
            return "MSI Enable is 0"
        held = function.config_read(at.address, 4) | (function.config_read(at.upper, 4) << 32 if at.upper is not None else 0)
        if (held, function.config_read(at.data, 2)) != (address, data & 0xFFFF):
            return f"the capability holds the message {held:#x}, {function.config_read(at.data, 2):#x}"
        return ""

    def _settle(self) -> None:
        if self._location.mask is not None:
            self._function.config_write(self._location.mask, 4, ~self._connected & ((1 << self._count) - 1))
        self._control(enabled=bool(self._connected))

    def _control(self, *, enabled: bool) -> None:
        control = config.read(self._function, MsiControl, self._location.control)
        control.enable, control.multiple_message_enable = int(enabled), self._count.bit_length() - 1
        config.write(self._function, control, self._location.control)

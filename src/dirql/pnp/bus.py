"""pci.sys' part of a device's life: BARs, Command, message registers, power and configuration space across Dx
(PCIe 6.0 §7.5, §5.3.1; windows-driver-docs, "Dynamically Configuring MSI-X").

Model choices: memory, I/O and bus mastering are all enabled at START and all disabled at STOP and in Dx; Interrupt Disable is
set while messages are granted; configuration space and the table are restored before the driver's D0Entry.

Limits: no slots, no ASPM, no wake; D1 and D2 are treated as D3hot when the function has no power management.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from dirql.ntstatus import STATUS_DEVICE_CONFIGURATION_ERROR, StatusError
from dirql.pci.capabilities import ExpressCapabilities, ExpressCapability, PowerManagementControl
from dirql.pci.function import Function
from dirql.pci.header import Type0Header
from dirql.pci.spec import BAR_OFFSET, CapabilityId
from dirql.pnp import config
from dirql.pnp.grant import Grant
from dirql.pnp.interfaces import (
    GUID_BUS_INTERFACE_STANDARD,
    GUID_MSIX_TABLE_CONFIG_INTERFACE,
    BusInterfaceStandard,
    MsixTableConfig,
)
from dirql.pnp.message_table import Compose, MessageRegisters, MsiRegisters, MsixTable
from dirql.pnp.requirements import BarInfo, discover_bars

__all__ = ["BusDevice", "PciBus"]

D0, D3 = 0, 3
_SAVED_EXPRESS = ("device_control", "link_control", "device_control2", "link_control2")


class PciBus:
    """The bus: `compose` makes the machine's message for (targets, vector, lowest priority); `complain` is told of what a driver
    does to it, a rule and a sentence."""

    def __init__(self, compose: Compose, complain: Callable[[str, str], None] = lambda rule, sentence: None) -> None:
        self.compose, self.complain = compose, complain
        self.devices: list[BusDevice] = []

    def attach(self, function: Function) -> BusDevice:
        """The PDO of a function that was found on the bus."""
        device = BusDevice(self, function)
        self.devices.append(device)
        return device


class BusDevice:
    """A function on the bus, from START to removal. `power` is 0 in D0; `grant` is None while stopped."""

    def __init__(self, bus: PciBus, function: Function) -> None:
        self.bus, self.function = bus, function
        self._behind: Function = getattr(function, "behind", function)  # looked at without moving anything on the way to it
        self.grant: Grant | None = None
        self.power = D0
        self.gone = False
        self._registers: MessageRegisters | None = None
        self._bars: tuple[BarInfo, ...] = ()
        self._saved: dict[tuple[int, int], int] = {}

    @property
    def table(self) -> MsixTable | None:
        """The MSI-X table of a started function that was granted MSI-X."""
        return self._registers if isinstance(self._registers, MsixTable) else None

    def start(self, grant: Grant) -> None:
        """IRP_MN_START_DEVICE: programs what was granted."""
        if self.grant is not None:
            self.stop()
        if self.power != D0:
            self._write_power_state(D0)
        self._bars = discover_bars(self.function)
        self.grant, self.power = grant, D0
        try:
            self._decode(grant, on=False)
            self._place_bars(grant)
            self._decode(grant, on=True)
            if grant.kind == "msi-x":
                self._registers = MsixTable(self.function, grant.messages, self.bus.compose)
            elif grant.kind == "msi":
                self._registers = MsiRegisters(self.function, grant.messages, self.bus.compose)
            if self._registers is not None:
                self._registers.program()
        except StatusError:
            self._decode(grant, on=False)
            self.grant, self._registers = None, None
            raise

    def connected(self, message: int) -> None:
        """An interrupt object of `message` was connected: its entries may speak."""
        self._set_connected(message, True)

    def disconnected(self, message: int) -> None:
        """The last interrupt object of `message` was disconnected."""
        self._set_connected(message, False)

    def look_for_loss(self) -> None:
        """Tell of message registers that somebody else changed, if that cost a message."""
        if self._registers is not None and not self.gone and (lost := self._registers.lost(self._behind)):
            what = f"{self.function.name} lost what the bus driver programmed, and a message with it: {lost}"
            remedy = "leave a reset that clears these registers to the bus driver (GUID_DEVICE_RESET_INTERFACE_STANDARD)"
            self.bus.complain("table-lost", f"{what}; {remedy}")

    def stop(self) -> None:
        """IRP_MN_STOP_DEVICE: silent, and answering nothing but configuration cycles. A second time it does nothing."""
        if self.grant is None:
            return
        if self.power == D0 and not self.gone:
            if self._registers is not None:
                self._registers.disable()
            self._decode(self.grant, on=False)
        self.grant, self._registers = None, None

    def set_power(self, state: int) -> None:
        """D0 to Dx saves and Dx to D0 restores: configuration space, BARs and the message registers."""
        if state == self.power:
            return
        if self.power == D0:
            self.look_for_loss()
            self._save()
            self._leave_d0(state)
        elif state == D0:
            self._write_power_state(D0)
            self.power = D0
            self._restore()
        else:
            self._write_power_state(state)
        self.power = state

    def surprise_removed(self) -> None:
        """The function is gone: nothing of it is touched any more."""
        self.gone = True
        self._reach(False)

    def remove(self) -> None:
        """IRP_MN_REMOVE_DEVICE."""
        self.stop()
        self.bus.devices.remove(self)

    def query_interface(self, guid: UUID) -> MsixTableConfig | BusInterfaceStandard | None:
        """IRP_MN_QUERY_INTERFACE; None where C gets STATUS_NOT_SUPPORTED. MSI-X only while MSI-X is granted."""
        if guid == GUID_BUS_INTERFACE_STANDARD:
            return BusInterfaceStandard(self.function, self._guard)
        if guid == GUID_MSIX_TABLE_CONFIG_INTERFACE and self.table is not None:
            return MsixTableConfig(lambda: self.table)
        return None

    def _guard(self, offset: int, size: int, value: int) -> None:
        """A driver is about to write configuration space: the message capabilities are not its to change."""
        for name, at, length in config.message_capabilities(self._behind):
            if offset < at + length and offset + size > at and self._behind.config_read(offset, size) != value:
                said = f"SetBusData writes {value:#x} to {offset:#x}, which is {name} of {self.function.name}"
                how = "ask for other messages by the INF, or by GUID_MSIX_TABLE_CONFIG_INTERFACE"
                self.bus.complain("table-written-by-driver", f"{said}: that is the bus driver's; {how}")

    def _set_connected(self, message: int, connected: bool) -> None:
        if not connected:
            self.look_for_loss()
        if self._registers is not None:
            self._registers.set_connected(message, connected)

    def _decode(self, grant: Grant, *, on: bool) -> None:
        kinds = {bar.kind for bar in self._bars if bar.index in grant.bars}
        config.write_command(
            self.function, io=on and "io" in kinds, memory=on and bool(kinds - {"io"}), master=on,
            interrupt_disable=bool(grant.messages) and on,
        )  # fmt: skip

    def _place_bars(self, grant: Grant) -> None:
        for bar in self._bars:
            address = grant.bars.get(bar.index)
            if address is None:
                continue
            at = BAR_OFFSET + 4 * bar.index
            if bar.kind != "memory64" and address >> 32:
                raise StatusError(
                    STATUS_DEVICE_CONFIGURATION_ERROR,
                    f"{self.function.name}: BAR {bar.index} has 32 bits, and {address:#x} was granted",
                )
            self.function.config_write(at, 4, address & 0xFFFF_FFFF)
            if bar.kind == "memory64":
                self.function.config_write(at + 4, 4, address >> 32)

    def _save(self) -> None:
        """What software wrote into the header and the PCI Express capability; the rest is programmed anew."""
        places = [(place.offset, place.kind.size) for place in (Type0Header.cache_line_size, Type0Header.interrupt_line)]
        places.append((Type0Header.command.offset, 2))
        express = config.capabilities(self.function).get(CapabilityId.PCI_EXPRESS)
        if express is not None:
            version = config.read(self.function, ExpressCapabilities, express + ExpressCapability.capabilities.offset).version
            names = _SAVED_EXPRESS if version >= 2 else _SAVED_EXPRESS[:2]  # version 1 ends before the registers "2"
            places += [(express + ExpressCapability.placements[name].offset, 2) for name in names]
        self._saved = {place: self.function.config_read(*place) for place in places}

    def _leave_d0(self, state: int) -> None:
        if self.grant is not None:
            self._decode(self.grant, on=False)
        self._reach(False)
        self._write_power_state(state)

    def _restore(self) -> None:
        command = (Type0Header.command.offset, 2)
        for place, value in self._saved.items():
            if place != command:
                self.function.config_write(*place, value)
        if self.grant is not None:
            self._place_bars(self.grant)
        if command in self._saved:
            self.function.config_write(*command, self._saved[command])
        self._reach(True)
        if self._registers is not None and not self.gone:
            self._registers.program()

    def _reach(self, reachable: bool) -> None:
        if self._registers is not None:
            self._registers.reachable = reachable and not self.gone

    def _write_power_state(self, state: int) -> None:
        at = config.power_management(self.function)
        if at is None:
            return
        control = config.read(self.function, PowerManagementControl, at)
        control.power_state = state
        control.pme_status = 0  # RW1C: writing a one would acknowledge it
        config.write(self.function, control, at)

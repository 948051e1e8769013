"""A PCI Express endpoint function put together from its parts: configuration space, BARs, MSI, MSI-X, INTx, resets, power states.

Resets follow PCIe 6.0 §6.6, power states §5.3, requests upstream §7.5.1.1.3 (Bus Master Enable).

Model choice, where the standard leaves it undefined (§6.1.4): while MSI and MSI-X are both enabled MSI-X rules, and MSI sends
nothing. The host is told of that, and of a Multiple Message Enable that grants too much, when it begins.

Limits: resets and power transitions take no time; D1 and D2 are not supported; PME is never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

from dirql.pci.bar import BarSpec, BarTarget, Overlay, Window, all_ones, ignore
from dirql.pci.capabilities import FlrDeviceControl, MsiCapability, MsixCapability, PowerManagementCapability
from dirql.pci.config import ConfigSpace
from dirql.pci.describe import ExtendedCapability, Identity, MsiSpec, MsixSpec, OpaqueCapability, check_msix, describe
from dirql.pci.function import Fate, Function, Host
from dirql.pci.intx import Intx
from dirql.pci.msi import Msi
from dirql.pci.msix import Msix
from dirql.pci.spec import BAR_COUNT, CapabilityId, PowerState
from dirql.pci.unplugged import Unplugged

__all__ = [
    "BarSpec", "BarTarget", "Endpoint", "ExtendedCapability", "Identity", "InterruptMode", "MsiSpec", "MsixSpec",
    "OpaqueCapability",
]  # fmt: skip

InterruptMode = Literal["msi-x", "msi", "line", "none"]


class Endpoint:
    """A `Function` with a type 0 header. `owner` is who shows up at the host; the endpoint itself by default."""

    deterministic = True

    def __init__(
        self,
        name: str,
        identity: Identity,
        *,
        bars: Mapping[int, tuple[BarSpec, BarTarget | None]] | None = None,
        msi: MsiSpec | None = None,
        msix: MsixSpec | None = None,
        pcie: bool = True,
        flr: bool = True,
        power_management: bool = True,
        no_soft_reset: bool = False,
        vendor_specific: bytes = b"",
        opaque: Sequence[OpaqueCapability] = (),
        extended: Sequence[ExtendedCapability] = (),
        on_reset: Callable[[], None] | None = None,
        on_power: Callable[[int], None] | None = None,
        owner: Function | None = None,
    ) -> None:
        config = describe(
            name, identity, {index: spec for index, (spec, _) in (bars or {}).items()}, msi=msi, msix=msix, pcie=pcie, flr=flr,
            power_management=power_management, no_soft_reset=no_soft_reset, vendor_specific=vendor_specific, opaque=opaque,
            extended=extended,
        )  # fmt: skip
        self._assemble(config, {index: target for index, (_, target) in (bars or {}).items()}, on_reset, on_power, owner)

    @classmethod
    def of(
        cls,
        config: ConfigSpace,
        targets: Mapping[int, BarTarget | None] | None = None,
        *,
        on_reset: Callable[[], None] | None = None,
        on_power: Callable[[int], None] | None = None,
        owner: Function | None = None,
    ) -> Self:
        """The function that this configuration space describes; its enables stay as they are.

        An MSI-X table in a BAR whose size is unknown cannot be reached.
        """
        self = cls.__new__(cls)
        self._assemble(config, targets or {}, on_reset, on_power, owner)
        return self

    def _assemble(
        self,
        config: ConfigSpace,
        targets: Mapping[int, BarTarget | None],
        on_reset: Callable[[], None] | None,
        on_power: Callable[[int], None] | None,
        owner: Function | None,
    ) -> None:
        self.config, self.name = config, config.name
        self.identity = Identity.of(config.header)
        self.host: Host = Unplugged()
        self._owner: Function = owner if owner is not None else self
        self._on_reset, self._on_power = on_reset, on_power
        blocks = config.blocks
        msi, msix = blocks.get(CapabilityId.MSI), blocks.get(CapabilityId.MSI_X)
        power = blocks.get(CapabilityId.POWER_MANAGEMENT)
        self._power = power if isinstance(power, PowerManagementCapability) else None
        self.msi = Msi(self._owner, msi) if isinstance(msi, MsiCapability) else None
        self.msix = Msix(self._owner, msix, self._note) if isinstance(msix, MsixCapability) else None
        self.intx = Intx(config.header)
        self.intx.drive = self._drive_line
        self.fates: Sequence[Fate] = self.msix.fates if self.msix else self.msi.fates if self.msi else ()
        self._targets = self._overlay(targets)
        self._reads: list[Callable[[int, int], int]] = []
        self._writes: list[Callable[[int, int, int], None]] = []
        self._decoding: tuple[bool, bool] | None = None
        self.memory_enabled = self.io_enabled = self.bus_master = False
        self.power_state = PowerState(self._power.control.power_state) if self._power else PowerState.D0
        self._closed = ""
        self._undefined: tuple[str, ...] = ()  # what the host was told of as undefined, and still holds
        self._watch()
        self._settle()

    def _overlay(self, targets: Mapping[int, BarTarget | None]) -> dict[int, BarTarget]:
        windows: dict[int, list[Window]] = {}
        if self.msix is not None:
            capability, msix = self.msix.capability, self.msix
            if {capability.table.bir, capability.pba.bir} <= self.config.bars.specs.keys():
                check_msix(self.name, capability, self.config.bars.specs)
            windows.setdefault(capability.table.bir, []).append(Window(capability.table.offset, msix.table.size, msix.table))
            windows.setdefault(capability.pba.bir, []).append(Window(capability.pba.offset, msix.pba.size, msix.pba))
        made: dict[int, BarTarget] = {}
        for index in self.config.bars.specs:
            under = targets.get(index)
            overlay = Overlay(under, windows.get(index, ()), self._note)
            made[index] = overlay if under is None or index in windows else under
        return made

    def _watch(self) -> None:
        config, blocks = self.config, self.config.blocks
        config.file.on_reserved = self._reserved_written
        config.watch(config.header.placements["command"].offset, 2, self._settle)
        for view in (blocks.get(CapabilityId.MSI), blocks.get(CapabilityId.MSI_X)):
            if view is not None:
                config.watch(view.base, view.size, self._settle)
        if self._power is not None:
            config.watch(self._power.base + self._power.placements["control"].offset, 2, self._power_written)
        express: Any = blocks.get(CapabilityId.PCI_EXPRESS)
        if express is not None and isinstance(express.device_control, FlrDeviceControl):
            config.watch(express.base + express.placements["device_control"].offset, 2, self._device_control_written)

    # What the host drives

    def connect(self, host: Host) -> None:
        self.host = host
        for vectors in (self.msi, self.msix):
            if vectors is not None:
                vectors.deliver = host.send
        if self.intx.asserted:
            host.intx(self._owner, True)
        for what in self._undefined:
            self._note(what)

    def config_read(self, offset: int, size: int) -> int:
        return self.config.read(offset, size)

    def config_write(self, offset: int, size: int, value: int) -> None:
        self.config.write(offset, size, value)

    def bar_size(self, bar: int) -> int:
        return self.config.bars.size(bar)

    def bar_read(self, bar: int, offset: int, size: int) -> int:
        return self._reads[bar](offset, size)

    def bar_write(self, bar: int, offset: int, size: int, value: int) -> None:
        self._writes[bar](offset, size, value)

    def reset(self) -> None:
        self._reset(function_level=False)

    def function_level_reset(self) -> None:
        """What Initiate Function Level Reset does (§6.6.2)."""
        self._reset(function_level=True)

    def unserved(self) -> list[str]:
        return []

    # What the device uses

    @property
    def interrupt_mode(self) -> InterruptMode:
        """How the function signals now. "line" wherever it has a pin: Interrupt Disable gates the wire, not the mode."""
        if self.msix is not None and self.msix.enabled:
            return "msi-x"
        if self.msi is not None and self.msi.enabled:
            return "msi"
        return "line" if self.intx.pin else "none"

    def dma_write(self, address: int, data: bytes) -> None:
        """A posted write to host memory; lost, and noted, while the function may issue no requests."""
        if self._closed:
            self._note(f"DMA write dropped: {self._closed}", address=address, length=len(data))
        else:
            self.host.dma_write(self._owner, address, data)

    def dma_read(self, address: int, length: int) -> bytes:
        """A read of host memory; all ones, and noted, while the function may issue no requests."""
        if self._closed:
            self._note(f"DMA read dropped: {self._closed}", address=address, length=length)
            return b"\xff" * length
        return self.host.dma_read(self._owner, address, length)

    # What follows from a register

    def _settle(self) -> None:
        """Everything that depends on the command register, a message capability or the power state."""
        command = self.config.header.command
        self.memory_enabled = bool(command.memory_space)
        self.io_enabled = bool(command.io_space)
        self.bus_master = bool(command.bus_master)
        awake = self.power_state is PowerState.D0
        self._closed = "in D3hot" if not awake else "" if self.bus_master else "bus master off"
        self._decode(self.memory_enabled and awake, self.io_enabled and awake)
        enabled = any(vectors is not None and vectors.enabled for vectors in (self.msi, self.msix))
        self.intx.gate(quiet=enabled or not awake)
        if self.msi is not None:
            overruled = self.msix is not None and self.msix.enabled
            self.msi.gate(self._closed or ("overruled by MSI-X" if overruled else ""))
        if self.msix is not None:
            self.msix.gate(self._closed)
        self._tell_undefined()

    def _tell_undefined(self) -> None:
        before, now = self._undefined, []
        if self.msi is not None:
            if self.msi.enabled and self.msix is not None and self.msix.enabled:
                now.append("MSI and MSI-X are both enabled, which is undefined: MSI-X rules here")
            if self.msi.excess:
                now.append(self.msi.excess)
        self._undefined = tuple(now)
        for what in now:
            if what not in before:
                self._note(what)

    def _decode(self, memory: bool, io: bool) -> None:
        if self._decoding == (memory, io):
            return
        self._decoding = (memory, io)
        self._reads, self._writes = [all_ones] * BAR_COUNT, [ignore] * BAR_COUNT
        for index, spec in self.config.bars.specs.items():
            if io if spec.kind == "io" else memory:
                self._reads[index], self._writes[index] = self._targets[index].read, self._targets[index].write

    def _power_written(self) -> None:
        assert self._power is not None
        control = self._power.control
        old, new = self.power_state, PowerState(control.power_state)
        if new is old:
            return
        if new in (PowerState.D1, PowerState.D2):  # an unsupported state: the write is discarded (§7.5.2.2)
            control.power_state = int(old)
            self._note(f"power state {new.name} is not supported; the write is discarded", state=int(new))
        elif new is PowerState.D0 and not control.no_soft_reset:
            self._reset(function_level=True)
        else:
            self.power_state = new
            self._settle()
            self._tell_power()

    def _device_control_written(self) -> None:
        if self.config.blocks[CapabilityId.PCI_EXPRESS].views["device_control"].initiate_flr:
            self.function_level_reset()  # which clears the bit

    def _reset(self, *, function_level: bool) -> None:
        before = self.power_state
        self.config.reset(function_level=function_level)
        for vectors in (self.msi, self.msix):
            if vectors is not None:
                vectors.reset()
        self.intx.reset()
        self.power_state = PowerState.D0
        self._settle()
        if self._on_reset is not None:
            self._on_reset()
        if before is not PowerState.D0:
            self._tell_power()

    def _tell_power(self) -> None:
        if self._on_power is not None:
            self._on_power(int(self.power_state))

    def _drive_line(self, asserted: bool) -> None:
        self.host.intx(self._owner, asserted)

    def _note(self, what: str, **detail: Any) -> None:
        self.host.note(self._owner, what, **detail)

    def _reserved_written(self, offset: int, size: int, bits: int) -> None:
        self._note("reserved configuration bits written", offset=offset, size=size, bits=bits)

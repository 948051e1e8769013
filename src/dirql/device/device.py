"""The base class of device models: a class declares a PCIe function as its data sheet does, an instance is one (PCIe 6.0 §7.5.1).

`class Quad(Device, vendor=0x1234, device=0x0004)` names the function; `Bar`, `Msix` and `Msi` attributes declare what it
has; hooks on named registers are its behaviour. A model never learns what it is plugged into.

Limits: one function, type-0 header; no expansion ROM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, TypedDict, Unpack

from dirql.callback import refuse_asynchronous_methods
from dirql.device.bar import RegisterBar
from dirql.device.declare import Bar, Declaration, Msi, Msix
from dirql.device.hooks import HookPoint, check_hook, tagged
from dirql.device.misspelt import refuse_misspelt_registers
from dirql.device.signal import InterruptSignal, Line
from dirql.errors import LayoutError, UsageError
from dirql.pci.endpoint import BarSpec, BarTarget, Endpoint, Identity, MsiSpec, MsixSpec
from dirql.pci.function import Cancel, Fate, Host
from dirql.reserved import refuse_clashes

__all__ = ["Device", "Dma", "Facts"]


class Facts(TypedDict, total=False):
    """The class keywords of a model: its identity, and what of the standard capabilities it has."""

    vendor: int
    device: int
    class_code: int
    revision: int
    subsystem_vendor: int
    subsystem: int
    interrupt_pin: int
    pcie: bool
    flr: bool
    power_management: bool
    no_soft_reset: bool
    vendor_specific: bytes


# fmt: off
IDENTITY = {
    "vendor": 16, "device": 16, "class_code": 24, "revision": 8, "subsystem_vendor": 16, "subsystem": 16, "interrupt_pin": 3,
}  # → bits
OVERRIDDEN = ("exercise", "on_power", "on_reset", "served_by", "unserved")  # by a model; the rest of `Device` is its own
SHORTCUTS = ("bar_read", "bar_size", "bar_write", "config_read", "config_write")
# fmt: on


class Dma:
    """The function as a bus master; addresses are physical."""

    __slots__ = ("_endpoint", "_read", "_write")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._write, self._read = endpoint.dma_write, endpoint.dma_read

    def write(self, address: int, data: bytes) -> None:
        """Post a write; it carries what `data` is now."""
        if type(address) is not int or type(data) is not bytes or address < 0:
            if not (isinstance(address, int) and address >= 0 and isinstance(data, bytes | bytearray | memoryview)):
                self._refuse("write", f"address={address!r:.40}, data={data!r:.40}", "data is bytes")
            data = bytes(data)
        self._write(address, data)

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes as they are once the write before has landed."""
        if not (isinstance(address, int) and isinstance(length, int) and address >= 0 and length >= 0):
            self._refuse("read", f"address={address!r:.40}, length={length!r:.40}", "so is a length")
        return self._read(address, length)

    def _refuse(self, routine: str, given: str, more: str) -> NoReturn:
        raise UsageError(f"{self._endpoint.name}.dma.{routine}({given}): an address is a whole number, 0 or more; {more}")


class Device:
    """A PCIe function whose behaviour is a model in this process; a `pci.Function`."""

    facts: ClassVar[Facts] = {}
    declared: ClassVar[dict[str, Declaration]] = {}
    hooks: ClassVar[dict[HookPoint, str]] = {}

    def __init_subclass__(cls, **facts: Unpack[Facts]) -> None:
        super().__init_subclass__()
        _check_facts(cls, facts)
        declared = {**cls.declared, **{n: d for n, d in vars(cls).items() if isinstance(d, Declaration)}}
        parts = {key: f"the {type(part).__name__} that the class declares" for key, part in declared.items()}
        refuse_clashes(cls, Device, whose="dirql's", hooks=(*OVERRIDDEN, *SHORTCUTS), declared=parts)
        cls.facts, cls.declared = {**cls.facts, **facts}, declared
        cls.hooks = dict(cls.hooks)
        for point, method in tagged(vars(cls)):
            first = cls.hooks.setdefault(point, method)
            if first != method:
                raise LayoutError(f"{cls.__name__}.{method} and {first} are both called on {point.occasion}; keep one")
        check_declarations(cls, cls.declared, cls.hooks)
        refuse_asynchronous_methods(cls, ("exercise", "on_power", "on_reset", *cls.hooks.values()))
        refuse_misspelt_registers(cls, {key: part.declared.block for key, part in cls.declared.items() if isinstance(part, Bar)})

    def __init__(self, *, name: str = "", **instead: Declaration | None) -> None:
        """A keyword named after a declared attribute replaces that declaration for this instance; None hides it."""
        cls = type(self)
        if "vendor" not in self.facts or "device" not in self.facts:
            who = cls.__name__
            raise UsageError(f"{who} has no identity; declare it as class {who}(Device, vendor=0x1234, device=0x0001)")
        for key in instead:
            if key not in self.declared:
                raise UsageError(f"{cls.__name__} declares no {key}; it has {', '.join(sorted(self.declared)) or 'nothing'}")
        parts = {key: part for key, part in {**self.declared, **instead}.items() if part is not None}
        for key, part in parts.items():
            part.name = key
        if instead:
            check_declarations(cls, parts, {p: m for p, m in self.hooks.items() if p.bar in parts})
        self._timers: dict[int, Cancel] = {}
        self._timer = 0
        self._bars = self._make_bars(parts)
        self.endpoint = self._make_endpoint(name or cls.__name__, parts)
        self.dma = Dma(self.endpoint)
        self.intx = Line(self.endpoint)
        self.interrupt_signal = InterruptSignal(self.endpoint, self.intx)
        values = vars(self)
        for key, part in parts.items():
            values[key] = self.endpoint.msix if isinstance(part, Msix) else self.endpoint.msi if isinstance(part, Msi) else None
        values.update({key: bar.view for key, bar in self._bars.items()})
        # the endpoint's own methods where the model does not override them: one Python call less on every access
        values.update({n: getattr(self.endpoint, n) for n in SHORTCUTS if getattr(cls, n) is getattr(Device, n)})

    def _make_bars(self, parts: Mapping[str, Declaration]) -> dict[str, RegisterBar]:
        bars = {}
        for key, part in parts.items():
            if isinstance(part, Bar):
                hooks = {point: getattr(self, method) for point, method in self.hooks.items() if point.bar == key}
                bars[key] = RegisterBar(key, part.declared, hooks, self.note)
        return bars

    def _make_endpoint(self, name: str, parts: Mapping[str, Declaration]) -> Endpoint:
        bars: dict[int, tuple[BarSpec, BarTarget | None]] = {}
        for bar in self._bars.values():
            bars[bar.facts.index] = (BarSpec(bar.facts.size, bar.facts.kind, bar.facts.prefetchable), bar)
        msix = next((p for p in parts.values() if isinstance(p, Msix)), None)
        msi = next((p for p in parts.values() if isinstance(p, Msi)), None)
        for index, size in msix.bars_needed().items() if msix else ():
            bars.setdefault(index, (BarSpec(size), None))
        facts: dict[str, Any] = dict(self.facts)
        identity = Identity(**{key: facts.pop(key) for key in IDENTITY if key in facts})
        return Endpoint(
            name,
            identity,
            bars=dict(sorted(bars.items())),
            msi=MsiSpec(msi.messages, msi.address64, msi.per_vector_mask) if msi else None,
            msix=MsixSpec(msix.vectors, msix.table, msix.pba) if msix else None,
            on_reset=self._reset,
            on_power=self.on_power,
            owner=self,
            **facts,
        )

    # what a model overrides

    def on_reset(self) -> None:
        """After any reset: the registers have their reset values and no timer runs. Put the model's own state back."""

    def on_power(self, state: int) -> None:
        """Software moved the function to D0 (0) to D3hot (3)."""

    def exercise(self) -> None:
        """The default workload: what a scenario without one of its own runs."""

    def unserved(self) -> list[str]:
        """Work still outstanding at rest, in words; empty when all was served."""
        return []

    def served_by(self) -> dict[int, list[str]]:
        """Vector → the sources that the driver put on it, for the report; empty when the device has no such map."""
        return {}

    # what a model uses

    @property
    def now(self) -> int:
        """Virtual time, ns."""
        return self.endpoint.host.now()

    def after(self, delay: int, action: Callable[[], None], slack: int = 0) -> Cancel:
        """Run `action` between `delay` and `delay + slack` ns from now, unless the function is reset; returns what cancels it."""
        for what, value in (("delay", delay), ("slack", slack)):
            if not (isinstance(value, int) and value >= 0):
                raise UsageError(f"{self.name}.after({what}={value!r}): a {what} is a whole number of ns, 0 or more")
        if not callable(action):
            raise UsageError(f"{self.name}.after(action={action!r:.40}): an action is a function without arguments")
        self._timer = ticket = self._timer + 1
        timers = self._timers

        def due() -> None:
            timers.pop(ticket, None)
            action()

        def cancel() -> None:
            stop = timers.pop(ticket, None)
            if stop is not None:
                stop()

        timers[ticket] = self.endpoint.host.after(delay, due, slack)
        return cancel

    def note(self, what: str, **detail: Any) -> None:
        """A line in the trace; nothing while the device is not plugged in."""
        self.endpoint.host.note(self, what, **detail)

    def reset_registers(self) -> None:
        """Every register of every BAR to its reset value, no timer running, as a soft reset does; not configuration space."""
        for cancel in list(self._timers.values()):
            cancel()
        self._timers.clear()
        for bar in self._bars.values():
            bar.reset()

    def words(self, bar: str) -> memoryview:
        """The registers of a BAR as 32-bit integers, index = offset // 4: for the hot path, where a view costs too much."""
        return self._bars[bar].words

    def _reset(self) -> None:
        self.reset_registers()
        self.interrupt_signal.lower_all()
        self.on_reset()

    # pci.Function

    @property
    def name(self) -> str:
        """As reports call it: the class's name unless the instance was named."""
        return self.endpoint.name

    @property
    def deterministic(self) -> bool:
        """A model in this process may be explored."""
        return True

    @property
    def fates(self) -> Sequence[Fate]:
        """Of each MSI-X table entry or MSI message."""
        return self.endpoint.fates

    def connect(self, host: Host) -> None:
        """Plugged in."""
        self.endpoint.connect(host)

    def config_read(self, offset: int, size: int) -> int:
        """As `pci.Function`."""
        return self.endpoint.config_read(offset, size)

    def config_write(self, offset: int, size: int, value: int) -> None:
        """As `pci.Function`."""
        self.endpoint.config_write(offset, size, value)

    def bar_size(self, bar: int) -> int:
        """As `pci.Function`."""
        return self.endpoint.bar_size(bar)

    def bar_read(self, bar: int, offset: int, size: int) -> int:
        """As `pci.Function`."""
        return self.endpoint.bar_read(bar, offset, size)

    def bar_write(self, bar: int, offset: int, size: int, value: int) -> None:
        """As `pci.Function`."""
        self.endpoint.bar_write(bar, offset, size, value)

    def reset(self) -> None:
        """Conventional reset."""
        self.endpoint.reset()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.facts['vendor']:04x}:{self.facts['device']:04x}>"


def _check_facts(cls: type[Device], facts: Facts) -> None:
    for key, value in facts.items():
        if key not in Facts.__annotations__:
            raise LayoutError(f"{cls.__name__} has the class keyword {key}, which a Device does not know; it knows "
                              f"{', '.join(sorted(Facts.__annotations__))}")  # fmt: skip
        bits = IDENTITY.get(key)
        if bits is not None and not (isinstance(value, int) and 0 <= value < 1 << bits):
            shown = hex(value) if isinstance(value, int) else repr(value)
            raise LayoutError(f"{cls.__name__} has {key} {shown}; it is a number of {bits} bits")


def check_declarations(cls: type[Device], parts: Mapping[str, Declaration], hooks: Mapping[HookPoint, str]) -> None:
    """LayoutError unless the declarations fit each other and every hook finds its register."""
    who = cls.__name__
    for key, part in parts.items():
        part.name = key
        part.check(who)
    bars = {key: part for key, part in parts.items() if isinstance(part, Bar)}
    taken: dict[int, str] = {}
    for key, bar in bars.items():
        for slot in bar.declared.slots:
            if slot in taken:
                raise LayoutError(f"{who}.{key} takes BAR {slot}, which {taken[slot]} has; give it another number")
            taken[slot] = key
    for kind in (Msix, Msi):
        same = [key for key, part in parts.items() if isinstance(part, kind)]
        if len(same) > 1:
            raise LayoutError(f"{who} declares {' and '.join(same)}; a function has one {kind.__name__} capability")
    for part in parts.values():
        if isinstance(part, Msix):
            _check_table(who, part, bars, taken)
    for point, method in hooks.items():
        if point.bar in bars:
            check_hook(cls, point, method, bars[point.bar].declared.block)


def _check_table(who: str, msix: Msix, bars: Mapping[str, Bar], taken: Mapping[int, str]) -> None:
    for what, index, start, end in msix.regions:
        if index not in taken:
            continue
        key = taken[index]
        facts = bars[key].declared
        if facts.index != index:
            raise LayoutError(f"{who}.{msix.name} has its {what} in BAR {index}, the upper half of {key}; say BAR {facts.index}")
        if facts.kind == "io":
            raise LayoutError(f"{who}.{msix.name} has its {what} in {key}, an I/O BAR; it needs a memory BAR (PCIe 6.0 §7.7.2)")
        if end > facts.size:
            raise LayoutError(f"{who}.{msix.name} has its {what} at {start:#x} to {end:#x} in {key}, of {facts.size:#x} bytes; "
                              "give that Bar a size")  # fmt: skip
        for placement in facts.block.placements.values():
            if placement.offset < end and start < placement.end:
                raise LayoutError(f"{who}.{msix.name} has its {what} at {start:#x} to {end:#x} over {key}.{placement.name}, "
                                  f"which lies at {placement.offset:#x} to {placement.end:#x}")  # fmt: skip



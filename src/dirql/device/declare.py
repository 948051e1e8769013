"""What a device model's class says of its function: BARs of registers, MSI and MSI-X capabilities (PCIe 6.0 §7.5.1.2.1, §7.7).

Each is checked when the class is created, by `check` of the declaration, with the class's name in the message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, overload

from dirql.device.hooks import RegisterHook
from dirql.errors import LayoutError
from dirql.layout import Block
from dirql.pci.bar import BarKind

if TYPE_CHECKING:
    from dirql.device.device import Device

__all__ = ["Bar", "BarDeclaration", "Declaration", "Msi", "Msix", "power_of_two"]

MSIX_VECTORS = 2048  # PCIe 6.0 §7.7.2: Table Size is 11 bits, encoded as N - 1
MSI_MESSAGES = (1, 2, 4, 8, 16, 32)  # PCIe 6.0 §7.7.1: Multiple Message Capable
TABLE_ENTRY = 16
SMALLEST_BAR = 16  # PCI 3.0 §6.2.5.1: a memory BAR decodes at least 16 bytes
SMALLEST_TABLE_BAR = 0x1000  # the isolation that PCIe 6.0 §7.7.2 asks for


def power_of_two(size: int) -> int:
    """The smallest power of two that is not less than `size`."""
    return 1 << max(size - 1, 0).bit_length()


class Declaration:
    """An attribute of a model's class that stands for something of its function; on an instance it is that thing."""

    name = "?"

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def check(self, owner: str) -> None:
        """LayoutError when the declaration contradicts itself; `owner` is the class's name."""


@dataclass(frozen=True)
class BarDeclaration:
    """The facts of one BAR. `accepts(offset, size)` says which accesses the hardware answers: others count as outside every
    register; `empty` is what each byte outside every register reads as."""

    index: int
    block: type[Block]
    kind: BarKind = "memory32"
    prefetchable: bool = False
    size: int = 0
    accepts: Callable[[int, int], bool] | None = None
    empty: int = 0

    @property
    def slots(self) -> tuple[int, ...]:
        """The BAR numbers taken; a 64-bit BAR takes two."""
        return (self.index, self.index + 1) if self.kind == "memory64" else (self.index,)


class Bar(Declaration):
    """A BAR with registers behind it. `bar.<register>` names a register for hooks; `bar.declared` holds the facts.

    On an instance it is the `Block` view of the registers, as hardware sees them. Its size is that of the block, rounded up to
    a power of two.
    """

    def __init__(
        self,
        index: int,
        block: type[Block],
        *,
        kind: BarKind = "memory32",
        prefetchable: bool = False,
        size: int = 0,
        accepts: Callable[[int, int], bool] | None = None,
        empty: int = 0,
    ) -> None:
        size = size or max(power_of_two(block.size), SMALLEST_BAR)
        self.declared = BarDeclaration(index, block, kind, prefetchable, size, accepts, empty)

    def __getattr__(self, name: str) -> RegisterHook:
        if name.startswith("_"):
            raise AttributeError(name)
        return RegisterHook(self, (name,))

    @overload
    def __get__(self, device: None, owner: type) -> Bar: ...
    @overload
    def __get__(self, device: Device, owner: type) -> Any: ...
    def __get__(self, device: Device | None, owner: type) -> Bar | Any:
        return self if device is None else None  # an instance that has this BAR holds the view in its own __dict__

    def check(self, owner: str) -> None:
        facts, who = self.declared, f"{owner}.{self.name}"
        if not 0 <= facts.slots[0] <= facts.slots[-1] <= 5:
            where = "BARs are numbered 0 to 5" + (", and a 64-bit one takes two" if facts.kind == "memory64" else "")
            raise LayoutError(f"{who} is BAR {facts.index}; {where}")
        if facts.kind not in get_args(BarKind):
            raise LayoutError(f"{who} has kind {facts.kind!r}; a BAR is 'memory32', 'memory64' or 'io'")
        if facts.size < facts.block.size or facts.size != power_of_two(facts.size):
            raise LayoutError(f"{who} has size {facts.size:#x}; it must be a power of two of at least {facts.block.size:#x} "
                              f"for {facts.block.__name__}")  # fmt: skip
        for name in ("check", "declared", "name"):
            if name in facts.block.placements:
                raise LayoutError(f"{who}: {facts.block.__name__}.{name} has a name that Bar uses itself; rename the register")


class Msix(Declaration):
    """An MSI-X capability; `table` and `pba` are (BAR, offset). On an instance: the function's MSI-X, None when hidden."""

    def __init__(self, vectors: int, table: tuple[int, int], pba: tuple[int, int]) -> None:
        self.vectors, self.table, self.pba = vectors, table, pba

    @overload
    def __get__(self, device: None, owner: type) -> Msix: ...
    @overload
    def __get__(self, device: Device, owner: type) -> Any: ...
    def __get__(self, device: Device | None, owner: type) -> Msix | Any:
        return self if device is None else None

    @property
    def regions(self) -> tuple[tuple[str, int, int, int], ...]:
        """(what, BAR, first byte, byte after the last) of the table and of the PBA, whose bits come in QWORDs."""
        quads = (self.vectors + 63) // 64
        return (
            ("table", self.table[0], self.table[1], self.table[1] + TABLE_ENTRY * self.vectors),
            ("pba", self.pba[0], self.pba[1], self.pba[1] + 8 * quads),
        )

    def check(self, owner: str) -> None:
        who = f"{owner}.{self.name}"
        if not 1 <= self.vectors <= MSIX_VECTORS:
            raise LayoutError(f"{who} asks for {self.vectors} vectors; MSI-X holds 1 to {MSIX_VECTORS} (PCIe 6.0 §7.7.2)")
        table, pba = self.regions
        for what, bar, start, _ in (table, pba):
            if not 0 <= bar <= 5:
                raise LayoutError(f"{who} has its {what} in BAR {bar}; BARs are numbered 0 to 5")
            if start % 8 or start < 0:
                raise LayoutError(f"{who} has its {what} at {start:#x}; it must be aligned to 8 bytes")
        if table[1] == pba[1] and table[2] < pba[3] and pba[2] < table[3]:
            raise LayoutError(f"{who}: table at {table[2]:#x} to {table[3]:#x} and PBA at {pba[2]:#x} overlap in BAR {pba[1]}; "
                              f"move the PBA to {power_of_two(table[3]):#x}")  # fmt: skip

    def bars_needed(self) -> dict[int, int]:
        """BAR → bytes it must have for the table and the PBA."""
        needed: dict[int, int] = {}
        for _, bar, _, end in self.regions:
            needed[bar] = max(needed.get(bar, SMALLEST_TABLE_BAR), power_of_two(end))
        return needed


class Msi(Declaration):
    """An MSI capability. On an instance: the function's MSI, None when hidden."""

    def __init__(self, messages: int = 1, *, address64: bool = True, per_vector_mask: bool = False) -> None:
        self.messages, self.address64, self.per_vector_mask = messages, address64, per_vector_mask

    @overload
    def __get__(self, device: None, owner: type) -> Msi: ...
    @overload
    def __get__(self, device: Device, owner: type) -> Any: ...
    def __get__(self, device: Device | None, owner: type) -> Msi | Any:
        return self if device is None else None

    def check(self, owner: str) -> None:
        if self.messages not in MSI_MESSAGES:
            who = f"{owner}.{self.name}"
            raise LayoutError(f"{who} asks for {self.messages} messages; MSI has 1, 2, 4, 8, 16 or 32 (PCIe 6.0 §7.7.1)")

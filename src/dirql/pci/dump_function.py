"""A dump as a function that software can drive: its exact configuration space over BARs in which nothing happens.

Configuration reads give the dump's bytes; writes follow the rules of a type 0 function (command register, BARs, MSI, MSI-X,
power management, PCI Express; PCIe 6.0 §7.5). The function starts as the dump left it, enables included; `reset` takes them
away. The MSI-X table and Pending Bit Array live in their BARs, in their reset state; everything else in a BAR reads 0, ignores
writes, and is noted.

Model choices: a BAR whose size nobody told gets the smallest size that its contents and Windows' 4 KiB pages allow (`assumed`).

Limits: type 0 headers only; the device behind the registers is not there, so it sends nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from dirql.errors import InputError, LayoutError
from dirql.pci import spec
from dirql.pci.bar import BarSpec
from dirql.pci.config import ConfigSpace
from dirql.pci.dumps import Dump, bar_registers
from dirql.pci.endpoint import Endpoint
from dirql.pci.function import Function
from dirql.pci.inspect import BarView, FunctionView, MsixView, decode, msix_spans

__all__ = ["DumpFunction", "assumed_bars", "size_notes"]

PAGE = 0x1000
USUAL_IO = 0x20  # model choice: what most cards claim


class DumpFunction(Endpoint):
    """The `Function` that a dump describes; `assumed` holds the BAR sizes that nobody told."""

    def __init__(self, dump: Dump, sizes: Mapping[int, int] | None = None) -> None:
        """`sizes` are those of BARs that somebody tells; they hold instead of the dump's."""
        there = _specs(dump, decode(dump))[0] if sizes else {}
        for index in sizes or ():
            if index not in there and index in range(spec.BAR_COUNT):
                bars_there = ", ".join(map(str, there)) or "none"
                raise dump.error(spec.BAR_OFFSET + 4 * index, f"BAR {index} is not implemented, and has no size to tell",
                                 f"the function has BAR {bars_there}")  # fmt: skip
        dump = dump.sized(sizes or {})
        self.dump, self.view = dump, decode(dump)
        if self.view.header_type != 0:
            raise dump.error(0x0E, f"header type {self.view.header_type:#x} is a bridge's; only type 0 functions can be driven",
                             "choose an endpoint of the dump")  # fmt: skip
        if not self.view.capabilities_held:
            held = f"past the {len(dump.config):#x} bytes held"
            raise dump.error(0x34, f"the capability list starts at {dump.word(0x34, 1):#x}, {held}",
                             "take the dump again, as root: lspci -xxxx")  # fmt: skip
        bars, self.assumed = _specs(dump, self.view)
        try:
            self._assemble(ConfigSpace.of_bytes(dump.address, dump.config, bars), {}, None, None, None)
        except LayoutError as problem:
            raise InputError(dump.source, "", str(problem), "take the dump again") from None
        self.config.file.buffer[: len(dump.config)] = dump.config  # what assembling settled: Interrupt Status


def assumed_bars(function: Function) -> dict[int, int]:
    """Address → number of each BAR whose size is assumed, by what its registers hold now."""
    if not isinstance(function, DumpFunction):
        return {}
    header = b"".join(function.config_read(at, 4).to_bytes(4, "little") for at in range(0, spec.HEADER_SIZE, 4))
    return {bar.base: bar.index for bar in bar_registers(header) if bar.index in function.assumed}


def size_notes(function: Function) -> tuple[str, ...]:
    """What a driver's author is told of sizes that are assumed."""
    if not isinstance(function, DumpFunction) or not function.assumed:
        return ()
    bars = ", ".join(f"{index} ({size:#x})" for index, size in function.assumed.items())
    tell = "tell it in [device.bars], or take the dump with lspci -vv as well"
    return (f"a dump holds no BAR sizes: that of BAR {bars} is assumed; {tell}",)


def _specs(dump: Dump, view: FunctionView) -> tuple[dict[int, BarSpec], Mapping[int, int]]:
    needs: dict[int, int] = {}
    for msix in (v for v in view.capabilities if isinstance(v, MsixView)):
        for _, place, length in msix_spans(msix):
            needs[place.bar] = max(needs.get(place.bar, 0), place.offset + length)
    bars = {bar.index: bar for bar in view.bars}
    for index in needs:  # registers of zeros: a BAR that has no address yet
        bars.setdefault(index, BarView(index, "memory32", 0, None, False))
    specs: dict[int, BarSpec] = {}
    assumed: dict[int, int] = {}
    for index, bar in sorted(bars.items()):
        size = bar.size
        if size is None:
            size = assumed[index] = _assume(bar, needs.get(index, 0))
        try:
            specs[index] = BarSpec(size, bar.kind, bar.prefetchable)
        except LayoutError as problem:
            raise dump.error(spec.BAR_OFFSET + 4 * index, f"BAR {index}: {problem}", "correct its size") from None
    return specs, assumed


def _assume(bar: BarView, need: int) -> int:
    """A BAR is aligned to its size, so an address tells the most that it can be."""
    least = USUAL_IO if bar.kind == "io" else max(PAGE, need)
    size = 1 << (least - 1).bit_length()
    alignment = bar.base & -bar.base
    return min(size, alignment) if alignment else size

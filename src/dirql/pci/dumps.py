"""Configuration space that somebody took from a real function: read from a file as a value, `Dump`.

Three forms are read: text of lspci (see `lspci`), raw files of 64, 256 or 4096 bytes, and Linux' sysfs
(`/sys/bus/pci/devices/ADDRESS/config`; `resource` beside it tells the sizes of the BARs, Linux Documentation/PCI/sysfs-pci).

Limits: BAR sizes are in no dump's bytes; where no text and no `resource` file tells them they stay unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dirql.errors import InputError, UsageError
from dirql.files import read_file
from dirql.pci import lspci
from dirql.pci.bar import BarKind
from dirql.pci.spec import BAR_COUNT, BAR_OFFSET

__all__ = ["BarRegister", "Dump", "bar_registers", "load"]

LARGEST = 16 << 20
ADDRESS = re.compile(r"([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2}):([0-1][0-9a-fA-F])\.([0-7])")
UNKNOWN_ADDRESS = "0000:00:00.0"  # of a raw file whose name tells none


@dataclass(frozen=True)
class BarRegister:
    """A Base Address register as its bits stand (PCIe 6.0 §7.5.1.2.1)."""

    index: int
    kind: BarKind
    base: int
    prefetchable: bool


@dataclass(frozen=True)
class Dump:
    """One function's configuration space, and where each byte of it stands in its file."""

    source: str
    address: str
    config: bytes
    bar_sizes: Mapping[int, int] = field(default_factory=dict)
    rows: tuple[int, ...] = ()  # the line of each sixteen bytes, when the source is text

    def error(self, offset: int, problem: str, remedy: str = "") -> InputError:
        """An error about the byte at `offset`."""
        row = offset // lspci.WIDTH
        where = str(self.rows[row]) if row < len(self.rows) else f"{offset:#x}"
        return InputError(self.source, where, f"{self.address}: {problem}", remedy)

    def sized(self, sizes: Mapping[int, int]) -> Dump:
        """The same with BAR sizes that somebody told."""
        registers = {bar.index: bar for bar in bar_registers(self.config)}
        for index, size in sizes.items():
            if not 0 <= index < BAR_COUNT:
                raise UsageError(f"BAR {index} does not exist: a function has BAR 0 to {BAR_COUNT - 1}")
            least = 4 if index in registers and registers[index].kind == "io" else 16
            if size < least or size & (size - 1) or size > 1 << 63:
                raise UsageError(f"size {size:#x} of BAR {index} must be a power of two, {least:#x} or more")
        return replace(self, bar_sizes={**self.bar_sizes, **sizes})

    def word(self, offset: int, size: int) -> int:
        """`size` bytes, little endian; bytes that the dump does not hold read 0."""
        return int.from_bytes(self.config[offset : offset + size], "little")


def bar_registers(config: bytes) -> tuple[BarRegister, ...]:
    """The BARs whose register is not all zeros, each once; a bridge has two, a CardBus bridge is not looked at."""
    limit = {0: BAR_COUNT, 1: 2}.get(config[0x0E] & 0x7F, 0)
    found: list[BarRegister] = []
    index = 0
    while index < limit:
        at = BAR_OFFSET + 4 * index
        low = int.from_bytes(config[at : at + 4], "little")
        wide = low & 0b111 == 0b100 and index + 1 < limit
        if low & 1:
            found.append(BarRegister(index, "io", low & ~0b11, False))
        elif wide:
            high = int.from_bytes(config[at + 4 : at + 8], "little")
            found.append(BarRegister(index, "memory64", high << 32 | low & ~0b1111, bool(low & 8)))
        elif low:
            found.append(BarRegister(index, "memory32", low & ~0b1111, bool(low & 8)))
        index += 2 if wide else 1
    return tuple(found)


def load(path: str | Path) -> list[Dump]:
    """The functions that the file holds, at least one. A directory of sysfs stands for the `config` in it."""
    if not str(path):
        raise InputError(repr(path), "", "is no name of a file", "name a dump: the text of lspci -xxxx, or a raw file")
    path = Path(path)
    source = str(path)
    if _is_folder(path):
        path = path / "config"
        if not path.exists():
            raise InputError(source, "", "is a folder without a config file in it", "name a dump, or a device's folder of sysfs")
        source = str(path)
    data = _read(path, source)
    text = _text(data)
    if text is not None:
        return [_listed(source, listing) for listing in lspci.parse(source, text)]
    if len(data) not in lspci.LENGTHS:
        raise InputError(source, "", f"is {len(data)} bytes long; raw configuration space is 64, 256 or 4096 bytes",
                         "or give the text of lspci -xxxx")  # fmt: skip
    beside = path.with_name("resource") if path.name == "config" else None
    sizes = _resource(beside) if beside is not None and beside.is_file() else {}
    return [Dump(source, _address(path), data, sizes)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except ValueError:  # a NUL in the name, which reading tells
        return False


def _read(path: Path, source: str) -> bytes:
    data = read_file(path, source, LARGEST, "name a file that can be read")
    if len(data) > LARGEST:
        raise InputError(source, "", f"is longer than {LARGEST:#x} bytes", "a dump of one machine is smaller; cut it into parts")
    return data


def _text(data: bytes) -> str | None:
    """The text, or None where the bytes are configuration space itself."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and len(data) not in lspci.LENGTHS:  # what a Windows shell redirects
        return data.decode("utf-16", "replace")
    if b"\0" in data or not data.strip():
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if len(data) in lspci.LENGTHS:
            return None
        text = data.decode("utf-8", "replace")
    if len(data) not in lspci.LENGTHS:
        return text
    return text if any(lspci.HEADLINE.match(line) for line in text.split("\n")) else None


def _listed(source: str, listing: lspci.Listing) -> Dump:
    config = bytes(listing.config)
    sizes = {bar.index: listing.sizes_at[bar.base] for bar in bar_registers(config) if bar.base in listing.sizes_at}
    return Dump(source, listing.address, config, {**sizes, **listing.sizes}, tuple(listing.rows))


def _address(path: Path) -> str:
    for name in (path.name, path.absolute().parent.name):
        if match := ADDRESS.search(name):
            return match[0].lower()
    return UNKNOWN_ADDRESS


def _resource(path: Path) -> dict[int, int]:
    """BAR sizes from lines of start, end and flags: the first six are the BARs."""
    source = str(path)
    remedy = "each line is: start end flags, as in sysfs"
    sizes: dict[int, int] = {}
    lines = _read(path, source).decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines[:BAR_COUNT], 1):
        parts = line.split()
        if not parts:
            continue
        try:
            start, end, _ = (int(part, 16) for part in parts)
        except ValueError:
            raise InputError(source, str(number), f"{line.strip()[:60]!r} is not three hexadecimal numbers", remedy) from None
        if start == end == 0:
            continue
        size = end - start + 1
        if start < 0 or end >= 1 << 64 or size < 4 or size & (size - 1):
            raise InputError(source, str(number), f"{start:#x} to {end:#x} is {size:#x} bytes, "
                             "no power of two of 4 or more", remedy)  # fmt: skip
        sizes[number - 1] = size
    return sizes

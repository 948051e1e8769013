"""What an image asks of others and offers to them: the import and the export tables (Microsoft PE Format, ".idata", ".edata").

Limits: forwarders are refused, both an export that is one and an import that was bound through one; delay imports are not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from dirql.hosts.sys.image_read import Directory, ImageBytes

__all__ = ["Export", "Import", "read_exports", "read_imports"]

MOST_IMPORTS = 16_384
MOST_DLLS = 1_024
MOST_EXPORTS = 16_384
DESCRIPTOR = Struct("<5I")  # OriginalFirstThunk, TimeDateStamp, ForwarderChain, Name, FirstThunk
THUNK = Struct("<Q")
BY_ORDINAL = 1 << 63
HINT = 2
NO_FORWARDER = (0, 0xFFFFFFFF)
EXPORT_DIRECTORY = Struct("<2I2H7I")
REBUILD = "build it again; the file may be damaged"


@dataclass(frozen=True)
class Import:
    """A routine or variable of `dll`, by `name` or else by `ordinal`; its address belongs into the slot at `slot`, an RVA."""

    dll: str
    name: str | None
    ordinal: int | None
    slot: int

    def __str__(self) -> str:
        return f"{self.dll}!{self.name or f'#{self.ordinal}'}"


@dataclass(frozen=True)
class Export:
    """What the image offers at `rva`."""

    name: str | None
    ordinal: int
    rva: int


def read_imports(image: ImageBytes, directory: Directory) -> tuple[Import, ...]:
    """Every import in the table's order; an image without a table has none."""
    found: list[Import] = []
    slots: dict[int, str] = {}
    at = directory.rva
    for _ in range(MOST_DLLS + 1 if directory.size else 0):
        names, _, forwarder, name, slot = image.values(at, DESCRIPTOR, "an import descriptor")
        if not name or not slot:
            return tuple(found)
        dll = image.text(name, "the name of an imported DLL")
        if forwarder not in NO_FORWARDER:
            raise image.error(at + 8, f"imports of {dll} were bound through a forwarder ({forwarder:#x})", "link without binding")
        _read_thunks(image, dll, names or slot, slot, found, slots)
        at += DESCRIPTOR.size
    if directory.size:
        raise image.error(directory.rva, f"the import table has no end within {MOST_DLLS} DLLs", REBUILD)
    return ()


def _read_thunks(image: ImageBytes, dll: str, at: int, slot: int, found: list[Import], slots: dict[int, str]) -> None:
    while True:
        (thunk,) = image.values(at, THUNK, f"the import name table of {dll}")
        if not thunk:
            return
        if len(found) >= MOST_IMPORTS:
            raise image.error(at, f"has more than {MOST_IMPORTS} imports", REBUILD)
        if thunk & BY_ORDINAL:
            if thunk & ~BY_ORDINAL > 0xFFFF:
                raise image.error(
                    at, f"an import of {dll} is by ordinal {thunk & ~BY_ORDINAL:#x}; the largest is 0xffff", REBUILD
                )
            entry = Import(dll, None, thunk & 0xFFFF, slot)
        else:
            if thunk > image.size:
                raise image.error(at, f"the name of an import of {dll} lies at RVA {thunk:#x}, beyond {image.size:#x}", REBUILD)
            entry = Import(dll, image.text(thunk + HINT, f"the name of an import of {dll}"), None, slot)
        image.read(slot, THUNK.size, f"the slot of {entry}")
        if slot in slots:
            raise image.error(slot, f"the slot belongs to {slots[slot]} and to {entry}", REBUILD)
        slots[slot] = str(entry)
        found.append(entry)
        at, slot = at + THUNK.size, slot + THUNK.size


def read_exports(image: ImageBytes, directory: Directory) -> tuple[Export, ...]:
    """Every export, by ordinal; an image without a table has none."""
    if not directory.size:
        return ()
    _, _, _, _, _, base, functions, names, addresses_at, names_at, ordinals_at = image.values(
        directory.rva, EXPORT_DIRECTORY, "the export directory"
    )
    if functions > MOST_EXPORTS or names > MOST_EXPORTS:
        raise image.error(directory.rva, f"has {max(functions, names)} exports; {MOST_EXPORTS} are read", REBUILD)
    addresses = Struct(f"<{functions}I").unpack(image.read(addresses_at, 4 * functions, "the export address table"))
    rvas = Struct(f"<{names}I").unpack(image.read(names_at, 4 * names, "the export name table"))
    indexes = Struct(f"<{names}H").unpack(image.read(ordinals_at, 2 * names, "the export ordinal table"))
    named: dict[int, list[str | None]] = {}
    for rva, index in zip(rvas, indexes, strict=True):
        name = image.text(rva, "the name of an export")
        if index >= functions:
            raise image.error(ordinals_at, f"export {name} has index {index}; the address table has {functions}", REBUILD)
        named.setdefault(index, []).append(name)
    found = []
    for index, rva in enumerate(addresses):
        if not rva:
            continue
        for known in named.get(index, [None]):
            export = Export(known, base + index, rva)
            if directory.rva <= rva < directory.rva + directory.size:
                raise image.error(
                    rva, f"export {known or f'#{export.ordinal}'} is a forwarder to {image.text(rva, 'a forwarder')}",
                    "dirql follows no forwarders; export the routine itself",
                )  # fmt: skip
            if rva >= image.size:
                raise image.error(
                    addresses_at + 4 * index,
                    f"export {known or f'#{export.ordinal}'} lies at RVA {rva:#x}, beyond {image.size:#x}",
                    REBUILD,
                )
            found.append(export)
    return tuple(found)

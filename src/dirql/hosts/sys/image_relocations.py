"""Base relocations (Microsoft PE Format, ".reloc"): what changes when an image lies elsewhere than it was linked for."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from dirql.hosts.sys.image_read import Directory, ImageBytes

__all__ = ["Relocation", "apply_relocations", "read_relocations"]

LARGEST_TABLE = 4 << 20  # two million places
BLOCK = Struct("<2I")  # page RVA, bytes of the block with this header
ABSOLUTE, HIGH, LOW, HIGHLOW, HIGHADJ, DIR64 = 0, 1, 2, 3, 4, 10
WIDTHS = {HIGH: 2, LOW: 2, HIGHLOW: 4, HIGHADJ: 2, DIR64: 8}
REBUILD = "build it again; the file may be damaged"


class Relocation(NamedTuple):
    """One place: `kind` is IMAGE_REL_BASED_…, `low` the signed low half that only HIGHADJ has."""

    rva: int
    kind: int
    low: int = 0


def read_relocations(image: ImageBytes, directory: Directory) -> tuple[Relocation, ...]:
    """Every relocation, in order; padding left out."""
    if directory.size > LARGEST_TABLE:
        raise image.error(
            directory.rva, f"the relocation table has {directory.size:#x} bytes; {LARGEST_TABLE:#x} are read", REBUILD
        )
    found: list[Relocation] = []
    at, end = directory.rva, directory.rva + directory.size
    while end - at >= BLOCK.size:
        page, size = image.values(at, BLOCK, "a relocation block")
        if size < BLOCK.size or size % 2 or at + size > end:
            if page == size == 0 and not any(image.read(at, end - at, "the relocation table")):
                break  # padded with zeros to the end
            raise image.error(
                at + 4, f"a relocation block has {size:#x} bytes; {BLOCK.size:#x} to {end - at:#x}, even, are possible", REBUILD
            )
        _read_block(image, at, page, size, found)
        at += size
    return tuple(found)


def _read_block(image: ImageBytes, at: int, page: int, size: int, found: list[Relocation]) -> None:
    count = (size - BLOCK.size) // 2
    entries = iter(enumerate(Struct(f"<{count}H").unpack(image.read(at + BLOCK.size, 2 * count, "a relocation block"))))
    for index, entry in entries:
        rva, kind = page + (entry & 0xFFF), entry >> 12
        low: int | None = 0
        if kind == ABSOLUTE:
            continue
        place = at + BLOCK.size + 2 * index
        width = WIDTHS.get(kind)
        if width is None:
            raise image.error(place, f"relocation of RVA {rva:#x} is of type {kind}; x64 knows 0 to 4 and 10", REBUILD)
        if rva + width > image.size:
            raise image.error(
                place, f"relocation of RVA {rva:#x} lies outside of the image, which ends at {image.size:#x}", REBUILD
            )
        if kind == HIGHADJ:
            _, low = next(entries, (0, None))
            if low is None:
                raise image.error(place, f"relocation of RVA {rva:#x} is of type 4 and lacks the word that follows it", REBUILD)
            low -= (low & 0x8000) << 1
        found.append(Relocation(rva, kind, low or 0))


def apply_relocations(pages: bytearray, relocations: tuple[Relocation, ...], delta: int) -> None:
    """`pages` is the whole image; `delta` how far it moved."""
    quad, double, word = Struct("<Q"), Struct("<I"), Struct("<H")
    for rva, kind, low in relocations:
        if kind == DIR64:
            quad.pack_into(pages, rva, quad.unpack_from(pages, rva)[0] + delta & 0xFFFFFFFFFFFFFFFF)
        elif kind == HIGHLOW:
            double.pack_into(pages, rva, double.unpack_from(pages, rva)[0] + delta & 0xFFFFFFFF)
        elif kind == LOW:
            word.pack_into(pages, rva, word.unpack_from(pages, rva)[0] + delta & 0xFFFF)
        else:  # a high half; HIGHADJ rounds by the low half that the instruction beside it will add
            value = (word.unpack_from(pages, rva)[0] << 16) + delta
            word.pack_into(pages, rva, (value + (low + 0x8000 if kind == HIGHADJ else 0)) >> 16 & 0xFFFF)

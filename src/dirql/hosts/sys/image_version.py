"""Who built an image: its VERSIONINFO resource (Win32 "VS_VERSIONINFO") and its CodeView record (Microsoft PE Format, "Debug").

A driver runs without either, so a damaged one is told in a note and counts as absent.
Limits: the first language of the resource only; of the debug records only CodeView's RSDS form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from uuid import UUID

from dirql.hosts.sys.image_read import Directory, ImageBytes, printable

__all__ = ["CodeView", "Version", "read_code_view", "read_version"]

RESOURCE_DIRECTORY = Struct("<2I4H")
RESOURCE_ENTRY = Struct("<2I")
RESOURCE_DATA = Struct("<4I")
MOST_ENTRIES = 4_096
RT_VERSION = 16
SUBDIRECTORY = 1 << 31
LARGEST_VERSION = 0x10000
BLOCK = Struct("<3H")  # bytes with all that it holds, length of its value, whether that is text
FIXED = Struct("<13I")
FIXED_SIGNATURE = 0xFEEF04BD
DEEPEST = 4  # VS_VERSION_INFO, StringFileInfo, StringTable, String
DEBUG_ENTRY = Struct("<2I2H4I")
CODEVIEW = 2
MOST_DEBUG_ENTRIES = 64
RSDS = Struct("<4s16sI")


@dataclass(frozen=True)
class Version:
    """`file` and `product` as four numbers; `strings` such as FileVersion and ProductName as they stand."""

    file: tuple[int, int, int, int]
    product: tuple[int, int, int, int]
    strings: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return ".".join(map(str, self.file))


@dataclass(frozen=True)
class CodeView:
    """The PDB that belongs to the image; a PDB is the right one when its GUID and age are these."""

    pdb: str
    guid: UUID
    age: int


def read_version(image: ImageBytes, directory: Directory) -> Version | None:
    """None where there is none; an ImageError where it is damaged."""
    at = 0
    for level in range(3):  # type, name, language
        child = _child(image, directory, at, RT_VERSION if level == 0 else None)
        if child is None:
            return None
        if bool(child & SUBDIRECTORY) != (level < 2):
            raise image.error(directory.rva + at, f"level {level} of the resource tree leads to {child:#x}")
        at = child & ~SUBDIRECTORY
    rva, size, _, _ = image.values(directory.rva + at, RESOURCE_DATA, "a resource's data entry")
    if size > LARGEST_VERSION:
        raise image.error(rva, f"the version resource has {size:#x} bytes; {LARGEST_VERSION:#x} are read")
    return _version(image, rva, image.read(rva, size, "the version resource"))


def _child(image: ImageBytes, directory: Directory, at: int, wanted: int | None) -> int | None:
    """The offset of the entry whose id is `wanted`, or of the first one."""
    if not directory.size:
        return None
    *_, named, by_id = image.values(directory.rva + at, RESOURCE_DIRECTORY, "a resource directory")
    if named + by_id > MOST_ENTRIES:
        raise image.error(directory.rva + at, f"a resource directory has {named + by_id} entries; {MOST_ENTRIES} are read")
    for index in range(named + by_id):
        place = directory.rva + at + RESOURCE_DIRECTORY.size + index * RESOURCE_ENTRY.size
        name, offset = image.values(place, RESOURCE_ENTRY, "a resource entry")
        if wanted in (None, name):
            return int(offset)
    return None


def _version(image: ImageBytes, rva: int, data: bytes) -> Version:
    strings: dict[str, str] = {}
    fixed: tuple[int, ...] = ()
    pending = [(0, len(data), 0)]
    while pending:
        at, end, level = pending.pop()
        while end - at >= BLOCK.size:
            size, value_size, text = BLOCK.unpack_from(data, at)
            if size == 0 and level:
                break  # padding
            if size < BLOCK.size or at + size > end:
                raise image.error(rva + at, f"a block of the version resource has {size:#x} bytes of {end - at:#x}")
            key, body = _wide(data, at + BLOCK.size, at + size)
            body = min(_up4(body), at + size)
            if level == 0:
                if value_size < FIXED.size or body + FIXED.size > at + size:
                    raise image.error(
                        rva + at, f"the version resource has {value_size:#x} bytes of numbers; {FIXED.size:#x} are wanted"
                    )
                fixed = FIXED.unpack_from(data, body)
            elif level == DEEPEST - 1 and text and value_size:
                strings[key], _ = _wide(data, body, at + size)
            if level == 0 or (level < DEEPEST - 1 and (level > 1 or key == "StringFileInfo")):
                pending.append((_up4(body + (value_size if level == 0 else 0)), at + size, level + 1))
            at = _up4(at + size)
            if level == 0:
                break
    if not fixed or fixed[0] != FIXED_SIGNATURE:
        raise image.error(rva, f"the version resource's signature is {fixed[0] if fixed else 0:#x} and not {FIXED_SIGNATURE:#x}")
    return Version(_numbers(fixed[2], fixed[3]), _numbers(fixed[4], fixed[5]), strings)


def _wide(data: bytes, at: int, end: int) -> tuple[str, int]:
    """The UTF-16 text at `at`, and the offset behind its NUL."""
    stop = at
    while stop + 2 <= end and data[stop : stop + 2] != b"\0\0":
        stop += 2
    text = data[at:stop].decode("utf-16-le", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text), stop + 2


def _numbers(high: int, low: int) -> tuple[int, int, int, int]:
    return high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF


def _up4(value: int) -> int:
    return (value + 3) & ~3


def read_code_view(image: ImageBytes, directory: Directory) -> CodeView | None:
    """The first RSDS record; None where there is none, an ImageError where it is damaged."""
    count = directory.size // DEBUG_ENTRY.size
    if count > MOST_DEBUG_ENTRIES:
        raise image.error(directory.rva, f"has {count} debug entries; {MOST_DEBUG_ENTRIES} are read")
    for index in range(count):
        entry = image.values(directory.rva + index * DEBUG_ENTRY.size, DEBUG_ENTRY, "a debug entry")
        kind, size, rva = entry[4], entry[5], entry[6]
        if kind != CODEVIEW or size < RSDS.size or not rva:
            continue
        data = image.read(rva, min(size, RSDS.size + 1024), "the CodeView record")
        signature, guid, age = RSDS.unpack_from(data)
        if signature == b"RSDS":
            name = data[RSDS.size :].split(b"\0", 1)[0].decode("utf-8", "replace")
            if not name.isprintable():
                raise image.error(rva + RSDS.size, f"the PDB's name is {printable(name.encode())!r}, which is not printable")
            return CodeView(name, UUID(bytes_le=guid), age)
    return None

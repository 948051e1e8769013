"""The headers and the section table of a driver image (Microsoft PE Format), and what a kernel-mode x64 driver's must say.

pefile, which only this module imports, takes the headers apart and sees nothing but their bytes. Sections and the tables behind
the data directories are read by dirql's own bounded readers: pefile's sort the sections, leave hostile ones out, and answer a bad
table with warnings or with values bent to fit.

Model choice: sections named PAGE… are pageable; those named INIT… and those marked discardable go after DriverEntry.
Limits: ARM64, 32-bit, .NET and EFI images are refused; the checksum is not verified, nor is a signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Any

import pefile

from dirql.hosts.sys.image_read import Directory, ImageError, Section, printable

__all__ = ["LARGEST_IMAGE", "Headers", "read_headers"]

LARGEST_IMAGE = 256 << 20
MOST_SECTIONS = 96
PAGE = 0x1000
AMD64 = 0x8664
OTHER_MACHINES = {0x14C: "32-bit x86", 0x1C0: "ARM", 0x1C4: "32-bit ARM", 0x200: "Itanium", 0xA641: "ARM64EC", 0xAA64: "ARM64"}
PE32_PLUS = 0x20B
NATIVE = 1
OTHER_SUBSYSTEMS = {
    2: "windows", 3: "console", 5: "OS/2", 7: "POSIX", 9: "Windows CE", 10: "EFI application", 11: "EFI boot service driver",
    12: "EFI runtime driver", 13: "EFI ROM", 14: "Xbox", 16: "boot application",
}  # fmt: skip
RELOCS_STRIPPED, EXECUTABLE_IMAGE, DLL = 0x0001, 0x0002, 0x2000
SECTION = Struct("<8s4I12xI")  # name, virtual size, RVA, raw size, its place, characteristics
SCN_DISCARDABLE, SCN_EXECUTE, SCN_READ, SCN_WRITE = 1 << 25, 1 << 29, 1 << 30, 1 << 31
NAMES = (
    "export", "import", "resource", "exception", "security", "base relocation", "debug", "architecture", "global pointer", "TLS",
    "load config", "bound import", "import address table", "delay import", "CLR", "reserved",
)  # fmt: skip
SECURITY, CLR = NAMES.index("security"), NAMES.index("CLR")
DIRECTORIES = len(NAMES)
REBUILD = "build it again; the file may be damaged"


@dataclass(frozen=True)
class Headers:
    """What the headers say; `directories` has all sixteen, of size 0 where the file has fewer."""

    preferred_base: int
    size: int
    entry: int
    subsystem: int
    timestamp: int
    checksum: int
    fixed: bool
    dll: bool
    header_bytes: bytes
    sections: tuple[Section, ...]
    directories: tuple[Directory, ...]


def read_headers(data: bytes, source: str) -> Headers:
    """The headers of the file whose bytes are `data`; an ImageError when dirql could not run it."""
    parsed, end = _parse(data, source)
    file, optional = parsed.FILE_HEADER, parsed.OPTIONAL_HEADER
    _check_kind(file, optional, source, parsed.DOS_HEADER.e_lfanew)
    at = optional.get_field_absolute_offset
    size, alignment = optional.SizeOfImage, optional.SectionAlignment
    if alignment < PAGE or alignment & (alignment - 1):
        raise _error(
            source,
            at("SectionAlignment"),
            f"SectionAlignment is {alignment:#x}; a power of two, {PAGE:#x} or more, is wanted",
            "link with /ALIGN:4096",
        )
    if not 0 < size <= LARGEST_IMAGE:
        raise _error(source, at("SizeOfImage"), f"SizeOfImage is {size:#x}; 1 to {LARGEST_IMAGE:#x} bytes are read", REBUILD)
    if optional.ImageBase % PAGE:
        raise _error(source, at("ImageBase"), f"ImageBase {optional.ImageBase:#x} is no multiple of {PAGE:#x}", REBUILD)
    size = _up(size, PAGE)
    if not end <= optional.SizeOfHeaders <= min(len(data), size):
        raise _error(
            source,
            at("SizeOfHeaders"),
            f"SizeOfHeaders is {optional.SizeOfHeaders:#x}; the headers end at {end:#x}, "
            f"the file at {len(data):#x}, the image at {size:#x}",
            REBUILD,
        )
    sections = _sections(parsed, data, source, size, end)
    entry = optional.AddressOfEntryPoint
    if not any(s.executable and s.rva <= entry < s.end for s in sections):
        raise _error(
            source,
            at("AddressOfEntryPoint"),
            f"the entry point, RVA {entry:#x}, lies in no executable section",
            "link with /ENTRY:FxDriverEntry, as the KMDF libraries ask for",
        )
    return Headers(
        preferred_base=optional.ImageBase, size=size, entry=entry, subsystem=optional.Subsystem, timestamp=file.TimeDateStamp,
        checksum=optional.CheckSum, fixed=bool(file.Characteristics & RELOCS_STRIPPED), dll=bool(file.Characteristics & DLL),
        header_bytes=data[: optional.SizeOfHeaders], sections=sections, directories=_directories(optional, source, size),
    )  # fmt: skip


def _parse(data: bytes, source: str) -> tuple[Any, int]:
    """pefile's view of the headers, which are known to be whole, and the offset behind them."""
    if len(data) > LARGEST_IMAGE:
        raise ImageError(
            source, "", f"is larger than {LARGEST_IMAGE:#x} bytes, the largest image that is read", "name a driver's .sys"
        )
    if data[:2] != b"MZ":
        raise _error(source, 0, f"begins with {data[:2].hex() or 'nothing'} and not with 4d5a (MZ)", "name a driver's .sys")
    start = _word(data, 0x3C, 4, source)
    if data[start : start + 4] != b"PE\0\0":
        raise _error(source, 0x3C, f"e_lfanew {start:#x} leads to no PE signature in a file of {len(data):#x} bytes", REBUILD)
    machine, magic = _word(data, start + 4, 2, source), _word(data, start + 24, 2, source)
    if machine != AMD64:
        kind = OTHER_MACHINES.get(machine, "unknown")
        raise _error(
            source, start + 4, f"is for machine {machine:#x} ({kind}); dirql runs x64 ({AMD64:#x}) only", "build it for x64"
        )
    if magic != PE32_PLUS:
        raise _error(
            source, start + 24, f"has an optional header of kind {magic:#x} and not {PE32_PLUS:#x} (PE32+)", "build it for x64"
        )
    sections, optional = _word(data, start + 6, 2, source), _word(data, start + 20, 2, source)
    if not 0 < sections <= MOST_SECTIONS:
        raise _error(source, start + 6, f"has {sections} sections; 1 to {MOST_SECTIONS} are read", REBUILD)
    directories = min(_word(data, start + 24 + 108, 4, source), DIRECTORIES)
    if optional < 112 + 8 * directories:
        raise _error(
            source,
            start + 20,
            f"SizeOfOptionalHeader is {optional:#x}; its {directories} directories want {112 + 8 * directories:#x}",
            REBUILD,
        )
    end = start + 24 + optional + SECTION.size * sections
    if end > len(data):
        raise _error(source, start, f"is cut off: its headers end at {end:#x}, the file at {len(data):#x}", REBUILD)
    try:
        parsed = pefile.PE(data=data[: end - SECTION.size * sections], fast_load=True)
    except pefile.PEFormatError as problem:
        raise _error(source, start, f"has headers that are not understood ({problem})", REBUILD) from None
    if len(parsed.OPTIONAL_HEADER.DATA_DIRECTORY) < directories:
        raise _error(source, start, f"has {directories} directories that are not understood", REBUILD)
    return parsed, end


def _word(data: bytes, at: int, size: int, source: str) -> int:
    if at + size > len(data):
        raise _error(source, at, f"is cut off: the file ends at {len(data):#x}", REBUILD)
    return int.from_bytes(data[at : at + size], "little")


def _check_kind(file: Any, optional: Any, source: str, start: int) -> None:
    """A kernel-mode driver, or a DLL of whatever subsystem: export drivers and hand-made ones are such."""
    flags = file.Characteristics
    if not flags & EXECUTABLE_IMAGE:
        raise _error(source, start + 22, f"Characteristics {flags:#x} lack EXECUTABLE_IMAGE (0x2)", "link it without errors")
    if optional.Subsystem != NATIVE and not flags & DLL:
        kind = OTHER_SUBSYSTEMS.get(optional.Subsystem, "unknown")
        raise _error(
            source,
            optional.get_field_absolute_offset("Subsystem"),
            f"is a program for subsystem {optional.Subsystem} ({kind}) and no kernel-mode driver",
            "link with /SUBSYSTEM:NATIVE /DRIVER",
        )


def _sections(parsed: Any, data: bytes, source: str, size: int, end: int) -> tuple[Section, ...]:
    alignment = parsed.OPTIONAL_HEADER.SectionAlignment
    found: list[Section] = []
    least = parsed.OPTIONAL_HEADER.SizeOfHeaders
    before = "the headers"
    for at in range(end - SECTION.size * parsed.FILE_HEADER.NumberOfSections, end, SECTION.size):
        raw_name, virtual, rva, raw, pointer, flags = SECTION.unpack_from(data, at)
        name = _section_name(raw_name, parsed.FILE_HEADER, data)
        virtual = virtual or raw
        if rva % alignment:
            raise _error(
                source, at + 12, f"section {name} at RVA {rva:#x} is not aligned to SectionAlignment {alignment:#x}", REBUILD
            )
        if rva < least:
            raise _error(
                source,
                at + 12,
                f"section {name} at RVA {rva:#x} overlaps {before}, which end{'s' * bool(found)} at {least:#x}",
                REBUILD,
            )
        if rva + virtual > size:
            raise _error(source, at + 8, f"section {name} ends at RVA {rva + virtual:#x}, beyond SizeOfImage {size:#x}", REBUILD)
        if raw and pointer + raw > len(data):
            raise _error(
                source,
                at + 20,
                f"section {name} ends at {pointer + raw:#x}, beyond the file, which ends at {len(data):#x}",
                REBUILD,
            )
        found.append(Section(
            name, rva, virtual, data[pointer : pointer + min(raw, _up(virtual, PAGE))] if pointer else b"",
            readable=bool(flags & SCN_READ), writable=bool(flags & SCN_WRITE), executable=bool(flags & SCN_EXECUTE),
            discardable=bool(flags & SCN_DISCARDABLE) or name.startswith("INIT"), pageable=name.startswith("PAGE"),
        ))  # fmt: skip
        least, before = _up(rva + virtual, PAGE), f"section {name}"
    return tuple(found)


def _section_name(raw: bytes, file: Any, data: bytes) -> str:
    """The name; a long one is `/` and its place in the string table behind the COFF symbols, as MinGW's linker writes them."""
    name = raw.rstrip(b"\0")
    if name[:1] == b"/" and name[1:].isdigit() and file.PointerToSymbolTable:
        at = file.PointerToSymbolTable + 18 * file.NumberOfSymbols + int(name[1:])
        name = data[at : at + 256].split(b"\0", 1)[0] or name
    return printable(name)


def _directories(optional: Any, source: str, size: int) -> tuple[Directory, ...]:
    count = min(optional.NumberOfRvaAndSizes, DIRECTORIES)
    found = [Directory(entry.VirtualAddress, entry.Size) for entry in optional.DATA_DIRECTORY[:count]]
    for index, entry in enumerate(found):
        if index == SECURITY:  # is a place in the file: signatures are not mapped
            continue
        if entry.size and entry.rva + entry.size > size:
            at = optional.DATA_DIRECTORY[index].get_file_offset()
            raise _error(
                source,
                at,
                f"directory {index} ({NAMES[index]}) ends at RVA {entry.rva + entry.size:#x}, beyond SizeOfImage {size:#x}",
                REBUILD,
            )
    if len(found) > CLR and found[CLR].size:
        at = optional.DATA_DIRECTORY[CLR].get_file_offset()
        raise _error(source, at, "holds .NET code", "dirql runs native x64 code only")
    return tuple(found) + (Directory(0, 0),) * (DIRECTORIES - len(found))


def _error(source: str, offset: int, problem: str, remedy: str) -> ImageError:
    return ImageError(source, f"{offset:#x}", problem, remedy)


def _up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment

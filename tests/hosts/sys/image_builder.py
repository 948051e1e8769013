"""PE files made by hand, and a real one from the compiler: the worlds of the tests of images, unwinding and symbols."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from struct import pack, pack_into

R, W, X = 0x40000000, 0x80000000, 0x20000000
DISCARDABLE = 0x02000000
BASE = 0x140000000
NT = 0x40  # e_lfanew
OPTIONAL = NT + 24
TABLE = OPTIONAL + 240  # of the sections
HEADERS = 0x400
# fmt: off
FIELDS = {
    "lfanew": (0x3C, "I"), "machine": (NT + 4, "H"), "section_count": (NT + 6, "H"), "optional": (NT + 20, "H"),
    "flags": (NT + 22, "H"), "magic": (OPTIONAL, "H"),
    "entry": (OPTIONAL + 16, "I"), "base": (OPTIONAL + 24, "Q"), "alignment": (OPTIONAL + 32, "I"),
    "size": (OPTIONAL + 56, "I"), "headers": (OPTIONAL + 60, "I"), "subsystem": (OPTIONAL + 68, "H"),
}
# fmt: on
EXPORT, IMPORT, RESOURCE, EXCEPTION, SECURITY, RELOCATION, DEBUG, TLS, LOAD_CONFIG, CLR = 0, 1, 2, 3, 4, 5, 6, 9, 10, 14
Sections = list[tuple[str, bytes, int]]
CODE: tuple[str, bytes, int] = (".text", b"\xc3" * 16, R | X)
TARGET = ["-target", "x86_64-windows-gnu", "-ffreestanding", "-fno-stack-protector", "-fno-sanitize=all", "-mno-stack-arg-probe"]
LINK = ["-nostdlib", "-shared", "-Wl,--entry=DriverEntry", "-Wl,--subsystem,native"]


def build(sections: Sections | None = None, directories: dict[int, tuple[int, int]] | None = None, **fields: int) -> bytes:
    """A driver whose section number i lies at RVA 0x1000 * (i + 1); the first holds the entry, the last may be large.

    `fields` overwrite the headers'.
    """
    sections = sections or [CODE]
    assert all(len(data) <= 0x1000 for _, data, _ in sections[:-1])
    image = bytearray(HEADERS)
    image[:2], image[NT : NT + 4] = b"MZ", b"PE\0\0"
    pack_into("<I", image, 0x3C, NT)
    pack_into("<HHIIIHH", image, NT + 4, 0x8664, len(sections), 0x5F000000, 0, 0, 240, 0x2022)
    pack_into("<H", image, OPTIONAL, 0x20B)
    pack_into("<IIQII", image, OPTIONAL + 16, 0x1000, 0x1000, BASE, 0x1000, 0x200)
    size = 0x1000 * len(sections) + -(-len(sections[-1][1]) // 0x1000) * 0x1000
    pack_into("<IIIHH", image, OPTIONAL + 56, size, HEADERS, 0, 1, 0)
    pack_into("<I", image, OPTIONAL + 108, 16)
    for index, (rva, size) in (directories or {}).items():
        pack_into("<II", image, OPTIONAL + 112 + 8 * index, rva, size)
    at = HEADERS
    for index, (name, data, flags) in enumerate(sections):
        raw = data + bytes(-len(data) % 0x200)
        pack_into("<8sIIII", image, TABLE + 40 * index, name.encode(), len(data), 0x1000 * (index + 1), len(raw), at)
        pack_into("<I", image, TABLE + 40 * index + 36, flags)
        image += raw
        at += len(raw)
    for field, value in fields.items():
        offset, form = FIELDS[field]
        pack_into("<" + form, image, offset, value)
    return bytes(image)


def with_table(index: int, table: bytes, size: int | None = None, flags: int = R) -> bytes:
    """A driver with `table` at RVA 0x2000 as its directory number `index`."""
    return build([CODE, (".rdata", table, flags)], {index: (0x2000, len(table) if size is None else size)})


def imports(rva: int, dlls: dict[str, list[str | int]]) -> bytes:
    """An import table for `rva`: descriptors, then per DLL its slots (the last of which is 0), then the names."""
    head, slots, names = b"", b"", b""
    slots_at = rva + 20 * (len(dlls) + 1)
    names_at = slots_at + 8 * sum(len(entries) + 1 for entries in dlls.values())
    for dll, entries in dlls.items():
        head += pack("<5I", 0, 0, 0, names_at + len(names), slots_at + len(slots))
        names += dll.encode() + b"\0"
        for entry in entries:
            slots += pack("<Q", 1 << 63 | entry if isinstance(entry, int) else names_at + len(names))
            names += b"" if isinstance(entry, int) else b"\0\0" + entry.encode() + b"\0"
        slots += bytes(8)
    return head + bytes(20) + slots + names


def exports(rva: int, names: dict[str, int], base: int = 1) -> bytes:
    """An export table for `rva`."""
    count = len(names)
    addresses, table, ordinals = rva + 40, rva + 40 + 4 * count, rva + 40 + 8 * count
    text, places = b"", []
    for name in names:
        places.append(rva + 40 + 10 * count + len(text))
        text += name.encode() + b"\0"
    head = pack("<IIHHIIIIIII", 0, 0, 0, 0, 0, base, count, count, addresses, table, ordinals)
    return head + pack(f"<{count}I{count}I{count}H", *names.values(), *places, *range(count)) + text


def block(page: int, *entries: tuple[int, int]) -> bytes:
    """A relocation block of (type, offset in the page); a type of -1 is a word as it stands."""
    words = [offset if kind < 0 else kind << 12 | offset for kind, offset in entries]
    return pack(f"<II{len(words)}H", page, 8 + 2 * len(words), *words)


def version(rva: int, number: tuple[int, int, int, int], strings: dict[str, str]) -> bytes:
    """A resource tree for `rva` with a VERSIONINFO."""

    def piece(key: str, value: bytes, text: bool, children: bytes = b"") -> bytes:
        head = key.encode("utf-16-le") + b"\0\0"
        head += bytes(-(6 + len(head)) % 4) + value
        head += bytes(-len(head) - 6 & 3 if children else 0) + children
        body = pack("<HHH", 6 + len(head), len(value) // (2 if text else 1), text) + head
        return body + bytes(-len(body) % 4)

    rows = b"".join(piece(key, value.encode("utf-16-le") + b"\0\0", True) for key, value in strings.items())
    table = piece("StringFileInfo", b"", True, piece("040904b0", b"", True, rows))
    high, low = number[0] << 16 | number[1], number[2] << 16 | number[3]
    fixed = pack("<13I", 0xFEEF04BD, 0x10000, high, low, high, low, *[0] * 7)
    data = piece("VS_VERSION_INFO", fixed, False, table)
    tree = pack("<2I4H2I", 0, 0, 0, 0, 0, 1, 16, 1 << 31 | 24)
    tree += pack("<2I4H2I", 0, 0, 0, 0, 0, 1, 1, 1 << 31 | 48)
    tree += pack("<2I4H2I", 0, 0, 0, 0, 0, 1, 0x409, 72)
    return tree + pack("<4I", rva + 88, len(data), 0, 0) + data


def code_view(rva: int, pdb: bytes, guid: bytes = bytes(range(16)), age: int = 3) -> bytes:
    """A debug directory for `rva` with one RSDS record."""
    record = b"RSDS" + guid + pack("<I", age) + pdb
    return pack("<IIHHIIII", 0, 0, 0, 0, 2, len(record), rva + 28, 0) + record


def compile_driver(folder: Path, name: str, source: str, *options: str) -> Path:
    """`source` as `name`.sys with its PDB, by the C compiler that the ziglang package brings."""
    (folder / f"{name}.c").write_text(source)
    library = folder / "ntoskrnl.lib"
    if not library.exists():
        (folder / "ntoskrnl.def").write_text("LIBRARY ntoskrnl.exe\nEXPORTS\nDbgPrint\n__C_specific_handler\n")
        _zig(folder, "dlltool", "-m", "i386:x86-64", "-d", "ntoskrnl.def", "-l", library.name)
    _zig(folder, "cc", *TARGET, "-g", *options, *LINK, f"{name}.c", library.name, "-o", f"{name}.sys")
    return folder / f"{name}.sys"


def _zig(folder: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "ziglang", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""How an image binds to the framework: the structures that its stub hands to WdfVersionBind, found in its data (facts §6.2).

A structure is recognised by the pointer to its name and by what stands around it. Limits: one that is put together at run time
is not found; then it is told that the framework's use could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dirql.check.code import Code
from dirql.facts import routines
from dirql.hosts.sys.binding import BY_POINTER, COUNTS, NEWEST
from dirql.hosts.sys.structs import Buffer
from dirql.hosts.sys.wdf_structs import WDF_BIND_INFO, WDF_BIND_INFO2, WDF_CLASS_BIND_INFO

__all__ = ["Binding", "ClassExtension", "find_bindings", "find_classes"]

LIBRARY = "KmdfLibrary"
CLASS_SIZES = (WDF_CLASS_BIND_INFO.size, 0x78)
MOST_CLASS_FUNCTIONS = 4096


@dataclass(frozen=True)
class Binding:
    """A WDF_BIND_INFO: the KMDF version that the driver was built for, and where its function table is or its address goes."""

    address: int
    major: int
    minor: int
    count: int
    table: int

    @property
    def version(self) -> str:
        """`1.33`."""
        return f"{self.major}.{self.minor}"

    @property
    def by_pointer(self) -> bool:
        """True when the driver has a pointer to the table and not the table."""
        return self.count >= BY_POINTER

    @property
    def modelled(self) -> bool:
        """True for a version that dirql binds to."""
        return self.major == 1 and self.minor <= NEWEST and self.count in COUNTS.values()

    def names(self) -> dict[int, str]:
        """The functions that this version has, by index."""
        return {row.index: row.name for row in routines().values() if row.index is not None and row.index < self.count}


@dataclass(frozen=True)
class ClassExtension:
    """What else than KMDF alone the driver is built on."""

    name: str
    version: str
    what: str


def find_bindings(code: Code) -> list[Binding]:
    """Every WDF_BIND_INFO in the image's data."""
    found = []
    for place in _named(code, LIBRARY):
        at = place - WDF_BIND_INFO.offset("Component")
        data = code.read(at, WDF_BIND_INFO.size)
        if len(data) < WDF_BIND_INFO.size:
            continue
        info = WDF_BIND_INFO(Buffer(data, at), at)
        if info.Size in (WDF_BIND_INFO.size, WDF_BIND_INFO2.size) and code.holds(info.FuncTable):
            found.append(Binding(at, info.Version.Major, info.Version.Minor, info.FuncCount, info.FuncTable))
    return found


def find_classes(code: Code) -> list[ClassExtension]:
    """Every WDF_CLASS_BIND_INFO in the image's data."""
    found = []
    for section in code.sections:
        if section.executable:
            continue
        for at in range(section.rva, section.rva + len(section.data) - WDF_CLASS_BIND_INFO.size + 1, 8):
            offset = at - section.rva
            if section.data[offset : offset + 4] not in SIZE_BYTES or any(section.data[offset + 4 : offset + 8]):
                continue
            address = code.base + at
            info = WDF_CLASS_BIND_INFO(Buffer(code.read(address, WDF_CLASS_BIND_INFO.size), address), address)
            name = code.wide_text(info.ClassName) if code.holds(info.ClassName) else None
            if name and code.holds(info.FunctionTable) and 0 < info.FunctionTableCount <= MOST_CLASS_FUNCTIONS:
                found.append(ClassExtension(name, f"{info.Version.Major}.{info.Version.Minor}", "class extension"))
    return found


def _named(code: Code, name: str) -> Iterator[int]:
    """Where pointers to the wide string `name` are."""
    sought = name.encode("utf-16-le") + b"\0\0"
    strings = set()
    for section in code.sections:
        at = section.data.find(sought)
        while at >= 0:
            strings.add(code.base + section.rva + at)
            at = section.data.find(sought, at + 1)
    if strings:
        for place, _ in code.pointers_to(strings):
            yield place


SIZE_BYTES = {size.to_bytes(4, "little") for size in CLASS_SIZES}

"""A driver image as a value (Microsoft PE Format, PE32+ for x64): what the file says, checked, and laid out for an address.

Where __security_cookie still has the linker's default value it gets another one (model choice: 48 bits); on dirql that comes from
the file's bytes, so that every run sees the same.
Limits: thread-local storage gets no block and its callbacks do not run; delay imports are not resolved; the mapped headers keep
the preferred base.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePath
from struct import Struct
from typing import TypeVar

from dirql.errors import UsageError
from dirql.hosts.sys.image_headers import LARGEST_IMAGE, NAMES, NATIVE, Headers, read_headers
from dirql.hosts.sys.image_names import Export, Import, read_exports, read_imports
from dirql.hosts.sys.image_read import Directory, ImageBytes, ImageError, Section
from dirql.hosts.sys.image_relocations import Relocation, apply_relocations, read_relocations
from dirql.hosts.sys.image_version import CodeView, Version, read_code_view, read_version

__all__ = [
    "LARGEST_IMAGE", "CodeView", "Directory", "Export", "Image", "ImageError", "Import", "Relocation", "Section", "Version",
]  # fmt: skip

PAGE = 0x1000
DEFAULT_COOKIE = 0x00002B992DDFA232
COOKIE_FIELD = 88  # of IMAGE_LOAD_CONFIG_DIRECTORY64
RUNTIME_FUNCTION = 12
MOST_FUNCTIONS = 1 << 18
QUAD = Struct("<Q")
T = TypeVar("T")


@dataclass(frozen=True)
class Image:
    """One driver image; every RVA in it is known to lie inside.

    `source` is what messages call it. `notes` tell what is odd about it and does not keep it from running.
    `security_cookie` is the RVA of __security_cookie; `cookie` what `laid_out` puts there.
    """

    source: str
    preferred_base: int
    size: int
    entry: int
    subsystem: int
    timestamp: int
    checksum: int
    fixed: bool
    header_bytes: bytes
    sections: tuple[Section, ...]
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]
    relocations: tuple[Relocation, ...]
    exceptions: Directory | None
    tls: Directory | None
    security_cookie: int | None
    cookie: int
    version: Version | None
    code_view: CodeView | None
    notes: tuple[str, ...]

    @classmethod
    def from_bytes(cls, data: bytes, source: str) -> Image:
        """The image whose file holds `data`; an ImageError says in one line why it cannot be one."""
        headers = read_headers(data, source)
        image = ImageBytes(source, headers.size, headers.header_bytes, headers.sections)
        tables = dict(zip(NAMES, headers.directories, strict=True))
        notes = _notes(headers, tables)
        return cls(
            source=source, preferred_base=headers.preferred_base, size=headers.size, entry=headers.entry,
            subsystem=headers.subsystem, timestamp=headers.timestamp, checksum=headers.checksum, fixed=headers.fixed,
            header_bytes=headers.header_bytes, sections=headers.sections,
            imports=read_imports(image, tables["import"]),
            exports=read_exports(image, tables["export"]),
            relocations=read_relocations(image, tables["base relocation"]),
            exceptions=_exceptions(image, tables["exception"]),
            tls=tables["TLS"] if tables["TLS"].size else None,
            security_cookie=_security_cookie(image, tables["load config"], headers.preferred_base),
            cookie=_cookie(data),
            version=_optional(read_version, image, tables["resource"], notes),
            code_view=_optional(read_code_view, image, tables["debug"], notes),
            notes=tuple(notes),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return PurePath(self.source).name

    def section_at(self, rva: int) -> Section | None:
        """None for the headers and what no section covers."""
        return next((section for section in self.sections if section.rva <= rva < section.end), None)

    def laid_out(self, base: int) -> bytearray:
        """All `size` bytes as they lie at `base`: relocated, the security cookie set, the import slots as the file has them."""
        if base % PAGE or not 0 <= base <= (1 << 64) - self.size:
            raise UsageError(
                f"{self.name} cannot lie at {base:#x}: it wants a multiple of {PAGE:#x} with {self.size:#x} bytes behind it"
            )
        if self.fixed and base != self.preferred_base:
            raise ImageError(
                self.source,
                "",
                f"has no relocations (RELOCS_STRIPPED) and lies at {self.preferred_base:#x} only, not at {base:#x}",
                "link with /DYNAMICBASE and without /FIXED",
            )
        pages = bytearray(self.size)
        for start, data in ((0, self.header_bytes), *((section.rva, section.data) for section in self.sections)):
            pages[start : start + len(data)] = data
        if base != self.preferred_base:
            apply_relocations(pages, self.relocations, base - self.preferred_base)
        if self.security_cookie is not None and QUAD.unpack_from(pages, self.security_cookie)[0] == DEFAULT_COOKIE:
            QUAD.pack_into(pages, self.security_cookie, self.cookie)
        return pages

    def __repr__(self) -> str:
        return f"<Image {self.name} size={self.size:#x} entry={self.entry:#x} {len(self.imports)} imports>"


def _notes(headers: Headers, tables: dict[str, Directory]) -> list[str]:
    notes = []
    if headers.subsystem != NATIVE:
        notes.append(f"subsystem is {headers.subsystem} and not {NATIVE} (native)")
    if tables["TLS"].size:
        notes.append("has thread-local storage, which a kernel-mode driver does not get")
    if tables["delay import"].size:
        notes.append("has delay imports, which dirql does not resolve")
    return notes


def _exceptions(image: ImageBytes, directory: Directory) -> Directory | None:
    if directory.size % RUNTIME_FUNCTION:
        raise image.error(
            directory.rva,
            f"the exception directory has {directory.size:#x} bytes, no multiple of {RUNTIME_FUNCTION:#x}",
            "build it again; the file may be damaged",
        )
    if directory.size > MOST_FUNCTIONS * RUNTIME_FUNCTION:
        count = directory.size // RUNTIME_FUNCTION
        raise image.error(
            directory.rva, f"has {count} function entries; {MOST_FUNCTIONS} are read", "build it again; the file may be damaged"
        )
    return directory if directory.size else None


def _security_cookie(image: ImageBytes, directory: Directory, base: int) -> int | None:
    """Its RVA: the load configuration holds its address, and says first how much of itself there is."""
    if directory.size < 4:
        return None
    size = int.from_bytes(image.read(directory.rva, 4, "the load configuration"), "little")
    if size < COOKIE_FIELD + QUAD.size:
        return None
    (address,) = image.values(directory.rva + COOKIE_FIELD, QUAD, "the load configuration")
    if not address:
        return None
    rva = int(address) - base
    if not 0 <= rva <= image.size - QUAD.size:
        raise image.error(
            directory.rva + COOKIE_FIELD,
            f"__security_cookie is at {address:#x}; the image lies at {base:#x} to {base + image.size:#x}",
            "build it again; the file may be damaged",
        )
    return rva


def _cookie(data: bytes) -> int:
    """48 bits, as the x64 check wants its upper 16 bits zero; not 0 nor the default, which the driver's start-up refuses."""
    cookie = int.from_bytes(blake2b(data, digest_size=6).digest(), "little")
    return cookie if cookie not in (0, DEFAULT_COOKIE) else DEFAULT_COOKIE ^ 1


def _optional(
    reader: Callable[[ImageBytes, Directory], T | None], image: ImageBytes, directory: Directory, notes: list[str]
) -> T | None:
    try:
        return reader(image, directory)
    except ImageError as problem:
        notes.append(f"{problem.where}: {problem.problem}")
        return None

"""Function, file and line of an address in an image: from the PDB beside it, or from DWARF inside of it, through symbolic.

Only this module imports symbolic. A PDB is believed when its GUID and age are the image's (Microsoft PE Format, "Debug"); another
one, or a damaged one, is told in `notes` and left alone: a run without symbols is still a run.
Limits: no symbol server; no data symbols; parameter lists are cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Protocol, cast

from symbolic.debuginfo import Archive, Object
from symbolic.exceptions import SymbolicError

from dirql.errors import InputError
from dirql.files import read_file
from dirql.hosts.sys.image import Image

__all__ = ["Place", "Symbols", "load_symbols"]

LARGEST_PDB = 512 << 20
LONGEST_NAME = 512
HEADERS = {".h", ".hh", ".hpp", ".hxx", ".inl"}


@dataclass(frozen=True)
class Place:
    """A function, and where in its source; `file` is "" and `line` 0 where only the name is known.

    `offset` counts from the start of the function whose code it is; an `inlined` one has none of its own.
    """

    function: str
    file: str
    line: int
    offset: int
    inlined: bool = False

    @property
    def source(self) -> str:
        """`file.c:12`, the folder left out; "" where unknown."""
        return f"{PureWindowsPath(self.file).name}:{self.line}" if self.file and self.line else ""


    @property
    def in_header(self) -> bool:
        """What every driver includes, as READ_REGISTER_ULONG's own lines in wdm.h."""
        return PureWindowsPath(self.file).suffix.lower() in HEADERS


class _Location(Protocol):
    sym_addr: int
    line: int
    symbol: str
    full_path: str | None


class _Cache(Protocol):
    """What dirql uses of symbolic's SymCache, which has no types."""

    def lookup(self, addr: int) -> Sequence[_Location]: ...


class Symbols:
    """The symbols of one image. `source` is the file they come from, "" where there are none; `notes` say why."""

    def __init__(self, image: Image, source: str = "", notes: Sequence[str] = (), cache: _Cache | None = None) -> None:
        self.image, self.source, self.notes = image, source, tuple(notes)
        self._cache = cache
        self._known: dict[int, tuple[Place, ...]] = {}

    def at(self, rva: int) -> tuple[Place, ...]:
        """The functions around `rva`, the innermost inlined one first; () where nothing is known."""
        if rva not in self._known:
            self._known[rva] = self._look_up(rva)
        return self._known[rva]

    def words(self, rva: int, *, returning: bool = False) -> str:
        """`nic.sys!EvtIsr+0x1a (nic.c:120)`, with what is inlined there; else the section: `nic.sys+0x1a40 (.text+0xa40)`.
        `returning`: a call comes back to `rva`, and its own line is told. The line is the innermost that is in no header."""
        places = self.at(rva - returning)
        if places:
            inner, outer = next((place for place in places if not place.in_header), places[0]), places[-1]
            text = f"{self.image.name}!{outer.function}+{outer.offset + returning:#x}"
            for place in reversed(places[:-1]):
                text += f" {place.function} (inlined)"
            return text + (f" ({inner.source})" if inner.source else "")
        section = self.image.section_at(rva)
        if section is not None:
            return f"{self.image.name}+{rva:#x} ({section.name}+{rva - section.rva:#x})"
        return f"{self.image.name}+{rva:#x} ({'headers' if 0 <= rva < len(self.image.header_bytes) else 'in no section'})"

    def _look_up(self, rva: int) -> tuple[Place, ...]:
        if self._cache is None or not 0 <= rva < self.image.size:
            return ()
        try:
            found = self._cache.lookup(rva)
        except (SymbolicError, ValueError):  # damage that only shows here
            return ()
        start = found[-1].sym_addr if found else 0
        offset = rva - start if start <= rva else 0
        return tuple(
            Place(_name(location.symbol), _clean(location.full_path or ""), location.line, offset, location is not found[-1])
            for location in found
        )


def load_symbols(image: Image, path: Path) -> Symbols:
    """The symbols for the image whose file is `path`; never an error, `notes` tell what was not usable."""
    notes: list[str] = []
    names = [PureWindowsPath(image.code_view.pdb).name] if image.code_view else []
    names.append(path.with_suffix(".pdb").name)
    for name in dict.fromkeys(names):
        beside = path.with_name(name) if name not in ("", ".", "..") else path
        if beside != path and _exists(beside):
            cache = _open(image, beside, notes)
            if cache is not None:
                return Symbols(image, str(beside), notes, cache)
    if any(section.name.startswith(".debug_") for section in image.sections):
        cache = _open(image, path, notes)
        if cache is not None:
            return Symbols(image, str(path), notes, cache)
    if not notes:
        notes.append(f"{image.name} has no symbols: there is no {names[0]} beside it; addresses are told by section")
    return Symbols(image, "", notes)


def _open(image: Image, path: Path, notes: list[str]) -> _Cache | None:
    """The file's symbols, if they are the image's; else why not, in `notes`."""
    try:
        data = read_file(path, str(path), LARGEST_PDB, "put the build's own beside the image")
        if len(data) > LARGEST_PDB:
            notes.append(f"{path} is larger than {LARGEST_PDB:#x} bytes, the largest file of symbols that is read")
            return None
        for found in Archive.from_bytes(data).iter_objects():
            if found.file_format == "pdb" and not _belongs(image, found, path, notes):
                return None
            if found.features & {"debug", "symtab"}:
                return cast(_Cache, found.make_symcache())
        notes.append(f"{path} holds no symbols; compile with -g or /Zi")
    except InputError as problem:
        notes.append(str(problem))
    except (SymbolicError, ValueError) as problem:  # symbolic's Panic is one of them
        reason = (str(problem).strip().splitlines() or ["?"])[-1].strip().removeprefix("caused by: ")
        notes.append(f"{path} is damaged ({_clean(reason)}); build it again")
    return None


def _belongs(image: Image, found: Object, path: Path, notes: list[str]) -> bool:
    if image.code_view is None:
        notes.append(f"{path} cannot be matched: {image.name} names no PDB; link with /DEBUG")
        return False
    wanted, has = f"{image.code_view.guid}-{image.code_view.age:x}", found.debug_id
    if has != wanted:
        notes.append(f"{path} is of another build: its GUID and age are {has}, {image.name} wants {wanted}; build both at once")
    return bool(has == wanted)


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _name(symbol: str) -> str:
    """Without the list of parameters, which a PDB's names carry."""
    name = _clean(symbol)
    if not name.endswith(")"):
        return name
    depth = 0
    for at in range(len(name) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(name[at], 0)
        if not depth:
            return name if name[:at].endswith("operator") else name[:at]
    return name


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:LONGEST_NAME])

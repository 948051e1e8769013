r"""INF files: which install section a device gets, and what its hardware key then holds (windows-driver-docs, "INF File
Sections and Directives": Version, Manufacturer, Models, DDInstall, DDInstall.HW, AddReg, DelReg).

A finding that does not stop Windows but leaves a driver without its messages is a note of the `Install`.

Limits: amd64 client Windows 10 and 11; of the registry only HKR values are kept, under their key\value path; Include and
Needs of other files are noted and not followed; feature scores and signatures do not count in the ranking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dirql.errors import InputError, UsageError
from dirql.files import read_file
from dirql.pnp import inf_text
from dirql.pnp.inf_text import Line, Sections
from dirql.pnp.registry import Registry, RegistryValue

__all__ = ["Inf", "Install"]

# fmt: off
BINVALUETYPE  = 0x0000_0001
NOCLOBBER     = 0x0000_0002
DELVAL        = 0x0000_0004
APPEND        = 0x0000_0008
KEYONLY       = 0x0000_0010
OVERWRITEONLY = 0x0000_0020
TYPE_MASK     = 0xFFFF_0001
TYPES = {
    0x0000_0000: "REG_SZ",     0x0000_0001: "REG_BINARY", 0x0001_0000: "REG_MULTI_SZ", 0x0002_0000: "REG_EXPAND_SZ",
    0x0001_0001: "REG_DWORD",  0x0002_0001: "REG_NONE",   0x000B_0001: "REG_QWORD",
}
# fmt: on
WIDTHS = {"REG_DWORD": 4, "REG_QWORD": 8}
BUILDS = {"10": 19045, "11": 26100}  # the last build of each that the project's facts know: decorations name a least build
SIGNATURES = ("$windows nt$", "$windows 95$", "$chicago$")
DECORATION = re.compile(
    r"nt(?P<arch>[a-z]\w*)?(?:\.(?P<major>\w*))?(?:\.(?P<minor>\w*))?(?:\.(?P<product>\w*))?(?:\.(?P<suite>\w*))?(?:\.(?P<build>\w*))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Install:
    """What an INF does for one device: the model it matched, the values that its [DDInstall.HW] leaves in the hardware key and
    its [DDInstall] in the software key, and what [Version] and [Manufacturer] say of it."""

    section: str
    description: str
    hardware_id: str
    registry: Registry = field(default_factory=Registry)
    notes: tuple[str, ...] = ()
    software: Registry = field(default_factory=Registry)
    class_name: str = ""
    class_guid: str = ""
    provider: str = ""
    service: str = ""


@dataclass(frozen=True)
class _Model:
    line: Line
    description: str
    section: str
    ids: tuple[str, ...]


class Inf:
    """A parsed INF file, for one Windows ("10" or "11", amd64)."""

    def __init__(self, sections: Sections, windows: str = "11") -> None:
        if windows not in BUILDS:
            raise UsageError(f"windows = {windows!r} is not known; it is one of {', '.join(sorted(BUILDS))}")
        self.sections, self.windows, self.source = sections, windows, sections.source
        self._check_version()
        self.models_sections = tuple(self._models_sections())

    @classmethod
    def load(cls, path: str | Path, *, windows: str = "11") -> Inf:
        """Reads at most 1 MiB of a file."""
        if not str(path):
            raise InputError(repr(path), "", "is no name of a file", "name an INF file, or leave it out")
        data = read_file(Path(path), str(path), inf_text.LARGEST, "name a readable INF file")
        return cls.parse(data, source=str(path), windows=windows)

    @classmethod
    def parse(cls, data: bytes, *, source: str = "<inf>", windows: str = "11") -> Inf:
        """The same from bytes."""
        return cls(inf_text.parse(source, data), windows)

    def match(self, hardware_ids: Sequence[str]) -> Install | None:
        """The install for a device with these ids, the most specific first; None when no model names any of them."""
        rank = {one.casefold(): index for index, one in reversed(list(enumerate(hardware_ids)))}
        best: tuple[tuple[int, int], _Model, str] | None = None
        for model in self._models():
            for position, one in enumerate(model.ids):
                place = rank.get(one.casefold())
                # An INF's own compatible ids (all after the first) rank behind its hardware id.
                if place is not None and (best is None or (place, min(position, 1)) < best[0]):
                    best = ((place, min(position, 1)), model, one)
        if best is None:
            return None
        return self._install(best[1], best[2])

    def service_key(self) -> Registry:
        """What the AddReg of the service-install sections leaves in the driver's own key (its Parameters key among it)."""
        registry = Registry()
        for name in dict.fromkeys(section for model in self._models() for section in self._candidates(model)):
            for line in self._services(f"{name}.Services"):
                if line.value(2) in self.sections:
                    self._apply(line.value(2), registry, [], set())
        return registry

    def why_not(self, hardware_ids: Sequence[str]) -> str:
        """One sentence for a device that `match` found nothing for."""
        wanted = {one.casefold() for one in hardware_ids}
        chosen = {name.casefold() for name in self.models_sections}
        for name, lines in self.sections.lines.items():
            for line in lines:
                if name not in chosen and line.key is not None and wanted & {v.casefold() for v in line.values[1:]}:
                    section = self.sections.names[name]
                    return (f"{self.source}: [{section}] names the device and is not for Windows {self.windows} on amd64; "
                            f"decorate it in [Manufacturer] with NTamd64")  # fmt: skip
        first = hardware_ids[0] if hardware_ids else "a device without hardware ids"
        return f"{self.source}: no model names {first} or its compatible ids; add it to a models section"

    # Version and Manufacturer

    def _check_version(self) -> None:
        remedy = 'write Signature="$WINDOWS NT$"'
        if "Version" not in self.sections:
            raise InputError(self.source, "", "there is no [Version] section", f"begin with [Version] and {remedy}")
        signature = next((line for line in self.sections["Version"] if (line.key or "").casefold() == "signature"), None)
        if signature is None:
            raise InputError(self.source, "", "[Version] has no Signature", remedy)
        if signature.value(0).casefold() not in SIGNATURES:
            raise self.sections.error(signature.number, f"Signature is {signature.value(0)[:40]!r}", remedy)

    def _models_sections(self) -> Iterator[str]:
        for line in self.sections["Manufacturer"]:
            base = line.value(0) or (line.key or "")
            ranked: list[tuple[tuple[int, ...], str]] = []
            for decoration in line.values[1:]:
                specific = self._specific(line, decoration)
                if specific is not None:
                    ranked.append((specific, decoration))
            if ranked:
                yield f"{base}.{max(ranked, key=lambda pair: pair[0])[1]}"

    def _specific(self, line: Line, decoration: str) -> tuple[int, ...] | None:
        """How closely a TargetOSVersion names this Windows; None when it names another. x64 needs the architecture."""
        match = DECORATION.fullmatch(decoration)
        if match is None:
            remedy = "write NTamd64, or NTamd64.10.0...16299 for a least build"
            raise self.sections.error(line.number, f"{decoration[:40]!r} is no TargetOSVersion", remedy)
        numbers = {}
        for name in ("major", "minor", "product", "suite", "build"):
            text = match[name] or ""
            try:
                numbers[name] = _number(text) if text else 0
            except ValueError:
                problem = f"{decoration[:40]!r}: {name} {text[:20]!r} is no number"
                raise self.sections.error(line.number, problem, "write it in decimal or as 0x…") from None
        if (match["arch"] or "").casefold() != "amd64":
            return None
        version = (numbers["major"], numbers["minor"])
        if version > (10, 0) or numbers["build"] > BUILDS[self.windows] or numbers["product"] not in (0, 1) or numbers["suite"]:
            return None
        return (*version, numbers["build"], numbers["product"])

    def _models(self) -> Iterator[_Model]:
        for name in self.models_sections:
            for line in self.sections[name]:
                if line.key is not None and line.value(0):
                    yield _Model(line, line.key, line.value(0), tuple(one for one in line.values[1:] if one))

    # DDInstall and AddReg

    def _install(self, model: _Model, hardware_id: str) -> Install:
        notes: list[str] = []
        candidates = self._candidates(model)
        section = next((name for name in candidates if name in self.sections), None)
        if section is None:
            raise self.sections.error(model.line.number, f"there is no section [{model.section}]", f"add [{candidates[0]}]")
        registry = Registry()
        hardware = f"{section}.HW"
        if hardware in self.sections:
            self._apply(hardware, registry, notes, set())
        else:
            others = [f"{name}.HW" for name in candidates if f"{name}.HW" in self.sections]
            notes.extend(f"[{name}] has no effect: Windows installs [{section}] and so reads [{hardware}]" for name in others)
        software = Registry()
        self._apply(section, software, [], set())
        if any(path.casefold().startswith("interrupt management\\") for path in software):
            notes.append(f"[{section}] writes Interrupt Management to the software key, where nobody reads it; "
                         f"move it to [{hardware}]")  # fmt: skip
        service = next((line.value(0) for line in self._services(f"{section}.Services")), "")
        version = {(line.key or "").casefold(): line.value(0) for line in self.sections["Version"]}
        said = version.get("class", ""), version.get("classguid", ""), version.get("provider", "")
        return Install(section, model.description, hardware_id, registry, tuple(notes), software, *said, service)

    def _candidates(self, model: _Model) -> list[str]:
        return [f"{model.section}{suffix}" for suffix in (".NTamd64", ".NT", "")]

    def _services(self, name: str) -> list[Line]:
        """Its AddService lines: name, flags, the service-install section."""
        lines = self.sections[name]
        return [line for line in lines if (line.key or "").casefold() == "addservice"]

    def _apply(self, name: str, registry: Registry, notes: list[str], seen: set[str]) -> None:
        """Windows deletes first (DelReg), then adds (AddReg); Needs of this file count as part of the section."""
        seen.add(name.casefold())
        directives = {"delreg": self._delete, "addreg": self._add}
        for line in self.sections[name]:
            if (line.key or "").casefold() == "needs":
                for other in line.values:
                    if other in self.sections and other.casefold() not in seen:
                        self._apply(other, registry, notes, seen)
                    elif other not in self.sections:
                        notes.append(f"[{name}] needs [{other}] of another INF, which was not read")
        for directive, action in directives.items():
            for line in self.sections[name]:
                if (line.key or "").casefold() != directive:
                    continue
                for other in filter(None, line.values):
                    if other not in self.sections:
                        remedy = f"add it, or drop it from {directive}"
                        raise self.sections.error(line.number, f"there is no section [{other[:40]}]", remedy)
                    for entry in self.sections[other]:
                        action(entry, registry)

    def _delete(self, line: Line, registry: Registry) -> None:
        if line.value(0).casefold() != "hkr":
            return
        key, value = line.value(1), line.value(2)
        if value:
            registry.delete(_path(key, value))
        elif key:
            for path in [path for path in registry if path.casefold().startswith(f"{key}\\".casefold())]:
                registry.delete(path)

    def _add(self, line: Line, registry: Registry) -> None:
        root = line.value(0).casefold()
        if line.key is not None or root not in ("hkr", "hklm", "hkcr", "hkcu", "hku"):
            shown = (line.key or line.value(0))[:40]
            raise self.sections.error(line.number, f"{shown!r} is no root key", "begin with HKR, HKLM, HKCR, HKCU or HKU")
        flags = self._integer(line, line.value(3), "flags") if line.value(3) else 0
        if root != "hkr" or flags & KEYONLY:
            return
        path = _path(line.value(1), line.value(2))
        if flags & DELVAL:
            registry.delete(path)
        elif not (flags & NOCLOBBER and path in registry) and not (flags & OVERWRITEONLY and path not in registry):
            value = self._value(line, flags)
            old = registry.get(path)
            if flags & APPEND and old is not None and isinstance(old.data, tuple) and isinstance(value.data, tuple):
                value = RegistryValue(value.type, old.data + value.data)
            registry.set(path, value)

    def _value(self, line: Line, flags: int) -> RegistryValue:
        kind, data = TYPES.get(flags & TYPE_MASK), line.values[4:]
        if kind is None:
            # The upper half is the type itself for types that AddReg has no name for.
            return RegistryValue(f"REG_{flags >> 16:#x}", self._bytes(line, data) if flags & BINVALUETYPE else ",".join(data))
        if kind in WIDTHS:
            return RegistryValue(kind, self._scalar(line, kind, data))
        if kind == "REG_MULTI_SZ":
            return RegistryValue(kind, tuple(data))
        if flags & BINVALUETYPE:
            return RegistryValue(kind, self._bytes(line, data))
        return RegistryValue(kind, ",".join(data))

    def _scalar(self, line: Line, kind: str, data: Sequence[str]) -> int:
        """One number, or its bytes from the lowest on."""
        width = WIDTHS[kind]
        if len(data) <= 1:
            value = self._integer(line, data[0], kind) if data and data[0] else 0
            if not -(1 << 8 * width - 1) <= value < 1 << 8 * width:
                raise self.sections.error(line.number, f"{kind} {value:#x} does not fit {width} bytes", "write a smaller number")
            return value & ((1 << 8 * width) - 1)
        if len(data) != width:
            raise self.sections.error(line.number, f"{kind} has {len(data)} fields", f"write one number, or its {width} bytes")
        return int.from_bytes(self._bytes(line, data), "little")

    def _bytes(self, line: Line, data: Sequence[str]) -> bytes:
        """Binary fields are hexadecimal, with or without 0x."""
        out = bytearray()
        for text in data if any(data) else ():
            if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]{1,2}", text):
                raise self.sections.error(line.number, f"{text[:20]!r} is no byte", "write 0 to ff, in hexadecimal")
            out.append(int(text, 16))
        return bytes(out)

    def _integer(self, line: Line, text: str, what: str) -> int:
        try:
            value = _number(text)
        except ValueError:
            problem = f"{what} {text[:20]!r} is no number"
            raise self.sections.error(line.number, problem, "write it in decimal or as 0x…") from None
        if what == "flags" and not 0 <= value < 1 << 32:
            raise self.sections.error(line.number, f"flags {text[:20]} do not fit 32 bits", "see FLG_ADDREG_… for the values")
        return value


def _number(text: str) -> int:
    """Decimal or 0x…, as SetupAPI reads integers; a leading 0 is decimal."""
    match = re.fullmatch(r"([+-]?)(?:0[xX]([0-9a-fA-F]{1,16})|([0-9]{1,20}))", text)
    if match is None:
        raise ValueError(text)
    value = int(match[2], 16) if match[2] else int(match[3])
    return -value if match[1] == "-" else value


def _path(key: str, value: str) -> str:
    return f"{key.strip(chr(92))}\\{value}" if key else value

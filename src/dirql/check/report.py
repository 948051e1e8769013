"""What a check of one image found, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from dirql.check.binding import Binding, ClassExtension
from dirql.hosts.sys.image import Image

__all__ = ["Checked", "Lookup", "Use"]


@dataclass(frozen=True)
class Use:
    """A name that the image uses. `name` is None for an import by ordinal, and for an index beyond the framework's version.

    `places` are those that name it in the code, as words, the first few of `count`.
    """

    module: str
    name: str | None
    modelled: bool
    count: int
    places: tuple[str, ...]
    index: int | None = None
    ordinal: int | None = None

    def __str__(self) -> str:
        number = self.ordinal if self.index is None else self.index
        return f"{self.module}!{f'#{number}' if self.name is None else self.name}"


@dataclass(frozen=True)
class Lookup:
    """A call of MmGetSystemRoutineAddress; `name` is None where it is put together at run time."""

    name: str | None
    modelled: bool
    place: str


@dataclass(frozen=True)
class Checked:
    """One image. `unresolved` are (place, why) where the code does something with the function table that could not be read."""

    image: Image
    binding: Binding | None
    imports: tuple[Use, ...]
    functions: tuple[Use, ...]
    lookups: tuple[Lookup, ...]
    unresolved: tuple[tuple[str, str], ...]
    extensions: tuple[ClassExtension, ...]
    symbols: str
    notes: tuple[str, ...]

    @property
    def modelled(self) -> bool:
        """True when dirql models all that the image uses. A name that is looked up at run time does not count: the driver is
        told NULL for what is not there, as on a Windows without it."""
        uses = (*self.imports, *self.functions)
        return not self.unresolved and not self.extensions and all(use.modelled for use in uses) and self._version_modelled

    @property
    def _version_modelled(self) -> bool:
        return self.binding is None or self.binding.modelled

    def as_json(self) -> dict[str, object]:
        """As docs/json.md lists it."""
        image, binding = self.image, self.binding
        return {
            "image": image.name,
            "modelled": self.modelled,
            "version": str(image.version) if image.version is not None else None,
            "framework": None if binding is None else {
                "version": binding.version, "functions": binding.count, "table": "pointer" if binding.by_pointer else "array",
                "modelled": binding.modelled,
            },
            "imports": [
                {"module": use.module, "name": use.name, "ordinal": use.ordinal, "modelled": use.modelled, "count": use.count,
                 "places": list(use.places)} for use in self.imports
            ],
            "functions": [
                {"name": use.name, "index": use.index, "modelled": use.modelled, "count": use.count, "places": list(use.places)}
                for use in self.functions
            ],
            "lookups": [{"name": one.name, "modelled": one.modelled, "place": one.place} for one in self.lookups],
            "unresolved": [{"place": place, "why": why} for place, why in self.unresolved],
            "extensions": [{"name": one.name, "version": one.version or None, "what": one.what} for one in self.extensions],
            "sections": [
                {"name": section.name, "rva": section.rva, "size": section.virtual_size, "readable": section.readable,
                 "writable": section.writable, "executable": section.executable, "pageable": section.pageable,
                 "discardable": section.discardable} for section in image.sections
            ],
            "symbols": self.symbols or None,
            "notes": list(self.notes),
        }  # fmt: skip

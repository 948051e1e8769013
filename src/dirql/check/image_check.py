"""`dirql check`: what a driver image uses, and which of it is modelled, by reading it and not by running it.

Imports come from the import table. The framework's functions are no imports: each call goes through a table, by an index, so the
code is read for them. Names for MmGetSystemRoutineAddress are read where they are constants.
Limits: what a driver reaches in another way (a callback table of another driver's, an interface) is not seen; a name of a WDM
port driver's comes from its import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dirql.check.binding import Binding, ClassExtension, find_bindings, find_classes
from dirql.check.code import Code
from dirql.check.effects import Wanted
from dirql.check.flow import LOOKUP, Flow
from dirql.check.modelled import is_found, is_modelled, module_of
from dirql.check.report import Checked, Lookup, Use
from dirql.files import read_file
from dirql.hosts.sys.image import LARGEST_IMAGE, Image, Import
from dirql.hosts.sys.symbols import Symbols, load_symbols
from dirql.hosts.sys.wdf_structs import WDF_BIND_INFO

__all__ = ["Search", "check_file", "check_image"]

MOST_PLACES = 3
MOST_UNRESOLVED = 100
# Who else than KMDF a driver may be built on, by what it imports from.
PORTS = {
    "ndis.sys": "NDIS driver", "storport.sys": "Storport miniport", "scsiport.sys": "SCSI miniport",
    "ataport.sys": "ATA miniport",
    "portcls.sys": "PortCls audio miniport", "ks.sys": "kernel streaming minidriver", "videoprt.sys": "video miniport",
    "dxgkrnl.sys": "display miniport", "displib.sys": "display miniport", "fltmgr.sys": "file system minifilter",
    "hidclass.sys": "HID minidriver", "usbd.sys": "USB client driver", "usbport.sys": "USB miniport",
    "netio.sys": "network client",
    "fwpkclnt.sys": "Windows Filtering Platform callout", "msgpioclx.sys": "GPIO controller driver", "tdi.sys": "TDI client",
    "stream.sys": "stream minidriver", "battc.sys": "battery miniport", "wdf01000.sys": "library client of the framework",
}  # fmt: skip

def check_file(path: Path) -> Checked:
    """The image at `path`, with the symbols beside it; an InputError when it cannot be a driver's."""
    image = Image.from_bytes(read_file(path, str(path), LARGEST_IMAGE, "name a .sys file"), str(path))
    return check_image(image, load_symbols(image, path))


def check_image(image: Image, symbols: Symbols | None = None) -> Checked:
    """All that is found out about one image; places are told by `symbols`."""
    symbols = symbols or Symbols(image)
    code = Code(image)
    bindings = find_bindings(code)
    search = Search(code, bindings[0] if bindings else None)
    search.run()
    return Checked(
        image=image,
        binding=search.binding,
        imports=tuple(_import(one, search.callers(one), code, symbols) for one in image.imports),
        functions=tuple(_functions(search, symbols)),
        lookups=tuple(
            Lookup(name, name is not None and is_found(name), _place(at - code.base, symbols))
            for at, name in sorted(search.wanted.lookups.items())
        ),
        unresolved=tuple(_unresolved(search, bindings, symbols))[:MOST_UNRESOLVED],
        extensions=tuple(_extensions(code)),
        symbols=Path(symbols.source).name if symbols.source else "",
        notes=(*image.notes, *symbols.notes),
    )


class Search:
    """Where the code names the function table and the import slots, and what it does with them."""

    def __init__(self, code: Code, binding: Binding | None) -> None:
        self.code, self.binding = code, binding
        self.wanted = Wanted()
        self.flow = Flow(code, self.wanted)
        self._callers: dict[int, list[int]] = {}  # of import slots

    def run(self) -> None:
        """Read the code once for what it names, then follow the places that count."""
        code, wanted = self.code, self.wanted
        for one in code.image.imports:
            wanted.imports[code.base + one.slot] = one.name or ""
        table = self._table()
        found = code.references({*wanted.imports, *table})
        whole = [each for each in found if each.target == code.base]
        thunks: dict[int, int] = {}
        for each in found:
            if each.target in wanted.imports and (here := code.around(each)) is not None:
                if here.name == "jmp":
                    thunks[here.address] = each.target
                else:
                    self._callers.setdefault(each.target, []).append(here.address)
                if wanted.imports[each.target] == LOOKUP:
                    whole.append(each)
        wanted.thunks = {address: wanted.imports[slot] for address, slot in thunks.items()}
        for each in code.references(thunks) if thunks else ():
            if (here := code.around(each)) is not None:
                self._callers.setdefault(thunks[each.target], []).append(here.address)
                if wanted.thunks[each.target] == LOOKUP:
                    whole.append(each)
        self.flow.follow(each for each in found if each.target in table and each.target != code.base)
        self.flow.around(whole)

    def callers(self, one: Import) -> list[int]:
        """The places that name an import."""
        return self._callers.get(self.code.base + one.slot, [])

    def _table(self) -> set[int]:
        """Every address that stands for the function table: its own or its variable's, and constants that hold that."""
        binding, code, wanted = self.binding, self.code, self.wanted
        if binding is None:
            return set()
        if binding.by_pointer:
            wanted.table_variable = binding.table
            own = range(binding.table, binding.table + 1)
        else:
            own = wanted.table = range(binding.table, binding.table + 8 * binding.count)
        targets = set(own)
        if not binding.by_pointer:
            targets.add(code.base)  # what compilers add an RVA and an index to
        for place, _ in code.pointers_to(own):
            section = code.section(place)
            if section is not None and not section.writable:
                targets.add(place)
            elif place != binding.address + WDF_BIND_INFO.offset("FuncTable"):
                wanted.unresolved[place] = "a pointer to the function table lies in data"
        return targets


def _import(one: Import, places: list[int], code: Code, symbols: Symbols) -> Use:
    modelled = one.name is not None and is_modelled(one.dll, one.name)
    return Use(module_of(one.dll), one.name, modelled, len(places), _words(places, code, symbols, None), ordinal=one.ordinal)


def _functions(search: Search, symbols: Symbols) -> Iterator[Use]:
    if search.binding is None:
        return
    names = search.binding.names()
    for index, places in sorted(search.wanted.used.items()):
        name = names.get(index)
        words = _words(places, search.code, symbols, name)
        yield Use("wdf", name, name is not None and is_modelled("wdf", name), len(places), words, index)


def _unresolved(search: Search, bindings: list[Binding], symbols: Symbols) -> Iterator[tuple[str, str]]:
    image, base = search.code.image, search.code.base
    if not bindings and any(one.name == "WdfVersionBind" for one in image.imports):
        yield image.name, "no WDF_BIND_INFO was found, so the framework functions that it calls are not known"
    for one in bindings[1:]:
        yield image.name, f"has a second WDF_BIND_INFO (KMDF {one.version}) at RVA {one.address - base:#x}, which is not followed"
    for at, why in sorted(search.wanted.unresolved.items()):
        yield _place(at - base, symbols), why


def _extensions(code: Code) -> Iterator[ClassExtension]:
    yield from find_classes(code)
    for dll in dict.fromkeys(one.dll.lower() for one in code.image.imports):
        if dll in PORTS:
            yield ClassExtension(dll, "", PORTS[dll])


def _words(places: Iterable[int], code: Code, symbols: Symbols, name: str | None) -> tuple[str, ...]:
    return tuple(_place(place - code.base, symbols, name) for place in sorted(places)[:MOST_PLACES])


def _place(rva: int, symbols: Symbols, name: str | None = None) -> str:
    """`nic.sys!EvtIsr+0x1a (nic.c:120)`; of what is inlined there only the line, and not the header's function `name`."""
    places = [place for place in symbols.at(rva) if not (place.inlined and place.function == name)]
    if not places:
        return symbols.words(rva)
    text = f"{symbols.image.name}!{places[-1].function}+{places[-1].offset:#x}"
    return text + (f" ({places[0].source})" if places[0].source else "")

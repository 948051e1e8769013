"""A check as text: what is missing first, then all that is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from textwrap import wrap

from dirql.check.modelled import Modelled
from dirql.check.report import Checked, Use

__all__ = ["names_text", "text"]


def text(found: Checked, width: int) -> str:
    """At most `width` columns, where names and paths allow it."""
    return "\n".join(_lines(found, width))


def names_text(names: Iterable[Modelled]) -> str:
    """One name on each line; a framework routine with the KMDF version that brought it, a variable marked as one."""
    lines = []
    for one in names:
        mark = f"  KMDF {one.since}" if one.since else "  variable" if one.variable else ""
        lines.append(f"{one.module}!{one.name}{mark}")
    return "\n".join(lines)


def _lines(found: Checked, width: int) -> Iterator[str]:
    image, binding = found.image, found.binding
    version = f", version {image.version}" if image.version is not None else ""
    if binding is None:
        kind = "no KMDF driver" if not any(use.name == "WdfVersionBind" for use in found.imports) else "a KMDF driver"
    else:
        form = "called through a pointer to its table" if binding.by_pointer else "copied into the driver's own table"
        kind = f"KMDF {binding.version}, {binding.count} functions {form}"
    yield from wrap(f"{image.name}: {kind}{version}", width, subsequent_indent="  ")
    yield f"  symbols: {found.symbols or 'none'}"
    for label, names in (
        ("pageable", [one.name for one in image.sections if one.pageable]),
        ("gone after DriverEntry", [one.name for one in image.sections if one.discardable]),
    ):
        if names:
            yield f"  {label}: {', '.join(names)}"
    yield ""
    yield from _missing(found, width)
    yield from _used("imports", found.imports, width)
    yield from _used("framework functions", found.functions, width)
    if found.lookups:
        yield "looked up at run time (a name that is not modelled is answered with NULL):"
        for one in found.lookups:
            yield f"  {one.name or 'a name that is put together at run time'}{'' if one.modelled else ', not modelled'}"
            yield f"    {one.place}"
    for note in found.notes:
        yield from wrap(f"note: {note}", width, subsequent_indent="  ")
    yield "all of it is modelled" if found.modelled else "not all of it is modelled"


def _missing(found: Checked, width: int) -> Iterator[str]:
    for one in found.extensions:
        version = f" {one.version}" if one.version else ""
        yield f"built on {one.name}{version} ({one.what}), which dirql does not model"
    if found.binding is not None and not found.binding.modelled:
        yield f"KMDF {found.binding.version} with {found.binding.count} functions is no version that dirql binds to"
    missing = [use for use in (*found.imports, *found.functions) if not use.modelled]
    if missing:
        yield "not modelled:"
        for use in missing:
            yield f"  {use}"
            yield from (f"    {place}" for place in use.places)
            if use.count > len(use.places):
                yield f"    and {use.count - len(use.places)} more"
    if found.unresolved:
        yield "not to be told without running it:"
        for place, why in found.unresolved:
            yield f"  {place}"
            yield from wrap(why, width, initial_indent="    ", subsequent_indent="    ")
    if found.extensions or missing or found.unresolved:
        yield ""


def _used(what: str, uses: tuple[Use, ...], width: int) -> Iterator[str]:
    if not uses:
        return
    yield f"{what}: {sum(use.modelled for use in uses)} of {len(uses)} modelled"
    for module, group in groupby(sorted(uses, key=lambda use: (use.module, str(use))), key=lambda use: use.module):
        names = "  ".join(str(use).partition("!")[2] for use in group)
        yield from wrap(f"{module}: {names}", width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    yield ""

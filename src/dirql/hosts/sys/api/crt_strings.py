"""The kernel's C runtime: strings of either width. One algorithm for both is in `characters`."""

from __future__ import annotations

from dirql.hosts.sys.abi import LONG, PVOID, SIZE_T, api
from dirql.hosts.sys.characters import NARROW, WIDE, Characters
from dirql.hosts.sys.guest import Guest

__all__: list[str] = []


def _declare(kind: Characters, names: dict[str, str]) -> None:
    """The routines of one width under their names."""

    def length(guest: Guest, text: PVOID) -> SIZE_T:
        return len(kind.get(guest, text))

    def length_bounded(guest: Guest, text: PVOID, most: SIZE_T) -> SIZE_T:
        return len(kind.get(guest, text, most))

    def compare(guest: Guest, one: PVOID, other: PVOID) -> LONG:
        return kind.compare(guest, one, other)

    def compare_counted(guest: Guest, one: PVOID, other: PVOID, count: SIZE_T) -> LONG:
        return kind.compare(guest, one, other, count)

    def compare_folded(guest: Guest, one: PVOID, other: PVOID) -> LONG:
        return kind.compare(guest, one, other, fold=True)

    def compare_folded_counted(guest: Guest, one: PVOID, other: PVOID, count: SIZE_T) -> LONG:
        return kind.compare(guest, one, other, count, fold=True)

    def copy(guest: Guest, target: PVOID, source: PVOID) -> PVOID:
        return kind.copy(guest, target, source)

    def copy_counted(guest: Guest, target: PVOID, source: PVOID, count: SIZE_T) -> PVOID:
        return kind.copy_counted(guest, target, source, count)

    def append(guest: Guest, target: PVOID, source: PVOID) -> PVOID:
        return kind.append(guest, target, source)

    def append_counted(guest: Guest, target: PVOID, source: PVOID, count: SIZE_T) -> PVOID:
        return kind.append(guest, target, source, count)

    def copy_bounded(guest: Guest, target: PVOID, size: SIZE_T, source: PVOID) -> LONG:
        return kind.copy_bounded(guest, target, size, source)

    def copy_counted_bounded(guest: Guest, target: PVOID, size: SIZE_T, source: PVOID, count: SIZE_T) -> LONG:
        return kind.copy_bounded(guest, target, size, source, count)

    def append_bounded(guest: Guest, target: PVOID, size: SIZE_T, source: PVOID) -> LONG:
        return kind.append_bounded(guest, target, size, source)

    def append_counted_bounded(guest: Guest, target: PVOID, size: SIZE_T, source: PVOID, count: SIZE_T) -> LONG:
        return kind.append_bounded(guest, target, size, source, count)

    def first(guest: Guest, text: PVOID, character: LONG) -> PVOID:
        return kind.find(guest, text, character)

    def last(guest: Guest, text: PVOID, character: LONG) -> PVOID:
        return kind.find(guest, text, character, last=True)

    def search(guest: Guest, text: PVOID, wanted: PVOID) -> PVOID:
        return kind.search(guest, text, wanted)

    def span(guest: Guest, text: PVOID, wanted: PVOID) -> SIZE_T:
        accepted, found = kind.get(guest, wanted), kind.get(guest, text)
        return len(found) - len(found.lstrip(accepted)) if accepted else 0

    def to_lower(guest: Guest, text: PVOID) -> PVOID:
        return kind.fold(guest, text, up=False)

    def to_upper(guest: Guest, text: PVOID) -> PVOID:
        return kind.fold(guest, text, up=True)

    made = locals()
    for inner, name in names.items():
        one = made[inner]
        one.__name__ = one.__qualname__ = name
        one.__doc__ = f"{name}."
        api("ntoskrnl")(one)


# fmt: off
_declare(NARROW, {
    "length": "strlen", "length_bounded": "strnlen", "compare": "strcmp", "compare_counted": "strncmp",
    "compare_folded": "_stricmp", "compare_folded_counted": "_strnicmp", "copy": "strcpy", "copy_counted": "strncpy",
    "append": "strcat", "append_counted": "strncat", "copy_bounded": "strcpy_s", "copy_counted_bounded": "strncpy_s",
    "append_bounded": "strcat_s", "append_counted_bounded": "strncat_s", "first": "strchr", "last": "strrchr",
    "search": "strstr", "span": "strspn", "to_lower": "_strlwr", "to_upper": "_strupr",
})
_declare(WIDE, {
    "length": "wcslen", "length_bounded": "wcsnlen", "compare": "wcscmp", "compare_counted": "wcsncmp",
    "compare_folded": "_wcsicmp", "compare_folded_counted": "_wcsnicmp", "copy": "wcscpy", "copy_counted": "wcsncpy",
    "append": "wcscat", "append_counted": "wcsncat", "copy_bounded": "wcscpy_s", "copy_counted_bounded": "wcsncpy_s",
    "append_bounded": "wcscat_s", "append_counted_bounded": "wcsncat_s", "first": "wcschr", "last": "wcsrchr",
    "search": "wcsstr", "span": "wcsspn", "to_lower": "_wcslwr", "to_upper": "_wcsupr",
})
# fmt: on


@api("ntoskrnl")
def strtok_s(guest: Guest, text: PVOID, separators: PVOID, context: PVOID) -> PVOID:
    """strtok_s: `context` is where the next call goes on."""
    start = text or int.from_bytes(guest.space.read(context, 8), "little")
    if not start:
        return 0
    apart, rest = NARROW.get(guest, separators), NARROW.get(guest, start)
    skipped = len(rest) - len(rest.lstrip(apart)) if apart else 0
    token = rest[skipped:]
    end = next((at for at, character in enumerate(token) if character in apart), len(token))
    start += skipped
    more = end < len(token)
    if more:
        guest.space.write(start + end, b"\0")
    guest.space.write(context, (start + end + more).to_bytes(8, "little"))
    return start if token else 0


@api("ntoskrnl")
def mbstowcs(guest: Guest, target: PVOID, source: PVOID, count: SIZE_T) -> SIZE_T:
    """mbstowcs: a unit for each byte (code page 1252 as far as it is Latin-1: model choice)."""
    text = NARROW.get(guest, source, count if target else None)
    if target:
        WIDE.put(guest, target, text, end=len(text) < count)
    return len(text)


@api("ntoskrnl")
def wcstombs(guest: Guest, target: PVOID, source: PVOID, count: SIZE_T) -> SIZE_T:
    """wcstombs: what is no byte becomes a question mark (model choice)."""
    text = WIDE.get(guest, source, count if target else None)
    if target:
        NARROW.put(guest, target, text, end=len(text) < count)
    return len(text)

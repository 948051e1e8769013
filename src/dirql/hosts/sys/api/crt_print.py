"""The kernel's C runtime: the printf family, by `format`.

_snprintf and its kind put no zero behind a result that fills the buffer, and return -1 for one that does not fit; those
that end in _s leave an empty string then, or a cut one where _TRUNCATE asks for it.
"""

from __future__ import annotations

from dirql.hosts.sys.abi import LONG, PVOID, SIZE_T, VarArgs, api
from dirql.hosts.sys.characters import NARROW, TRUNCATE, WIDE, Characters
from dirql.hosts.sys.driver_memory import VaList, narrow_units
from dirql.hosts.sys.format import Arguments, format_bytes, format_wide
from dirql.hosts.sys.guest import Guest

__all__: list[str] = []

LONGEST = 1 << 16


def _text(guest: Guest, kind: Characters, format_: int, arguments: Arguments, limit: int) -> str:
    if kind is NARROW:
        return format_bytes(narrow_units(guest, format_), arguments, limit).decode("latin-1")
    return format_wide(kind.get(guest, format_), arguments, limit)


def _all(guest: Guest, kind: Characters, buffer: int, format_: int, arguments: Arguments) -> int:
    """sprintf."""
    text = _text(guest, kind, format_, arguments, LONGEST)
    kind.put(guest, buffer, text)
    return len(text)


def _counted(guest: Guest, kind: Characters, buffer: int, count: int, format_: int, arguments: Arguments) -> int:
    """_snprintf; with no buffer and a count of 0 it only counts."""
    if not buffer and not count:
        return len(_text(guest, kind, format_, arguments, LONGEST))
    text = _text(guest, kind, format_, arguments, min(count, LONGEST) + 1)
    fits = len(text) <= count
    kind.put(guest, buffer, text[:count], end=len(text) < count)
    return len(text) if fits else -1


def _secure(
    guest: Guest, kind: Characters, buffer: int, size: int, count: int, format_: int, arguments: Arguments, *, cuts: bool
) -> int:
    """_snprintf_s (`cuts`: to `count`), and sprintf_s."""
    if not buffer or not size or not format_:
        return -1
    text = _text(guest, kind, format_, arguments, min(size, LONGEST) + 1)
    if cuts and (count == TRUNCATE or count < size):
        most = min(count, size - 1)
        kind.put(guest, buffer, text[:most])
        return len(text) if len(text) <= most else -1
    fits = len(text) < size
    kind.put(guest, buffer, text if fits else "")
    return len(text) if fits else -1


@api("ntoskrnl")
def sprintf(guest: Guest, buffer: PVOID, format_: PVOID, args: VarArgs) -> LONG:
    """sprintf."""
    return _all(guest, NARROW, buffer, format_, args)


@api("ntoskrnl")
def vsprintf(guest: Guest, buffer: PVOID, format_: PVOID, list_: PVOID) -> LONG:
    """vsprintf."""
    return _all(guest, NARROW, buffer, format_, VaList(guest, list_))


@api("ntoskrnl")
def swprintf(guest: Guest, buffer: PVOID, format_: PVOID, args: VarArgs) -> LONG:
    """swprintf: the kernel's is the old one, without a count."""
    return _all(guest, WIDE, buffer, format_, args)


@api("ntoskrnl")
def _snprintf(guest: Guest, buffer: PVOID, count: SIZE_T, format_: PVOID, args: VarArgs) -> LONG:
    """_snprintf."""
    return _counted(guest, NARROW, buffer, count, format_, args)


@api("ntoskrnl")
def _vsnprintf(guest: Guest, buffer: PVOID, count: SIZE_T, format_: PVOID, list_: PVOID) -> LONG:
    """_vsnprintf."""
    return _counted(guest, NARROW, buffer, count, format_, VaList(guest, list_))


@api("ntoskrnl")
def _snwprintf(guest: Guest, buffer: PVOID, count: SIZE_T, format_: PVOID, args: VarArgs) -> LONG:
    """_snwprintf."""
    return _counted(guest, WIDE, buffer, count, format_, args)


@api("ntoskrnl")
def _vsnwprintf(guest: Guest, buffer: PVOID, count: SIZE_T, format_: PVOID, list_: PVOID) -> LONG:
    """_vsnwprintf."""
    return _counted(guest, WIDE, buffer, count, format_, VaList(guest, list_))


@api("ntoskrnl")
def _snprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, count: SIZE_T, format_: PVOID, args: VarArgs) -> LONG:
    """_snprintf_s."""
    return _secure(guest, NARROW, buffer, size, count, format_, args, cuts=True)


@api("ntoskrnl")
def _vsnprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, count: SIZE_T, format_: PVOID, list_: PVOID) -> LONG:
    """_vsnprintf_s."""
    return _secure(guest, NARROW, buffer, size, count, format_, VaList(guest, list_), cuts=True)


@api("ntoskrnl")
def _snwprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, count: SIZE_T, format_: PVOID, args: VarArgs) -> LONG:
    """_snwprintf_s."""
    return _secure(guest, WIDE, buffer, size, count, format_, args, cuts=True)


@api("ntoskrnl")
def _vsnwprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, count: SIZE_T, format_: PVOID, list_: PVOID) -> LONG:
    """_vsnwprintf_s."""
    return _secure(guest, WIDE, buffer, size, count, format_, VaList(guest, list_), cuts=True)


@api("ntoskrnl")
def sprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, format_: PVOID, args: VarArgs) -> LONG:
    """sprintf_s."""
    return _secure(guest, NARROW, buffer, size, 0, format_, args, cuts=False)


@api("ntoskrnl")
def vsprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, format_: PVOID, list_: PVOID) -> LONG:
    """vsprintf_s."""
    return _secure(guest, NARROW, buffer, size, 0, format_, VaList(guest, list_), cuts=False)


@api("ntoskrnl")
def swprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, format_: PVOID, args: VarArgs) -> LONG:
    """swprintf_s."""
    return _secure(guest, WIDE, buffer, size, 0, format_, args, cuts=False)


@api("ntoskrnl")
def vswprintf_s(guest: Guest, buffer: PVOID, size: SIZE_T, format_: PVOID, list_: PVOID) -> LONG:
    """vswprintf_s."""
    return _secure(guest, WIDE, buffer, size, 0, format_, VaList(guest, list_), cuts=False)

"""ntoskrnl's Rtl routines: counted strings.

They act on the driver's memory alone. Code page 1252 as far as it is Latin-1, and upper case by Unicode's simple mapping,
are model choices.
Buffers that the routines allocate are blocks of paged pool; RtlFree…String gives them back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dirql.hosts.sys.abi import BOOLEAN, LONG, NTSTATUS, PVOID, ULONG, ULONGLONG, VOID, WCHAR, Out, Ptr, api
from dirql.hosts.sys.counted_strings import CountedStrings, code_units, downcase, get_text, upcase
from dirql.hosts.sys.driver_memory import narrow_units, wide_units
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import STRING, UNICODE_STRING
from dirql.ntstatus import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_PARAMETER,
    STATUS_NAME_TOO_LONG,
    STATUS_NO_MEMORY,
    STATUS_SUCCESS,
)

__all__: list[str] = []

LONGEST = 0xFFFC  # bytes of a UTF-16 string that ends with a zero
DIGITS = "0123456789ABCDEF"
PREFIXES = {"0x": 16, "0o": 8, "0b": 2}


@api("ntoskrnl")
def RtlInitUnicodeString(guest: Guest, target: Ptr[UNICODE_STRING], source: PVOID) -> VOID:
    """RtlInitUnicodeString: what is longer than a string can be is cut."""
    length = min(len(wide_units(guest, source)), LONGEST) if source else 0
    target.Buffer, target.Length, target.MaximumLength = source, length, length + 2 if source else 0


@api("ntoskrnl")
def RtlInitUnicodeStringEx(guest: Guest, target: Ptr[UNICODE_STRING], source: PVOID) -> NTSTATUS:
    """RtlInitUnicodeStringEx: what is longer than a string can be is refused."""
    length = len(wide_units(guest, source)) if source else 0
    if length > LONGEST:
        return STATUS_NAME_TOO_LONG
    target.Buffer, target.Length, target.MaximumLength = source, length, length + 2 if source else 0
    return STATUS_SUCCESS


@api("ntoskrnl")
def RtlInitAnsiString(guest: Guest, target: Ptr[STRING], source: PVOID) -> VOID:
    """RtlInitAnsiString."""
    length = min(len(narrow_units(guest, source)), 0xFFFE) if source else 0
    target.Buffer, target.Length, target.MaximumLength = source, length, length + 1 if source else 0


@api("ntoskrnl")
def RtlInitString(guest: Guest, target: Ptr[STRING], source: PVOID) -> VOID:
    """RtlInitString."""
    RtlInitAnsiString(guest, target, source)


@api("ntoskrnl")
def RtlCopyUnicodeString(guest: Guest, target: Ptr[UNICODE_STRING], source: Ptr[UNICODE_STRING] | None) -> VOID:
    """RtlCopyUnicodeString: as much as there is room for, with a zero behind it where that fits too."""
    _copy(guest, target, source, b"\0\0")


@api("ntoskrnl")
def RtlCopyString(guest: Guest, target: Ptr[STRING], source: Ptr[STRING] | None) -> VOID:
    """RtlCopyString: as much as there is room for."""
    _copy(guest, target, source, b"")


def _copy(guest: Guest, target: Any, source: Any, end: bytes) -> None:
    if source is None:
        target.Length = 0
        return
    length = min(source.Length, target.MaximumLength & (~1 if end else ~0))
    data = guest.space.read(source.Buffer, length)
    guest.space.write(target.Buffer, data + end if length + len(end) <= target.MaximumLength else data)
    target.Length = length


@api("ntoskrnl")
def RtlCompareUnicodeString(guest: Guest, one: Ptr[UNICODE_STRING], other: Ptr[UNICODE_STRING], fold: BOOLEAN) -> LONG:
    """RtlCompareUnicodeString."""
    enter(guest, "RtlCompareUnicodeString")
    return _difference(get_text(one, 2), get_text(other, 2), fold)


@api("ntoskrnl")
def RtlEqualUnicodeString(guest: Guest, one: Ptr[UNICODE_STRING], other: Ptr[UNICODE_STRING], fold: BOOLEAN) -> BOOLEAN:
    """RtlEqualUnicodeString."""
    enter(guest, "RtlEqualUnicodeString")
    return not _difference(get_text(one, 2), get_text(other, 2), fold)


@api("ntoskrnl")
def RtlPrefixUnicodeString(guest: Guest, prefix: Ptr[UNICODE_STRING], whole: Ptr[UNICODE_STRING], fold: BOOLEAN) -> BOOLEAN:
    """RtlPrefixUnicodeString."""
    wanted, text = get_text(prefix, 2), get_text(whole, 2)
    return upcase(text).startswith(upcase(wanted)) if fold else text.startswith(wanted)


@api("ntoskrnl")
def RtlCompareString(guest: Guest, one: Ptr[STRING], other: Ptr[STRING], fold: BOOLEAN) -> LONG:
    """RtlCompareString."""
    return _difference(get_text(one, 1), get_text(other, 1), fold)


@api("ntoskrnl")
def RtlEqualString(guest: Guest, one: Ptr[STRING], other: Ptr[STRING], fold: BOOLEAN) -> BOOLEAN:
    """RtlEqualString."""
    return not _difference(get_text(one, 1), get_text(other, 1), fold)


def _difference(one: str, other: str, fold: bool) -> int:
    if fold:
        one, other = upcase(one), upcase(other)
    return next((ord(a) - ord(b) for a, b in zip(one, other, strict=False) if a != b), len(one) - len(other))


@api("ntoskrnl")
def RtlAppendUnicodeToString(guest: Guest, target: Ptr[UNICODE_STRING], source: PVOID) -> NTSTATUS:
    """RtlAppendUnicodeToString: STATUS_BUFFER_TOO_SMALL leaves the target as it is."""
    return _append(guest, target, wide_units(guest, source) if source else b"")


@api("ntoskrnl")
def RtlAppendUnicodeStringToString(guest: Guest, target: Ptr[UNICODE_STRING], source: Ptr[UNICODE_STRING]) -> NTSTATUS:
    """RtlAppendUnicodeStringToString."""
    return _append(guest, target, guest.space.read(source.Buffer, source.Length))


def _append(guest: Guest, target: UNICODE_STRING, data: bytes) -> int:
    length, room = target.Length, target.MaximumLength
    if length + len(data) > room:
        return STATUS_BUFFER_TOO_SMALL
    end = b"\0\0" if data and length + len(data) + 2 <= room else b""
    guest.space.write(target.Buffer + length, data + end)
    target.Length = length + len(data)
    return STATUS_SUCCESS


# From one width to the other.


@api("ntoskrnl")
def RtlAnsiStringToUnicodeString(
    guest: Guest, target: Ptr[UNICODE_STRING], source: Ptr[STRING], allocate: BOOLEAN
) -> NTSTATUS:
    """RtlAnsiStringToUnicodeString."""
    enter(guest, "RtlAnsiStringToUnicodeString")
    return _convert(guest, target, get_text(source, 1), 2, allocate)


@api("ntoskrnl")
def RtlUnicodeStringToAnsiString(
    guest: Guest, target: Ptr[STRING], source: Ptr[UNICODE_STRING], allocate: BOOLEAN
) -> NTSTATUS:
    """RtlUnicodeStringToAnsiString: what is no byte becomes a question mark."""
    enter(guest, "RtlUnicodeStringToAnsiString")
    return _convert(guest, target, get_text(source, 2), 1, allocate)


@api("ntoskrnl")
def RtlUpcaseUnicodeString(
    guest: Guest, target: Ptr[UNICODE_STRING], source: Ptr[UNICODE_STRING], allocate: BOOLEAN
) -> NTSTATUS:
    """RtlUpcaseUnicodeString: no zero is put behind the result."""
    enter(guest, "RtlUpcaseUnicodeString")
    return _convert(guest, target, upcase(get_text(source, 2)), 2, allocate, end=False)


@api("ntoskrnl")
def RtlDowncaseUnicodeString(
    guest: Guest, target: Ptr[UNICODE_STRING], source: Ptr[UNICODE_STRING], allocate: BOOLEAN
) -> NTSTATUS:
    """RtlDowncaseUnicodeString."""
    enter(guest, "RtlDowncaseUnicodeString")
    return _convert(guest, target, downcase(get_text(source, 2)), 2, allocate, end=False)


def _convert(guest: Guest, target: Any, text: str, size: int, allocate: bool, *, end: bool = True) -> int:
    data = code_units(text, size)
    room = len(data) + (size if end else 0)
    if room > 0xFFFE:
        return STATUS_INVALID_PARAMETER
    if allocate:
        try:
            target.Buffer = guest.part(CountedStrings).allocate(max(room, 1))
        except MemoryError:
            return STATUS_NO_MEMORY
        target.MaximumLength = room
    elif room > target.MaximumLength:
        return STATUS_BUFFER_OVERFLOW
    guest.space.write(target.Buffer, data + bytes(size if end else 0))
    target.Length = len(data)
    return STATUS_SUCCESS


@api("ntoskrnl")
def RtlFreeUnicodeString(guest: Guest, string: Ptr[UNICODE_STRING]) -> VOID:
    """RtlFreeUnicodeString: the string is empty afterwards."""
    enter(guest, "RtlFreeUnicodeString")
    _free(guest, string)


@api("ntoskrnl")
def RtlFreeAnsiString(guest: Guest, string: Ptr[STRING]) -> VOID:
    """RtlFreeAnsiString."""
    enter(guest, "RtlFreeAnsiString")
    _free(guest, string)


def _free(guest: Guest, string: Any) -> None:
    if string.Buffer:
        guest.part(CountedStrings).free(string.Buffer)
        string.store(Length=0, MaximumLength=0, Buffer=0)


@api("ntoskrnl")
def RtlxAnsiStringToUnicodeSize(guest: Guest, source: Ptr[STRING]) -> ULONG:
    """Bytes, with the zero."""
    return 2 * int(source.Length) + 2


@api("ntoskrnl")
def RtlxUnicodeStringToAnsiSize(guest: Guest, source: Ptr[UNICODE_STRING]) -> ULONG:
    """Bytes, with the zero."""
    return int(source.Length) // 2 + 1


@api("ntoskrnl")
def RtlUpcaseUnicodeChar(guest: Guest, character: WCHAR) -> WCHAR:
    """RtlUpcaseUnicodeChar."""
    return ord(upcase(chr(character)))


@api("ntoskrnl")
def RtlDowncaseUnicodeChar(guest: Guest, character: WCHAR) -> WCHAR:
    """RtlDowncaseUnicodeChar."""
    return ord(downcase(chr(character)))


@api("ntoskrnl")
def RtlUTF8ToUnicodeN(guest: Guest, target: PVOID, size: ULONG, out: Out[ULONG] | None, source: PVOID, count: ULONG) -> NTSTATUS:
    """RtlUTF8ToUnicodeN; with no target it only tells the size."""
    return _recode(guest, target, size, out, guest.space.read(source, count).decode("utf-8", "replace").encode("utf-16-le"), 2)


@api("ntoskrnl")
def RtlUnicodeToUTF8N(guest: Guest, target: PVOID, size: ULONG, out: Out[ULONG] | None, source: PVOID, count: ULONG) -> NTSTATUS:
    """RtlUnicodeToUTF8N; with no target it only tells the size."""
    return _recode(guest, target, size, out, guest.space.read(source, count & ~1).decode("utf-16-le", "replace").encode(), 1)


def _recode(guest: Guest, target: int, size: int, out: Callable[[int], None] | None, data: bytes, unit: int) -> int:
    if target:
        guest.space.write(target, data[: size - size % unit])
    if out is not None:
        out(min(len(data), size - size % unit) if target else len(data))
    return STATUS_SUCCESS if not target or len(data) <= size else STATUS_BUFFER_TOO_SMALL


# Numbers.


@api("ntoskrnl")
def RtlUnicodeStringToInteger(guest: Guest, string: Ptr[UNICODE_STRING], base: ULONG, value: Out[ULONG]) -> NTSTATUS:
    """RtlUnicodeStringToInteger: base 0 goes by the prefix 0x, 0o or 0b; digits end the number where they end."""
    enter(guest, "RtlUnicodeStringToInteger")
    return _parse(get_text(string, 2), base, value)


@api("ntoskrnl")
def RtlCharToInteger(guest: Guest, text: PVOID, base: ULONG, value: Out[ULONG]) -> NTSTATUS:
    """RtlCharToInteger."""
    return _parse(narrow_units(guest, text).decode("latin-1"), base, value)


def _parse(text: str, base: int, value: Callable[[int], None]) -> int:
    text = text.lstrip("".join(map(chr, range(33))))
    negative, text = text.startswith("-"), text[1:] if text[:1] in ("+", "-") else text
    if base == 0:
        base = PREFIXES.get(text[:2], 10)
        text = text[2:] if base != 10 else text
    if base not in (2, 8, 10, 16):
        return STATUS_INVALID_PARAMETER
    number = 0
    for character in text:
        digit = DIGITS.find(character.upper()) if character.isascii() else -1
        if not 0 <= digit < base:
            break
        number = number * base + digit & 0xFFFF_FFFF
    value(-number & 0xFFFF_FFFF if negative else number)
    return STATUS_SUCCESS


@api("ntoskrnl")
def RtlIntegerToUnicodeString(guest: Guest, value: ULONG, base: ULONG, string: Ptr[UNICODE_STRING]) -> NTSTATUS:
    """RtlIntegerToUnicodeString."""
    enter(guest, "RtlIntegerToUnicodeString")
    return _print(guest, value, base, string)


@api("ntoskrnl")
def RtlInt64ToUnicodeString(guest: Guest, value: ULONGLONG, base: ULONG, string: Ptr[UNICODE_STRING]) -> NTSTATUS:
    """RtlInt64ToUnicodeString."""
    enter(guest, "RtlInt64ToUnicodeString")
    return _print(guest, value, base, string)


def _print(guest: Guest, value: int, base: int, string: UNICODE_STRING) -> int:
    base = base or 10
    if base not in (2, 8, 10, 16):
        return STATUS_INVALID_PARAMETER
    text = format(value, {2: "b", 8: "o", 10: "d", 16: "X"}[base])
    data = text.encode("utf-16-le")
    if len(data) > string.MaximumLength:
        return STATUS_BUFFER_OVERFLOW
    end = b"\0\0" if len(data) + 2 <= string.MaximumLength else b""
    guest.space.write(string.Buffer, data + end)
    string.Length = len(data)
    return STATUS_SUCCESS


@api("ntoskrnl")
def RtlHashUnicodeString(
    guest: Guest, string: Ptr[UNICODE_STRING], fold: BOOLEAN, algorithm: ULONG, value: Out[ULONG]
) -> NTSTATUS:
    """RtlHashUnicodeString: x65599, the default and the only one."""
    if algorithm not in (0, 1):
        return STATUS_INVALID_PARAMETER
    text, total = get_text(string, 2), 0
    for character in upcase(text) if fold else text:
        total = total * 65599 + ord(character) & 0xFFFF_FFFF
    value(total)
    return STATUS_SUCCESS

"""The kernel's C runtime: memory, sorting, numbers and characters.

They act on the driver's memory alone: no object of the kernel's is behind them, and they may be called wherever that memory
may be touched. Limits: qsort compares copies of the elements, so a comparison that looks at addresses learns nothing.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from dirql.hosts.sys.abi import LONG, LONGLONG, PVOID, SIZE_T, ULONG, VOID, api
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.characters import EINVAL, ERANGE, NARROW, WIDE, lower, upper
from dirql.hosts.sys.driver_memory import fill, load, store
from dirql.hosts.sys.guest import Guest
from dirql.machine.memory import PAGE_SIZE

__all__: list[str] = []

INT_MAX = (1 << 31) - 1


@api("ntoskrnl")
def memset(guest: Guest, target: PVOID, value: LONG, count: SIZE_T) -> PVOID:
    """memset."""
    fill(guest, target, value, count)
    return target


@api("ntoskrnl")
def memcpy(guest: Guest, target: PVOID, source: PVOID, count: SIZE_T) -> PVOID:
    """memcpy; ranges that overlap are copied as memmove does (Windows' x64 memcpy is memmove)."""
    store(guest, target, load(guest, source, count))
    return target


@api("ntoskrnl")
def memmove(guest: Guest, target: PVOID, source: PVOID, count: SIZE_T) -> PVOID:
    """memmove."""
    store(guest, target, load(guest, source, count))
    return target


@api("ntoskrnl")
def memcmp(guest: Guest, one: PVOID, other: PVOID, count: SIZE_T) -> LONG:
    """memcmp: looks no further than the page of the first difference."""
    done = 0
    while done < count:
        part = min(count - done, *(PAGE_SIZE - (address + done & PAGE_SIZE - 1) for address in (one, other)))
        left, right = load(guest, one + done, part), load(guest, other + done, part)
        if left != right:
            return 1 if left > right else -1
        done += part
    return 0


@api("ntoskrnl")
def memchr(guest: Guest, address: PVOID, value: LONG, count: SIZE_T) -> PVOID:
    """memchr."""
    done = 0
    while done < count:
        part = min(count - done, PAGE_SIZE - (address + done & PAGE_SIZE - 1))
        at = load(guest, address + done, part).find(value & 0xFF)
        if at >= 0:
            return address + done + at
        done += part
    return 0


@api("ntoskrnl")
def memcpy_s(guest: Guest, target: PVOID, size: SIZE_T, source: PVOID, count: SIZE_T) -> LONG:
    """memcpy_s: too small a target is zeroed."""
    return _copy_bounded(guest, target, size, source, count, zero=True)


@api("ntoskrnl")
def memmove_s(guest: Guest, target: PVOID, size: SIZE_T, source: PVOID, count: SIZE_T) -> LONG:
    """memmove_s: too small a target is left as it is."""
    return _copy_bounded(guest, target, size, source, count, zero=False)


def _copy_bounded(guest: Guest, target: int, size: int, source: int, count: int, *, zero: bool) -> int:
    if not count:
        return 0
    if not target:
        return EINVAL
    if not source or size < count:
        if zero:
            fill(guest, target, 0, size)
        return EINVAL if not source else ERANGE
    store(guest, target, load(guest, source, count))
    return 0


@api("ntoskrnl")
def qsort(guest: Guest, base: PVOID, count: SIZE_T, width: SIZE_T, compare: PVOID) -> VOID:
    """qsort, with the driver's comparison."""
    if count < 2 or not width:
        return
    data = guest.space.read(base, count * width)
    scratch = guest.space.allocate(Area.BUFFER, 2 * width, "two elements that qsort compares")

    def difference(one: bytes, other: bytes) -> int:
        guest.space.write(scratch.start, one + other)
        return _signed(guest.call(compare, scratch.start, scratch.start + width))

    parts = [data[at : at + width] for at in range(0, len(data), width)]
    try:
        parts.sort(key=cmp_to_key(difference))
    finally:
        guest.space.free(scratch)
    guest.space.write(base, b"".join(parts))


@api("ntoskrnl")
def bsearch(guest: Guest, key: PVOID, base: PVOID, count: SIZE_T, width: SIZE_T, compare: PVOID) -> PVOID:
    """bsearch: the comparison gets the key and an element."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        difference = _signed(guest.call(compare, key, base + middle * width))
        if not difference:
            return base + middle * width
        low, high = (middle + 1, high) if difference > 0 else (low, middle)
    return 0


class Random:
    """The state of rand()."""

    def __init__(self, guest: Guest) -> None:
        self.state = 1


@api("ntoskrnl")
def srand(guest: Guest, seed: ULONG) -> VOID:
    """srand."""
    guest.part(Random).state = seed


@api("ntoskrnl")
def rand(guest: Guest) -> LONG:
    """rand: Microsoft's linear congruential generator, one for all processors."""
    random = guest.part(Random)
    random.state = random.state * 214013 + 2531011 & 0xFFFF_FFFF
    return random.state >> 16 & 0x7FFF


@api("ntoskrnl")
def atoi(guest: Guest, text: PVOID) -> LONG:
    """atoi."""
    return NARROW.number(guest, text)[0]


@api("ntoskrnl")
def atol(guest: Guest, text: PVOID) -> LONG:
    """atol."""
    return NARROW.number(guest, text)[0]


@api("ntoskrnl")
def _atoi64(guest: Guest, text: PVOID) -> LONGLONG:
    """_atoi64."""
    return NARROW.number(guest, text)[0]


@api("ntoskrnl")
def _wtoi(guest: Guest, text: PVOID) -> LONG:
    """_wtoi."""
    return WIDE.number(guest, text)[0]


@api("ntoskrnl")
def _wtol(guest: Guest, text: PVOID) -> LONG:
    """_wtol."""
    return WIDE.number(guest, text)[0]


@api("ntoskrnl")
def strtol(guest: Guest, text: PVOID, end: PVOID, base: LONG) -> LONG:
    """strtol: a value that does not fit becomes the nearest that does."""
    return max(-INT_MAX - 1, min(_parse(guest, text, end, base), INT_MAX))


@api("ntoskrnl")
def strtoul(guest: Guest, text: PVOID, end: PVOID, base: LONG) -> ULONG:
    """strtoul."""
    return _unsigned(_parse(guest, text, end, base))


@api("ntoskrnl")
def wcstoul(guest: Guest, text: PVOID, end: PVOID, base: LONG) -> ULONG:
    """wcstoul."""
    return _unsigned(_parse(guest, text, end, base, wide=True))


def _unsigned(value: int) -> int:
    return value if -(1 << 32) < value < 1 << 32 else 0xFFFF_FFFF


def _parse(guest: Guest, text: int, end: int, base: int, *, wide: bool = False) -> int:
    kind = WIDE if wide else NARROW
    value, taken = kind.number(guest, text, base) if base == 0 or 2 <= base <= 36 else (0, 0)
    if end:
        guest.space.write(end, kind.at(text, taken).to_bytes(8, "little"))
    return value


def _digits(value: int, radix: int) -> str:
    digits = ""
    while value or not digits:
        value, digit = divmod(value, radix)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _signed_text(value: int, radix: int) -> str:
    """Of _itoa: only decimal has a sign."""
    return f"-{_digits(-value, 10)}" if radix == 10 and value < 0 else _digits(value & 0xFFFF_FFFF, radix)


@api("ntoskrnl")
def _itoa(guest: Guest, value: LONG, buffer: PVOID, radix: LONG) -> PVOID:
    """_itoa."""
    NARROW.put(guest, buffer, _signed_text(value, radix) if 2 <= radix <= 36 else "")
    return buffer


@api("ntoskrnl")
def _itow(guest: Guest, value: LONG, buffer: PVOID, radix: LONG) -> PVOID:
    """_itow."""
    WIDE.put(guest, buffer, _signed_text(value, radix) if 2 <= radix <= 36 else "")
    return buffer


def _number_bounded(guest: Guest, text: str, buffer: int, size: int, radix: int) -> int:
    if not buffer or not size:
        return EINVAL
    fits = 2 <= radix <= 36 and len(text) < size
    NARROW.put(guest, buffer, text if fits else "")
    return 0 if fits else ERANGE if 2 <= radix <= 36 else EINVAL


@api("ntoskrnl")
def _ultoa_s(guest: Guest, value: ULONG, buffer: PVOID, size: SIZE_T, radix: LONG) -> LONG:
    """_ultoa_s."""
    return _number_bounded(guest, _digits(value, radix) if 2 <= radix <= 36 else "", buffer, size, radix)


@api("ntoskrnl")
def _ui64toa_s(guest: Guest, value: SIZE_T, buffer: PVOID, size: SIZE_T, radix: LONG) -> LONG:
    """_ui64toa_s."""
    return _number_bounded(guest, _digits(value, radix) if 2 <= radix <= 36 else "", buffer, size, radix)


def _signed(rax: int) -> int:
    value = rax & 0xFFFF_FFFF
    return value - (value >> 31 << 32)


def _classify(name: str, belongs: Any) -> None:
    def one(guest: Guest, character: LONG) -> LONG:
        return int(0 <= character < 128 and belongs(chr(character)))

    one.__name__ = one.__qualname__ = name
    one.__doc__ = f"{name}, of ASCII."
    api("ntoskrnl")(one)


for _name, _belongs in {
    "isdigit": str.isdigit, "isspace": str.isspace, "isprint": str.isprintable, "isalpha": str.isalpha,
    "isalnum": str.isalnum, "isupper": str.isupper, "islower": str.islower,
    "isxdigit": lambda c: c in "0123456789abcdefABCDEF",
}.items():  # fmt: skip
    _classify(_name, _belongs)


def _fold(name: str, convert: Any, mask: int) -> None:
    def one(guest: Guest, character: LONG) -> LONG:
        return ord(convert(chr(character & mask)))

    one.__name__ = one.__qualname__ = name
    one.__doc__ = f"{name}, of ASCII."
    api("ntoskrnl")(one)


for _name, _convert, _mask in (
    ("tolower", lower, 0xFF), ("toupper", upper, 0xFF), ("towlower", lower, 0xFFFF), ("towupper", upper, 0xFFFF),
):  # fmt: skip
    _fold(_name, _convert, _mask)

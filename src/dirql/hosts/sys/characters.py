"""C strings of either width in a driver's memory, and what the C runtime does with them (ISO C 7.24 and 7.29, Annex K).

The bounded copies report as Microsoft's do: EINVAL or ERANGE, and an empty destination. Case is ASCII's, as in the kernel's
runtime without a locale (model choice for the wide routines).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirql.hosts.sys.driver_memory import fill, narrow, put_narrow, put_wide, store, wide

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["EINVAL", "ERANGE", "NARROW", "TRUNCATE", "WIDE", "Characters", "lower", "upper"]

EINVAL, ERANGE, STRUNCATE = 22, 34, 80
TRUNCATE = (1 << 64) - 1  # _TRUNCATE
UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def lower(text: str) -> str:
    """A to Z only."""
    return text.translate(LOWER)


def upper(text: str) -> str:
    """a to z only."""
    return text.translate(UPPER)


@dataclass(frozen=True)
class Characters:
    """`char` or `wchar_t`: `size` bytes each."""

    size: int

    def get(self, guest: Guest, address: int, most: int | None = None) -> str:
        """Up to the zero; a character for each unit."""
        return (narrow if self.size == 1 else wide)(guest, address, most)

    def put(self, guest: Guest, address: int, text: str, *, end: bool = True) -> None:
        """Stores `text`, and a zero unless there is to be no `end`."""
        (put_narrow if self.size == 1 else put_wide)(guest, address, text + "\0" * end)

    def at(self, address: int, index: int) -> int:
        """The address of a unit, or NULL for an index that find() had no answer for."""
        return address + index * self.size if index >= 0 else 0

    def compare(self, guest: Guest, one: int, other: int, most: int | None = None, *, fold: bool = False) -> int:
        """strcmp and its kind: looks no further than the first difference."""
        done = 0
        while most is None or done < most:
            count = 64 if most is None else min(64, most - done)
            left, right = (self._span(guest, start + done * self.size, count) for start in (one, other))
            if fold:
                left, right = lower(left), lower(right)
            for a, b in zip(left, right, strict=False):
                if a != b or a == "\0":
                    return (a > b) - (a < b)
            step = min(len(left), len(right))
            done += step
        return 0

    def copy(self, guest: Guest, target: int, source: int) -> int:
        """strcpy; returns `target`."""
        self.put(guest, target, self.get(guest, source))
        return target

    def copy_counted(self, guest: Guest, target: int, source: int, count: int) -> int:
        """strncpy: pads with zeros, and ends with none where there is no room."""
        text = self.get(guest, source, count)
        self.put(guest, target, text, end=False)
        fill(guest, target + len(text) * self.size, 0, (count - len(text)) * self.size)
        return target

    def append(self, guest: Guest, target: int, source: int, most: int | None = None) -> int:
        """strcat and strncat."""
        end = target + self.size * len(self.get(guest, target))
        self.put(guest, end, self.get(guest, source, most))
        return target

    def copy_bounded(self, guest: Guest, target: int, size: int, source: int, most: int | None = None, *, after: int = 0) -> int:
        """strcpy_s and strncpy_s, from the unit `after` on (strcat_s, strncat_s); returns an errno_t."""
        if not target or not size:
            return EINVAL
        if not source:
            return self._empty(guest, target, EINVAL)
        room = size - after
        wanted = room if most is None or most == TRUNCATE else min(most, room)
        text = self.get(guest, source, wanted)
        if len(text) >= room:
            if most != TRUNCATE:
                return self._empty(guest, target, ERANGE)
            self.put(guest, self.at(target, after), text[: room - 1])
            return STRUNCATE
        self.put(guest, self.at(target, after), text)
        return 0

    def append_bounded(self, guest: Guest, target: int, size: int, source: int, most: int | None = None) -> int:
        """strcat_s and strncat_s; a destination without an end is EINVAL."""
        if not target or not size:
            return EINVAL
        after = len(self.get(guest, target, size))
        if after >= size:
            return self._empty(guest, target, EINVAL)
        return self.copy_bounded(guest, target, size, source, most, after=after)

    def fold(self, guest: Guest, address: int, *, up: bool) -> int:
        """_strupr and _strlwr; returns `address`."""
        text = self.get(guest, address)
        self.put(guest, address, upper(text) if up else lower(text), end=False)
        return address

    def find(self, guest: Guest, address: int, character: int, *, last: bool = False) -> int:
        """strchr and strrchr; the zero at the end is found as well."""
        text = self.get(guest, address) + "\0"
        wanted = chr(character & (1 << 8 * self.size) - 1)
        return self.at(address, text.rfind(wanted) if last else text.find(wanted))

    def search(self, guest: Guest, address: int, wanted: int) -> int:
        """strstr."""
        return self.at(address, self.get(guest, address).find(self.get(guest, wanted)))

    def number(self, guest: Guest, address: int, base: int = 10) -> tuple[int, int]:
        """(value, units taken) as strtol reads it: blanks, a sign, a prefix where the base is 0 or 16; (0, 0) for none."""
        text = self.get(guest, address, 256)
        at = len(text) - len(text.lstrip(" \t\n\v\f\r"))
        negative = text[at : at + 1] == "-"
        at += text[at : at + 1] in ("+", "-")
        prefixed = text[at : at + 2].lower() == "0x" and text[at + 2 : at + 3].lower() in "0123456789abcdef"
        if base in (0, 16) and prefixed and text[at + 2 : at + 3]:
            base, at = 16, at + 2
        elif base == 0:
            base = 8 if text[at : at + 1] == "0" else 10
        start, value = at, 0
        while at < len(text) and (digit := _digit(text[at])) < base:
            value, at = value * base + digit, at + 1
        return (0, 0) if at == start else (-value if negative else value, at)

    def _span(self, guest: Guest, address: int, count: int) -> str:
        """At least one unit and at most `count`, none of them on a page that the first is not on."""
        room = (4096 - (address & 4095)) // self.size
        count = max(1, min(count, room))
        data = guest.space.read(address, count * self.size)
        if self.size == 1:
            return data.decode("latin-1")
        return "".join(chr(unit) for unit in memoryview(data).cast("H"))

    def _empty(self, guest: Guest, target: int, error: int) -> int:
        store(guest, target, bytes(self.size))
        return error


def _digit(character: str) -> int:
    if "0" <= character <= "9":
        return ord(character) - ord("0")
    folded = lower(character)
    return ord(folded) - ord("a") + 10 if "a" <= folded <= "z" else 99


NARROW = Characters(1)
WIDE = Characters(2)

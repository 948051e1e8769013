"""ntoskrnl's Rtl routines: counted strings, numbers, bitmaps, times, versions."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.nt_structs import RTL_BITMAP, UNICODE_STRING
from dirql.kernel.stop import BugCheck

SIZE = 0x200
NONE = 0xFFFF_FFFF


class Arena:
    """A driver's memory for a test."""

    def __init__(self, world: Any) -> None:
        self.world, self.space = world, world.guest.space
        self.next = self.space.allocate(Area.BUFFER, 0x4000, "a test's memory").start

    def put(self, data: bytes, size: int = SIZE) -> int:
        at, self.next = self.next, self.next + size
        self.space.write(at, data)
        return at

    def string(self, text: str, room: int | None = None, size: int = 2) -> UNICODE_STRING:
        """A counted string with `room` bytes."""
        data = text.encode("utf-16-le" if size == 2 else "latin-1")
        view = UNICODE_STRING(self.space, self.put(bytes(16)))
        view.Length, view.MaximumLength, view.Buffer = len(data), len(data) if room is None else room, self.put(data)
        return view

    def text(self, view: UNICODE_STRING, size: int = 2) -> str:
        return self.space.read(view.Buffer, view.Length).decode("utf-16-le" if size == 2 else "latin-1")

    def call(self, name: str, *arguments: Any) -> int:
        return int(self.world.routine(f"ntoskrnl!{name}", *(getattr(a, "address", a) for a in arguments)))

    def value(self, at: int, size: int = 4) -> int:
        return int.from_bytes(self.space.read(at, size), "little")


@pytest.fixture
def arena(world: Any) -> Arena:
    return Arena(world)


def signed(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (value >> 31 << 32)


@pytest.mark.parametrize(
    ("name", "data", "length", "maximum"),
    [("RtlInitUnicodeString", b"a\0b\0\0\0", 4, 6), ("RtlInitAnsiString", b"ab\0", 2, 3), ("RtlInitString", b"\0", 0, 1)],
)
def test_a_string_is_counted(arena: Arena, name: str, data: bytes, length: int, maximum: int) -> None:
    view, at = arena.string(""), arena.put(data)
    arena.call(name, view, at)
    assert (view.Length, view.MaximumLength, view.Buffer) == (length, maximum, at)
    arena.call(name, view, 0)
    assert (view.Length, view.MaximumLength, view.Buffer) == (0, 0, 0)


@pytest.mark.parametrize(
    ("one", "other", "fold", "difference"),
    [("abc", "abc", 0, 0), ("abc", "ABC", 1, 0), ("abc", "ABC", 0, 32), ("ab", "abc", 0, -1), ("b", "a", 0, 1), ("é", "É", 1, 0)],
)
def test_strings_are_compared(arena: Arena, one: str, other: str, fold: int, difference: int) -> None:
    for size, kind in ((2, "UnicodeString"), (1, "String")):
        views = arena.string(one, size=size), arena.string(other, size=size)
        assert signed(arena.call(f"RtlCompare{kind}", *views, fold)) == difference
        assert arena.call(f"RtlEqual{kind}", *views, fold) == (difference == 0)


@pytest.mark.parametrize(("room", "status", "text"), [(8, 0, "abcd"), (7, 0xC000_0023, "ab"), (10, 0, "abcd")])
def test_what_is_appended_must_fit(arena: Arena, room: int, status: int, text: str) -> None:
    view = arena.string("ab", room)
    assert arena.call("RtlAppendUnicodeToString", view, arena.put("cd".encode("utf-16-le") + b"\0\0")) == status
    assert arena.text(view) == text
    view = arena.string("ab", room)
    assert arena.call("RtlAppendUnicodeStringToString", view, arena.string("cd")) == status
    assert arena.text(view) == text


def test_a_copy_is_cut_to_its_room(arena: Arena) -> None:
    view = arena.string("....", 5)
    arena.call("RtlCopyUnicodeString", view, arena.string("abcd"))
    assert arena.text(view) == "ab"
    arena.call("RtlCopyUnicodeString", view, 0)
    assert view.Length == 0


@pytest.mark.parametrize(
    ("name", "given", "result", "sizes"),
    [("RtlAnsiStringToUnicodeString", "aé", "aé", (1, 2)), ("RtlUnicodeStringToAnsiString", "a✓", "a?", (2, 1)),
     ("RtlUpcaseUnicodeString", "aßé", "AßÉ", (2, 2)), ("RtlDowncaseUnicodeString", "AB", "ab", (2, 2))],
)  # fmt: skip
def test_a_string_is_converted_into_a_buffer_of_its_own_and_given_back(
    arena: Arena, name: str, given: str, result: str, sizes: tuple[int, int]
) -> None:
    view = arena.string("")
    assert arena.call(name, view, arena.string(given, size=sizes[0]), 1) == 0
    assert arena.text(view, sizes[1]) == result
    free = "RtlFreeUnicodeString" if sizes[1] == 2 else "RtlFreeAnsiString"
    arena.call(free, view)
    assert (view.Length, view.Buffer) == (0, 0)


def test_a_conversion_that_does_not_fit_is_an_overflow(arena: Arena) -> None:
    assert arena.call("RtlAnsiStringToUnicodeString", arena.string("", 7), arena.string("abc", size=1), 0) == 0x8000_0005


def test_a_strings_buffer_is_freed_once(arena: Arena) -> None:
    view = arena.string("")
    arena.call("RtlUpcaseUnicodeString", view, arena.string("a"), 1)
    at = view.Buffer
    arena.call("RtlFreeUnicodeString", view)
    view.Buffer = at
    with pytest.raises(BugCheck, match="bugcheck 0xc2"):
        arena.call("RtlFreeUnicodeString", view)


def test_a_paged_string_routine_above_its_irql_is_found(world: Any, arena: Arena) -> None:
    kernel, view = world.system.kernel, arena.string("a")

    def at_dispatch() -> None:
        old = kernel.ke_raise_irql(2)
        from dirql.hosts.sys.abi import ROUTINES

        world.guest.call(world.guest.stubs.address("ntoskrnl!RtlEqualUnicodeString", ROUTINES["ntoskrnl!RtlEqualUnicodeString"]),
                         view.address, view.address, 0)  # fmt: skip
        kernel.ke_lower_irql(old)

    world.system.call(at_dispatch)
    assert [f.rule for f in world.system.findings] == ["irql-too-high"]


@pytest.mark.parametrize(
    ("text", "base", "status", "value"),
    [("0x1f", 0, 0, 31), (" -1", 10, 0, NONE), ("12z", 10, 0, 12), ("0b101", 0, 0, 5), ("0o17", 0, 0, 15),
     ("1", 3, 0xC000_000D, 0)],
)
def test_a_number_is_read(arena: Arena, text: str, base: int, status: int, value: int) -> None:
    out = arena.put(bytes(4))
    assert arena.call("RtlUnicodeStringToInteger", arena.string(text), base, out) == status
    assert arena.value(out) == value
    assert arena.call("RtlCharToInteger", arena.put(text.encode() + b"\0"), base, out) == status


@pytest.mark.parametrize(
    ("name", "value", "base", "room", "status", "text"),
    [("RtlIntegerToUnicodeString", 255, 16, 8, 0, "FF"), ("RtlIntegerToUnicodeString", 255, 0, 6, 0, "255"),
     ("RtlIntegerToUnicodeString", 255, 10, 4, 0x8000_0005, ""), ("RtlInt64ToUnicodeString", 1 << 40, 16, 64, 0, "10000000000")],
)  # fmt: skip
def test_a_number_is_written(arena: Arena, name: str, value: int, base: int, room: int, status: int, text: str) -> None:
    view = arena.string("", room)
    assert arena.call(name, value, base, view) == status
    assert arena.text(view) == text


def test_a_guid_goes_both_ways(arena: Arena) -> None:
    at, view = arena.put(bytes(16)), arena.string("")
    text = "{496B8280-6F25-11D0-BEAF-08002BE2092F}"
    assert arena.call("RtlGUIDFromString", arena.string(text), at) == 0
    assert arena.space.read(at, 4) == bytes.fromhex("80826b49")
    assert arena.call("RtlStringFromGUID", at, view) == 0
    assert arena.text(view) == text
    assert arena.call("RtlGUIDFromString", arena.string("{1}"), at) == 0xC000_000D


# Bitmaps.


def bitmap(arena: Arena, bits: str) -> RTL_BITMAP:
    """Bit 0 first."""
    value = sum(int(bit) << index for index, bit in enumerate(bits))
    view = RTL_BITMAP(arena.space, arena.put(bytes(16)))
    arena.call("RtlInitializeBitMap", view, arena.put(value.to_bytes(16, "little")), len(bits))
    return view


def bits_of(arena: Arena, view: RTL_BITMAP) -> str:
    value = int.from_bytes(arena.space.read(view.Buffer, 16), "little")
    return "".join(str(value >> i & 1) for i in range(view.SizeOfBitMap))


@pytest.mark.parametrize(
    ("name", "arguments", "after"),
    [("RtlSetBit", (1,), "0110000000"), ("RtlClearBit", (2,), "0000000000"), ("RtlSetBits", (3, 4), "0011111000"),
     ("RtlClearBits", (0, 10), "0000000000"), ("RtlSetAllBits", (), "1111111111"), ("RtlClearAllBits", (), "0000000000")],
)  # fmt: skip
def test_bits_change(arena: Arena, name: str, arguments: tuple[int, ...], after: str) -> None:
    view = bitmap(arena, "0010000000")
    arena.call(name, view, *arguments)
    assert bits_of(arena, view) == after


@pytest.mark.parametrize(
    ("bits", "name", "arguments", "answer"),
    [
        ("0110", "RtlTestBit", (1,), 1), ("0110", "RtlCheckBit", (3,), 0), ("0110", "RtlNumberOfSetBits", (), 2),
        ("0110010", "RtlNumberOfClearBits", (), 4), ("0110", "RtlAreBitsSet", (1, 2), 1), ("0110", "RtlAreBitsSet", (1, 3), 0),
        ("0110", "RtlAreBitsClear", (0, 1), 1), ("0110", "RtlAreBitsClear", (3, 2), 0), ("0110", "RtlAreBitsSet", (1, 0), 0),
        ("1100100", "RtlFindClearBits", (2, 0), 2), ("1100100", "RtlFindClearBits", (2, 4), 5),
        ("0011", "RtlFindClearBits", (2, 3), 0),
        ("1111", "RtlFindClearBits", (1, 0), NONE), ("0110", "RtlFindSetBits", (2, 0), 1),
        ("0110", "RtlFindClearBits", (5, 0), NONE),
    ],
)  # fmt: skip
def test_bits_are_asked_for(arena: Arena, bits: str, name: str, arguments: tuple[int, ...], answer: int) -> None:
    assert arena.call(name, bitmap(arena, bits), *arguments) == answer


def test_bits_that_are_found_are_taken(arena: Arena) -> None:
    view = bitmap(arena, "1100100")
    assert [arena.call("RtlFindClearBitsAndSet", view, 2, 0) for _ in range(3)] == [2, 5, NONE]
    assert arena.call("RtlFindSetBitsAndClear", view, 7, 0) == 0
    assert bits_of(arena, view) == "0000000"


# The rest.


def test_a_time_goes_both_ways(arena: Arena) -> None:
    moment, fields, again = arena.put((132_000_000_000_000_000).to_bytes(8, "little")), arena.put(bytes(16)), arena.put(bytes(8))
    arena.call("RtlTimeToTimeFields", moment, fields)
    assert struct.unpack("<8h", arena.space.read(fields, 16)) == (2019, 4, 17, 18, 40, 0, 0, 3)
    assert arena.call("RtlTimeFieldsToTime", fields, again) == 1
    assert arena.value(again, 8) == 132_000_000_000_000_000
    arena.space.write(fields + 2, b"\x0d\0")
    assert arena.call("RtlTimeFieldsToTime", fields, again) == 0


@pytest.mark.parametrize("size", [0x114, 0x11C])
def test_the_version_is_windows_10s(arena: Arena, size: int) -> None:
    at = arena.put(size.to_bytes(4, "little"))
    assert arena.call("RtlGetVersion", at) == 0
    assert struct.unpack("<4I", arena.space.read(at + 4, 16)) == (10, 0, 22631, 2)


@pytest.mark.parametrize(("major", "minor", "status"), [(6, 1, 0), (10, 0, 0), (11, 0, 0xC000_0059), (10, 1, 0xC000_0059)])
def test_a_version_is_compared(arena: Arena, major: int, minor: int, status: int) -> None:
    at = arena.put(struct.pack("<3I", 0x11C, major, minor), 0x11C)
    at_least = 3 | 3 << 3  # VER_GREATER_EQUAL for both
    assert arena.call("RtlVerifyVersionInfo", at, 3, at_least) == status


def test_random_numbers_follow_from_the_seed(arena: Arena) -> None:
    at = arena.put((1).to_bytes(4, "little"))
    first = arena.call("RtlRandomEx", at)
    assert first < 0x7FFF_FFFF
    assert arena.value(at) == first


def test_a_failed_assertion_says_which(arena: Arena) -> None:
    with pytest.raises(BugCheck, match=r"assertion failed: x > 1 \(nic\.c:7\); no debugger is attached"):
        arena.call("RtlAssert", arena.put(b"x > 1\0"), arena.put(b"nic.c\0"), 7, 0)

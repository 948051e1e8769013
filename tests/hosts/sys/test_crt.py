"""The kernel's C runtime, called as a driver calls it."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from dirql.hosts.sys.address_space import Area
from dirql.kernel.stop import BugCheck

M = (1 << 64) - 1
SIZE = 0x200


class Arena:
    """A driver's memory for a test: texts are placed one after another."""

    def __init__(self, world: Any) -> None:
        self.world, self.space = world, world.guest.space
        self.next = self.space.allocate(Area.BUFFER, 0x4000, "a test's memory").start

    def put(self, data: bytes, size: int = SIZE) -> int:
        at, self.next = self.next, self.next + size
        self.space.write(at, data)
        return at

    def narrow(self, text: str) -> int:
        return self.put(text.encode() + b"\0")

    def wide(self, text: str) -> int:
        return self.put(text.encode("utf-16-le") + b"\0\0")

    def text(self, at: int, wide: bool = False) -> str:
        data = self.space.read(at, SIZE)
        if wide:
            return data.decode("utf-16-le").partition("\0")[0]
        return data.partition(b"\0")[0].decode()

    def call(self, name: str, *arguments: int) -> int:
        return int(self.world.routine(f"ntoskrnl!{name}", *arguments))


@pytest.fixture
def arena(world: Any) -> Arena:
    return Arena(world)


def signed(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (value >> 31 << 32)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("name", "one", "other", "count", "expected"),
    [
        ("cmp", "abc", "abc", None, 0), ("cmp", "abc", "abd", None, -1), ("cmp", "b", "abc", None, 1), ("cmp", "", "a", None, -1),
        ("ncmp", "abcd", "abcx", 3, 0), ("ncmp", "abcd", "abcx", 4, -1), ("ncmp", "ab", "ab", 99, 0),
        ("icmp", "AbC", "aBc", None, 0), ("nicmp", "ABx", "aby", 2, 0), ("icmp", "a", "B", None, -1),
    ],
)  # fmt: skip
def test_comparisons_tell_the_order(
    arena: Arena, wide: bool, name: str, one: str, other: str, count: int | None, expected: int
) -> None:
    full = ("_" if "i" in name else "") + ("wcs" if wide else "str") + name
    put = arena.wide if wide else arena.narrow
    arguments = [put(one), put(other)] + ([count] if count is not None else [])
    assert signed(arena.call(full, *arguments)) == expected


@pytest.mark.parametrize(
    ("name", "wide", "target", "arguments", "text"),
    [
        ("strcpy", False, "zzzz", ("abc",), "abc"), ("wcscpy", True, "zzzz", ("abc",), "abc"),
        ("strcat", False, "ab", ("cd",), "abcd"), ("wcscat", True, "ab", ("cd",), "abcd"),
        ("strncpy", False, "zzzz", ("abc", 2), "abzz"), ("wcsncpy", True, "zzzz", ("abc", 2), "abzz"),
        ("strncpy", False, "zzzz", ("ab", 4), "ab"), ("strncat", False, "ab", ("cdef", 2), "abcd"),
        ("wcsncat", True, "ab", ("cdef", 2), "abcd"), ("_strupr", False, "aBc1", (), "ABC1"),
        ("_wcslwr", True, "aBc1", (), "abc1"),
    ],
)  # fmt: skip
def test_copies_change_the_target_and_return_it(
    arena: Arena, name: str, wide: bool, target: str, arguments: tuple[Any, ...], text: str
) -> None:
    put = arena.wide if wide else arena.narrow
    at = put(target)
    assert arena.call(name, at, *(put(a) if isinstance(a, str) else a for a in arguments)) == at
    assert arena.text(at, wide) == text


@pytest.mark.parametrize(
    ("name", "target", "size", "source", "more", "errno", "text"),
    [
        ("strcpy_s", "z", 4, "abc", (), 0, "abc"), ("strcpy_s", "z", 3, "abc", (), 34, ""),
        ("strcat_s", "ab", 5, "cd", (), 0, "abcd"),
        ("strcat_s", "ab", 4, "cd", (), 34, ""), ("strncpy_s", "z", 3, "abcd", (2,), 0, "ab"),
        ("strncpy_s", "z", 3, "abcd", (M,), 80, "ab"),
        ("strncat_s", "a", 4, "bcd", (2,), 0, "abc"), ("strcpy_s", "z", 0, "abc", (), 22, "z"),
    ],
)  # fmt: skip
def test_bounded_copies_report_an_errno_and_empty_the_target(
    arena: Arena, name: str, target: str, size: int, source: str, more: tuple[int, ...], errno: int, text: str
) -> None:
    at = arena.narrow(target)
    assert arena.call(name, at, size, arena.narrow(source), *more) == errno
    assert arena.text(at) == text


@pytest.mark.parametrize(
    ("name", "text", "wanted", "offset"),
    [
        ("strchr", "abcabc", "b", 1), ("strrchr", "abcabc", "b", 4), ("strchr", "abc", "\0", 3), ("strchr", "abc", "x", None),
        ("wcschr", "abcabc", "c", 4), ("wcsrchr", "abcabc", "a", 6), ("strstr", "abcabc", "ca", 2), ("strstr", "abc", "x", None),
        ("wcsstr", "abcabc", "ca", 4), ("strstr", "abc", "", 0),
    ],
)  # fmt: skip
def test_searches_return_an_address_or_null(arena: Arena, name: str, text: str, wanted: str, offset: int | None) -> None:
    put = arena.wide if name.startswith("wcs") else arena.narrow
    at = put(text)
    given = put(wanted) if name.endswith("str") else ord(wanted)
    assert arena.call(name, at, given) == (0 if offset is None else at + offset)


@pytest.mark.parametrize(("name", "text", "count", "length"), [
    ("strlen", "abc", None, 3), ("wcslen", "abc", None, 3), ("strnlen", "abc", 2, 2), ("strnlen", "abc", 9, 3),
    ("wcsnlen", "abc", 2, 2),
])  # fmt: skip
def test_lengths_count_units(arena: Arena, name: str, text: str, count: int | None, length: int) -> None:
    at = (arena.wide if name.startswith("wcs") else arena.narrow)(text)
    assert arena.call(name, at, *([] if count is None else [count])) == length


def test_a_string_across_two_pages_is_read_to_its_end(world: Any, arena: Arena) -> None:
    region = world.guest.space.allocate(Area.BUFFER, 0x2000, "two pages")
    at = region.start + 0x1000 - 5
    world.guest.space.write(at, "abcdef".encode("utf-16-le") + b"\0\0")
    assert arena.call("wcslen", at) == 6


@pytest.mark.parametrize("name", ["memcpy", "memmove"])
def test_memory_is_copied(arena: Arena, name: str) -> None:
    at = arena.put(b"........")
    assert arena.call(name, at + 2, arena.put(b"abcd"), 4) == at + 2
    assert arena.space.read(at, 8) == b"..abcd.."


def test_memory_is_filled_compared_and_searched(arena: Arena) -> None:
    at = arena.put(b"........")
    assert arena.call("memset", at + 1, 0x141, 3) == at + 1
    assert arena.space.read(at, 6) == b".AAA.."
    assert signed(arena.call("memcmp", at, arena.put(b".AAB"), 4)) == -1
    assert arena.call("memcmp", at, at, 8) == 0
    assert arena.call("memchr", at, ord("A"), 8) == at + 1
    assert arena.call("memchr", at, ord("x"), 8) == 0
    assert arena.call("RtlCompareMemory", at, arena.put(b".AAB"), 4) == 3


def test_memory_of_a_device_is_copied_by_register_accesses(world: Any, arena: Arena) -> None:
    registers, at = world.registers(), arena.put(bytes(32))
    arena.call("memcpy", at, registers + 0x14, 12)
    assert world.accesses == [("read", 0x14, 4, 0), ("read", 0x18, 8, 0)]
    assert arena.space.read(at, 12) == bytes.fromhex("44332211") + bytes.fromhex("8877665544332211")


def test_a_fill_that_runs_past_its_memory_is_a_fault_and_not_an_endless_one(world: Any) -> None:
    region = world.guest.space.allocate(Area.BUFFER, 0x1000, "a buffer")
    with pytest.raises(BugCheck, match=f"writes {region.end:#x}: 0x0 bytes past the end of a buffer of 0x1000 bytes"):
        world.routine("ntoskrnl!memset", region.start, 0, M)


@pytest.mark.parametrize(
    ("size", "source", "count", "errno", "after"),
    [(8, True, 4, 0, b"abcd...."), (2, True, 4, 34, b"\0\0......"), (8, False, 4, 22, bytes(8)), (0, False, 0, 0, b"........")],
)
def test_memcpy_s_refuses_what_does_not_fit(arena: Arena, size: int, source: bool, count: int, errno: int, after: bytes) -> None:
    at = arena.put(b"........")
    assert arena.call("memcpy_s", at, size, arena.put(b"abcd") if source else 0, count) == errno
    assert arena.space.read(at, 8) == after


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("atoi", " -12x", -12), ("atol", "7", 7), ("_wtoi", "42", 42), ("atoi", "x", 0), ("_wtol", "-1", -1)],
)
def test_numbers_are_read_as_far_as_they_go(arena: Arena, name: str, text: str, value: int) -> None:
    assert signed(arena.call(name, (arena.wide if name.startswith("_w") else arena.narrow)(text))) == value


@pytest.mark.parametrize(
    ("text", "base", "value", "taken"),
    [("0x1Fz", 0, 0x1F, 4), ("017", 0, 15, 3), ("12", 10, 12, 2), ("zz", 36, 35 * 37, 2), ("x", 10, 0, 0),
     ("99999999999", 10, 0xFFFF_FFFF, 11)],
)
def test_strtoul_tells_where_it_stopped(arena: Arena, text: str, base: int, value: int, taken: int) -> None:
    at, end = arena.narrow(text), arena.put(bytes(8))
    assert arena.call("strtoul", at, end, base) == value
    assert int.from_bytes(arena.space.read(end, 8), "little") == at + taken


@pytest.mark.parametrize(
    ("value", "radix", "text"),
    [(-5 & M, 10, "-5"), (255, 16, "ff"), (-1 & M, 16, "ffffffff"), (5, 2, "101"), (0, 10, "0")],
)
def test_numbers_are_written(arena: Arena, value: int, radix: int, text: str) -> None:
    at = arena.put(b"")
    assert arena.call("_itoa", value, at, radix) == at
    assert arena.text(at) == text


@pytest.mark.parametrize(
    ("name", "character", "value"),
    [("tolower", "A", ord("a")), ("toupper", "é", ord("é")), ("towupper", "z", ord("Z")), ("isdigit", "7", 1),
     ("isdigit", "x", 0),
     ("isxdigit", "F", 1), ("isspace", "\t", 1), ("isprint", "\x01", 0)],
)  # fmt: skip
def test_characters_are_those_of_ascii(arena: Arena, name: str, character: str, value: int) -> None:
    assert arena.call(name, ord(character)) == value


def test_qsort_orders_by_the_drivers_comparison_and_bsearch_finds(world: Any, arena: Arena) -> None:
    numbers = [5, 1, 4, 1, 3]
    at = arena.put(struct.pack("<5I", *numbers))

    def compare(one: int, other: int) -> int:
        a, b = (int.from_bytes(world.guest.space.read(p, 4), "little") for p in (one, other))
        return a - b

    compare_at = world.function(compare, 2)
    arena.call("qsort", at, 5, 4, compare_at)
    assert struct.unpack("<5I", arena.space.read(at, 20)) == (1, 1, 3, 4, 5)
    assert arena.call("bsearch", arena.put(struct.pack("<I", 4)), at, 5, 4, compare_at) == at + 12
    assert arena.call("bsearch", arena.put(struct.pack("<I", 2)), at, 5, 4, compare_at) == 0


def test_rand_is_the_same_sequence_after_the_same_seed(arena: Arena) -> None:
    arena.call("srand", 1)
    assert [arena.call("rand") for _ in range(3)] == [41, 18467, 6334]


def test_tokens_are_cut_out_one_by_one(arena: Arena) -> None:
    at, apart, context = arena.narrow(",a,,bc"), arena.narrow(","), arena.put(bytes(8))
    first = arena.call("strtok_s", at, apart, context)
    second = arena.call("strtok_s", 0, apart, context)
    assert (arena.text(first), arena.text(second)) == ("a", "bc")
    assert arena.call("strtok_s", 0, apart, context) == 0


@pytest.mark.parametrize(
    ("name", "wide", "sizes", "format_", "arguments", "result", "text"),
    [
        ("sprintf", False, (), "%d-%s", (5, "ab"), 4, "5-ab"), ("swprintf", True, (), "%d-%s", (5, "ab"), 4, "5-ab"),
        ("_snprintf", False, (8,), "%x", (255,), 2, "ff"), ("_snprintf", False, (3,), "%s", ("abcdef",), -1, "abc."),
        ("_snprintf", False, (3,), "abc", (), 3, "abc."), ("_snwprintf", True, (4,), "%u", (12,), 2, "12"),
        ("sprintf_s", False, (4,), "%s", ("abc",), 3, "abc"), ("sprintf_s", False, (3,), "%s", ("abc",), -1, ""),
        ("_snprintf_s", False, (3, M), "%s", ("abc",), -1, "ab"), ("_snprintf_s", False, (8, 2), "%s", ("abc",), -1, "ab"),
        ("_snprintf_s", False, (8, 3), "%s", ("abc",), 3, "abc"), ("_snprintf_s", False, (3, 3), "%s", ("abc",), -1, ""),
        ("_snwprintf_s", True, (3, M), "%s", ("abc",), -1, "ab"), ("swprintf_s", True, (9,), "%hs", ("abc",), 3, "abc"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("listed", [False, True])
def test_printing_bounds_its_result(
    arena: Arena, listed: bool, name: str, wide: bool, sizes: tuple[int, ...], format_: str, arguments: tuple[Any, ...],
    result: int, text: str,
) -> None:  # fmt: skip
    at = arena.put(b"." * 32)
    put = arena.wide if wide else arena.narrow
    given = [(arena.narrow if "%h" in format_ else put)(a) if isinstance(a, str) else a for a in arguments]
    if listed:
        name = name.replace("_s", "_vs", 1) if name.startswith("_s") else f"v{name}"
        if name == "vswprintf":
            return  # the kernel exports none
        given = [arena.put(b"".join(a.to_bytes(8, "little") for a in given))]
    assert signed(arena.call(name, at, *sizes, put(format_), *given)) == result
    shown = arena.text(at, wide)
    assert shown == text or shown.startswith(text)


def test_a_length_is_counted_without_a_buffer(arena: Arena) -> None:
    assert arena.call("_snprintf", 0, 0, arena.narrow("%05d"), 7) == 5


def test_strings_are_converted_between_widths(arena: Arena) -> None:
    wide, narrow = arena.put(b""), arena.put(b"")
    assert arena.call("mbstowcs", wide, arena.narrow("abc"), 9) == 3
    assert arena.call("wcstombs", narrow, wide, 9) == 3
    assert arena.text(narrow) == "abc"

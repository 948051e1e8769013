"""DbgPrint's formats, with Python's own % formatting as the second witness where the two agree."""

from __future__ import annotations

import struct
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.hosts.sys.format import DBGPRINT_LIMIT, format_bytes, format_message, format_wide
from dirql.hosts.sys.nt_structs import UNICODE_STRING

BASE = 0x1000


class Call:
    """The arguments of a call, over and over; `memory` lies at BASE, and nothing else is there."""

    def __init__(self, *slots: int, memory: bytes = b"") -> None:
        self.slots, self.memory = cycle(slots or [0]), memory

    def next(self) -> int:
        return next(self.slots) & (1 << 64) - 1

    def read(self, address: int, size: int) -> bytes:
        start = address - BASE
        return self.memory[start : start + size] if 0 <= start < len(self.memory) else b""


def _double(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def _wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


# fmt: off
NUMBERS = [  # format, slots, text
    (b"%d %i",           [1, -1],                        "1 -1"),
    (b"%d",              [0xFFFF_FFFF_8000_0000],        "-2147483648"),
    (b"%d",              [0xDEAD_0000_0000_0007],        "7"),          # the upper half of a slot is anything
    (b"%ld %lu",         [-1, -1],                       "-1 4294967295"),   # long has 32 bits
    (b"%I32d %I32u",     [-1, -1],                       "-1 4294967295"),
    (b"%lld %llu",       [-1, -1],                       "-1 18446744073709551615"),
    (b"%I64d %I64x",     [-1, 1 << 63],                  "-1 8000000000000000"),
    (b"%Id %Iu %Ix",     [-1, -1, 1 << 40],              "-1 18446744073709551615 10000000000"),
    (b"%zd %zu %td %jx", [-1, 1 << 40, -2, 1 << 40],     "-1 1099511627776 -2 10000000000"),
    (b"%hd %hu %hhd %hhu", [0x1_8000, -1, 0x180, -1],    "-32768 65535 -128 255"),
    (b"%x %X %o %u",     [0xBEEF, 0xBEEF, 8, 1 << 31],   "beef BEEF 10 2147483648"),
    (b"%#x %#X %#o %#x %#o", [0xBE, 0xBE, 8, 0, 0],      "0xbe 0XBE 010 0 0"),
    (b"%5d|%-5d|%05d|%+d|% d", [7, 7, -7, 7, 7],         "    7|7    |-0007|+7| 7"),
    (b"%.3d|%6.3d|%06.3d|%.0d|%.d", [7, -7, 7, 0, 0],    "007|  -007|   007||"),
    (b"%#06x|%-#6x|%#.4x|%+u", [0xAB, 0xAB, 0xAB, 3],    "0x00ab|0xab  |0x00ab|3"),
    (b"%*d|%*d|%.*d",    [5, 7, -5, 7, 3, 7],            "    7|7    |007"),
    (b"%.*d",            [-1, 7],                        "7"),
    (b"%p",              [0xFFFF_F801_2345_6789],        "FFFFF80123456789"),
    (b"%p %20p|%#p",     [0, 1, 1],                      "0000000000000000     0000000000000001|0X0000000000000001"),
    (b"%f %e %g %G",     [_double(v) for v in (1.5, 1.5, 1e-5, 1e-5)], "1.500000 1.500000e+00 1e-05 1E-05"),
    (b"%08.2f|%-8.1f|%+.0f", [_double(v) for v in (-1.5, 1.5, 2.5)],   "-0001.50|1.5     |+2"),
    (b"%f %E %5g %05f",  [_double(v) for v in (float("inf"), -float("inf"), float("nan"), float("inf"))], "inf -INF   nan   inf"),
    (b"%a %A %a %a",     [_double(v) for v in (1.5, -10.0, 0.0, 5e-324)],
                         "0x1.8000000000000p+0 -0X1.4000000000000P+3 0x0.0000000000000p+0 0x0.0000000000001p-1022"),
    (b"%.0a %.1a %.2a %#.0a", [_double(v) for v in (1.5, 1.96875, 1.0, 1.0)], "0x2p+0 0x2.0p+0 0x1.00p+0 0x1.p+0"),
    (b"100%% %",         [],                             "100% "),
    (b"%y %k% %5!",      [],                             "y k%5!"),          # "% %" is a percent sign too
    (b"%n|%d",           [BASE, 7],                      "<%n refused>|7"),
    (b"%c%c%3c|%-3c|",   [0x41, 0x1_42, 0x43, 0x44],     "AB  C|D  |"),
    (b"%C %lc %wc %hc",  [0x263A, 0x263A, 0x41, 0x41],   "\u263a \u263a A A"),
]

MEMORY = b"narrow\0\0" + _wide("w\u00efde \u263a") + b"tail"       # narrow at BASE, wide at BASE + 8; memory ends in "tail"
N, W = BASE, BASE + 8
TAIL = BASE + len(MEMORY) - 4
STRINGS = [  # format, slots, text
    (b"%s|%hs|%8s|%-8s|%.3s",      [N, N, N, N, N],      "narrow|narrow|  narrow|narrow  |nar"),
    (b"%S|%ls|%ws",                [W, W, W],            "w\u00efde \u263a|w\u00efde \u263a|w\u00efde \u263a"),
    (b"%.*s",                      [2, N],               "na"),
    (b"%.4s",                      [TAIL],               "tail"),          # needs no NUL: the precision ends it
    (b"%s|%S|%Z|%wZ|%.3s",         [0, 0, 0, 0, 0],      "(null)|(null)|(null)|(null)|(nu"),
    (b"%s|%S",                     [0x10, 0x10],         "<bad pointer 0x10>|<bad pointer 0x10>"),
    (b"%s",                        [TAIL],               f"tail<bad pointer {TAIL:#x}>"),
    (b"%ws",                       [TAIL],               f"\u6174\u6c69<bad pointer {TAIL:#x}>"),
    (b"%s",                        [(1 << 64) - 1],      "<bad pointer 0xffffffffffffffff>"),
    (b"%Z|%wZ",                    [0x10, 0x10],         "<bad pointer 0x10>|<bad pointer 0x10>"),
    ("%s|%ls|%S|%hs|%ws",          [W, W, N, N, W],      "w\u00efde \u263a|w\u00efde \u263a|narrow|narrow|w\u00efde \u263a"),
    ("%c%C \u263a %d",             [0x263A, 0x41, 5],    "\u263aA \u263a 5"),
]
# fmt: on


@pytest.mark.parametrize(("text", "slots", "expected"), NUMBERS)
def test_numbers_and_characters_print_as_in_windows(text, slots, expected):
    assert format_message(text, Call(*slots)) == expected


@pytest.mark.parametrize(("text", "slots", "expected"), [row for row in NUMBERS if b"%c" not in row[0].lower()])
def test_the_wide_routines_print_numbers_alike(text, slots, expected):
    assert format_message(text.decode(), Call(*slots)) == expected


@pytest.mark.parametrize(("text", "slots", "expected"), STRINGS)
def test_strings_print_as_in_windows(text, slots, expected):
    assert format_message(text, Call(*slots, memory=MEMORY)) == expected


def _counted(length: int, buffer: int) -> bytes:
    return bytes(UNICODE_STRING.new(Length=length, MaximumLength=length, Buffer=buffer))


# fmt: off
COUNTED = [
    ("%Z",  _counted(3, BASE + 16) + b"abcdef",          "abc"),
    ("%wZ", _counted(4, BASE + 16) + _wide("abcdef"),    "ab"),
    ("%wZ", _counted(5, BASE + 16) + _wide("abcdef"),    "ab"),        # an odd length loses its last byte
    ("%6Z", _counted(3, BASE + 16) + b"abcdef",          "   abc"),
    ("%Z",  _counted(0, BASE + 16),                      ""),
    ("%Z",  _counted(3, 0),                              "(null)"),
    ("%Z",  _counted(9, BASE + 16) + b"abc",             "abc<bad pointer 0x1010>"),
    ("%wZ", _counted(8, 0x10),                           "<bad pointer 0x10>"),
    ("%Z",  b"\x03",                                     "<bad pointer 0x1000>"),
]
# fmt: on


@pytest.mark.parametrize(("text", "memory", "expected"), COUNTED)
def test_counted_strings_end_where_their_length_says(text, memory, expected):
    assert format_message(text, Call(BASE, memory=memory)) == expected
    assert format_message(text.encode(), Call(BASE, memory=memory)) == expected


LONG = [b"%s", b"%.4000s", b"x" * 4000, b"%4000d", b"%-4000d", b"%.4000d", b"%04000d", b"%.4000f", b"%.4000a", b"%999999999999d",
        b"%.999999999999e", b"%d" * 3000]  # fmt: skip


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:20].decode())
def test_a_message_ends_at_512_bytes(text):
    assert len(format_message(text, Call(BASE, memory=b"y" * 5000))) == DBGPRINT_LIMIT == 512


def test_a_result_never_grows_beyond_its_limit_whatever_the_buffer():
    assert len(format_bytes(b"%2000000000d", Call(1), 1 << 31)) == 1 << 16
    assert format_bytes(b"text", Call(), 0) == b""


def test_the_narrow_result_keeps_every_byte():
    assert format_bytes(b"\xff\x80%s%c", Call(BASE, 0xFE, memory=b"\xfd\0"), 100) == b"\xff\x80\xfd\xfe"
    assert format_message(b"\xff%s", Call(BASE, memory=b"\xfd\0")) == "\ufffd\ufffd"


def test_the_wide_result_keeps_half_of_a_pair_and_counts_units():
    memory = _wide("\U0001f600")
    assert format_wide("%.1s|%s", Call(BASE, BASE, memory=memory), 100) == "\ud83d|\U0001f600"
    assert format_wide("\U0001f600\U0001f600", Call(), 3) == "\U0001f600\ud83d"
    assert format_message("%.1s", Call(BASE, memory=memory)) == "\ufffd"


@pytest.mark.parametrize("start", range(120, 136))
@pytest.mark.parametrize("code", ["%s", "%ws"])
def test_a_string_is_found_wherever_it_lies_in_memory(start, code):
    text = "abc" * 60
    data = _wide(text) if "w" in code else text.encode() + b"\0"
    assert format_message(code.encode(), Call(BASE + start, memory=bytes(start) + data)) == text


FLAGS = st.lists(st.sampled_from("-+ 0"), max_size=3).map("".join)
WIDTH = st.one_of(st.just(""), st.integers(1, 40).map(str))
PRECISION = st.one_of(st.just(""), st.integers(0, 20).map(".{}".format))


@given(FLAGS, WIDTH, st.sampled_from("di"), st.integers(-(1 << 31), (1 << 31) - 1))
def test_integers_agree_with_python(flags, width, kind, value):
    assert format_message(f"%{flags}{width}{kind}", Call(value)) == f"%{flags}{width}{kind}" % value


@given(st.sampled_from(["", "-", "0", "-0"]), WIDTH, st.sampled_from("xXou"), st.integers(0, (1 << 32) - 1))
def test_unsigned_integers_agree_with_python(flags, width, kind, value):
    assert format_message(f"%{flags}{width}{kind}", Call(value)) == f"%{flags}{width}{kind}" % value


@given(FLAGS, WIDTH, PRECISION, st.sampled_from("eEfFgG"), st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_floating_point_agrees_with_python(flags, width, precision, kind, value):
    text = f"%{flags}{width}{precision}{kind}"
    assert format_message(text, Call(_double(value))) == text % value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_hexadecimal_floating_point_reads_back(value):
    assert float.fromhex(format_message("%a", Call(_double(value)))) == value


@given(st.sampled_from(["", "-"]), WIDTH, PRECISION, st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_strings_agree_with_python(flags, width, precision, value):
    text = f"%{flags}{width}{precision}s"
    assert format_message(text.encode(), Call(BASE, memory=value.encode() + b"\0")) == text % value


PIECES = ["%", "*", ".", "-", "0", "5", "h", "l", "w", "I64", "I", "z", *"diuxXopcCsSZneEfgGaA", " text "]
POINTERS = st.one_of(st.integers(BASE - 1, BASE + 50), st.integers(0, (1 << 64) - 1))


DIRECTIVES = st.lists(st.sampled_from(PIECES), max_size=30).map(lambda parts: "".join(parts).encode())


@given(st.one_of(st.binary(max_size=60), DIRECTIVES), st.lists(POINTERS, min_size=1, max_size=8))
def test_no_format_and_no_argument_gives_an_exception_in_either_width(text, slots):
    for form in (text, text.decode("latin-1")):
        assert len(format_message(form, Call(*slots, memory=bytes(range(1, 50))))) <= DBGPRINT_LIMIT

"""Accesses of any width and place to the registers behind a BAR."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dirql.device.bar import RegisterBar, locate
from dirql.device.declare import BarDeclaration
from dirql.layout import RO, RW, Block, Byte, Half, Quad, Register, Word, at


class Mixed(Register, width=32):
    low = RW[7:0](reset=0x5A)
    high = RO[31:24](reset=0xC3)


class Cell(Block, size=0x8):
    half = at(0x0, Half, reset=0x1234)
    byte = at(0x3, Byte)
    mixed = at(0x4, Mixed)


class Odd(Block, size=0x40):
    word = at(0x00, Word)
    quad = at(0x08, Quad)
    cell = at(0x18, Cell, count=2, stride=0x10)
    tail = at(0x3C, Word)


def ignore(what: str, **detail: Any) -> None:
    """Notes are not the point here."""


def bar(empty: int = 0) -> RegisterBar:
    return RegisterBar("regs", BarDeclaration(0, Odd, size=0x40, empty=empty), {}, ignore)


ACCESSES = st.lists(st.tuples(st.sampled_from([1, 2, 4, 8]), st.integers(0, 0x48), st.integers(0, (1 << 64) - 1)), max_size=10)


@given(ACCESSES, st.sampled_from([0, 0xFF]))
def test_a_wide_access_is_the_sum_of_its_bytes(accesses: list[tuple[int, int, int]], empty: int) -> None:
    wide, narrow = bar(empty), bar(empty)
    for size, offset, value in accesses:
        wide.write(offset, size, value & ((1 << 8 * size) - 1))
        for i in range(size):
            narrow.write(offset + i, 1, value >> 8 * i & 0xFF)
        assert wide.file.buffer == narrow.file.buffer
        assert wide.read(offset, size) == sum(narrow.read(offset + i, 1) << 8 * i for i in range(size))


def test_a_register_of_a_nested_array_is_located_with_its_index() -> None:
    assert locate(Odd, 0x2F) == (("cell", "mixed"), (1,), Mixed, 0x2C)
    assert locate(Odd, 0x1A) is locate(Odd, 0x20) is locate(Odd, 0x40) is None


def test_bytes_outside_every_register_read_as_the_bar_says() -> None:
    assert (bar().read(0x18, 8), bar(0xFF).read(0x18, 8)) == (0xC300_005A_0000_1234, 0xC300_005A_00FF_1234)


def test_a_hostile_access_pattern_leaves_the_cache_bounded() -> None:
    target = bar()
    for offset in range(0x40, 0x400):
        target.read(offset, 4)
    assert len(target._plans) == 0

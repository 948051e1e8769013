from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import LayoutError
from dirql.layout import RegisterFile
from dirql.pci.bar import Bars, BarSpec, Overlay, Window
from dirql.pci.config import ConfigSpace


def _sized(config, index):
    offset = 0x10 + 4 * index
    config.write(offset, 4, 0xFFFF_FFFF)
    return config.read(offset, 4)


@pytest.mark.parametrize(
    ("spec", "low", "high"),
    [
        (BarSpec(0x10), 0xFFFF_FFF0, 0),
        (BarSpec(0x1000), 0xFFFF_F000, 0),
        (BarSpec(1 << 31, prefetchable=True), 0x8000_0008, 0),
        (BarSpec(0x4000, "memory64"), 0xFFFF_C004, 0xFFFF_FFFF),
        (BarSpec(0x4000, "memory64", prefetchable=True), 0xFFFF_C00C, 0xFFFF_FFFF),
        (BarSpec(1 << 32, "memory64"), 0x0000_0004, 0xFFFF_FFFF),
        (BarSpec(1 << 36, "memory64"), 0x0000_0004, 0xFFFF_FFF0),
        (BarSpec(0x4, "io"), 0xFFFF_FFFD, 0),
        (BarSpec(0x100, "io"), 0xFFFF_FF01, 0),
    ],
)
def test_writing_ones_reads_back_the_size_and_the_kind(spec, low, high):
    config = ConfigSpace("card", {2: spec})
    assert (_sized(config, 2), _sized(config, 3)) == (low, high)


def test_an_absent_bar_reads_0_after_writing_ones():
    config = ConfigSpace("card", {0: BarSpec(0x1000)})
    assert [_sized(config, index) for index in range(1, 6)] == [0] * 5


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: BarSpec(0x3000), "BarSpec: size 0x3000 is not a power of two; the next one is 0x4000"),
        (lambda: BarSpec(8), "BarSpec: size 0x8 is outside what a memory32 BAR claims, 0x10 to 0x80000000"),
        (lambda: BarSpec(0), "BarSpec: size 0x0 is outside what a memory32 BAR claims, 0x10 to 0x80000000"),
        (lambda: BarSpec(0x200, "io"), "BarSpec: size 0x200 is outside what a io BAR claims, 0x4 to 0x100"),
        (lambda: BarSpec(16, "io", True), "BarSpec: an I/O BAR cannot be prefetchable; drop prefetchable or make it memory"),
        (lambda: BarSpec(16, "rom"), "BarSpec: kind 'rom' is none of memory32, memory64, io"),
        (lambda: ConfigSpace("card", {6: BarSpec(16)}), "card BAR 6: a type 0 header has BARs 0 to 5"),
        (
            lambda: ConfigSpace("card", {5: BarSpec(16, "memory64")}),
            "card BAR 5: a 64-bit BAR takes two registers; the last place for it is BAR 4",
        ),
        (
            lambda: ConfigSpace("card", {0: BarSpec(16, "memory64"), 1: BarSpec(16)}),
            "card BAR 1: is the upper half of 64-bit BAR 0; use another index",
        ),
    ],
)
def test_a_bar_that_cannot_be_is_a_layout_error(make, text):
    with pytest.raises(LayoutError, match=f"^{re.escape(text)}$"):
        make()


def test_decode_finds_the_bar_that_claims_an_address():
    config = ConfigSpace("card", {0: BarSpec(0x1000), 2: BarSpec(0x4000, "memory64"), 4: BarSpec(0x20, "io")})
    for offset, value in ((0x10, 0xC000_0000), (0x18, 0x8000_0000), (0x1C, 0x38), (0x20, 0xE000)):
        config.write(offset, 4, value)
    assert [config.bars.base(index) for index in (0, 2, 4)] == [0xC000_0000, 0x38_8000_0000, 0xE000]
    assert config.bars.decode(0xC000_0FFF) == (0, 0xFFF)
    assert config.bars.decode(0xC000_1000) is None
    assert config.bars.decode(0x38_8000_3FFF) == (2, 0x3FFF)
    assert config.bars.decode(0xE01F, io=True) == (4, 0x1F)
    assert config.bars.decode(0xE01F) is None
    assert config.bars.decode(0xC000_0000, io=True) is None


def test_size_is_0_for_no_bar_and_for_the_upper_half():
    bars = Bars("card", {0: BarSpec(0x4000, "memory64")}, RegisterFile(0x40))
    assert [bars.size(index) for index in range(6)] == [0x4000, 0, 0, 0, 0, 0]


@given(
    st.integers(4, 40),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 7),
    st.integers(0, (1 << 32) - 1),
)
def test_a_base_is_always_aligned_to_its_size(log2, width, place, value):
    config = ConfigSpace("card", {0: BarSpec(1 << log2, "memory64")})
    config.write(0x10 + place, width, value)
    assert config.bars.base(0) % (1 << log2) == 0
    assert config.read(0x10, 1) & 0xF == 4


class _Plain:
    def __init__(self, answer):
        self.answer, self.writes = answer, []

    def read(self, offset, size):
        return self.answer + offset

    def write(self, offset, size, value):
        self.writes.append((offset, size, value))


def _overlay(under):
    notes = []
    window = _Plain(0x100)
    return Overlay(under, [Window(0x10, 0x20, window)], lambda what, **detail: notes.append((what, detail))), window, notes


@pytest.mark.parametrize(
    ("offset", "size", "value"),
    [(0x0, 4, 0x1000), (0xC, 4, 0x100C), (0xC, 8, 0xFC), (0x10, 4, 0x100), (0x2C, 4, 0x11C), (0x2C, 8, 0x11C), (0x30, 4, 0x1030)],
)
def test_an_access_that_touches_a_window_belongs_to_it_wholly(offset, size, value):
    overlay, window, _ = _overlay(under := _Plain(0x1000))
    assert overlay.read(offset, size) == value
    overlay.write(offset, size, 7)
    inside = value < 0x1000
    assert (window.writes, under.writes) == (([(offset - 0x10, size, 7)], []) if inside else ([], [(offset, size, 7)]))


def test_outside_every_window_of_a_bar_without_registers_reads_0_and_is_noted():
    overlay, _, notes = _overlay(None)
    assert overlay.read(0x40, 4) == 0
    overlay.write(0x44, 2, 9)
    assert notes == [
        ("read outside every register", {"offset": 0x40, "size": 4}),
        ("write outside every register", {"offset": 0x44, "size": 2, "value": 9}),
    ]

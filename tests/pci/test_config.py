from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import LayoutError
from dirql.pci.bar import BarSpec
from dirql.pci.capabilities import FlrExpressCapability, MsixCapability, PowerManagementCapability
from dirql.pci.config import BrokenChain, ConfigSpace, Link, walk, walk_extended
from dirql.pci.describe import Identity, MsiSpec, MsixSpec, OpaqueCapability
from dirql.pci.endpoint import Endpoint


def _bytes(chain, first=0x40, size=256):
    """Configuration bytes with these (offset, id, next) capabilities."""
    data = bytearray(size)
    data[0x06], data[0x34] = 0x10, first
    for offset, number, following in chain:
        data[offset], data[offset + 1] = number, following
    return bytes(data)


def test_capabilities_are_linked_in_the_order_they_were_added():
    config = ConfigSpace("card")
    for kind in (PowerManagementCapability, MsixCapability, FlrExpressCapability):
        config.add(kind)
    assert list(config.capabilities()) == [Link(0x01, 0x40, 0x48), Link(0x11, 0x48, 0x54), Link(0x10, 0x54, 0)]


def test_a_function_without_capabilities_has_no_list_and_says_so():
    config = ConfigSpace("card")
    assert (list(config.capabilities()), config.read(0x06, 2) & 0x10, config.read(0x34, 1)) == ([], 0, 0)


def test_a_capability_goes_where_it_is_told_and_others_fill_the_gaps():
    config = ConfigSpace("card")
    config.add(MsixCapability, offset=0x50)
    config.add(PowerManagementCapability)
    config.add_opaque(0x09, bytes(16))
    assert [(link.id, link.offset) for link in config.capabilities()] == [(0x11, 0x50), (0x01, 0x40), (0x09, 0x5C)]


def test_an_opaque_capability_keeps_its_bytes_and_ignores_writes():
    config = ConfigSpace("card")
    config.add_opaque(0x09, b"\x08hello!")
    config.write(0x40, 4, 0xFFFF_FFFF)
    assert bytes(config.read(0x42 + i, 1) for i in range(7)) == b"\x08hello!"


def test_extended_capabilities_are_linked_and_read_only():
    config = ConfigSpace("card")
    config.add_extended(0x0001, bytes(0x44), version=2)
    config.add_extended(0x0003, bytes(range(8)))
    config.write(0x100, 4, 0)
    assert list(config.extended_capabilities()) == [Link(1, 0x100, 0x148, 2), Link(3, 0x148, 0, 1)]
    assert config.read(0x14C, 4) == 0x0302_0100


@pytest.mark.parametrize(
    ("misdo", "text"),
    [
        (
            lambda c: c.add(MsixCapability, offset=0x42),
            "card: MSI-X at 0x42: a capability starts on a DWORD; use 0x40 or 0x44",
        ),
        (
            lambda c: c.add(MsixCapability, offset=0x3C),
            "card: MSI-X at 0x3c with 0xc bytes leaves 0x40 to 0x100; move it or drop another capability",
        ),
        (
            lambda c: c.add(MsixCapability, offset=0xF8),
            "card: MSI-X at 0xf8 with 0xc bytes leaves 0x40 to 0x100; move it or drop another capability",
        ),
        (
            lambda c: (c.add(PowerManagementCapability), c.add(MsixCapability, offset=0x44)),
            "card: MSI-X at 0x44 with 0xc bytes overlaps Power Management at 0x40 to 0x48; move one of them",
        ),
        (
            lambda c: [c.add_opaque(0x09, bytes(0x40)) for _ in range(3)],
            "card: Vendor Specific at 0xc8 with 0x42 bytes leaves 0x40 to 0x100; move it or drop another capability",
        ),
        (
            lambda c: c.add_extended(1, b"", offset=0x140),
            "card: Advanced Error Reporting at 0x140: the first one starts at 0x100; move it there",
        ),
    ],
)
def test_a_capability_that_has_no_room_is_a_layout_error(misdo, text):
    with pytest.raises(LayoutError, match=f"^{re.escape(text)}$"):
        misdo(ConfigSpace("card"))


@pytest.mark.parametrize(
    ("data", "found", "text"),
    [
        (
            _bytes([(0x40, 1, 0x50), (0x50, 5, 0x40)]),
            2,
            "capability pointer at 0x51 holds 0x40: the list comes back to where it was; link every capability once",
        ),
        (
            _bytes([(0x40, 1, 0x40)]),
            1,
            "capability pointer at 0x41 holds 0x40: the list comes back to where it was; link every capability once",
        ),
        (
            _bytes([(0x40, 1, 0x51)]),
            1,
            "capability pointer at 0x41 holds 0x51: a capability starts on a DWORD; clear bits 1:0 of the pointer",
        ),
        (
            _bytes([], first=0x3C),
            0,
            "capability pointer at 0x34 holds 0x3c: capabilities start at 0x40; point past the header or end the list with 0",
        ),
        (
            _bytes([], size=64),
            0,
            "capability pointer at 0x34 holds 0x40: there are 0x40 bytes; give all bytes or end the list with 0",
        ),
    ],
)
def test_a_broken_list_is_walked_up_to_the_break_and_then_named(data, found, text):
    links = walk(data)
    assert len([next(links) for _ in range(found)]) == found
    with pytest.raises(BrokenChain, match=f"^{re.escape(text)}$"):
        next(links)


def test_a_list_whose_status_bit_is_0_is_empty():
    assert list(walk(bytes(0x34) + b"\x40" + bytes(0xCB))) == []


@pytest.mark.parametrize("header", [0, 0xFFFF_FFFF])
def test_no_extended_capability_is_an_empty_list(header):
    assert list(walk_extended(bytes(0x100) + header.to_bytes(4, "little") + bytes(0xEFC))) == []


def test_a_looping_extended_list_is_named():
    data = bytes(0x100) + (0x1001_0003).to_bytes(4, "little") + bytes(0xEFC)
    text = "capability pointer at 0x102 holds 0x100: the list comes back to where it was; link every capability once"
    with pytest.raises(BrokenChain, match=f"^{re.escape(text)}$"):
        list(walk_extended(data))


@given(st.binary(min_size=0, max_size=300))
def test_any_bytes_are_walked_to_an_end_or_a_broken_chain(tail):
    data = bytes(6) + b"\x10" + bytes(0x2D) + tail
    for walker in (walk, walk_extended):
        try:
            assert len(list(walker(data))) <= 64
        except BrokenChain as broken:
            assert broken.value & 3 or broken.offset >= 0x34


@given(st.lists(st.tuples(st.integers(0, 0x1010), st.sampled_from([1, 2, 4, 8]), st.integers(0, (1 << 64) - 1)), max_size=30))
def test_no_write_breaks_the_list_the_identity_or_the_read_only_bits(writes):
    bars = {0: (BarSpec(0x1000), None), 2: (BarSpec(0x1000, "memory64"), None)}
    card = Endpoint("card", Identity(0x1234, 5), bars=bars, msi=MsiSpec(4), msix=MsixSpec(4, (2, 0), (2, 0x800)))
    links, fixed = list(card.config.capabilities()), [card.config_read(at, 4) for at in (0, 8, 0x2C, 0x34)]
    for offset, size, value in writes:
        card.config_write(offset, size, value)
        assert 0 <= card.config_read(offset, size) < 1 << 8 * size
    assert list(card.config.capabilities()) == links
    assert [card.config_read(at, 4) for at in (0, 8, 0x2C, 0x34)] == fixed


def _like_a_card():
    bars = {0: (BarSpec(0x1000), None), 2: (BarSpec(0x1000, "memory64"), None)}
    card = Endpoint("card", Identity(0x8086, 0x10C9), bars=bars, msi=MsiSpec(4, per_vector_mask=True),
                    msix=MsixSpec(10, (2, 0), (2, 0x800)), opaque=[OpaqueCapability(0x03, b"\xab" * 6)])  # fmt: skip
    for offset, value in ((0x10, 0xC000_0000), (0x18, 0xD000_0000), (0x04, 0x406)):
        card.config_write(offset, 4, value)
    return card, {index: spec for index, (spec, _) in bars.items()}


def test_a_configuration_space_made_of_bytes_reads_exactly_those_bytes():
    card, bars = _like_a_card()
    raw = bytes(card.config.file.buffer)
    assert bytes(ConfigSpace.of_bytes("copy", raw, bars).file.buffer) == raw


def test_a_configuration_space_made_of_bytes_has_the_write_rules_of_its_capabilities():
    card, bars = _like_a_card()
    copy = ConfigSpace.of_bytes("copy", bytes(card.config.file.buffer), bars)
    for offset in range(0, 0x100, 4):
        card.config.file.write(offset, 4, 0xFFFF_FFFF)  # the rules alone: Initiate FLR would reset the card
        copy.write(offset, 4, 0xFFFF_FFFF)
        assert hex(copy.read(offset, 4)) == hex(card.config.read(offset, 4)), hex(offset)


def test_a_configuration_space_made_of_bytes_resets_as_the_card_does():
    card, bars = _like_a_card()
    copy = ConfigSpace.of_bytes("copy", bytes(card.config.file.buffer), bars)
    card.reset()
    copy.reset()
    assert copy.file.buffer == card.config.file.buffer


def test_writing_back_the_bits_that_bytes_hold_is_not_a_reserved_write():
    config = ConfigSpace.of_bytes("dump", bytes(0x38) + b"\x05" + bytes(7))
    seen = []
    config.file.on_reserved = lambda *what: seen.append(what)
    config.write(0x38, 1, 0x05)
    config.write(0x38, 1, 0x07)
    assert seen == [(0x38, 1, 2)]


@given(st.binary(min_size=64, max_size=256))
def test_any_bytes_make_a_configuration_space_or_a_broken_chain(raw):
    try:
        config = ConfigSpace.of_bytes("dump", raw)
    except BrokenChain:
        return
    assert bytes(config.file.buffer[: len(raw)]) == raw

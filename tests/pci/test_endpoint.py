from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import LayoutError, UsageError
from dirql.pci.bar import BarSpec
from dirql.pci.config import ConfigSpace
from dirql.pci.describe import ExtendedCapability, Identity, MsiSpec, MsixSpec, OpaqueCapability
from dirql.pci.endpoint import Endpoint
from dirql.pci.function import Function, Message

MEMORY, MASTER = 2, 4


def _make(**options):
    options.setdefault("bars", {0: (BarSpec(0x1000), None), 1: (BarSpec(0x20, "io"), None)})
    return Endpoint("card", options.pop("identity", Identity(0x1234, 4)), **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"msix": MsixSpec(0, (0, 0), (0, 0x800))}, "card MSI-X: 0 vectors; a table has 1 to 2048"),
        ({"msix": MsixSpec(2049, (0, 0), (0, 0x800))}, "card MSI-X: 2049 vectors; a table has 1 to 2048"),
        (
            {"msix": MsixSpec(4, (6, 0), (0, 0x800))},
            "card MSI-X table: BIR 0x6 is reserved; a type 0 header has BARs 0 to 5",
        ),
        (
            {"msix": MsixSpec(4, (0, 0), (2, 0x800))},
            "card MSI-X PBA: BIR 0x2 names an absent BAR; declare it or use another",
        ),
        (
            {"msix": MsixSpec(1, (1, 0), (0, 0x800))},
            "card MSI-X table: BIR 0x1 names an I/O BAR; it must name a memory BAR",
        ),
        (
            {"msix": MsixSpec(4, (0, 4), (0, 0x800))},
            "card MSI-X table: offset 0x4 is no multiple of 8 below 0x100000000; bits 2:0 hold the BIR",
        ),
        (
            {"msix": MsixSpec(4, (0, 0xFC8), (0, 0x800))},
            "card MSI-X table of 4 vectors at 0xfc8 ends at 0x1008, past the 0x1000 bytes of BAR 0; move it or enlarge the BAR",
        ),
        (
            {"msix": MsixSpec(65, (0, 0), (0, 0xFF8))},
            "card MSI-X PBA of 65 vectors at 0xff8 ends at 0x1008, past the 0x1000 bytes of BAR 0; move it or enlarge the BAR",
        ),
        (
            {"msix": MsixSpec(4, (0, 0), (0, 0x38))},
            "card MSI-X PBA at 0x38 to 0x40 overlaps the table at 0x0 to 0x40 in BAR 0; move one of them",
        ),
        ({"msi": MsiSpec(3)}, "card MSI: 3 messages; a function asks for 1, 2, 4, 8, 16 or 32"),
        ({"msi": MsiSpec(64)}, "card MSI: 64 messages; a function asks for 1, 2, 4, 8, 16 or 32"),
        ({"identity": Identity(0x12345, 4)}, "card vendor: 0x12345 is outside 0 to 0xffff"),
        ({"identity": Identity(1, 4, interrupt_pin=5)}, "card interrupt_pin: 0x5 is outside 0 to 0x4"),
        (
            {"pcie": False, "extended": [ExtendedCapability(3, bytes(8))]},
            "card: extended capabilities need the PCI Express capability; pass pcie=True or drop them",
        ),
    ],
)
def test_a_card_that_contradicts_itself_is_a_layout_error(options, text):
    with pytest.raises(LayoutError, match=f"^{re.escape(text)}$"):
        _make(**options)


def test_table_and_pba_may_touch_and_fill_a_bar():
    card = _make(bars={0: (BarSpec(0x80), None)}, msix=MsixSpec(7, (0, 0), (0, 0x70)))
    assert card.config_read(0x48 + 4, 4) == 0


def test_an_endpoint_is_a_function(plug):
    card: Function = plug(vectors=2).endpoint
    assert (card.name, card.deterministic, card.unserved(), card.bar_size(0), card.bar_size(2), card.bar_size(3)) == (
        "card", True, [], 0x1000, 0x10000, 0,
    )  # fmt: skip


@pytest.mark.parametrize(("msi", "msix", "pin"), list(product((False, True), repeat=3)))
def test_hidden_capabilities_are_not_there(plug, msi, msix, pin):
    card = plug(vectors=3 * msix, msi=MsiSpec(2) if msi else None, pin=int(pin))
    ids = {link.id for link in card.endpoint.config.capabilities()}
    assert (0x05 in ids, 0x11 in ids) == (msi, msix) == (card.endpoint.msi is not None, card.endpoint.msix is not None)
    assert len(card.endpoint.fates) == (3 if msix else 2 if msi else 0)
    assert card.endpoint.interrupt_mode == ("line" if pin else "none")


def test_every_optional_capability_can_be_left_out():
    card = _make(pcie=False, power_management=False)
    assert list(card.config.capabilities()) == []


def test_vendor_specific_and_opaque_and_extended_capabilities_are_carried():
    vital, serial = OpaqueCapability(0x03, b"\x01\x02", 0xF0), ExtendedCapability(3, b"12345678")
    card = _make(vendor_specific=b"abc", opaque=[vital], extended=[serial])
    found = {link.id: link.offset for link in card.config.capabilities()}
    assert card.config_read(found[0x09] + 2, 4).to_bytes(4, "little") == b"\x06abc"
    assert (found[0x03], card.config_read(0xF2, 2)) == (0xF0, 0x0201)
    assert [(link.id, link.offset) for link in card.config.extended_capabilities()] == [(3, 0x100)]


def test_capabilities_stand_where_their_spec_puts_them():
    card = _make(msi=MsiSpec(offset=0x50), msix=MsixSpec(2, (0, 0), (0, 0x800), offset=0x70))
    assert {link.id: link.offset for link in card.config.capabilities()} == {5: 0x50, 0x11: 0x70, 1: 0x40, 0x10: 0x7C}


def test_accesses_outside_table_and_pba_reach_the_bars_target(plug):
    registers = plug().registers
    bars = {0: (BarSpec(0x1000), registers)}
    card = Endpoint("card", Identity(1, 2), bars=bars, msix=MsixSpec(2, (0, 0x800), (0, 0x900)))
    card.config_write(4, 2, MEMORY)
    for offset in (0x7FC, 0x800, 0x820, 0x900, 0x908):
        card.bar_write(0, offset, 4, offset)
    assert sorted(registers.values) == [0x7FC, 0x820, 0x908]


def test_io_bars_answer_while_io_space_is_on(plug):
    registers = plug().registers
    card = _make(bars={3: (BarSpec(0x20, "io"), registers)})
    card.config_write(4, 2, MEMORY)
    assert card.bar_read(3, 0, 4) == 0xFFFF_FFFF
    card.config_write(4, 2, 1)
    card.bar_write(3, 4, 2, 0x77)
    assert card.bar_read(3, 4, 2) == 0x77


def test_an_unplugged_function_loses_what_it_sends_and_says_why():
    card = _make(msix=MsixSpec(1, (0, 0), (0, 0x800)))
    card.config_write(4, 2, MEMORY | MASTER)
    card.config_write(next(link.offset for link in card.config.capabilities() if link.id == 0x11) + 2, 2, 0x8000)
    card.bar_write(0, 12, 4, 0)
    card.msix.fire(0)
    card.intx.set(True)
    card.dma_write(0, b"x")
    assert (card.fates[0].dropped, card.dma_read(0, 2)) == ({"not plugged in": 1}, b"\xff\xff")
    text = "a timer of 5 ns was asked for before the function was plugged in; connect it to a host first"
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        card.host.after(5, lambda: None)


def test_the_owner_shows_up_at_the_host(plug):
    host, seen = plug().host, []
    host.send = lambda function, message, fate: seen.append(function)
    host.note = lambda function, what, **detail: seen.append(function)
    owner = object()
    card = _make(msix=MsixSpec(1, (0, 0), (0, 0x800)), owner=owner)
    card.connect(host)
    card.config_write(4, 2, MEMORY | MASTER)
    card.config_write(next(link.offset for link in card.config.capabilities() if link.id == 0x11) + 2, 2, 0x8000)
    card.bar_write(0, 12, 4, 0)
    card.msix.fire(0)
    card.bar_read(0, 1, 1)
    assert seen == [owner, owner]


def test_reserved_configuration_bits_are_noted(plug):
    card = plug()
    card.endpoint.config_write(0x38, 4, 5)
    assert card.host.notes == [("reserved configuration bits written", {"offset": 0x38, "size": 4, "bits": 5})]


BOTH = "MSI and MSI-X are both enabled, which is undefined: MSI-X rules here"


def test_msi_and_msix_both_enabled_is_noted_once_for_each_time_it_begins(plug):
    card = plug(vectors=2, msi=MsiSpec(2)).ready()
    assert card.host.said == []
    card.msi()
    assert card.host.said == [BOTH]
    card.command(MEMORY)
    card.msi(granted=1)
    card.msix(function_mask=1)
    assert card.host.said == [BOTH]
    card.msi(enable=0)
    card.msi()
    assert card.host.said == [BOTH, BOTH]


@pytest.mark.parametrize("msi, msix", list(product((0, 1), repeat=2)))
def test_msi_sends_only_while_msix_is_not_enabled_too(plug, msi, msix):
    card = plug(vectors=2, msi=MsiSpec(2)).ready()
    card.msix(enable=msix)
    card.msi_write("address", 0xFEE0_0000)
    card.msi_write("data", 0x30)
    card.msi(enable=msi)
    card.endpoint.msi.fire(0)
    card.endpoint.msix.fire(1)
    assert card.sent == [0x30] * (msi and not msix) + [0x4001] * msix
    why = "MSI not enabled" if not msi else "overruled by MSI-X" if msix else ""
    assert card.endpoint.msi.fates[0].dropped == ({why: 1} if why else {})
    assert (card.endpoint.interrupt_mode, BOTH in card.host.said) == (
        "msi-x" if msix else "msi" if msi else "line", bool(msi and msix),
    )  # fmt: skip


def test_a_dump_with_msi_and_msix_both_enabled_is_noted_when_it_is_plugged_in(plug):
    model = plug(vectors=2, msi=MsiSpec(2)).ready()
    model.msi()
    copy = Endpoint.of(ConfigSpace.of_bytes("copy", bytes(model.endpoint.config.file.buffer)))
    host = type(model.host)()
    copy.connect(host)
    assert host.said == [BOTH]
    copy.reset()
    copy.connect(host)
    assert host.said == [BOTH]


@pytest.mark.parametrize(
    ("capable", "enable", "words"),
    [
        (1, 0, ""),
        (1, 1, "0x1 (2 messages) is above what the function is capable of, 1 message; 1 granted here"),
        (4, 2, ""),
        (4, 3, "0x3 (8 messages) is above what the function is capable of, 4 messages; 4 granted here"),
        (32, 5, ""),
        (32, 6, "0x6 (64 messages) is above what the function is capable of, 32 messages; 32 granted here"),
        (32, 7, "0x7 (128 messages) is above what the function is capable of, 32 messages; 32 granted here"),
    ],
)
def test_a_multiple_message_enable_above_what_is_capable_is_noted_once(plug, capable, enable, words):
    card = plug(msi=MsiSpec(capable))
    for on in (0, 1, 1):
        card.msi(enable=on, granted=enable)
    assert card.host.said == ([f"Multiple Message Enable {words}"] if words else [])
    card.endpoint.reset()
    assert card.endpoint.msi.excess == ""


def test_sizing_a_bar_is_not_noted(plug):
    card = plug(vectors=1)
    for offset in (0x10, 0x18, 0x1C):
        card.endpoint.config_write(offset, 4, 0xFFFF_FFFF)
    assert card.host.notes == []


def test_a_function_made_of_bytes_sends_its_messages(plug):
    model = plug(vectors=3)
    model.msix()
    specs = model.endpoint.config.bars.specs
    copy = Endpoint.of(ConfigSpace.of_bytes("copy", bytes(model.endpoint.config.file.buffer), specs))
    host = type(model.host)()
    copy.connect(host)
    copy.bar_write(2, 16, 4, 0xFEE0_1000)
    copy.bar_write(2, 24, 4, 0x42)
    copy.bar_write(2, 28, 4, 0)
    copy.msix.fire(1)
    assert (copy.interrupt_mode, host.messages) == ("msi-x", [Message(0xFEE0_1000, 0x42)])


def test_a_function_made_of_bytes_needs_no_bar_sizes(plug):
    model = plug(vectors=3, msi=MsiSpec(4))
    copy = Endpoint.of(ConfigSpace.of_bytes("copy", bytes(model.endpoint.config.file.buffer)))
    assert (len(copy.fates), copy.bar_size(2), copy.bar_read(2, 0, 4), copy.identity.vendor) == (3, 0, 0xFFFF_FFFF, 0x1234)


ACCESS = st.one_of(
    st.tuples(st.just("config"), st.integers(0, 0x1008), st.sampled_from([1, 2, 4]), st.integers(0, (1 << 32) - 1)),
    st.tuples(st.integers(0, 5), st.integers(0, 0x10010), st.sampled_from([1, 2, 4, 8]), st.integers(0, (1 << 64) - 1)),
    st.tuples(st.just(2), st.integers(0, 64).map(lambda n: 4 * n), st.sampled_from([4, 8]), st.sampled_from([0, 1, 0xFEE0_0000])),
    st.tuples(st.just("fire"), st.integers(0, 3), st.just(0), st.just(0)),
    st.tuples(st.just("withdraw"), st.integers(0, 3), st.just(0), st.just(0)),
    st.tuples(st.just("control"), st.integers(0, 3), st.just(0), st.just(0)),
    st.tuples(st.just("command"), st.sampled_from([0, 2, 4, 6, 0x406]), st.just(0), st.just(0)),
    st.tuples(st.just("line"), st.integers(0, 1), st.just(0), st.just(0)),
)


@given(st.lists(ACCESS, max_size=60), st.booleans())
def test_no_sequence_of_accesses_raises_or_breaks_an_invariant(plug, accesses, use_msi):
    card = plug(vectors=0 if use_msi else 4, msi=MsiSpec(4, per_vector_mask=True) if use_msi else None)
    endpoint, vectors = card.endpoint, card.endpoint.msi if use_msi else card.endpoint.msix
    for what, number, size, value in accesses:
        if what == "config":
            endpoint.config_write(number, size, value)
            assert 0 <= endpoint.config_read(number, size) < 1 << 8 * size
        elif what in ("fire", "withdraw"):
            getattr(vectors, what)(number)
        elif what == "control":
            card.msi(enable=number & 1, granted=number) if use_msi else card.msix(enable=number & 1, function_mask=number >> 1)
        elif what == "command":
            card.command(number)
        elif what == "line":
            endpoint.intx.set(bool(number))
        else:
            endpoint.bar_write(what, number, size, value)
            assert 0 <= endpoint.bar_read(what, number, size) < 1 << 8 * size
        held = endpoint._closed or not vectors.enabled
        for vector, fate in enumerate(vectors.fates):
            assert fate.balanced
            assert fate.latched == vectors._pending >> vector & 1
            assert not fate.latched or held or vectors.masked(vector)
        assert endpoint.intx.asserted == (card.host.wire[-1] if card.host.wire else False)


@pytest.mark.parametrize("vector", [-1, 4, 2048])
@pytest.mark.parametrize("call", ["fire", "withdraw", "masked", "pending", "message"])
def test_a_vector_that_does_not_exist_is_a_usage_error(plug, call, vector):
    card = plug(vectors=4)
    text = f"card MSI-X vector {vector}: there are 4, 0 to 3; use one of them or declare more"
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        getattr(card.endpoint.msix, call)(vector)


def test_a_write_to_one_entry_of_2048_leaves_the_others_prepared_messages_alone(plug):
    card = plug(vectors=2048).ready()
    before = list(card.endpoint.msix.live)
    card.mask(1000)
    after = card.endpoint.msix.live
    assert after[1000] is None
    assert all(a is b for i, (a, b) in enumerate(zip(before, after, strict=True)) if i != 1000)


def test_a_message_that_its_delivery_withdraws_is_not_sent(plug):
    card = plug(vectors=2).ready()
    card.msix(function_mask=1)
    for vector in (0, 1):
        card.endpoint.msix.fire(vector)
    seen = []

    def send(function, message, fate):
        fate.delivered += 1
        seen.append(message.data)
        card.endpoint.msix.withdraw(1)

    card.endpoint.msix.deliver = send
    card.msix()
    assert (seen, card.endpoint.fates[1].withdrawn, card.balanced) == ([0x4000], 1, True)

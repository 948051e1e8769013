"""MSI-X by clause: PCIe 6.0 §7.7.2 (registers) and §6.1.4 (behaviour)."""

from __future__ import annotations

from itertools import product

import pytest

from dirql.errors import LayoutError
from dirql.pci.bar import BarSpec
from dirql.pci.endpoint import Endpoint, Identity, MsixSpec
from dirql.pci.function import Message

MEMORY, MASTER = 2, 4


def _with_table(bar, table, pba):
    """Four vectors; BAR 1 is an I/O BAR."""
    bars = {0: (bar, None), 1: (BarSpec(0x100, "io"), None)}
    return Endpoint("card", Identity(0x1234, 0x0004), bars=bars, msix=MsixSpec(4, table, pba))


# §7.7.2.2 Message Control


@pytest.mark.parametrize("vectors", [1, 2, 63, 64, 65, 2047, 2048])
def test_pcie_7_7_2_2_table_size_reads_as_n_minus_1(plug, vectors):
    card = plug(vectors=vectors)
    assert card.config(card.capability(0x11) + 2, 2) == vectors - 1


def test_pcie_7_7_2_2_only_enable_and_function_mask_are_writable(plug):
    card = plug(vectors=5)
    card.endpoint.config_write(card.capability(0x11) + 2, 2, 0xFFFF)
    assert card.config(card.capability(0x11) + 2, 2) == 0xC004


def test_pcie_7_7_2_2_enable_and_function_mask_are_0_after_reset(plug):
    card = plug(vectors=4)
    card.msix(enable=1, function_mask=1)
    card.endpoint.reset()
    assert card.config(card.capability(0x11) + 2, 2) == 0x0003


# §7.7.2.3, §7.7.2.4 Table and PBA location


def test_pcie_7_7_2_3_table_location_is_bir_and_qword_offset_and_read_only(plug):
    card = plug(vectors=4)
    card.endpoint.config_write(card.capability(0x11) + 4, 4, 0xFFFF_FFFF)
    assert card.config(card.capability(0x11) + 4) == card.TABLE | 2


def test_pcie_7_7_2_4_pba_location_is_bir_and_qword_offset_and_read_only(plug):
    card = plug(vectors=4)
    card.endpoint.config_write(card.capability(0x11) + 8, 4, 0)
    assert card.config(card.capability(0x11) + 8) == card.PBA | 2


def test_pcie_7_7_2_3_bir_of_a_64_bit_bar_is_the_index_of_its_lower_half(plug):
    card = plug(vectors=4)
    assert card.config(card.capability(0x11) + 4) & 7 == 2
    assert card.config(0x10 + 4 * 2) & 0x6 == 0x4


@pytest.mark.parametrize("bir", [6, 7])
@pytest.mark.parametrize("part", ["table", "PBA"])
def test_pcie_7_7_2_3_bir_6_and_7_are_reserved(part, bir):
    places = {"table": (0, 0), "PBA": (0, 0x800)} | {part: (bir, 0)}
    with pytest.raises(LayoutError) as refused:
        _with_table(BarSpec(0x1000), places["table"], places["PBA"])
    assert str(refused.value) == f"card MSI-X {part}: BIR {bir:#x} is reserved; a type 0 header has BARs 0 to 5"


@pytest.mark.parametrize("part", ["table", "PBA"])
def test_pcie_7_7_2_3_bir_must_name_a_memory_bar(part):
    places = {"table": (0, 0), "PBA": (0, 0x800)} | {part: (1, 0)}
    with pytest.raises(LayoutError) as refused:
        _with_table(BarSpec(0x1000), places["table"], places["PBA"])
    assert str(refused.value) == f"card MSI-X {part}: BIR 0x1 names an I/O BAR; it must name a memory BAR"


@pytest.mark.parametrize("pba", [0x40, 0x1000])
def test_pcie_7_7_2_table_and_pba_may_share_a_page_with_each_other(pba):
    card = _with_table(BarSpec(0x2000), (0, 0), (0, pba))
    assert (card.bar_size(0), len(card.msix)) == (0x2000, 4)


# §7.7.2.5 to §7.7.2.7 table entries


@pytest.mark.parametrize("vector", [0, 1, 62, 63, 64, 2046, 2047])
def test_pcie_7_7_2_7_every_vector_is_masked_after_reset(plug, vector):
    card = plug(vectors=2048)
    card.mask(vector, 0)
    card.endpoint.reset()
    card.command(MEMORY)
    assert card.endpoint.bar_read(2, card.TABLE + 16 * vector + 12, 4) == 1


def test_pcie_7_7_2_5_address_bits_1_0_read_0(plug):
    card = plug(vectors=1)
    card.program(0, address=0xFEE0_0007)
    assert card.endpoint.bar_read(2, card.TABLE, 4) == 0xFEE0_0004


def test_pcie_7_7_2_5_entry_holds_address_upper_address_and_data(plug):
    card = plug(vectors=2)
    card.program(1, address=0x1_FEE0_1000, data=0xCAFE_F00D)
    assert card.endpoint.bar_read(2, card.TABLE + 16, 8) == 0x1_FEE0_1000
    assert card.endpoint.bar_read(2, card.TABLE + 24, 4) == 0xCAFE_F00D


def test_pcie_7_7_2_7_reserved_vector_control_bits_read_0_and_are_noted(plug):
    card = plug(vectors=1)
    card.mask(0, 0xFFFF_FFFE)
    assert card.endpoint.bar_read(2, card.TABLE + 12, 4) == 0
    assert card.host.said == ["reserved MSI-X table bits written"]


def test_pcie_7_7_2_a_message_is_a_dword_write_of_the_entrys_data_to_its_address(plug):
    card = plug(vectors=2)
    card.msix()
    card.program(1, address=0x2_FEE0_3000, data=0x8765_4321)
    card.endpoint.msix.fire(1)
    assert card.host.messages == [Message(0x2_FEE0_3000, 0x8765_4321)]


# §7.7.2 access rules


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0, 2), (1, 4), (2, 4), (4, 8), (12, 8), (2, 8), (3, 1)])
def test_pcie_7_7_2_table_answers_only_aligned_dwords_and_qwords(plug, offset, size):
    card = plug(vectors=4)
    card.program(0, data=0x55)
    before = [card.endpoint.bar_read(2, card.TABLE + at, 4) for at in range(0, 64, 4)]
    card.endpoint.bar_write(2, card.TABLE + offset, size, 0)
    assert card.endpoint.bar_read(2, card.TABLE + offset, size) == (1 << 8 * size) - 1
    assert [card.endpoint.bar_read(2, card.TABLE + at, 4) for at in range(0, 64, 4)] == before
    assert card.host.notes == [
        ("MSI-X table write that is no aligned DWORD or QWORD", {"offset": offset, "size": size, "value": 0}),
        ("MSI-X table read that is no aligned DWORD or QWORD", {"offset": offset, "size": size}),
    ]


def test_pcie_7_7_2_table_takes_qwords(plug):
    card = plug(vectors=2)
    card.msix()
    card.endpoint.bar_write(2, card.TABLE + 16, 8, 0x1_FEE0_2000)
    card.endpoint.bar_write(2, card.TABLE + 24, 8, 0x0_0000_0042)
    card.endpoint.msix.fire(1)
    assert card.host.messages == [Message(0x1_FEE0_2000, 0x42)]


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0, 2), (4, 8), (2, 4)])
def test_pcie_7_7_2_pba_answers_only_aligned_dwords_and_qwords(plug, offset, size):
    card = plug(vectors=65)
    assert card.endpoint.bar_read(2, card.PBA + offset, size) == (1 << 8 * size) - 1
    assert card.host.said == ["MSI-X PBA read that is no aligned DWORD or QWORD"]


def test_pcie_7_7_2_8_pba_ignores_writes(plug):
    card = plug(vectors=4)
    card.msix()
    card.endpoint.msix.fire(2)
    card.endpoint.bar_write(2, card.PBA, 8, 0)
    assert card.endpoint.bar_read(2, card.PBA, 8) == 0b100
    assert card.host.said == ["MSI-X PBA written, which is undefined"]


@pytest.mark.parametrize(("vectors", "vector"), [(1, 0), (63, 62), (64, 63), (65, 64), (2047, 2046), (2048, 2047)])
def test_pcie_7_7_2_8_bit_k_of_qword_n_is_vector_64n_plus_k(plug, vectors, vector):
    card = plug(vectors=vectors)
    card.msix()
    card.endpoint.msix.fire(vector)
    words = [card.endpoint.bar_read(2, card.PBA + 8 * n, 8) for n in range((vectors + 63) // 64)]
    assert words == [1 << vector % 64 if n == vector // 64 else 0 for n in range(len(words))]
    assert card.endpoint.bar_read(2, card.PBA + vector // 32 * 4, 4) == 1 << vector % 32


@pytest.mark.parametrize(("vectors", "size"), [(1, 8), (63, 8), (64, 8), (65, 16), (2047, 256), (2048, 256)])
def test_pcie_7_7_2_8_pba_is_whole_qwords(plug, vectors, size):
    card = plug(vectors=vectors)
    assert card.endpoint.msix.pba.size == size
    assert card.endpoint.bar_read(2, card.PBA + size - 8, 8) == 0
    assert card.host.notes == []


# §6.1.4 masking and pending


@pytest.mark.parametrize(("enable", "function_mask", "vector_mask"), list(product((0, 1), repeat=3)))
def test_pcie_6_1_4_a_message_leaves_only_when_enabled_and_masked_by_nothing(plug, enable, function_mask, vector_mask):
    card = plug(vectors=2)
    card.program(1, masked=vector_mask)
    card.msix(enable=enable, function_mask=function_mask)
    card.endpoint.msix.fire(1)
    held = enable and (function_mask or vector_mask)
    assert card.endpoint.msix.masked(1) == bool(function_mask or vector_mask)
    assert card.sent == ([0x4001] if enable and not held else [])
    assert card.pba(1) == int(bool(held))
    assert card.endpoint.fates[1].latched == int(bool(held))
    assert card.endpoint.fates[1].dropped == ({} if enable else {"MSI-X not enabled": 1})
    assert card.balanced


@pytest.mark.parametrize("vectors", [1, 2, 63, 64, 65, 2047, 2048])
def test_pcie_7_7_2_2_function_mask_holds_every_vector(plug, vectors):
    card = plug(vectors=vectors).ready()
    card.msix(enable=1, function_mask=1)
    for vector in range(vectors):
        card.endpoint.msix.fire(vector)
    assert card.sent == []
    card.msix(enable=1)
    assert card.sent == [0x4000 + vector for vector in range(vectors)]


def test_pcie_7_7_2_2_function_mask_leaves_the_vectors_own_bits_alone(plug):
    card = plug(vectors=2)
    card.program(0)
    card.msix(enable=1, function_mask=1)
    assert [card.endpoint.bar_read(2, card.TABLE + 16 * v + 12, 4) for v in (0, 1)] == [0, 1]


@pytest.mark.parametrize("vector", [0, 1, 63, 64, 2047])
def test_pcie_6_1_4_4_unmask_sends_the_pending_message_once_and_clears_pending(plug, vector):
    card = plug(vectors=2048)
    card.msix()
    card.program(vector, masked=1)
    card.endpoint.msix.fire(vector)
    card.mask(vector, 0)
    assert (card.sent, card.pba(vector)) == ([0x4000 + vector], 0)


def test_pcie_6_1_4_4_toggling_the_mask_does_not_send_again(plug):
    card = plug(vectors=1).ready()
    card.mask(0)
    card.endpoint.msix.fire(0)
    for masked in (0, 1, 0, 0, 1, 0):
        card.mask(0, masked)
    card.msix(function_mask=1)
    card.msix(function_mask=0)
    assert card.sent == [0x4000]


def test_pcie_6_1_4_4_many_events_while_masked_give_one_message(plug):
    card = plug(vectors=1).ready()
    card.mask(0)
    for _ in range(5):
        card.endpoint.msix.fire(0)
    card.mask(0, 0)
    fate = card.endpoint.fates[0]
    assert (card.sent, fate.sent, fate.merged, fate.delivered, fate.latched) == ([0x4000], 5, 4, 1, 0)


def test_pcie_6_1_4_4_unmask_sends_what_the_entry_holds_at_that_moment(plug):
    card = plug(vectors=1).ready()
    card.mask(0)
    card.endpoint.msix.fire(0)
    card.program(0, address=0xFEE0_5000, data=0x77)
    assert card.host.messages == [Message(0xFEE0_5000, 0x77)]


def test_pcie_6_1_4_5_a_condition_that_goes_away_while_masked_clears_pending(plug):
    card = plug(vectors=1).ready()
    card.mask(0)
    card.endpoint.msix.fire(0)
    card.endpoint.msix.withdraw(0)
    assert card.pba(0) == 0
    card.mask(0, 0)
    fate = card.endpoint.fates[0]
    assert (card.sent, fate.withdrawn, fate.latched) == ([], 1, 0)


def test_pcie_6_1_4_5_a_new_event_after_a_withdrawal_is_pending_again(plug):
    card = plug(vectors=1).ready()
    card.mask(0)
    card.endpoint.msix.fire(0)
    card.endpoint.msix.withdraw(0)
    card.endpoint.msix.fire(0)
    card.mask(0, 0)
    assert card.sent == [0x4000]


def test_pcie_6_1_4_5_polling_the_pba_with_vectors_masked_for_ever_works(plug):
    card = plug(vectors=2)
    card.msix()
    seen = []
    for _ in range(3):
        card.endpoint.msix.fire(1)
        seen.append(card.pba(1))
        card.endpoint.msix.withdraw(1)
        seen.append(card.pba(1))
    assert (seen, card.sent) == ([1, 0] * 3, [])


def test_pcie_6_1_4_2_an_entry_changed_while_unmasked_is_noted_and_takes_effect(plug):
    card = plug(vectors=1).ready()
    card.endpoint.bar_write(2, card.TABLE + 8, 4, 0x99)
    card.endpoint.msix.fire(0)
    assert card.sent == [0x99]
    assert card.host.notes == [("MSI-X table entry changed while unmasked, which is undefined", {"vector": 0})]


@pytest.mark.parametrize("hold", ["vector", "function"])
def test_pcie_6_1_4_2_an_entry_changed_while_masked_is_nobodys_business(plug, hold):
    card = plug(vectors=1).ready()
    card.mask(0) if hold == "vector" else card.msix(function_mask=1)
    card.endpoint.bar_write(2, card.TABLE + 8, 4, 0x99)
    assert card.host.notes == []


# §6.1.4.3 enable, §7.5.1.1.3 Bus Master Enable, Memory Space Enable


def test_pcie_7_5_1_1_3_without_bus_master_enable_a_message_is_dropped(plug):
    card = plug(vectors=1).ready()
    card.command(MEMORY)
    card.endpoint.msix.fire(0)
    card.command(MEMORY | MASTER)
    assert (card.sent, card.endpoint.fates[0].dropped) == ([], {"bus master off": 1})


def test_pcie_7_5_1_1_3_without_bus_master_enable_a_pending_vector_stays_pending(plug):
    card = plug(vectors=1).ready()
    card.mask(0)
    card.endpoint.msix.fire(0)
    card.command(MEMORY)
    card.mask(0, 0)
    assert (card.sent, card.pba(0)) == ([], 1)
    card.command(MEMORY | MASTER)
    assert (card.sent, card.pba(0)) == ([0x4000], 0)


def test_pcie_7_5_1_1_3_memory_space_enable_gates_the_table_and_not_the_messages(plug):
    card = plug(vectors=1).ready()
    card.command(MASTER)
    assert card.endpoint.bar_read(2, card.TABLE, 4) == 0xFFFF_FFFF
    card.mask(0)  # vanishes
    card.endpoint.msix.fire(0)
    assert card.sent == [0x4000]


def test_pcie_7_7_2_2_disabling_keeps_pending_vectors_until_msix_is_enabled_again(plug):
    card = plug(vectors=1).ready()
    card.mask(0)
    card.endpoint.msix.fire(0)
    card.msix(enable=0)
    card.mask(0, 0)
    assert card.sent == []
    card.msix(enable=1)
    assert card.sent == [0x4000]


def test_pcie_7_7_2_2_fires_while_disabled_are_dropped_with_their_reason(plug):
    card = plug(vectors=1)
    card.program(0)
    card.endpoint.msix.fire(0)
    card.msix()
    assert (card.sent, card.endpoint.fates[0].dropped) == ([], {"MSI-X not enabled": 1})


def test_pcie_6_1_4_setting_function_mask_and_enable_together_programs_the_table_safely(plug):
    card = plug(vectors=3)
    card.msix(enable=1, function_mask=1)
    card.endpoint.msix.fire(2)
    for vector in range(3):
        card.program(vector)
    assert card.sent == []
    card.msix(enable=1)
    assert card.sent == [0x4002]


def test_windows_unused_entries_programmed_with_message_0_all_raise_message_0(plug):
    card = plug(vectors=4)
    card.msix(enable=1, function_mask=1)
    for vector in range(4):
        card.program(vector, data=0x51)
    card.msix(enable=1)
    for vector in range(4):
        card.endpoint.msix.fire(vector)
    assert card.sent == [0x51] * 4


# §6.1.4, §2.4 ordering


def test_pcie_2_4_a_message_leaves_after_the_dma_that_was_sent_before_it(plug):
    card = plug(vectors=1).ready()
    card.endpoint.dma_write(0x1000, b"done")
    card.endpoint.msix.fire(0)
    assert [what[0] for what in card.host.traffic] == ["dma", "message"]

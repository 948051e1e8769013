"""MSI by clause: PCIe 6.0 §7.7.1 (registers) and §6.1.4 (behaviour)."""

from __future__ import annotations

from itertools import product

import pytest

from dirql.pci.describe import MsiSpec
from dirql.pci.function import Message

MEMORY, MASTER = 2, 4


def _programmed(plug, messages=1, granted=0, data=0x4000, **form):
    card = plug(msi=MsiSpec(messages, **form))
    card.msi_write("address", 0xFEE0_0000)
    card.msi_write("data", data)
    card.msi(granted=granted)
    return card


# §7.7.1.1 forms


@pytest.mark.parametrize(
    ("address64", "per_vector_mask", "size", "offsets"),
    [
        (False, False, 0x0A, {"address": 4, "data": 8}),
        (True, False, 0x0E, {"address": 4, "upper_address": 8, "data": 0xC}),
        (False, True, 0x14, {"address": 4, "data": 8, "mask": 0xC, "pending": 0x10}),
        (True, True, 0x18, {"address": 4, "upper_address": 8, "data": 0xC, "mask": 0x10, "pending": 0x14}),
    ],
)
def test_pcie_7_7_1_1_each_form_has_its_registers_and_size(plug, address64, per_vector_mask, size, offsets):
    kind = type(plug(msi=MsiSpec(4, address64=address64, per_vector_mask=per_vector_mask)).endpoint.msi.capability)
    assert kind.size == size
    assert {name: kind.placements[name].offset for name in offsets} == offsets
    assert ("upper_address" in kind.placements, "mask" in kind.placements) == (address64, per_vector_mask)


@pytest.mark.parametrize(
    ("messages", "address64", "per_vector_mask", "extended_data"),
    list(product((1, 32), (False, True), (False, True), (False, True))),
)
def test_pcie_7_7_1_2_message_control_tells_the_form_and_lets_only_enables_be_written(
    plug, messages, address64, per_vector_mask, extended_data
):
    card = plug(msi=MsiSpec(messages, address64, per_vector_mask, extended_data))
    place = card.capability(0x05) + 2
    fixed = (messages.bit_length() - 1) << 1 | address64 << 7 | per_vector_mask << 8 | extended_data << 9
    assert card.config(place, 2) == fixed
    card.endpoint.config_write(place, 2, 0xFFFF)
    assert card.config(place, 2) == fixed | 0x71 | extended_data << 10


def test_pcie_7_7_1_3_address_bits_1_0_read_0(plug):
    card = plug(msi=MsiSpec())
    card.msi_write("address", 0xFFFF_FFFF)
    assert card.msi_read("address") == 0xFFFF_FFFC


@pytest.mark.parametrize("messages", [1, 2, 4, 8, 16, 32])
def test_pcie_7_7_1_7_mask_bits_beyond_the_messages_are_reserved(plug, messages):
    card = plug(msi=MsiSpec(messages, per_vector_mask=True))
    assert card.msi_read("mask") == 0
    card.msi_write("mask", 0xFFFF_FFFF)
    assert card.msi_read("mask") == (1 << messages) - 1


def test_pcie_7_7_1_8_pending_bits_are_read_only(plug):
    card = plug(msi=MsiSpec(4, per_vector_mask=True))
    card.msi_write("pending", 0xFFFF_FFFF)
    assert card.msi_read("pending") == 0


# §6.1.4 messages


@pytest.mark.parametrize("messages", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("granted", range(6))
def test_pcie_6_1_4_only_the_granted_low_data_bits_are_the_functions(plug, messages, granted):
    card = _programmed(plug, messages, granted, data=0x4060)
    for message in range(messages):
        card.endpoint.msi.fire(message)
    count = min(1 << granted, messages)
    assert card.endpoint.msi.granted == count
    assert card.sent == [0x4060 + message % count for message in range(messages)]
    assert [fate.sent for fate in card.endpoint.fates] == [messages // count if i < count else 0 for i in range(messages)]


def test_pcie_6_1_4_a_granted_count_replaces_data_bits_that_software_left_set(plug):
    card = _programmed(plug, 4, 2, data=0x4063)
    card.endpoint.msi.fire(1)
    assert card.sent == [0x4061]


def test_pcie_7_7_1_3_one_address_serves_every_message(plug):
    card = _programmed(plug, 4, 2)
    card.msi_write("upper_address", 0x7)
    for message in range(4):
        card.endpoint.msi.fire(message)
    assert card.host.messages == [Message(0x7_FEE0_0000, 0x4000 + message) for message in range(4)]


def test_pcie_7_7_1_5_without_extended_data_the_upper_16_bits_are_0(plug):
    card = _programmed(plug, extended_data=True, data=0x1234)
    card.msi_write("extended_data", 0xABCD)
    card.endpoint.msi.fire(0)
    assert card.sent == [0x1234]


def test_pcie_7_7_1_6_extended_data_fills_the_upper_16_bits_once_enabled(plug):
    card = _programmed(plug, extended_data=True, data=0x1234)
    card.msi_write("extended_data", 0xABCD)
    card.msi(extended=1)
    card.endpoint.msi.fire(0)
    assert card.sent == [0xABCD_1234]


@pytest.mark.parametrize(("enable", "masked"), list(product((0, 1), repeat=2)))
def test_pcie_6_1_4_a_message_leaves_only_when_enabled_and_not_masked(plug, enable, masked):
    card = _programmed(plug, 2, 1, per_vector_mask=True)
    card.msi_write("mask", masked << 1)
    card.msi(enable=enable, granted=1)
    card.endpoint.msi.fire(1)
    assert card.sent == ([0x4001] if enable and not masked else [])
    assert card.msi_read("pending") == (2 if enable and masked else 0)
    assert card.endpoint.fates[1].dropped == ({} if enable else {"MSI not enabled": 1})
    assert card.balanced


def test_pcie_6_1_4_4_unmask_sends_the_pending_message_once_and_clears_pending(plug):
    card = _programmed(plug, 4, 2, per_vector_mask=True)
    card.msi_write("mask", 0b1000)
    for _ in range(3):
        card.endpoint.msi.fire(3)
    for mask in (0, 0b1000, 0):
        card.msi_write("mask", mask)
    fate = card.endpoint.fates[3]
    assert (card.sent, card.msi_read("pending"), fate.merged, fate.delivered) == ([0x4003], 0, 2, 1)


def test_pcie_6_1_4_5_a_condition_that_goes_away_while_masked_clears_pending(plug):
    card = _programmed(plug, 4, 2, per_vector_mask=True)
    card.msi_write("mask", 0b10)
    card.endpoint.msi.fire(1)
    card.endpoint.msi.withdraw(1)
    card.msi_write("mask", 0)
    assert (card.sent, card.msi_read("pending"), card.endpoint.fates[1].withdrawn) == ([], 0, 1)


def test_pcie_6_1_4_5_a_new_event_after_a_withdrawal_is_pending_again(plug):
    card = _programmed(plug, 4, 2, per_vector_mask=True)
    card.msi_write("mask", 0b10)
    card.endpoint.msi.fire(1)
    card.endpoint.msi.withdraw(1)
    card.endpoint.msi.fire(1)
    assert card.msi_read("pending") == 0b10
    card.msi_write("mask", 0)
    assert (card.sent, card.balanced) == ([0x4001], True)


def test_pcie_6_1_4_5_polling_the_pending_bits_with_messages_masked_for_ever_works(plug):
    card = _programmed(plug, 4, 2, per_vector_mask=True)
    card.msi_write("mask", 0xF)
    seen = []
    for _ in range(3):
        card.endpoint.msi.fire(2)
        seen.append(card.msi_read("pending"))
        card.endpoint.msi.withdraw(2)
        seen.append(card.msi_read("pending"))
    assert (seen, card.sent, card.balanced) == ([0b100, 0] * 3, [], True)


def test_pcie_7_7_1_2_disabling_keeps_pending_messages_until_msi_is_enabled_again(plug):
    card = _programmed(plug, 4, 2, per_vector_mask=True)
    card.msi_write("mask", 0b1000)
    card.endpoint.msi.fire(3)
    card.msi(enable=0, granted=2)
    card.msi_write("mask", 0)
    assert (card.sent, card.msi_read("pending")) == ([], 0b1000)
    card.msi(granted=2)
    assert (card.sent, card.msi_read("pending"), card.balanced) == ([0x4003], 0, True)


def test_pcie_6_1_4_both_enables_set_are_noted_and_msix_rules(plug):
    card = plug(vectors=1, msi=MsiSpec())
    card.msi()
    card.msix(enable=1, function_mask=1)
    card.program(0)
    card.msix()
    assert card.host.said == ["MSI and MSI-X are both enabled, which is undefined: MSI-X rules here"]
    card.endpoint.msi.fire(0)
    card.endpoint.msix.fire(0)
    assert (card.sent, card.endpoint.interrupt_mode) == ([0x4000], "msi-x")
    card.msi(enable=0)
    card.msi()
    assert len(card.host.said) == 2


def test_pcie_7_7_1_2_a_grant_above_what_is_capable_is_noted_and_cut(plug):
    card = _programmed(plug, 2, 3)
    assert (card.endpoint.msi.granted, len(card.host.said)) == (2, 1)


def test_pcie_7_7_1_2_without_per_vector_masking_only_the_enable_bit_holds_messages(plug):
    card = _programmed(plug, 2, 1)
    assert not card.endpoint.msi.masked(0)
    card.msi(enable=0)
    card.endpoint.msi.fire(0)
    assert (card.sent, card.endpoint.fates[0].dropped) == ([], {"MSI not enabled": 1})


def test_pcie_7_5_1_1_3_without_bus_master_enable_a_message_is_dropped(plug):
    card = _programmed(plug)
    card.command(MEMORY)
    card.endpoint.msi.fire(0)
    card.command(MEMORY | MASTER)
    assert (card.sent, card.endpoint.fates[0].dropped) == ([], {"bus master off": 1})


def test_pcie_6_1_4_a_pending_message_survives_a_smaller_grant(plug):
    card = _programmed(plug, 4, 2, per_vector_mask=True)
    card.msi_write("mask", 0b1000)
    card.endpoint.msi.fire(3)
    card.msi(granted=0)
    assert (card.sent, card.balanced) == ([0x4000], True)
    assert card.endpoint.fates[3].delivered == 1

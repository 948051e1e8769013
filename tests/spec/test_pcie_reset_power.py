"""Resets, power states and the command register by clause: PCIe 6.0 §6.6, §5.3, §7.5.1.1.3, §7.5.2, §7.5.3.4."""

from __future__ import annotations

import pytest

from dirql.pci.describe import MsiSpec

MEMORY, MASTER, DISABLE = 2, 4, 1 << 10

RESETS = {
    "conventional": lambda card: card.endpoint.reset(),
    "flr": lambda card: card.flr(),
    "d3hot": lambda card: (card.power(3), card.power(0)),
}


@pytest.fixture(params=RESETS)
def reset(request):
    return RESETS[request.param]


def test_pcie_6_6_a_reset_clears_every_enable(plug, reset):
    card = plug(vectors=2, msi=MsiSpec(4, per_vector_mask=True))
    card.command(MEMORY | MASTER | DISABLE | 1)
    card.msi(granted=2)
    card.msi_write("mask", 0xF)
    card.msix(enable=1, function_mask=1)
    reset(card)
    assert card.config(0x04, 2) == 0
    assert card.config(card.capability(0x05) + 2, 2) & 0x71 == 0
    assert card.config(card.capability(0x11) + 2, 2) & 0xC000 == 0
    assert card.msi_read("mask") == 0


def test_pcie_6_6_a_reset_masks_every_msix_vector_and_forgets_what_was_pending(plug, reset):
    card = plug(vectors=65).ready()
    for vector in (0, 64):
        card.mask(vector)
        card.endpoint.msix.fire(vector)
    reset(card)
    card.command(MEMORY | MASTER)
    assert [card.endpoint.bar_read(2, card.TABLE + 16 * v + 12, 4) for v in range(65)] == [1] * 65
    assert (card.pba(0), card.pba(64)) == (0, 0)
    card.ready()
    assert card.sent == []
    assert card.endpoint.fates[0].dropped == {"reset": 1}
    assert card.balanced


def test_pcie_6_6_a_vector_fired_after_a_reset_is_held_until_it_is_programmed_again(plug, reset):
    card = plug(vectors=1).ready()
    reset(card)
    card.command(MEMORY | MASTER)
    card.msix()
    card.endpoint.msix.fire(0)
    assert (card.sent, card.pba(0)) == ([], 1)


def test_pcie_6_6_a_reset_clears_the_bars(plug, reset):
    card = plug(vectors=1)
    for offset in (0x10, 0x18, 0x1C):
        card.endpoint.config_write(offset, 4, 0xFFFF_FFFF)
    reset(card)
    assert [card.config(offset) for offset in (0x10, 0x18, 0x1C)] == [0, 4, 0]


def test_pcie_6_6_a_reset_clears_msi_pending_bits(plug, reset):
    card = plug(msi=MsiSpec(2, per_vector_mask=True))
    card.msi_write("mask", 1)
    card.msi()
    card.endpoint.msi.fire(0)
    assert card.msi_read("pending") == 1
    reset(card)
    assert (card.msi_read("pending"), card.balanced) == (0, True)


def test_pcie_6_6_a_reset_drops_the_line(plug, reset):
    card = plug()
    card.endpoint.intx.set(True)
    reset(card)
    assert (card.host.wire, card.status() & 8) == ([True, False], 0)


def test_pcie_6_6_a_reset_keeps_what_is_read_only(plug, reset):
    card = plug(vectors=3, msi=MsiSpec(8))
    before = [card.config(offset) for offset in (0x00, 0x08, 0x2C, 0x34)], list(card.endpoint.config.capabilities())
    reset(card)
    assert ([card.config(offset) for offset in (0x00, 0x08, 0x2C, 0x34)], list(card.endpoint.config.capabilities())) == before


def test_pcie_6_6_a_reset_tells_the_device_once(plug, reset):
    told = []
    card = plug(on_reset=lambda: told.append("reset"))
    reset(card)
    assert told == ["reset"]


def test_pcie_7_5_3_4_initiate_flr_always_reads_0(plug):
    card = plug()
    card.flr()
    assert card.config(card.capability(0x10) + 8, 2) & 0x8000 == 0


def test_pcie_7_5_3_3_flr_does_nothing_where_the_capability_says_so(plug):
    card = plug(flr=False)
    card.flr()
    assert card.config(0x04, 2) == MEMORY | MASTER
    assert card.config(card.capability(0x10) + 4) & 1 << 28 == 0


def test_pcie_6_6_2_flr_leaves_the_max_payload_size_and_link_control_alone(plug):
    card = plug()
    place = card.capability(0x10)
    card.endpoint.config_write(place + 8, 2, 1 << 5)
    card.endpoint.config_write(place + 0x10, 2, 0x43)
    card.flr()
    assert (card.config(place + 8, 2) >> 5 & 7, card.config(place + 0x10, 2)) == (1, 0x43)
    card.endpoint.reset()
    assert (card.config(place + 8, 2) >> 5 & 7, card.config(place + 0x10, 2)) == (0, 0)


# §5.3.1.4, §7.5.2.2 power states


def test_pcie_5_3_1_4_configuration_answers_in_d3hot_and_bars_do_not(plug):
    card = plug(vectors=1)
    card.power(3)
    card.endpoint.bar_write(0, 0, 4, 1)
    assert card.config(0x00) == 0x0004_1234
    assert (card.endpoint.bar_read(0, 0, 4), card.endpoint.bar_read(2, 0, 8)) == (0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
    assert card.registers.accesses == []


def test_pcie_5_3_1_4_no_message_no_line_and_no_dma_leave_in_d3hot(plug):
    card = plug(vectors=1).ready()
    card.power(3)
    card.endpoint.msix.fire(0)
    card.endpoint.intx.set(True)
    card.endpoint.dma_write(0x1000, b"x")
    assert card.host.traffic == []
    assert card.endpoint.dma_read(0x1000, 2) == b"\xff\xff"
    assert card.endpoint.fates[0].dropped == {"in D3hot": 1}


def test_pcie_7_5_2_2_no_soft_reset_keeps_the_context_across_d3hot(plug):
    card = plug(vectors=1, no_soft_reset=True).ready()
    card.power(3)
    card.power(0)
    card.endpoint.msix.fire(0)
    assert (card.config(0x04, 2), card.sent) == (MEMORY | MASTER, [0x4000])


def test_pcie_5_3_1_4_the_line_drops_in_d3hot_and_comes_back_with_the_condition(plug):
    card = plug(no_soft_reset=True)
    card.endpoint.intx.set(True)
    card.power(3)
    card.power(0)
    assert card.host.wire == [True, False, True]


def test_pcie_7_5_2_2_no_soft_reset_reads_as_declared(plug):
    assert [plug(no_soft_reset=n).config(0x44, 2) & 8 for n in (False, True)] == [0, 8]


@pytest.mark.parametrize("state", [1, 2])
def test_pcie_7_5_2_2_a_write_of_an_unsupported_power_state_is_discarded(plug, state):
    card = plug()
    card.power(state)
    assert (card.config(card.capability(1) + 4, 2) & 3, card.endpoint.power_state) == (0, 0)


@pytest.mark.parametrize(("no_soft_reset", "story"), [(False, ["D3", "reset", "D0"]), (True, ["D3", "D0"])])
def test_pcie_5_3_the_device_hears_of_its_power_state(plug, no_soft_reset, story):
    told = []
    options = {"on_reset": lambda: told.append("reset"), "on_power": lambda state: told.append(f"D{state}")}
    card = plug(no_soft_reset=no_soft_reset, **options)
    card.power(3)
    card.power(0)
    assert told == story


def test_pcie_5_3_a_reset_in_d0_is_no_power_transition(plug):
    told = []
    card = plug(on_power=told.append)
    card.endpoint.reset()
    card.flr()
    assert told == []


def test_pcie_5_3_a_reset_in_d3hot_leaves_d0(plug):
    card = plug()
    card.power(3)
    card.endpoint.reset()
    assert card.endpoint.power_state == 0
    assert card.config(card.capability(1) + 4, 2) & 3 == 0


# §7.5.1.1.3 command, §7.5.1.1.4 status


def test_pcie_7_5_1_1_3_memory_space_off_reads_all_ones_and_loses_writes(plug):
    card = plug(on=False)
    card.endpoint.bar_write(0, 0, 4, 1)
    assert (card.endpoint.bar_read(0, 0, 4), card.endpoint.memory_enabled) == (0xFFFF_FFFF, False)
    card.command(MEMORY)
    assert (card.endpoint.bar_read(0, 0, 4), card.endpoint.memory_enabled) == (0, True)


def test_pcie_7_5_1_1_3_bus_master_off_drops_dma_and_says_so(plug):
    card = plug(on=False)
    card.endpoint.dma_write(0x1000, b"abc")
    assert card.endpoint.dma_read(0x2000, 2) == b"\xff\xff"
    assert card.host.traffic == []
    assert card.host.notes == [
        ("DMA write dropped: bus master off", {"address": 0x1000, "length": 3}),
        ("DMA read dropped: bus master off", {"address": 0x2000, "length": 2}),
    ]


def test_pcie_7_5_1_1_3_command_bits_that_pcie_hardwires_read_0(plug):
    card = plug()
    card.command(0xFFFF)
    assert card.config(0x04, 2) == 0x0547


def test_pcie_7_5_1_1_4_status_error_bits_clear_by_writing_ones(plug):
    card = plug()
    card.endpoint.config.header.status.received_master_abort = 1
    card.endpoint.config.header.status.detected_parity_error = 1
    card.endpoint.config_write(0x06, 2, 1 << 13)
    assert card.status() == 1 << 15 | 1 << 4

"""INTx by clause: PCIe 6.0 §6.1.2, §7.5.1.1.3, §7.5.1.1.4, §7.5.1.1.13; PCI 3.0 §2.2.6."""

from __future__ import annotations

from itertools import product

import pytest

from dirql.pci.describe import MsiSpec
from dirql.pnp import Arbiter, query_resource_requirements

MEMORY, MASTER, DISABLE = 2, 4, 1 << 10
INTERRUPT_STATUS = 1 << 3


def test_pcie_6_1_2_the_line_follows_the_condition_and_sends_edges_only(plug):
    card = plug()
    for level in (True, True, False, False, True):
        card.endpoint.intx.set(level)
    assert card.host.wire == [True, False, True]


def test_pcie_7_5_1_1_3_interrupt_disable_sends_deassert_and_enabling_asserts_again(plug):
    card = plug()
    card.endpoint.intx.set(True)
    card.command(MEMORY | DISABLE)
    card.command(MEMORY)
    assert card.host.wire == [True, False, True]


@pytest.mark.parametrize(("condition", "disable"), list(product((False, True), repeat=2)))
def test_pcie_7_5_1_1_4_interrupt_status_shows_the_condition_whatever_interrupt_disable_says(plug, condition, disable):
    card = plug()
    card.command(disable * DISABLE)
    card.endpoint.intx.set(condition)
    assert bool(card.status() & INTERRUPT_STATUS) == condition
    assert card.host.wire == ([True] if condition and not disable else [])


def test_pcie_7_5_1_1_4_interrupt_status_is_read_only(plug):
    card = plug()
    card.endpoint.intx.set(True)
    card.endpoint.config_write(0x06, 2, 0xFFFF)
    assert card.status() & INTERRUPT_STATUS


@pytest.mark.parametrize("mode", ["msi", "msi-x"])
def test_pcie_6_1_4_3_with_messages_enabled_the_function_is_silent_on_the_line(plug, mode):
    card = plug(vectors=1, msi=MsiSpec())
    getattr(card, mode.replace("-", ""))()
    card.endpoint.intx.set(True)
    assert (card.host.wire, card.status() & INTERRUPT_STATUS, card.endpoint.interrupt_mode) == ([], 0, mode)


@pytest.mark.parametrize("mode", ["msi", "msix"])
def test_pcie_6_1_4_3_enabling_messages_drops_the_line_and_disabling_raises_it_again(plug, mode):
    card = plug(vectors=1, msi=MsiSpec())
    card.endpoint.intx.set(True)
    getattr(card, mode)()
    getattr(card, mode)(enable=0)
    assert card.host.wire == [True, False, True]


def test_pcie_7_5_1_1_3_interrupt_disable_does_not_gate_messages(plug):
    card = plug(vectors=1).ready()
    card.command(MEMORY | MASTER | DISABLE)
    card.endpoint.msix.fire(0)
    assert card.sent == [0x4000]


def test_pcie_7_5_1_1_3_the_line_needs_no_bus_master_enable(plug):
    card = plug(on=False)
    card.endpoint.intx.set(True)
    assert card.host.wire == [True]


def test_pcie_7_5_1_1_13_pin_0_means_no_line(plug):
    card = plug(pin=0)
    card.endpoint.intx.set(True)
    assert (card.host.wire, card.status() & INTERRUPT_STATUS, card.endpoint.interrupt_mode) == ([], 0, "none")


@pytest.mark.parametrize("pin", [0, 1, 2, 3, 4])
def test_pcie_7_5_1_1_13_interrupt_pin_is_read_only(plug, pin):
    card = plug(pin=pin)
    card.endpoint.config_write(0x3D, 1, 0xFF)
    assert card.config(0x3D, 1) == pin


def test_pcie_7_5_1_1_12_interrupt_line_is_scratch(plug):
    card = plug()
    card.endpoint.config_write(0x3C, 1, 0xA5)
    assert card.config(0x3C, 1) == 0xA5


def test_pcie_6_1_2_a_line_that_is_up_when_the_card_is_plugged_in_is_asserted(plug):
    card = plug()
    card.endpoint.intx.set(True)
    host = type(card.host)()
    card.endpoint.connect(host)
    assert host.wire == [True]


def test_pcie_2_4_the_lines_message_leaves_after_the_dma_that_was_sent_before_it(plug):
    card = plug()
    card.endpoint.dma_write(0x1000, b"done")
    card.endpoint.intx.set(True)
    assert [what[0] for what in card.host.traffic] == ["dma", "intx"]


@pytest.mark.parametrize(("pin", "device"), list(product((1, 2, 3, 4), (0, 1, 2, 3, 4, 31))))
def test_pci_2_2_6_a_pin_is_swizzled_by_its_device_number(plug, pin, device):
    card = plug(pin=pin)
    grant = Arbiter(1).grant(query_resource_requirements(card.endpoint, device=device))
    assert grant.line.gsi == 16 + (pin - 1 + device) % 4

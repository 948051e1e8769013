"""Messages and local APICs by clause: Intel SDM vol. 3, §11.8.4 (acceptance), §11.11.1 and §11.11.2 (message format)."""

from __future__ import annotations

from itertools import product

import pytest

from dirql.machine.apic import MessageRouter, Route
from dirql.pci.function import Message

BASE = 0xFEE0_0000
PHYSICAL, HINT, LOGICAL = 0, 1 << 3, 1 << 2
FIXED, LOWEST = 0, 1 << 8


@pytest.mark.parametrize("destination", [0, 1, 2, 3])
def test_sdm_11_11_1_address_bits_19_12_are_the_destination(destination):
    assert MessageRouter(4).route(Message(BASE | destination << 12, 0x51)) == Route(0x51, (destination,), False)


@pytest.mark.parametrize("destinations", [0b0001, 0b0101, 0b1111])
def test_sdm_11_11_1_address_bit_2_makes_the_destination_a_set(destinations):
    targets = tuple(i for i in range(4) if destinations >> i & 1)
    assert MessageRouter(4).route(Message(BASE | destinations << 12 | LOGICAL, 0x51)) == Route(0x51, targets, False)


@pytest.mark.parametrize(("hint", "mode"), list(product((0, HINT), (FIXED, LOWEST))))
def test_sdm_11_11_1_the_hint_or_the_lowest_priority_mode_lets_one_of_the_set_take_it(hint, mode):
    route = MessageRouter(4).route(Message(BASE | 0b0011 << 12 | LOGICAL | hint, 0x51 | mode))
    assert route == Route(0x51, (0, 1), bool(hint or mode))


@pytest.mark.parametrize("vector", [0x10, 0x30, 0x51, 0xBF, 0xFF])
def test_sdm_11_11_2_data_bits_7_0_are_the_vector_and_the_trigger_is_edge(vector):
    router = MessageRouter(4)
    assert router.compose(0b10, vector, False) == Message(BASE | 1 << 12, vector)
    assert router.route(Message(BASE | 1 << 12, vector)) == Route(vector, (1,), False)


@pytest.mark.parametrize("address", [0xFED0_0000, 0xFEF0_0000, 0x0000_0000, 1 << 32 | BASE])
def test_sdm_11_11_1_only_addresses_feexxxxx_are_interrupts(address):
    assert MessageRouter(4).route(Message(address, 0x51)) is None


@pytest.mark.parametrize("sent", [1, 2, 5])
def test_sdm_11_8_4_identical_messages_merge_while_one_is_requested(world, sent):
    w = world.World(1)
    interrupt = w.connect(lambda i, c: True)
    w.aim(0, 0x51, 0)

    def work():
        old = w.kernel.ke_raise_irql(15)
        for _ in range(sent):
            w.card.fire(0)
        w.stall(5)
        w.kernel.ke_lower_irql(old)

    w.run_thread(work)
    fate = w.card.fates[0]
    assert (fate.delivered, fate.merged, interrupt.count, fate.balanced) == (1, sent - 1, 1, True)


@pytest.mark.parametrize(("more", "delivered", "merged"), [(0, 1, 0), (1, 2, 0), (2, 2, 1), (4, 2, 3)])
def test_sdm_11_8_4_one_more_waits_while_the_first_is_in_service(world, more, delivered, merged):
    w = world.World(1)

    def isr(interrupt, context):
        if not interrupt.count:
            w.machine.time = w.cpu.now
            for _ in range(more):
                w.card.fire(0)
            w.stall(5)
        return True

    interrupt = w.connect(isr)
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    w.run()
    fate = w.card.fates[0]
    assert (fate.delivered, fate.merged, interrupt.count, fate.balanced) == (delivered, merged, delivered, True)


def test_sdm_11_8_4_the_same_vector_waits_on_each_processor_by_itself(world):
    w = world.World(2)
    interrupt = w.connect(lambda i, c: True, cpus=(0, 1))
    w.aim(0, 0x51, 0)
    w.aim(1, 0x51, 1)
    w.card.fire(0)
    w.card.fire(1)
    w.run()
    assert (interrupt.count, [fate.merged for fate in w.card.fates[:2]]) == (2, [0, 0])

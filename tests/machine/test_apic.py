"""Local APICs and the route of a message (Intel SDM vol. 3 ch. 11; VT-d §5.1.2.2)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import NotModelled, UsageError
from dirql.machine.apic import DEVICE_VECTORS, LocalApic, MessageRouter, Route
from dirql.pci.function import Message

CPUS = st.integers(1, 64)


@given(CPUS, st.data())
def test_what_was_composed_routes_to_its_targets(cpus: int, data: st.DataObject) -> None:
    router = MessageRouter(cpus)
    wanted = st.tuples(st.integers(1, (1 << cpus) - 1), st.sampled_from(list(DEVICE_VECTORS)), st.booleans())
    composed = [(what, router.compose(*what)) for what in data.draw(st.lists(wanted, min_size=1, max_size=8))]
    for (targets, vector, lowest), message in composed:
        indexes = tuple(i for i in range(cpus) if targets >> i & 1)
        assert router.route(message) == Route(vector, indexes, lowest and len(indexes) > 1)
        assert message.address >> 20 == 0xFEE and message.address % 4 == 0 and 0 <= message.data < 1 << 16


@pytest.mark.parametrize("cpus", [1, 8, 9, 64])
def test_consecutive_data_reach_consecutive_vectors(cpus: int) -> None:
    router = MessageRouter(cpus)
    everybody = (1 << cpus) - 1
    address, data = router.compose(everybody, 0x50, False)
    routes = [router.route(Message(address, data + i)) for i in range(16)]
    assert routes == [Route(0x50 + i, tuple(range(cpus)), False) for i in range(16)]


@pytest.mark.parametrize("cpus", [1, 8, 9, 64])
@pytest.mark.parametrize("targets", [0, 1 << 64])
def test_a_message_needs_a_target(cpus: int, targets: int) -> None:
    text = f"a message for vector 0x51 needs a target; this machine has processors 0 to {cpus - 1}"
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        MessageRouter(cpus).compose(targets, 0x51, False)


def test_targets_that_are_not_there_are_left_out() -> None:
    router = MessageRouter(4)
    assert router.route(router.compose(0xFFFF, 0x51, False)) == Route(0x51, (0, 1, 2, 3), False)


@pytest.mark.parametrize(
    ("message", "route"),
    [
        (Message(0xFEE0_0000, 0x51), Route(0x51, (0,), False)),
        (Message(0xFEE0_3000, 0x51), Route(0x51, (3,), False)),
        (Message(0xFEE0_4000, 0x51), None),
        (Message(0xFEEF_F000, 0x51), Route(0x51, (0, 1, 2, 3), False)),
        (Message(0xFEE0_5004, 0x51), Route(0x51, (0, 2), False)),
        (Message(0xFEE0_500C, 0x51), Route(0x51, (0, 2), True)),
        (Message(0xFEE0_5004, 0x151), Route(0x51, (0, 2), True)),
        (Message(0xFEE0_100C, 0x151), Route(0x51, (0,), False)),
        (Message(0xFEEF_0004, 0x51), None),
        (Message(0xFEE0_0000, 0x0F), None),
        (Message(0xFED0_0000, 0x51), None),
        (Message(0x0000_1000, 0x51), None),
        (Message(1 << 32 | 0xFEE0_0000, 0x51), None),
        (Message(0xFEE0_0010, 0x00), None),
        (Message(0xFEE0_0018, 0x51), None),
    ],
)
def test_a_message_decodes_as_the_processor_manual_says(message: Message, route: Route | None) -> None:
    assert MessageRouter(4).route(message) == route


def test_a_handle_that_nobody_had_is_answered_once_it_is_made() -> None:
    message = MessageRouter(16).compose(0b11, 0x51, False)
    router = MessageRouter(16)
    assert router.route(message) is None
    assert router.compose(0b11, 0x51, False) == message
    assert router.route(message) == Route(0x51, (0, 1), False)


def test_there_are_256_sets_of_targets() -> None:
    router = MessageRouter(64)
    sets = [0b11 << i for i in range(63)] + [0b101 << i for i in range(62)] + [0b111 << i for i in range(62)]
    sets += [0b1111 << i for i in range(61)] + [0b11111 << i for i in range(8)]
    assert len(set(sets)) == 256
    messages = [router.compose(targets, 0xBF, True) for targets in sets]
    for targets, message in zip(sets, messages, strict=True):
        assert router.route(message) == Route(0xBF, tuple(i for i in range(64) if targets >> i & 1), True)
    text = "more than 256 different sets of target processors; use fewer affinity masks"
    with pytest.raises(NotModelled, match=f"^{re.escape(text)}$"):
        router.compose((1 << 64) - 1, 0x51, True)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1), CPUS)
def test_any_memory_write_routes_to_processors_that_exist_or_nowhere(address: int, data: int, cpus: int) -> None:
    for candidate in (address, 0xFEE0_0000 | address & 0xF_FFFF):
        route = MessageRouter(cpus).route(Message(candidate, data))
        assert route is None or (0x10 <= route.vector < 0x100 and route.targets and max(route.targets) < cpus)


@pytest.mark.parametrize(
    ("irr", "in_service", "priority"), [(0, [], 0), (1 << 0x51, [], 5), (1 << 0x51, [0x30], 5), (0, [0x51, 0xBF], 11)]
)
def test_the_arbitration_priority_is_the_highest_class_requested_or_in_service(
    irr: int, in_service: list[int], priority: int
) -> None:
    apic = LocalApic()
    apic.irr, apic.in_service = irr, in_service
    assert apic.priority == priority and apic.isr == sum(1 << v for v in in_service)

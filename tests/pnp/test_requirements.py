"""What pci.sys asks for on behalf of functions of every shape."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from dirql.pci import BarSpec, Endpoint
from dirql.pnp import (
    BarInfo,
    InterruptManagement,
    IoResourceDescriptor,
    IoResourceRequirementsList,
    discover_bars,
    query_resource_requirements,
    requirement_notes,
)
from dirql.pnp.constants import CmResourceType, IrqDevicePolicy, IrqPriority
from dirql.pnp.io_resources import IoInterrupt, IoMemory

Make = Callable[..., Endpoint]
MESSAGES = InterruptManagement(msi_supported=True)


def limited(limit: int) -> InterruptManagement:
    return InterruptManagement(msi_supported=True, message_number_limit=limit)


def shape(requirements: IoResourceRequirementsList) -> list[str]:
    """Each list's interrupts: x per MSI-X message, m4 for four MSI messages, l for a line, capitals for alternatives."""

    def one(d: IoResourceDescriptor) -> str:
        letter = "l" if d.is_line else "x" if not requirements.msi else f"m{d.messages}"
        return letter.upper() if d.is_alternative else letter

    return ["".join(one(d) for d in each.descriptors if d.interrupt) for each in requirements.lists]


@pytest.mark.parametrize(("vectors", "messages", "pin", "management", "expected"), [
    (0,    0,  0, None,            [""]),
    (0,    0,  1, None,            ["l"]),
    (9,    16, 1, None,            ["l"]),
    (9,    16, 1, InterruptManagement(message_number_limit=4), ["l"]),
    (9,    16, 0, None,            [""]),
    (9,    0,  1, MESSAGES,        ["xxxxxxxxxL", "xL"]),
    (9,    16, 1, MESSAGES,        ["xxxxxxxxxL", "xL"]),        # both capabilities: MSI-X only
    (9,    0,  0, MESSAGES,        ["xxxxxxxxx", "x"]),
    (1,    0,  1, MESSAGES,        ["xL"]),
    (9,    0,  1, limited(3),      ["xxxL", "xL"]),
    (9,    0,  1, limited(10),     ["xxxxxxxxxL", "xL"]),
    (0,    16, 1, MESSAGES,        ["m16L", "m1L"]),
    (0,    32, 1, MESSAGES,        ["m16L", "m1L"]),             # Windows' limit
    (0,    8,  1, limited(4),      ["m4L", "m1L"]),
    (0,    8,  1, limited(7),      ["m4L", "m1L"]),              # rounded down
    (0,    8,  1, limited(2048),   ["m8L", "m1L"]),
    (0,    1,  1, MESSAGES,        ["m1L"]),
    (0,    0,  1, MESSAGES,        ["l"]),
])  # fmt: skip
def test_the_alternatives_are_all_messages_then_one_with_the_line_standing_in(
    endpoint: Make, vectors: int, messages: int, pin: int, management: InterruptManagement | None, expected: list[str]
) -> None:
    function = endpoint(vectors=vectors, messages=messages, pin=pin)
    assert shape(query_resource_requirements(function, management)) == expected


def test_2048_messages_are_asked_for_one_by_one(endpoint: Make) -> None:
    requirements = query_resource_requirements(endpoint(vectors=2048), MESSAGES)
    assert requirements.messages == 2048


def test_a_message_descriptor_is_exact(endpoint: Make) -> None:
    management = InterruptManagement(
        True, None, IrqDevicePolicy.IrqPolicySpecifiedProcessors, IrqPriority.IrqPriorityHigh, 0b0110
    )
    one, line = (d for d in query_resource_requirements(endpoint(vectors=1), management).lists[0].descriptors if d.interrupt)
    assert (
        one.pack().hex()
        == "00020100" + "0700" + "0000" + "feffffff" + "feffffff" + "0400" + "0000" + "03000000" + "0600000000000000"
    )
    assert (
        line.pack().hex()
        == "08020300" + "0400" + "0000" + "10000000" + "17000000" + "0400" + "0000" + "03000000" + "0600000000000000"
    )


def test_an_msi_descriptor_counts_down_from_the_token(endpoint: Make) -> None:
    (first, *_) = (d for d in query_resource_requirements(endpoint(messages=4), MESSAGES).lists[0].descriptors if d.interrupt)
    assert first.pack().hex() == "00020100" + "0300" + "0000" + "fbffffff" + "feffffff" + "00" * 16


def test_the_policy_flag_is_set_only_when_the_registry_holds_a_policy(endpoint: Make) -> None:
    function = endpoint(vectors=1)
    managed = [MESSAGES, InterruptManagement(msi_supported=True, policy_included=True)]
    lists = [query_resource_requirements(function, one).lists[0] for one in managed]
    assert [{d.flags & 4 for d in one.descriptors if d.interrupt} for one in lists] == [{0}, {4}]


BARS = {0: BarSpec(0x1000), 1: BarSpec(0x20, "io"), 2: BarSpec(0x4000, "memory64", prefetchable=True)}


def test_device_private_stands_between_consecutive_bars(endpoint: Make) -> None:
    requirements = query_resource_requirements(endpoint(bars=BARS))
    types = [CmResourceType(d.type).name.removeprefix("CmResourceType") for d in requirements.lists[0].descriptors]
    assert types == ["Memory", "DevicePrivate", "Port", "DevicePrivate", "Memory", "Interrupt"]


def test_bars_are_sized_and_left_as_they_were(endpoint: Make) -> None:
    function = endpoint(bars=BARS)
    function.config_write(4, 2, 7)
    for at, value in ((0x10, 0xE0001000), (0x14, 0x1021), (0x18, 0x4000), (0x1C, 0x80)):
        function.config_write(at, 4, value)
    before = [function.config_read(at, 4) for at in range(0, 0x40, 4)]
    assert discover_bars(function) == (
        BarInfo(0, "memory32", 0xE0001000, 0x1000),
        BarInfo(1, "io", 0x1020, 0x20),
        BarInfo(2, "memory64", 0x80_0000_4000, 0x4000, prefetchable=True),
    )
    assert [function.config_read(at, 4) for at in range(0, 0x40, 4)] == before


@pytest.mark.parametrize("size", [1 << 20, 1 << 31, 1 << 32, 1 << 40])
def test_a_64_bit_bar_of_any_size_is_sized(endpoint: Make, size: int) -> None:
    function = endpoint(bars={0: BarSpec(size, "memory64", prefetchable=True)})
    assert [(bar.index, bar.size) for bar in discover_bars(function)] == [(0, size)]
    (descriptor, *_) = query_resource_requirements(function).lists[0].descriptors
    assert isinstance(descriptor.u, IoMemory)
    assert (descriptor.type, descriptor.u.size) == (3 if size < 1 << 32 else 7, size)


class Inert:
    """A function whose configuration space takes no write: a dump without a model behind."""

    def __init__(self, function: Endpoint, bar_size: int) -> None:
        self._function, self._bar_size = function, bar_size

    def config_write(self, offset: int, size: int, value: int) -> None:
        """Ignored."""

    def bar_size(self, bar: int) -> int:
        return self._bar_size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


def test_a_bar_that_nobody_can_size_has_no_length(endpoint: Make) -> None:
    function = endpoint()
    function.config_write(0x10, 4, 0xE0800000)
    assert discover_bars(Inert(function, 0)) == (BarInfo(0, "memory32", 0xE0800000, None),)
    assert discover_bars(Inert(function, 0), {0: 0x20000}) == (BarInfo(0, "memory32", 0xE0800000, 0x20000),)
    assert discover_bars(function, {0: None}) == (BarInfo(0, "memory32", 0xE0800000, None),)


@pytest.mark.parametrize(
    ("vectors", "messages", "management", "notes"),
    [
        (0, 0, MESSAGES, ["MSISupported is 1, and the function has neither MSI nor MSI-X; it gets a line"]),
        (0, 8, limited(7), ["MessageNumberLimit is 0x7; for MSI it must be 1, 2, 4, 8 or 16, and 4 is taken"]),
        (0, 8, limited(32), ["MessageNumberLimit is 0x20; for MSI it must be 1, 2, 4, 8 or 16, and 16 is taken"]),
        (9, 8, limited(7), []),
        (0, 8, limited(4), []),
    ],
)
def test_what_the_function_makes_void_is_noted(
    endpoint: Make, vectors: int, messages: int, management: InterruptManagement, notes: list[str]
) -> None:
    assert list(requirement_notes(endpoint(vectors=vectors, messages=messages), management)) == notes


@pytest.mark.parametrize(("address64", "mask"), list(product((False, True), repeat=2)))
def test_every_form_of_msi_asks_the_same(endpoint: Make, address64: bool, mask: bool) -> None:
    function = endpoint(messages=4, address64=address64, per_vector_mask=mask)
    assert shape(query_resource_requirements(function, MESSAGES)) == ["m4L", "m1L"]


def test_the_line_knows_its_pin(endpoint: Make) -> None:
    (line,) = (d.u for d in query_resource_requirements(endpoint(pin=3)).lists[0].descriptors if d.interrupt)
    assert isinstance(line, IoInterrupt)
    assert line.pin == 3

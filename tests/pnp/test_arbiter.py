"""Grants: who gets which vectors, addresses and lines, and what is left when they run out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.errors import UsageError
from dirql.ntstatus import (
    STATUS_DEVICE_CONFIGURATION_ERROR,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    StatusError,
)
from dirql.pci import BarSpec, Endpoint
from dirql.pnp import (
    Arbiter,
    Grant,
    GrantChoice,
    InterruptManagement,
    IoInterrupt,
    IoResourceDescriptor,
    IoResourceList,
    IoResourceRequirementsList,
    IoResReqList,
    query_resource_requirements,
)
from dirql.pnp.constants import IrqDevicePolicy, IrqPriority
from dirql.pnp.resources import InterruptResource, MessageInterruptRaw

Make = Callable[..., Endpoint]
TOKEN = 0xFFFF_FFFE
PER_CPU = 0xC0 - 0x30


def messages(
    count: int, *, line: bool = True, policy: int = 0, priority: int = 0, targets: int = 0
) -> IoResourceRequirementsList:
    """MSI-X requirements of `count` messages, without BARs."""
    u = IoInterrupt(TOKEN, TOKEN, policy, 0, priority, targets)
    one = IoResourceDescriptor(2, u, 0, 1, 3)
    stand_in = (IoResourceDescriptor(2, IoInterrupt(16, 23, pin=1), 8, 3, 0),) if line else ()
    lists = [(one,) * count + stand_in] + ([(one, *stand_in)] if count > 1 else [])
    return IoResourceRequirementsList(tuple(IoResourceList(each) for each in lists))


def msi(count: int, **options: Any) -> IoResourceRequirementsList:
    wish = messages(1, **options)
    (one, *rest) = wish.lists[0].descriptors
    lists = (IoResourceList((one.with_vectors(count), *rest)), wish.lists[0])
    return IoResourceRequirementsList(lists, msi=True)


def brief(grant: Grant) -> list[tuple[int, int]]:
    return [(m.vector, m.targets) for m in grant.messages]


def test_all_messages_are_granted_with_a_vector_each() -> None:
    grant = Arbiter(4).grant(messages(9))
    assert (grant.kind, grant.asked, grant.granted, grant.synthetic, grant.why) == ("msi-x", 9, 9, False, "")
    assert brief(grant) == [(0x51 + i, 1) for i in range(9)]
    assert [m.irql for m in grant.messages] == [5] * 9


def test_msix_has_a_descriptor_per_message_byte_for_byte() -> None:
    grant = Arbiter(4).grant(messages(2))
    assert [d.pack().hex() for d in grant.raw] == [
        "0201030000000100" + "51000000" + "0100000000000000", "0201030000000100" + "52000000" + "0100000000000000",
    ]  # fmt: skip
    assert [d.pack().hex() for d in grant.translated] == [
        "0201030005000000" + "51000000" + "0100000000000000", "0201030005000000" + "52000000" + "0100000000000000",
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "first"), [(1, 0x51), (2, 0x52), (4, 0x54), (8, 0x58), (16, 0x60)])
def test_msi_is_one_descriptor_with_consecutive_vectors_aligned_to_their_number(count: int, first: int) -> None:
    grant = Arbiter(4).grant(msi(count))
    assert (grant.kind, grant.granted, brief(grant)) == ("msi", count, [(first + i, 1) for i in range(count)])
    (raw,), (translated,) = grant.raw, grant.translated
    assert raw.u == MessageInterruptRaw(count, first, 1)
    assert translated.u == InterruptResource(first >> 4, first, 1)


def test_msi_of_no_power_of_two_is_rounded_down() -> None:
    grant = Arbiter(1).grant(msi(3))
    assert (grant.asked, grant.granted, grant.synthetic) == (3, 2, False)


@pytest.mark.parametrize(("policy", "targets", "expected"), [
    (IrqDevicePolicy.IrqPolicyMachineDefault, 0,      [(0x51, 1), (0x52, 1), (0x53, 1), (0x54, 1), (0x55, 1)]),
    (IrqDevicePolicy.IrqPolicyAllCloseProcessors, 0,      [(0x51 + i, 0b1111) for i in range(5)]),
    (IrqDevicePolicy.IrqPolicyOneCloseProcessor, 0,      [(0x51, 1), (0x51, 2), (0x51, 4), (0x51, 8), (0x52, 1)]),
    (IrqDevicePolicy.IrqPolicyAllProcessorsInMachine, 0,      [(0x51 + i, 0b1111) for i in range(5)]),
    (IrqDevicePolicy.IrqPolicySpecifiedProcessors, 0b10,   [(0x51 + i, 0b10) for i in range(5)]),
    (IrqDevicePolicy.IrqPolicySpecifiedProcessors, 0xF6,   [(0x51 + i, 0b0110) for i in range(5)]),
    (IrqDevicePolicy.IrqPolicySpreadMessagesAcrossAllProcessors, 0,      [(0x51, 1), (0x51, 2), (0x51, 4), (0x51, 8), (0x52, 1)]),
    (IrqDevicePolicy.IrqPolicyAllProcessorsInMachineWhenSteered, 0,      [(0x51 + i, 0b1111) for i in range(5)]),
])  # fmt: skip
def test_the_policy_chooses_the_processors(policy: int, targets: int, expected: list[tuple[int, int]]) -> None:
    grant = Arbiter(4).grant(messages(5, policy=policy, targets=targets))
    assert brief(grant) == expected
    assert [m.lowest_priority for m in grant.messages] == [mask.bit_count() > 1 for _, mask in expected]


@pytest.mark.parametrize(("priority", "first", "then"), [
    (IrqPriority.IrqPriorityUndefined, 0x51, [0x52, 0xAF, 0x30, 0x50, 0xB0, 0xBF]),
    (IrqPriority.IrqPriorityNormal,    0x51, [0x52, 0xAF, 0x30, 0x50, 0xB0, 0xBF]),
    (IrqPriority.IrqPriorityLow,       0x31, [0x32, 0x50, 0x30, 0x51, 0xBF]),
    (IrqPriority.IrqPriorityHigh,      0xB0, [0xB1, 0xBF, 0x51, 0xAF, 0x30, 0x50]),
])  # fmt: skip
def test_the_priority_chooses_the_order_of_vectors(priority: int, first: int, then: list[int]) -> None:
    grant = Arbiter(1).grant(messages(PER_CPU, priority=priority))
    vectors = [m.vector for m in grant.messages]
    assert vectors[0] == first
    assert [v for v in vectors if v in then] == then
    assert sorted(vectors) == list(range(0x30, 0xC0))


def test_machine_default_goes_on_with_the_next_processor_when_one_is_full() -> None:
    grant = Arbiter(2).grant(messages(PER_CPU + 1))
    assert brief(grant)[PER_CPU - 1 :] == [(0xBF, 1), (0x51, 2)]


@pytest.mark.parametrize(("left", "kind", "granted", "why"), [
    (3, "msi-x", 3, ""),
    (2, "msi-x", 1, "not enough interrupt vectors for 3 messages"),
    (1, "msi-x", 1, "not enough interrupt vectors for 3 messages"),
])  # fmt: skip
def test_not_enough_vectors_for_all_gives_exactly_one(left: int, kind: str, granted: int, why: str) -> None:
    arbiter = Arbiter(1)
    arbiter.reserve(0, PER_CPU - left)
    grant = arbiter.grant(messages(3))
    assert (grant.kind, grant.asked, grant.granted, grant.why, grant.synthetic) == (kind, 3, granted, why, False)
    assert arbiter.vectors.left(0) == left - granted


def test_not_one_vector_where_messages_want_it_gives_the_line() -> None:
    arbiter = Arbiter(2)
    arbiter.reserve(1, PER_CPU)
    grant = arbiter.grant(messages(3, policy=IrqDevicePolicy.IrqPolicySpecifiedProcessors, targets=2))
    assert (grant.kind, grant.asked, grant.granted) == ("line", 3, 1)
    assert grant.why == "not enough interrupt vectors for 3 messages; not enough interrupt vectors for 1 message"


def test_nothing_left_at_all_is_a_status() -> None:
    arbiter = Arbiter(1)
    arbiter.reserve(0, PER_CPU)
    text = (
        "STATUS_INSUFFICIENT_RESOURCES (0xc000009a): not enough interrupt vectors for 2 messages; "
        "not enough interrupt vectors for 1 message; not one interrupt vector for the line"
    )
    with pytest.raises(StatusError, match=f"^{re.escape(text)}$") as failed:
        arbiter.grant(messages(2))
    assert failed.value.status == STATUS_INSUFFICIENT_RESOURCES


def test_msi_needs_consecutive_vectors() -> None:
    arbiter = Arbiter(1)
    for vector in range(0x30, 0xC0, 2):
        arbiter.vectors.free[0] &= ~(1 << vector)
    grant = arbiter.grant(msi(2))
    assert (grant.granted, grant.why) == (1, "not enough consecutive interrupt vectors for 2 messages")


@pytest.mark.parametrize(("choice", "kind", "granted", "synthetic"), [
    (GrantChoice.all(),        "msi-x", 9, False),
    (GrantChoice.one(),        "msi-x", 1, False),
    (GrantChoice.line(),       "line",  1, False),
    (GrantChoice.messages(1),  "msi-x", 1, False),
    (GrantChoice.messages(3),  "msi-x", 3, True),
    (GrantChoice.messages(9),  "msi-x", 9, False),
])  # fmt: skip
def test_the_choice_forces_the_grant(choice: GrantChoice, kind: str, granted: int, synthetic: bool) -> None:
    grant = Arbiter(4).grant(messages(9), choice=choice)
    assert (grant.kind, grant.asked, grant.granted, grant.synthetic) == (kind, 9, granted, synthetic)
    assert len(grant.raw) == len(grant.translated) == granted


@pytest.mark.parametrize(("wish", "choice", "message"), [
    (messages(9),             GrantChoice.messages(10), "10 messages cannot be granted: 9 are asked for; take 9 or fewer"),
    (msi(8),                  GrantChoice.messages(3),
     "3 messages cannot be granted: MSI has 1, 2, 4, 8 or 16; take one of these"),
    (messages(2, line=False), GrantChoice.line(),       ("the line cannot be granted: the function has no Interrupt Pin, "
                                                        "or a filter removed the line; grant messages")),
    (messages(0),             GrantChoice.one(),
     "1 messages cannot be granted: none is asked for; does the INF set MSISupported to 1?"),
])  # fmt: skip
def test_a_choice_that_no_requirement_allows_is_refused(
    wish: IoResourceRequirementsList, choice: GrantChoice, message: str
) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        Arbiter(4).grant(wish, choice=choice)


def test_zero_messages_are_no_choice() -> None:
    with pytest.raises(UsageError, match=r"^a grant of 0 messages is none; ask for 1 or more, or for the line$"):
        GrantChoice.messages(0)


@pytest.mark.parametrize(
    ("wish", "status", "text"),
    [
        (messages(2, policy=4, targets=0xF0), STATUS_DEVICE_CONFIGURATION_ERROR,
         "IrqPolicySpecifiedProcessors names 0xf0; the processors are 0xf, so set AssignmentSetOverride to some of them"),
        (IoResourceRequirementsList((IoResourceList((*msi(4).lists[0].descriptors, *messages(1).lists[0].descriptors)),)),
         STATUS_INVALID_PARAMETER, "list 0 mixes MSI and MSI-X descriptors; a list has one kind"),
        (messages(2049), STATUS_DEVICE_CONFIGURATION_ERROR, "list 0 asks for 2049 messages; a function gets at most 2048"),
        (IoResourceRequirementsList(()), STATUS_INSUFFICIENT_RESOURCES, "the requirements list has no alternative"),
    ],
)  # fmt: skip
def test_a_requirement_that_cannot_be_met_is_a_status(wish: IoResourceRequirementsList, status: int, text: str) -> None:
    with pytest.raises(StatusError, match=f"{re.escape(text)}$") as failed:
        Arbiter(4).grant(wish)
    assert failed.value.status == status


def test_a_line_is_level_shared_and_swizzled(endpoint: Make) -> None:
    requirements = query_resource_requirements(endpoint(pin=2, bars={}), bus=1, device=3)
    grant = Arbiter(4).grant(requirements)
    assert grant.line is not None
    assert (grant.kind, grant.line.gsi, grant.line.vector, grant.line.irql, grant.line.targets) == ("line", 20, 0x51, 5, 1)
    assert [d.pack().hex() for d in (*grant.raw, *grant.translated)] == [
        "0203000014000000" + "14000000" + "0100000000000000", "0203000005000000" + "51000000" + "0100000000000000",
    ]  # fmt: skip


@pytest.mark.parametrize(("pin", "device", "gsi"), [(1, 0, 16), (2, 0, 17), (4, 0, 19), (1, 3, 19), (4, 1, 16), (1, 31, 19)])
def test_pins_swizzle_over_the_io_apic(endpoint: Make, pin: int, device: int, gsi: int) -> None:
    grant = Arbiter(1).grant(query_resource_requirements(endpoint(pin=pin), device=device))
    assert grant.line is not None
    assert grant.line.gsi == gsi


def test_functions_on_one_pin_share_its_vector_until_the_last_leaves(endpoint: Make) -> None:
    arbiter = Arbiter(1)
    grants = [arbiter.grant(query_resource_requirements(endpoint())) for _ in range(2)]
    assert [g.line and g.line.vector for g in grants] == [0x51, 0x51]
    assert arbiter.vectors.left(0) == PER_CPU - 1
    arbiter.release(grants[0])
    assert arbiter.vectors.left(0) == PER_CPU - 1
    arbiter.release(grants[1])
    assert arbiter.vectors.left(0) == PER_CPU


def test_a_function_without_pin_or_messages_gets_no_interrupt(endpoint: Make) -> None:
    grant = Arbiter(1).grant(query_resource_requirements(endpoint(pin=0)))
    assert (grant.kind, grant.asked, grant.granted, len(grant.raw)) == ("none", 0, 0, 1)


def test_removing_all_message_descriptors_leaves_the_line(endpoint: Make) -> None:
    whole = IoResReqList(query_resource_requirements(endpoint(vectors=4), InterruptManagement(msi_supported=True)))
    for number in range(whole.get_count()):
        one = whole.get_io_res_list(number)
        assert one is not None
        for index in reversed(range(one.get_count())):
            descriptor = one.get_descriptor(index)
            if descriptor is not None and descriptor.is_message:
                one.remove(index)
    assert Arbiter(1).grant(whole.value()).kind == "line"


def test_adding_message_descriptors_asks_for_more(endpoint: Make) -> None:
    whole = IoResReqList(query_resource_requirements(endpoint(vectors=4), InterruptManagement(msi_supported=True)))
    first = whole.get_io_res_list(0)
    assert first is not None
    first.append_descriptor(IoResourceDescriptor(2, IoInterrupt(TOKEN, TOKEN), 0, 1, 3))
    grant = Arbiter(1).grant(whole.value())
    assert (grant.asked, grant.granted) == (5, 5)


def test_bars_keep_their_firmware_address_or_get_one(endpoint: Make) -> None:
    bars = {0: BarSpec(0x1000), 1: BarSpec(0x20, "io"), 2: BarSpec(1 << 33, "memory64", prefetchable=True)}
    placed, fresh = endpoint(bars=bars), endpoint(bars=bars)
    for at, value in ((0x10, 0xC7800000), (0x14, 0x1041), (0x18, 0), (0x1C, 0x44)):
        placed.config_write(at, 4, value)
    arbiter = Arbiter(1)
    first, second = (arbiter.grant(query_resource_requirements(f)) for f in (placed, fresh))
    assert dict(first.bars) == {0: 0xC7800000, 1: 0x1040, 2: 0x44_0000_0000}
    assert dict(second.bars) == {0: 0xE0000000, 1: 0x1000, 2: 0x80_0000_0000}
    assert [d.pack().hex() for d in second.translated if d.type in (1, 7)] == [
        "01013100" + "0010000000000000" + "20000000" + "00000000", "07010402" + "0000000080000000" + "00000002" + "00000000",
    ]  # fmt: skip


def test_two_functions_with_one_firmware_address_do_not_overlap(endpoint: Make) -> None:
    arbiter, functions = Arbiter(1), [endpoint(bars={0: BarSpec(0x2000)}) for _ in range(2)]
    for function in functions:
        function.config_write(0x10, 4, 0xE0000000)
    assert [arbiter.grant(query_resource_requirements(f)).bars[0] for f in functions] == [0xE0000000, 0xE0002000]


def test_a_bar_of_unknown_length_stays_where_it_is(endpoint: Make) -> None:
    function = endpoint()
    function.config_write(0x10, 4, 0xE0800000)
    grant = Arbiter(1).grant(query_resource_requirements(function, sizes={0: None}))
    assert (grant.bars[0], grant.raw[0].size, grant.raw[0].packable) == (0xE0800000, None, False)


def test_no_room_for_a_bar_is_a_status(endpoint: Make) -> None:
    function = endpoint(bars={0: BarSpec(1 << 31)})
    with pytest.raises(StatusError, match=r"\(0xc000009a\): no window has 0x80000000 bytes of memory left for BAR 0$"):
        Arbiter(1).grant(query_resource_requirements(function))


def test_release_gives_back_vectors_and_addresses(endpoint: Make) -> None:
    arbiter, function = Arbiter(2), endpoint(vectors=9)
    requirements = query_resource_requirements(function, InterruptManagement(msi_supported=True))
    first = arbiter.grant(requirements)
    arbiter.release(first)
    second = arbiter.grant(requirements, choice=GrantChoice.one())
    assert (second.bars, brief(second)) == (first.bars, brief(first)[:1])
    with pytest.raises(UsageError, match=r"^grant 1 is not held; it was released, or is of another arbiter$"):
        arbiter.release(first)


@pytest.mark.parametrize("cpus", [0, 65])
def test_more_than_64_processors_are_refused(cpus: int) -> None:
    with pytest.raises(UsageError, match=rf"^{cpus} processors cannot be modelled; 1 to 64 can, for more need processor groups$"):
        Arbiter(cpus)


def test_no_more_vectors_are_reserved_than_there_are() -> None:
    arbiter = Arbiter(2)
    with pytest.raises(UsageError, match=r"^processor 1 cannot lose 145 vectors; 144 are free$"):
        arbiter.reserve(1, 145)
    with pytest.raises(UsageError, match=r"^there is no processor 2; there are 2, 0 to 1$"):
        arbiter.reserve(2, 1)


@pytest.mark.parametrize("policy", [0, 2, 5])
def test_2048_messages_over_64_processors_have_a_vector_each(policy: int) -> None:
    grant = Arbiter(64).grant(messages(2048, policy=policy))
    assert len(set(brief(grant))) == 2048


WISHES = st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(1, 0xFF), st.integers(1, 40), st.booleans())


@settings(max_examples=40)
@given(st.integers(1, 8), st.lists(WISHES, max_size=8), st.randoms(use_true_random=False))
def test_no_vector_of_a_processor_is_ever_granted_twice(
    cpus: int, wishes: list[tuple[int, int, int, int, bool]], random: Any
) -> None:
    arbiter, held = Arbiter(cpus), []
    for policy, priority, targets, count, is_msi in wishes:
        make = msi if is_msi else messages
        try:
            held.append(
                arbiter.grant(make(count if not is_msi else min(count, 16), policy=policy, priority=priority, targets=targets))
            )
        except StatusError:
            continue
        if held and random.random() < 0.3:
            arbiter.release(held.pop(random.randrange(len(held))))
        taken = [(cpu, m.vector) for g in held for m in g.messages for cpu in range(cpus) if m.targets >> cpu & 1]
        assert len(taken) == len(set(taken))
    for grant in held:
        arbiter.release(grant)
    assert [arbiter.vectors.left(cpu) for cpu in range(cpus)] == [PER_CPU] * cpus

"""WdfInterruptSetPolicy and SetExtendedPolicy: void, and silent about what they drop (facts §2.6)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.pnp.grant import GrantChoice

NORMAL = wdf.InterruptPriority.Normal
UNDEFINED = "is not 1 to 3 (WdfIrqPriorityUndefined, which INIT leaves, is refused)"


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (wdf.InterruptExtendedPolicy(), f"priority 0 {UNDEFINED}"),
        (wdf.InterruptExtendedPolicy(priority=4), f"priority 4 {UNDEFINED}"),
        (wdf.InterruptExtendedPolicy(6, NORMAL), "policy 6 is not 0 to 5"),
        (wdf.InterruptExtendedPolicy(-1, NORMAL), "policy -1 is not 0 to 5"),
        (wdf.InterruptExtendedPolicy(priority=NORMAL, reserved=(0, 1, 0)), "a Reserved word of GroupAffinity is not 0"),
        (wdf.InterruptExtendedPolicy(priority=NORMAL, size=0x18), "Size 0x18 is not 0x20"),
    ],
)
def test_a_bad_argument_drops_the_whole_policy(World: Any, policy: Any, why: str) -> None:
    w = World(in_prepare=False, add=lambda w: w.create().set_extended_policy(policy))
    w.start(GrantChoice.one())
    assert w.interrupts[0].policy is None
    assert w.findings == [("policy-dropped", f"WdfInterruptSetExtendedPolicy on interrupt0 is dropped silently: {why}")]


@pytest.mark.parametrize("policy", list(wdf.InterruptPolicy))
@pytest.mark.parametrize("priority", [1, 2, 3])
def test_every_policy_with_a_priority_is_kept(World: Any, policy: int, priority: int) -> None:
    w = World(in_prepare=False, policy=None, add=lambda w: w.create().set_policy(policy, priority, 1))
    w.start(GrantChoice.one())
    kept = w.interrupts[0].policy
    assert (kept.policy, kept.priority, kept.mask, w.findings) == (policy, priority, 1, [])


def test_a_policy_set_in_prepare_hardware_is_kept_and_useless(World: Any) -> None:
    w = World(queues=1, policy=None)
    w.during("PrepareHardware", lambda *_: w.interrupts[0].set_policy(4, 2, 2))
    w.start()
    assert w.interrupts[0].policy is not None
    sentence = "WdfInterruptSetPolicy on interrupt0, created in EvtDevicePrepareHardware, has no effect"
    assert w.findings == [("policy-too-late", f"{sentence}: set it in EvtDeviceFilterAddResourceRequirements")]


def test_without_a_call_nothing_is_stamped(World: Any) -> None:
    with_policy = World(in_prepare=False, policy=None, add=lambda w: w.create().set_policy(4, 2, 2))
    without = World(in_prepare=False, policy=None, in_add=1)
    for w in (with_policy, without):
        w.start()
    assert with_policy.interrupts[0].info.target_processor_set == 2
    assert without.interrupts[0].info.target_processor_set != 2


def test_a_policy_of_the_registry_comes_before_the_drivers(World: Any) -> None:
    w = World(in_prepare=False, policy=3, add=lambda w: w.create().set_policy(4, 2, 2))
    w.start()
    assert w.interrupts[0].info.target_processor_set == 3

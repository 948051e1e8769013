"""Filtering resource requirements in the order of the two callbacks (facts §1.5)."""

from __future__ import annotations

from typing import Any

from dirql import wdf
from dirql.pnp.constants import CmShareDisposition


def interrupts_of(requirements: Any) -> list[Any]:
    """The interrupt descriptors of the first alternative list."""
    found = requirements.value().lists[0].descriptors
    return [d for d in found if d.type == wdf.CmResourceType.CmResourceTypeInterrupt]


def test_the_policy_of_device_adds_interrupts_is_stamped_between_the_two_callbacks(World: Any) -> None:
    def add(w: Any) -> None:
        for interrupt in (w.create(), w.create(), w.create()):
            interrupt.set_policy(wdf.InterruptPolicy.SpecifiedProcessors, wdf.InterruptPriority.High, 2)

    w = World(in_prepare=False, policy=None, add=add)
    seen: dict[str, list[Any]] = {}
    for name in ("FilterRemove", "FilterAdd"):
        w.during(name, lambda requirements, name=name: seen.__setitem__(name, interrupts_of(requirements)))
    w.start()
    policies = {name: {(d.u.affinity_policy, d.u.priority_policy) for d in found} for name, found in seen.items()}
    assert (4, 3) not in policies["FilterRemove"]
    assert (4, 3) in policies["FilterAdd"]
    assert {i.info.target_processor_set for i in w.interrupts} == {2}


def test_share_vector_edits_the_requirements_and_the_default_leaves_them(World: Any) -> None:
    shares = {}
    for tri_state in wdf.TriState:
        w = World(in_add=3, in_prepare=False, share_vector=tri_state)
        w.during("FilterAdd", lambda requirements, t=tri_state: shares.__setitem__(
            t, {int(d.share_disposition) for d in interrupts_of(requirements)}))  # fmt: skip
        w.start()
    assert CmShareDisposition.CmResourceShareShared in shares[wdf.TriState.WdfTrue]
    assert shares[wdf.TriState.WdfFalse] == {CmShareDisposition.CmResourceShareDeviceExclusive}
    assert shares[wdf.TriState.WdfUseDefault] != shares[wdf.TriState.WdfTrue]


def test_both_filters_run_at_passive_level(World: Any) -> None:
    w = World()
    w.start()
    assert (w.irqls["FilterRemove"], w.irqls["FilterAdd"], w.irqls["RemoveAdded"]) == (0, 0, 0)

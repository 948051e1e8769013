"""Rules of interrupt objects and their DPCs: one lock for several, and a DPC that runs twice at once."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from dirql import wdf
from dirql.kernel import Kdpc, SpinLock


def told(w: Any, rule: str) -> list[str]:
    """The sentences of that rule."""
    return [finding.sentence for finding in w.machine.findings.values() if finding.rule == rule]


@pytest.mark.parametrize("shared", [False, True])
def test_one_spin_lock_for_several_messages_is_advised_against(World: Any, shared: bool) -> None:
    locks: list[wdf.SpinLock] = []

    def add(w: Any) -> None:
        for _ in range(3):
            if not locks or not shared:
                locks.append(wdf.SpinLock.create(w.device))
            w.create(spin_lock=locks[-1])

    w = World(2, in_prepare=False, add=add).started()
    one = f"{locks[0].name} is the lock of several interrupt objects: their ISRs run one after another on all processors"
    assert w.findings == ([("shared-spin-lock", one)] if shared else [])
    assert [finding.level for finding in w.system.findings] == ["advice"] * shared


@pytest.mark.parametrize("guarded", ["", "locked", "elsewhere"])
def test_a_dpc_without_a_lock_that_runs_on_two_processors_is_advised_against(world: ModuleType, guarded: str) -> None:
    w = world.World(2)
    lock = SpinLock(w.kernel, "ring lock")

    def work(*_: Any) -> None:
        if guarded == "locked":
            lock.acquire_at_dpc_level()
        w.stall(30)
        if guarded == "locked":
            lock.release_from_dpc_level()

    dpc = Kdpc(w.kernel, work, None, "rx")
    for cpu in range(2):
        w.connect(lambda i, c: dpc.insert(), 0x51 + cpu, [cpu])
        w.aim(cpu, 0x51 + cpu, cpu)
    for cpu in range(2):
        w.at(1_000 + cpu * (100_000 if guarded == "elsewhere" else 5_000), lambda cpu=cpu: w.card.fire(cpu))
    w.run()
    assert dpc.count == 2
    remedy = "guard what its runs share (WdfSpinLockAcquire, Interlocked…), or give each message its own DPC and data"
    one = f"the DPC rx runs on cpu0 and cpu1 at once, and takes no lock; {remedy}"
    assert told(w, "dpc-runs-twice") == ([] if guarded else [one])

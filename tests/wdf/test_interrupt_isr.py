"""When an ISR runs, and the DPCs and work items behind it (facts §3.6, §4, §4.1, §2.5)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.machine.chooser import RandomChooser
from dirql.pnp.grant import GrantChoice


def calls(w: Any, name: str) -> list[int]:
    return [e[1] for e in w.log if e[0] == name]


def test_each_message_reaches_its_own_object_and_its_dpc(World: Any) -> None:
    w = World(queues=3).started()
    w.fire(3, 0, 2, 1)
    assert sorted(calls(w, "Isr")) == sorted(calls(w, "Dpc")) == [0, 1, 2, 3]
    assert all(f.delivered == 1 and f.balanced for f in w.card.fates)


def test_with_one_message_every_entry_raises_object_0(World: Any) -> None:
    w = World(in_add=3, in_prepare=False).started(GrantChoice.one())
    for entry in (0, 1, 2):
        w.fire(entry)
    assert calls(w, "Isr") == [0, 0, 0]


def test_a_line_that_nobody_claims_is_a_storm(World: Any) -> None:
    w = World(queues=1, evt_interrupt_isr=lambda i, m: False).started(GrantChoice.line())
    w.card.intx.set(True)
    w.system.run()
    assert w.system.stopped.rule == "interrupt-storm"


def test_a_message_that_lands_in_the_window_after_the_connect_is_lost_and_counted_in_some_orders(World: Any) -> None:
    """The kernel's side is connected, the framework's pointer not set yet: facts §3.6."""
    ends = set()
    for seed in range(12):
        w = World(queues=1, chooser=RandomChooser(seed))
        w.on["Enable", 0] = lambda _, w=w: w.card.msix.fire(1)  # latched until its entry is unmasked by the next connect
        w.start()
        w.system.run()
        fate = w.card.fates[1]
        assert fate.balanced and fate.delivered == len(calls(w, "Isr"))
        ends.add((fate.delivered, fate.swallowed))
    assert ends == {(1, 0), (0, 1)}


@pytest.mark.parametrize(
    ("message", "latched", "closing", "called"),
    [
        (True, True, False, False),
        (True, True, True, False),
        (False, False, False, False),
        (False, False, True, False),
        (False, True, False, True),  # a latched line calls the driver before it is ready …
        (False, True, True, False),  # … and never while it closes
    ],
)
def test_what_the_thunk_does_while_the_interrupt_is_not_ready(
    World: Any, message: bool, latched: bool, closing: bool, called: bool
) -> None:
    w = World(queues=1).started()
    interrupt = w.interrupts[0]
    wdm = interrupt.wdm
    interrupt.info.message_signaled, interrupt.info.mode = message, int(latched)
    interrupt.ready, interrupt.closing, interrupt.wdm = False, closing, None
    assert w.call(interrupt.thunk, wdm, None) is called
    assert interrupt.wdm is (wdm if called else None)
    assert bool(calls(w, "Isr")) == called


def test_an_isr_may_still_come_between_evt_interrupt_disable_and_the_disconnect(World: Any) -> None:
    w = World(queues=1, cpus=2).started()

    def flushed(interrupt: Any) -> None:
        if calls(w, "Dpc") == [1]:
            w.card.msix.fire(1)
            w.kernel.ke_stall_execution_processor(5)

    w.during(("Disable", 1), lambda interrupt: interrupt.queue_dpc_for_isr() and None)
    w.during(("Dpc", 1), flushed)
    w.system.shut_down()
    assert w.log[2:5] == [("Disable", 1), ("Dpc", 1), ("Isr", 1)]
    assert calls(w, "Dpc") == [1, 1]  # the late one outlived the flush


def test_after_the_disconnect_nobody_is_called(World: Any) -> None:
    w = World(queues=1).started()
    w.during("D0Exit", lambda _: w.card.msix.fire(1))
    w.system.shut_down()
    assert calls(w, "Isr") == []
    assert w.card.fates[1].balanced


def test_queueing_the_dpc_again_before_it_runs_is_one_dpc(World: Any) -> None:
    w = World(queues=1).started()
    queued: list[bool] = []
    w.during(("Isr", 0), lambda i: queued.append(i.queue_dpc_for_isr()) or True)  # World.isr has queued it already
    w.fire(0)
    assert queued == [False]
    assert calls(w, "Dpc") == [0]


def test_the_dpc_can_run_on_two_processors_at_once(World: Any) -> None:
    w = World(queues=1).started()
    inside: list[int] = []
    interrupt = w.interrupts[0]

    def dpc(_: Any) -> None:
        inside.append(interrupt.kdpc.running)
        if len(inside) == 1:
            w.kernel.dispatcher.create(lambda _: interrupt.queue_dpc_for_isr(), None, "other")
            w.kernel.ke_stall_execution_processor(20)

    w.during(("Dpc", 0), dpc)
    w.fire(0)
    assert inside == [1, 2]


@pytest.mark.parametrize("work", [True, False])
def test_without_evt_interrupt_dpc_the_queued_dpc_is_a_null_call(World: Any, work: bool) -> None:
    w = World(queues=1, evt_interrupt_dpc=None).started()
    routine = w.interrupts[0].queue_work_item_for_isr if work else w.interrupts[0].queue_dpc_for_isr
    assert w.stop_code(routine) == (0xD1, 0, 2, 8, 0)


@pytest.mark.parametrize("irql", [0, 2, 5])
def test_a_work_item_is_queued_at_once_up_to_dispatch_level_and_by_the_dpc_above(World: Any, irql: int) -> None:
    w = World(queues=1, evt_interrupt_dpc=None, evt_interrupt_work_item=lambda i, d: w.do("Work")).started()
    queued: list[bool] = []

    def use() -> None:
        queued.append(w.interrupts[0].queue_work_item_for_isr())
        queued.append(w.interrupts[0].queue_work_item_for_isr())

    dpcs = w.interrupts[0].kdpc.count
    w.at_irql(irql, use)
    assert queued == [True, False]
    assert w.log == ["Work"]
    assert w.irqls["Work"] == 0
    assert w.interrupts[0].kdpc.count - dpcs == (irql > 2)


def test_a_work_item_may_be_queued_from_within_itself(World: Any) -> None:
    def work(interrupt: Any, device: Any) -> None:
        w.do("Work")
        if w.log.count("Work") == 1:
            assert interrupt.queue_work_item_for_isr()

    w = World(queues=1, evt_interrupt_dpc=None, evt_interrupt_work_item=work).started()
    w.call(w.interrupts[0].queue_work_item_for_isr)
    assert w.log == ["Work", "Work"]


@pytest.mark.parametrize(("scope", "taken"), [(4, False), (2, True)])
def test_automatic_serialization_takes_the_devices_lock_around_the_dpc_if_its_scope_has_one(
    World: Any, scope: int, taken: bool
) -> None:
    w = World(queues=1, scope=scope, automatic_serialization=True).started()
    owned: list[bool] = []
    w.during(("Dpc", 0), lambda i: owned.append(i.callback_lock is not None and i.callback_lock.owned))
    w.fire(0)
    assert owned == [taken]
    assert w.interrupts[0].callback_lock is None or not w.interrupts[0].callback_lock.owned


def test_isrs_that_share_a_spin_lock_never_overlap_and_others_do(World: Any) -> None:
    def overlap(shared: bool) -> int:
        def add(w: Any) -> None:
            lock = wdf.SpinLock.create(w.device) if shared else None
            for _ in range(3):
                w.create(spin_lock=lock)

        w = World(in_prepare=False, cpus=3, add=add).started()
        inside = deepest = 0

        def isr(interrupt: Any) -> bool:
            nonlocal inside, deepest
            inside += 1
            deepest = max(deepest, inside)
            w.kernel.ke_stall_execution_processor(10)
            inside -= 1
            return True

        for message in range(3):
            w.during(("Isr", message), isr)
        w.fire(0, 1, 2)
        assert sorted(calls(w, "Isr")) == [0, 1, 2]
        return deepest

    assert overlap(shared=True) == 1
    assert overlap(shared=False) == 3


def test_an_isr_that_changes_the_irql_is_bugcheck_c8_id_3(World: Any) -> None:
    w = World(queues=1).started()
    w.during(("Isr", 0), lambda _: w.kernel.ke_raise_irql(7) and True)
    w.fire(0)
    assert (w.system.stopped.code, w.system.stopped.parameters[0]) == (0xC8, 7 << 16 | 5 << 8 | 3)


@pytest.mark.parametrize("kmdf", [False, True])
def test_a_power_callback_that_returns_at_another_irql_is_found(World: Any, kmdf: bool) -> None:
    w = World(kmdf=kmdf)
    w.during("D0Entry", lambda _: w.kernel.ke_raise_irql(2) and None)
    w.start()
    if kmdf:
        assert (w.system.stopped.code, w.system.stopped.parameters) == (0x10D, (0xE, 0, 2, 0))
    else:
        assert w.findings == [("irql-changed", "EvtDeviceD0Entry was entered at PASSIVE_LEVEL and returned at DISPATCH_LEVEL")]


def test_isr_counts_go_on_over_reconnects(World: Any) -> None:
    w = World(idle=wdf.S0IdleSettings(1_000), queues=1).started()
    for _ in range(3):
        w.call(w.device.stop_idle, True)
        w.fire(0)
        w.call(w.device.resume_idle)
    assert (w.interrupts[0].isr_calls, w.interrupts[0].isr_claimed) == (3, 3)
    assert w.interrupts[0].wdm is None


# A passive interrupt's DPC.


def test_a_dpc_is_allowed_on_a_passive_interrupt(World: Any) -> None:
    w = World(queues=1, passive_handling=True).started()
    w.fire(0)
    assert (w.irqls["Isr", 0], w.irqls["Dpc", 0]) == (0, 2)

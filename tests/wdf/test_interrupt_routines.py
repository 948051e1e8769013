"""What a driver may do with an interrupt: locks, synchronising, enabling, information (facts §2.4–§2.6, §3.6, §4, §5.4)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf


def unconnected(World: Any, **fields: Any) -> Any:
    """A world whose only interrupt has no resource."""
    w = World(queues=1, in_add=3, in_prepare=False, **fields).started()
    w.spare = w.interrupts[2]
    return w


@pytest.mark.parametrize(
    ("name", "routine"),
    [
        ("WdfInterruptAcquireLock", "acquire_lock"), ("WdfInterruptReleaseLock", "release_lock"),
        ("WdfInterruptReportActive", "report_active"), ("WdfInterruptReportInactive", "report_inactive"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kmdf", [False, True])
def test_while_it_is_not_connected_a_routine_does_nothing_and_is_found(World: Any, name: str, routine: str, kmdf: bool) -> None:
    w = unconnected(World, kmdf=kmdf)
    irqls: list[int] = []

    def use() -> None:
        getattr(w.spare, routine)()
        irqls.append(w.kernel.ke_get_current_irql())

    w.call(use)
    assert irqls == [0]
    assert w.findings == [("interrupt-not-connected", f"{name} on interrupt2 while it is not connected: nothing is done")]


def test_synchronize_before_connect_dereferences_null(World: Any) -> None:
    w = unconnected(World)
    assert w.stop_code(w.spare.synchronize, lambda i, c: True) == (0xD1, 0, 0, 0, 0)


def test_the_lock_raises_to_the_synchronise_irql_and_release_goes_back(World: Any) -> None:
    w = World().started()
    irqls: list[int] = []
    interrupt = w.interrupts[1]

    def use() -> None:
        for step in (interrupt.acquire_lock, interrupt.release_lock):
            step()
            irqls.append(w.kernel.ke_get_current_irql())

    w.call(use)
    w.at_irql(2, use)
    assert irqls == [5, 0, 5, 2]
    assert w.findings == []


def test_an_isr_on_another_processor_waits_for_the_lock(World: Any) -> None:
    w = World().started()
    interrupt = w.interrupts[1]
    order: list[Any] = []

    def use() -> None:
        interrupt.acquire_lock()
        w.card.msix.fire(1)
        w.kernel.ke_stall_execution_processor(50)
        order.append(("released at", w.kernel.ke_get_current_processor_number() != 1))
        interrupt.release_lock()

    w.during(("Isr", 1), lambda _: order.append("isr"))
    w.call(use)
    assert order == [("released at", True), "isr"]


def test_acquiring_the_lock_twice_is_a_deadlock(World: Any) -> None:
    w = World().started()

    def twice() -> None:
        w.interrupts[0].acquire_lock()
        w.interrupts[0].acquire_lock()

    assert w.stop_code(twice) == ("deadlock",)


@pytest.mark.parametrize("result", [True, False])
def test_synchronize_returns_what_its_callback_returned_and_holds_the_lock(World: Any, result: bool) -> None:
    w = World().started()
    seen: list[Any] = []

    def callback(interrupt: Any, context: Any) -> bool:
        cpu = w.system.machine.cpu
        seen.append((interrupt, context, cpu.irql, interrupt.lock.owner is cpu))
        return result

    assert w.call(w.interrupts[2].synchronize, callback, "context") is result
    assert seen == [(w.interrupts[2], "context", 5, True)]


def test_synchronize_above_dispatch_level_is_found(World: Any) -> None:
    w = World().started()
    w.at_irql(3, w.interrupts[0].synchronize, lambda i, c: True)
    assert w.findings == [("irql-too-high", "WdfInterruptSynchronize needs IRQL <= DISPATCH_LEVEL, called at DIRQL 3")]


# Passive-level interrupts.


def test_a_passive_isr_enable_and_synchronize_run_at_passive_level_with_the_wait_lock(World: Any) -> None:
    w = World(queues=1, passive_handling=True)
    owners: list[Any] = []

    def look(interrupt: Any, *_: Any) -> bool:
        owners.append((w.system.machine.cpu.irql, interrupt.wait_lock.lock.owned))
        return True

    w.during(("Enable", 0), lambda i: look(i) and None)
    w.during(("Isr", 0), look)
    w.during(("Disable", 0), lambda i: look(i) and None)
    w.start()
    w.fire(0)
    w.call(w.interrupts[0].synchronize, look)
    w.system.shut_down()
    assert owners == [(0, True)] * 4
    assert ("Dpc", 0) in w.log


def test_a_drivers_wait_lock_is_used_for_a_passive_interrupt(World: Any) -> None:
    def add(w: Any) -> None:
        w.lock = wdf.WaitLock.create(w.device)
        w.create(passive_handling=True, wait_lock=w.lock)

    w = World(in_prepare=False, add=add).started()
    held: list[bool] = []

    def use() -> None:
        w.interrupts[0].acquire_lock()
        held.append(w.lock.lock.owned)
        w.interrupts[0].release_lock()
        held.append(w.lock.lock.owned)

    w.call(use)
    assert held == [True, False]


def test_try_to_acquire_lock_works_for_passive_interrupts_only_and_enters_a_critical_region(World: Any) -> None:
    w = World(queues=1, in_prepare=False, add=lambda w: (w.create(passive_handling=True), w.create())).started()
    passive, direct = w.interrupts
    seen: list[Any] = []

    def use() -> None:
        seen.append(direct.try_to_acquire_lock())
        seen.append(passive.try_to_acquire_lock())
        seen.append(w.system.machine.cpu.thread.critical_region)
        seen.append(passive.try_to_acquire_lock())
        passive.release_lock()
        seen.append(w.system.machine.cpu.thread.critical_region)

    w.call(use)
    assert seen == [False, True, 1, False, 0]


@pytest.mark.parametrize(
    ("routine", "arguments", "result"),
    [("synchronize", (lambda i, c: True,), False), ("try_to_acquire_lock", (), False), ("acquire_lock", (), None)],
)
def test_with_the_kmdf_verifier_passive_routines_at_dispatch_level_return_without_acting(
    World: Any, routine: str, arguments: Any, result: Any
) -> None:
    w = World(queues=1, kmdf=True, passive_handling=True).started()
    assert w.at_irql(2, getattr(w.interrupts[0], routine), *arguments) is result
    assert w.interrupts[0].wait_lock.lock.owner is None


def test_a_passive_wait_lock_at_dispatch_level_is_fatal_without_the_verifier(World: Any) -> None:
    w = World(queues=1, passive_handling=True).started()

    def use() -> None:
        w.kernel.ke_raise_irql(2)
        w.interrupts[0].acquire_lock()

    assert w.stop_code(use) == (0x0A, 0, 2, 0, 0)


# Enable and Disable.


def test_disable_disconnects_and_enable_connects_again(World: Any) -> None:
    w = World().started()
    interrupt = w.interrupts[1]
    w.call(interrupt.disable)
    assert (w.log, interrupt.wdm) == ([("Disable", 1)], None)
    w.fire(1)
    assert w.log == [("Disable", 1)]
    w.call(interrupt.enable)
    assert w.log[:2] == [("Disable", 1), ("Enable", 1)]
    assert ("Isr", 1) in w.log  # what was latched while masked


def test_a_disabled_interrupt_is_left_alone_by_power_until_it_is_enabled(World: Any) -> None:
    w = World(idle=wdf.S0IdleSettings(1_000)).started()
    w.call(w.device.stop_idle, True)
    w.call(w.interrupts[1].disable)
    w.call(w.device.resume_idle)
    w.log.clear()
    w.call(w.device.stop_idle, True)
    assert [e for e in w.log if e[0] == "Enable"] == [("Enable", 0), ("Enable", 2)]
    w.call(w.interrupts[1].enable)
    assert w.log[-1] == ("Enable", 1)


def test_enable_in_dx_waits_for_the_way_up(World: Any) -> None:
    w = World(idle=wdf.S0IdleSettings(1)).started()
    w.call(w.interrupts[1].disable)
    w.call(w.interrupts[1].enable)
    assert w.log == []
    w.call(w.device.stop_idle, True)
    assert [e for e in w.log if e[0] == "Enable"] == [("Enable", 0), ("Enable", 1), ("Enable", 2)]


def test_on_a_device_that_is_not_pageable_disable_and_enable_only_call_back(World: Any) -> None:
    w = World(pageable=False).started()
    before = w.interrupts[1].wdm
    w.call(w.interrupts[1].disable)
    assert w.interrupts[1].wdm is before
    w.call(w.interrupts[1].enable)
    assert w.interrupts[1].wdm is before
    assert w.log == [("Disable", 1), ("Enable", 1)]


@pytest.mark.parametrize(("first", "second"), [("disable", "disable"), ("enable", "enable")])
def test_a_second_disable_or_enable_calls_nobody(World: Any, first: str, second: str) -> None:
    w = World().started()
    w.call(getattr(w.interrupts[0], first))
    count = len(w.log)
    w.call(getattr(w.interrupts[0], second))
    assert len(w.log) == count


def test_when_evt_interrupt_enable_fails_it_is_disconnected_without_a_disable(World: Any) -> None:
    w = World().started()
    w.call(w.interrupts[0].disable)
    w.on["Enable", 0] = wdf.STATUS_UNSUCCESSFUL
    w.call(w.interrupts[0].enable)
    assert w.log == [("Disable", 0), ("Enable", 0)]
    assert w.interrupts[0].wdm is None


@pytest.mark.parametrize("routine", ["enable", "disable"])
def test_above_passive_level_the_kmdf_verifier_returns_without_acting(World: Any, routine: str) -> None:
    w = World(kmdf=True).started()
    if routine == "enable":
        w.call(w.interrupts[0].disable)
        w.log.clear()
    w.at_irql(2, getattr(w.interrupts[0], routine))
    assert w.log == []
    name = f"WdfInterrupt{routine.title()}"
    assert w.findings == [("irql-too-high", f"{name} needs IRQL <= PASSIVE_LEVEL, called at DISPATCH_LEVEL")]


def test_without_the_verifier_disable_at_dispatch_level_acts_until_it_waits(World: Any) -> None:
    w = World().started()

    def use() -> None:
        w.kernel.ke_raise_irql(2)
        w.interrupts[0].disable()

    assert w.stop_code(use) == (0x0A, 0, 2, 0, 0)
    assert w.log == [("Disable", 0)]


# Information.


def test_get_info_with_an_unknown_size_leaves_the_buffer_untouched(World: Any) -> None:
    w = World().started()
    info = wdf.InterruptInfo(message_number=77, size=0x30)
    assert w.call(w.interrupts[1].get_info, info) is info
    assert info == wdf.InterruptInfo(message_number=77, size=0x30)
    assert w.findings == [("info-length-mismatch", "WdfInterruptGetInfo: Size 0x30 is neither 0x38 nor 0x40")]


@pytest.mark.parametrize("size", [0x38, 0x40])
def test_get_info_takes_both_sizes_and_leaves_the_size(World: Any, size: int) -> None:
    w = World().started()
    info = w.call(w.interrupts[1].get_info, wdf.InterruptInfo(size=size))
    assert (info.size, info.message_number, bool(info.vector)) == (size, 1, True)


def test_get_info_from_the_isr_is_a_warning_at_most(World: Any) -> None:
    w = World().started()
    w.during(("Isr", 0), lambda interrupt: bool(interrupt.get_info().vector))
    w.fire(0)
    assert [f.level for f in w.system.findings] in ([], ["warning"])


def test_get_device_is_the_device_even_below_a_queue(World: Any) -> None:
    def add(w: Any) -> None:
        queue = wdf.IoQueue.create(w.device, wdf.IoQueueConfig(wdf.IoQueueDispatchType.Manual))
        w.create(attributes=wdf.ObjectAttributes(parent_object=queue), automatic_serialization=True)

    w = World(in_prepare=False, add=add).started()
    assert w.call(w.interrupts[0].get_device) is w.device
    w.fire(0)
    assert ("Dpc", 0) in w.log  # whose AssociatedObject is the device, which World.dpc asserts


def test_an_interrupt_cannot_be_deleted_by_its_driver(World: Any) -> None:
    w = World().started()
    w.call(w.interrupts[0].delete)
    assert not w.interrupts[0].deleting
    sentence = "WdfObjectDelete of WDFINTERRUPT interrupt0 is refused (STATUS_CANNOT_DELETE): the framework deletes it"
    assert w.findings == [("cannot-delete", sentence)]


# Reporting active and inactive.


def test_an_inactive_interrupt_is_silent_and_stays_connected(World: Any) -> None:
    w = World().started()
    before = w.interrupts[0].wdm
    w.call(w.interrupts[0].report_inactive)
    w.fire(0)
    assert w.log == []
    w.call(w.interrupts[0].report_active)
    assert w.interrupts[0].wdm is before
    assert ("Isr", 0) in w.log

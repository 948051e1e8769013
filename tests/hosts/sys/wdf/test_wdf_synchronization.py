"""Locks, DPCs, timers, work items and collections, called as a driver calls them."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.wdf_structs import WDF_DPC_CONFIG, WDF_TIMER_CONFIG, WDF_WORKITEM_CONFIG
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_WDF_PARENT_NOT_SPECIFIED
from dirql.wdf.object import SynchronizationScope

CREATORS = {
    "WdfSpinLockCreate": (0,), "WdfWaitLockCreate": (0,), "WdfCollectionCreate": (0,), "WdfObjectCreate": (0,),
    "WdfLookasideListCreate": (0, 64, 0, 0, 0),
}  # fmt: skip
DEFERRED = {
    "WdfDpcCreate": (WDF_DPC_CONFIG, "EvtDpcFunc"), "WdfTimerCreate": (WDF_TIMER_CONFIG, "EvtTimerFunc"),
    "WdfWorkItemCreate": (WDF_WORKITEM_CONFIG, "EvtWorkItemFunc"),
}  # fmt: skip


@pytest.mark.parametrize("name", CREATORS)
def test_an_object_without_a_parent_is_the_drivers(wdf: Any, name: str) -> None:
    handle = wdf.create(name, *CREATORS[name])
    assert wdf.object(handle).parent is wdf.framework.driver


@pytest.mark.parametrize("name", CREATORS)
def test_without_a_place_for_the_handle_creation_is_a_bugcheck(wdf: Any, name: str) -> None:
    with pytest.raises(BugCheck, match=rf"WDF_VIOLATION \(0x4, .*{name}: required parameter \w+ is NULL"):
        wdf.call(name, *CREATORS[name], 0)


def test_a_spin_lock_raises_to_dispatch_level_and_back(wdf: Any) -> None:
    lock, levels = wdf.create("WdfSpinLockCreate", wdf.attributes(ParentObject=wdf.device)), []

    def run() -> None:
        for name in ("WdfSpinLockAcquire", "WdfSpinLockRelease"):
            wdf.inside(name, lock)
            levels.append(wdf.system.machine.cpu.irql)

    wdf.system.call(run)
    assert levels == [2, 0] and wdf.object(lock).parent is wdf.device_object


@pytest.mark.parametrize(("timeout", "expected", "waited"), [(0, STATUS_TIMEOUT, 0), (-50, STATUS_TIMEOUT, 5_000)])
def test_a_wait_lock_that_is_held_is_waited_for_as_long_as_the_driver_says(
    wdf: Any, timeout: int, expected: int, waited: int
) -> None:
    lock, machine = wdf.create("WdfWaitLockCreate", 0), wdf.system.machine
    time = wdf.memory(8, timeout.to_bytes(8, "little", signed=True))
    assert wdf.call("WdfWaitLockAcquire", lock, 0) == STATUS_SUCCESS
    results: list[tuple[int, int]] = []

    def other() -> None:
        begin = machine.cpu.now
        results.append((wdf.inside("WdfWaitLockAcquire", lock, time), machine.cpu.now - begin))

    wdf.system.call(other)
    assert results[0][0] == expected and waited <= results[0][1] < waited + 5_000


def test_a_wait_lock_that_was_released_is_anybodys(wdf: Any) -> None:
    lock = wdf.create("WdfWaitLockCreate", 0)

    def use() -> int:
        status = wdf.inside("WdfWaitLockAcquire", lock, 0)
        wdf.inside("WdfWaitLockRelease", lock)
        return int(status)

    assert [wdf.system.call(use), wdf.system.call(use)] == [STATUS_SUCCESS, STATUS_SUCCESS]


def test_a_devices_lock_is_taken_and_given_back(wdf: Any) -> None:
    wdf.device_object.attributes.synchronization_scope = SynchronizationScope.Device
    levels = []

    def run() -> None:
        for name in ("WdfObjectAcquireLock", "WdfObjectReleaseLock"):
            wdf.inside(name, wdf.device)
            levels.append(wdf.system.machine.cpu.irql)

    wdf.system.call(run)
    assert levels == [2, 0]


@pytest.mark.parametrize("name", DEFERRED)
def test_a_deferred_callback_needs_a_parent(wdf: Any, name: str) -> None:
    type_, field = DEFERRED[name]
    config = wdf.struct(type_, **{field: wdf.callback(lambda *_: 0)})
    assert wdf.call(name, config, wdf.attributes(), wdf.out()) == STATUS_WDF_PARENT_NOT_SPECIFIED


@pytest.mark.parametrize("name", DEFERRED)
def test_a_configuration_of_another_size_is_refused(wdf: Any, name: str) -> None:
    type_, field = DEFERRED[name]
    config = wdf.struct(type_, 7, **{field: wdf.callback(lambda *_: 0)})
    assert wdf.call(name, config, wdf.attributes(ParentObject=wdf.device), wdf.out()) == STATUS_INFO_LENGTH_MISMATCH


@pytest.mark.parametrize(
    ("create", "run", "arguments", "parent_of"),
    [("WdfDpcCreate", "WdfDpcEnqueue", (), "WdfDpcGetParentObject"),
     ("WdfTimerCreate", "WdfTimerStart", (-100 & (1 << 64) - 1,), "WdfTimerGetParentObject"),
     ("WdfWorkItemCreate", "WdfWorkItemEnqueue", (), "WdfWorkItemGetParentObject")],
)  # fmt: skip
def test_a_deferred_callback_is_called_with_its_handle(
    wdf: Any, create: str, run: str, arguments: tuple[int, ...], parent_of: str
) -> None:
    type_, field = DEFERRED[create]
    irqls = []
    callback = wdf.logs("run", 1, lambda *_: irqls.append(wdf.system.machine.cpu.irql))
    handle = wdf.create(create, wdf.struct(type_, **{field: callback}), wdf.attributes(ParentObject=wdf.device))
    wdf.call(run, handle, *arguments)
    wdf.system.run()
    assert wdf.log == [("run", handle)] and irqls == [0 if create == "WdfWorkItemCreate" else 2]
    assert wdf.call(parent_of, handle) == wdf.device


def test_the_kdpc_of_a_dpc_is_the_kernels_own_object(wdf: Any) -> None:
    config = wdf.struct(WDF_DPC_CONFIG, EvtDpcFunc=wdf.callback(lambda *_: 0))
    dpc = wdf.create("WdfDpcCreate", config, wdf.attributes(ParentObject=wdf.device))
    address = wdf.call("WdfDpcWdmGetDpc", dpc)
    assert wdf.guest.kernel_objects[address] is wdf.object(dpc)._kdpc and wdf.read(address, 2) == b"\x13\x01"
    assert wdf.call("WdfDpcWdmGetDpc", dpc) == address


def test_an_absolute_time_is_the_system_time(wdf: Any) -> None:
    now = wdf.kernel.clock.query_time_at(0) + 20_000  # 2 ms after the machine was started
    times: list[int] = []
    config = wdf.struct(WDF_TIMER_CONFIG, EvtTimerFunc=wdf.callback(lambda *_: times.append(wdf.system.machine.cpu.now), 1))
    timer = wdf.create("WdfTimerCreate", config, wdf.attributes(ParentObject=wdf.device))
    wdf.call("WdfTimerStart", timer, now)
    wdf.system.run()
    assert times and 0 <= times[0] - 2_000_000 < 10_000


@pytest.mark.parametrize("size", [0x18, 0x20, 0x28])
def test_a_periodic_timer_runs_until_it_is_stopped(wdf: Any, size: int) -> None:
    config = wdf.struct(WDF_TIMER_CONFIG, size, EvtTimerFunc=wdf.logs("tick", 1), Period=1)
    timer = wdf.create("WdfTimerCreate", config, wdf.attributes(ParentObject=wdf.device))

    def run() -> tuple[int, int, int]:
        was = wdf.inside("WdfTimerStart", timer, -10_000 & (1 << 64) - 1)
        wdf.kernel.ke_delay_execution_thread(3_500_000)
        return was, wdf.inside("WdfTimerStop", timer, 1), wdf.inside("WdfTimerStop", timer, 0)

    assert wdf.system.call(run) == (0, 1, 0)
    assert wdf.log == [("tick", timer)] * 3


def test_a_dpc_that_is_cancelled_does_not_run_and_a_work_item_that_is_flushed_has(wdf: Any) -> None:
    parent = wdf.attributes(ParentObject=wdf.device)
    dpc = wdf.create("WdfDpcCreate", wdf.struct(WDF_DPC_CONFIG, EvtDpcFunc=wdf.logs("dpc", 1)), parent)
    item = wdf.create("WdfWorkItemCreate", wdf.struct(WDF_WORKITEM_CONFIG, EvtWorkItemFunc=wdf.logs("item", 1)), parent)

    def run() -> list[int]:
        wdf.kernel.ke_raise_irql(2)
        results = [wdf.inside("WdfDpcEnqueue", dpc), wdf.inside("WdfDpcEnqueue", dpc), wdf.inside("WdfDpcCancel", dpc, 0)]
        wdf.kernel.ke_lower_irql(0)
        wdf.inside("WdfWorkItemEnqueue", item)
        wdf.inside("WdfWorkItemFlush", item)
        return results

    assert wdf.system.call(run) == [1, 0, 1]
    assert wdf.log == [("item", item)]


def test_a_collection_keeps_its_items_in_order(wdf: Any) -> None:
    collection = wdf.create("WdfCollectionCreate", 0)
    a, b, c = (wdf.create("WdfObjectCreate", 0) for _ in range(3))
    assert wdf.call("WdfCollectionGetFirstItem", collection) == 0
    for item in (a, b, c):
        assert wdf.call("WdfCollectionAdd", collection, item) == STATUS_SUCCESS
    wdf.call("WdfCollectionRemove", collection, b)
    assert wdf.call("WdfCollectionGetCount", collection) == 2
    assert [wdf.call("WdfCollectionGetItem", collection, i) for i in range(3)] == [a, c, 0]
    wdf.call("WdfCollectionRemoveItem", collection, 0)
    assert wdf.call("WdfCollectionGetFirstItem", collection) == wdf.call("WdfCollectionGetLastItem", collection) == c

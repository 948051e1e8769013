"""Spin locks, wait locks and presentation locks (facts §2.5, §5.3, §7)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import ntstatus
from dirql.kernel import BugCheck, Hang
from dirql.wdf.dpc import Dpc, DpcConfig
from dirql.wdf.lock import SpinLock, WaitLock, acquire_object_lock, release_object_lock
from dirql.wdf.object import ExecutionLevel, ObjectAttributes, SynchronizationScope
from dirql.wdf.timer import Timer, TimerConfig
from dirql.wdf.work_item import WorkItem, WorkItemConfig


def test_a_spin_lock_raises_to_dispatch_level_and_back(io: Any) -> None:
    w = io()

    def use() -> None:
        lock = SpinLock.create(w.device)
        lock.acquire()
        w.log.append(w.irql)
        lock.release()
        w.log.append(w.irql)

    w.call(use)
    assert w.log == [2, 0]


@pytest.mark.parametrize("kind", [SpinLock, WaitLock])
def test_a_lock_keeps_two_processors_apart(io: Any, kind: Any) -> None:
    w = io(2)
    lock = w.call(lambda: kind.create(w.device))

    def use(name: str) -> None:
        lock.acquire()
        w.log.append(f"{name} in")
        w.kernel.ke_stall_execution_processor(50)
        w.log.append(f"{name} out")
        lock.release()

    for index, name in enumerate("ab"):
        w.thread(lambda name=name: use(name), name, index)
    w.run()
    assert w.log == ["a in", "a out", "b in", "b out"]


def test_a_spin_lock_taken_twice_by_one_processor_is_a_deadlock(io: Any) -> None:
    w = io(1)
    lock = w.call(lambda: SpinLock.create(w.device))
    with pytest.raises(Hang) as error:
        w.call(lambda: (lock.acquire(), lock.acquire()))
    assert str(error.value) == f"hang (deadlock): cpu0 waits for {lock.name}, which cpu0 holds: a spin lock is not recursive"


def test_releasing_a_spin_lock_that_nobody_holds_is_a_bugcheck(io: Any) -> None:
    w = io(1)
    lock = w.call(lambda: SpinLock.create(w.device))
    with pytest.raises(BugCheck) as error:
        w.at_dispatch(lock.release)
    assert (error.value.code, error.value.why) == (0x10, f"cpu0 releases {lock.name}, which nobody holds")


def test_an_interrupts_spin_lock_is_neither_taken_nor_given(io: Any) -> None:
    w = io()
    lock = w.call(lambda: SpinLock.create(w.device))
    lock.interrupt_lock = True

    def use() -> None:
        lock.acquire()
        w.log.append((w.irql, lock.spin_lock.owner))
        lock.release()

    w.call(use)
    assert w.log == [(0, None)]
    remedy = "it is an interrupt's lock; use WdfInterruptAcquireLock and WdfInterruptReleaseLock"
    assert [sentence for rule, sentence in w.findings if rule == "interrupt-lock"] == [
        f"WdfSpinLock{name} of {lock.name} does nothing: {remedy}" for name in ("Acquire", "Release")
    ]


@pytest.mark.parametrize("kind", [SpinLock, WaitLock])
def test_the_driver_is_a_locks_default_parent(io: Any, kind: Any) -> None:
    w = io()
    assert w.call(lambda: kind.create(w.framework)).parent is w.driver
    assert w.call(lambda: kind.create(w.driver, ObjectAttributes(parent_object=w.device))).parent is w.device


def test_a_null_parent_is_bugcheck_10d_5(io: Any) -> None:
    w = io()
    with pytest.raises(
        BugCheck, match=r"WDF_VIOLATION \(0x5, 0x0, 0x0, 0x0\): WdfSpinLockCreate was given None for a WDFOBJECT handle$"
    ):
        w.call(lambda: SpinLock.create(None))


@pytest.mark.parametrize(("timeout", "waited"), [(0, 0), (5_000_000, 5_000_000)])
def test_a_wait_lock_is_not_waited_for_longer_than_the_time_out(io: Any, timeout: int, waited: int) -> None:
    w = io(2)
    lock = w.call(lambda: WaitLock.create(w.device))
    w.call(lock.acquire)

    def attempt() -> int:
        begin = w.machine.cpu.now
        status = lock.acquire(timeout)
        w.log.append(w.machine.cpu.now - begin >= waited)
        return status

    assert w.call(attempt) == ntstatus.STATUS_TIMEOUT
    assert w.log == [True]


def test_the_holder_of_a_wait_lock_is_in_a_critical_region(io: Any) -> None:
    w = io()

    def use() -> None:
        lock = WaitLock.create(w.device)
        thread = w.machine.cpu.thread
        lock.acquire()
        w.log.append(thread.critical_region)
        lock.release()
        w.log.append(thread.critical_region)

    w.call(use)
    assert w.log == [1, 0]


def test_a_wait_lock_can_be_tried_at_dispatch_level_but_not_waited_for(io: Any) -> None:
    w = io()
    lock = w.call(lambda: WaitLock.create(w.device))
    assert w.at_dispatch(lambda: (lock.acquire(0), lock.release())[0]) == ntstatus.STATUS_SUCCESS
    w.call(lock.acquire)
    with pytest.raises(BugCheck, match=r"a wait for waitlock[0-9]+ at DISPATCH_LEVEL$"):
        w.at_dispatch(lock.acquire)
    waits = f"a wait for {lock.name} at DISPATCH_LEVEL; wait below DISPATCH_LEVEL, or look with a time-out of 0"
    assert [finding for finding in w.findings if finding[0] != "lock-held-at-return"] == [
        ("irql-too-high", "WdfWaitLockAcquire needs IRQL <= PASSIVE_LEVEL unless the time-out is zero, called at DISPATCH_LEVEL"),
        ("wait-at-dispatch", waits),
    ]


def test_under_the_verifier_a_wait_at_dispatch_level_returns_without_waiting(io: Any) -> None:
    w = io(kmdf=True)
    lock = w.call(lambda: WaitLock.create(w.device))
    assert w.at_dispatch(lock.acquire) == ntstatus.STATUS_INVALID_DEVICE_REQUEST
    assert not lock.lock.owned


@pytest.mark.parametrize("kmdf", [False, True])
def test_releasing_somebody_elses_wait_lock_is_a_finding_or_a_bugcheck_under_the_verifier(io: Any, kmdf: bool) -> None:
    w = io(kmdf=kmdf)
    lock = w.call(lambda: WaitLock.create(w.device))
    w.call(lock.acquire)
    sentence = f"<thread thread> releases {lock.name}, which <thread thread> holds"
    if kmdf:
        with pytest.raises(BugCheck) as error:
            w.call(lock.release)
        assert error.value.parameters == (0xB, lock.handle, 1, 0)
        assert error.value.why == sentence
    else:
        w.call(lock.release)
        kept = f"thread thread returns and still holds {lock.name}; release it on every way out"
        assert w.findings == [("lock-held-at-return", kept), ("lock-not-owned", sentence)]


def test_a_wait_lock_taken_twice_by_one_thread_never_comes_back(io: Any) -> None:
    w = io()
    lock = w.call(lambda: WaitLock.create(w.device))

    def twice() -> None:
        lock.acquire()
        lock.acquire()

    thread = w.thread(twice)
    w.run()
    assert not thread.finished
    assert w.findings[0][0] == "recursive-lock"


@pytest.mark.parametrize(("level", "irql"), [(ExecutionLevel.Dispatch, 2), (ExecutionLevel.Passive, 0)])
def test_the_devices_lock_is_a_spin_lock_or_a_wait_lock_by_its_execution_level(io: Any, level: int, irql: int) -> None:
    w = io(scope=SynchronizationScope.Device, level=level)

    def use() -> None:
        acquire_object_lock(w.device)
        w.log.append(w.irql)
        release_object_lock(w.device)
        w.log.append(w.irql)

    w.call(use)
    assert w.log == [irql, 0]


def test_an_object_without_a_presentation_lock_is_bugcheck_10d_b(io: Any) -> None:
    w = io()
    with pytest.raises(BugCheck) as error:
        w.call(lambda: acquire_object_lock(w.device))
    assert error.value.parameters == (0xB, w.device.handle, 0, 0)
    assert (
        error.value.why
        == "WdfObjectAcquireLock: WDFDEVICE card has no lock; devices and queues of scope Device or Queue have one"
    )


@pytest.mark.parametrize("level", [ExecutionLevel.Passive, ExecutionLevel.Dispatch])
def test_recursion_on_a_presentation_lock_is_bugcheck_10d_2_under_the_verifier(io: Any, level: int) -> None:
    w = io(kmdf=True, scope=SynchronizationScope.Device, level=level)

    def twice() -> None:
        acquire_object_lock(w.device)
        acquire_object_lock(w.device)

    with pytest.raises(BugCheck) as error:
        w.call(twice)
    assert error.value.parameters[0] == 2


CREATE = {
    "dpc": lambda d: Dpc.create(d, DpcConfig(print)),
    "timer": lambda d: Timer.create(d, TimerConfig(print)),
    "passive timer": lambda d: Timer.create(d, TimerConfig(print), ObjectAttributes(execution_level=ExecutionLevel.Passive)),
    "work item": lambda d: WorkItem.create(d, WorkItemConfig(print)),
}


@pytest.mark.parametrize(
    "scope", [SynchronizationScope.None_, SynchronizationScope.InheritFromParent, SynchronizationScope.Device]
)
@pytest.mark.parametrize("level", [ExecutionLevel.Dispatch, ExecutionLevel.Passive])
@pytest.mark.parametrize(("what", "passive"), [("dpc", False), ("timer", False), ("passive timer", True), ("work item", True)])
def test_automatic_serialization_needs_a_fitting_execution_level_only_where_the_scope_locks(
    io: Any, what: str, passive: bool, level: int, scope: int
) -> None:
    w = io(scope=scope, level=level)
    fits = scope != SynchronizationScope.Device or passive == (level == ExecutionLevel.Passive)
    words = w.failure(lambda: CREATE[what](w.device))
    assert words.startswith("no error" if fits else "STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL: Wdf")

"""WDF DPCs, timers and work items (facts §2.5, §4.1)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.errors import UsageError
from dirql.kernel import BugCheck
from dirql.wdf.dpc import Dpc, DpcConfig
from dirql.wdf.object import ExecutionLevel, ObjectAttributes, SynchronizationScope
from dirql.wdf.timer import Timer, TimerConfig
from dirql.wdf.work_item import WorkItem, WorkItemConfig

MS = 1_000_000
CREATE = {
    "WdfDpcCreate": lambda parent, callback: Dpc.create(parent, DpcConfig(callback)),
    "WdfTimerCreate": lambda parent, callback: Timer.create(parent, TimerConfig(callback)),
    "WdfWorkItemCreate": lambda parent, callback: WorkItem.create(parent, WorkItemConfig(callback)),
}


@pytest.mark.parametrize("routine", CREATE)
def test_without_a_parent_nothing_is_created(io: Any, routine: str) -> None:
    w = io()
    assert w.failure(lambda: CREATE[routine](w.framework, print)) == (
        f"STATUS_WDF_PARENT_NOT_SPECIFIED: {routine}: the attributes name no ParentObject"
    )


@pytest.mark.parametrize("routine", CREATE)
def test_a_parent_without_a_device_above_it_is_refused(io: Any, routine: str) -> None:
    w = io()
    assert w.failure(lambda: CREATE[routine](w.driver, print)) == (
        f"STATUS_INVALID_DEVICE_REQUEST: {routine}: no device is among the parents of Driver"
    )


@pytest.mark.parametrize(("routine", "member"), list(zip(CREATE, ("EvtDpcFunc", "EvtTimerFunc", "EvtWorkItemFunc"), strict=True)))
def test_a_callback_is_required(io: Any, routine: str, member: str) -> None:
    w = io()
    assert w.failure(lambda: CREATE[routine](w.device, None)) == f"STATUS_INVALID_PARAMETER: {routine}: {member} is NULL"


@pytest.mark.parametrize(("kind", "routine"), [(Dpc, "WdfDpcCreate"), (Timer, "WdfTimerCreate"), (WorkItem, "WdfWorkItemCreate")])
def test_a_null_config_is_bugcheck_10d_4(io: Any, kind: Any, routine: str) -> None:
    w = io()
    with pytest.raises(BugCheck) as error:
        w.call(lambda: kind.create(w.device, None))
    assert (error.value.parameters[0], error.value.why) == (4, f"{routine}: required parameter Config is NULL")


def test_a_dpc_runs_once_for_two_requests_at_dispatch_level(io: Any) -> None:
    w = io(1)
    dpc = w.call(lambda: Dpc.create(w.device, DpcConfig(lambda d: w.log.append((d is dpc, w.irql)))))
    assert w.at_dispatch(lambda: (dpc.enqueue(), dpc.enqueue())) == (True, False)
    assert w.log == [(True, 2)]
    assert w.call(dpc.get_parent_object) is w.device


@pytest.mark.parametrize("wait", [False, True])
def test_a_cancelled_dpc_does_not_run(io: Any, wait: bool) -> None:
    w = io(1)
    dpc = w.call(lambda: Dpc.create(w.device, DpcConfig(w.log.append)))
    assert w.at_dispatch(lambda: (dpc.enqueue(), dpc.cancel(False), dpc.cancel(False))) == (True, True, False)
    assert w.call(lambda: dpc.cancel(wait)) is False
    assert w.log == []


def test_cancelling_a_dpc_with_wait_returns_after_a_callback_that_runs_elsewhere(io: Any) -> None:
    w = io(2)

    def callback(dpc: Dpc) -> None:
        w.log.append("begins")
        w.kernel.ke_stall_execution_processor(1_000)
        w.log.append("ends")

    dpc = w.call(lambda: Dpc.create(w.device, DpcConfig(callback)))

    def cancel() -> None:
        w.kernel.ke_stall_execution_processor(100)
        w.log.append("cancels")
        dpc.cancel(True)
        w.log.append("cancelled")

    w.thread(dpc.enqueue, cpu=0)
    w.thread(cancel, cpu=1)
    w.run()
    assert w.log == ["begins", "cancels", "ends", "cancelled"]


@pytest.mark.parametrize(("kind", "routine"), [("dpc", "WdfDpcCancel"), ("timer", "WdfTimerStop")])
def test_waiting_at_dispatch_level_is_a_finding(io: Any, kind: str, routine: str) -> None:
    w = io(1, kmdf=True)

    def use() -> bool:
        if kind == "dpc":
            return Dpc.create(w.device, DpcConfig(print)).cancel(True)
        return Timer.create(w.device, TimerConfig(print)).stop(True)

    assert w.at_dispatch(use) is False
    assert w.findings == [("irql-too-high", f"{routine} needs IRQL <= PASSIVE_LEVEL when Wait is TRUE, called at DISPATCH_LEVEL")]


def test_a_serialized_dpc_waits_for_the_devices_lock(io: Any) -> None:
    w = io(2, scope=SynchronizationScope.Device)
    order: list[str] = []

    def body(name: str) -> Any:
        def callback(dpc: Dpc) -> None:
            order.append(f"{name} in")
            w.kernel.ke_stall_execution_processor(100)
            order.append(f"{name} out")

        return callback

    dpcs = [w.call(lambda n=n: Dpc.create(w.device, DpcConfig(body(n)))) for n in "ab"]
    for cpu, dpc in enumerate(dpcs):
        w.thread(dpc.enqueue, cpu=cpu)
    w.run()
    assert order == ["a in", "a out", "b in", "b out"]


@pytest.mark.parametrize(("attributes", "irql"), [(None, 2), (ObjectAttributes(execution_level=ExecutionLevel.Passive), 0)])
def test_a_one_shot_timer_expires_once_when_it_is_due_at_its_execution_level(io: Any, attributes: Any, irql: int) -> None:
    w = io()
    timer = w.call(
        lambda: Timer.create(w.device, TimerConfig(lambda t: w.log.append((w.irql, w.machine.cpu.now // MS))), attributes)
    )
    assert w.call(lambda: timer.start(5 * MS)) is False
    assert w.log == [(irql, 5)]


def test_a_periodic_timer_expires_until_it_is_stopped(io: Any) -> None:
    w = io()

    def callback(timer: Timer) -> None:
        w.log.append(w.machine.cpu.now // MS)
        if len(w.log) == 3:
            timer.stop(False)

    timer = w.call(lambda: Timer.create(w.device, TimerConfig(callback, period=10)))
    w.call(lambda: timer.start(5 * MS))
    assert w.log == [5, 15, 25]


def test_starting_a_running_timer_starts_it_anew(io: Any) -> None:
    w = io()
    timer = w.call(lambda: Timer.create(w.device, TimerConfig(lambda t: w.log.append(w.machine.cpu.now // MS))))
    assert w.call(lambda: (timer.start(5 * MS), timer.start(9 * MS))) == (False, True)
    assert w.log == [9]


def test_a_stopped_timer_does_not_expire(io: Any) -> None:
    w = io()
    timer = w.call(lambda: Timer.create(w.device, TimerConfig(w.log.append)))
    assert w.call(lambda: (timer.start(5 * MS), timer.stop(True), timer.stop(True))) == (False, True, False)
    assert w.log == []


def test_stopping_with_wait_returns_after_a_passive_callback_under_way(io: Any) -> None:
    w = io(2)

    def callback(timer: Timer) -> None:
        w.kernel.ke_delay_execution_thread(3 * MS)
        w.log.append("callback")

    passive = ObjectAttributes(execution_level=ExecutionLevel.Passive)
    timer = w.call(lambda: Timer.create(w.device, TimerConfig(callback), passive))

    def use() -> None:
        timer.start(MS)
        w.kernel.ke_delay_execution_thread(2 * MS)
        timer.stop(True)
        w.log.append("stopped")

    w.call(use)
    assert w.log == ["callback", "stopped"]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"period": 1 << 31}, "Period 0x80000000 is not between 0 and 0x7fffffff ms"),
        ({"tolerable_delay": -1}, "TolerableDelay -0x1 is not between 0 and 0x7fffffff ms"),
        ({"tolerable_delay": 5, "use_high_resolution_timer": True}, "TolerableDelay with UseHighResolutionTimer"),
    ],
)
def test_a_timer_that_cannot_be_is_refused(io: Any, config: dict[str, Any], problem: str) -> None:
    w = io()
    words = w.failure(lambda: Timer.create(w.device, TimerConfig(print, **config)))
    assert words == f"STATUS_INVALID_PARAMETER: WdfTimerCreate: {problem}"


def test_a_deleted_timer_never_expires(io: Any) -> None:
    w = io()
    timer = w.call(lambda: Timer.create(w.device, TimerConfig(w.log.append)))
    w.call(lambda: (timer.start(5 * MS), timer.delete()))
    assert w.log == []


def test_a_work_item_runs_at_passive_level_and_once_while_it_is_pending(io: Any) -> None:
    w = io(1)
    item = w.call(lambda: WorkItem.create(w.device, WorkItemConfig(lambda i: w.log.append(w.irql))))
    w.at_dispatch(lambda: (item.enqueue(), item.enqueue()))
    assert w.log == [0]


def test_a_work_item_enqueued_while_it_runs_runs_twice_in_parallel(io: Any) -> None:
    w = io(2)
    inside, most = [0], [0]

    def callback(item: WorkItem) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        if len(w.log) == 0:
            w.log.append("again")
            item.enqueue()
        w.kernel.ke_delay_execution_thread(MS)
        inside[0] -= 1

    item = w.call(lambda: WorkItem.create(w.device, WorkItemConfig(callback)))
    w.call(item.enqueue)
    assert most == [2]


def test_flushing_a_work_item_returns_when_it_has_run(io: Any) -> None:
    w = io(1)

    def callback(item: WorkItem) -> None:
        w.kernel.ke_delay_execution_thread(MS)
        w.log.append("ran")

    item = w.call(lambda: WorkItem.create(w.device, WorkItemConfig(callback)))
    w.call(lambda: (item.enqueue(), item.flush(), w.log.append("flushed")))
    assert w.log == ["ran", "flushed"]


def test_flushing_a_work_item_in_its_own_callback_is_a_finding_and_never_ends(io: Any) -> None:
    w = io()
    item = w.call(lambda: WorkItem.create(w.device, WorkItemConfig(lambda i: (i.flush(), w.log.append("back")))))
    w.call(item.enqueue)
    assert w.log == []
    assert w.findings == [("flush-in-own-callback", f"WdfWorkItemFlush of {item.name} in its own callback waits for itself")]
    assert any(f"waits for the callbacks of {item.name}" in words for words in w.kernel.stuck_threads())


def test_deleting_a_work_item_waits_for_its_callback(io: Any) -> None:
    w = io(1)
    item = w.call(lambda: WorkItem.create(w.device, WorkItemConfig(lambda i: w.log.append(i.destroyed))))
    w.call(lambda: (item.enqueue(), item.delete(), w.log.append("deleted")))
    assert w.log == [False, "deleted"]


def test_a_work_item_may_delete_itself(io: Any) -> None:
    w = io(1)
    item = w.call(lambda: WorkItem.create(w.device, WorkItemConfig(lambda i: i.delete())))
    w.call(item.enqueue)
    assert item.destroyed


def test_a_due_time_as_c_writes_it_is_refused(io: Any) -> None:
    w = io()
    timer = w.call(lambda: Timer.create(w.device, TimerConfig(print)))

    def start() -> str:
        with pytest.raises(UsageError) as caught:
            timer.start(-10_000)
        return str(caught.value)

    limit = "write ns from now, a whole number of 0 or more, where C has negative 100 ns"
    assert w.call(start) == f"WdfTimerStart of {timer.name}: due time -10000; {limit}"

"""Dispatcher objects, timers, threads and work items (facts §5.1, §7)."""

from __future__ import annotations

import re
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from dirql import ntstatus
from dirql.kernel import BugCheck, Event, EventType, Kdpc, Ktimer, Mutex, Semaphore
from dirql.ntstatus import StatusError


@pytest.mark.parametrize(
    ("kind", "state", "woken"),
    [(EventType.NotificationEvent, True, 3), (EventType.SynchronizationEvent, False, 1)],
)
def test_setting_an_event_wakes_all_or_one(world: ModuleType, kind: EventType, state: bool, woken: int) -> None:
    w = world.World(2)
    event = Event(w.kernel, kind)
    for name in "abc":
        w.thread(lambda name=name: w.kernel.ke_wait_for_single_object(event) or w.log.append(name), name=name)
    w.run()
    assert w.log == []
    assert w.run_thread(event.set) is False
    assert sorted(w.log) == ["a", "b", "c"][:woken] and event.state is state
    assert w.kernel.stuck_threads() == [f"{name} waits for event" for name in "abc"[woken:]]


def test_an_event_reads_clears_and_resets(world: ModuleType) -> None:
    w = world.World(1)
    event = Event(w.kernel)
    seen = w.run_thread(lambda: [event.set(), event.set(), event.read_state(), event.reset(), event.reset()])
    assert seen == [False, True, True, True, False]
    assert w.run_thread(lambda: [event.set(), event.clear(), event.read_state()]) == [False, None, False]


def test_a_wait_for_what_is_signalled_returns_at_once_and_takes_it(world: ModuleType) -> None:
    w = world.World(1)
    event = Event(w.kernel, EventType.SynchronizationEvent, True)
    wait = w.kernel.ke_wait_for_single_object
    assert w.run_thread(lambda: [wait(event, 0), wait(event, 0)]) == [ntstatus.STATUS_SUCCESS, ntstatus.STATUS_TIMEOUT]


@pytest.mark.parametrize(("set_at", "status"), [(5_000, 0), (50_000, ntstatus.STATUS_TIMEOUT), (None, ntstatus.STATUS_TIMEOUT)])
def test_a_wait_ends_with_its_object_or_with_its_time_out(world: ModuleType, set_at: int | None, status: int) -> None:
    w = world.World(2)
    event = Event(w.kernel)

    def work() -> int:
        begin = w.cpu.now
        result: int = w.kernel.ke_wait_for_single_object(event, 20_000)
        w.log.append(w.cpu.now - begin)
        return result

    waiter = w.thread(work, 0)
    if set_at is not None:
        w.thread(lambda: w.stall(set_at // 1_000) or event.set(), 1)
    w.run()
    assert waiter.result == status
    assert w.log[0] >= 20_000 if status else w.log[0] < 20_000
    assert not event.waiters


def test_a_time_out_takes_its_time_when_no_processor_has_anything_to_do(world: ModuleType) -> None:
    w = world.World(4)
    begin, end = w.run_thread(lambda: (w.cpu.now, w.kernel.ke_delay_execution_thread(1_000_000), w.cpu.now)[::2])
    assert 1_000_000 <= end - begin < 1_005_000


def test_a_time_out_that_comes_after_the_signal_changes_nothing(world: ModuleType) -> None:
    w = world.World(1)  # the woken thread cannot resume before its time-out lands
    event = Event(w.kernel, EventType.SynchronizationEvent)

    def wait() -> int:
        status: int = w.kernel.ke_wait_for_single_object(event, 50_000)
        w.log.append("woken")
        w.kernel.ke_delay_execution_thread(10_000)
        w.log.append("delayed")
        return status

    waiter = w.thread(wait, name="waiter")
    w.thread(lambda: (w.stall(20), event.set(), w.stall(100)), name="setter")
    w.run()
    assert waiter.result == ntstatus.STATUS_SUCCESS and w.log == ["woken", "delayed"]


def test_a_wait_for_any_says_which_and_takes_only_that(world: ModuleType) -> None:
    w = world.World(1)
    a, b = (Event(w.kernel, EventType.SynchronizationEvent, name=name) for name in "ab")
    both = w.thread(lambda: w.kernel.ke_wait_for_multiple_objects([a, b], wait_all=False))
    w.run_thread(b.set)
    assert (both.result, b.state, a.waiters, b.waiters) == (1, False, [], [])


def test_a_wait_for_all_takes_nothing_until_all_are_signalled(world: ModuleType) -> None:
    w = world.World(2)
    event = Event(w.kernel, EventType.SynchronizationEvent, name="event")
    semaphore = Semaphore(w.kernel, 0, 4)
    both = w.thread(lambda: w.kernel.ke_wait_for_multiple_objects([event, semaphore], wait_all=True), name="both")
    w.run_thread(event.set)
    assert not both.finished and event.state and w.kernel.stuck_threads() == ["both waits for event and semaphore"]
    assert w.run_thread(lambda: semaphore.release(2)) == 0
    assert (both.result, event.state, semaphore.count) == (0, False, 1)


def test_a_semaphore_lets_as_many_through_as_were_released(world: ModuleType) -> None:
    w = world.World(2)
    semaphore = Semaphore(w.kernel, 1, 3, "slots")
    for name in "abcd":
        w.thread(lambda name=name: w.kernel.ke_wait_for_single_object(semaphore) or w.log.append(name))
    w.run()
    assert w.log == ["a"]
    w.run_thread(lambda: semaphore.release(2))
    assert w.log == ["a", "b", "c"] and semaphore.count == 0
    text = "STATUS_SEMAPHORE_LIMIT_EXCEEDED (0xc0000047): slots: 0 + 4 is above the limit 3"
    with pytest.raises(StatusError, match=f"^{re.escape(text)}$"):
        w.run_thread(lambda: semaphore.release(4))


def test_a_mutex_is_recursive_for_its_owner_and_excludes_others(world: ModuleType) -> None:
    w = world.World(2)
    mutex = Mutex(w.kernel)

    def work(name: str) -> None:
        for _ in range(2):
            w.kernel.ke_wait_for_single_object(mutex)
        w.log.append(f"{name} in")
        w.kernel.ke_delay_execution_thread(10_000)
        mutex.release()
        w.log.append(f"{name} out")
        mutex.release()

    w.thread(lambda: work("a"))
    w.thread(lambda: work("b"))
    w.run()
    assert w.log == ["a in", "a out", "b in", "b out"] and mutex.owner is None


def test_releasing_a_mutex_of_another_thread_fails(world: ModuleType) -> None:
    w = world.World(1)
    mutex = Mutex(w.kernel, "guard")
    w.run_thread(lambda: w.kernel.ke_wait_for_single_object(mutex), name="owner")
    text = "STATUS_MUTANT_NOT_OWNED (0xc0000046): guard: <thread thief> does not own it, <thread owner> does"
    with pytest.raises(StatusError, match=f"^{re.escape(text)}$"):
        w.run_thread(mutex.release, name="thief")


@pytest.mark.parametrize(("irql", "code"), [(2, 0x0A), (5, 0x0A)])
def test_a_wait_at_dispatch_is_a_bugcheck(world: ModuleType, irql: int, code: int) -> None:
    w = world.World(1)
    event = Event(w.kernel, name="done")
    with pytest.raises(BugCheck, match="a wait for done at") as caught:
        w.run_thread(lambda: (w.kernel.ke_raise_irql(irql), w.kernel.ke_wait_for_single_object(event)))
    assert (caught.value.code, caught.value.parameters) == (code, (0, irql, 0, 0))


def test_a_wait_in_a_dpc_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    event = Event(w.kernel, name="done")
    dpc = Kdpc(w.kernel, lambda d, c, a, b: w.kernel.ke_wait_for_single_object(event), None, "rx.dpc")
    text = "bugcheck 0xb8 ATTEMPTED_SWITCH_FROM_DPC (0x0, 0x0, 0x0, 0x0): rx.dpc waits for done in a DPC"
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run_thread(dpc.insert)


def test_looking_without_waiting_is_allowed_at_dispatch(world: ModuleType) -> None:
    w = world.World(1)
    event = Event(w.kernel)

    def work() -> int:
        old = w.kernel.ke_raise_irql(2)
        status: int = w.kernel.ke_wait_for_single_object(event, 0)
        w.kernel.ke_lower_irql(old)
        return status

    assert w.run_thread(work) == ntstatus.STATUS_TIMEOUT and not w.machine.findings


def test_a_wait_at_apc_level_gives_the_processor_away_at_passive_and_comes_back_at_apc_level(world: ModuleType) -> None:
    w = world.World(2)
    event = Event(w.kernel)

    def high() -> int:
        old = w.kernel.ke_raise_irql(1)
        w.kernel.ke_wait_for_single_object(event)
        irql: int = w.cpu.irql
        w.kernel.ke_lower_irql(old)
        return irql

    waiter = w.thread(high)
    w.run()
    assert [cpu.irql for cpu in w.machine.cpus] == [0, 0]
    w.thread(lambda: w.stall(100), 0)
    w.thread(lambda: (w.stall(20), event.set(), w.log.append(w.cpu.irql)), 1)
    w.run()
    assert waiter.result == 1 and w.log == [0]


def test_a_thread_goes_on_and_ends_on_another_processor_than_it_began(world: ModuleType) -> None:
    w = world.World(2)
    event = Event(w.kernel, EventType.SynchronizationEvent)

    def work() -> None:
        for _ in range(3):
            w.log.append(w.cpu.index)
            w.kernel.ke_wait_for_single_object(event)
        w.log.append(w.cpu.index)

    def drive(cpu: int) -> None:
        event.set()
        w.stall(50)

    wanderer = w.thread(work)
    w.run()
    for cpu in (0, 1, 0):  # the setter keeps its processor, so the wanderer needs the other one
        w.run_thread(lambda cpu=cpu: drive(cpu), cpu)
    assert wanderer.finished and w.log == [0, 1, 0, 1]
    assert all(cpu.thread is None and cpu.greenlet is None for cpu in w.machine.cpus)
    assert w.run_thread(lambda: "still alive", 0) == w.run_thread(lambda: "still alive", 1) == "still alive"


def test_threads_spread_over_idle_processors_and_higher_priority_goes_first(world: ModuleType) -> None:
    w = world.World(2)
    for name, priority in (("a", 8), ("b", 8), ("c", 8), ("d", 16)):
        w.thread(lambda name=name: w.log.append((name, w.cpu.index)) or w.stall(100), name=name, priority=priority)
    w.run()
    assert [name for name, _ in w.log] == ["d", "a", "b", "c"]
    assert {cpu for _, cpu in w.log} == {0, 1}


def test_a_thread_that_ends_above_passive_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    text = "bugcheck 0xc8 IRQL_UNEXPECTED_VALUE (0x20000, 0x0, 0x0, 0x0): thread worker ended at IRQL 2"
    with pytest.raises(BugCheck, match=f"^{re.escape(text)}$"):
        w.run_thread(lambda: w.kernel.ke_raise_irql(2), name="worker")


def test_a_thread_makes_threads(world: ModuleType) -> None:
    w = world.World(2)
    w.run_thread(lambda: w.kernel.ps_create_system_thread(w.log.append, "child ran"))
    assert w.log == ["child ran"]


@pytest.mark.parametrize("kind", list(EventType))
def test_a_timer_is_signalled_at_its_due_time(world: ModuleType, kind: EventType) -> None:
    w = world.World(2)
    timer = Ktimer(w.kernel, kind)

    def work() -> tuple[int, bool]:
        begin = w.cpu.now
        assert timer.set(30_000) is False and timer.inserted
        w.kernel.ke_wait_for_single_object(timer)
        return w.cpu.now - begin, timer.inserted

    taken, inserted = w.run_thread(work)
    assert 30_000 <= taken < 35_000 and not inserted
    assert timer.state is (kind == EventType.NotificationEvent)


def test_setting_a_timer_again_replaces_it_and_cancelling_stops_it(world: ModuleType) -> None:
    w = world.World(1)
    timer = Ktimer(w.kernel)
    dpc = Kdpc(w.kernel, lambda d, c, a, b: w.log.append(w.cpu.now), None)

    def work() -> list[bool]:
        return [timer.set(10_000, dpc=dpc), timer.set(90_000, dpc=dpc), timer.set(50_000, dpc=dpc)]

    assert w.run_thread(work) == [False, True, True]
    assert len(w.log) == 1 and 50_000 <= w.log[0] < 60_000
    assert w.run_thread(lambda: [timer.set(10_000, dpc=dpc), timer.cancel(), timer.cancel()]) == [False, True, False]
    assert len(w.log) == 1 and not timer.inserted


def test_a_periodic_timer_expires_until_it_is_cancelled(world: ModuleType) -> None:
    w = world.World(2)
    timer = Ktimer(w.kernel)
    times: list[int] = []

    def tick(dpc: Kdpc, context: Any, a: Any, b: Any) -> None:
        times.append(w.cpu.now)
        if len(times) == 4:
            timer.cancel()

    w.run_thread(lambda: timer.set(10_000, 25_000, Kdpc(w.kernel, tick, None)))
    assert [later - earlier for earlier, later in pairwise(times)] == [25_000] * 3


def test_a_timers_dpc_interrupts_the_thread_that_runs(world: ModuleType) -> None:
    w = world.World(1)
    timer = Ktimer(w.kernel)
    dpc = Kdpc(w.kernel, lambda d, c, a, b: w.log.append(("dpc", w.cpu.irql, w.cpu.now < 30_000)), None)
    w.run_thread(lambda: (timer.set(10_000, dpc=dpc), w.stall(100), w.log.append("thread")))
    assert w.log == [("dpc", 2, True), "thread"]


def test_work_items_run_at_passive_in_order_and_side_by_side(world: ModuleType) -> None:
    w = world.World(2)

    def item(name: str) -> None:
        w.log.append((name, w.cpu.irql))
        w.kernel.ke_delay_execution_thread(50_000)
        w.log.append(f"{name} ends")

    w.run_thread(lambda: [w.kernel.work.queue(item, name) for name in "ab"])
    assert w.log == [("a", 0), ("b", 0), "a ends", "b ends"]
    assert w.kernel.stuck_threads() == []


@pytest.mark.parametrize("idle_workers", [0, 1, 2])
def test_a_work_item_may_wait_for_a_later_one(world: ModuleType, idle_workers: int) -> None:
    w = world.World(1)
    event = Event(w.kernel)
    w.run_thread(lambda: [w.kernel.work.queue(w.kernel.ke_delay_execution_thread, 1_000) for _ in range(idle_workers)])

    def queue() -> None:
        w.kernel.work.queue(lambda _: w.kernel.ke_wait_for_single_object(event) or w.log.append("waited"), None)
        w.kernel.work.queue(lambda _: event.set() or w.log.append("set"), None)

    w.run_thread(queue)
    assert w.log == ["set", "waited"]


def test_a_hundred_work_items_all_run(world: ModuleType) -> None:
    w = world.World(3)
    w.run_thread(lambda: [w.kernel.work.queue(lambda i: w.stall(i % 7) or w.log.append(i), i) for i in range(100)])
    assert sorted(w.log) == list(range(100))


def test_a_thread_is_signalled_when_it_has_ended(world: ModuleType) -> None:
    w = world.World(2)

    def work() -> int:
        thread = w.kernel.ps_create_system_thread(lambda _: w.kernel.ke_delay_execution_thread(5_000), name="short")
        return int(w.kernel.ke_wait_for_single_object(thread)) or w.cpu.now

    assert w.run_thread(work) >= 5_000


def test_a_periodic_timer_that_nobody_waits_for_keeps_no_machine_from_coming_to_rest(world: ModuleType) -> None:
    w = world.World(1)
    timer = Ktimer(w.kernel)
    w.run_thread(lambda: timer.set(1_000, 1_000))
    assert timer.inserted and not w.machine.scheduler.restless()

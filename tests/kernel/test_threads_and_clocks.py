"""Threads that end, move and change priority; clocks; processors; references; timers of the kernel's own."""

from __future__ import annotations

from types import ModuleType

import pytest

from dirql.kernel import BugCheck, Event, EventType, ExTimer, Semaphore
from dirql.kernel.clock import BOOT_TIME
from dirql.kernel.processors import INVALID_PROCESSOR_INDEX
from dirql.ntstatus import STATUS_INVALID_PARAMETER, StatusError


def test_a_thread_that_terminates_itself_runs_no_further_and_is_signalled(world: ModuleType) -> None:
    w = world.World(2)

    def work(_: object) -> None:
        try:
            w.kernel.ps_terminate_system_thread(0xC000_0001)
        except Exception:
            w.log.append("caught")
        w.log.append("goes on")

    def make() -> tuple[int, int]:
        thread = w.kernel.ps_create_system_thread(work)
        return w.kernel.ke_wait_for_single_object(thread), thread.status

    assert w.run_thread(make) == (0, 0xC000_0001) and w.log == []


def test_only_a_thread_of_ps_create_system_thread_terminates_itself(world: ModuleType) -> None:
    w = world.World(1)
    assert w.run_thread(w.kernel.ps_terminate_system_thread) == STATUS_INVALID_PARAMETER


def test_a_thread_runs_where_its_affinity_says(world: ModuleType) -> None:
    w = world.World(3)
    processors, here = w.kernel.processors, w.kernel.ke_get_current_processor_number

    def work() -> list[int]:
        seen = [processors.set_system_affinity_thread(0b100), here(), processors.set_system_affinity_thread(0b010), here()]
        seen += [processors.set_system_affinity_thread(0b1000), here()]
        processors.revert_to_user_affinity_thread(0b100)
        seen.append(here())
        seen += [processors.set_system_group_affinity_thread(1, 1), processors.set_system_group_affinity_thread(1), here()]
        processors.revert_to_user_group_affinity_thread()
        return [*seen, w.cpu.thread.affinity]

    assert w.run_thread(work) == [0, 2, 4, 1, 2, 1, 2, 4, 4, 0, 7]


def test_processors_are_looked_up_by_index_and_number(world: ModuleType) -> None:
    w = world.World(3)
    p = w.kernel.processors

    def work() -> list[object]:
        seen: list[object] = [p.query_active_processors(), p.query_active_processor_count(), p.query_active_processor_count(1)]
        seen += [p.query_maximum_processor_count(0), p.query_active_group_count(), p.query_maximum_group_count()]
        seen += [p.get_processor_number_from_index(2), p.get_processor_index_from_number(0, 2)]
        seen += [p.get_processor_index_from_number(1, 0), p.query_group_affinity(0), p.query_group_affinity(1)]
        return [*seen, p.query_node_active_affinity(0), p.query_node_active_affinity(1), p.query_highest_node_number(),
                p.get_current_node_number()]  # fmt: skip

    assert w.run_thread(work) == [7, 3, 0, 3, 1, 1, (0, 2), 2, INVALID_PROCESSOR_INDEX, 7, 0, (7, 3), (0, 0), 0, 0]

    def beyond() -> str:
        with pytest.raises(StatusError) as error:
            p.get_processor_number_from_index(3)
        return str(error.value)

    assert w.run_thread(beyond) == "STATUS_INVALID_PARAMETER (0xc000000d): processor 3 of 3"


def test_priorities_and_regions_belong_to_the_thread(world: ModuleType) -> None:
    w = world.World(1)

    def work() -> list[int]:
        thread = w.kernel.ke_get_current_thread()
        seen = [thread.set_priority(15), thread.query_priority(), thread.set_priority(0), thread.query_priority()]
        thread.enter_critical_region()
        thread.enter_guarded_region()
        seen += [thread.critical_region, thread.guarded_region]
        thread.leave_guarded_region()
        thread.leave_critical_region()
        thread.leave_critical_region()
        return [*seen, thread.critical_region]

    assert w.run_thread(work, name="one") == [8, 15, 15, 15, 1, 1, 0]
    assert [f.sentence for f in w.machine.findings.values()] == [
        "KeSetPriorityThread of one: priority 0 is not from 1 to 31", "one leaves a critical region that it did not enter",
    ]  # fmt: skip


@pytest.mark.parametrize(("interval", "ns"), [(-5, 500), (0, 0), (BOOT_TIME, 0), (BOOT_TIME + 100_000, 10_000_000)])
def test_a_time_of_c_is_so_many_ns_from_now(world: ModuleType, interval: int, ns: int) -> None:
    w = world.World(1)
    found = w.run_thread(lambda: (w.kernel.clock.duration(interval), w.cpu.now))
    assert found[0] == (ns if interval <= BOOT_TIME else ns - found[1])


def test_coarse_clocks_stand_between_two_ticks(world: ModuleType) -> None:
    w = world.World(1)
    clock = w.kernel.clock

    def work() -> list[int]:
        w.kernel.ke_delay_execution_thread(2 * clock.tick_ns + 5_000)
        return [clock.query_interrupt_time(), clock.query_tick_count(), clock.query_system_time() - BOOT_TIME,
                clock.query_unbiased_interrupt_time(), clock.query_time_increment()]  # fmt: skip

    increment = clock.tick_ns // 100
    assert w.run_thread(work) == [2 * increment, 2, 2 * increment, 2 * increment, increment]
    time, counter = w.run_thread(clock.query_interrupt_time_precise)
    assert time == counter > 2 * increment
    assert w.run_thread(clock.query_system_time_precise) >= BOOT_TIME + time


def test_references_are_counted_and_one_too_few_is_a_bugcheck(world: ModuleType) -> None:
    w = world.World(1)
    event, objects = Event(w.kernel, name="the event"), w.kernel.objects
    seen = w.run_thread(lambda: [objects.reference(event), objects.reference_by_pointer(event),
                                 objects.reference_by_handle(event),
                                 objects.dereference(event), objects.dereference(event), objects.dereference(event)])  # fmt: skip
    assert seen == [2, 3, 4, 3, 2, 1] and objects.count(event) == 0
    w.thread(lambda: objects.dereference(event))
    with pytest.raises(BugCheck, match=r"bugcheck 0x18 .*: <event the event> is dereferenced more often than it was referenced"):
        w.run()


def test_a_pulse_lets_those_through_who_wait_now(world: ModuleType) -> None:
    w = world.World(2)
    event = Event(w.kernel, EventType.NotificationEvent)
    for name in "ab":
        w.thread(lambda name=name: w.kernel.ke_wait_for_single_object(event) or w.log.append(name), name=name)
    w.run()
    assert w.run_thread(event.pulse) is False
    assert sorted(w.log) == ["a", "b"] and event.state is False
    assert w.run_thread(Semaphore(w.kernel, 2, 3).read_state) == 2


@pytest.mark.parametrize("synchronization", [False, True])
def test_a_timer_of_the_kernels_own_calls_back_until_it_is_deleted(world: ModuleType, synchronization: bool) -> None:
    w = world.World(1)
    timer = ExTimer(
        w.kernel, lambda t, context: w.log.append((t is timer, context, w.cpu.irql)), 5, synchronization=synchronization
    )

    def work() -> list[bool]:
        seen = [timer.start(1_000), timer.start(2_000, 1_000_000)]
        w.kernel.ke_wait_for_single_object(timer)
        seen.append(timer.read_state())
        w.kernel.ke_delay_execution_thread(1_500_000)
        return [*seen, timer.cancel_timer(), timer.start(10_000_000), timer.delete(cancel=True, wait=True)]

    assert w.run_thread(work) == [False, True, not synchronization, True, False, True]
    assert w.log == [(True, 5, 2)] * 2
    w.thread(lambda: timer.start(1))
    with pytest.raises(BugCheck, match=r"bugcheck 0xc7 .*: ExSetTimer of timer, which was deleted"):
        w.run()


def test_threads_that_begin_one_out_of_the_other_are_as_many_as_a_driver_wants(world: ModuleType) -> None:
    w = world.World(1)

    def work(_: object) -> None:
        w.kernel.ke_delay_execution_thread(100)
        w.log.append("done")

    for _ in range(300):
        w.kernel.dispatcher.create(work, None, "one of many")
    w.run()
    assert w.log == ["done"] * 300

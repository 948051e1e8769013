"""Events, semaphores, mutexes, timers and DPCs in the driver's memory, and waiting for them."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.nt_structs import KDPC, KTIMER
from dirql.kernel.clock import BOOT_TIME
from dirql.kernel.stop import BugCheck

TIMEOUT = 0x102
NOTIFICATION, SYNCHRONIZATION = 0, 1
MS = 10_000  # in 100 ns units


def state(world: Any, address: int) -> int:
    return world.number(address + 4, 4)


@pytest.mark.parametrize(("type_", "after"), [(NOTIFICATION, 1), (SYNCHRONIZATION, 0)])
def test_an_events_state_is_in_its_header(world: Any, type_: int, after: int) -> None:
    event = world.memory()

    def body(call: Any) -> list[int]:
        call("KeInitializeEvent", event, type_, 0)
        seen = [state(world, event), call("KeSetEvent", event, 0, 0), call("KeSetEvent", event, 0, 0), state(world, event)]
        seen += [call("KeWaitForSingleObject", event, 0, 0, 0, 0), state(world, event)]
        return [*seen, call("KeResetEvent", event), call("KeReadStateEvent", event), call("KePulseEvent", event, 0, 0)]

    assert world.script(body) == [0, 0, 1, 1, 0, after, after, 0, 0]
    assert world.number(event, 1) == type_
    assert world.number(event + 8) == world.number(event + 16) == event + 8


def test_what_a_driver_writes_into_the_header_counts(world: Any) -> None:
    event = world.memory()

    def body(call: Any) -> list[int]:
        call("KeInitializeEvent", event, NOTIFICATION, 1)
        world.store(event + 4, 0, 4)  # KeClearEvent is this in older headers
        return [call("KeReadStateEvent", event), call("KeWaitForSingleObject", event, 0, 0, 0, world.memory())]

    assert world.script(body) == [0, TIMEOUT]


def test_an_event_that_the_driver_filled_in_itself_is_one(world: Any) -> None:
    event = world.memory()
    world.store(world.store(event + 8, event + 8) + 8, event + 8)
    world.store(event, SYNCHRONIZATION, 1)
    assert world.script(lambda call: [call("KeSetEvent", event, 0, 0), state(world, event)]) == [0, 1]


def test_memory_without_an_event_is_a_bugcheck(world: Any) -> None:
    address = world.memory()
    with pytest.raises(BugCheck, match=rf"bugcheck 0xa .*: KeSetEvent was given {address:#x}, where no KEVENT was initialised"):
        world.script(lambda call: call("KeSetEvent", address, 0, 0))


@pytest.mark.parametrize(
    ("interval", "least", "most"), [(-2 * MS, 2_000_000, 2_200_000), (None, 3_000_000, 3_200_000), (0, 0, 100_000)]
)
def test_a_time_out_is_relative_absolute_or_at_once(world: Any, interval: int | None, least: int, most: int) -> None:
    event, clock = world.memory(), world.system.machine

    def body(call: Any) -> tuple[int, int]:
        call("KeInitializeEvent", event, NOTIFICATION, 0)
        begin = clock.cpu.now
        due = interval if interval is not None else BOOT_TIME + begin // 100 + 3 * MS
        return call("KeWaitForSingleObject", event, 0, 0, 0, world.store(world.memory(), due)), clock.cpu.now - begin

    status, lasted = world.script(body)
    assert status == TIMEOUT and least <= lasted < most


def test_a_delay_takes_its_time(world: Any) -> None:
    def body(call: Any) -> tuple[int, int]:
        begin = world.system.machine.cpu.now
        return call("KeDelayExecutionThread", 0, 0, world.store(world.memory(), -MS)), world.system.machine.cpu.now - begin

    status, lasted = world.script(body)
    assert status == 0 and 1_000_000 <= lasted < 1_100_000


def test_a_semaphore_counts_in_its_header_and_raises_past_its_limit(world: Any) -> None:
    semaphore = world.memory()

    def body(call: Any) -> list[int]:
        call("KeInitializeSemaphore", semaphore, 1, 3)
        seen = [call("KeReleaseSemaphore", semaphore, 0, 2, 0), state(world, semaphore)]
        call("KeWaitForSingleObject", semaphore, 0, 0, 0, 0)
        return [*seen, call("KeReadStateSemaphore", semaphore), world.number(semaphore + 0x18, 4)]

    assert world.script(body) == [1, 3, 2, 3]
    with pytest.raises(BugCheck, match="KeReleaseSemaphore raises STATUS_SEMAPHORE_LIMIT_EXCEEDED"):
        world.script(lambda call: call("KeReleaseSemaphore", semaphore, 0, 2, 0))


def test_a_mutex_is_recursive_and_shows_its_owner(world: Any) -> None:
    mutex = world.memory()

    def body(call: Any) -> list[int]:
        call("KeInitializeMutex", mutex, 0)
        seen = [state(world, mutex)]
        for _ in range(2):
            call("KeWaitForSingleObject", mutex, 0, 0, 0, 0)
        seen += [call("KeReadStateMutex", mutex), world.number(mutex + 0x28) == call("KeGetCurrentThread")]
        seen += [call("KeReleaseMutex", mutex, 0) & 0xFFFF_FFFF, call("KeReleaseMutex", mutex, 0), state(world, mutex)]
        return [*seen, world.number(mutex + 0x28)]

    assert world.script(body) == [1, 0xFFFF_FFFF, True, 0xFFFF_FFFF, 0, 1, 0]


@pytest.mark.parametrize(
    ("wait_type", "set_", "status"), [(1, (1,), 1), (0, (0, 1, 2), 0), (0, (0, 1), TIMEOUT), (1, (), TIMEOUT)]
)
def test_a_wait_for_several_ends_with_any_or_all(world: Any, wait_type: int, set_: tuple[int, ...], status: int) -> None:
    events, array, now = [world.memory() for _ in range(3)], world.memory(), world.memory()
    for index, event in enumerate(events):
        world.store(array + 8 * index, event)

    def body(call: Any) -> int:
        for event in events:
            call("KeInitializeEvent", event, NOTIFICATION, 0)
        for index in set_:
            call("KeSetEvent", events[index], 0, 0)
        return call("KeWaitForMultipleObjects", 3, array, wait_type, 0, 0, 0, now, 0)

    assert world.script(body) == status


def test_four_objects_need_wait_blocks(world: Any) -> None:
    with pytest.raises(BugCheck, match=r"bugcheck 0xc .*4 objects; without a WaitBlockArray it takes 3"):
        world.script(lambda call: call("KeWaitForMultipleObjects", 4, world.memory(), 0, 0, 0, 0, 0, 0))


def test_a_dpc_runs_with_what_is_in_its_structure(world: Any) -> None:
    dpc, seen = world.memory(), []
    routine = world.function(lambda *slots: seen.append((slots, world.system.machine.cpu.irql, view.DpcData)))
    view = KDPC(world.guest.space, dpc)

    def body(call: Any) -> list[int]:
        call("KeInitializeDpc", dpc, routine, 0x77)
        old = call("KeRaiseIrqlToDpcLevel")
        found = [call("KeInsertQueueDpc", dpc, 1, 2), call("KeInsertQueueDpc", dpc, 3, 4), view.DpcData != 0, len(seen)]
        view.DeferredContext = 0x78
        call("KeLowerIrql", old)
        return [*found, view.DpcData]

    assert world.script(body) == [1, 0, True, 0, 0]
    assert seen == [((dpc, 0x78, 1, 2), 2, 0)]
    assert (view.Type, view.Importance) == (0x13, 1)


def test_a_queued_dpc_can_be_removed_and_flushed(world: Any) -> None:
    dpc, seen = world.memory(), []
    routine = world.function(lambda *_: seen.append(1))

    def body(call: Any) -> list[int]:
        call("KeInitializeThreadedDpc", dpc, routine, 0)
        call("KeRaiseIrqlToDpcLevel")
        call("KeInsertQueueDpc", dpc, 0, 0)
        removed = [call("KeRemoveQueueDpc", dpc), call("KeRemoveQueueDpcEx", dpc, 0), KDPC(world.guest.space, dpc).DpcData]
        call("KeInsertQueueDpc", dpc, 0, 0)
        call("KeLowerIrql", 0)
        call("KeFlushQueuedDpcs")
        return [*removed, len(seen)]

    assert world.script(body) == [1, 0, 0, 1]


@pytest.mark.parametrize(("number", "status"), [(1, 0), (2, 0xC000_000D)])
def test_a_dpc_runs_on_the_processor_that_it_is_for(world: Any, number: int, status: int) -> None:
    dpc, seen = world.memory(), []
    routine = world.function(lambda *_: seen.append(world.system.machine.cpu.index))
    processor = world.store(world.memory(), number << 16)

    def body(call: Any) -> int:
        call("KeInitializeDpc", dpc, routine, 0)
        call("KeSetImportanceDpc", dpc, 2)
        result = call("KeSetTargetProcessorDpcEx", dpc, processor)
        call("KeInsertQueueDpc", dpc, 0, 0)
        return result

    assert world.script(body) == status
    world.system.run()
    assert seen == [1] if not status else [0]


def test_a_target_processor_that_does_not_exist_is_a_bugcheck(world: Any) -> None:
    dpc = world.memory()

    def body(call: Any) -> None:
        call("KeInitializeDpc", dpc, 0, 0)
        call("KeSetTargetProcessorDpc", dpc, 9)

    with pytest.raises(BugCheck, match=r"bugcheck 0xc7 TIMER_OR_DPC_INVALID \(0x3, 0x9"):
        world.script(body)


@pytest.mark.parametrize("type_", [NOTIFICATION, SYNCHRONIZATION])
def test_a_timer_signals_itself_and_queues_its_dpc(world: Any, type_: int) -> None:
    timer, dpc, seen = world.memory(), world.memory(), []
    routine = world.function(lambda *slots: seen.append(slots[1]))

    def body(call: Any) -> list[int]:
        call("KeInitializeTimerEx", timer, type_)
        call("KeInitializeDpc", dpc, routine, 0x55)
        found = [call("KeSetTimer", timer, -MS, dpc), call("KeReadStateTimer", timer), call("KeCancelTimer", timer)]
        found += [call("KeSetTimerEx", timer, -MS, 0, dpc), call("KeSetCoalescableTimer", timer, -2 * MS, 0, 0, dpc)]
        return [*found, call("KeWaitForSingleObject", timer, 0, 0, 0, 0), call("KeReadStateTimer", timer)]

    assert world.script(body) == [0, 0, 1, 0, 1, 0, 1 - type_]
    world.system.run()
    assert seen == [0x55]
    assert world.number(timer, 1) == 8 + type_ and KTIMER(world.guest.space, timer).Dpc == dpc


def test_a_periodic_timer_expires_again_and_again_until_it_is_cancelled(world: Any) -> None:
    timer, dpc, seen = world.memory(), world.memory(), []
    routine = world.function(lambda *_: seen.append(world.system.machine.cpu.now))

    def body(call: Any) -> int:
        call("KeInitializeTimer", timer)
        call("KeInitializeDpc", dpc, routine, 0)
        call("KeSetTimerEx", timer, -MS, 2, dpc)
        call("KeDelayExecutionThread", 0, 0, world.store(world.memory(), -6 * MS))
        return call("KeCancelTimer", timer)

    assert world.script(body) == 1
    assert len(seen) == 3


def test_a_timer_that_is_set_may_not_be_initialised(world: Any) -> None:
    timer = world.memory()

    def body(call: Any) -> None:
        call("KeInitializeTimer", timer)
        call("KeSetTimer", timer, -MS, 0)
        call("KeInitializeTimer", timer)

    with pytest.raises(BugCheck, match=rf"bugcheck 0xc7 TIMER_OR_DPC_INVALID \(0x0, {timer:#x}.* is initialised while it is set"):
        world.script(body)


@pytest.mark.parametrize(("period", "calls"), [(0, 1), (10 * MS, 3)])
def test_an_ex_timer_calls_back_at_dispatch_level(world: Any, period: int, calls: int) -> None:
    seen: list[tuple[int, ...]] = []
    callback = world.function(lambda timer, context: seen.append((timer, context, world.system.machine.cpu.irql)), 2)

    def body(call: Any) -> list[int]:
        timer = call("ExAllocateTimer", callback, 0x99, 0)
        found = [call("ExSetTimer", timer, -MS, period, 0)]
        call("KeDelayExecutionThread", 0, 0, world.store(world.memory(), -25 * MS))
        call("ExCancelTimer", timer, 0)
        return [timer, *found, call("ExDeleteTimer", timer, 1, 1, 0)]

    timer, was, deleted = world.script(body)
    assert (was, deleted) == (0, 0)
    assert seen == [(timer, 0x99, 2)] * calls

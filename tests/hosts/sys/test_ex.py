"""Look-aside lists, interlocked lists, fast mutexes, run-down protection, resources, work items."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.nt_structs import FAST_MUTEX, NPAGED_LOOKASIDE_LIST, SLIST_HEADER, WORK_QUEUE_ITEM
from dirql.hosts.sys.pool import Pool
from dirql.kernel.stop import BugCheck, Hang

TAG = int.from_bytes(b"Look", "little")
NX = 0x200


@pytest.mark.parametrize(
    ("kind", "arguments", "type_"),
    [
        ("NPaged", (NX, 40, TAG, 0), NX),
        ("NPaged", (0, 40, TAG, 0), 0),
        ("Paged", (0, 40, TAG, 0), 1),
        ("Ex", (NX, 0, 40, TAG, 0), NX),
    ],
)
def test_a_look_aside_list_gives_blocks_of_its_size_from_its_pool(
    world: Any, kind: str, arguments: tuple[int, ...], type_: int
) -> None:
    list_ = world.memory(0x80)
    name = "LookasideListEx" if kind == "Ex" else f"{kind}LookasideList"

    def body(call: Any) -> int:
        call(f"ExInitialize{name}", list_, 0, 0, *arguments)
        view = NPAGED_LOOKASIDE_LIST(world.guest.space, list_).L
        assert (view.Type, view.Size, view.Tag, view.Depth) == (type_, 40, TAG, 0)
        block = world.guest.call(view.Allocate, view.Type, view.Size, view.Tag)  # as the inlined routine does it
        found = world.guest.part(Pool).blocks[block].size
        world.guest.call(view.Free, block)
        call(f"ExDelete{name}", list_)
        return found

    assert world.script(body) == 40
    assert not world.guest.part(Pool).blocks


def test_a_look_aside_list_calls_the_drivers_own_routines(world: Any) -> None:
    list_, given = world.memory(0x80), world.memory(0x40)
    log: list[tuple[int, ...]] = []
    allocate = world.function(lambda *a: log.append(a) or given, 3)
    free = world.function(lambda *a: log.append(a), 1)

    def body(call: Any) -> int:
        call("ExInitializeNPagedLookasideList", list_, allocate, free, 0, 40, TAG, 0)
        block = call("ExAllocateFromNPagedLookasideList", list_)
        call("ExFreeToNPagedLookasideList", list_, block)
        return block

    assert world.script(body) == given
    assert log == [(0, 40, TAG), (given,)]


def test_an_slist_is_last_in_first_out_and_counts(world: Any) -> None:
    head, entries = world.memory(), [world.memory(16) & ~15 for _ in range(3)]
    view = SLIST_HEADER(world.guest.space, head).HeaderX64

    def body(call: Any) -> list[int]:
        call("InitializeSListHead", head)
        before = [call("ExpInterlockedPushEntrySList", head, entry) for entry in entries]
        seen = [call("ExQueryDepthSList", head), view.Depth, view.NextEntry << 4]
        popped = [call("ExpInterlockedPopEntrySList", head), call("ExpInterlockedFlushSList", head)]
        return [*before, *seen, *popped, call("ExpInterlockedPopEntrySList", head), call("ExQueryDepthSList", head)]

    a, b, c = entries
    assert world.script(body) == [0, a, b, 3, 3, c, c, b, 0, 0]


def test_interlocked_lists_link_as_the_macros_do(world: Any) -> None:
    head, lock, a, b = (world.memory() for _ in range(4))
    for half in (0, 8):
        world.store(head + half, head)

    def body(call: Any) -> list[int]:
        seen = [call("ExInterlockedInsertTailList", head, a, lock), call("ExInterlockedInsertHeadList", head, b, lock)]
        seen += [world.number(head), world.number(head + 8), world.number(b), world.number(a + 8)]
        return seen + [call("ExInterlockedRemoveHeadList", head, lock) for _ in range(3)]

    assert world.script(body) == [0, a, b, a, a, b, b, a, 0]
    assert world.number(head) == world.number(head + 8) == head and world.number(lock) == 0


def test_single_lists_and_numbers_with_a_lock(world: Any) -> None:
    head, lock, entry, number = (world.memory() for _ in range(4))
    world.store(number, 0xFFFF_FFFF)

    def body(call: Any) -> list[int]:
        seen = [call("ExInterlockedPushEntryList", head, entry, lock), call("ExInterlockedPopEntryList", head, lock)]
        seen += [
            call("ExInterlockedPopEntryList", head, lock),
            call("ExInterlockedAddUlong", number, 2, lock),
            world.number(number),
        ]
        return [*seen, call("ExInterlockedAddLargeInteger", number, 1 << 40, lock), world.number(number)]

    assert world.script(body) == [0, entry, 0, 0xFFFF_FFFF, 1, 1, 1 << 40 | 1]


def fast_mutex(world: Any) -> int:
    mutex = world.memory()
    world.store(mutex, 1, 4)  # as the inlined ExInitializeFastMutex leaves it
    return int(mutex)


@pytest.mark.parametrize(
    ("acquire", "release", "irql"),
    [("ExAcquireFastMutex", "ExReleaseFastMutex", 1), ("ExTryToAcquireFastMutex", "ExReleaseFastMutex", 1),
     ("ExAcquireFastMutexUnsafe", "ExReleaseFastMutexUnsafe", 0), ("KeAcquireGuardedMutex", "KeReleaseGuardedMutex", 0),
     ("KeTryToAcquireGuardedMutex", "KeReleaseGuardedMutex", 0),
     ("KeAcquireGuardedMutexUnsafe", "KeReleaseGuardedMutexUnsafe", 0)],
)  # fmt: skip
def test_a_fast_mutex_shows_count_and_owner_and_sets_its_irql(world: Any, acquire: str, release: str, irql: int) -> None:
    mutex = fast_mutex(world)
    view = FAST_MUTEX(world.guest.space, mutex)

    def body(call: Any) -> list[Any]:
        call(acquire, mutex)
        seen = [
            call("KeGetCurrentIrql"),
            view.Count,
            view.Owner == call("KeGetCurrentThread"),
            call("ExTryToAcquireFastMutex", mutex),
        ]
        call(release, mutex)
        return [*seen, call("KeGetCurrentIrql"), view.Count, view.Owner]

    assert world.script(body) == [irql, 0, True, 0, 0, 1, 0]


def test_a_fast_mutex_is_not_recursive(world: Any) -> None:
    mutex = world.memory()

    def body(call: Any) -> None:
        call("KeInitializeGuardedMutex", mutex)
        call("ExAcquireFastMutex", mutex)
        call("ExAcquireFastMutex", mutex)

    with pytest.raises(
        Hang, match=r"hang \(deadlock\): .* acquires the fast mutex at .*, which it has already; a fast mutex is not recursive"
    ):
        world.script(body)


def test_run_down_protection_counts_in_the_drivers_memory(world: Any) -> None:
    rundown = world.memory()

    def body(call: Any) -> list[int]:
        call("ExInitializeRundownProtection", rundown)
        seen = [
            call("ExAcquireRundownProtection", rundown),
            call("ExAcquireRundownProtectionEx", rundown, 2),
            world.number(rundown),
        ]
        call("ExReleaseRundownProtectionEx", rundown, 2)
        call("ExReleaseRundownProtection", rundown)
        call("ExWaitForRundownProtectionRelease", rundown)
        seen += [call("ExAcquireRundownProtection", rundown), world.number(rundown)]
        call("ExRundownCompleted", rundown)
        call("ExReInitializeRundownProtection", rundown)
        return [*seen, call("ExAcquireRundownProtection", rundown)]

    assert world.script(body) == [1, 1, 6, 0, 1, 1]


def test_a_resource_is_owned_exclusively_or_shared(world: Any) -> None:
    resource = world.memory()

    def body(call: Any) -> list[int]:
        seen = [call("ExInitializeResourceLite", resource), call("ExAcquireResourceExclusiveLite", resource, 1)]
        seen += [call("ExAcquireResourceSharedLite", resource, 1), call("ExIsResourceAcquiredExclusiveLite", resource)]
        seen += [call("ExIsResourceAcquiredSharedLite", resource)]
        call("ExReleaseResourceLite", resource)
        call("ExConvertExclusiveToSharedLite", resource)
        seen += [call("ExIsResourceAcquiredExclusiveLite", resource), call("ExAcquireSharedStarveExclusive", resource, 0)]
        call("ExReleaseResourceLite", resource)
        call("ExReleaseResourceLite", resource)
        call("ExEnterCriticalRegionAndAcquireResourceExclusive", resource)
        seen += [call("KeAreApcsDisabled")]
        call("ExReleaseResourceAndLeaveCriticalRegion", resource)
        return [*seen, call("KeAreApcsDisabled"), call("ExDeleteResourceLite", resource)]

    assert world.script(body) == [0, 1, 1, 1, 2, 0, 1, 1, 0, 0]
    with pytest.raises(BugCheck, match=r"bugcheck 0xa .* where no ERESOURCE was initialised"):
        world.script(lambda call: call("ExReleaseResourceLite", resource))


def test_a_work_item_runs_at_passive_level_and_can_be_queued_again(world: Any) -> None:
    item, seen = world.memory(), []
    view = WORK_QUEUE_ITEM(world.guest.space, item)
    routine = world.function(lambda parameter: seen.append((parameter, world.system.machine.cpu.irql, view.List.Flink)), 1)
    view.WorkerRoutine, view.Parameter = routine, 0x66
    for _ in range(2):
        world.script(lambda call: call("ExQueueWorkItem", item, 1))
        world.system.run()
    assert seen == [(0x66, 0, 0)] * 2


def test_a_work_item_that_is_queued_may_not_be_queued(world: Any) -> None:
    item = world.memory()

    def body(call: Any) -> None:
        call("ExQueueWorkItem", item, 1)
        call("ExQueueWorkItem", item, 1)

    with pytest.raises(BugCheck, match=rf"bugcheck 0xe4 .*\(0x1, {item:#x}"):
        world.script(body)


def test_uuids_differ_and_are_the_same_in_every_run(world: Any) -> None:
    first, second = world.memory(), world.memory()
    assert world.script(lambda call: [call("ExUuidCreate", first), call("ExUuidCreate", second)]) == [0, 0]
    assert world.number(first, 16) != world.number(second, 16)
    assert world.number(first + 7, 1) >> 4 == 4 and world.number(first + 8, 1) >> 6 == 2


def test_a_device_queue_is_busy_until_it_is_empty_and_sorts_by_key(world: Any) -> None:
    queue, *entries = (world.memory() for _ in range(5))

    def body(call: Any) -> list[int]:
        call("KeInitializeDeviceQueue", queue)
        seen = [call("KeInsertDeviceQueue", queue, entries[0])]
        keys = zip(entries[1:], (30, 10, 20), strict=True)
        seen += [call("KeInsertByKeyDeviceQueue", queue, entry, key) for entry, key in keys]
        seen += [call("KeRemoveEntryDeviceQueue", queue, entries[3]), call("KeRemoveEntryDeviceQueue", queue, entries[3])]
        seen.append(call("KeRemoveByKeyDeviceQueue", queue, 20))
        seen += [call("KeRemoveDeviceQueue", queue), call("KeRemoveDeviceQueue", queue)]
        return [*seen, call("KeInsertDeviceQueue", queue, entries[0])]

    assert world.script(body) == [0, 1, 1, 1, 1, 0, entries[1], entries[2], 0, 0]

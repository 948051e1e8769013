"""Fast mutexes, resources, run-down protection, and what a spin lock does besides."""

from __future__ import annotations

from types import ModuleType

import pytest

from dirql.kernel import BugCheck, FastMutex, Hang, Resource, Rundown, SpinLock


def test_a_fast_mutex_lets_one_thread_in_at_apc_level(world: ModuleType) -> None:
    w = world.World(2)
    mutex = FastMutex(w.kernel, "the mutex")

    def work(name: str) -> None:
        mutex.acquire()
        w.log.append((name, w.cpu.irql))
        w.stall(20)
        w.log.append((name, "out"))
        mutex.release()
        assert w.cpu.irql == 0

    for index, name in enumerate("ab"):
        w.thread(lambda name=name: work(name), index, name)
    w.run()
    assert w.log == [("a", 1), ("a", "out"), ("b", 1), ("b", "out")]


def test_a_fast_mutex_is_tried_guarded_and_not_recursive(world: ModuleType) -> None:
    w = world.World(1)
    mutex = FastMutex(w.kernel, "the mutex")

    def work() -> list[bool]:
        seen = [mutex.try_to_acquire(), mutex.try_to_acquire_guarded()]
        mutex.release()
        mutex.acquire_guarded()
        seen.append(w.cpu.thread.guarded_region == 1)
        mutex.release_guarded()
        mutex.acquire_unsafe()
        mutex.release_unsafe()
        return seen

    assert w.run_thread(work) == [True, False, True]
    w.run_thread(mutex.release_unsafe, name="who has it not")
    assert [f.sentence for f in w.machine.findings.values()] == ["who has it not releases the mutex, which nobody holds"]
    w.thread(lambda: mutex.acquire() or mutex.acquire(), name="one")
    with pytest.raises(
        Hang, match=r"^hang .deadlock.: one acquires the mutex, which it has already; a fast mutex is not recursive$"
    ):
        w.run()


@pytest.mark.parametrize(("starve", "order"), [(False, ["writer", "reader"]), (True, ["reader", "writer"])])
def test_a_reader_waits_behind_writers_unless_it_starves_them(world: ModuleType, starve: bool, order: list[str]) -> None:
    w = world.World(3)
    resource = Resource(w.kernel)

    def hold() -> None:
        resource.acquire_shared()
        w.stall(100)
        resource.release()

    def write() -> None:
        w.stall(10)
        resource.acquire_exclusive()
        w.log.append("writer")
        resource.release()

    def read() -> None:
        w.stall(20)
        (resource.acquire_shared_starve_exclusive if starve else resource.acquire_shared)()
        w.log.append("reader")
        resource.release()

    for index, routine in enumerate((hold, write, read)):
        w.thread(routine, index)
    w.run()
    assert w.log == order and not resource.owners


def test_a_resource_is_recursive_converts_and_refuses_a_release_too_many(world: ModuleType) -> None:
    w = world.World(1)
    resource = Resource(w.kernel, "the resource")

    def work() -> list[object]:
        seen: list[object] = [resource.acquire_exclusive(), resource.acquire_exclusive(False), resource.acquire_shared()]
        seen += [resource.is_acquired_exclusive(), resource.is_acquired_shared()]
        resource.convert_to_shared()
        for _ in range(3):
            resource.release()
        return [*seen, resource.is_acquired_exclusive()]

    assert w.run_thread(work) == [True, True, True, True, 3, False]
    w.thread(resource.release, name="one")
    with pytest.raises(BugCheck, match=r"bugcheck 0xe3 .*: one releases the resource, which it does not have"):
        w.run()


def test_a_resource_that_is_taken_is_refused_to_who_may_not_wait(world: ModuleType) -> None:
    w = world.World(2)
    resource = Resource(w.kernel)
    w.thread(lambda: (resource.acquire_exclusive() and w.stall(50)) or resource.release(), 0)
    w.thread(lambda: w.stall(10) or w.log.append((resource.acquire_shared(False), resource.acquire_exclusive(False))), 1)
    w.run()
    assert w.log == [(False, False)]


def test_run_down_waits_for_every_holder_and_lets_no_new_one_in(world: ModuleType) -> None:
    w = world.World(2)
    rundown = Rundown(w.kernel)

    def hold() -> None:
        assert rundown.acquire(2)
        w.stall(50)
        w.log.append(rundown.acquire())
        rundown.release()
        w.stall(50)
        w.log.append("released")
        rundown.release()

    w.thread(hold, 0)
    w.thread(lambda: w.stall(10) or rundown.wait_for_release() or w.log.append("run down"), 1)
    w.run()
    assert w.log == [False, "released", "run down"]
    assert w.run_thread(lambda: [rundown.acquire(), rundown.completed(), rundown.reinitialize(), rundown.acquire()]) == [
        False, None, None, True,
    ]  # fmt: skip
    w.run_thread(lambda: rundown.release(5))
    assert [f.rule for f in w.machine.findings.values()] == ["rundown-over-released"] and rundown.count == 0


def test_a_spin_lock_is_queued_tried_tested_and_taken_with_interrupts_off(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel)

    def work() -> list[object]:
        old = lock.acquire_in_stack_queued()
        seen: list[object] = [old, w.cpu.irql, lock.try_to_acquire_at_dpc_level(), lock.test()]
        lock.release_in_stack_queued(old)
        seen += [w.cpu.irql, lock.interlocked(lambda: (w.cpu.irql, lock.owner is w.cpu)), w.cpu.irql, lock.test()]
        w.kernel.ke_raise_irql_to_dpc_level()
        lock.acquire_in_stack_queued_at_dpc_level()
        lock.release_in_stack_queued_from_dpc_level()
        seen.append(lock.try_to_acquire_at_dpc_level())
        lock.release_from_dpc_level()
        w.kernel.ke_lower_irql(0)
        return seen

    assert w.run_thread(work) == [0, 2, False, False, 0, (15, True), 0, True, True]

"""Rules of locks: what is still held when a callback returns, orders that contradict each other, and a lock held too low."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from dirql import wdf
from dirql.kernel import FastMutex, SpinLock
from dirql.kernel.stop import BugCheck, Hang

Acquire = Callable[[Any], tuple[str, Callable[[], Any], Callable[[], Any]]]


def told(w: Any, rule: str) -> list[str]:
    """The sentences of that rule."""
    return [finding.sentence for finding in w.machine.findings.values() if finding.rule == rule]


def spin_lock(w: Any) -> tuple[str, Callable[[], Any], Callable[[], Any]]:
    lock = wdf.SpinLock.create(w.device)
    return lock.name, lock.acquire, lock.release


def wait_lock(w: Any) -> tuple[str, Callable[[], Any], Callable[[], Any]]:
    lock = wdf.WaitLock.create(w.device)
    return lock.name, lock.acquire, lock.release


def fast_mutex(w: Any) -> tuple[str, Callable[[], Any], Callable[[], Any]]:
    mutex = FastMutex(w.kernel, "the list's mutex")
    return mutex.name, mutex.acquire, mutex.release


def interrupt_lock(w: Any) -> tuple[str, Callable[[], Any], Callable[[], Any]]:
    interrupt = w.interrupts[0]
    return "lock of interrupt0", interrupt.acquire_lock, interrupt.release_lock


KINDS: list[Acquire] = [spin_lock, wait_lock, fast_mutex, interrupt_lock]
IDS = [kind.__name__ for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_a_callback_that_keeps_a_lock_is_found(World: Any, kind: Acquire) -> None:
    w = World().started()
    name, acquire, _ = w.call(kind, w)
    w.during("SmIoSuspend", acquire)
    w.system.remove(w.card)
    kept = f"EvtDeviceSelfManagedIoSuspend returns and still holds {name}; release it on every way out"
    assert told(w.system, "lock-held-at-return") == [kept]


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_a_callback_that_gives_its_lock_back_is_silent(World: Any, kind: Acquire) -> None:
    w = World().started()
    _, acquire, release = w.call(kind, w)
    w.during("SmIoSuspend", lambda: (acquire(), release())[1])
    w.system.remove(w.card)
    assert w.findings == []


@pytest.mark.parametrize(("event", "who"), [(("Dpc", 0), "the DPC interrupt0.dpc"), (("Isr", 0), "the ISR of interrupt0")])
def test_a_dpc_and_an_isr_that_keep_a_lock_are_found(World: Any, event: Any, who: str) -> None:
    w = World().started()
    lock = SpinLock(w.kernel, "ring lock")
    w.during(event, lambda interrupt: lock.acquire_at_dpc_level())
    w.fire(0)
    assert told(w.system, "lock-held-at-return") == [f"{who} returns and still holds ring lock; release it on every way out"]


def test_a_dpc_that_keeps_its_interrupts_lock_is_found_with_the_irql_that_comes_of_it(World: Any) -> None:
    w = World().started()
    w.during(("Dpc", 0), lambda interrupt: interrupt.acquire_lock())
    w.fire(0)
    sentence = "the DPC interrupt0.dpc returns and still holds lock of interrupt0; release it on every way out"
    assert told(w.system, "lock-held-at-return") == [sentence]
    assert told(w.system, "irql-changed") == ["interrupt0.dpc returned at IRQL 5, not DISPATCH_LEVEL"]


def test_a_thread_and_a_work_item_that_keep_a_lock_are_found(World: Any) -> None:
    w = World().started()
    mutexes = [FastMutex(w.kernel, name) for name in ("a", "b", "c")]
    item = w.call(lambda: wdf.WorkItem.create(w.device, wdf.WorkItemConfig(lambda item: mutexes[0].acquire_guarded())))
    w.call(item.enqueue)
    w.kernel.work.queue(lambda context: mutexes[1].acquire_guarded(), None)
    w.system.run()
    w.call(lambda: mutexes[2].acquire_guarded())
    who = ["EvtWorkItem returns and still holds a", "a work item's routine returns and still holds b",
           "thread <lambda> returns and still holds c"]  # fmt: skip
    assert told(w.system, "lock-held-at-return") == [f"{one}; release it on every way out" for one in who]


@pytest.mark.parametrize(
    ("event", "routine", "sentence"),
    [
        ("SmIoSuspend", "enter_critical_region",
         "EvtDeviceSelfManagedIoSuspend returns inside of a critical region that it entered; leave it on every way out"),
        ("SmIoSuspend", "enter_guarded_region",
         "EvtDeviceSelfManagedIoSuspend returns inside of a guarded region that it entered; leave it on every way out"),
    ],
)  # fmt: skip
def test_a_region_that_was_entered_and_not_left_is_found(World: Any, event: str, routine: str, sentence: str) -> None:
    w = World().started()
    w.during(event, lambda: getattr(w.kernel.ke_get_current_thread(), routine)())
    w.system.remove(w.card)
    assert told(w.system, "lock-held-at-return") == [sentence]


def test_under_the_kmdf_verifier_a_critical_region_is_bugcheck_10d_f(World: Any) -> None:
    w = World(kmdf=True).started()
    w.during("SmIoSuspend", lambda: w.kernel.ke_get_current_thread().enter_critical_region())
    w.system.remove(w.card)
    stop = w.system.stopped
    assert isinstance(stop, BugCheck) and (stop.code, stop.parameters[0]) == (0x10D, 0xF)


def test_locks_in_two_orders_are_found_although_nothing_hung(world: ModuleType) -> None:
    w = world.World(1)
    a, b = SpinLock(w.kernel, "a"), SpinLock(w.kernel, "b")

    def nested(outer: SpinLock, inner: SpinLock) -> None:
        before = outer.acquire()
        inner.acquire_at_dpc_level()
        inner.release_from_dpc_level()
        outer.release(before)

    w.run_thread(lambda: nested(a, b), name="first")
    assert told(w, "lock-order") == []
    w.run_thread(lambda: nested(b, a), name="second")
    w.run_thread(lambda: nested(b, a), name="second")
    (sentence,) = told(w, "lock-order")
    here, _, there = sentence.partition(", but ")
    assert here.startswith("a is taken while b is held (cpu0, second, test_lock_rules.py:")
    assert there.startswith("b is taken while a is held (cpu0, first, test_lock_rules.py:")
    assert there.endswith("): who does so at once waits for ever; take them in one order")


def test_a_circle_of_three_locks_names_every_pair(world: ModuleType) -> None:
    w = world.World(1)
    locks = [FastMutex(w.kernel, name) for name in "abc"]

    def nested(outer: FastMutex, inner: FastMutex) -> None:
        outer.acquire()
        inner.acquire()
        inner.release()
        outer.release()

    for index in range(3):
        w.run_thread(lambda index=index: nested(locks[index], locks[(index + 1) % 3]))
    (sentence,) = told(w, "lock-order")
    pairs = [part.partition(" (")[0] for part in sentence.split(", but ")]
    assert pairs == ["a is taken while c is held", "b is taken while a is held", "c is taken while b is held"]


@pytest.mark.parametrize("first", ["ab", "abc", "bc"])
def test_locks_in_one_order_are_silent(world: ModuleType, first: str) -> None:
    w = world.World(1)
    locks = {name: FastMutex(w.kernel, name) for name in "abc"}

    def nested(names: str) -> None:
        for name in names:
            locks[name].acquire_guarded()
        for name in names:  # in whichever order they are given back
            locks[name].release_guarded()

    for names in (first, "ab", "bc", "ac", "abc"):
        w.run_thread(lambda names=names: nested(names))
    assert told(w, "lock-order") == told(w, "lock-held-at-return") == []


def test_what_is_only_tried_for_has_no_order(world: ModuleType) -> None:
    w = world.World(1)
    a, b = SpinLock(w.kernel, "a"), SpinLock(w.kernel, "b")

    def tries(outer: SpinLock, inner: SpinLock) -> None:
        before = outer.acquire()
        if inner.try_to_acquire_at_dpc_level():
            inner.release_from_dpc_level()
        outer.release(before)

    w.run_thread(lambda: tries(a, b))
    w.run_thread(lambda: tries(b, a))
    assert list(w.machine.findings) == []


def test_the_interrupts_lock_takes_part_in_the_order(World: Any) -> None:
    w = World(1, cpus=2).started()
    wait = w.call(lambda: wdf.WaitLock.create(w.device))
    ring = SpinLock(w.kernel, "ring lock")
    rings = SpinLock(w.kernel, "rings lock")

    def isr(interrupt: Any) -> None:
        ring.acquire_at_dpc_level()
        ring.release_from_dpc_level()

    def thread() -> None:
        wait.acquire()
        old = w.kernel.ke_raise_irql(w.interrupts[0].synchronize_irql)
        ring.acquire_at_dpc_level()
        w.interrupts[0].acquire_lock()
        w.interrupts[0].release_lock()
        ring.release_from_dpc_level()
        rings.acquire_at_dpc_level()
        rings.release_from_dpc_level()
        w.kernel.ke_lower_irql(old)
        wait.release()

    w.during(("Isr", 0), isr)
    w.fire(0)
    w.call(thread)
    (sentence,) = told(w.system, "lock-order")
    assert sentence.startswith("lock of interrupt0 is taken while ring lock is held (cpu")
    assert ", but ring lock is taken while lock of interrupt0 is held (cpu" in sentence


def test_a_spin_lock_of_an_isr_that_is_held_lower_is_found(World: Any) -> None:
    w = World(1).started()
    lock = SpinLock(w.kernel, "ring lock")

    def take(interrupt: Any) -> None:
        lock.acquire_at_dpc_level()
        lock.release_from_dpc_level()

    w.during(("Isr", 0), take)
    w.during(("Dpc", 0), take)
    w.fire(0)
    (sentence,) = told(w.system, "lock-irql")
    irql = w.interrupts[0].synchronize_irql
    assert f" at DIRQL {irql} and by cpu" in sentence and sentence.startswith("ring lock is taken by cpu")
    tail = f"the processor then waits for itself; hold it at DIRQL {irql} everywhere"
    assert sentence.endswith(f" at DISPATCH_LEVEL, where that can interrupt: {tail}")


def test_a_lock_below_the_interrupts_lock_that_is_held_lower_is_found(World: Any) -> None:
    w = World(1).started()
    lock = SpinLock(w.kernel, "ring lock")

    def take(*_: Any) -> bool:
        lock.acquire_at_dpc_level()
        lock.release_from_dpc_level()
        return True

    w.during(("Dpc", 0), take)
    w.call(lambda: w.interrupts[0].synchronize(take))
    assert told(w.system, "lock-irql") == []
    w.fire(0)
    assert len(told(w.system, "lock-irql")) == 1


def test_the_lock_of_a_connected_interrupt_taken_at_dispatch_level_is_found(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel, "device lock")
    w.run_thread(lambda: lock.release(lock.acquire()))  # nobody interrupts yet
    w.connect(lambda i, c: True, lock=lock, name="rx")
    assert told(w, "lock-irql") == []
    w.run_thread(lambda: lock.release(lock.acquire()), name="opener")
    (sentence,) = told(w, "lock-irql")
    assert sentence.startswith("device lock is taken by the ISR of rx at DIRQL 5 and by cpu0, opener, test_lock_rules.py:")


def test_the_interrupts_lock_from_everywhere_is_silent(World: Any) -> None:
    w = World(2).started()

    def take(interrupt: Any) -> None:
        interrupt.acquire_lock()
        interrupt.release_lock()

    w.during(("Dpc", 0), take)
    w.during(("Dpc", 1), take)
    w.fire(0, 1)
    w.call(take, w.interrupts[0])
    w.call(lambda: w.interrupts[1].synchronize(lambda interrupt, context: True))
    assert w.findings == []


def test_under_driver_verifier_a_spin_lock_taken_twice_is_bugcheck_f(world: ModuleType) -> None:
    w = world.World(1)
    w.kernel.driver_verifier = True
    lock = SpinLock(w.kernel, "ring lock")
    with pytest.raises(BugCheck) as error:
        w.run_thread(lambda: (lock.acquire(), lock.acquire()))
    why = "cpu0 waits for ring lock, which cpu0 holds: a spin lock is not recursive"
    assert (error.value.code, error.value.why) == (0xF, why)


def test_an_isr_that_interrupts_the_holder_is_a_deadlock_that_says_so(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel, "ring lock")
    w.connect(lambda i, c: lock.acquire_at_dpc_level(), name="rx")
    w.aim(0, 0x51, 0)
    w.at(20_000, lambda: w.card.fire(0))
    held = "at DISPATCH_LEVEL in what it interrupted: hold it at DIRQL 5 everywhere"
    with pytest.raises(Hang, match=f"^hang \\(deadlock\\): cpu0 waits for ring lock, which cpu0 holds {held}$"):
        w.run_thread(lambda: (lock.acquire(), w.stall(100)))

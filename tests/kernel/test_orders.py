"""Whatever the order, these hold: counted fates, mutual exclusion, no lost wake-up, one queue per DPC, nesting by IRQL."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.kernel import Event, EventType, Kdpc, Ktimer, Mutex, Semaphore, SpinLock
from dirql.machine import RandomChooser

SEEDS = st.integers(0, 1 << 30)
few = settings(max_examples=12)


def guarded(w: Any, inside: list[Any], microseconds: int = 1) -> None:
    """What must never be entered twice."""
    assert not inside
    inside.append(w.cpu.index)
    w.stall(microseconds)
    inside.clear()


@few
@given(SEEDS, st.integers(1, 4), st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_every_message_has_one_fate(world: ModuleType, seed: int, cpus: int, fired: list[int]) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    everybody = range(cpus)
    interrupts = []
    for entry, vector in enumerate((0x51, 0x52, 0x72, 0x93)):
        w.aim(entry, vector, *everybody, lowest=bool(entry % 2))
        if entry != 3:
            interrupts.append(w.connect(lambda i, c: w.stall(1) or True, vector, everybody))
    for time, entry in enumerate(fired):
        w.at(400 * time, lambda entry=entry: w.card.fire(entry))
    w.run_thread(lambda: (w.stall(3), w.kernel.interrupts.disconnect(interrupts[0])))
    fates = w.card.fates
    assert [fate.sent for fate in fates] == [fired.count(entry) for entry in range(4)]
    assert all(fate.balanced for fate in fates)
    assert all(cpu.apic.irr == cpu.apic.isr == 0 and cpu.irql == 0 for cpu in w.machine.cpus)
    for entry, interrupt in enumerate(interrupts):
        one_target = entry % 2 or cpus == 1
        assert interrupt.count == fates[entry].delivered if one_target else interrupt.count >= fates[entry].delivered


@few
@given(SEEDS, st.integers(2, 4))
def test_an_interrupt_lock_excludes_on_every_processor(world: ModuleType, seed: int, cpus: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    inside: list[int] = []
    shared = SpinLock(w.kernel, "shared")
    everybody = range(cpus)

    def isr(interrupt: Any, context: Any) -> bool:
        guarded(w, inside)
        return True

    a = w.connect(isr, 0x51, everybody, lock=shared, synchronize_irql=7)
    b = w.connect(isr, 0x71, everybody, lock=shared, synchronize_irql=7)
    w.aim(0, 0x51, *everybody)
    w.aim(1, 0x71, *everybody, lowest=True)
    for time in range(3):
        w.at(1_000 * time, lambda: (w.card.fire(0), w.card.fire(1)))
    for _ in everybody:
        w.thread(lambda: a.synchronize_execution(lambda c: guarded(w, inside) or True, None))
    w.run()
    assert a.count and b.count and shared.owner is None and not shared.waiters


@few
@given(SEEDS, st.integers(2, 4))
def test_a_spin_lock_excludes_and_everybody_gets_it(world: ModuleType, seed: int, cpus: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    lock, inside = SpinLock(w.kernel), []

    def routine(dpc: Kdpc, context: Any, a: Any, b: Any) -> None:
        lock.acquire_at_dpc_level()
        guarded(w, inside)
        lock.release_from_dpc_level()

    dpc = Kdpc(w.kernel, routine, None)
    w.connect(lambda i, c: dpc.insert() or True, 0x51, range(cpus))
    w.aim(0, 0x51, *range(cpus), lowest=True)

    def work() -> None:
        for _ in range(3):
            lock.acquire()
            guarded(w, inside)
            lock.release()
        w.log.append("done")

    for _ in range(cpus + 1):
        w.thread(work)
    for time in range(3):
        w.at(2_000 * time, lambda: w.card.fire(0))
    w.run()
    assert len(w.log) == cpus + 1 and lock.owner is None
    w.kernel.refuse_to_hang()


@few
@given(SEEDS, st.integers(1, 3), st.integers(1, 4))
def test_producers_and_consumers_lose_no_wake_up(world: ModuleType, seed: int, cpus: int, consumers: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    items, guard = Semaphore(w.kernel, 0, 100), Mutex(w.kernel)
    inside: list[int] = []

    def consume() -> None:
        for _ in range(4):
            w.kernel.ke_wait_for_single_object(items)
            w.kernel.ke_wait_for_single_object(guard)
            guarded(w, inside)
            w.log.append("item")
            guard.release()

    def produce() -> None:
        for _ in range(2 * consumers):
            items.release()

    for _ in range(consumers):
        w.thread(consume, name="consumer")
    for _ in range(2):
        w.thread(produce, name="producer")
    w.run()
    assert w.kernel.stuck_threads() == [] and len(w.log) == 4 * consumers and items.count == 0


@few
@given(SEEDS, st.integers(1, 3))
def test_a_wait_that_races_with_its_time_out_ends_once(world: ModuleType, seed: int, cpus: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    event = Event(w.kernel, EventType.SynchronizationEvent)
    got: list[int] = []

    def wait(turn: int) -> None:
        got.append(w.kernel.ke_wait_for_single_object(event, 7_000 + 700 * turn))
        w.kernel.ke_delay_execution_thread(1_000)

    waiters = [w.thread(lambda turn=turn: wait(turn)) for turn in range(4)]
    w.thread(lambda: [(w.stall(1), event.set()) for _ in range(4)])
    w.run()
    assert all(thread.finished for thread in waiters) and len(got) == 4
    assert not event.waiters and not w.kernel.dispatcher.ready
    assert set(got) <= {0, 0x102} and got.count(0) + event.state <= 4


@few
@given(SEEDS, st.integers(1, 4))
def test_a_dpc_is_in_one_queue_at_most_and_runs_once_for_each_insert(world: ModuleType, seed: int, cpus: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    dpcs = [Kdpc(w.kernel, lambda d, c, a, b: check() or w.stall(1), None, name) for name in "abc"]
    queued = dict.fromkeys("abc", 0)

    def check() -> None:
        for dpc in dpcs:
            homes = [cpu for cpu in w.machine.cpus for entry in cpu.dpcs if entry is dpc]
            assert homes == ([dpc.queued_on] if dpc.queued_on is not None else [])

    def work(index: int) -> None:
        for turn in range(6):
            dpc = dpcs[(index + turn) % 3]
            if turn == 3:
                dpc.set_target_processor(index)
            if dpc.insert():
                queued[dpc.name] += 1
            check()
            if turn == 4 and dpc.remove():
                queued[dpc.name] -= 1
            check()

    for cpu in range(cpus):
        w.thread(lambda cpu=cpu: work(cpu), cpu)
    w.run()
    assert {dpc.name: dpc.count for dpc in dpcs} == queued
    assert all(dpc.running == 0 and dpc.queued_on is None for dpc in dpcs)


@few
@given(SEEDS, st.integers(1, 4))
def test_a_flush_returns_after_everything_queued_before_it(world: ModuleType, seed: int, cpus: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    done: list[int] = []

    def work(index: int) -> None:
        mine = [Kdpc(w.kernel, lambda d, c, a, b: w.stall(1) or done.append(c), (index, i)) for i in range(3)]
        for target, dpc in enumerate(mine):
            dpc.set_target_processor((index + target) % cpus)
            dpc.insert()
        w.kernel.ke_flush_queued_dpcs()
        assert {(index, i) for i in range(3)} <= set(done)

    threads = [w.thread(lambda cpu=cpu: work(cpu), cpu) for cpu in range(cpus)]
    w.run()
    assert all(thread.finished for thread in threads)


@few
@given(SEEDS, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4_000)), max_size=15))
def test_interrupts_nest_only_upwards(world: ModuleType, seed: int, fired: list[tuple[int, int]]) -> None:
    w = world.World(1, chooser=RandomChooser(seed), fates=6)
    stack = [0]

    def isr(interrupt: Any, context: Any) -> bool:
        assert interrupt.vector >> 4 > stack[-1] and w.cpu.irql == interrupt.vector >> 4
        stack.append(w.cpu.irql)
        w.stall(1)
        assert stack.pop() == w.cpu.irql
        return True

    for entry, vector in enumerate((0x31, 0x32, 0x51, 0x5F, 0x81, 0xBF)):
        w.connect(isr, vector)
        w.aim(entry, vector, 0)
    for entry, time in fired:
        w.at(time, lambda entry=entry: w.card.fire(entry))
    w.thread(lambda: w.stall(10))
    w.run()
    assert stack == [0] and all(fate.balanced for fate in w.card.fates)
    assert sum(fate.delivered + fate.merged for fate in w.card.fates) == len(fired)


@few
@given(SEEDS, st.integers(1, 3))
def test_a_lane_lands_in_order_whatever_else_happens(world: ModuleType, seed: int, cpus: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    page = 0x10_0000
    posted: list[tuple[int, int]] = []

    def work(index: int) -> None:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x100)
        for turn in range(4):
            space.write_register_ulong(4 * index, turn)
            posted.append((4 * index, turn))
        space.read_register_ulong(0x40)

    def isr(interrupt: Any, context: Any) -> bool:
        assert w.machine.memory.read(page, 1)[0] >= w.card.fates[0].delivered + w.card.fates[0].merged
        return True

    def ring(bar: int, offset: int, value: int) -> None:
        sent = w.card.fates[0].sent + 1
        w.card.host.dma_write(w.card, page, bytes([sent]))
        w.card.fire(0)

    w.connect(isr)
    w.aim(0, 0x51, 0)
    w.card.on_write = ring
    for cpu in range(cpus):
        w.thread(lambda cpu=cpu: work(cpu), cpu)
    w.run()
    landed = [access for access in w.card.accesses if access[0] == "write"]
    for index in range(cpus):
        assert [value for _, _, offset, _, value in landed if offset == 4 * index] == list(range(4))
    assert w.card.fates[0].balanced and w.card.fates[0].sent == 4 * cpus


@few
@given(SEEDS, st.integers(1, 3))
def test_a_disconnected_isr_is_never_called(world: ModuleType, seed: int, cpus: int) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))
    gone: list[bool] = []
    lock = SpinLock(w.kernel)

    def isr(interrupt: Any, context: Any) -> bool:
        assert not gone or interrupt is other
        w.stall(1)
        return True

    interrupt = w.connect(isr, 0x51, range(cpus), lock=lock, synchronize_irql=6)
    other = w.connect(isr, 0x61, range(cpus), lock=lock, synchronize_irql=6)
    w.aim(0, 0x51, *range(cpus))
    w.aim(1, 0x61, *range(cpus))
    for time in range(6):
        w.at(700 * time, lambda: (w.card.fire(0), w.card.fire(1)))
    w.run_thread(lambda: (w.stall(2), w.kernel.interrupts.disconnect(interrupt), gone.append(True)))
    assert all(fate.balanced for fate in w.card.fates) and lock.owner is None


@few
@given(SEEDS, st.integers(1, 3), st.lists(st.integers(1_000, 6_000), min_size=1, max_size=4))
def test_timers_expire_exactly_once(world: ModuleType, seed: int, cpus: int, dues: list[int]) -> None:
    w = world.World(cpus, chooser=RandomChooser(seed))

    def work(index: int, due: int) -> None:
        timer = Ktimer(w.kernel, EventType.SynchronizationEvent, f"t{index}")
        timer.set(due, dpc=Kdpc(w.kernel, lambda d, c, a, b: w.log.append(index), None), tolerable_delay=1_000)
        assert w.kernel.ke_wait_for_single_object(timer, 50_000) == 0
        assert not timer.state and not timer.inserted

    threads = [w.thread(lambda i=i, due=due: work(i, due)) for i, due in enumerate(dues)]
    w.run()
    assert all(thread.finished for thread in threads) and sorted(w.log) == list(range(len(dues)))

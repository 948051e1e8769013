"""Virtual time, the lead, running until a time, and the Chooser's seam (DESIGN.md §4)."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.errors import UsageError
from dirql.kernel import BugCheck, Event, Ktimer, SpinLock
from dirql.machine import Costs, Option, Point, RandomChooser, RunToBlocking


def test_running_to_blocking_never_asks(world: ModuleType) -> None:
    class Refuses(RunToBlocking):
        def choose(self, point: Point) -> Option:
            raise AssertionError(point)

    w = world.World(4, chooser=Refuses())
    event, lock = Event(w.kernel), SpinLock(w.kernel)
    w.connect(lambda i, c: event.set() or True, 0x51, (0, 1, 2, 3))
    w.aim(0, 0x51, 0, 1, 2, 3, lowest=True)
    for _ in range(4):
        w.thread(lambda: (w.kernel.ke_wait_for_single_object(event), lock.acquire(), w.stall(30), lock.release()))
    w.card.fire(0)
    w.run()
    assert w.kernel.stuck_threads() == []


def test_processors_run_side_by_side_within_the_lead(world: ModuleType) -> None:
    w = world.World(3, costs=Costs(lead=2_000))
    event = Event(w.kernel)

    def work() -> None:
        for _ in range(2_000):
            event.read_state()
            w.log.append(w.cpu.now)

    for cpu in range(3):
        w.thread(work, cpu)
    w.run()
    latest = 0
    for time in w.log:
        assert time > latest - 2_000 - 20
        latest = max(latest, time)


@pytest.mark.parametrize("cpus", [1, 3])
def test_a_run_ends_at_its_time_though_a_thread_polls_for_ever(world: ModuleType, cpus: int) -> None:
    w = world.World(cpus)
    stop: list[bool] = []

    def poll() -> str:
        while not stop:
            w.stall(10)
        return "stopped"

    threads = [w.thread(poll, cpu) for cpu in range(cpus)]
    for until in (200_000, 500_000):
        w.run(until)
        assert not any(thread.finished for thread in threads)
        assert all(until <= cpu.now < until + 50_000 for cpu in w.machine.cpus)
    stop.append(True)
    w.run()
    assert [thread.result for thread in threads] == ["stopped"] * cpus


def test_a_run_until_a_time_leaves_what_comes_later(world: ModuleType) -> None:
    w = world.World(1)
    for time in (10_000, 20_000, 30_000):
        w.at(time, lambda time=time: w.log.append(time))
    w.run(20_000)
    assert w.log == [10_000, 20_000]
    w.run()
    assert w.log == [10_000, 20_000, 30_000]


@pytest.mark.parametrize("seed", range(4))
def test_an_interleaved_run_ends_at_its_time_too(world: ModuleType, seed: int) -> None:
    w = world.World(2, chooser=RandomChooser(seed))
    stop: list[bool] = []

    def poll() -> None:
        while not stop:
            w.stall(10)

    for cpu in range(2):
        w.thread(poll, cpu)
    w.at(30_000, lambda: w.log.append("landed"))
    w.at(300_000, lambda: w.log.append("too late"))
    w.run(100_000)
    assert w.log == ["landed"]
    stop.append(True)
    w.run()
    assert w.log == ["landed", "too late"]


def test_a_machine_is_not_run_from_inside(world: ModuleType) -> None:
    w = world.World(1)
    text = "run() was called while the machine runs; a driver or model cannot run the machine it is in"
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        w.run_thread(w.run)


def test_a_machine_that_stopped_does_not_run_again(world: ModuleType) -> None:
    w = world.World(2)
    with pytest.raises(BugCheck):
        w.run_thread(lambda: w.kernel.ke_lower_irql(2))
    text = ("run() was called after the machine had stopped (bugcheck 0xa IRQL_NOT_LESS_OR_EQUAL (0x0, 0x0, 0x0, 0x0): "
            "KeLowerIrql to DISPATCH_LEVEL at PASSIVE_LEVEL); make a new machine to go on")  # fmt: skip
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        w.run()


def test_a_machine_knows_whether_it_runs(world: ModuleType) -> None:
    w = world.World(1)
    assert w.run_thread(lambda: w.machine.scheduler.running) is True
    assert w.machine.scheduler.running is False and w.cpu is w.machine.nobody


def test_options_have_stable_ids_and_the_earliest_comes_first(world: ModuleType) -> None:
    chooser = world.First()
    w = world.World(2, chooser=chooser)
    timers = [Ktimer(w.kernel, name="watchdog") for _ in range(2)]
    w.aim(0, 0x51, 0, 1, lowest=True)
    w.connect(lambda i, c: True, 0x51, (0, 1))

    def work() -> None:
        for timer in timers:
            timer.set(1_000, tolerable_delay=500)
        w.machine.time = w.cpu.now
        w.card.fire(0)
        w.stall(5)

    w.thread(lambda: w.stall(1), 1)
    w.run_thread(work, 0)
    ids = {option.id for point in chooser.points for option in point.options}
    assert ids == {"cpu0", "cpu1", "land:stub.up", "land:timer:watchdog", "land:timer:watchdog#2"}
    assert {point.kind for point in chooser.points} == {"step", "target"}
    for point in chooser.points:
        assert len({option.id for option in point.options}) == len(point.options) > 0
        assert point.current is None or point.current in {o.id for o in point.options} or point.kind == "target"
    assert {"KeSetTimerEx", "stub.up", "KeStallExecutionProcessor"} <= set(chooser.steps)


@pytest.mark.parametrize(("script", "expected"), [(["cpu1", "cpu1", "cpu1"], "ba"), (["cpu0", "cpu0", "cpu0"], "ab")])
def test_a_scripted_chooser_makes_an_order(world: ModuleType, script: list[str], expected: str) -> None:
    w = world.World(2, chooser=world.Scripted(script))
    lock = SpinLock(w.kernel)

    def work(name: str) -> None:
        lock.acquire()
        w.log.append(name)
        lock.release()

    w.thread(lambda: work("a"), 0)
    w.thread(lambda: work("b"), 1)
    w.run()
    assert "".join(w.log) == expected


@settings(max_examples=10)
@given(st.integers(0, 1 << 30))
def test_the_schedule_that_was_taken_can_be_taken_again(world: ModuleType, seed: int) -> None:
    def scenario(chooser: Any) -> list[str]:
        w = world.World(3, chooser=chooser, trace=True)
        traffic(w)
        return list(w.trace.lines())

    chooser = RandomChooser(seed)
    first = scenario(chooser)
    directed = world.Scripted(chooser.taken)
    assert scenario(directed) == first and directed.script == []


def traffic(w: Any) -> None:
    """Threads on every processor, a lock, a timer, messages and register writes."""
    lock, event = SpinLock(w.kernel), Event(w.kernel)
    cpus = range(len(w.machine.cpus))
    w.aim(0, 0x51, *cpus, lowest=True)
    w.aim(1, 0x62, 0)
    w.connect(lambda i, c: event.set() or True, 0x51, cpus)
    w.connect(lambda i, c: True, 0x62)
    w.card.on_write = lambda bar, offset, value: w.card.fire(offset // 4)
    timer = Ktimer(w.kernel, name="watchdog")

    def work(index: int) -> None:
        space = w.kernel.mm_map_io_space(0xF000_0000, 0x100)
        timer.set(3_000 * index)
        for _ in range(2):
            lock.acquire()
            w.log.append(index)
            lock.release()
            space.write_register_ulong(4 * (index % 2), index)
        w.kernel.ke_wait_for_single_object(event, 5_000)
        space.read_register_ulong(0)

    for cpu in cpus:
        w.thread(lambda cpu=cpu: work(cpu), cpu, f"t{cpu}")
    w.run()


def test_different_seeds_give_different_orders_and_the_same_seed_the_same(world: ModuleType) -> None:
    def scenario(seed: int) -> tuple[str, ...]:
        w = world.World(3, chooser=RandomChooser(seed), trace=True)
        traffic(w)
        return tuple(w.trace.lines())

    traces = [scenario(seed) for seed in range(6)]
    assert len(set(traces)) > 3
    assert traces == [scenario(seed) for seed in range(6)]


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_tracing_does_not_change_the_schedule(world: ModuleType, cpus: int) -> None:
    def scenario(trace: bool) -> Any:
        w = world.World(cpus, trace=trace)
        traffic(w)
        if trace:
            assert list(w.trace.lines()) == list(w.trace.lines()) != []
        counts = [(f.sent, f.delivered, f.merged, f.cpus) for f in w.card.fates]
        return w.log, w.card.accesses, [cpu.now for cpu in w.machine.cpus], w.machine.time, counts

    assert scenario(True) == scenario(False)


def test_reading_the_trace_meanwhile_changes_nothing(world: ModuleType) -> None:
    def scenario(read: bool) -> list[str]:
        w = world.World(2, trace=True)
        if read:
            w.at(500, lambda: list(w.trace.lines()))
            w.at(700, lambda: list(w.trace.events()))
        else:
            w.at(500, lambda: None)
            w.at(700, lambda: None)
        traffic(w)
        return list(w.trace.lines())

    assert scenario(True) == scenario(False)


@pytest.mark.parametrize("seed", range(8))
def test_a_late_time_out_never_beats_an_early_dma(world: ModuleType, seed: int) -> None:
    w = world.World(2, chooser=RandomChooser(seed))
    page = 0x10_0000

    def poll() -> bool:
        w.machine.time = w.cpu.now
        w.card.host.dma_write(w.card, page, b"\x01")
        for _ in range(10):
            w.stall(1_000)
            if w.machine.memory.read(page, 1) == b"\x01":
                return True
        return False

    w.at(10_000_000, lambda: w.log.append(w.machine.memory.read(page, 1)))
    w.thread(lambda: w.stall(50), 1)
    assert w.run_thread(poll, 0) is True and w.log == [b"\x01"]


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 500)), min_size=2, max_size=8), st.integers(0, 1 << 30))
def test_events_change_places_only_where_their_windows_overlap(
    world: ModuleType, timers: list[tuple[int, int]], seed: int
) -> None:
    w = world.World(1, chooser=RandomChooser(seed))
    for index, (time, slack) in enumerate(timers):
        w.port.after(time, lambda index=index: w.log.append(index), slack)
    w.run()
    assert sorted(w.log) == list(range(len(timers)))
    for place, earlier in enumerate(w.log):
        for later in w.log[place + 1 :]:
            assert timers[earlier][0] <= sum(timers[later])


def test_a_processor_that_spins_in_vain_yields_until_the_lock_is_free(world: ModuleType) -> None:
    class Watch(RandomChooser):
        def choose(self, point: Point) -> Option:
            for option in point.options:
                lock = getattr(option.what, "spinning_on", None)
                assert (option.id in point.yielding) == (lock is not None and lock.owner is not None)
                seen.add((lock is not None, option.id in point.yielding))
            return super().choose(point)

    seen: set[tuple[bool, bool]] = set()
    w = world.World(3, chooser=Watch(3))
    lock = SpinLock(w.kernel)

    def work() -> None:
        for _ in range(4):
            lock.acquire()
            w.stall(5)
            lock.release()

    for cpu in range(3):
        w.thread(work, cpu)
    w.run()
    assert seen == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize("cpus", [2, 3])
def test_every_order_of_getting_a_lock_can_be_had(world: ModuleType, cpus: int) -> None:
    orders = set()
    for seed in range(60):
        w = world.World(cpus, chooser=RandomChooser(seed))
        lock = SpinLock(w.kernel)

        def work(index: int, w: Any = w, lock: SpinLock = lock) -> None:
            lock.acquire()
            w.log.append(index)
            lock.release()

        for cpu in range(cpus):
            w.thread(lambda cpu=cpu: work(cpu), cpu)
        w.run()
        orders.add(tuple(w.log))
    assert len(orders) == {2: 2, 3: 6}[cpus]


def test_a_waiter_can_get_the_lock_before_the_one_that_gave_it_back_takes_it_again(world: ModuleType) -> None:
    seen = set()
    for seed in range(40):
        w = world.World(3, chooser=RandomChooser(seed))
        lock = SpinLock(w.kernel)

        def work(name: str, w: Any = w, lock: SpinLock = lock) -> None:
            for _ in range(3):
                lock.acquire()
                w.log.append(name)
                w.stall(1)
                lock.release()

        w.thread(lambda: work("a"), 0)
        w.thread(lambda: work("b"), 1)
        w.run()
        seen.add("".join(w.log))
    assert any("ab" in order[:4] and "ba" in order for order in seen) and len(seen) > 5


def test_every_routine_is_a_scheduling_point_while_somebody_interleaves(world: ModuleType) -> None:
    chooser = world.First()
    w = world.World(1, chooser=chooser)
    event = Event(w.kernel)

    def work() -> None:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x100)
        for turn in range(10):
            space.write_register_ulong(0, turn)
            if turn % 2:
                space.read_register_ulong(0)  # a flush, which leaves the agenda what nobody waits for any more
            for _ in range(50):
                event.read_state()

    w.run_thread(work)
    assert chooser.steps.count("KeReadStateEvent") == 500


@pytest.mark.parametrize("interleaves", [False, True])
def test_time_does_not_run_on_to_a_time_out_that_was_cancelled(world: ModuleType, interleaves: bool) -> None:
    w = world.World(2, chooser=RandomChooser(1) if interleaves else None)
    event, timer = Event(w.kernel), Ktimer(w.kernel)
    w.thread(lambda: w.kernel.ke_wait_for_single_object(event, 10_000_000_000))
    w.run_thread(lambda: (timer.set(5_000_000_000), w.stall(20), timer.cancel(), event.set()))
    assert w.machine.time < 1_000_000


def test_a_card_whose_timer_sets_itself_again_does_not_outlast_the_steps(world: ModuleType) -> None:
    w = world.World(1)

    def again() -> None:
        w.log.append(w.machine.time)
        w.at(1, again)

    w.at(1, again)
    w.machine.scheduler.run(steps=1_000)
    assert (len(w.log), w.machine.scheduler.restless()) == (999, [f"stub.timer{1_000}"])
    w.machine.scheduler.run(steps=1_000)
    assert len(w.log) == 2 * 999

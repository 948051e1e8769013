"""A register that is polled for ever is a hang at once; one that something may still change is not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from dirql.kernel import Hang, io_space, polling
from dirql.kernel.timer import Ktimer

NOTHING = "nothing was written to it meanwhile, and nothing is on its way that could change it"
FOR_EVER = f"stub BAR0+0x8 is polled for ever: {{}} reads in a row gave 0x0, {NOTHING}"


@pytest.fixture
def world(world: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Rounds of twenty reads, and of five where the card is gone."""
    monkeypatch.setattr(io_space, "GONE", 5)
    monkeypatch.setattr(polling, "GONE", 5)
    monkeypatch.setattr(io_space, "ROUND", 20)
    monkeypatch.setattr(polling, "ROUND", 20)
    return world


def polled(w: Any, base: int, times: int = 1_000, between: Any = None) -> int:
    """A thread reads until it gets something else than 0, `times` at most; how often it read."""

    def work() -> int:
        space = w.kernel.mm_map_io_space(base, 0x1000)
        for read in range(times):
            if space.read_register_ulong(8):
                return read
            if between is not None:
                between(space)
        return times

    result: int = w.run_thread(work)
    return result


def test_a_register_that_nothing_can_change_is_polled_for_ever(world: ModuleType) -> None:
    w = world.World(2)
    with pytest.raises(Hang) as caught:
        polled(w, world.BAR0)
    assert (caught.value.rule, caught.value.why) == ("polling", FOR_EVER.format(40))


@pytest.mark.parametrize("between", [
    lambda space: space.write_register_ulong(0x10, 1),
    lambda space: space.read_register_ulong(0xC),
], ids=["a write", "another register"])  # fmt: skip
def test_reads_with_something_in_between_are_not_in_a_row(world: ModuleType, between: Any) -> None:
    w = world.World(1)
    assert polled(w, world.BAR0, 200, between) == 200


def test_an_event_of_the_card_may_still_change_it(world: ModuleType) -> None:
    w = world.World(1)
    w.at(1_000_000, lambda: w.card.registers.update({(0, 8): 1}))
    assert 500 < polled(w, world.BAR0, 10_000) < 10_000


def test_a_processor_with_work_may_still_change_it(world: ModuleType) -> None:
    w = world.World(2)

    def other() -> None:
        w.stall(1_000)
        w.card.registers[0, 8] = 1

    w.thread(other, 1)
    assert 500 < polled(w, world.BAR0, 10_000) < 10_000


def test_periodic_timers_alone_get_ten_rounds(world: ModuleType) -> None:
    w = world.World(1)
    w.run_thread(lambda: Ktimer(w.kernel).set(1_000_000, 1))
    with pytest.raises(Hang) as caught:
        polled(w, world.BAR0)
    assert caught.value.why == FOR_EVER.format(200)


def pulled_out(w: Any) -> None:
    w.machine.ports[0].remove()


def gone(reads: int) -> str:
    return FOR_EVER.format(reads).replace("gave 0x0", "gave 0xffffffff")


def polled_gone(w: Any, base: int, times: int, between: Any = None) -> int:
    """A thread reads until it gets something else than all ones, `times` at most; how often it read."""

    def work() -> int:
        space = w.kernel.mm_map_io_space(base, 0x1000)
        for read in range(times):
            if space.read_register_ulong(8) != 0xFFFF_FFFF:
                return read
            if between is not None:
                between()
        return times

    pulled_out(w)
    result: int = w.run_thread(work)
    return result


def test_the_registers_of_a_card_that_is_gone_take_a_hundredth_of_the_reads(world: ModuleType) -> None:
    w = world.World(2)
    with pytest.raises(Hang) as caught:
        polled_gone(w, world.BAR0, 1_000)
    assert (caught.value.rule, caught.value.why) == ("polling", gone(10))


@pytest.mark.parametrize("between", ["ke_query_performance_counter", "ke_stall_execution_processor"])
def test_whoever_looks_at_a_clock_or_pauses_has_a_second_for_a_card_that_is_gone(world: ModuleType, between: str) -> None:
    w = world.World(1)
    routine = getattr(w.kernel, between)
    assert polled_gone(w, world.BAR0, 39, lambda: routine(1) if "stall" in between else routine()) == 39
    with pytest.raises(Hang) as caught:
        polled_gone(w, world.BAR0, 1_000, lambda: routine(1) if "stall" in between else routine())
    assert caught.value.why == gone(40)


def test_a_processor_with_work_may_still_tell_of_the_card_that_is_gone(world: ModuleType) -> None:
    w = world.World(2)
    w.thread(lambda: w.stall(20), 1)
    with pytest.raises(Hang) as caught:
        polled_gone(w, world.BAR0, 1_000)
    assert 20 < int(caught.value.why.partition("for ever: ")[2].partition(" ")[0]) < 60

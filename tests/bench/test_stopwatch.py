"""The stopwatch measures what it says."""

from __future__ import annotations

from itertools import count

from dirql.bench.stopwatch import Contestant, Effort, Times, race


def test_contestants_take_turns_and_the_first_turn_is_not_counted() -> None:
    called: list[str] = []
    ticks = count()
    contestants = {name: Contestant(lambda name=name: called.append(name)) for name in "ab"}
    times = race(contestants, 2, clock=lambda: float(next(ticks)))
    assert called == ["a", "b"] * 3
    assert times == {"a": Times((1.0, 1.0)), "b": Times((1.0, 1.0))}


def test_a_measurement_is_divided_by_units_and_times() -> None:
    now, done = [0.0], []

    def work() -> None:
        now[0] += 6.0

    times = race({"it": Contestant(work, units=3, times=4, after=lambda: done.append(now[0]))}, 1, clock=lambda: now[0])
    assert times["it"].seconds == (2.0,)
    assert times["it"].rate == 0.5
    assert done == [24.0, 48.0]


def test_the_median_of_the_rounds_counts() -> None:
    assert Times((9.0, 1.0, 2.0)).median == 2.0


def test_a_quick_look_is_less_effort_in_every_respect() -> None:
    quick, full = vars(Effort.quick()), vars(Effort())
    assert all(quick[name] < full[name] for name in full)

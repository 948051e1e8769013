"""Lanes, timers and the agenda (PCIe 6.0 §2.4.1)."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dirql.machine.flight import FOREVER, Agenda, Lane, Timer


class Clock:
    """What has landed, and when."""

    def __init__(self) -> None:
        self.time = 0
        self.watch = None
        self.log: list[tuple[Any, int]] = []
        self.agenda = Agenda(self)

    def flush(self, lane: Lane, time: int) -> None:
        self.time = time
        lane.flush()

    def landed(self, what: Any, _: Any = None) -> None:
        self.log.append((what, self.time))

    def lane(self, name: str, flight: int = 300) -> Lane:
        return Lane(name, self.agenda, flight)

    def drain(self) -> None:
        while self.agenda.heap:
            self.agenda.land_next()


POSTS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.integers(0, 1), st.integers(0, 2_000)),
        st.tuples(st.just("flush"), st.integers(0, 1), st.integers(0, 2_000)),
        st.tuples(st.just("land"), st.just(0), st.just(0)),
        st.tuples(st.just("land one"), st.integers(0, 1), st.just(0)),
    ),
    max_size=60,
)


@given(POSTS)
def test_a_lane_is_first_in_first_out_and_loses_nothing(program: list[tuple[str, int, int]]) -> None:
    c = Clock()
    lanes = [c.lane("a"), c.lane("b")]
    posted: list[list[int]] = [[], []]
    for index, (verb, which, time) in enumerate(program):
        if verb == "post":
            lanes[which].post(time, c.landed, (which, index), None)
            posted[which].append(index)
        elif verb == "flush":
            c.flush(lanes[which], time)
        elif verb == "land one":
            if lanes[which].window() is not None:
                lanes[which].land_one()
        elif c.agenda.heap:
            c.agenda.land_next()
    c.drain()
    for which in (0, 1):
        assert [what[1] for what, _ in c.log if what[0] == which] == posted[which]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1_000)), max_size=40))
def test_without_flushes_everything_lands_in_the_order_of_time(posts: list[tuple[int, int]]) -> None:
    c = Clock()
    lanes = [c.lane(str(i)) for i in range(4)]
    for which, time in posts:
        lanes[which].post(time, c.landed, which, None)
    c.drain()
    times = [time for _, time in c.log]
    assert times == sorted(times) and len(times) == len(posts)


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=20))
def test_the_horizon_is_never_later_than_the_next_event(times: list[int]) -> None:
    c = Clock()
    lane = c.lane("a")
    assert c.agenda.horizon == FOREVER
    for time in times:
        lane.post(time, c.landed, time, None)
        assert c.agenda.horizon <= c.agenda.heap[0][0]
    while c.agenda.heap:
        c.agenda.land_next()
        assert c.agenda.horizon == (c.agenda.heap[0][0] if c.agenda.heap else FOREVER)


def test_what_is_posted_later_never_lands_before_what_was_posted_earlier() -> None:
    c = Clock()
    lane = c.lane("a")
    lane.post(500, c.landed, "first", None)
    lane.post(100, c.landed, "second", None)
    c.drain()
    assert c.log == [("first", 500), ("second", 500)]


def test_a_flush_lands_everything_now_and_the_agenda_finds_nothing_later() -> None:
    c = Clock()
    lane = c.lane("a")
    for time in (300, 400):
        lane.post(time, c.landed, time, None)
    c.flush(lane, 50)
    lane.post(700, c.landed, 700, None)
    c.drain()
    assert c.log == [(300, 50), (400, 50), (700, 700)]


def test_windows_say_when_something_may_land() -> None:
    c = Clock()
    lane, timer = c.lane("a", 300), Timer("t", 1_000, 50, lambda: c.landed("timer"))
    assert lane.window() is None
    lane.post(400, c.landed, "x", None)
    assert (lane.window(), lane.due(), timer.window(), timer.due()) == ((100, 400, 700), 400, (1_000, 1_000, 1_050), 1_000)


def test_a_timer_lands_once_and_not_after_cancelling() -> None:
    c = Clock()
    kept, cancelled = (Timer(name, 10, 0, partial(c.landed, name)) for name in ("kept", "cancelled"))
    cancelled.cancel()
    for timer in (kept, cancelled, kept):
        c.time = 10
        timer.land(10)
    assert c.log == [("kept", 10)] and kept.window() is None and cancelled.window() is None


def test_the_agenda_offers_each_lane_once_earliest_first() -> None:
    c = Clock()
    a, b = c.lane("a"), c.lane("b")
    for lane, time in ((b, 100), (a, 50), (b, 200), (a, 300)):
        lane.post(time, c.landed, None, None)
    gone = Timer("gone", 10, 0, lambda: None)
    c.agenda.add(10, gone)
    gone.cancel()
    assert [what.name for what in c.agenda.open()] == ["a", "b"]

"""Events in flight: posted writes, DMA, messages and timers, each with the time at which it lands.

What one sender posts stays in order (a lane is first in, first out: PCIe 6.0 §2.4.1, posted requests do not pass posted
requests); between lanes and timers only time orders. A read flushes lanes early, and leaves entries in the agenda that find
nothing when their time comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dirql.machine.watch import Watch

__all__ = ["FOREVER", "Agenda", "Lane", "Timer"]

FOREVER = 1 << 62


class Clock(Protocol):
    """Whose `time` is set to that of the event that happens."""

    time: int
    watch: Watch | None


class Landable(Protocol):
    """Something on the agenda."""

    name: str

    @property
    def recurring(self) -> bool:
        """It comes again and again, so that it keeps no machine from coming to rest."""

    def land(self, time: int) -> bool:
        """Its time has come; False when nothing was left of it (flushed or cancelled), and nothing happened."""

    def land_one(self) -> None:
        """Its next event lands now, because a chooser says so."""

    def due(self) -> int:
        """When its next event lands if nobody chooses otherwise."""

    def window(self) -> tuple[int, int, int] | None:
        """(earliest, due, latest): when its next event may land; None when nothing is left of it."""


class Agenda:
    """All that is going to happen by itself, earliest first; `horizon` is when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.heap: list[tuple[int, int, Landable]] = []
        self.horizon = FOREVER
        self.latitude = 0  # ns: how late a posted write may land. PCIe bounds no latency; time alone gives twice the flight
        self.flight = 0  # ns: the longest of any lane's
        self._order = 0

    def add(self, time: int, what: Landable) -> None:
        """`what` lands at `time`, after all that was added before for the same time."""
        self._order = order = self._order + 1
        heappush(self.heap, (time, order, what))
        if time < self.horizon:
            self.horizon = time

    def land_next(self) -> int:
        """Let the earliest happen; returns its time."""
        heap = self.heap
        time, _, what = heappop(heap)
        self.horizon = heap[0][0] if heap else FOREVER
        clock = self.clock
        before, clock.time = clock.time, time
        if not what.land(time):
            clock.time = before
        return time

    def open(self) -> list[Landable]:
        """Every lane or timer that has something to land, once each, earliest first."""
        waiting = dict.fromkeys([what for _, _, what in sorted(self.heap)])
        return [what for what in waiting if what.window() is not None]


class Lane:
    """One direction of one function's posted traffic."""

    __slots__ = ("_agenda", "_clock", "flight", "last", "name", "owner", "queue")
    recurring = False

    def __init__(self, name: str, agenda: Agenda, flight: int, owner: object = None) -> None:
        self.name, self._agenda, self._clock, self.flight = name, agenda, agenda.clock, flight
        agenda.flight = max(agenda.flight, flight)
        self.owner = owner  # for who looks on: what lands for one owner is one context
        self.last = 0
        self.queue: deque[tuple[int, Callable[[Any, Any], None], Any, Any]] = deque()

    def post(self, time: int, action: Callable[[Any, Any], None], a: Any, b: Any) -> None:
        """`action(a, b)` at `time`, or behind what was posted before it."""
        if time < self.last:
            time = self.last
        self.last = time
        queue = self.queue
        if not queue:
            self._agenda.add(time, self)
        queue.append((time, action, a, b))

    def land(self, time: int) -> bool:
        """What is due at `time` lands, unless a flush landed it before; the next one's time goes on the agenda."""
        queue = self.queue
        landed = False
        while queue:
            due, action, a, b = queue.popleft()
            if due > time:
                queue.appendleft((due, action, a, b))
                break
            if self._clock.watch is None:
                action(a, b)
            else:
                self._watched(action, a, b)
            landed = True
        if landed and queue:
            self._agenda.add(queue[0][0], self)
        return landed

    def land_one(self) -> None:
        """The head alone lands, whatever its time."""
        _, action, a, b = self.queue.popleft()
        self._watched(action, a, b)
        if self.queue:
            self._agenda.add(self.queue[0][0], self)

    def flush(self) -> None:
        """A read passes nothing: everything posted before it lands now."""
        queue = self.queue
        while queue:
            _, action, a, b = queue.popleft()
            if self._clock.watch is None:
                action(a, b)
            else:
                self._watched(action, a, b)

    def _watched(self, action: Callable[[Any, Any], None], a: Any, b: Any) -> None:
        watch = self._clock.watch
        if watch is not None:
            watch.lands(self)
        action(a, b)
        if watch is not None:
            watch.landed(self)

    def due(self) -> int:
        """When the head lands."""
        return self.queue[0][0]

    def window(self) -> tuple[int, int, int] | None:
        """The head may land from when it was posted until twice its flight, or the agenda's latitude after its time."""
        if not self.queue:
            return None
        time, flight, latitude = self.queue[0][0], self.flight, self._agenda.latitude
        return time - flight, time, time + (latitude if latitude > flight else flight)


class Timer:
    """Lands once, between `time` and `time + slack`, unless cancelled."""

    __slots__ = ("_action", "_recurs", "name", "slack", "time")

    def __init__(
        self, name: str, time: int, slack: int, action: Callable[[], None], recurs: Callable[[], bool] | None = None
    ) -> None:
        self.name, self.time, self.slack, self._recurs = name, time, slack, recurs
        self._action: Callable[[], None] | None = action

    @property
    def recurring(self) -> bool:
        """True for a periodic one that nobody waits for."""
        return self._recurs is not None and self._recurs()

    def cancel(self) -> None:
        """It will not land."""
        self._action = None

    def land(self, time: int) -> bool:
        """Run the action."""
        action, self._action = self._action, None
        if action is None:
            return False
        action()
        return True

    def land_one(self) -> None:
        """The same, whatever its time."""
        self.land(self.time)

    def due(self) -> int:
        """When it fires."""
        return self.time

    def window(self) -> tuple[int, int, int] | None:
        """[due, due + slack], or None once cancelled or landed."""
        return None if self._action is None else (self.time, self.time, self.time + self.slack)

"""What may happen next, where a chooser decides the order: processors that can go on, and events that may land.

An event may land once its window is open, and has to before the window closes: what is offered together is what a real
machine could do in either order. This is looked at before every step of an exploration.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dirql.machine.chooser import Option
from dirql.machine.cpu import Cpu
from dirql.machine.flight import FOREVER, Agenda, Landable

__all__ = ["Openings"]

_option: Callable[[tuple[str, object]], Option] = partial(tuple.__new__, Option)  # without a call in Python, and often
REACH = 100_000  # ns: how far before its time an event may be brought forward against a processor that computes


class _Processors(dict[Cpu, Option]):
    """Their options, made once."""

    def __missing__(self, cpu: Cpu) -> Option:
        option = self[cpu] = Option(f"cpu{cpu.index}", cpu)
        return option


class Openings:
    """Of the processors that are `ready` (a heap by their clocks) and the events on the agenda."""

    def __init__(self, agenda: Agenda, ready: list[tuple[int, int, Cpu]]) -> None:
        self.of = _Processors()
        self._agenda = agenda
        self._ready = ready
        self._events: dict[Landable, Option] = {}
        self._by_id: dict[str, Landable] = {}  # who has that name, or had it last

    def options(self, until: int, only_recurs: Callable[[], bool]) -> list[Option]:
        """In the order of time: an event whose window is open before every other one closes, and a processor whose clock has
        not passed that, since what must have landed by then has landed. None later than `until`, and nothing where `only_recurs`
        says that no more is waited for than periodic timers."""
        ready, heap, flight, known = self._ready, self._agenda.heap, self._agenda.flight, self._events
        heap.sort()  # and still is a heap; most of the time it is sorted already
        ready.sort()
        last = closes = FOREVER
        opens = time = 0
        events: list[tuple[int, Option, int]] = []  # when it is due, what it is, the earliest that it may land
        for time, _, event in heap:
            if time > closes:
                break  # it opens after another has closed
            window = event.window()
            if window is None or window[1] != time:
                continue  # what it was on the agenda for is over
            earliest, _, latest = window
            if latest < last:
                last = latest
                closes = latest + flight
            if earliest > opens:
                opens = earliest
            option = known.get(event) or self._named(event)
            if not events or events[-1][0] != time or all(one[1] is not option for one in events):
                events.append((time, option, earliest))
        runs = bool(ready) and ready[0][0] <= last and ready[0][0] <= until
        if events:
            if not runs and only_recurs():
                return []
            bound = ready[0][0] + REACH if runs else last
            if bound > last:
                bound = last
            if opens > bound or time > until:
                events = [one for one in events if one[2] <= bound and one[0] <= until]
        if not runs:
            return [one[1] for one in events]
        options: list[Option] = []
        place, count = 0, len(events)
        for now, _, cpu in ready:
            if now > last or now > until:
                break
            while place < count and events[place][0] <= now:
                options.append(events[place][1])
                place += 1
            options.append(self.of[cpu])
        while place < count:
            options.append(events[place][1])
            place += 1
        return options

    def _named(self, event: Landable) -> Option:
        """Of several of one name the second that came is `name#2`, and stays that until it has landed."""
        id = name = f"land:{event.name}"
        number = 1
        by_id = self._by_id
        while (other := by_id.get(id)) is not None and other is not event and other.window() is not None:
            number += 1
            id = f"{name}#{number}"
        if other is not None:
            self._events.pop(other, None)
        by_id[id] = event
        option = self._events[event] = _option((id, event))
        return option

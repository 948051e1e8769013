"""Ends what gets nowhere in real time: a loop without an end in a driver, a model or a workload, where virtual time stands still.

A tick of the host's clock looks whether the machine has got on, or a module was imported. When neither has happened for the
limit, in ticks that found a file of the scenario's running, the tick raises a `Hang` where it is: the road of every other stop.
What dirql itself does meanwhile (it compiles, writes a report) is no loop of the user's, however slow the host is. A stop that a
bare `except:` caught is raised again at each of that file's lines.

Limits: not replayable, since it depends on the host's speed; a call into C that does not come back is not ended; without
`signal.setitimer`, or outside of the main thread, a stop that was caught is only raised again at the next tick.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from dirql.kernel.stop import Hang

__all__ = ["Stalled", "Watchdog"]

TICKS = 8  # looks within one limit


class Stalled(Hang):
    """What the watchdog raises."""

    seconds = 0.0

    def __init__(self) -> None:
        remedy = "mend the loop, or give --watchdog more; not replayable, since it depends on the host"
        super().__init__("watchdog", f"nothing got on for {self.seconds:g} s of real time: {remedy}")


class Watchdog:
    """`watching()` is a context; `progress` tells something that changes whenever the machine gets on; `files` are the user's;
    once `ended` is true nothing is raised at lines any more. `seconds` 0 is none."""

    def __init__(
        self, seconds: float, progress: Callable[[], object], files: Sequence[Path], ended: Callable[[], bool] = lambda: False
    ) -> None:
        self.seconds, self.progress, self.ended = seconds, progress, ended
        self.files = {os.path.abspath(file) for file in files}
        self.stop = _stop_after(seconds)
        self._seen: object = None
        self._idle = 0  # ticks without progress, in the files
        self._watching = self._looking = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts; one within another is the same."""
        if not self.seconds or self._watching:
            yield
            return
        self._watching, self._seen, self._idle = True, None, 0
        self.stop = _stop_after(self.seconds)
        main = threading.current_thread() is threading.main_thread()
        try:
            with self._by_signal() if main and hasattr(signal, "setitimer") else self._by_thread():
                yield
        finally:
            self._watching = False

    @contextmanager
    def _by_signal(self) -> Iterator[None]:
        tick = self.seconds / TICKS
        handler, tracing = signal.signal(signal.SIGALRM, self._on_alarm), sys.gettrace()
        timer = signal.setitimer(signal.ITIMER_REAL, tick, tick)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, *timer)
            signal.signal(signal.SIGALRM, handler)
            if sys.gettrace() is not tracing:
                sys.settrace(tracing)

    def _on_alarm(self, _: int, frame: FrameType | None) -> None:
        if self._looking:  # the next tick came before this one was dealt with
            return
        self._looking = True
        try:
            stalled = self._stalled(frame)
            if stalled and self._idle > TICKS:
                self._insist(frame)
        finally:
            self._looking = False
        if stalled:
            raise self.stop()

    @contextmanager
    def _by_thread(self) -> Iterator[None]:
        done, watched = threading.Event(), threading.get_ident()

        def look() -> None:
            while not done.wait(self.seconds / TICKS):
                if self._stalled(sys._current_frames().get(watched)):
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(watched), ctypes.py_object(self.stop))

        thread = threading.Thread(target=look, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _stalled(self, frame: FrameType | None) -> bool:
        seen = self.progress(), len(sys.modules)
        if seen != self._seen:
            self._seen, self._idle = seen, 0
            return False
        if self.ended() or not any(self._is_theirs(one) for one in _outwards(frame)):
            return False
        self._idle += 1
        return self._idle >= TICKS

    def _insist(self, frame: FrameType | None) -> None:
        """The stop was raised and did not get out: some `except:` took it. The line of a `try:` is outside of that try."""
        for one in _outwards(frame):
            one.f_trace = self._trace
        sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if self.ended():
            return None
        if event == "line" and self._is_theirs(frame):
            raise self.stop()
        return self._trace

    def _is_theirs(self, frame: FrameType) -> bool:
        return os.path.abspath(frame.f_code.co_filename) in self.files


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


@cache
def _stop_after(limit: float) -> type[Stalled]:
    """A class and no instance: more cannot be raised in another thread."""

    class After(Stalled):
        seconds = limit

    return After

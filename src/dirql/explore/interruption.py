"""Ctrl-C while schedules are played in this process: it is heeded between two of them, since one that is left in its middle
leaves the root behind that all others begin at.

Limits: only the main thread hears of it; a second Ctrl-C is heeded at once, and then what is known is lost.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["between_schedules"]


@contextmanager
def between_schedules() -> Iterator[Callable[[], bool]]:
    """What tells whether Ctrl-C was pressed. Where it raises no KeyboardInterrupt anyway, nothing changes."""
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

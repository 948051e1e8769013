"""Who looks on in one system: the race detector if it is asked for, and what tells a watch of each kind of driver's accesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.hosts.python_watch import PythonWatch
from dirql.machine.watch import Watch, Watches
from dirql.verify.race import RaceDetector
from dirql.wdf.framework import Framework

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Watching"]


class Watching:
    """Of one system; a watch that is not the race detector is the machine's from before the driver is loaded."""

    def __init__(self, framework: Framework, races: bool) -> None:
        self.machine, self._framework = framework.machine, framework
        self._python = PythonWatch(self.machine)
        self._races = RaceDetector(self.machine) if races else None
        if races:
            self.machine.watch = self._races

    def add(self, watch: Watch) -> None:
        """One more; before a driver is loaded."""
        self.machine.watch = watch if self.machine.watch is None else Watches(self.machine.watch, watch)

    def look_at(self, driver: type) -> None:
        """A Python driver is about to be loaded."""
        if self.machine.watch is not None or self.machine.chooser.at_data:
            self._framework.look_at = self._python.look_at
            self._python.look_at(driver)

    def look_into(self, guest: Guest) -> None:
        """Images are about to be loaded."""
        if self.machine.watch is not None:
            from dirql.hosts.sys.memory_watch import MemoryWatch  # an emulator that only those pay for who load an image

            memory = MemoryWatch(guest)
            if self._races is not None:
                self._races.name_in_memory = memory.name

    def at_rest(self, routine: Callable[..., Any]) -> None:
        """On a new thread that calls `routine`: a user's own look at a machine that was at rest comes after everything."""
        if self.machine.watch is not None:
            of = getattr(getattr(routine, "func", routine), "__module__", None) or ""
            if not of.startswith("dirql."):
                self.machine.watch.acquire(self.machine)

    def ended(self, thread: object) -> None:
        """A thread that was waited for from outside."""
        if self.machine.watch is not None:
            self.machine.watch.acquire(thread)

    def rest(self) -> None:
        """The system is shut down."""
        self._python.rest()

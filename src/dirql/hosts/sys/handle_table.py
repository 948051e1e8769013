"""Kernel handles (HANDLE): numbers that ZwClose takes back, each with the object that it stands for.

Threads, events and registry keys have them. A handle is a multiple of four with the upper half set, as Windows' kernel
handles are, and is never given twice, so that a stale one is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["HandleTable"]

FIRST = 0xFFFF_FFFF_8000_0004


class HandleTable:
    """`guest.part(HandleTable)`: what every open handle stands for."""

    def __init__(self, guest: Guest) -> None:
        self._open: dict[int, Any] = {}
        self._next = FIRST

    def open(self, value: Any) -> int:
        """A new handle of `value`."""
        handle = self._next
        self._next += 4
        self._open[handle] = value
        return handle

    def get(self, handle: int) -> Any:
        """What it stands for; None when it is not open."""
        return self._open.get(handle)

    def close(self, handle: int) -> bool:
        """False when it was not open."""
        return self._open.pop(handle, None) is not None

"""Times that drivers pass by pointer or by value, as ns from now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["from_now", "timeout"]


def from_now(guest: Guest, time: int) -> int:
    """ns from now of a LARGE_INTEGER's bits: negative for 100 ns units from now, else system time."""
    return guest.kernel.clock.duration(time - (1 << 64) if time >> 63 else time)


def timeout(guest: Guest, pointer: int) -> int | None:
    """ns of a PLARGE_INTEGER Timeout; None (for ever) for NULL."""
    if not pointer:
        return None
    return from_now(guest, int.from_bytes(guest.space.read(pointer, 8), "little"))

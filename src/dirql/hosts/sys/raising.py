"""Exceptions that a routine raises in the driver that called it, as ExRaiseStatus does inside the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from dirql.hosts.sys.raised import NONCONTINUABLE, Raised
from dirql.ntstatus import name_of

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["raise_status"]


def raise_status(guest: Guest, status: int, who: str) -> NoReturn:
    """`who`, a routine that the driver called, raises `status`; bugcheck 0x1E (or 0x7E) if nobody handles it."""
    raise Raised(status, why=f"{who} raises {name_of(status)}", flags=NONCONTINUABLE)

"""The entry of a kernel routine that has nothing behind it but the driver's memory: IRQL limit, scheduling point, cost.

What has an object behind it passes through that object's `ddi`; a string routine that is paged on Windows would otherwise
be callable at any IRQL here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from dirql.ddi import ddi

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["enter"]


def enter(guest: Guest, name: str) -> None:
    """The routine `name` begins; its limit is in facts/wdm_routines.csv."""
    _entry(name)(guest)


@cache
def _entry(name: str) -> Callable[[Guest], None]:
    @ddi(name)
    def begins(guest: Guest) -> None:
        """Nothing more happens here."""

    return begins

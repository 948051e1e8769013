"""Durations that drivers pass. In C a relative time is negative and counts 100 ns (KeSetTimerEx, KeWaitForSingleObject);
dirql's Python routines take nanoseconds from now, so that a negative one is a mistake and not a time in the past.

Limits: absolute times, which are positive in C, do not exist.
"""

from __future__ import annotations

from dirql.errors import UsageError

__all__ = ["refuse_no_duration"]


def refuse_no_duration(who: str, what: str, value: object) -> None:
    """UsageError unless `value`, the `what` of `who`, is a whole number of ns, 0 or more."""
    if not isinstance(value, int) or value < 0:
        limit = "write ns from now, a whole number of 0 or more, where C has negative 100 ns"
        raise UsageError(f"{who}: {what} {value!r:.40}; {limit}")

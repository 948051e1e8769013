"""Times that a model is built with."""

from __future__ import annotations

from dirql.errors import UsageError

__all__ = ["refuse_no_times"]


def refuse_no_times(model: str, **times: object) -> None:
    """UsageError unless each is a whole number of ns, 0 to what a register of 32 bits holds."""
    for name, value in times.items():
        if not (isinstance(value, int) and 0 <= value < 1 << 32):
            raise UsageError(f"{model}({name}={value!r:.40}): a time is a whole number of ns, 0 to 0xffffffff")

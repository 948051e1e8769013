"""IRQLs of x64 (wdm.h amd64) and what may happen at each (facts §5.1)."""

from __future__ import annotations

__all__ = ["APC_LEVEL", "CLOCK_LEVEL", "DISPATCH_LEVEL", "HIGH_LEVEL", "PASSIVE_LEVEL", "irql_name"]

from dirql.ddi import irql_name

PASSIVE_LEVEL = 0
APC_LEVEL = 1
DISPATCH_LEVEL = 2
CLOCK_LEVEL = 13
HIGH_LEVEL = 15

"""IRQL limits of every WDF and WDM routine dirql knows, by its C name (tables: wdf_functions.csv, wdm_routines.csv)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dirql.errors import ApiError

__all__ = ["IRQL", "Routine", "routine", "routines"]

# The highest device IRQL on x64 stands for "<= DIRQL" (facts of wdm.h: HIGH_LEVEL is 15, device vectors end at 0xBF).
IRQL = {"PASSIVE_LEVEL": 0, "APC_LEVEL": 1, "DISPATCH_LEVEL": 2, "DIRQL": 11, "HIGH_LEVEL": 15}


@dataclass(frozen=True)
class Routine:
    """A routine's row. `enforced` False: real drivers are known to break the page's word, so only warn.

    `index` is the place in the WDF function table, None for a WDM routine; `since` the first KMDF version.
    """

    name: str
    max_irql: int
    min_irql: int
    enforced: bool
    index: int | None = None
    since: str = ""

    @property
    def limit_name(self) -> str:
        """The maximum as the documentation writes it."""
        return next(name for name, level in IRQL.items() if level == self.max_irql)


@cache
def routines() -> dict[str, Routine]:
    """Every row of both tables, by name."""
    found: dict[str, Routine] = {}
    for table in ("wdf_functions.csv", "wdm_routines.csv"):
        lines = files("dirql.facts").joinpath(table).read_text("utf-8").splitlines()
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            limits = IRQL[row["max_irql"]], IRQL[row["min_irql"]]
            index = int(row["index"]) if "index" in row else None
            found[row["name"]] = Routine(row["name"], *limits, row["enforced"] == "1", index, row.get("since", ""))
    return found


def routine(name: str) -> Routine:
    """The row of `name`; a missing one is an `ApiError`, since a limit from memory is usually wrong."""
    try:
        return routines()[name]
    except KeyError:
        raise ApiError(f"{name} has no row in facts/wdf_functions.csv or facts/wdm_routines.csv; add it and its source") from None

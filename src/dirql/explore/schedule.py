"""A schedule: the order of a run as a value that can be printed, pasted and shrunk.

Its text is `CHOICES[@BASIS.PATH][,key=value…]`. CHOICES are option numbers in the order of the choices, 0 being what would have
happened anyway; `0:37` is 37 of them, and zeros at the end are left out. BASIS is a hash of the scenario and the files that it
names, PATH one of the options that were passed: a replay that meets others has diverged. The keys say what else was chosen
from: the faults, the grant, where the search began.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from dirql.errors import UsageError

__all__ = ["Decision", "Schedule", "path_of"]

LONGEST = 1_000_000  # choices
PASTE = "paste the whole of what explore printed"
RUN = 4  # from how many equal choices on they are written as one
_RUN = re.compile(r"(\d{1,6})(?::(\d{1,6}))?")
_HASHES = re.compile(r"[0-9a-f]{8}\.[0-9a-f]{8}")
_KEYS = re.compile(r"([a-z-]+)=([A-Za-z0-9_+-]+)")


class Decision(NamedTuple):
    """One choice as it was made: the options' ids in the order of their numbers, and the number taken."""

    ids: tuple[str, ...]
    taken: int
    before: str = ""  # what the running processor was about to do: a routine, a context's attribute


@dataclass(frozen=True)
class Schedule:
    """The numbers taken, and what they were taken from."""

    choices: tuple[int, ...] = ()
    basis: str = ""
    path: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """What `str` printed; UsageError says where it is none."""
        head, *keys = text.strip().split(",")
        choices, at, hashes = head.partition("@")
        if at and not _HASHES.fullmatch(hashes):
            raise UsageError(f"schedule {_short(text)}: {hashes!r:.40} is not BASIS.PATH; {PASTE}")
        taken: list[int] = []
        for part in choices.split("."):
            run = _RUN.fullmatch(part)
            if run is None:
                what = f"{part!r:.40} is no choice; write numbers with dots, as in 0.1.1.0:4.2"
                raise UsageError(f"schedule {_short(text)}: {what}")
            taken += [int(run[1])] * int(run[2] or 1)
            if len(taken) > LONGEST:
                raise UsageError(f"schedule {_short(text)}: more than {LONGEST} choices; paste one that explore printed")
        pairs = {}
        for key in keys:
            pair = _KEYS.fullmatch(key)
            if pair is None:
                raise UsageError(f"schedule {_short(text)}: {key!r:.40} is no key=value; {PASTE}")
            pairs[pair[1]] = pair[2]
        basis, _, path = hashes.partition(".")
        return cls(_trimmed(taken), basis, path, pairs)

    def __str__(self) -> str:
        parts = []
        for number, run in groupby(self.choices):
            length = sum(1 for _ in run)
            parts += [f"{number}:{length}"] if length >= RUN else [str(number)] * length
        hashes = f"@{self.basis}.{self.path}" if self.basis else ""
        return (".".join(parts) or "0") + hashes + "".join(f",{key}={value}" for key, value in self.keys.items())

    @property
    def deviations(self) -> int:
        """How many choices are not what would have happened anyway."""
        return sum(number != 0 for number in self.choices)


def path_of(decisions: Iterable[Decision]) -> str:
    """PATH: a hash of every option that could be taken on the way."""
    hashed = hashlib.sha256()
    for decision in decisions:
        hashed.update(f"{decision.taken}:{','.join(decision.ids)};".encode())
    return hashed.hexdigest()[:8]


def _trimmed(choices: list[int]) -> tuple[int, ...]:
    while choices and not choices[-1]:
        choices.pop()
    return tuple(choices)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"

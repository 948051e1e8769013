"""Rules: what a driver can break, each with a sentence, why it bites on real machines, how to mend it and where that is said.

They are data: `rules/*.toml`, a file for each area; a key is the rule's id.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from dirql.errors import ApiError
from dirql.findings import Level

__all__ = ["Rule", "read", "rule", "rules"]

LEVELS = ("error", "warning", "advice")


@dataclass(frozen=True)
class Rule:
    """One rule. `sentence` says what is wrong, `why` what comes of it on a real machine, `mend` what to write instead, `source`
    where the documentation says so (or that it is dirql's own advice). `area` is the file that it stands in."""

    area: str
    id: str
    level: Level
    sentence: str
    why: str
    mend: str
    source: str

    def as_json(self) -> dict[str, str]:
        """For `rules --json`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "area"}


def rule(id: str) -> Rule:
    """The rule of that id; ApiError when there is none."""
    known = rules()
    if id not in known:
        raise ApiError(f"there is no rule {id!r} in dirql/verify/rules; write one there")
    return known[id]


@cache
def rules() -> Mapping[str, Rule]:
    """All of them by id, in the order of their files and of their places there."""
    return read(files(__package__).joinpath("rules"))


def read(folder: Traversable) -> dict[str, Rule]:
    """The rules that the folder's tables hold; ApiError for what is none."""
    found: dict[str, Rule] = {}
    for table in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if table.name.endswith(".toml"):
            for id, entry in tomllib.loads(table.read_text(encoding="utf-8")).items():
                if id in found:
                    raise ApiError(f"{table.name}: the rule {id} stands in another file too; give one of them another id")
                found[id] = _rule(table.name, id, entry)
    return found


def _rule(table: str, id: str, entry: dict[str, Any]) -> Rule:
    wanted = [f.name for f in fields(Rule) if f.name not in ("area", "id")]
    if sorted(entry) != sorted(wanted) or not all(isinstance(text, str) and text.strip() for text in entry.values()):
        raise ApiError(f"{table}: the rule {id} has {', '.join(entry) or 'nothing'}; write {', '.join(wanted)}, a text each")
    if entry["level"] not in LEVELS:
        raise ApiError(f"{table}: the rule {id} has the level {entry['level']!r}; write one of {', '.join(LEVELS)}")
    level: Level = entry["level"]
    sentence, why, mend, source = (" ".join(entry[key].split()) for key in wanted[1:])  # a TOML text may go over several lines
    return Rule(table.removesuffix(".toml"), id, level, sentence, why, mend, source)

"""How the text report writes numbers, sets of numbers and runs of equal things."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

__all__ = ["clean", "compressed", "count", "plural", "ranges", "runs", "serves", "sources"]

T = TypeVar("T")
LONGEST = 12  # words of a sequence that is told once
_BRACKET = re.compile(r"[\[({]")
_NUMBERED = re.compile(r"(.*?)\s*(\d{1,9})")
_PLURAL = {"queue": "queues", "ring": "rings", "channel": "channels", "port": "ports", "message": "messages", "vector": "vectors"}


def count(number: int) -> str:
    """With thousands separators; `-` for nothing, so that what happened stands out."""
    return f"{number:,}" if number else "-"


def plural(number: int, what: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def ranges(numbers: Iterable[int]) -> str:
    """`0-3, 7`; `-` for none."""
    groups: list[list[int]] = []
    for number in sorted(set(numbers)):
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups) or "-"


def sources(told: Iterable[str]) -> list[str]:
    """`queue 0, queue 1` in one text is two; a list in brackets stays as it was written."""
    parts = [[text] if _BRACKET.search(text) else text.split(",") for text in told]
    return [word.strip() for texts in parts for word in texts if word.strip()]


def serves(told: Iterable[str]) -> str:
    """What an interrupt serves: `queues 0-2, admin` for `queue 0`, `queue 1`, `queue 2`, `admin`."""
    out = []
    for prefix, group in groupby(sources(told), lambda word: match[1] if (match := _NUMBERED.fullmatch(word)) else None):
        if prefix is None:
            out += list(group)
            continue
        numbers = [int(match[2]) for word in group if (match := _NUMBERED.fullmatch(word))]
        name = _PLURAL.get(prefix, prefix) if len(numbers) > 1 else prefix
        out.append(f"{name} {ranges(numbers)}".strip())
    return clean(", ".join(out))


def runs(items: Sequence[T], same: Callable[[T, T], bool]) -> list[list[T]]:
    """Consecutive items that are the same, together."""
    out: list[list[T]] = []
    for item in items:
        if out and same(out[-1][-1], item):
            out[-1].append(item)
        else:
            out.append([item])
    return out


def compressed(words: Sequence[str]) -> list[str]:
    """`EvtInterruptEnable ×9` for nine in a row; then the same for whole sequences, `(A → B) ×3`."""
    out = [group[0] if len(group) == 1 else f"{group[0]} ×{len(group)}" for group in runs(words, lambda a, b: a == b)]
    for length in range(2, LONGEST + 1):
        at = 0
        while at + 2 * length <= len(out):
            times = _repeats(out, at, length)
            if times > 1:
                out[at : at + times * length] = [f"({' → '.join(out[at : at + length])}) ×{times}"]
            at += 1
    return out


def _repeats(words: Sequence[str], at: int, length: int) -> int:
    """How often the `length` words at `at` stand there one after the other."""
    unit = words[at : at + length]
    times = 1
    while words[at + times * length : at + (times + 1) * length] == unit:
        times += 1
    return times


def clean(text: str) -> str:
    """Text of a driver's or a device's, with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)

"""The story of a schedule as a table: a column for each processor that did something, and one for the device and the fabric."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from dirql.explore.replay import Replay
from dirql.explore.story import Row
from dirql.report.page import BAD, FAINT, STRONG, Page
from dirql.report.stop import show_stop
from dirql.report.words import clean, plural

__all__ = ["as_json", "story_text"]

LAST = 40  # rows
GAP = 2
NARROWEST = 10


def story_text(replay: Replay, width: int, colour: bool) -> str:
    """The last rows of it, and how it ended early where it did."""
    page = Page(colour, width)
    choices, everything = replay.outcome.decisions, replay.rows
    rows = _interesting(everything)
    deviating = sum(decision.taken != 0 for decision in choices)
    page.words(f"{plural(len(choices), 'choice')}, {deviating:,} of them not the default one", STRONG, "", "  ")
    if replay.unused:
        page.words(f"the run came to its end without the last {plural(replay.unused, 'choice')}", BAD)
    if len(rows[-LAST:]) < len(everything):
        what = f"{len(rows[-LAST:])} of {len(everything):,} rows; --trace FILE writes every event of the run"
        page.words(what, FAINT, "", "  ")
    page.line()
    _table(page, rows[-LAST:])
    show_stop(page, replay.outcome.stop)
    return page.text()


def _interesting(rows: Sequence[Row]) -> list[Row]:
    """The work, and of what comes before and behind it what led to the end or tells of it."""
    if not any(row.part == "work" for row in rows):
        return list(rows)
    to_the_end = any(row.bad and row.part == "end" for row in rows)
    return [row for row in rows if row.part == "work" or row.deviates or row.bad or (to_the_end and row.part == "end")]


def _table(page: Page, rows: Sequence[Row]) -> None:
    cpus = sorted({row.cpu for row in rows if row.cpu >= 0})
    columns = [*cpus, -1]
    times = max([len("ns"), *(len(f"{row.time_ns:,}") for row in rows)])
    widths = _widths(rows, columns, page.width - times - GAP * len(columns))
    heads = [f"cpu{cpu}" if cpu >= 0 else "device" for cpu in columns]
    page.line(f"{'ns':>{times}}" + "".join(" " * GAP + f"{head:{wide}}" for head, wide in zip(heads, widths, strict=True)), FAINT)
    before = None
    for row in rows:
        time = f"{row.time_ns:,}" if row.time_ns != before else ""
        before = row.time_ns
        if row.deviates:
            page.words(clean(row.words), STRONG, f"{'►':>{times}}" + " " * GAP, " " * (times + GAP + 2))
            continue
        at = columns.index(row.cpu)
        left = " " * (sum(widths[:at]) + GAP * (at + 1))
        words = clean(row.words)
        hanging = " " * (len(words) - len(words.lstrip()) + 1)
        for number, part in enumerate(textwrap.wrap(words, widths[at], subsequent_indent=hanging)):
            line = Text(f"{time if not number else '':>{times}}", FAINT).append(left, "")
            page.line(line.append(part.rstrip(), BAD if row.bad else "not dim"))


def _widths(rows: Sequence[Row], columns: Sequence[int], room: int) -> list[int]:
    """What each column needs, and of less room an equal part for those that need more than that."""
    needs = [max([len(f"cpu{cpu}"), *(len(row.words) for row in rows if row.cpu == cpu and not row.deviates)]) for cpu in columns]
    left, widths = room, [0] * len(needs)
    for place, (need, column) in enumerate(sorted((need, column) for column, need in enumerate(needs))):
        widths[column] = max(min(need, left // (len(needs) - place)), NARROWEST if need > NARROWEST else need)
        left -= widths[column]
    return widths


def as_json(replay: Replay) -> dict[str, Any]:
    """Keys as docs/json.md lists them."""
    told = replay.found.as_json()
    del told["number"]
    decisions = [{"options": list(decision.ids), "taken": decision.taken} for decision in replay.outcome.decisions]
    story = [{"time_ns": row.time_ns, "cpu": row.cpu, "what": row.words.strip(), "deviates": row.deviates} for row in replay.rows]
    return {**told, "choices": decisions, "time_ns": replay.outcome.time_ns, "story": story}

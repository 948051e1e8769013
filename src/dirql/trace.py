"""The trace: one ordered log of events.

An event is a plain tuple `(time_ns, cpu, kind, *fields)`; cpu -1 is the fabric (the link, a device, a timer). The log is
in the order in which things happened; each processor's times never go back, while those of two processors may cross by
as much as the scheduler lets one run ahead. Recording appends a tuple and nothing else; words are made when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FABRIC", "Kind", "Trace"]

FABRIC = -1


class Kind:
    """The event kinds, each with the names of its fields."""

    CALL = "call"
    CALLBACK = "callback"
    CALLBACK_END = "callback-end"
    SENT = "sent"
    ACCEPTED = "accepted"
    MERGED = "merged"
    SWALLOWED = "swallowed"
    LINE = "line"
    ISR = "isr"
    ISR_END = "isr-end"
    DPC_QUEUED = "dpc-queued"
    DPC = "dpc"
    DPC_END = "dpc-end"
    READ = "read"
    WRITE = "write"
    LANDED = "landed"
    DMA_WRITE = "dma-write"
    DMA_READ = "dma-read"
    THREAD = "thread"
    WAIT = "wait"
    FINDING = "finding"
    NOTE = "note"
    STOP = "stop"


FIELDS: dict[str, tuple[str, ...]] = {
    Kind.CALL: ("routine", "irql"),
    Kind.CALLBACK: ("name", "object"),
    Kind.CALLBACK_END: ("name", "returned"),
    Kind.SENT: ("function", "entry", "address", "data"),
    Kind.ACCEPTED: ("entry", "target", "vector"),
    Kind.MERGED: ("entry", "target", "vector"),
    Kind.SWALLOWED: ("vector", "why"),
    Kind.LINE: ("gsi", "asserted"),
    Kind.ISR: ("vector", "irql", "object"),
    Kind.ISR_END: ("vector", "claimed"),
    Kind.DPC_QUEUED: ("object", "target"),
    Kind.DPC: ("object",),
    Kind.DPC_END: ("object",),
    Kind.READ: ("function", "bar", "offset", "size", "value"),
    Kind.WRITE: ("function", "bar", "offset", "size", "value"),
    Kind.LANDED: ("function", "bar", "offset", "size", "value"),
    Kind.DMA_WRITE: ("function", "address", "length"),
    Kind.DMA_READ: ("function", "address", "length"),
    Kind.THREAD: ("thread", "what"),
    Kind.WAIT: ("thread", "object"),
    Kind.FINDING: ("rule", "sentence"),
    Kind.NOTE: ("who", "what"),
    Kind.STOP: ("why",),
}
HEX = frozenset({"address", "data", "vector", "offset", "value"})


@dataclass
class Trace:
    """An ordered log. `add` is the list's own append, so that recording costs one call."""

    log: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add = self.log.append

    def __len__(self) -> int:
        return len(self.log)

    def events(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Each event as a dictionary with `time_ns`, `cpu`, `kind` and its fields; only of `kinds` if any are named."""
        for time, cpu, kind, *values in self.log:
            if not kinds or kind in kinds:
                yield {"time_ns": time, "cpu": cpu, "kind": kind, **dict(zip(FIELDS[kind], values, strict=True))}

    def lines(self) -> Iterator[str]:
        """Each event as a line of text."""
        for event in self.events():
            cpu = "  - " if event["cpu"] < 0 else f"cpu{event['cpu']}"
            words = " ".join(
                f"{name}={value:#x}" if name in HEX and isinstance(value, int) else f"{name}={value}"
                for name, value in event.items()
                if name not in ("time_ns", "cpu", "kind")
            )
            yield f"{event['time_ns']:>12,} {cpu:<5} {event['kind']:<12} {words}"

    def json_lines(self) -> Iterator[str]:
        """Each event as one line of JSON (JSON Lines)."""
        return (json.dumps(event, separators=(",", ":")) for event in self.events())

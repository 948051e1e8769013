"""The story of one run: what each processor did and what happened to the device, in order, with the choices that made it so.

A row has its time, the processor (or the fabric) and a few words; a choice other than the default one is a row of its own.
Limits: of a routine that is called only the name is there, of a context's attributes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dirql.explore.director import Tactic
from dirql.trace import FABRIC, Kind, Trace

__all__ = ["Observed", "Row", "rows_of"]


class Row(NamedTuple):
    """`cpu` is -1 for device and fabric; `deviates` marks a choice that is not the default one, `bad` a finding or a stop.
    `part` is "start", "work" or "end"."""

    time_ns: int
    cpu: int
    words: str
    deviates: bool = False
    bad: bool = False
    part: str = "start"


class _Choice(NamedTuple):
    at: int  # in the trace
    number: int
    kind: str
    taken: str
    default: str


@dataclass
class Observed:
    """A tactic that notes where in the trace each choice of another one was made that is not the default."""

    tactic: Tactic
    trace: Trace

    def __post_init__(self) -> None:
        self.choices: list[_Choice] = []
        self.begin: int | None = None
        self._number = 0
        self._parts = {"start": 0}

    def enter(self, part: str) -> None:
        """What comes from here on is of it."""
        self._parts[part] = len(self.trace)

    def part(self, at: int) -> str:
        """Which one the event is of."""
        return [part for part, begin in self._parts.items() if begin <= at][-1]

    def take(self, kind: str, ids: Sequence[str], current: bool) -> int:
        """The other one's."""
        if self.begin is None:
            self.begin = len(self.trace)
        taken = self.tactic.take(kind, ids, current)
        self._number += 1
        if taken:
            self.choices.append(_Choice(len(self.trace), self._number, kind, ids[taken], ids[0]))
        return taken

    def forced(self, id: str) -> None:
        """The other one's too."""
        if self.begin is None:
            self.begin = len(self.trace)
        self.tactic.forced(id)


def rows_of(observed: Observed, begin: int = 0) -> list[Row]:
    """From the event `begin` on."""
    rows: list[Row] = []
    choices = list(observed.choices)
    depth: dict[int, int] = {}
    time = 0
    for at, (time_ns, cpu, kind, *fields) in enumerate(observed.trace.log):
        while choices and choices[0].at <= at:
            rows.append(_choice(observed, choices.pop(0), time))
        time = time_ns
        words = WORDS.get(kind)
        if words is None or at < begin:
            continue
        if kind in ENDS:
            depth[cpu] = max(depth.get(cpu, 0) - 1, 0)
        said = "  " * depth.get(cpu, 0) + words(*fields)
        rows.append(Row(time_ns, cpu, said, bad=kind in (Kind.FINDING, Kind.STOP), part=observed.part(at)))
        if kind in BEGINS:
            depth[cpu] = depth.get(cpu, 0) + 1
    return [*rows, *(_choice(observed, choice, time) for choice in choices)]


def _choice(observed: Observed, choice: _Choice, time: int) -> Row:
    words = f"choice {choice.number}: {_told(choice.kind, choice.taken)}, not {_told(choice.kind, choice.default)}"
    return Row(time, FABRIC, words, True, part=observed.part(choice.at))


def _told(kind: str, id: str) -> str:
    if id.startswith("land:"):
        return id.removeprefix("land:") + " lands"
    if id.startswith("fault:"):
        return id.removeprefix("fault:") + (" fails" if kind == "fault" else "")
    if id == "ok":
        return "all is well"
    return f"{id} takes the message" if kind == "target" else f"{id} goes on"


def _access(sign: str) -> Callable[..., str]:
    return lambda function, bar, offset, size, value: f"{sign}BAR{bar}+{offset:#x} {value:#x}"


BEGINS = (Kind.CALLBACK, Kind.ISR, Kind.DPC)
ENDS = (Kind.CALLBACK_END, Kind.ISR_END, Kind.DPC_END)
# fmt: off
WORDS: dict[str, Callable[..., str]] = {
    Kind.CALL:         lambda routine, irql: routine,
    Kind.CALLBACK:     lambda name, object: name,
    Kind.CALLBACK_END: lambda name, returned: f"{name} ends",
    Kind.SENT:         lambda function, entry, address, data: f"message {entry} sent",
    Kind.ACCEPTED:     lambda entry, target, vector: f"cpu{target} has {vector:#x} pending",
    Kind.MERGED:       lambda entry, target, vector: f"{vector:#x} merged: cpu{target} has it pending",
    Kind.SWALLOWED:    lambda vector, why: f"{vector:#x} swallowed: {why}",
    Kind.LINE:         lambda gsi, asserted: f"line {gsi} {'asserted' if asserted else 'deasserted'}",
    Kind.ISR:          lambda vector, irql, object: f"ISR of {object}",
    Kind.ISR_END:      lambda vector, claimed: "ISR ends" if claimed else "ISR ends, FALSE",
    Kind.DPC_QUEUED:   lambda object, target: f"DPC {object} queued on cpu{target}",
    Kind.DPC:          lambda object: f"DPC of {object}",
    Kind.DPC_END:      lambda object: "DPC ends",
    Kind.READ:         _access("reads "),
    Kind.WRITE:        _access("writes "),
    Kind.LANDED:       _access("lands: "),
    Kind.DMA_WRITE:    lambda function, address, length: f"DMA write {address:#x}, {length} bytes",
    Kind.DMA_READ:     lambda function, address, length: f"DMA read {address:#x}, {length} bytes",
    Kind.WAIT:         lambda thread, object: f"{thread} waits for {object}",
    Kind.FINDING:      lambda rule, sentence: f"FINDING {rule}",
    Kind.STOP:         lambda why: f"STOP {why}",
}
# fmt: on

"""The report of a run, as plain values; docs/json.md documents its JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from dirql.findings import Finding
from dirql.report.words import sources

__all__ = ["InterruptRow", "MessageRow", "Report"]


@dataclass(frozen=True)
class InterruptRow:
    """One WDFINTERRUPT, or a KINTERRUPT that the driver connected itself. `message` is the OS message that feeds it, None for
    a line or without a resource; `vector` 0 means that it has no resource. Times are virtual ns, summed over all calls; which
    DPCs belong to a KINTERRUPT is the driver's to know, so they are None."""

    object: int
    name: str
    message: int | None
    vector: int
    cpus: tuple[int, ...]
    irql: int
    serves: tuple[str, ...]
    isr_calls: int
    isr_claimed: int
    isr_ns: int
    dpc_calls: int | None
    dpc_ns: int | None
    kind: str = "WDFINTERRUPT"


@dataclass(frozen=True)
class MessageRow:
    """What became of the messages of one table entry (or MSI message); `message` is the OS message the entry is aimed at."""

    entry: int
    message: int | None
    sent: int
    delivered: int
    merged: int
    latched: int
    withdrawn: int
    swallowed: int
    in_flight: int
    dropped: dict[str, int]
    cpus: tuple[int, ...]

    @property
    def balanced(self) -> bool:
        """True when the fates sum to what was sent."""
        ended = self.delivered + self.merged + self.latched + self.withdrawn + self.swallowed + self.in_flight
        return self.sent == ended + sum(self.dropped.values())


@dataclass
class Report:
    """One device's run."""

    function: str
    device: str
    driver: str
    cpus: int
    kind: str
    asked: int
    granted: int
    synthetic: bool
    why: str
    status: int
    status_name: str
    descriptors: list[dict[str, Any]] = field(default_factory=list)
    interrupts: list[InterruptRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    line: dict[str, Any] | None = None
    served_by: dict[int, list[str]] = field(default_factory=dict)
    callbacks: list[tuple[str, str]] = field(default_factory=list)
    register_reads: int = 0
    register_writes: int = 0
    reads_at_dirql: dict[str, int] = field(default_factory=dict)
    reads_at_dirql_ns: int = 0
    grants: list[dict[str, Any]] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    bugcheck: dict[str, Any] | None = None
    failure: str = ""
    time_ns: int = 0
    notes: list[str] = field(default_factory=list)  # what of the INF has no effect, and what it leaves out

    @property
    def registers_read_at_dirql(self) -> int:
        """How many register reads an ISR (or anything else above DISPATCH_LEVEL) made."""
        return sum(self.reads_at_dirql.values())

    @property
    def clean(self) -> bool:
        """Nothing found: exit status 0."""
        failed = self.status & 0x80000000
        return not (self.findings_that_count or self.bugcheck or self.unserved or self.stuck or failed)

    @property
    def findings_that_count(self) -> list[Finding]:
        """Errors and warnings; advice does not fail a run."""
        return [f for f in self.findings if f.level != "advice"]

    def as_json(self) -> dict[str, Any]:
        """The keys of `run --json`."""
        interrupts = [asdict(row) | {"cpus": list(row.cpus), "serves": sources(row.serves)} for row in self.interrupts]
        messages = []
        for row in self.messages:
            one = asdict(row) | {"cpus": list(row.cpus), "dropped": sum(row.dropped.values()), "dropped_why": row.dropped}
            messages.append(one)
        return {
            "function": self.function, "device": self.device, "driver": self.driver, "cpus": self.cpus, "kind": self.kind,
            "asked": self.asked, "granted": self.granted, "synthetic": self.synthetic, "why": self.why or None,
            "status": self.status, "status_name": self.status_name, "failure": self.failure,
            "notes": self.notes, "descriptors": self.descriptors,
            "interrupts": interrupts, "messages": messages, "line": self.line,
            "callbacks": [name for name, _ in self.callbacks], "callback_objects": [on for _, on in self.callbacks],
            "register_reads": self.register_reads, "register_writes": self.register_writes,
            "registers_read_at_dirql": self.registers_read_at_dirql, "reads_at_dirql": self.reads_at_dirql,
            "reads_at_dirql_ns": self.reads_at_dirql_ns, "grants": self.grants,
            "unserved": self.unserved, "stuck": self.stuck, "findings": [asdict(f) for f in self.findings],
            "bugcheck": self.bugcheck, "time_ns": self.time_ns,
        }  # fmt: skip

    def __str__(self) -> str:
        from dirql.report.text import render

        return render(self)

"""The report of a run as text, in the words of WDF and of WinDbg's !idt, !wdfinterrupt and !dpcs.

Limits: tables of many rows show their beginning and their end; `--json` has every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from dirql.report.model import InterruptRow, MessageRow, Report
from dirql.report.page import BAD, FAINT, GOOD, STRONG, Page, Row
from dirql.report.stop import show_stop
from dirql.report.words import clean, compressed, count, plural, ranges, runs, serves

__all__ = ["render"]

MANY = 32  # rows; a longer table is folded
HEAD, TAIL = 20, 4  # rows that a table still too long keeps
INSUFFICIENT_RESOURCES = 0xC000_009A
KINDS = {"msi-x": "MSI-X", "msi": "MSI", "line": "a line", "none": "no interrupt"}
COUNTS = ("sent", "delivered", "merged", "latched", "withdrawn", "swallowed", "dropped")
LOST = ("swallowed", "dropped")


def render(report: Report, colour: bool = False, width: int = 80) -> str:
    """Lines of at most `width` columns, with ANSI colours if asked; no line ends in a blank."""
    page = Page(colour, width)
    _headline(page, report)
    _resources(page, report)
    _map(page, report)
    _messages(page, report)
    _interrupts(page, report)
    _callbacks(page, report)
    _registers(page, report)
    _verdict(page, report)
    return page.text()


def _headline(page: Page, report: Report) -> None:
    who = clean(f"{report.device} {report.function}")
    driver = f", driver {clean(report.driver)}" if report.driver else ""
    if report.status & 0x8000_0000:
        code = 12 if report.kind == "none" and report.status == INSUFFICIENT_RESOURCES else 10
        verdict, style = f"failed to start with {report.status_name} (Code {code})", BAD
    elif report.bugcheck is not None:
        stop = report.bugcheck
        verdict, style = f"bugcheck {stop['code']:x}" if stop["kind"] == "bugcheck" else f"hang ({stop['rule']})", BAD
    else:
        verdict, style = "started", GOOD
    line = Text(f"{who}{driver}: ", STRONG)
    if len(line) + len(verdict) <= page.width:
        page.line(line.append(verdict, style))
    else:
        page.line(line)
        page.line(f"  {verdict}", style)
    if report.failure:
        page.words(f"because {report.failure}", BAD)
    page.line(f"{plural(report.cpus, 'processor')}, {report.time_ns:,} ns of virtual time")


def _resources(page: Page, report: Report) -> None:
    if not report.descriptors and report.kind == "none":
        page.heading("Resources", "none granted")
        if report.why:
            page.words(f"because: {report.why}")
        _notes(page, report)
        return
    gist = KINDS[report.kind]
    if report.kind in ("msi-x", "msi"):
        gist += f", {report.granted:,} of {plural(report.asked, 'message')} granted"
    elif report.kind == "line" and report.asked > 1:
        gist += f" instead of the {report.asked:,} messages asked for"
    page.heading("Resources", gist)
    if report.synthetic:
        page.words("synthetic: Windows grants all messages, one, or the line; this count was forced", BAD)
    if report.why:
        page.words(f"because: {report.why}")
    if len(report.grants) > 1:
        page.words("earlier grants: " + ", ".join(_grant(one) for one in report.grants[:-1]))
    rows: list[Row] = []
    numbered = list(enumerate(report.descriptors))
    for group in runs(numbered, lambda a, b: _is_message(a[1]) and _is_message(b[1])):
        first, last = group[0], group[-1]
        index = str(first[0]) if first is last else f"{first[0]}-{last[0]}"
        rows.append([index, first[1]["type"], _descriptor([one for _, one in group])])
    page.table(["#", "type", "translated"], rows, left=["type", "translated"])
    _notes(page, report)


def _notes(page: Page, report: Report) -> None:
    for note in report.notes:
        page.words(f"note: {note}", hanging="        ")


def _grant(one: dict[str, Any]) -> str:
    what = "a line" if one["kind"] == "line" else plural(one["granted"], "message") if one["granted"] else "nothing"
    return f"{what} ({plural(one['isr_calls'], 'ISR call')})"


def _is_message(descriptor: dict[str, Any]) -> bool:
    return bool(descriptor["type"] == "interrupt" and "message_count" in descriptor["raw"])


def _descriptor(group: list[dict[str, Any]]) -> str:
    first = group[0]
    union = first["translated"]
    if first["type"] == "interrupt":
        share = "shared" if first["share"] == "shared" else "exclusive"
        if not _is_message(first):
            return f"level, {share}, GSI {first['raw']['vector']}, vector {union['vector']:#x}, IRQL {union['level']}"
        messages = sum(one["raw"]["message_count"] for one in group)
        vectors = sorted({one["translated"]["vector"] + i for one in group for i in range(one["raw"]["message_count"])})
        span = f"vectors {vectors[0]:#x}-{vectors[-1]:#x}" if len(vectors) > 1 else f"vector {vectors[0]:#x}"
        together = " in one descriptor" if messages > len(group) else ""
        return f"{plural(messages, 'message')}{together}, latched{', shared' if share == 'shared' else ''}, {span}"
    if "length" in union:
        length = "length unknown" if union["length"] is None else f"{union['length']:#x} bytes"
        return f"{union['start']:#x}, {length}"
    return ", ".join(f"{key} {value}" for key, value in union.items())


def _map(page: Page, report: Report) -> None:
    if report.line is not None:
        _line_map(page, report.line, report.interrupts)
    elif report.kind != "none":
        _message_map(page, report)


def _line_map(page: Page, line: dict[str, Any], interrupts: Sequence[InterruptRow]) -> None:
    page.heading("Map", "line → vector → processors → interrupt object → what it serves")
    served: list[InterruptRow | None] = [row for row in interrupts if row.vector == line["vector"]]
    where: Row = [f"GSI {line['gsi']}", f"{line['vector']:#x}", ranges(line["cpus"]), str(line["irql"])]
    head = _object_head(interrupts)
    rows = [[*where, *_object(row, head)] for row in served or [None]]
    page.table(["line", "vector", "cpus", "IRQL", head, "serves"], rows, left=[head, "serves"])


def _message_map(page: Page, report: Report) -> None:
    objects: dict[int | None, InterruptRow] = {r.message: r for r in reversed(report.interrupts) if r.message is not None}
    entries = report.kind == "msi-x"  # MSI has no table: its messages are the OS messages
    what = "MSI-X table entry → OS message" if entries else "MSI message"
    page.heading("Map", f"{what} → vector → processors → interrupt object")
    shown = [row for row in report.messages if entries or row.message is not None]
    head = _object_head(report.interrupts)
    rows = []
    for group in runs(shown, lambda a, b: a.message == b.message or (a.message not in objects and b.message not in objects)):
        row = next((objects[one.message] for one in group if one.message in objects), None)
        messages = [one.message for one in group if one.message is not None]
        first: Row = [ranges(messages)]
        where: Row = [f"{row.vector:#x}", ranges(row.cpus), str(row.irql)] if row is not None else ["-", "-", "-"]
        rows.append([*([_span([one.entry for one in group])] if entries else []), *first, *where, *_object(row, head)])
    heads = [*(["entry"] if entries else []), "message", "vector", "cpus", "IRQL", head, "serves"]
    page.table(heads, _shortened(rows), left=[head, "serves"])
    idle = [row.object for row in report.interrupts if not row.vector]
    if idle:
        page.words(f"without a resource, so never connected: WDFINTERRUPT {ranges(idle)}")
    beyond = [row.entry for row in report.messages[report.granted :]]
    if entries and beyond and report.granted:
        many = f"entry {beyond[0]} is beyond the grant" if len(beyond) == 1 else f"entries {ranges(beyond)} are beyond the grant"
        page.words(f"{many}, and aimed at message 0")


def _object_head(interrupts: Sequence[InterruptRow]) -> str:
    """What the objects are; they say it themselves where the driver has both."""
    kinds = {row.kind for row in interrupts} or {"WDFINTERRUPT"}
    return kinds.pop() if len(kinds) == 1 else "object"


def _object(row: InterruptRow | None, head: str) -> Row:
    if row is None:
        return [Text("none", BAD), "-"]
    kind = "" if head == row.kind else f"{row.kind} "
    name = "" if row.kind == "KINTERRUPT" or row.name == f"interrupt{row.object}" else f" {clean(row.name)}"
    return [f"{kind}{row.object}{name}", serves(row.serves) or "-"]


def _messages(page: Page, report: Report) -> None:
    rows = [row for row in report.messages if report.kind == "msi-x" or row.message is not None or row.sent]
    if not any(row.sent for row in rows):
        page.heading("Messages", "none was sent" + ("; the function interrupts by its line" if report.line is not None else ""))
        return
    page.heading("Messages", "what became of each")
    many = len([row for row in rows if row.sent]) > MANY
    lines: list[Row] = []
    together = False
    for group in runs(rows, lambda a, b: (many or not a.sent) and _counts(a) == _counts(b)):
        first = group[0]
        together = together or (len(group) > 1 and first.sent > 0)
        label = _span([one.entry for one in group])
        cpus = {cpu for one in group for cpu in one.cpus}
        lines.append([label, *_cells(_counts(first)), ranges(cpus) if first.sent else "-"])
    everyone = sorted({cpu for row in rows for cpu in row.cpus})
    totals = [sum(counts) for counts in zip(*(_counts(row) for row in rows), strict=True)]
    shortened = _shortened(lines)
    if len(rows) > 1:
        shortened.append([Text("total", STRONG), *_cells(totals), ranges(everyone)])
    page.table(["entry" if report.kind == "msi-x" else "message", *COUNTS, "cpus"], shortened, left=["cpus"])
    if together:
        page.words("a row of several entries counts each of them", FAINT)
    for row in rows:
        if row.in_flight:
            page.words(f"still in flight of {row.entry}: {row.in_flight:,}", BAD)
        if row.dropped:
            page.words(f"dropped of {row.entry}: " + ", ".join(f"{n:,} {why}" for why, n in sorted(row.dropped.items())), BAD)
    wrong = [row.entry for row in rows if not row.balanced]
    if wrong:
        page.words(f"the fates of {ranges(wrong)} do not sum to what was sent: this is a bug of dirql, report it", BAD)
    else:
        page.words("the fates sum to what was sent", FAINT)


def _counts(row: MessageRow) -> list[int]:
    dropped = sum(row.dropped.values())
    return [row.sent, row.delivered, row.merged, row.latched, row.withdrawn, row.swallowed, dropped, row.in_flight]


def _cells(counts: Sequence[int]) -> Row:
    return [Text(count(n), BAD) if n and name in LOST else count(n) for n, name in zip(counts, COUNTS, strict=False)]


def _interrupts(page: Page, report: Report) -> None:
    rows = report.interrupts
    if not rows:
        return
    page.heading("Interrupt objects", "calls, and virtual time in ns")
    lines: list[Row] = []
    head = _object_head(rows)
    for group in runs(rows, lambda a, b: a.kind == b.kind and not (a.isr_calls or a.dpc_calls or b.isr_calls or b.dpc_calls)):
        first = group[0]
        kind = "KINTERRUPT " if head == "object" and first.kind == "KINTERRUPT" else ""
        lines.append([kind + _span([one.object for one in group]), *_calls(first)])
    lines = _shortened(lines)
    if len(rows) > 1:
        known = [r for r in rows if r.dpc_calls is not None]
        total = InterruptRow(
            0, "", None, 0, (), 0, (), sum(r.isr_calls for r in rows), sum(r.isr_claimed for r in rows),
            sum(r.isr_ns for r in rows), sum(r.dpc_calls or 0 for r in known) if known else None,
            sum(r.dpc_ns or 0 for r in known) if known else None,
        )  # fmt: skip
        lines.append([Text("total", STRONG), *_calls(total)])
    page.table(["object", "ISR calls", "claimed", "ISR ns", "per call", "DPC calls", "DPC ns", "per call"], lines)


def _calls(row: InterruptRow) -> Row:
    unclaimed = row.isr_calls and row.isr_claimed < row.isr_calls
    return [
        count(row.isr_calls), Text(count(row.isr_claimed), BAD) if unclaimed else count(row.isr_claimed), count(row.isr_ns),
        _each(row.isr_ns, row.isr_calls), *_dpcs(row),
    ]  # fmt: skip


def _dpcs(row: InterruptRow) -> Row:
    """Empty where nobody knows."""
    if row.dpc_calls is None or row.dpc_ns is None:
        return ["", "", ""]
    return [count(row.dpc_calls), count(row.dpc_ns), _each(row.dpc_ns, row.dpc_calls)]


def _each(ns: int, calls: int) -> str:
    return count(round(ns / calls)) if calls else "-"


def _callbacks(page: Page, report: Report) -> None:
    if report.callbacks:
        page.heading("Callbacks", "in the order of their calls")
        page.words(" → ".join(compressed([name for name, _ in report.callbacks])), hanging="  ")


def _registers(page: Page, report: Report) -> None:
    reads, writes = plural(report.register_reads, "read"), plural(report.register_writes, "write")
    if not report.reads_at_dirql:
        page.heading("Registers", f"{reads}, {writes}; none read at DIRQL")
        return
    page.heading("Registers", f"{reads}, {writes}")
    times = f"{report.registers_read_at_dirql:,} read at DIRQL"
    page.words(f"{times}: round trips over PCIe that took {report.reads_at_dirql_ns:,} ns")
    rows: list[Row] = [[clean(where), f"{count:,}"] for where, count in report.reads_at_dirql.items()]
    page.table(["  register", "reads"], [[f"  {row[0]}", row[1]] for row in _shortened(rows)], left=["  register"])


def _verdict(page: Page, report: Report) -> None:
    if report.unserved:
        page.heading("Unserved", "work that the device still has outstanding")
        for what in _limited(report.unserved):
            page.words(what, BAD)
    if report.stuck:
        page.heading("Stuck threads")
        for what in _limited(report.stuck):
            page.words(what, BAD)
    if report.findings:
        page.heading("Findings")
        for finding in report.findings:
            times = f", {finding.count:,} times" if finding.count > 1 else ""
            page.words(f"{finding.level} {finding.rule}: {finding.sentence}", "" if finding.level == "advice" else BAD)
            page.words(f"at {finding.time:,} ns, {finding.where}{times}", FAINT, "      ", "      ")
    stop = report.bugcheck
    hang = [stop["rule"]] if stop is not None and stop["kind"] == "hang" else []
    _more(page, [] if hang else [finding.rule for finding in report.findings])
    show_stop(page, stop)
    _more(page, hang and [*(finding.rule for finding in report.findings), *hang])
    page.line()
    if report.clean:
        page.line("nothing found", GOOD)
        return
    parts = [
        plural(len(report.findings_that_count), "finding") if report.findings_that_count else "",
        ("a bugcheck" if stop["kind"] == "bugcheck" else "a hang") if stop is not None else "",
        "work left unserved" if report.unserved else "",
        plural(len(report.stuck), "stuck thread") if report.stuck else "",
        "the device did not start" if report.status & 0x8000_0000 else "",
    ]
    page.line("found: " + ", ".join(part for part in parts if part), BAD)


def _more(page: Page, rules: Sequence[str]) -> None:
    """How to learn more of the rules that were broken."""
    if rules:
        id = rules[0] if len(set(rules)) == 1 else "ID"
        page.words(f"dirql rules {id} tells why, and what to do", FAINT)


def _span(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def _shortened(rows: list[Row]) -> list[Row]:
    """A long table's first and last rows, and between them how many are left out."""
    if len(rows) <= MANY:
        return list(rows)
    left_out = len(rows) - HEAD - TAIL
    gap: Row = [Text(f"{left_out:,} more", FAINT), *(Text("…", FAINT) for _ in rows[0][1:])]
    return [*rows[:HEAD], gap, *rows[-TAIL:]]


def _limited(lines: Sequence[str]) -> list[str]:
    return list(lines) if len(lines) <= MANY else [*lines[:HEAD], f"and {len(lines) - HEAD:,} more: --json has them all"]

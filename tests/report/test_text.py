"""The report as text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.findings import Finding
from dirql.report import InterruptRow, MessageRow, Report, render
from dirql.report.text import MANY


def interrupt(index: int, message: int | None = 0, vector: int = 0x51, **more: Any) -> InterruptRow:
    row = InterruptRow(index, f"interrupt{index}", message, vector, (0,), vector >> 4, (f"queue {index}",), 0, 0, 0, 0, 0)
    return replace(row, **more)


def kinterrupt(number: int, message: int | None = 0, **more: Any) -> InterruptRow:
    """One that the driver connected itself."""
    name = f"message{number} of card"
    row = InterruptRow(number, name, message, 0x51, (0,), 5, ("admin",), 3, 3, 300, None, None, "KINTERRUPT")
    return replace(row, **more)


def message(entry: int, aimed: int | None, sent: int = 0, **more: Any) -> MessageRow:
    row = MessageRow(entry, aimed, sent, sent, 0, 0, 0, 0, 0, {}, (0,) if sent else ())
    return replace(row, **more)


def report(**more: Any) -> Report:
    said = Report("1234:4d51", "card", "Driver", 4, "msi-x", 2, 2, False, "", 0, "STATUS_SUCCESS")
    for name, value in more.items():
        setattr(said, name, value)
    return said


def section(text: str, name: str) -> list[str]:
    """The lines under a heading."""
    blocks = [block.split("\n") for block in text.split("\n\n")]
    return next(block[1:] for block in blocks if block[0].startswith(name))


def test_the_headline_tells_device_driver_and_verdict() -> None:
    lines = render(report(time_ns=1234)).split("\n")
    assert lines[:2] == ["card 1234:4d51, driver Driver: started", "4 processors, 1,234 ns of virtual time"]


@pytest.mark.parametrize(("kind", "status", "name", "code"), [
    ("msi-x", 0xC0000182, "STATUS_DEVICE_CONFIGURATION_ERROR", 10),
    ("none", 0xC000009A, "STATUS_INSUFFICIENT_RESOURCES", 12),
])  # fmt: skip
def test_a_failed_start_has_its_code(kind: str, status: int, name: str, code: int) -> None:
    text = render(report(kind=kind, status=status, status_name=name))
    assert text.split("\n")[1] == f"  failed to start with {name} (Code {code})"
    assert text.endswith("\nfound: the device did not start")


def test_the_map_leads_from_entry_to_what_is_served() -> None:
    rows = [message(0, 0), message(1, 1), message(2, 0), message(3, 0)]
    text = render(report(interrupts=[interrupt(0), interrupt(1, 1, 0x62)], messages=rows))
    assert section(text, "Map") == [
        "entry  message  vector  cpus  IRQL  WDFINTERRUPT  serves",
        "    0        0    0x51     0     5  0             queue 0",
        "    1        1    0x62     0     6  1             queue 1",
        "  2-3        0    0x51     0     5  0             queue 0",
        "  entries 2-3 are beyond the grant, and aimed at message 0",
    ]


def test_the_fates_have_a_total_and_entries_without_messages_are_folded() -> None:
    rows = [message(0, 0, 1500), message(1, 1, 3, delivered=1, merged=2, cpus=(1, 2)), *(message(i, 0) for i in range(2, 9))]
    assert section(render(report(messages=rows)), "Messages") == [
        "entry   sent  delivered  merged  latched  withdrawn  swallowed  dropped  cpus",
        "    0  1,500      1,500       -        -          -          -        -  0",
        "    1      3          1       2        -          -          -        -  1-2",
        "  2-8      -          -       -        -          -          -        -  -",
        "total  1,503      1,501       2        -          -          -        -  0-2",
        "  the fates sum to what was sent",
    ]


def test_what_was_dropped_says_why() -> None:
    rows = [message(0, 0, 3, delivered=0, dropped={"bus master off": 2, "enable off": 1})]
    assert "  dropped of 0: 2 bus master off, 1 enable off" in section(render(report(messages=rows)), "Messages")


def test_fates_that_do_not_sum_are_called_a_bug() -> None:
    lines = section(render(report(messages=[message(0, 0, 3, delivered=1)])), "Messages")
    assert lines[-1] == "  the fates of 0 do not sum to what was sent: this is a bug of dirql, report it"


def test_equal_rows_of_many_entries_are_one() -> None:
    rows = [message(i, i, 2 if i < 1000 else 1) for i in range(2048)]
    assert section(render(report(messages=rows)), "Messages")[1:5] == [
        "    0-999     2         2      -       -         -         -       - 0",
        "1000-2047     1         1      -       -         -         -       - 0",
        "    total 3,048     3,048      -       -         -         -       - 0",
        "  a row of several entries counts each of them",
    ]


def test_a_line_is_mapped_to_the_object_that_serves_it() -> None:
    line = {"gsi": 20, "vector": 0x51, "irql": 5, "cpus": [0, 1]}
    text = render(report(kind="line", granted=1, line=line, interrupts=[interrupt(0, None)]))
    assert section(text, "Map") == [
        "  line  vector  cpus  IRQL  WDFINTERRUPT  serves",
        "GSI 20    0x51   0-1     5  0             queue 0",
    ]


def test_isr_and_dpc_times_have_a_mean() -> None:
    rows = [interrupt(0, isr_calls=4, isr_claimed=3, isr_ns=4000, dpc_calls=2, dpc_ns=5001), interrupt(1), interrupt(2)]
    assert section(render(report(interrupts=rows)), "Interrupt objects") == [
        "object  ISR calls  claimed  ISR ns  per call  DPC calls  DPC ns  per call",
        "     0          4        3   4,000     1,000          2   5,001     2,500",
        "   1-2          -        -       -         -          -       -         -",
        " total          4        3   4,000     1,000          2   5,001     2,500",
    ]


def test_what_was_found_is_told_in_full_and_summed_up() -> None:
    findings = [Finding("irql-too-high", "error", "too high", "cpu1, dpc, driver.py:3", 1, 5000, 2),
                Finding("hint", "advice", "nicer", "driver.py:9", 0, 1)]  # fmt: skip
    stop = {"kind": "bugcheck", "code": 0x10D, "name": "WDF_VIOLATION", "parameters": [0xE, 0, 2, 0], "why": "because"}
    text = render(report(findings=findings, bugcheck=stop, unserved=["queue 0: 3 left"], stuck=["thread a waits for b"]))
    assert section(text, "Findings") == [
        "  error irql-too-high: too high", "      at 5,000 ns, cpu1, dpc, driver.py:3, 2 times",
        "  advice hint: nicer", "      at 1 ns, driver.py:9", "  dirql rules ID tells why, and what to do",
    ]  # fmt: skip
    assert section(text, "Bugcheck") == ["  WDF_VIOLATION (10d), arguments 0xe, 0x0, 0x2, 0x0", "  because"]
    assert section(text, "Unserved") == ["  queue 0: 3 left"]
    assert text.endswith("\n\nfound: 1 finding, a bugcheck, work left unserved, 1 stuck thread")


def test_colour_changes_nothing_but_the_colour() -> None:
    said = report(messages=[message(0, 0, 3, delivered=1, swallowed=2)], interrupts=[interrupt(0)])
    coloured = render(said, colour=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert plain != coloured
    assert [line.rstrip() for line in plain.split("\n")] == render(said).split("\n")


COUNT = st.integers(0, 1 << 20)
ROWS = st.lists(st.tuples(st.integers(0, 40), COUNT, COUNT), max_size=MANY + 8)


@settings(max_examples=25)
@given(ROWS, st.text(max_size=120), st.lists(st.text(max_size=200), max_size=3))
def test_no_report_is_wider_than_its_width(rows: list[tuple[int, int, int]], name: str, lines: list[str]) -> None:
    cpus = tuple(range(0, 64, 2))
    messages = [message(i, aimed, sent, merged=merged, cpus=cpus) for i, (aimed, sent, merged) in enumerate(rows)]
    objects = [interrupt(i, i, name=name) for i in range(3)]
    said = report(device=name, messages=messages, unserved=lines, interrupts=objects)
    for line in render(said).split("\n"):
        assert len(line) <= 80 and line == line.rstrip()


def test_processors_that_do_not_fit_end_in_a_sign() -> None:
    many = tuple(range(0, 64, 2))
    said = report(messages=[message(0, 0, sent=1, cpus=many), message(1, 1, sent=1, cpus=(2,))])
    lines = section(render(said), "Messages")
    assert [line.rstrip()[-1] for line in (lines[1], lines[3])] == ["…", "…"]
    assert {len(lines[1]), len(lines[3])} == {80}


def test_a_KINTERRUPT_that_the_driver_connected_itself_is_called_one() -> None:
    text = render(report(interrupts=[kinterrupt(0), kinterrupt(1, 1)], messages=[message(0, 0), message(1, 1)]))
    assert section(text, "Map") == [
        "entry  message  vector  cpus  IRQL  KINTERRUPT  serves",
        "    0        0    0x51     0     5  0           admin",
        "    1        1    0x51     0     5  1           admin",
    ]


def test_a_KINTERRUPT_behind_a_line_is_called_one() -> None:
    line = {"gsi": 16, "vector": 0x51, "irql": 5, "cpus": [0]}
    text = render(report(kind="line", line=line, interrupts=[kinterrupt(0, None)]))
    assert section(text, "Map") == [
        "  line  vector  cpus  IRQL  KINTERRUPT  serves",
        "GSI 16    0x51     0     5  0           admin",
    ]


def test_objects_of_both_kinds_say_which_they_are() -> None:
    rows = [interrupt(0), interrupt(1, None, 0), kinterrupt(0, 1)]
    text = render(report(interrupts=rows, messages=[message(0, 0), message(1, 1)]))
    assert section(text, "Map")[:3] == [
        "entry  message  vector  cpus  IRQL  object          serves",
        "    0        0    0x51     0     5  WDFINTERRUPT 0  queue 0",
        "    1        1    0x51     0     5  KINTERRUPT 0    admin",
    ]
    assert section(text, "Interrupt objects") == [
        "      object  ISR calls  claimed  ISR ns  per call  DPC calls  DPC ns  per call",
        "         0-1          -        -       -         -          -       -         -",
        "KINTERRUPT 0          3        3     300       100",
        "       total          3        3     300       100          -       -         -",
    ]


def test_the_DPCs_of_a_KINTERRUPT_are_left_out_since_nobody_knows_them() -> None:
    text = render(report(interrupts=[kinterrupt(0), kinterrupt(1, 1)]))
    assert section(text, "Interrupt objects") == [
        "object  ISR calls  claimed  ISR ns  per call  DPC calls  DPC ns  per call",
        "     0          3        3     300       100",
        "     1          3        3     300       100",
        " total          6        6     600       100",
    ]

"""What a report keeps of a device over several grants, and of one that never got any."""

from __future__ import annotations

from pathlib import Path

from dirql import ntstatus
from dirql.scenario.play import run
from dirql.scenario.values import Scenario

EXAMPLES = Path(__file__).parents[1] / "examples" / "multiqueue"
NO_VECTOR_AT_ALL = """
[machine]
cpus = 1
[device]
model = "mqueue"
[driver]
python = "driver.py:MultiQueueDriver"
inf = "mqueue.inf"
[grant.reserve]
0 = 144
"""


def test_a_report_names_every_grant_that_a_device_has_had() -> None:
    report = run(Scenario.load(EXAMPLES / "rebalance.toml"))
    assert [(g["granted"], g["isr_calls"], g["dpc_calls"]) for g in report.grants] == [(9, 1, 1), (1, 1, 1), (9, 1, 1)]
    assert "earlier grants: 9 messages (1 ISR call), 1 message (1 ISR call)" in str(report)


def test_a_device_without_resources_fails_to_start_with_code_12_and_names_its_driver() -> None:
    report = run(Scenario.parse(NO_VECTOR_AT_ALL, base=EXAMPLES))
    assert (report.status, report.kind) == (ntstatus.STATUS_INSUFFICIENT_RESOURCES, "none")
    assert report.driver == "MultiQueueDriver" and "Code 12" in str(report) and "not enough interrupt vectors" in report.why


def test_reads_at_dirql_are_told_with_the_time_that_they_took() -> None:
    report = run(Scenario.load(EXAMPLES / "status_register.toml"))
    assert report.reads_at_dirql_ns == 800 * report.registers_read_at_dirql > 0
    assert "round trips over PCIe that took 25,600 ns" in str(report)

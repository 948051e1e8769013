"""Every example runs and shows what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirql import ntstatus
from dirql.report.model import Report
from dirql.scenario.play import run
from dirql.scenario.values import Scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
ALL = sorted(p.relative_to(EXAMPLES).as_posix() for p in EXAMPLES.rglob("*.toml"))
WDM = [name for name in ALL if name.startswith("mqueue_wdm/")]  # no framework, no callbacks
CLEAN = [name for name in ALL if Path(name).stem not in ("not_mine", "line_refused")]


def play(name: str) -> Report:
    return run(Scenario.load(EXAMPLES / name))


def card(name: str) -> Report:
    return play(f"multiqueue/{name}.toml")


def sent(report: Report) -> dict[int, tuple[int, int, int]]:
    """Entry → (sent, delivered, merged) of the entries that sent anything."""
    return {m.entry: (m.sent, m.delivered, m.merged) for m in report.messages if m.sent}


@pytest.mark.parametrize("name", CLEAN)
def test_an_example_ends_clean_and_its_fates_sum_up(name: str) -> None:
    report = play(name)
    assert report.clean, (report.status_name, report.findings, report.bugcheck, report.unserved, report.stuck)
    assert all(message.balanced for message in report.messages)
    assert [called for called, _ in report.callbacks][-1:] == ([] if name in WDM else ["EvtDeviceReleaseHardware"])


@pytest.mark.parametrize("name", CLEAN)
def test_an_example_says_in_its_first_line_what_it_is(name: str) -> None:
    first = (EXAMPLES / name).read_text("utf-8").partition("\n")[0]
    assert first.startswith("# ") and first.endswith(".")


@pytest.mark.parametrize(
    ("name", "kind", "granted", "asked", "objects"),
    [
        ("nine_messages", "msi-x", 9, 9, 9),
        ("three_messages", "msi-x", 3, 3, 3),
        ("two_messages", "msi-x", 2, 2, 2),
        ("one_message", "msi-x", 1, 9, 1),
        ("vectors_run_out", "msi-x", 1, 9, 1),
        ("msi", "msi", 16, 16, 9),
        ("line", "line", 1, 9, 1),
    ],
)
def test_one_driver_runs_unchanged_on_whatever_is_granted(name: str, kind: str, granted: int, asked: int, objects: int) -> None:
    report = card(name)
    assert (report.kind, report.granted, report.asked, len(report.interrupts)) == (kind, granted, asked, objects)
    served = " ".join(s for i in report.interrupts for s in i.serves)
    assert all(f"queue {q}" in served for q in range(8)) and "admin" in served


def test_with_a_message_for_each_queue_no_register_is_read_at_dirql() -> None:
    report = card("nine_messages")
    assert report.registers_read_at_dirql == 0
    assert {e: c for e, (c, _, _) in sent(report).items()} == dict.fromkeys(range(8), 4)


def test_each_isr_runs_on_the_processor_that_its_message_names() -> None:
    report = card("nine_messages")
    assert all(m.cpus == i.cpus for m, i in zip(report.messages, report.interrupts, strict=True) if m.sent)


def test_the_status_register_costs_a_round_trip_in_every_isr() -> None:
    fast, slow = card("nine_messages"), card("status_register")
    assert slow.registers_read_at_dirql == sum(i.isr_calls for i in slow.interrupts) == 32
    assert all(s.isr_ns >= f.isr_ns + 800 * s.isr_calls for f, s in zip(fast.interrupts, slow.interrupts, strict=True))


@pytest.mark.parametrize("folder", ["multiqueue", "mqueue"])
def test_an_isr_that_says_not_mine_to_a_message_leaves_queues_unserved(folder: str) -> None:
    report = play(f"{folder}/not_mine.toml")
    assert not report.clean and report.unserved[0] == "queue 0: 10 completions unconsumed"
    assert any(i.isr_calls and not i.isr_claimed for i in report.interrupts)


@pytest.mark.parametrize("folder", ["multiqueue", "mqueue"])
def test_a_driver_that_refuses_a_line_fails_to_start_and_releases_what_it_has(folder: str) -> None:
    report = play(f"{folder}/line_refused.toml")
    assert report.status == ntstatus.STATUS_DEVICE_CONFIGURATION_ERROR
    names = [name for name, _ in report.callbacks]
    assert names == ["EvtDriverDeviceAdd", "EvtDevicePrepareHardware", "EvtDeviceReleaseHardware"]


def test_a_line_is_level_triggered_and_shared() -> None:
    report = card("line")
    interrupt = report.descriptors[-1]
    assert interrupt["flags"] == 0 and report.line is not None and report.registers_read_at_dirql > 0


def test_msi_is_one_descriptor_and_the_message_id_tells_the_queue() -> None:
    report = card("msi")
    interrupts = [d for d in report.descriptors if d["type"] == "interrupt"]
    assert len(interrupts) == 1 and len({i.vector for i in report.interrupts}) == 9
    assert len({i.cpus for i in report.interrupts}) == 1


@pytest.mark.parametrize(
    ("name", "fates", "cpus"),
    [
        ("twice_one_processor", {3: (2, 1, 1)}, {3: (0,)}),
        ("twice_two_processors", {3: (2, 2, 0)}, {3: (0, 1)}),
        ("two_vectors_one_processor", {3: (1, 1, 0), 4: (1, 1, 0)}, {3: (0,), 4: (0,)}),
        ("two_vectors_two_processors", {3: (1, 1, 0), 4: (1, 1, 0)}, {3: (3,), 4: (0,)}),
    ],
)
def test_two_messages_at_once_have_the_fate_that_the_apic_gives_them(name: str, fates: Any, cpus: Any) -> None:
    report = card(name)
    assert sent(report) == fates
    assert {m.entry: m.cpus for m in report.messages if m.sent} == cpus


def test_rebalancing_takes_the_device_down_and_up_with_another_grant() -> None:
    names = [name for name, _ in card("rebalance").callbacks]
    assert names.count("EvtDevicePrepareHardware") == names.count("EvtDeviceReleaseHardware") == 3
    assert names.count("EvtInterruptEnable") == names.count("EvtInterruptDisable") == 9 + 1 + 9


def test_s0_idle_powers_down_between_bursts_and_loses_nothing() -> None:
    report = card("idle")
    names = [name for name, _ in report.callbacks]
    assert names.count("EvtDeviceD0Entry") == names.count("EvtDeviceD0Exit") == 1 + 3
    assert names.count("EvtDevicePrepareHardware") == 1


def test_a_card_pulled_out_under_traffic_goes_down_the_same_way_as_an_orderly_one() -> None:
    names = [name for name, _ in card("surprise_removal").callbacks]
    assert names[-11:] == ["EvtInterruptDisable"] * 9 + ["EvtDeviceD0Exit", "EvtDeviceReleaseHardware"]

"""A driver in C and the same driver in Python have the same report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dirql import ntstatus
from dirql.machine.costs import Costs
from dirql.pnp.grant import GrantChoice
from dirql.report.model import Report
from dirql.scenario.play import Play
from dirql.scenario.steps import Step
from dirql.scenario.values import DeviceSource, Scenario
from dirql.trace import Kind

EXAMPLES = Path(__file__).parents[2] / "examples"
# C calls more routines than Python for the same work, and has a DriverEntry; its instructions cost nothing.
FREE = Costs(routine=0, thread_switch=0)
FOLDERS = ("multiqueue", "edu", "explore")
PYTHON = sorted(f"{one.parent.name}/{one.stem}" for folder in FOLDERS for one in (EXAMPLES / folder).glob("*.toml"))
JOBS = ("explore/flag", "explore/count", "explore/mended")

InC = Callable[[Scenario], Scenario]
Both = Callable[[Scenario], tuple[Report, Report]]


def scenario(name: str = "multiqueue/nine_messages", **changes: Any) -> Scenario:
    return replace(Scenario.load(EXAMPLES / f"{name}.toml"), costs=FREE, **changes)


def card(**options: Any) -> tuple[DeviceSource, ...]:
    return (DeviceSource("model", "mqueue", options=options),)


def submit(queue: int, count: int) -> Step:
    return Step("submit", {"queue": queue, "count": count})


def job(queue: int) -> Step:
    return Step("submit", {"queue": queue})


def jobs_card(**options: Any) -> tuple[DeviceSource, ...]:
    return (DeviceSource("model", "jobs.py:Jobs", options=options),)


def visible(report: Report) -> dict[str, Any]:
    """All that a report says, without what only one of the languages can say: names, sentences, places within the driver, and
    what an interrupt serves where the card has forgotten it (in D3) and only a Python driver says it itself."""
    json = report.as_json()
    driver = json.pop("driver")
    json.pop("failure")
    if not report.served_by:
        json["interrupts"] = [row | {"serves": []} for row in json["interrupts"]]
    json["callback_objects"] = ["the driver" if on == driver else on for on in json["callback_objects"]]
    json["findings"] = [(one["rule"], one["level"], one["count"]) for one in json["findings"]]
    json["bugcheck"] = json["bugcheck"] and json["bugcheck"]["code"]
    return json


def differences(python: Report, image: Report) -> dict[str, tuple[Any, Any]]:
    """What the two say of the same thing, where it is not the same."""
    one, other = visible(python), visible(image)
    return {key: (one[key], other[key]) for key in one if one[key] != other[key]}


@pytest.mark.parametrize("name", PYTHON)
def test_an_example_has_the_same_report_in_C(both: Both, name: str) -> None:
    python, image = both(scenario(name))
    assert differences(python, image) == {}
    assert (python.driver, image.driver.endswith(".sys")) == (scenario(name).drivers[0].python.partition(":")[2], True)


@pytest.mark.parametrize(
    "choice",
    [GrantChoice.all(), GrantChoice.one(), GrantChoice.line(), *(GrantChoice.messages(count) for count in (1, 2, 3, 5, 8, 9))],
    ids=lambda choice: f"{choice.kind}-{choice.count}",
)
def test_a_grant_of_MSI_X_gives_the_same_report(both: Both, choice: GrantChoice) -> None:
    python, image = both(scenario(grant=choice))
    assert differences(python, image) == {}
    assert python.clean


@pytest.mark.parametrize(
    "choice",
    [GrantChoice.all(), GrantChoice.one(), GrantChoice.line(), *(GrantChoice.messages(count) for count in (1, 2, 4, 8, 16))],
    ids=lambda choice: f"{choice.kind}-{choice.count}",
)
def test_a_grant_of_MSI_gives_the_same_report(both: Both, choice: GrantChoice) -> None:
    python, image = both(scenario("multiqueue/msi", grant=choice))
    assert differences(python, image) == {}
    assert python.clean


@pytest.mark.parametrize("left", [0, 1, 2, 3, 8, 9])
def test_vectors_that_run_out_give_the_same_report(both: Both, left: int) -> None:
    reserve = {cpu: 144 - (left + 3 - cpu) // 4 for cpu in range(4)}
    python, image = both(scenario(reserve=reserve))
    assert differences(python, image) == {}


@pytest.mark.parametrize("cpus", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("policy", ["mqueue", "one_processor", "all_processors"])
def test_any_number_of_processors_gives_the_same_report(both: Both, cpus: int, policy: str) -> None:
    base = scenario(cpus=cpus)
    python, image = both(replace(base, drivers=(replace(base.drivers[0], inf=f"{policy}.inf"),)))
    assert differences(python, image) == {}


@pytest.mark.parametrize(
    "options",
    [{"queues": 1}, {"queues": 2}, {"queues": 31}, {"queues": 32}, {"queues": 100}, {"moderation": 5_000},
     {"completion_ns": 0}, {"completion_slack": 900}, {"reset_wipes_table": True}, {"msix": False, "msi": False}],
    ids=str,
)  # fmt: skip
def test_any_card_gives_the_same_report(both: Both, options: dict[str, Any]) -> None:
    python, image = both(scenario(devices=card(**options)))
    assert differences(python, image) == {}


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_a_burst_that_wraps_the_ring_gives_the_same_report(both: Both, count: int) -> None:
    python, image = both(scenario(steps=(submit(2, count), submit(3, 1), Step("run"), submit(2, count))))
    assert differences(python, image) == {}
    assert python.clean


def test_an_error_of_the_card_gives_the_same_report(both: Both) -> None:
    steps = (submit(1, 4), Step("fail", {"code": 7, "queue": 1}), Step("run"), Step("fail", {"code": 8, "queue": 1}))
    python, image = both(scenario(steps=steps))
    assert differences(python, image) == {}
    assert python.clean


@pytest.mark.parametrize("first", [GrantChoice.all(), GrantChoice.messages(3), GrantChoice.line()], ids=lambda one: one.kind)
@pytest.mark.parametrize("then", [GrantChoice.all(), GrantChoice.one(), GrantChoice.line()], ids=lambda one: one.kind)
def test_a_rebalance_gives_the_same_report(both: Both, first: GrantChoice, then: GrantChoice) -> None:
    steps = (submit(3, 4), Step("rebalance", then), submit(3, 4), submit(7, 1), Step("rebalance", first), submit(3, 4))
    python, image = both(scenario(grant=first, steps=steps))
    assert differences(python, image) == {}


@pytest.mark.parametrize("name", ["multiqueue/nine_messages", "multiqueue/line", "multiqueue/msi", "multiqueue/idle"])
@pytest.mark.parametrize("after", [1, 1_500, 2_500, 5_000, 100_000])
@pytest.mark.parametrize("action", ["remove", "surprise_remove"])
def test_a_removal_under_traffic_gives_the_same_report(both: Both, name: str, after: int, action: str) -> None:
    steps = (submit(0, 16), submit(5, 16), Step("run_ns", after), Step(action))
    python, image = both(scenario(name, steps=steps, workload=""))
    assert differences(python, image) == {}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize(
    "choice",
    [GrantChoice.all(), GrantChoice.one(), GrantChoice.line(), *(GrantChoice.messages(count) for count in (1, 2, 3, 4))],
    ids=lambda choice: f"{choice.kind}-{choice.count}",
)
def test_a_grant_to_the_jobs_card_gives_the_same_report(both: Both, name: str, choice: GrantChoice) -> None:
    python, image = both(scenario(name, grant=choice, devices=jobs_card(queues=4)))
    assert differences(python, image) == {}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize(("gap", "merged"), [(1, 4), (100, 4), (300, 2), (500, 0), (1_600, 0)])
def test_jobs_that_come_close_together_give_the_same_report(both: Both, name: str, gap: int, merged: int) -> None:
    python, image = both(scenario(name, devices=jobs_card(queues=2, jobs=4, gap=gap)))
    assert differences(python, image) == {}
    assert sum(message.merged for message in python.messages) == merged


WITHIN = {"interrupts", "register_writes", "grants", "unserved", "time_ns"}  # what depends on where in the DPC the ISR came


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("gap", [800, 1_000])
def test_a_message_that_comes_within_a_DPC_has_the_same_fate(both: Both, name: str, gap: int) -> None:
    """C may be interrupted at more places of its DPC: it asks the framework for each context."""
    python, image = both(scenario(name, devices=jobs_card(queues=2, jobs=4, gap=gap)))
    assert set(differences(python, image)) <= WITHIN


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("then", [GrantChoice.all(), GrantChoice.messages(2), GrantChoice.one()], ids=lambda one: one.kind)
def test_a_rebalance_of_the_jobs_card_gives_the_same_report(both: Both, name: str, then: GrantChoice) -> None:
    steps = (job(0), job(1), Step("rebalance", then), job(0), Step("run"), Step("rebalance", GrantChoice.all()), job(1))
    python, image = both(scenario(name, devices=jobs_card(queues=2), steps=steps, workload=""))
    assert differences(python, image) == {}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("after", [1, 500, 1_000, 1_500, 100_000])
@pytest.mark.parametrize("action", ["remove", "surprise_remove"])
def test_a_removal_of_the_jobs_card_gives_the_same_report(both: Both, name: str, after: int, action: str) -> None:
    steps = (job(0), job(1), job(0), Step("run_ns", after), Step(action))
    python, image = both(scenario(name, devices=jobs_card(queues=2), steps=steps, workload=""))
    assert differences(python, image) == {}


def test_a_card_that_refuses_its_vectors_fails_to_start_alike(both: Both) -> None:
    device = (DeviceSource("model", f"{Path(__file__).with_name('refusing_card.py')}:RefusingCard"),)
    python, image = both(scenario(devices=device))
    assert differences(python, image) == {}
    assert not ntstatus.nt_success(image.status) and not image.bugcheck


@pytest.mark.parametrize("name", PYTHON)
@pytest.mark.parametrize("verifier", [{"verify_kmdf": True}, {"verify_driver": True}], ids=str)
def test_the_verifiers_find_the_same_in_both(both: Both, name: str, verifier: dict[str, bool]) -> None:
    python, image = both(scenario(name, **verifier))
    assert differences(python, image) == {}


TIMES = {"time_ns", "reads_at_dirql_ns"}


@pytest.mark.parametrize("name", PYTHON)
def test_what_routines_cost_changes_nothing_but_times(both: Both, name: str) -> None:
    python, image = both(replace(scenario(name), costs=Costs()))
    for report in (python, image):
        report.interrupts = [replace(row, isr_ns=0, dpc_ns=0) for row in report.interrupts]
    assert set(differences(python, image)) <= TIMES


HOW = {Kind.CALL, Kind.NOTE, Kind.THREAD, Kind.WAIT}  # by which routines a driver does it, and on which thread


def happened(scenario: Scenario) -> list[tuple[Any, ...]]:
    """Every callback, message, interrupt, ISR, DPC and access to a register or to memory: when, on which processor, what."""
    play = Play(scenario, trace=True)
    (report,) = play.run()
    assert play.system.trace is not None
    events = [event for event in play.system.trace.events() if event["kind"] not in HOW]
    for event in events:
        if event["kind"] == Kind.CALLBACK_END:
            event["returned"] = event["returned"] or "0"  # in Python no `return` is STATUS_SUCCESS
        if event.get("object") == report.driver:
            event["object"] = "the driver"
    return [tuple(event.items()) for event in events]


@pytest.mark.parametrize("name", [name for name in PYTHON if not name.endswith("refused")])
def test_every_event_of_an_example_is_the_same_in_C(in_c: InC, name: str) -> None:
    python, image = happened(scenario(name)), happened(in_c(scenario(name)))
    assert image == python
    assert len(python) > 20


@pytest.mark.parametrize("name", ["edu/msi", "multiqueue/line", "multiqueue/rebalance", "multiqueue/three_messages"])
@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_of_events_both_end_as_well_as_the_other(both: Both, name: str, seed: int) -> None:
    python, image = both(replace(scenario(name), costs=Costs(), seed=seed))
    assert image.clean and python.clean
    assert all(message.balanced for message in (*python.messages, *image.messages))


@pytest.mark.parametrize("preempt", [0, 1, 50])
def test_where_code_may_be_interrupted_changes_nothing_in_the_usual_order(both: Both, preempt: int) -> None:
    python, image = both(replace(scenario("multiqueue/nine_messages"), preempt=preempt))
    assert differences(python, image) == {}

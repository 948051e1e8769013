"""Every figure can be measured, with sizes that take no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dirql.bench.figure import Figure, Measured, Target, entry, unmeasured
from dirql.bench.figures import FIGURES, cost_per_message, dump_text, resources_process_seconds, run_python
from dirql.bench.stopwatch import Effort
from dirql.bench.world import Completions, Delivery
from dirql.errors import DirqlError
from dirql.pci import dumps

TINY = Effort(rounds=1, messages=18, processes=1)
SLOW = {"cost_per_message_2048_vectors_64_cpus", "resources_process_seconds", "two_processes"}  # tested otherwise
KEYS = {
    "name", "value", "unit", "beside", "ratio", "low", "high", "rounds", "target", "ratio_target", "lower_is_better", "met",
    "what",
}  # fmt: skip


def plain(target: Target | None = None, **ratios: Target) -> Figure:
    def never(effort: Effort) -> Measured:
        raise AssertionError("not to be measured")

    return Figure("wheels", "1/s", "how fast they turn", never, target, ratios)


def test_the_figures_are_those_that_the_documents_name() -> None:
    assert [figure.name for figure in FIGURES] == [
        "messages_per_second", "messages_per_second_9_vectors", "cost_per_message_2048_vectors_64_cpus",
        "messages_per_second_traced", "resources_process_seconds", "start_to_d0_seconds", "mqueue_completions_per_second",
        "sys_api_stops_per_second", "sys_code_rounds_per_second", "sys_messages_per_second", "sys_start_to_d0_seconds",
        "schedules_per_second", "sys_schedules_per_second", "two_processes",
    ]  # fmt: skip


@pytest.mark.parametrize("figure", [f for f in FIGURES if f.name not in SLOW], ids=lambda f: f.name)
def test_a_figure_has_every_key_and_a_value_above_zero(figure: Figure) -> None:
    found = entry(figure, figure.measure(TINY))
    assert set(found) == KEYS
    assert 0 < found["low"] <= found["value"] <= found["high"]
    assert found["ratio"] == {name: found["value"] / other for name, other in found["beside"].items()}


def test_the_cost_of_many_vectors_is_a_ratio_beside_that_of_the_bare_loop() -> None:
    measured = cost_per_message(TINY, small=(2, 1), large=(34, 8))
    assert measured.value > 0
    assert set(measured.beside) == {"bare_loop"}


def test_the_resources_figure_runs_the_command_on_a_dump_beside_an_idle_interpreter() -> None:
    seen: list[tuple[str, ...]] = []
    found: list[str] = []

    def run(*arguments: str) -> None:
        seen.append(arguments[:3])
        if arguments[0] == "-m":
            found.extend(dump.address for dump in dumps.load(Path(arguments[3])))

    measured = resources_process_seconds(TINY, run)
    assert seen == [("-m", "dirql", "resources"), ("-c", "pass")] * 2
    assert found == ["0000:01:00.0"] * 2
    assert set(measured.beside) == {"bare_interpreter"}


def test_a_process_that_fails_says_its_last_line() -> None:
    with pytest.raises(DirqlError) as caught:
        run_python("-S", "-c", "raise SystemExit('no such wheel')")
    assert str(caught.value) == "python -S -c raise SystemExit('no such wheel') … ended with status 1: no such wheel"


def test_the_dump_is_a_whole_configuration_space() -> None:
    lines = dump_text().splitlines()
    assert len(lines) == 1 + 4096 // 16
    assert lines[1].startswith("00: 34 12 51 4d ")


def test_a_world_serves_each_message_once_a_round_and_forgets() -> None:
    world = Delivery(9, 4, trace=True)
    world.everything()
    assert sorted(world.taken) == list(range(9))
    world.forget()
    assert world.taken == []
    assert world.system.trace is not None
    assert len(world.system.trace) == 0
    world.everything()
    assert len(world.system.trace) > 0


def test_messages_spread_over_all_processors() -> None:
    world = Delivery(9, 4)
    assert [cpu for cpu, _ in world.routes] == [0, 1, 2, 3, 0, 1, 2, 3, 0]


def test_every_completion_reaches_the_driver_round_after_round_past_the_rings_end() -> None:
    world = Completions(2, 2)
    for _ in range(70):
        world.everything()
    assert sorted(world.taken) == list(range(140))
    assert world.card.unserved() == []
    assert world.system.findings == []


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [(Target(10), 10, True), (Target(10), 9.9, False), (Target(10, True), 10, True), (Target(10, True), 10.1, False)],
)
def test_a_target_is_met_at_its_limit(target: Target, value: float, met: bool) -> None:
    assert entry(plain(target), Measured(value, 1, value, value))["met"] is met


@pytest.mark.parametrize(
    ("beside", "met"), [({}, True), ({"cart": 20.0}, True), ({"cart": 30.0}, False), ({"sledge": 99.0}, True)]
)
def test_a_ratio_counts_only_where_its_peer_was_measured(beside: dict[str, float], met: bool) -> None:
    figure = plain(Target(1), cart=Target(0.5))
    assert entry(figure, Measured(10.0, 1, 10.0, 10.0, beside))["met"] is met


def test_a_figure_without_a_target_is_neither_met_nor_missed() -> None:
    assert entry(plain(), Measured(1.0, 1, 1.0, 1.0))["met"] is None


def test_a_figure_that_could_not_be_measured_says_why() -> None:
    found = unmeasured(plain(), "the cart broke")
    assert (found["value"], found["why"]) == (None, "the cart broke")


@pytest.mark.parametrize("measure", [figure.measure for figure in FIGURES], ids=[figure.name for figure in FIGURES])
def test_a_figure_says_what_it_measures(measure: Callable[[Effort], Measured]) -> None:
    assert measure.__doc__

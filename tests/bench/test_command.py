"""`dirql bench` as a user meets it."""

from __future__ import annotations

import json
import platform
from typing import Any

import pytest

from dirql.bench import command, peers
from dirql.bench.command import bench, measure, select
from dirql.bench.figure import Figure, Measured, Target
from dirql.bench.figures import FIGURES
from dirql.bench.peers import Peer
from dirql.bench.stopwatch import Effort
from dirql.bench.table import lines, number
from dirql.errors import DirqlError, UsageError

TINY = Effort(rounds=1, messages=18, processes=1)


def figure(name: str = "messages_per_second", value: float | None = 250_000.0, **ratios: Target) -> Figure:
    def measured(effort: Effort) -> Measured:
        if value is None:
            raise DirqlError("the road is closed, " * 8 + "take another")
        return Measured(value, 3, value, value, {"bare_loop": 750_000.0})

    return Figure(name, "1/s", "how fast", measured, Target(200_000.0), ratios)


def test_json_has_the_figure_with_what_stands_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(as_json=True, only=["messages_per_second"], effort=TINY) == 0
    found = json.loads(capsys.readouterr().out)
    (one,) = found["figures"]
    assert set(found) == {"figures", "machine"}
    assert (one["name"], one["unit"]) == ("messages_per_second", "1/s")
    assert one["ratio"]["bare_loop"] == one["value"] / one["beside"]["bare_loop"]


def test_a_figure_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError) as caught:
        select(["speed"])
    assert str(caught.value) == f"bench has no figure 'speed'; there are {', '.join(f.name for f in FIGURES)}"


def test_chosen_figures_come_in_their_usual_order() -> None:
    chosen = select(["start_to_d0_seconds", "messages_per_second"])
    assert [f.name for f in chosen] == ["messages_per_second", "start_to_d0_seconds"]


def test_the_machine_is_described_without_its_name() -> None:
    machine = measure([], TINY)["machine"]
    assert set(machine) == {"cpu", "cpus", "python", "platform"}
    assert all("/" not in str(value) for value in machine.values())
    assert not platform.node() or platform.node() not in machine.values()


def test_a_table_without_a_terminal_is_plain_and_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(only=["messages_per_second"], effort=TINY) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "messages_per_second  " in text
    assert "\n  bare_loop  " in text


def test_a_figure_beside_its_peers_is_a_few_lines_of_the_table() -> None:
    peer = Peer({"cocotbext_pcie": 2_500.0}, {"cocotb": "2.1.0", "cocotbext-pcie": "0.2.16"})
    found = measure([figure(bare_loop=Target(0.5), cocotbext_pcie=Target(80))], TINY, peer)
    text = [line for line, _ in lines(found)]
    assert text[-6:] == [
        "figure                                     value unit       target",
        "messages_per_second                      250,000 1/s    >= 200,000  met",
        "  bare_loop                              750,000 1/s      >= 0.50x  0.33x missed",
        "  cocotbext_pcie                           2,500 1/s      >= 80.0x  100x met",
        "",
        "cocotbext_pcie: cocotb 2.1.0, cocotbext-pcie 0.2.16",
    ]
    assert max(map(len, text)) <= 80


def test_a_figure_that_cannot_be_measured_leaves_the_others_and_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FIGURES", (figure("closed", None), figure()))
    assert bench() == 1
    text = capsys.readouterr().out
    assert "closed                                         - 1/s                not measured\n  the road is closed, " in text
    assert "messages_per_second                      250,000" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_peer_that_is_not_installed_is_status_2_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FIGURES", (figure(),))
    monkeypatch.setattr(peers, "MODULES", {"no_such_module_of_dirql": "no-such-module==1"})
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    assert bench(as_json=True, peers=True) == 2
    out, err = capsys.readouterr()
    problem = (
        "cocotbext-pcie was not measured; it needs: pip install no-such-module==1; "
        "Icarus Verilog (Debian, Ubuntu: apt-get install iverilog; macOS: brew install icarus-verilog)"
    )
    assert err == f"dirql bench: {problem}\n"
    found: dict[str, Any] = json.loads(out)
    assert found["peers"] == {"cocotbext_pcie": {"versions": {}, "problem": problem}}
    assert found["figures"][0]["beside"] == {"bare_loop": 750_000.0}


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (99.94, "99.9"), (3.14159, "3.14"), (0.1, "0.10"), (0.00349, "0.00349")]
)
def test_a_number_has_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("ratio", [0.00012, 0.0794, 0.325, 9.996, 12.34, 198.0, 98_765.4])
def test_a_ratio_of_any_size_fits_80_columns(ratio: float) -> None:
    one = {"name": "messages_per_second", "value": 1e6 * ratio, "unit": "1/s", "lower_is_better": False, "target": 1e9,
           "beside": {"bare_loop": 1e6}, "ratio": {"bare_loop": ratio}, "ratio_target": {"bare_loop": 0.33}}  # fmt: skip
    assert max(len(line) for line, _ in lines({"figures": [one], "machine": found_machine()})) <= 80


def found_machine() -> dict[str, object]:
    return {"cpu": "a processor", "cpus": 2, "python": "CPython 3.11.7", "platform": "Linux x86_64"}

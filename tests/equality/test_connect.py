"""IoConnectInterruptEx in its three ways, below the framework and without it, serves the same messages on the same processors as
the framework's own interrupt objects."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dirql import ntstatus
from dirql.build import build_driver
from dirql.pnp.grant import GrantChoice
from dirql.report.model import Report
from dirql.report.words import sources
from dirql.scenario.play import run
from dirql.scenario.steps import Step
from dirql.scenario.values import DeviceSource, DriverSource, Scenario

EXAMPLES = Path(__file__).parents[2] / "examples"

Image = Callable[[str, str], str]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The driver of a kind that connects in the way that a macro names."""
    made: dict[tuple[str, str], str] = {}

    def build(kind: str, way: str) -> str:
        if (kind, way) not in made:
            folder, out = EXAMPLES / "mqueue_wdm", tmp_path_factory.mktemp(way)
            if kind == "kmdf":
                folder = out / "shell"
                folder.mkdir()
                for name in ("connect.c", "card.c", "device.h", "registers.h"):
                    shutil.copy(EXAMPLES / "mqueue_wdm" / name, folder)
                shutil.copy(Path(__file__).with_name("kmdf_shell.c"), folder)
            built = build_driver(folder, out, defines=[way])
            assert built.diagnostics == ""
            made[kind, way] = str(built.image)
        return made[kind, way]

    return build


def play(image: str | None, name: str = "nine_messages", **changes: Any) -> Report:
    scenario = replace(Scenario.load(EXAMPLES / "multiqueue" / f"{name}.toml"), **changes)
    drivers = scenario.drivers if image is None else (DriverSource(inf=scenario.drivers[0].inf, image=image),)
    return run(replace(scenario, drivers=drivers))


def fates(report: Report) -> list[tuple[Any, ...]]:
    return [(m.entry, m.message, m.sent, m.delivered, m.merged, m.dropped, m.cpus) for m in report.messages]


def served(report: Report) -> list[tuple[Any, ...]]:
    rows = report.interrupts
    return [(i.object, i.message, i.vector, i.cpus, i.irql, sources(i.serves), i.isr_calls, i.isr_claimed) for i in rows]


WAYS = {
    "FULLY_SPECIFIED": (GrantChoice.all(), GrantChoice.messages(3), GrantChoice.one(), GrantChoice.line()),
    "MESSAGE_BASED": (GrantChoice.all(), GrantChoice.messages(3), GrantChoice.one(), GrantChoice.line()),
    "LINE_BASED": (GrantChoice.one(), GrantChoice.line()),
}


@pytest.mark.parametrize("kind", ["kmdf", "wdm"])
@pytest.mark.parametrize(
    ("way", "grant"),
    [pytest.param(way, grant, id=f"{way}-{grant.kind}-{grant.count}") for way, grants in WAYS.items() for grant in grants],
)
def test_what_a_driver_connects_itself_is_served_as_well(image: Image, kind: str, way: str, grant: GrantChoice) -> None:
    own, framework = play(image(kind, way), grant=grant), play(None, grant=grant)
    assert own.clean, (own.status_name, own.failure, own.findings, own.bugcheck, own.unserved)
    assert fates(own) == fates(framework)
    assert own.descriptors == framework.descriptors
    assert served(own) == served(framework)
    assert {(i.kind, i.dpc_calls, i.dpc_ns) for i in own.interrupts} == {("KINTERRUPT", None, None)}
    assert (own.registers_read_at_dirql > 0) is (grant.kind == "line")


@pytest.mark.parametrize("kind", ["kmdf", "wdm"])
def test_a_line_is_not_connected_where_several_messages_are_granted(image: Image, kind: str) -> None:
    report = play(image(kind, "LINE_BASED"))
    assert report.status_name == "STATUS_INVALID_DEVICE_REQUEST" or "STATUS_INVALID_DEVICE_REQUEST" in report.failure
    assert not ntstatus.nt_success(report.status) and report.bugcheck is None


@pytest.mark.parametrize("way", ["FULLY_SPECIFIED", "MESSAGE_BASED"])
def test_a_WDM_driver_is_rebalanced_as_the_framework_s_is(image: Image, way: str) -> None:
    own, framework = play(image("wdm", way), "rebalance"), play(None, "rebalance")
    assert own.clean, (own.status_name, own.failure, own.findings, own.bugcheck, own.unserved)
    assert fates(own) == fates(framework)
    assert [grant["granted"] for grant in own.grants] == [grant["granted"] for grant in framework.grants]
    assert [grant["isr_calls"] for grant in own.grants] == [grant["isr_calls"] for grant in framework.grants]
    assert served(own) == served(framework)


@pytest.mark.parametrize("way", ["FULLY_SPECIFIED", "MESSAGE_BASED"])
@pytest.mark.parametrize("action", ["remove", "surprise_remove"])
@pytest.mark.parametrize("after", [1, 1_500, 2_500, 100_000])
def test_a_WDM_driver_s_device_can_go_under_traffic(image: Image, way: str, action: str, after: int) -> None:
    traffic = tuple(Step("submit", {"queue": queue, "count": 16}) for queue in (0, 5))
    report = play(image("wdm", way), steps=(*traffic, Step("run_ns", after), Step(action)))
    assert report.bugcheck is None and not report.findings and not report.stuck
    assert all(message.balanced for message in report.messages)


@pytest.mark.parametrize("way", ["FULLY_SPECIFIED", "MESSAGE_BASED"])
def test_a_WDM_driver_whose_card_refuses_its_vectors_fails_to_start(image: Image, way: str) -> None:
    device = (DeviceSource("model", f"{Path(__file__).with_name('refusing_card.py')}:RefusingCard"),)
    report = play(image("wdm", way), devices=device)
    assert report.status_name == "STATUS_DEVICE_CONFIGURATION_ERROR" and report.bugcheck is None

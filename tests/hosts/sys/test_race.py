"""The data-race detector on an image's memory: contexts, static variables, pool, and what puts accesses in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.system import System

SOURCE = Path(__file__).with_name("races")
INF = Path(__file__).parents[3] / "examples" / "mqueue" / "mqueue.inf"
PLAIN, LOCKED, INTERLOCKED, SPIN, GLOBAL, POOL = 0, 1, 2, (3, 4), (5, 6), (7, 8)  # messages, as in races.c


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_driver(SOURCE, tmp_path_factory.mktemp("races")).image


def found(image: Path, *entries: int, preempt: int | None = None, races: bool = True) -> list[str]:
    """The sentences of the races after these messages came twice, at once."""
    system = System(2, memory=16 << 20, races=races)
    system.preempt = preempt
    card = system.plug(MultiQueue())
    system.load(image, INF)
    assert system.start() == 0
    for _ in range(2):
        for entry in entries:
            card.msix.fire(entry)
        system.run()
    system.shut_down()
    assert system.stopped is None
    return [finding.sentence for finding in system.findings if finding.rule == "data-race"]


def test_a_counter_that_isr_and_dpc_share_is_told_with_both_lines(image: Path) -> None:
    sentences = found(image, PLAIN)
    print(sentences)
    assert sentences


@pytest.mark.parametrize("entries", [GLOBAL, POOL])
def test_a_counter_that_two_dpcs_share_is_found_wherever_it_is(image: Path, entries: tuple[int, ...]) -> None:
    s = found(image, *entries)
    print(s)
    assert s


@pytest.mark.parametrize("entries", [(LOCKED,), (INTERLOCKED,), SPIN, (LOCKED, INTERLOCKED, *SPIN)])
@pytest.mark.parametrize("preempt", [None, 0])
def test_what_is_in_order_is_left_alone(image: Path, entries: tuple[int, ...], preempt: int | None) -> None:
    assert found(image, *entries, preempt=preempt) == []


def test_nothing_is_looked_for_unless_asked(image: Path) -> None:
    assert found(image, PLAIN, races=False) == []

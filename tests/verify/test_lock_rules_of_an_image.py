"""Rules of locks and waits on a driver image: what a Python driver is told, a .sys is told too."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.kernel.stop import BugCheck
from dirql.system import System

INF = Path(__file__).parents[2] / "examples" / "mqueue" / "mqueue.inf"
CLEAN, KEEPS, ORDER, ORDER_TOO, ISR_TOO, WAITS = range(6)  # messages, as in locks.c


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_driver(Path(__file__).with_name("locks"), tmp_path_factory.mktemp("locks")).image


def after(image: Path, *entries: int) -> System:
    """A system that has taken these messages, one after another."""
    system = System(2, memory=16 << 20)
    card = system.plug(MultiQueue())
    system.load(image, INF)
    assert system.start() == 0
    for entry in entries:
        card.msix.fire(entry)
        system.run()
    return system


@pytest.mark.parametrize(
    ("entries", "rules"),
    [
        ((CLEAN, ORDER), []),
        ((KEEPS,), ["lock-held-at-return"]),
        ((ORDER, ORDER_TOO), ["lock-order"]),
        ((ISR_TOO, ORDER), ["lock-irql"]),
        ((WAITS,), ["wait-at-dispatch"]),
    ],
)
def test_an_image_is_told_what_it_does_wrong_with_its_locks(image: Path, entries: tuple[int, ...], rules: list[str]) -> None:
    assert [f.rule for f in after(image, *entries).findings if f.rule != "irql-too-high"] == rules


def test_both_places_of_an_image_are_named(image: Path) -> None:
    (finding,) = (f for f in after(image, ORDER, ORDER_TOO).findings if f.rule == "lock-order")
    here, _, there = finding.sentence.partition(", but ")
    assert "Nested" in here and "locks.c:" in here and "locks.c:" in there
    assert finding.sentence.count("the spin lock at 0x") == 4


def test_a_wait_in_an_images_dpc_is_bugcheck_b8(image: Path) -> None:
    stop = after(image, WAITS).stopped
    assert isinstance(stop, BugCheck) and stop.code == 0xB8


@pytest.fixture(scope="session")
def dispatching(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The WDM driver, by whether it leaves its region."""
    source, out = Path(__file__).with_name("dispatch"), tmp_path_factory.mktemp("dispatch")
    return {leaves: build_driver(source, out / str(leaves), defines=["LEAVES"] * leaves).image for leaves in (False, True)}


@pytest.mark.parametrize("leaves", [False, True])
def test_a_dispatch_routine_that_stays_in_a_critical_region_is_found(dispatching: dict[bool, Path], leaves: bool) -> None:
    system = System(1, memory=16 << 20)
    system.plug(MultiQueue())
    system.load(dispatching[leaves], INF)
    assert system.start() == 0
    routine = "the dispatch routine of major function 0x1b"
    told = f"{routine} returns inside of a critical region that it entered; leave it on every way out"
    assert [f.sentence for f in system.findings if f.rule == "lock-held-at-return"] == [told] * (not leaves)

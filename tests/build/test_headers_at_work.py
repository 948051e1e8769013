"""What the headers declare compiles, links and does what it says in a driver that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.build import build_driver
from dirql.hosts.sys.driver import SysDriver
from dirql.kernel.stop import BugCheck
from dirql.system import System

HERE = Path(__file__).parent
REMOVE_ENTRY, REMOVE_HEAD, REMOVE_TAIL, INSERT_TAIL, INSERT_HEAD, APPEND_TAIL = LISTS = range(6)
DAMAGED, TWICE = 0x10, 0x20


def printed(system: System) -> list[str]:
    assert system.trace is not None
    return [event["what"] for event in system.trace.events("note") if event["who"] == "DbgPrint"]


def test_strings_and_processors_of_the_headers_do_what_they_say(tmp_path: Path) -> None:
    built = build_driver(HERE / "strings", tmp_path)
    system = System(2, trace=True)
    driver = system.load(built.image)
    assert (built.diagnostics, driver.entry_status, system.stopped) == ("", 0, None)
    assert printed(system) == ["7 ab", "3 of four!, 2 processors"]


def test_checked_arithmetic_tells_what_does_not_fit_and_gives_the_largest_value(tmp_path: Path) -> None:
    built = build_driver(HERE / "integers", tmp_path)
    system = System(1, trace=True)
    driver = system.load(built.image)
    assert (built.diagnostics, driver.entry_status, system.stopped) == ("", 0, None)
    assert printed(system) == ["0 of 32 are wrong"]


@pytest.fixture(scope="session")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = build_driver(HERE / "lists", tmp_path_factory.mktemp("lists"))
    assert built.diagnostics == ""
    return built.image


def do(lists: Path, request: int) -> int:
    """What the driver's function returns."""
    system = System(1)
    driver = system.load(lists)
    assert isinstance(driver, SysDriver)
    return int(system.call(driver.guest.call, driver.driver_object.DriverUnload, request))


@pytest.mark.parametrize("what", LISTS)
def test_a_list_that_is_whole_is_changed(lists: Path, what: int) -> None:
    assert do(lists, what) == 0


@pytest.mark.parametrize("request_", [*(what | DAMAGED for what in LISTS), REMOVE_ENTRY | TWICE], ids=hex)
def test_a_corrupt_list_fails_fast_at_the_function_that_meets_it(lists: Path, request_: int) -> None:
    with pytest.raises(BugCheck) as stop:
        do(lists, request_)
    assert stop.value.details is not None
    assert (stop.value.code, stop.value.parameters[0], stop.value.details.instruction) == (0x139, 3, "int 0x29")
    assert stop.value.why.startswith("a LIST_ENTRY is corrupt: an entry was removed twice or overwritten")

"""What the headers declare compiles, links and does what it says in a driver that runs."""

from __future__ import annotations

from pathlib import Path

from dirql.build import build_driver
from dirql.system import System


def test_strings_and_processors_of_the_headers_do_what_they_say(tmp_path: Path) -> None:
    built = build_driver(Path(__file__).parent / "strings", tmp_path)
    system = System(2, trace=True)
    driver = system.load(built.image)
    assert (built.diagnostics, driver.entry_status, system.stopped) == ("", 0, None)
    assert system.trace is not None
    printed = [event["what"] for event in system.trace.events("note") if event["who"] == "DbgPrint"]
    assert printed == ["7 ab", "3 of four!, 2 processors"]

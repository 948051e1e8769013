"""`dirql check` tells the truth about each example in C: what it names is what the example calls when it is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dirql.check import check_file
from dirql.hosts.sys.abi import Thunk
from dirql.hosts.sys.stubs import Stubs
from dirql.scenario.play import Play
from dirql.scenario.values import Scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
IN_C = sorted(
    path.relative_to(EXAMPLES).as_posix()
    for path in EXAMPLES.rglob("*.toml")
    if any(driver.source for driver in Scenario.load(path).drivers)
)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every routine that the images of the test have called by now, as `ntoskrnl!KeSetEvent`."""
    seen: set[str] = set()
    address = Stubs.address

    def noting(name: str, thunk: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
        enter = thunk.enter if isinstance(thunk, Thunk) else thunk

        def call(guest: Any, frame: Any) -> int:
            seen.add(name)
            return enter(guest, frame)

        return call

    monkeypatch.setattr(Stubs, "address", lambda self, name, thunk: address(self, name, noting(name, thunk)))
    return seen


def test_the_examples_in_c_are_there() -> None:
    assert {name.partition("/")[0] for name in IN_C} >= {"edu_c", "mqueue", "mqueue_wdm"}


@pytest.mark.parametrize("name", IN_C)
def test_what_an_example_calls_is_what_its_check_names_and_all_of_it_is_modelled(called: set[str], name: str) -> None:
    play = Play(Scenario.load(EXAMPLES / name))
    play.run()
    assert play.system.guest is not None
    (image,) = play.system.guest.images
    found = check_file(Path(image.image.source))
    named = {str(use) for use in (*found.imports, *found.functions)}
    by_pointer = {"pci!Dispatch"} if found.binding is None else {f"wdf!unload of {image.image.name}"}  # in system structures
    assert len(called) > 10 and called - named == by_pointer
    assert (found.modelled, found.unresolved) == (True, ())

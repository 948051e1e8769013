"""Both of a pair of drivers: the Python one of the examples, and its C counterpart, built once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dirql.build import build_driver
from dirql.report.model import Report
from dirql.scenario.play import run
from dirql.scenario.values import DriverSource, Scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
COUNTERPARTS = {  # the class, and the folder with the macros that its counterpart is built from
    "driver.py:MultiQueueDriver": ("mqueue", ()),
    "refuse_line.py:MessagesOnlyDriver": ("mqueue", ("REFUSE_LINE",)),
    "idle.py:IdleDriver": ("mqueue", ("IDLE_MILLISECONDS=10",)),
    "status_register.py:StatusRegisterDriver": ("mqueue", ("STATUS_REGISTER",)),
    "status_register.py:NotMineDriver": ("mqueue", ("NOT_MINE",)),
    "edu.py:EduDriver": ("edu_c", ()),
    "flag.py:Driver": ("explore_c/flag", ()),
    "count.py:Driver": ("explore_c/count", ()),
    "mended.py:Driver": ("explore_c/mended", ()),
}

InC = Callable[[Scenario], Scenario]
Both = Callable[[Scenario], tuple[Report, Report]]


@pytest.fixture(scope="session")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> InC:
    """Makes of a Python driver's scenario the one of its C counterpart, with everything else the same."""
    images: dict[str, str] = {}

    def image(reference: str) -> str:
        folder, defines = COUNTERPARTS[reference]
        if reference not in images:
            built = build_driver(EXAMPLES / folder, tmp_path_factory.mktemp(Path(folder).name), defines=defines)
            assert built.diagnostics == ""
            images[reference] = str(built.image)
        return images[reference]

    def counterpart(scenario: Scenario) -> Scenario:
        return replace(scenario, drivers=tuple(DriverSource(inf=one.inf, image=image(one.python)) for one in scenario.drivers))

    return counterpart


@pytest.fixture(scope="session")
def both(in_c: InC) -> Both:
    """Plays a scenario with the Python driver, and with the C one."""
    return lambda scenario: (run(scenario), run(in_c(scenario)))

"""What never ends in a driver, a model or a workload is ended by the watchdog, and named. That it ends is what counts."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dirql.errors import InputError
from dirql.report import Report
from dirql.scenario import Scenario
from dirql.scenario.play import Play
from dirql.scenario.watchdog import Stalled, Watchdog

LIMIT = 0.05
REMEDY = "mend the loop, or give --watchdog more; not replayable, since it depends on the host"
WHY = f"nothing got on for 0.05 s of real time: {REMEDY}"
FOR_EVER = "while True: pass"
CAUGHT = "while True:\n            try: self.isr(0)\n            except: pass"
FILE = """
from dirql import wdf
from dirql.device.models import MultiQueue


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        device = wdf.Device.create(init)
        {add}

    def isr(self, n):
        return n


class Card(MultiQueue):
    def __init__(self, name="card"):
        super().__init__(1, name=name)
        {build}

    def exercise(self):
        {exercise}

    def unserved(self):
        {unserved}
        return []


def work(system, card):
    {work}


{top}
"""
PLACES = {"add": "", "build": "", "exercise": "", "unserved": "", "work": "", "top": ""}
SCENARIO = '[machine]\nmemory = 0x20_0000\n[device]\nmodel = "endless.py:Card"\n[driver]\npython = "endless.py:Driver"\n'


def loaded(folder: Path, scenario: str = SCENARIO, watchdog: float = 0.1, **places: str) -> Play:
    (folder / "endless.py").write_text(FILE.format(**{**PLACES, **{k: "pass" for k in PLACES if k != "top"}, **places}))
    return Play(Scenario.parse(scenario, source="s.toml", base=folder), watchdog=watchdog)


def played(folder: Path, scenario: str = SCENARIO, **places: str) -> Report:
    """Watched from its start on: a busy host may need longer than the limit to load the file."""
    play = loaded(folder, scenario, 0, **places)
    play.watchdog.seconds = LIMIT
    return play.run()[0]


@pytest.mark.parametrize(("place", "code"), [
    ("add", FOR_EVER), ("add", CAUGHT), ("add", "import time; time.sleep(99)"), ("exercise", FOR_EVER),
])  # fmt: skip
@pytest.mark.parametrize("seed", ["", "[machine]\nseed = 3\n"])
def test_a_loop_without_an_end_is_a_hang_at_its_line(tmp_path: Path, place: str, code: str, seed: str) -> None:
    report = played(tmp_path, SCENARIO.replace("[machine]\n", seed or "[machine]\n"), **{place: code})
    assert report.bugcheck is not None and not report.clean
    assert (report.bugcheck["kind"], report.bugcheck["rule"]) == ("hang", "watchdog")
    why, _, where = str(report.bugcheck["why"]).rpartition(" (")
    assert (why, where.partition(":")[0]) == (WHY, "endless.py")
    assert ("EvtDriverDeviceAdd", "Driver") in report.callbacks


def test_a_loop_of_calls_in_which_nothing_else_happens_is_none_that_gets_on(tmp_path: Path) -> None:
    report = played(tmp_path, add="while True: self.framework.kernel.ke_get_current_irql()")
    assert report.bugcheck is not None
    why, _, where = str(report.bugcheck["why"]).rpartition(" (")
    assert (report.bugcheck["rule"], why, where.partition(":")[0]) == ("watchdog", WHY, "endless.py")


def test_a_workload_without_an_end_is_a_hang_too(tmp_path: Path) -> None:
    report = played(tmp_path, SCENARIO + '[workload]\ncall = "endless.py:work"\n', work=FOR_EVER)
    assert report.bugcheck == {"kind": "hang", "rule": "watchdog", "why": f"{WHY} (endless.py:29 in work)"}


@pytest.mark.parametrize(("place", "line"), [("top", 32), ("build", 18), ("unserved", 24)])
def test_where_there_is_nothing_to_report_the_line_is_the_error(tmp_path: Path, place: str, line: int) -> None:
    with pytest.raises(InputError) as problem:
        loaded(tmp_path, **{place: FOR_EVER}).run()
    assert problem.value.problem == "has not come to an end in 0.1 s of real time; mend it, or give --watchdog more"
    assert (Path(problem.value.source).name, problem.value.where.removeprefix("line ")) == ("endless.py", str(line))


def test_a_host_without_interval_timers_watches_by_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "setitimer")
    report = played(tmp_path, add=FOR_EVER)
    assert report.bugcheck is not None
    assert report.bugcheck["why"] == f"{WHY} (endless.py:9 in evt_driver_device_add)"


def test_what_the_host_had_set_up_is_as_before(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL), sys.gettrace()
    played(tmp_path, add=CAUGHT)
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL), sys.gettrace()) == before


def test_a_run_that_gets_on_is_let_alone(tmp_path: Path) -> None:
    assert played(tmp_path).bugcheck is None


def ticked(monkeypatch: pytest.MonkeyPatch, file: str, between: Callable[[int], object] = lambda _: None) -> None:
    """A limit goes by three times over, in ticks that the host does not send: in `file`'s code, with `between` before each."""
    monkeypatch.setattr(signal, "setitimer", lambda *_: (0.0, 0.0))
    code = compile("for n in range(24):\n    between(n)\n    tick()", file, "exec")
    with Watchdog(1.0, lambda: 0, [Path("theirs.py")]).watching():
        exec(code, {"tick": lambda: signal.raise_signal(signal.SIGALRM), "between": between})


def test_ticks_that_find_the_users_code_where_it_was_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Stalled):
        ticked(monkeypatch, "theirs.py")


def test_modules_that_are_imported_are_getting_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ticked(monkeypatch, "theirs.py", lambda n: monkeypatch.setitem(sys.modules, f"imported_by_a_model_{n}", ModuleType("m")))


def test_what_the_host_is_slow_with_while_none_of_the_users_code_runs_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "setitimer", lambda *_: (0.0, 0.0))
    with Watchdog(1.0, lambda: 0, [Path("theirs.py")]).watching():
        for file in ["ours.py"] * 24 + ["theirs.py"]:
            exec(compile("tick()", file, "exec"), {"tick": lambda: signal.raise_signal(signal.SIGALRM)})

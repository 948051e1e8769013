"""What `dirql run` plays: a scenario file with what the command line says instead, or a driver and a device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from dirql.cli.resources_of import overridden
from dirql.errors import InputError, UsageError
from dirql.scenario.play import Play
from dirql.scenario.values import MODELS, DeviceSource, DriverSource, Scenario
from dirql.system import System

__all__ = ["Begun", "check_watchdog", "play_of", "stubs_of", "traced"]

SEEDS = 1 << 64
NAME = re.compile(r"[A-Za-z_]\w*|[\w.-]+!#\d{1,5}")
LONGEST = 1_000_000  # s, eleven days
FORMATS = {".jsonl": "json_lines", ".txt": "lines"}
Begun = Callable[[System], None]


def play_of(
    source: str, device: str, inf: str, cpus: int | None, messages: int | None, line: bool, seed: int | None, *,
    trace: Begun | None, watchdog: float, stubs: Sequence[str] = (), max_instructions: int | None = None, races: bool = False,
) -> Play:
    """The scenario, built; `trace` is what `traced` gave."""
    if source.endswith(".toml"):
        if device:
            raise UsageError(f"--device {device}: {source} names its device; leave the option out, or give a driver.py")
        scenario = Scenario.load(source)
    else:
        scenario = _of_driver(source, device)
    scenario = overridden(scenario, cpus, inf, messages, line)
    if seed is not None:
        if not 0 <= seed < SEEDS:
            raise UsageError(f"--seed {seed}: a seed is 0 to {SEEDS - 1:#x}; give another one")
        scenario = replace(scenario, seed=seed)
    scenario = replace(scenario, races=scenario.races or races)
    check_watchdog(watchdog)
    if max_instructions is not None and max_instructions < 1:
        raise UsageError(f"--max-instructions {max_instructions}: out of range; give 1 or more")
    if max_instructions is not None and not _has_image(scenario):
        raise UsageError(f"--max-instructions {max_instructions}: {source} has no image (.sys); leave the option out")
    told = stubs_of(source, scenario, stubs)
    asked = trace is not None
    return Play(scenario, trace=asked, watchdog=watchdog, stubs=told, max_instructions=max_instructions, begun=trace)


def check_watchdog(seconds: float) -> None:
    """UsageError when it is out of range."""
    if not 0 <= seconds <= LONGEST:
        raise UsageError(f"--watchdog {seconds:g}: out of range; give 1 to {LONGEST} seconds, a part of one, or 0 for none")


def stubs_of(source: str, scenario: Scenario, stubs: Sequence[str]) -> dict[str, int]:
    """What --stub says, of a scenario that has an image."""
    told = dict(map(_stub, stubs))
    if told and not _has_image(scenario):
        raise UsageError(f"--stub {next(iter(told))}: {source} has no image (.sys); leave the option out")
    return told


def _has_image(scenario: Scenario) -> bool:
    return any(driver.image or driver.source for driver in scenario.drivers)


def _stub(text: str) -> tuple[str, int]:
    """NAME=VALUE."""
    name, _, value = text.partition("=")
    try:
        number = int(value, 0)
    except ValueError:
        number = 1 << 64
    if not NAME.fullmatch(name) or not -(1 << 63) <= number < 1 << 64:
        raise UsageError(f"--stub {text}: write NAME=VALUE, as in IoWMIRegistrationControl=0xC00000BB")
    return name, number


def _of_driver(source: str, device: str) -> Scenario:
    if not source.strip():
        raise UsageError(f"{source!r} names nothing; give scenario.toml, driver.py[:Class] or driver.sys")
    file, _, name = source.partition(":")
    if file.endswith(".sys"):
        driver = DriverSource(image=source)
    elif file.endswith(".py"):
        driver = DriverSource(f"{file}:{name}" if name else file)
    else:
        what = "it is neither a scenario (.toml) nor a driver (.py, .sys)"
        raise UsageError(f"{source}: {what}; give scenario.toml, driver.py[:Class] or driver.sys")
    if not device:
        raise UsageError(f"{source}: which device? give --device {', '.join(sorted(MODELS))}, model.py:Class or a dump")
    here = Path.cwd()
    model = device in MODELS or ".py" in device
    devices = (DeviceSource("model" if model else "dump", device),)
    return Scenario(source, here, devices=devices, drivers=(driver,))


@contextmanager
def traced(path: str, force: bool) -> Iterator[Begun | None]:
    """Whom to tell of the system before it runs anything, None where `path` is empty. The trace is written to `path` at the end,
    whatever that is; what makes it impossible is said before. Where nothing happened no file is left."""
    if not path:
        yield None
        return
    target = Path(path)
    form = FORMATS.get(target.suffix)
    if form is None:
        raise UsageError(f"--trace {path}: the suffix tells the format; write {' or '.join(FORMATS)}")
    if target.exists() and not force:
        raise UsageError(f"--trace {path}: the file exists; choose another name, or give --force")
    with ExitStack() as end:

        def begin(system: System) -> None:
            trace, there = system.trace, target.exists()
            assert trace is not None
            try:
                file = target.open("w", encoding="utf-8", newline="\n")
            except OSError as problem:
                raise InputError(path, "", problem.strerror or str(problem), "name a file that can be written") from None

            def write() -> None:
                with file:
                    file.writelines(f"{text}\n" for text in getattr(trace, form)())
                if not len(trace) and not there:
                    target.unlink()

            end.callback(write)

        yield begin

"""Plays a scenario: builds the system, starts it, gives it its workload and steps, stops it and reports.

What a user's file does wrong on the way (no such class, an option that the model has not, an exception in a workload) is an
InputError that names the file and the line.
"""

from __future__ import annotations

import hashlib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dirql import ntstatus
from dirql.device import models
from dirql.device.device import Device
from dirql.errors import DirqlError, InputError, UsageError
from dirql.hosts.python import load_object, load_python_driver
from dirql.kernel.stop import Stop
from dirql.kernel.unhandled import in_driver
from dirql.machine.chooser import Chooser, RandomChooser
from dirql.machine.watch import Watch
from dirql.pci.dump_function import DumpFunction
from dirql.pci.function import Function
from dirql.pnp.grant import ImpossibleGrant
from dirql.pnp.inf import Inf
from dirql.report.model import Report
from dirql.scenario.document import KINDS, shown
from dirql.scenario.dump_choice import functions_of
from dirql.scenario.steps import Step
from dirql.scenario.values import MODELS, DeviceSource, DriverSource, Scenario
from dirql.scenario.watchdog import Stalled, Watchdog
from dirql.system import NoDriver, System
from dirql.wdf.framework import Verifier

__all__ = ["Play", "build_device", "run"]


def run(scenario: Scenario) -> Report:
    """The whole of it; the report of the first device."""
    return Play(scenario).run()[0]


class Play:
    """A scenario under way: `system`, the functions that are plugged (`cards`), and what it found. `begun` is told the system
    before anything is in it: loading an image runs its DriverEntry."""

    def __init__(
        self, scenario: Scenario, *, trace: bool = False, watchdog: float = 0, stubs: Mapping[str, int] | None = None,
        max_instructions: int | None = None, chooser: Chooser | None = None, watch: Callable[[System], Watch] | None = None,
        begun: Callable[[System], None] | None = None,
    ) -> None:  # fmt: skip
        self.scenario = scenario
        self.grant = scenario.grant
        self.watchdog = Watchdog(watchdog, self._progress, _files(scenario), lambda: self.system.stopped is not None)
        if chooser is None and scenario.seed is not None:
            chooser = RandomChooser(scenario.seed)
        try:
            self.system = System(
                scenario.cpus, windows=scenario.windows, trace=trace, chooser=chooser, costs=scenario.costs,
                verifier=Verifier(scenario.verify_kmdf, scenario.verify_driver, scenario.verify_underrun),
                memory=scenario.memory, races=scenario.races,
            )  # fmt: skip
        except OSError as error:
            what = f"[machine] memory = {scenario.memory:#x}: {error.strerror}"
            line = scenario.lines.get("machine.memory", "")
            raise InputError(scenario.source, line, what, "ask for fewer bytes than this machine has") from None
        self.system.patience, self.system.max_instructions = watchdog, max_instructions
        self.system.preempt = scenario.preempt
        if watch is not None:
            self.system.watching.add(watch(self.system))
        if begun is not None:
            begun(self.system)
        self._stubs = stubs or {}
        self._loaded: dict[str, Any] = {}  # what the scenario calls, by reference
        self._fits: set[tuple[str, str, str]] = set()  # device, method and line of calls whose arguments were looked at
        self.cards: list[_Card] = []
        with self.watched():
            self._build()

    def _build(self) -> None:
        scenario = self.scenario
        for source in scenario.devices:
            function = build_device(scenario, source)
            if any(function.name == card.function.name for card in self.cards):
                problem = f"a second device is named {function.name!r}"
                raise InputError(scenario.source, source.where, problem, "give one of them a name = …")
            self.cards.append(_Card(source, self.system.plug(function)))
        for driver in scenario.drivers:
            inf = Inf.load(scenario.base / driver.inf, windows=scenario.windows) if driver.inf else None
            if driver.python:
                self.system.load(load_python_driver(driver.python, scenario.base), inf)
            elif driver.drives:
                self.system.load(_image(driver, scenario.base), inf, stubs=self._stubs)
        for cpu, count in scenario.reserve.items():
            self._reserve(cpu, count)

    def start(self) -> int:
        """Enumerate, grant, start; an NTSTATUS."""
        if not any(driver.drives for driver in self.scenario.drivers):
            raise InputError(self.scenario.source, "", "there is no driver", '[driver] python = "driver.py:Class" names one')
        scenario = self.scenario
        try:
            with self.watched():
                return self.system.start(self.grant)
        except ImpossibleGrant as problem:
            said = f"{scenario.grant_said}: {problem.reason}" if scenario.grant_said else str(problem)
            raise InputError(scenario.source, scenario.lines.get("grant", ""), said) from None
        except NoDriver as problem:
            raise InputError(scenario.source, scenario.lines.get("driver", ""), str(problem)) from None

    def run(self) -> list[Report]:
        """From the start to the reports of all devices."""
        try:
            with self.watched():
                if ntstatus.nt_success(self.start()):
                    self.work()
                self.system.run()
                self.system.shut_down()
                return self.reports()
        except DirqlError:
            raise
        except Exception as problem:  # a model that the report asked, for example
            _blame(problem)
            raise

    def load_calls(self) -> None:
        """The workload's file and those of the steps, so that what they share is there at the beginning; the models' own."""
        said = [(self.scenario.workload, Step("call", said=self.scenario.workload))] if self.scenario.workload else []
        for reference, step in said + [(step.value, step) for step in self.scenario.steps if step.action == "call"]:
            self.routine(reference, self.cards[0].function, step)
        if not self.scenario.workload and not self.scenario.steps:
            for card in self.cards:
                self._method(card, Step("exercise"))

    def reports(self) -> list[Report]:
        """Of each device, as it is now."""
        return [self.system.report(card.function) for card in self.cards]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """The watchdog is on; what it ends outside of the machine, where there is nothing to report, is an InputError."""
        try:
            with self.watchdog.watching():
                yield
        except Stalled as stop:
            _blame(stop, self._endless)
            raise
        except InputError as problem:  # what loaded the file told of the stop as of any exception
            if isinstance(problem.__context__, Stalled):
                raise InputError(problem.source, problem.where, self._endless) from None
            raise

    @property
    def _endless(self) -> str:
        return f"has not come to an end in {self.watchdog.seconds:g} s of real time; mend it, or give --watchdog more"

    def _progress(self) -> object:
        """What changes whenever the machine gets on."""
        return self.system.machine.scheduler.progress, len(self.system.framework.callbacks)

    def work(self) -> None:
        """The workload and the steps, or what the models do by themselves."""
        scenario = self.scenario
        if scenario.workload:
            where, said = scenario.lines.get("workload.call", ""), f"[workload] call = {shown(scenario.workload)}"
            self._call(scenario.workload, self.cards[0].function, Step("call", where=where, said=said))
        elif not scenario.steps:
            for card in self.cards:
                self._stimulate(card, Step("exercise"))
        for step in scenario.steps:
            if self.system.stopped is None:
                self._step(step)

    def _step(self, step: Step) -> None:
        card = next((one for one in self.cards if one.source.name == step.device), self.cards[0])
        system, function = self.system, card.function
        match step.action:
            case "run":
                system.run()
            case "run_ns":
                system.run(for_ns=step.value)
            case "call":
                self._call(step.value, function, step)
            case "rebalance" | "remove" | "surprise_remove" if card.gone:
                problem = f"{step.said}: {function.name} was removed by a step before"
                raise InputError(self.scenario.source, step.where, problem, "drop this step")
            case "rebalance":
                try:
                    status = system.rebalance(function, step.value)
                except ImpossibleGrant as error:
                    raise InputError(self.scenario.source, step.where, f"{step.said}: {error}") from None
                card.gone = not ntstatus.nt_success(status) and system.node(function).stack is None
            case "remove":
                card.gone = ntstatus.nt_success(system.remove(function))
            case "surprise_remove":
                system.surprise_remove(function)
                card.gone = True
            case _:
                self._stimulate(card, step)

    def _stimulate(self, card: _Card, step: Step) -> None:
        """Call the model's own method; one that has no workload of its own (a dump) has nothing to exercise."""
        method = self._method(card, step)
        if method is not None:
            self._guard(lambda: method(**(step.value or {})), step)

    def _method(self, card: _Card, step: Step) -> Callable[..., Any] | None:
        """The model's, which takes what the step gives."""
        method: Callable[..., Any] | None = getattr(card.function, step.action, None)
        if method is None and step.where:
            problem = f"{step.said}: {card.function.name} has no {step.action}()"
            raise InputError(self.scenario.source, step.where, problem, 'call = "file.py:function" can do anything')
        which = card.function.name, step.action, step.where
        if method is not None and which not in self._fits:
            section = f"[step.{step.action}]"
            _bind(method, step.action, step.value or {}, self.scenario.source, lambda key: (step.where, section))
            self._fits.add(which)
        return method

    def _call(self, reference: str, function: Function, step: Step) -> None:
        self._guard(self.routine(reference, function, step), step)

    def routine(self, reference: str, function: Function, step: Step) -> Callable[[], Any]:
        """The user's function that `file.py:function` names, with what it is called with; `step` says who named it."""
        scenario, where = self.scenario, step.where
        try:
            if reference not in self._loaded:
                self._loaded[reference] = load_object(reference, scenario.base)
            routine = self._loaded[reference]
        except InputError as mistake:
            if mistake.where:  # something in the file itself
                raise
            raise InputError(scenario.source, where, f"{step.said}: {mistake}") from None
        if not callable(routine):
            problem = f"{step.said}: that is no function"
            raise InputError(scenario.source, where, problem, "name a function of one or two arguments")
        wanted = [p for p in inspect.signature(routine).parameters.values() if p.default is p.empty and p.kind in _POSITIONAL]
        arguments: list[Any] = [function] if len(wanted) == 1 else [self.system, function]
        if len(wanted) not in (1, 2):
            problem = f"{step.said}: it takes {len(wanted)} arguments"
            raise InputError(scenario.source, where, problem, "it is called with (card), or (system, card)")
        return partial(routine, *arguments)

    def _guard(self, action: Callable[[], Any], step: Step) -> None:
        """What goes wrong in a user's file is told with its line; what dirql refuses, with the line of the scenario."""
        try:
            action()
        except Stop as stop:  # the machine stands still, and the report says why
            if self.system.stopped is None:
                stop.locate(in_driver(stop))
                self.system.stop(stop)
        except InputError:
            raise
        except DirqlError as problem:
            said = f"{step.said}: {problem}" if step.said else str(problem)
            raise InputError(self.scenario.source, step.where, said) from None
        except Exception as problem:
            _blame(problem)
            raise

    def _reserve(self, cpu: int, count: int) -> None:
        try:
            self.system.pnp.arbiter.reserve(cpu, count)
        except UsageError as problem:
            line = self.scenario.lines.get("grant.reserve", "")
            raise InputError(self.scenario.source, line, f"[grant.reserve] {cpu} = {count}: {problem}", "reserve fewer") from None


@dataclass
class _Card:
    source: DeviceSource
    function: Function
    gone: bool = False


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OPTIONS = "[device.options]"
_PACKAGE = Path(__file__).parent.parent
_PLAIN = {"bool": bool, bool: bool, "int": int, int: int, "str": str, str: str}  # annotations that tell what a file must give


def build_device(scenario: Scenario, source: DeviceSource) -> Function:
    """The function that a [device] describes."""
    if source.kind == "dump":
        return _dump(scenario, source)
    if source.reference in MODELS:
        model: Any = getattr(models, MODELS[source.reference])
    else:
        model = load_object(source.reference, scenario.base, Device)
    if not (inspect.isclass(model) and issubclass(model, Device)):
        what = f"[device] model = {shown(source.reference)}: that is no dirql.device.Device"
        raise InputError(scenario.source, source.where, what, "name a model's class")
    options = dict(source.options)
    if source.name:
        options["name"] = source.name
    _bind(model, source.reference, options, scenario.source, lambda key: (source.option_lines.get(key, source.where), _OPTIONS))
    try:
        built: Device = model(**options)
    except DirqlError as problem:
        what = f"{_OPTIONS}: {problem}" if source.options else str(problem)
        raise InputError(scenario.source, source.where, what, f"correct {_OPTIONS}") from None
    except Exception as problem:
        what = f"{source.reference}: {type(problem).__name__}: {problem}"
        raise InputError(scenario.source, source.where, what, f"correct {_OPTIONS}, or the model") from problem
    if "endpoint" not in vars(built):
        what = f"{source.reference}: {model.__name__}.__init__ leaves out Device's"
        raise InputError(scenario.source, source.where, what, "call super().__init__(name=name) first")
    return built


def _dump(scenario: Scenario, source: DeviceSource) -> DumpFunction:
    path = str(scenario.base / source.reference)
    found = functions_of(path, source.function)
    if len(found) != 1:
        raise InputError(path, "", f"it holds {len(found)} functions", f'choose one: function = "{found[0].address}"')
    return DumpFunction(found[0], source.bars)


def _bind(
    target: Callable[..., Any], name: str, arguments: Mapping[str, Any], source: str, place: Callable[[str], tuple[str, str]]
) -> None:
    """InputError unless every argument is one that `target` has, and none that it needs is missing; `place` tells the line and
    the section of one."""
    signature = inspect.signature(target)
    known = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    has = f"it has {', '.join(known)}" if known else "it has none"
    for key in arguments:
        if key not in known and not open_ended:
            where, section = place(key)
            raise InputError(source, where, f"{section} {key} = {shown(arguments[key])}: {name} has no such option", has)
    try:
        signature.bind(**arguments)
    except TypeError as problem:
        where, section = place("")
        raise InputError(source, where, f"{section}: {name}: {problem}", has) from None
    for key, value in arguments.items():
        kind = _PLAIN.get(signature.parameters[key].annotation) if key in signature.parameters else None
        if kind is not None and type(value) is not kind:
            where, section = place(key)
            what = f"{section} {key} = {shown(value)}: {name} wants another type"
            raise InputError(source, where, what, f"write {KINDS[kind]}")


def _image(driver: DriverSource, base: Path) -> Path:
    """The driver's image, built first where its sources are named: beside them, and with macros in a folder of its own, so that
    two variants do not take turns."""
    if driver.image:
        return base / driver.image
    from dirql.build import build_driver  # a compiler that only those need who name sources

    source, out = base / driver.source, None
    if driver.defines:
        out = source / "out" / hashlib.sha256("\n".join(driver.defines).encode()).hexdigest()[:12]
    return build_driver(source, out, defines=driver.defines).image


def _files(scenario: Scenario) -> list[Path]:
    """The user's Python files that the scenario names."""
    named = [driver.python for driver in scenario.drivers] + [device.reference for device in scenario.devices]
    named += [scenario.workload, *(step.value for step in scenario.steps if step.action == "call")]
    return [scenario.base / name.partition(":")[0] for name in named if ".py" in name]


def _blame(problem: BaseException, what: str = "") -> None:
    """InputError with the line of the user's file where it went wrong; nothing where no such file had a part in it."""
    theirs = [f for f in traceback.extract_tb(problem.__traceback__) if not _ours(f.filename)]
    if theirs:
        what = what or f"{type(problem).__name__}: {problem}"
        raise InputError(theirs[-1].filename, str(theirs[-1].lineno), what) from problem


def _ours(file: str) -> bool:
    return Path(file).is_relative_to(_PACKAGE)

"""The TOML file that says all of a run: machine, devices, drivers, grant, workload and steps, as values.

`Scenario.load` looks at every key and touches nothing but that file; `dirql.scenario.play` runs it.

Limits: one [grant] for all devices; VFIO and vfio-user are recognised and refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from dirql.errors import InputError
from dirql.machine.costs import Costs
from dirql.pnp.grant import GrantChoice
from dirql.scenario.document import Document, Table, shown
from dirql.scenario.steps import Step, check_reference, read_grant, read_steps

__all__ = ["MODELS", "DeviceSource", "DriverSource", "Scenario"]

MODELS = {"edu": "Edu", "mqueue": "MultiQueue"}  # the models that ship, and their classes
WINDOWS = ("10", "11")
CPUS, BAR_COUNT = 64, 6
MEMORY = (2 << 20, 1 << 40)  # the first MiB is not handed out
NEVER = 1 << 62  # ns
PAGE = 0x1000
DRIVER_KINDS = ("python", "image", "source")
MACRO = re.compile(r"[A-Za-z_]\w*(=.*)?")


@dataclass(frozen=True)
class DeviceSource:
    """Where a function comes from: a model (`file.py:Class`, or one that ships) or a dump."""

    kind: Literal["model", "dump"]
    reference: str
    name: str = ""
    function: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    bars: Mapping[int, int] = field(default_factory=dict)
    where: str = ""
    option_lines: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DriverSource:
    """A driver and its INF: a class (`file.py:Class`), an image (.sys), or the folder of C sources that one is built from, with
    `defines` as macros. Without any of them only the INF counts."""

    python: str = ""
    inf: str = ""
    where: str = ""
    image: str = ""
    source: str = ""
    defines: tuple[str, ...] = ()

    @property
    def drives(self) -> bool:
        """False where it is nothing but an INF."""
        return bool(self.python or self.image or self.source)


@dataclass(frozen=True)
class Scenario:
    """One run, before anything of it is built. Names of files are relative to `base`."""

    source: str
    base: Path
    cpus: int = 4
    windows: str = "11"
    seed: int | None = None
    memory: int = 64 << 20
    preempt: int | None = None
    costs: Costs = field(default_factory=Costs)
    verify_kmdf: bool = False
    verify_driver: bool = False
    verify_underrun: bool = False
    races: bool = False
    devices: tuple[DeviceSource, ...] = ()
    drivers: tuple[DriverSource, ...] = ()
    grant: GrantChoice = field(default_factory=GrantChoice)
    reserve: Mapping[int, int] = field(default_factory=dict)
    grant_said: str = ""
    workload: str = ""
    steps: tuple[Step, ...] = ()
    lines: Mapping[str, str] = field(default_factory=dict)  # of `machine.memory`, `grant`, `grant.reserve`, `workload.call`

    @classmethod
    def load(cls, path: str | Path) -> Scenario:
        """From a TOML file; whatever is wrong with it is an InputError that names the line."""
        path = Path(path)
        return cls._read(Document.load(path), path.parent)

    @classmethod
    def parse(cls, text: str, *, source: str = "<scenario>", base: Path | None = None) -> Scenario:
        """The same from text."""
        return cls._read(Document(source, text), base or Path())

    @classmethod
    def _read(cls, document: Document, base: Path) -> Scenario:
        top = document.top
        machine = top.read("machine", _machine) or {}
        verifier = top.read("verifier", _verifier) or {}
        devices = tuple(_device(table) for table in top.tables("device"))
        drivers = tuple(_driver(table) for table in top.tables("driver"))
        choice, reserve = top.read("grant", lambda table: _grant(table, machine.get("cpus", 4))) or (GrantChoice.all(), {})
        said = _said(top.table("grant"), ["messages", "one", "line"])
        workload = top.read("workload", _workload) or ""
        names = [device.name for device in devices if device.name]
        steps = read_steps(top.tables("step"), names)
        top.done()
        if not devices:
            raise InputError(document.source, "", "there is no [device]", 'add one: model = "mqueue", or dump = "lspci.txt"')
        for index, device in enumerate(devices):
            if device.name and any(device.name == other.name for other in devices[:index]):
                problem = f"[[device]] name = {shown(device.name)}: a second device has this name"
                raise InputError(document.source, device.where, problem, "name it otherwise")
        return cls(
            document.source, base, devices=devices, drivers=drivers, grant=choice, reserve=reserve, grant_said=said[1],
            workload=workload, steps=steps, lines=_lines(document) | {"grant": said[0]}, **machine, **verifier,
        )  # fmt: skip


def _lines(document: Document) -> dict[str, str]:
    """Of the values that prove impossible only when the machine is built."""
    paths = (("machine", "memory"), ("grant", "reserve"), ("driver",), ("device",), ("workload", "call"))
    return {".".join(path): document.line(path) for path in paths}


def _said(table: Table | None, keys: Sequence[str]) -> tuple[str, str]:
    """The line and the words of the one of `keys` that is there."""
    present = [key for key in keys if table is not None and key in table]
    if table is None or not present:
        return "", ""
    return table.document.line((*table.path, present[0])), table.said(present[0])


def _machine(table: Table) -> dict[str, Any]:
    memory = table.integer("memory", 64 << 20, *MEMORY)
    values = {
        "cpus": table.integer("cpus", 4, 1, CPUS),
        "windows": table.text("windows", "11", WINDOWS),
        "seed": table.integer("seed", 0, 0, (1 << 64) - 1) if "seed" in table else None,
        "memory": memory,
        "costs": table.read("costs", _costs) or Costs(),
        "preempt": _preempt(table),
    }
    if memory % PAGE:
        raise table.wrong("memory", "no whole number of pages", f"write a multiple of {PAGE:#x}")
    table.done(["seed", "preempt"])
    return values


def _preempt(table: Table) -> int | None:
    """Where an image's code may be interrupted: "calls" (and register accesses), "memory", or every so many instructions."""
    if isinstance(table.values.get("preempt", ""), str):
        return {"calls": None, "memory": 0}[table.text("preempt", "calls", ("calls", "memory"))]
    return table.integer("preempt", 1, 1, 1 << 32)


def _costs(table: Table) -> Costs:
    values = {one.name: table.integer(one.name, one.default, 0, NEVER) for one in fields(Costs) if isinstance(one.default, int)}
    for key in ("clock_tick", "lead"):
        if values[key] == 0:
            raise table.wrong(key, "time would stand still", "write 1 or more nanoseconds")
    table.done()
    return Costs(**values)


def _verifier(table: Table) -> dict[str, bool]:
    values = {"verify_kmdf": table.flag("kmdf"), "verify_driver": table.flag("driver"), "races": table.flag("races")}
    values["verify_underrun"] = table.text("special_pool", "overrun", ("overrun", "underrun")) == "underrun"
    if values["verify_underrun"] and not values["verify_driver"]:
        raise table.wrong("special_pool", "Driver Verifier is off", "add driver = true")
    table.done()
    return values


def _device(table: Table) -> DeviceSource:
    later = 'use model = "file.py:Class" or dump = "lspci.txt"'
    table.refuse("vfio", "VFIO devices are not there yet", later)
    table.refuse("vfio-user", "vfio-user devices are not there yet", later)
    model, dump, name, function = (table.text(key) for key in ("model", "dump", "name", "function"))
    options, bars = table.table("options"), table.read("bars", _bars) or {}
    table.done()
    kind: Literal["model", "dump"] = "model" if table.exactly_one(["model", "dump"]) == "model" else "dump"
    if kind == "model" and ".py" not in model and model not in MODELS:
        remedy = f"write file.py:Class, or one that ships: {', '.join(sorted(MODELS))}"
        raise table.wrong("model", "there is no such model", remedy)
    for key, wrong in (("options", "dump"), ("name", "dump"), ("function", "model"), ("bars", "model")):
        if key in table and kind == wrong:
            other = "model" if wrong == "dump" else "dump"
            raise table.wrong(key, f"it has no meaning with {wrong}", f"it belongs to {other} = …")
    where, told = table.document.line(table.path), dict(options.values) if options else {}
    lines = {key: table.document.line((*table.path, "options", key)) for key in told}
    return DeviceSource(kind, model or dump, name, function, told, bars, where, lines)


def _bars(table: Table) -> dict[int, int]:
    sizes = {}
    for key in [str(index) for index in range(BAR_COUNT)]:
        if key in table:
            size = sizes[int(key)] = table.integer(key, 0, 4, 1 << 62)
            if size & (size - 1):
                raise table.wrong(key, "a BAR's size is a power of two", "write the size that lspci -v prints")
    table.done([str(index) for index in range(BAR_COUNT)])
    return sizes


def _driver(table: Table) -> DriverSource:
    kinds = {kind: table.text(kind) for kind in DRIVER_KINDS}
    inf, defines = table.text("inf"), _defines(table)
    table.done()
    given = [kind for kind, value in kinds.items() if value]
    if len(given) > 1:
        raise table.error(given[0], f"{table.name} has {' and '.join(given)}", f"write one of {', '.join(DRIVER_KINDS)}")
    if not given and not inf:
        remedy = 'add python = "driver.py:Class", image = "driver.sys" or source = "folder", and inf = "driver.inf"'
        raise table.error("", f"{table.name} says nothing", remedy)
    where = table.document.line((*table.path, *(given or ["inf"])))
    return DriverSource(kinds["python"], inf, where, kinds["image"], kinds["source"], defines)


def _defines(table: Table) -> tuple[str, ...]:
    """Macros for the compiler."""
    given = table.anything("defines")
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise table.wrong("defines", "it has the wrong type", 'write an array of texts: defines = ["NAME", "NAME=VALUE"]')
    if "source" not in table:
        raise table.wrong("defines", "it has no meaning without source", "it belongs to source = …")
    for one in given:
        if not MACRO.fullmatch(one):
            raise table.wrong("defines", f"{shown(one)} is no macro", "write NAME or NAME=VALUE")
    return tuple(given)


def _grant(table: Table, cpus: int) -> tuple[GrantChoice, dict[int, int]]:
    reserve = table.read("reserve", lambda inner: _reserve(inner, cpus)) or {}
    choices = ["messages", "one", "line"]
    choice = read_grant(table) if any(key in table for key in choices) else GrantChoice.all()
    table.done(choices)
    return choice, reserve


def _reserve(table: Table, cpus: int) -> dict[int, int]:
    """Vectors taken away: per processor number, or from `all`."""
    known = ["all", *(str(cpu) for cpu in range(cpus))]
    every = table.integer("all", 0, 0, 256)
    counts = {cpu: every for cpu in range(cpus) if every}
    for key in known[1:]:
        if key in table:
            counts[int(key)] = table.integer(key, 0, 0, 256)
    table.done(known)
    return counts


def _workload(table: Table) -> str:
    reference = table.text("call")
    if "call" not in table:
        table.done()
        raise table.error("", "[workload] says nothing", 'add call = "file.py:function", or leave the section out')
    check_reference(table, "call", reference)
    table.done()
    return reference

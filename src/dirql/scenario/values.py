"""The TOML file that says all of a run: machine, devices, drivers, grant, workload and steps, as values.

`Scenario.load` looks at every key and touches nothing but that file; `dirql.scenario.play` runs it.

Limits: one [grant] for all devices; images (.sys), VFIO and vfio-user are recognised and refused.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True)
class DriverSource:
    """A Python driver (`file.py:Class`) and its INF; without `python` only the INF counts."""

    python: str = ""
    inf: str = ""
    where: str = ""


@dataclass(frozen=True)
class Scenario:
    """One run, before anything of it is built. Names of files are relative to `base`."""

    source: str
    base: Path
    cpus: int = 4
    windows: str = "11"
    seed: int | None = None
    memory: int = 64 << 20
    costs: Costs = field(default_factory=Costs)
    verify_kmdf: bool = False
    verify_driver: bool = False
    devices: tuple[DeviceSource, ...] = ()
    drivers: tuple[DriverSource, ...] = ()
    grant: GrantChoice = field(default_factory=GrantChoice)
    reserve: Mapping[int, int] = field(default_factory=dict)
    workload: str = ""
    workload_where: str = ""
    steps: tuple[Step, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> Scenario:
        """From a TOML file; whatever is wrong with it is an InputError that names the line."""
        path = Path(path)
        try:
            return cls._read(Document.load(path), path.parent)
        except ValueError as problem:  # a NUL in the name
            raise InputError(repr(str(path)), "", str(problem), "name a file") from None

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
        workload = top.read("workload", _workload) or ("", "")
        names = [device.name for device in devices if device.name]
        steps = read_steps(top.tables("step"), names)
        top.done()
        if not devices:
            raise InputError(document.source, "", "there is no [device]", 'add one: model = "mqueue", or dump = "lspci.txt"')
        for index, device in enumerate(devices):
            if device.name and any(device.name == other.name for other in devices[:index]):
                raise InputError(document.source, device.where, f"a second device is named {device.name!r}", "name it otherwise")
        return cls(
            document.source, base, devices=devices, drivers=drivers, grant=choice, reserve=reserve,
            workload=workload[0], workload_where=workload[1], steps=steps, **machine, **verifier,
        )  # fmt: skip


def _machine(table: Table) -> dict[str, Any]:
    memory = table.integer("memory", 64 << 20, *MEMORY)
    values = {
        "cpus": table.integer("cpus", 4, 1, CPUS),
        "windows": table.text("windows", "11", WINDOWS),
        "seed": table.integer("seed", 0, 0, (1 << 64) - 1) if "seed" in table else None,
        "memory": memory,
        "costs": table.read("costs", _costs) or Costs(),
    }
    if memory % PAGE:
        raise table.error("memory", f"memory is {memory:#x} bytes", f"it must be a multiple of {PAGE:#x}")
    table.done(["seed"])
    return values


def _costs(table: Table) -> Costs:
    values = {one.name: table.integer(one.name, one.default, 0, NEVER) for one in fields(Costs) if isinstance(one.default, int)}
    for key in ("clock_tick", "lead"):
        if values[key] == 0:
            raise table.error(key, f"{key} is 0", "it must be 1 or more nanoseconds")
    table.done()
    return Costs(**values)


def _verifier(table: Table) -> dict[str, bool]:
    values = {"verify_kmdf": table.flag("kmdf"), "verify_driver": table.flag("driver")}
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
        raise table.error("model", f"there is no model {shown(model)}", remedy)
    for key, wrong in (("options", "dump"), ("name", "dump"), ("function", "model"), ("bars", "model")):
        if key in table and kind == wrong:
            other = "model" if wrong == "dump" else "dump"
            raise table.error(key, f"{key} has no meaning with {wrong}", f"it belongs to {other} = …")
    where = table.document.line(table.path)
    return DeviceSource(kind, model or dump, name, function, dict(options.values) if options else {}, bars, where)


def _bars(table: Table) -> dict[int, int]:
    sizes = {}
    for key in [str(index) for index in range(BAR_COUNT)]:
        if key in table:
            size = sizes[int(key)] = table.integer(key, 0, 4, 1 << 62)
            if size & (size - 1):
                raise table.error(key, f"BAR {key} has {size:#x} bytes", "a size is a power of two")
    table.done([str(index) for index in range(BAR_COUNT)])
    return sizes


def _driver(table: Table) -> DriverSource:
    table.refuse("image", "images (.sys) are not modelled yet", 'write the driver in Python: python = "driver.py:Class"')
    python, inf = table.text("python"), table.text("inf")
    table.done()
    if not python and not inf:
        raise table.error("", f"{table.name} says nothing", 'add python = "driver.py:Class" and inf = "driver.inf"')
    return DriverSource(python, inf, table.document.line((*table.path, "python")))


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


def _workload(table: Table) -> tuple[str, str]:
    reference = table.text("call")
    if "call" not in table:
        table.done()
        raise table.error("", "[workload] says nothing", 'add call = "file.py:function", or leave the section out')
    check_reference(table, "call", reference)
    table.done()
    return reference, table.document.line((*table.path, "call"))

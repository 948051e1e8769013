"""What a schedule belongs to: a hash of the scenario and of the files that it names, and of the modules that those import.

Limits: a module is known where it lies in the folder of what imports it, or in a package there, and a statement names it.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from dirql.explore.trial import Plan
from dirql.scenario.sources import source_files

__all__ = ["basis_of"]


def basis_of(plan: Plan) -> str:
    """Eight hexadecimal digits over the scenario's values and the bytes of the driver's, the model's and the workload's files."""
    hashed = hashlib.sha256(repr(_said(plan)).encode())
    for path in sorted(_named(plan)):
        hashed.update(path.read_bytes() if path.is_file() else b"")
    return hashed.hexdigest()[:8]


def _said(plan: Plan) -> object:
    """The scenario without where it stands."""
    scenario = plan.scenario
    steps = [(step.action, step.device, repr(step.value)) for step in scenario.steps]
    devices = [(d.kind, d.reference, d.name, sorted(d.options.items()), sorted(d.bars.items())) for d in scenario.devices]
    drivers = [(d.python, Path(d.inf).name, d.image, d.source, d.defines) for d in scenario.drivers]
    machine = (scenario.cpus, scenario.windows, scenario.memory, scenario.costs, scenario.preempt, sorted(scenario.reserve))
    verifier = (scenario.verify_kmdf, scenario.verify_driver, scenario.verify_underrun, scenario.races)
    return machine, verifier, devices, drivers, scenario.grant, scenario.workload, steps, sorted(plan.stubs.items())


def _named(plan: Plan) -> set[Path]:
    scenario = plan.scenario
    said = [name for d in scenario.drivers for name in (d.python, d.inf, d.image)] + [d.reference for d in scenario.devices]
    said += [scenario.workload, plan.invariant, plan.outcome, *(step.value for step in scenario.steps if step.action == "call")]
    files = {scenario.base / name.partition(":")[0] for name in said if name}
    for driver in scenario.drivers:
        if driver.source:
            directory = scenario.base / driver.source
            files |= {*source_files(directory), *directory.glob("*.inf")}
    left = [path for path in files if path.suffix == ".py"]
    while left:
        new = _beside(left.pop()) - files
        files |= new
        left += new
    return files


def _beside(path: Path) -> set[Path]:
    """The files in its folder that a Python file imports; of one that is no Python, what is wrong is said where it is loaded."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            within = f"{node.module}." if node.module else ""
            names |= {*filter(None, [node.module]), *(within + alias.name for alias in node.names)}
    found = set()
    for name in names:
        place = path.parent.joinpath(*name.split("."))
        found |= {file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()}
    return found

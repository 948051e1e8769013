"""The card that these tests drive, and the machine around one where order and processors matter."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


def _load(package: str, name: str) -> ModuleType:
    spec = spec_from_file_location(name, Path(__file__).parent.parent / package / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def plug() -> type:
    """`plug(vectors=4)`: an endpoint on a host that records what it does."""
    return _load("pci", "recording_host").Card


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """`world.World(cpus)`: a machine with a kernel and an inert card; `world.Stub()`: one more card."""
    return _load("kernel", "world")

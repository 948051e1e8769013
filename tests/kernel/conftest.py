"""`world`: the module of what these tests make their worlds of."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """`world.World(cpus)`, `world.Stub()`, `world.First()`, `world.Scripted(ids)`."""
    spec = spec_from_file_location("world", Path(__file__).parent.parent / "kernel" / "world.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

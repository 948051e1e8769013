"""`World`: a device and a driver that does what a test asks of its callbacks, see tests/wdf/world.py; `world`: a kernel without a
framework, see tests/kernel/world.py."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"{name}_world", Path(__file__).parent.parent / name / "world.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def World() -> Any:
    return _load("wdf").World


@pytest.fixture(scope="session")
def world() -> ModuleType:
    return _load("kernel")

"""`World`: the class of the worlds of these tests; see world.py."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def World() -> Any:
    spec = spec_from_file_location("wdf_world", Path(__file__).parent / "world.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.World

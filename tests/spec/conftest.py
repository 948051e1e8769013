"""The card that these tests drive."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    spec = spec_from_file_location("recording_host", Path(__file__).parent.parent / "pci" / "recording_host.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def plug() -> type:
    """`plug(vectors=4)`: an endpoint on a host that records what it does."""
    return _load().Card

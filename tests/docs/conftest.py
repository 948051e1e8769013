"""The pages' tool for the tests of the pages; `block` runs a test once for every command block."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"docs_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = _load("pages")


@pytest.fixture(scope="session")
def pages() -> ModuleType:
    """tests/docs/pages.py."""
    return PAGES


@pytest.fixture(scope="session")
def layers() -> ModuleType:
    """tests/docs/layers.py."""
    return _load("layers")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "block" in metafunc.fixturenames:
        blocks = list(PAGES.blocks())
        metafunc.parametrize("block", blocks, ids=[f"{b.page}-{b.number}" for b in blocks])
    if "table_page" in metafunc.fixturenames:
        metafunc.parametrize("table_page", PAGES.table_pages())
    if "source" in metafunc.fixturenames:
        sources = PAGES.source_files()
        metafunc.parametrize("source", sources, ids=[PAGES.relative(s) for s in sources])

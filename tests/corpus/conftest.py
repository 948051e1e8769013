"""The corpus: wrong drivers, each with its mended twin, and what is said of them in `case.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.bench.corpus import cases

CASES = cases(Path(__file__).parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=[case.folder.name for case in CASES])

"""Nothing here measures for real: a whole collection of the test process' heap before every round would be all the time spent."""

from __future__ import annotations

import pytest

from dirql.bench import stopwatch


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "collect", lambda: 0)

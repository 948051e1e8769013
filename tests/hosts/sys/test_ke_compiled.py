"""A compiled driver: what the headers inline and what the kernel does agree about the same structures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.build import build_driver
from dirql.hosts.sys.pool import Pool
from dirql.system import System


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ke.c, compiled."""
    return build_driver(Path(__file__).parent / "ke", tmp_path_factory.mktemp("ke")).image


def test_every_check_of_the_driver_holds(image: Path) -> None:
    system = System(2)
    driver = system.load(image)
    assert system.stopped is None
    assert driver.entry_status == 0, f"ke.c:{driver.entry_status & 0xFFFF} fails"
    assert system.findings == []
    assert system.guest is not None and system.guest.part(Pool).leaks(driver) == []

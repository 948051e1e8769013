"""A compiled driver that a user's program opens, reads, writes and controls."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql import wdf
from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.kernel.irp import Method, ctl_code
from dirql.system import System

COUNTS = ctl_code(0x22, 0x801, Method.OUT_DIRECT)
SAME = ctl_code(0x22, 0x802, Method.BUFFERED)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """echo.sys."""
    return build_driver(Path(__file__).parent / "echo", tmp_path_factory.mktemp("echo")).image


def started(image: Path) -> System:
    """A system with the driver's device."""
    system = System(2, memory=16 << 20)
    system.plug(MultiQueue(1))
    system.load(image)
    assert system.start() == wdf.STATUS_SUCCESS
    return system


@pytest.mark.parametrize("name", ["{5f0f9a8a-6d0c-4d4e-9b63-3a7f0a1f2b3c}", "\\\\.\\Echo"])
def test_what_is_written_is_read_again(image: Path, name: str) -> None:
    with started(image).open(name) as handle:
        assert handle.write(b"hello") == 5
        assert handle.read(64) == b"hello"
        assert handle.read(2) == b"he"


def test_opens_cleanups_and_closes_reach_the_driver(image: Path) -> None:
    system = started(image)
    system.open("\\\\.\\Echo").close()
    with system.open("\\\\.\\Echo") as handle:
        assert handle.ioctl(COUNTS, output_length=12) == bytes([2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])


def test_a_control_that_the_driver_does_not_know_fails_as_it_says(image: Path) -> None:
    with started(image).open("\\\\.\\Echo") as handle, pytest.raises(wdf.StatusError, match="STATUS_INVALID_DEVICE_REQUEST"):
        handle.ioctl(ctl_code(0x22, 0x900, Method.BUFFERED), b"x")


def test_an_irp_names_the_file_and_the_device_that_the_framework_names(image: Path) -> None:
    with started(image).open("\\\\.\\Echo") as handle:
        assert handle.start_ioctl(SAME).result() == b""


def test_overlapped_reads_end_in_the_order_that_they_were_sent(image: Path) -> None:
    system = started(image)
    with system.open("\\\\.\\Echo") as handle:
        handle.write(b"abcd")
        pending = [handle.start_read(length) for length in (1, 2, 3)]
        assert [one.done for one in pending] == [False, False, False]
        system.run()
        assert [one.result() for one in pending] == [b"a", b"ab", b"abc"]

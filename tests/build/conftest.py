"""Drivers built once for all tests, and one built from a few lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dirql.build import Built, build_driver

EXAMPLES = Path(__file__).parents[2] / "examples"

WDM = """
#include <ntddk.h>
DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    DbgPrint("%wZ", RegistryPath);
    return STATUS_SUCCESS;
}
"""


def _example(name: str, factory: pytest.TempPathFactory) -> Built:
    return build_driver(EXAMPLES / name, factory.mktemp(name))


@pytest.fixture(scope="session")
def mqueue(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return _example("mqueue", tmp_path_factory)


@pytest.fixture(scope="session")
def edu(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return _example("edu_c", tmp_path_factory)


@pytest.fixture(scope="session")
def wdm(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A WDM driver in a directory of its own, image beside the source."""
    directory = tmp_path_factory.mktemp("build") / "plain"
    directory.mkdir()
    (directory / "plain.c").write_text(WDM, "utf-8")
    return build_driver(directory)


@pytest.fixture
def sources(tmp_path: Path) -> Callable[..., Path]:
    """A directory `card` with these files in it."""

    def make(**files: str) -> Path:
        directory = tmp_path / "card"
        directory.mkdir()
        for name, text in files.items():
            (directory / name.replace("_", ".")).write_text(text, "utf-8")
        return directory

    return make

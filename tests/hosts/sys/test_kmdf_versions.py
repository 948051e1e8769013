"""A driver for any KMDF from 1.9 to 1.33, or for a newer one that can do with less, runs to D0 and is interrupted."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pefile
import pytest

from dirql import ntstatus
from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.hosts.sys.driver import SysDriver
from dirql.system import System

SOURCES = Path(__file__).with_name("kmdf_versions")
INF = Path(__file__).parents[3] / "examples" / "multiqueue" / "mqueue.inf"
MESSAGES = 9

# Minor version, the minimum that the driver asks for, and how many functions its table has: below 439 they are copied into the
# driver's own table, from there on the driver has a pointer to the framework's.
VERSIONS = [
    (9, None, 396), (11, None, 432), (13, None, 438), (15, None, 444), (19, None, 446), (25, 15, 453), (31, None, 458),
    (33, None, 458), (35, 15, 458),
]  # fmt: skip
NAMES = [f"1.{minor}" + ("" if minimum is None else f"-from-1.{minimum}") for minor, minimum, _ in VERSIONS]

Image = Callable[[int, int | None], Path]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The driver for a version, built once."""
    made: dict[tuple[int, int | None], Path] = {}

    def build(minor: int, minimum: int | None) -> Path:
        if (minor, minimum) not in made:
            defines = [f"KMDF_VERSION_MINOR={minor}"]
            if minimum is not None:
                defines.append(f"KMDF_MINIMUM_VERSION_REQUIRED={minimum}")
            built = build_driver(SOURCES, tmp_path_factory.mktemp(f"kmdf{minor}"), defines=defines)
            assert built.diagnostics == ""
            made[minor, minimum] = built.image
        return made[minor, minimum]

    return build


def interrupted(path: Path) -> tuple[str, System]:
    """What the driver says of its version, and its system after every message came once."""
    system = System(2, trace=True)
    card = system.plug(MultiQueue())
    driver = system.load(path, inf=INF)
    assert system.start() == ntstatus.STATUS_SUCCESS
    for message in range(MESSAGES):
        card.msix.fire(message)
    system.run()
    assert isinstance(driver, SysDriver)
    return driver.kmdf, system


def printed(system: System) -> list[str]:
    assert system.trace is not None
    return [event["what"] for event in system.trace.events("note") if event["who"] == "DbgPrint"]


@pytest.mark.parametrize(("minor", "minimum", "functions"), VERSIONS, ids=NAMES)
def test_a_driver_of_any_version_gets_every_message(image: Image, minor: int, minimum: int | None, functions: int) -> None:
    path = image(minor, minimum)
    version, system = interrupted(path)
    report = system.report()
    assert struct.pack("<IIII", 1, minor, 0, functions) in path.read_bytes()
    assert version == f"1.{minor}"
    assert report.clean, (report.status_name, report.failure, report.findings, report.bugcheck)
    counts = [(i.message, i.isr_calls, i.isr_claimed, i.dpc_calls) for i in report.interrupts]
    assert counts == [(message, 1, 1, 1) for message in range(MESSAGES)]
    structures = ["81 structures, WDF_INTERRUPT_CONFIG 104"] if minor > 33 else []
    newer = f"newer than the framework: {int(minor > 33)}"
    assert sorted(printed(system)) == [*structures, *(f"message {m}" for m in range(MESSAGES)), newer]


def test_a_newer_table_is_cut_to_the_functions_that_the_framework_has(image: Image, tmp_path: Path) -> None:
    content = image(35, 15).read_bytes()
    longer = tmp_path / "newer.sys"
    bind_info = struct.pack("<IIII", 1, 35, 0, 458)
    assert content.count(bind_info) == 1
    longer.write_bytes(content.replace(bind_info, struct.pack("<IIII", 1, 35, 0, 470)))
    version, system = interrupted(longer)
    assert (version, system.report().clean) == ("1.35", True)


def test_a_driver_that_needs_more_than_the_framework_has_does_not_load(image: Image, tmp_path: Path) -> None:
    content = bytearray(image(35, 15).read_bytes())
    at = content.index(struct.pack("<IIII", 1, 35, 0, 458)) + 0x20  # WDF_BIND_INFO2.MinimumVersionRequired
    pe = pefile.PE(data=bytes(content), fast_load=True)
    minimum = pe.get_offset_from_rva(int.from_bytes(content[at : at + 8], "little") - pe.OPTIONAL_HEADER.ImageBase)
    content[minimum : minimum + 4] = struct.pack("<I", 34)
    path = tmp_path / "newer.sys"
    path.write_bytes(content)
    system = System(1)
    system.plug(MultiQueue())
    system.load(path, inf=INF)
    system.start()
    report = system.report()
    assert report.status_name == "STATUS_FAILED_DRIVER_ENTRY"
    assert "STATUS_OBJECT_TYPE_MISMATCH" in report.failure


@pytest.mark.parametrize(
    ("major", "minor", "functions"), [(1, 34, 458), (1, 37, 458), (1, 37, 470), (2, 1, 458), (0xFFFF_FFFF, 0xFFFF_FFFF, 0)]
)
def test_a_newer_driver_that_names_no_minimum_version_does_not_bind(
    image: Image, tmp_path: Path, major: int, minor: int, functions: int
) -> None:
    content = image(33, None).read_bytes()
    bind_info = struct.pack("<IIII", 1, 33, 0, 458)
    assert content.count(bind_info) == 1
    path = tmp_path / "newer.sys"
    path.write_bytes(content.replace(bind_info, struct.pack("<IIII", major, minor, 0, functions)))
    system = System(1, trace=True)
    driver = system.load(path, inf=INF)
    assert system.trace is not None
    told = [event["what"] for event in system.trace.events("note")]
    sentence = (
        f"newer.sys needs KMDF {major}.{minor}, and dirql's framework is 1.33; build it with KMDF_VERSION_MINOR=33, "
        "or with KMDF_MINIMUM_VERSION_REQUIRED=33 or less"
    )
    assert driver.entry_status == ntstatus.STATUS_OBJECT_TYPE_MISMATCH
    assert told == [f"WdfVersionBind returns STATUS_OBJECT_TYPE_MISMATCH (0xc0000024): {sentence}"]

"""WDM function drivers that connect their interrupts themselves (facts §3.6, §4), compiled here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirql.build.driver import build_driver
from dirql.device.models import MultiQueue
from dirql.ntstatus import STATUS_INVALID_DEVICE_REQUEST
from dirql.pnp.grant import GrantChoice
from dirql.system import System
from dirql.trace import Kind

SOURCE = Path(__file__).with_name("wdm_interrupt")
INF = Path(__file__).parents[3] / "examples" / "mqueue" / "mqueue.inf"
VERSIONS = {"fully": "CONNECT_FULLY_SPECIFIED", "line": "CONNECT_LINE_BASED", "message": "CONNECT_MESSAGE_BASED"}

BARE = """
#include <ntddk.h>

static NTSTATUS NTAPI AddDevice(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT Pdo)
{
    PDEVICE_OBJECT device;
    NTSTATUS status = IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);

    if (NT_SUCCESS(status)) {
        IoAttachDeviceToDeviceStack(device, Pdo);
    }
    return status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverExtension->AddDevice = AddDevice;
    return STATUS_SUCCESS;
}
"""


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same driver by each version of IoConnectInterruptEx."""
    out = tmp_path_factory.mktemp("wdm")
    return {
        name: build_driver(SOURCE, out / name, defines=[f"VERSION={version}"]).image for name, version in VERSIONS.items()
    }


def started(image: Path, grant: GrantChoice | None = None) -> tuple[System, Any, int]:
    system = System(2, trace=True, memory=16 << 20)
    card = system.plug(MultiQueue())
    system.load(image, inf=INF)
    return system, card, system.start(grant)


def printed(system: System) -> list[str]:
    assert system.trace is not None
    return [event["what"] for event in system.trace.events(Kind.NOTE) if event["who"] == "DbgPrint"]


@pytest.mark.parametrize(
    ("name", "grant", "line"),
    [
        ("message", GrantChoice.all(), "connected by version 3, 9 messages"),
        ("message", GrantChoice.one(), "connected by version 3, 1 messages"),
        ("message", GrantChoice.line(), "connected by version 2, 0 messages"),
        ("line", GrantChoice.line(), "connected by version 2, 0 messages"),
        ("line", GrantChoice.one(), "connected by version 2, 0 messages"),
        ("fully", GrantChoice.all(), "connected by version 1, 0 messages"),
        ("fully", GrantChoice.line(), "connected by version 1, 0 messages"),
    ],
)
def test_a_driver_connects_what_it_was_granted(images: dict[str, Path], name: str, grant: GrantChoice, line: str) -> None:
    system, _, status = started(images[name], grant)
    assert (status, system.stopped) == (0, None)
    assert printed(system) == [line]


def test_several_messages_cannot_be_connected_as_a_line(images: dict[str, Path]) -> None:
    system, card, status = started(images["line"], GrantChoice.all())
    assert status == 0xC000_0010
    assert system.node(card).stack is None
    assert system.stopped is None


def test_a_message_reaches_the_service_routine_with_its_number_and_its_dpc_follows(images: dict[str, Path]) -> None:
    system, card, _ = started(images["message"])
    card.msix.fire(1)
    card.msix.fire(4)
    system.run()
    assert system.stopped is None
    assert printed(system)[-1] == "served 2, message 1: 1, line: 0"
    assert [fate.delivered for fate in card.fates[:5]] == [0, 1, 0, 0, 1]


def test_every_entry_raises_the_only_message(images: dict[str, Path]) -> None:
    system, card, _ = started(images["message"], GrantChoice.one())
    for entry in (0, 7):
        card.msix.fire(entry)
        system.run()
    assert printed(system)[-1] == "served 2, message 1: 0, line: 0"


def test_a_rebalance_stops_and_starts_the_driver_with_what_it_has_now(images: dict[str, Path]) -> None:
    system, card, _ = started(images["message"])
    assert system.rebalance(card, GrantChoice.one()) == 0
    assert printed(system) == ["connected by version 3, 9 messages", "connected by version 3, 1 messages"]


def test_a_removed_driver_detaches_and_takes_nothing_any_more(images: dict[str, Path]) -> None:
    system, card, _ = started(images["message"])
    assert system.remove(card) == 0
    system.shut_down()
    assert (system.stopped, [finding.rule for finding in system.findings]) == (None, [])


def test_a_driver_whose_card_is_pulled_out_is_told_and_removed(images: dict[str, Path]) -> None:
    system, card, _ = started(images["message"])
    system.surprise_remove(card)
    assert system.stopped is None
    assert system.node(card).stack is None


def test_the_report_counts_messages_of_a_driver_without_a_framework(images: dict[str, Path]) -> None:
    system, card, _ = started(images["message"])
    card.msix.fire(1)
    system.run()
    assert "MSI-X" in str(system.report())


def test_a_major_function_without_a_routine_fails_its_irps(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "bare.c").write_text(BARE, "utf-8")
    system, _, status = started(build_driver(tmp_path / "bare").image)
    assert (status, system.stopped) == (STATUS_INVALID_DEVICE_REQUEST, None)

"""What DriverEntry makes without a parent is the driver's, and lives as long as it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.build.driver import build_driver
from dirql.device.models import MultiQueue
from dirql.system import System

SOURCE = """
#include <ntddk.h>
#include <wdf.h>

static WDFSPINLOCK Lock;
static WDFCOLLECTION Collection;

static NTSTATUS NTAPI Add(WDFDRIVER Driver, PWDFDEVICE_INIT Init)
{
    WDFDEVICE device;
    NTSTATUS status = WdfDeviceCreate(&Init, WDF_NO_OBJECT_ATTRIBUTES, &device);

    UNREFERENCED_PARAMETER(Driver);
    WdfSpinLockAcquire(Lock);
    WdfSpinLockRelease(Lock);
    return NT_SUCCESS(status) ? WdfCollectionAdd(Collection, device) : status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;
    NTSTATUS status;

    WDF_DRIVER_CONFIG_INIT(&config, Add);
    status = WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
    if (NT_SUCCESS(status)) {
        status = WdfSpinLockCreate(WDF_NO_OBJECT_ATTRIBUTES, &Lock);
    }
    if (NT_SUCCESS(status)) {
        status = WdfCollectionCreate(WDF_NO_OBJECT_ATTRIBUTES, &Collection);
    }
    return status;
}
"""


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, compiled."""
    folder = tmp_path_factory.mktemp("objects") / "objects"
    folder.mkdir()
    (folder / "objects.c").write_text(SOURCE, "utf-8")
    return build_driver(folder).image


def test_a_lock_and_a_collection_of_driver_entry_serve_until_unload(image: Path) -> None:
    system = System(1)
    system.plug(MultiQueue())
    system.load(image)
    assert (system.start(), system.stopped) == (0, None)
    system.shut_down()
    assert (system.stopped, [finding.rule for finding in system.findings]) == (None, [])

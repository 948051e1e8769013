"""What the verifiers' switches change for a driver image: critical regions of callbacks, special pool's side, a refused bind."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.hosts.sys.pool import Pool
from dirql.kernel.stop import BugCheck
from dirql.scenario import Scenario
from dirql.system import System
from dirql.wdf.framework import Verifier

INF = Path(__file__).parents[3] / "examples/multiqueue/mqueue.inf"
DRIVER = """
#include <ntddk.h>
#include <wdf.h>

static EVT_WDF_DEVICE_D0_ENTRY D0Entry;
static NTSTATUS NTAPI D0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(PreviousState);
    KeEnterCriticalRegion();
    return STATUS_SUCCESS;
}

static EVT_WDF_DRIVER_DEVICE_ADD DeviceAdd;
static NTSTATUS NTAPI DeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    KeEnterCriticalRegion();
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = D0Entry;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    KeLeaveCriticalRegion();
    return WdfDeviceCreate(&DeviceInit, WDF_NO_OBJECT_ATTRIBUTES, &device);
}

DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, DeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
"""


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("switches") / "stays"
    directory.mkdir()
    (directory / "stays.c").write_text(DRIVER, "utf-8")
    return build_driver(directory).image


def started(image: Path, verifier: Verifier) -> System:
    system = System(1, verifier=verifier)
    system.plug(MultiQueue())
    system.load(image, inf=INF)
    system.start()
    return system


def test_a_callback_that_stays_in_a_critical_region_is_wdf_violation_f(image: Path) -> None:
    stop = started(image, Verifier(kmdf=True)).stopped
    assert isinstance(stop, BugCheck)
    assert (stop.code, stop.parameters[0]) == (0x10D, 0xF)
    assert "EvtDeviceD0Entry" in stop.why


def test_without_the_kmdf_verifier_it_is_no_bugcheck(image: Path) -> None:
    assert started(image, Verifier()).stopped is None


@pytest.mark.parametrize("underrun", [False, True])
def test_special_pool_catches_the_side_that_is_chosen(image: Path, underrun: bool) -> None:
    system = started(image, Verifier(driver=True, underrun=underrun))
    pool = system.guest.part(Pool)
    block = system.call(pool.allocate, 32, 1)
    assert (block % 4096, pool.underrun) == (0 if underrun else 4096 - 32, underrun)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('driver = true\nspecial_pool = "both"', "there is no such choice; write one of overrun, underrun"),
        ('special_pool = "underrun"', "Driver Verifier is off; add driver = true"),
    ],
)
def test_special_pool_is_one_of_two_and_driver_verifiers(tmp_path: Path, table: str, problem: str) -> None:
    scenario = tmp_path / "a.toml"
    scenario.write_text(f'[device]\nmodel = "mqueue"\n[driver]\nimage = "a.sys"\n[verifier]\n{table}\n')
    with pytest.raises(Exception, match=problem):
        Scenario.load(scenario)


def test_a_driver_that_is_too_new_is_told_why_in_the_report(image: Path, tmp_path: Path) -> None:
    path = tmp_path / "newer.sys"
    path.write_bytes(image.read_bytes().replace(struct.pack("<IIII", 1, 33, 0, 458), struct.pack("<IIII", 1, 37, 0, 458)))
    failure = started(path, Verifier()).report().failure
    assert failure.startswith("DriverEntry of newer.sys returned STATUS_OBJECT_TYPE_MISMATCH: newer.sys needs KMDF 1.37, and")

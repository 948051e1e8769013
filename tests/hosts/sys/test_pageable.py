"""Code and data of a PAGE section at DISPATCH_LEVEL: a finding in a plain run, bugcheck 0xD1 with Driver Verifier."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.kernel.stop import BugCheck
from dirql.system import System
from dirql.wdf.framework import Verifier

INF = Path(__file__).parents[3] / "examples/multiqueue/mqueue.inf"
DRIVER = """
#include <ntddk.h>
#include <wdf.h>

#pragma data_seg("PAGEDATA")
static volatile LONG Count = 7;
#pragma data_seg("PAGETEXT")
static CHAR Text[16] = "words";
#pragma data_seg()
static KSPIN_LOCK Lock;
static volatile SIZE_T Same;

static VOID NTAPI Locked(VOID);
static VOID NTAPI LockedToo(VOID);
static EVT_WDF_DRIVER_DEVICE_ADD DeviceAdd;
#pragma alloc_text(PAGE, Locked)
#pragma alloc_text(PAGE, LockedToo)
#pragma alloc_text(PAGE, DeviceAdd)

static __declspec(noinline) VOID NTAPI Locked(VOID)
{
    KIRQL irql;

    KeAcquireSpinLock(&Lock, &irql);
    KeReleaseSpinLock(&Lock, irql);
}

static __declspec(noinline) VOID NTAPI LockedToo(VOID)
{
    KIRQL irql;

    KeAcquireSpinLock(&Lock, &irql);
    KeReleaseSpinLock(&Lock, irql);
}

static __declspec(noinline) VOID NTAPI Resident(VOID)
{
    KIRQL irql;

    KeAcquireSpinLock(&Lock, &irql);
    Count = 8;
    KeReleaseSpinLock(&Lock, irql);
    KeAcquireSpinLock(&Lock, &irql);
    Same = RtlCompareMemory(Text, Text + 8, 4);
    KeReleaseSpinLock(&Lock, irql);
    Count = 9;
    Text[0] = 'W';
}

static EVT_WDF_DEVICE_D0_ENTRY D0Entry;
static NTSTATUS NTAPI D0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(PreviousState);
#ifdef LOCKS
    MmLockPagableCodeSection(Locked);
#endif
    Locked();
    LockedToo();
    Resident();
    return Count == 9 && Text[0] == 'W' ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static NTSTATUS NTAPI DeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = D0Entry;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    return WdfDeviceCreate(&DeviceInit, WDF_NO_OBJECT_ATTRIBUTES, &device);
}

DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    KeInitializeSpinLock(&Lock);
    WDF_DRIVER_CONFIG_INIT(&config, DeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
"""
CODE = "paged.sys!{} is code of the pageable section PAGE and runs at DISPATCH_LEVEL; "
CODE += "take it out of that section (#pragma alloc_text), or call it lower"
DATA = "paged.sys!Resident {} {}+0x0 at DISPATCH_LEVEL, and data of {} are pageable; "
DATA += "take them out of that section (#pragma data_seg), or touch them lower"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pageable") / "paged"
    directory.mkdir()
    (directory / "paged.c").write_text(DRIVER, "utf-8")
    return directory


def run(image: Path, *, driver: bool = False) -> System:
    system = System(1, verifier=Verifier(driver=driver))
    system.plug(MultiQueue())
    system.load(image, inf=INF)
    system.start()
    return system


@pytest.fixture(scope="session")
def image(folder: Path) -> Path:
    return build_driver(folder).image


@pytest.fixture(scope="session")
def plain(image: Path) -> System:
    return run(image)


@pytest.mark.parametrize(
    ("number", "sentence", "where"),
    [
        (0, CODE.format("Locked"), r"paged\.sys!Locked\+0x[0-9a-f]+ \(paged\.c:25\)"),
        (1, CODE.format("LockedToo"), r"paged\.sys!LockedToo\+0x[0-9a-f]+ \(paged\.c:33\)"),
        (2, DATA.format("writes", "PAGEDATA", "PAGEDATA"), r"paged\.sys!Resident\+0x[0-9a-f]+ \(paged\.c:41\)"),
        (3, DATA.format("reads", "PAGETEXT", "PAGETEXT"), r"paged\.sys!Resident\+0x[0-9a-f]+ \(paged\.c:44\)"),
    ],
)
def test_each_function_and_each_place_in_data_is_told_with_the_irql(
    plain: System, number: int, sentence: str, where: str
) -> None:
    finding = plain.report().findings[number]
    assert (finding.rule, finding.level, finding.sentence) == ("paged-code-irql", "error", sentence)
    assert re.fullmatch(f"cpu0, .*, {where}", finding.where)


def test_the_driver_goes_on_after_a_finding_and_nothing_else_is_told(plain: System) -> None:
    assert plain.stopped is None and plain.report().failure == ""
    assert len(plain.report().findings) == 4


def test_with_driver_verifier_the_first_of_them_is_bugcheck_0xd1(image: Path) -> None:
    system = run(image, driver=True)
    assert isinstance(system.stopped, BugCheck) and not system.report().findings
    code, (address, irql, executed, rip) = system.stopped.code, system.stopped.parameters
    assert (code, irql, executed, address) == (0xD1, 2, 8, rip)
    assert "which is pageable, and the IRQL is DISPATCH_LEVEL" in system.stopped.why


@pytest.fixture(scope="session")
def locking(folder: Path) -> Path:
    return build_driver(folder, defines=["LOCKS"]).image


def test_of_a_driver_that_locks_sections_itself_none_is_told(locking: Path) -> None:
    system = run(locking)
    assert system.stopped is None and not system.report().findings

"""Images to check: drivers from the compiler, built once, and code by hand in an image that binds to the framework."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from struct import pack
from types import ModuleType

import pytest

from dirql.build import build_driver
from dirql.check import Checked, check_image
from dirql.hosts.sys.image import Image

FAST = """
#include <ntddk.h>
#include <wdf.h>

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
void Quick(WDFDEVICE Device, ULONG Choice);
void Slow(WDFDEVICE Device, ULONG Choice);
typedef void (NTAPI *LOOKED_UP)(void);
LOOKED_UP First, Second;
UNICODE_STRING Static = RTL_CONSTANT_STRING(L"KeStallExecutionProcessor");

#pragma alloc_text(PAGE, EvtDriverDeviceAdd)

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDFDEVICE device;
    UNICODE_STRING name;
    NTSTATUS status;
    UNREFERENCED_PARAMETER(Driver);
    status = WdfDeviceCreate(&DeviceInit, WDF_NO_OBJECT_ATTRIBUTES, &device);
    if (NT_SUCCESS(status)) {
        RtlInitUnicodeString(&name, L"KeNameOfTheFuture");
        First = (LOOKED_UP)(ULONG_PTR)MmGetSystemRoutineAddress(&name);
        Second = (LOOKED_UP)(ULONG_PTR)MmGetSystemRoutineAddress(&Static);
        Quick(device, (ULONG)status);
        Slow(device, (ULONG)status);
    }
    return status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, EvtDriverDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* The table in a register over a jump table. */
void Quick(WDFDEVICE Device, ULONG Choice)
{
    WDFFUNC *table = &WdfFunctions[0];
    switch (Choice) {
    case 0: ((void (NTAPI *)(PVOID, PVOID))table[143])(WdfDriverGlobals, Device); break;
    case 1: ((void (NTAPI *)(PVOID, PVOID, ULONG))table[144])(WdfDriverGlobals, Device, 3); break;
    case 2: ((void (NTAPI *)(PVOID, PVOID, ULONG))table[145])(WdfDriverGlobals, Device, 9); break;
    case 3: DbgPrint("three"); break;
    case 4: ((void (NTAPI *)(PVOID, PVOID))table[146])(WdfDriverGlobals, NULL); break;
    case 5: ((void (NTAPI *)(PVOID, PVOID))table[147])(WdfDriverGlobals, NULL); DbgPrint("five"); break;
    case 7: ((void (NTAPI *)(PVOID, PVOID, ULONG, ULONG))table[142])(WdfDriverGlobals, NULL, 4, 3); break;
    default: DbgPrint("default"); break;
    }
}
"""
SLOW = """
#pragma clang optimize off
#include <ntddk.h>
#include <wdf.h>

void Slow(WDFDEVICE Device, ULONG Choice);

/* The table in a local variable, in the stack's memory, over a jump table. */
void Slow(WDFDEVICE Device, ULONG Choice)
{
    WDFFUNC *table = &WdfFunctions[0];
    switch (Choice) {
    case 0: WdfObjectDelete(Device); break;
    case 1: (void)WdfDeviceGetDriver(Device); break;
    case 2: ((void (NTAPI *)(PVOID, PVOID))table[141])(WdfDriverGlobals, Device); break;
    case 3: WdfInterruptReportActive((WDFINTERRUPT)Device); break;
    case 4: DbgPrint("four"); break;
    case 5: ((void (NTAPI *)(PVOID, PVOID))table[304])(WdfDriverGlobals, Device); break;
    default: break;
    }
}
"""
UNKNOWN = """
#include <ntddk.h>
#include <wdf.h>
void Unknown(ULONG Index);
void Unknown(ULONG Index)
{
    PsWrapApcWow64Thread(NULL, NULL);
    ((void (NTAPI *)(PVOID))WdfFunctions[Index])(WdfDriverGlobals);
}
"""
# What fast.c and slow.c call; the entry point reads slot 201.
CALLED = {
    "WdfDeviceCreate", "WdfDeviceGetDriver", "WdfDriverCreate", "WdfObjectDelete", "WdfDriverMiniportUnload",
    "WdfInterruptCreate",
    "WdfInterruptQueueDpcForIsr", "WdfInterruptSynchronize", "WdfInterruptAcquireLock", "WdfInterruptReleaseLock",
    "WdfInterruptEnable", "WdfInterruptDisable", "WdfInterruptReportActive", "WdfCmResourceListGetCount",
}  # fmt: skip
STRING, TABLE, STATIC = 0x3030, 0x3050, 0x3F00  # RVAs in `Hand.data`
Piece = bytes | tuple[bytes, int]


def _load(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"check_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def pe() -> ModuleType:
    """The module that builds images."""
    return _load(Path(__file__).parents[1] / "hosts" / "sys" / "image_builder.py")


@pytest.fixture(scope="session")
def documents() -> ModuleType:
    """The module that compares docs/json.md with what is printed."""
    return _load(Path(__file__).parents[1] / "cli" / "test_json.py")


@pytest.fixture(scope="session")
def called() -> set[str]:
    """The framework functions that the compiled drivers call."""
    return CALLED


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`compiled("KMDF_VERSION_MINOR=11")`: the image of fast.c and slow.c; with `unknown` the third file too."""
    made: dict[tuple[str, ...], Path] = {}

    def build(*defines: str, unknown: bool = False) -> Path:
        key = (*defines, str(unknown))
        if key not in made:
            folder = tmp_path_factory.mktemp("check") / "card"
            folder.mkdir()
            sources = {"fast": FAST, "slow": SLOW} | ({"unknown": UNKNOWN} if unknown else {})
            for name, source in sources.items():
                (folder / f"{name}.c").write_text(source)
            made[key] = build_driver(folder, defines=defines).image
        return made[key]

    return build


@pytest.fixture(scope="session")
def by_hand(pe: ModuleType) -> Callable[..., Checked]:
    """`by_hand(pieces…, minor=33, count=458)`: a check of an image with this code at RVA 0x1000 and WDF_BIND_INFO at 0x3000.

    A piece is bytes, or bytes that end before a displacement and the RVA that it leads to.
    """

    def check(*pieces: Piece, minor: int = 33, count: int = 458, more: bytes = b"",
              dlls: dict[str, list[str | int]] | None = None, bind: bool = True) -> Checked:  # fmt: skip
        code = bytearray()
        for piece in pieces:
            if isinstance(piece, bytes):
                code += piece
            else:
                code += piece[0]
                code += pack("<i", piece[1] - (0x1000 + len(code) + 4))
        info = pack("<I4xQIIIIQQ", 0x30, pe.BASE + STRING, 1, minor, 0, count, pe.BASE + TABLE, 0) if bind else bytes(0x30)
        data = (info + "KmdfLibrary\0".encode("utf-16-le")).ljust(STATIC - 0x3000, b"\0") + more
        table = pe.imports(0x2000, dlls or {"WDFLDR.SYS": ["WdfVersionBind"]})
        sections = [(".text", bytes(code), pe.R | pe.X), (".rdata", table, pe.R), (".data", data, pe.R | pe.W)]
        return check_image(Image.from_bytes(pe.build(sections, {pe.IMPORT: (0x2000, len(table))}), "nic.sys"))

    return check

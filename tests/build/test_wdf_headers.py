"""dirql's wdf.h against the fact tables, which come from elsewhere."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import pytest

from dirql.build.toolchain import Result, Toolchain
from dirql.build.wdf_headers import callbacks_header, function_count, functions_header, prototypes
from dirql.facts import routines

# the project's collected facts, §2.1 and §6.2
OFFSETS = [
    ("WDF_INTERRUPT_CONFIG", "SpinLock", 0x08), ("WDF_INTERRUPT_CONFIG", "ShareVector", 0x10),
    ("WDF_INTERRUPT_CONFIG", "FloatingSave", 0x14), ("WDF_INTERRUPT_CONFIG", "AutomaticSerialization", 0x15),
    ("WDF_INTERRUPT_CONFIG", "EvtInterruptIsr", 0x18), ("WDF_INTERRUPT_CONFIG", "EvtInterruptDpc", 0x20),
    ("WDF_INTERRUPT_CONFIG", "EvtInterruptEnable", 0x28), ("WDF_INTERRUPT_CONFIG", "EvtInterruptDisable", 0x30),
    ("WDF_INTERRUPT_CONFIG", "EvtInterruptWorkItem", 0x38), ("WDF_INTERRUPT_CONFIG", "InterruptRaw", 0x40),
    ("WDF_INTERRUPT_CONFIG", "InterruptTranslated", 0x48), ("WDF_INTERRUPT_CONFIG", "WaitLock", 0x50),
    ("WDF_INTERRUPT_CONFIG", "PassiveHandling", 0x58), ("WDF_INTERRUPT_CONFIG", "ReportInactiveOnPowerDown", 0x5C),
    ("WDF_INTERRUPT_CONFIG", "CanWakeDevice", 0x60),
    ("WDF_INTERRUPT_INFO", "TargetProcessorSet", 0x10), ("WDF_INTERRUPT_INFO", "MessageNumber", 0x1C),
    ("WDF_INTERRUPT_INFO", "Vector", 0x20), ("WDF_INTERRUPT_INFO", "Irql", 0x24), ("WDF_INTERRUPT_INFO", "Mode", 0x28),
    ("WDF_INTERRUPT_INFO", "Polarity", 0x2C), ("WDF_INTERRUPT_INFO", "MessageSignaled", 0x30),
    ("WDF_INTERRUPT_INFO", "ShareDisposition", 0x31), ("WDF_INTERRUPT_INFO", "Group", 0x38),
    ("WDF_INTERRUPT_EXTENDED_POLICY", "TargetProcessorSetAndGroup", 0x10),
    ("WDF_BIND_INFO", "Component", 0x08), ("WDF_BIND_INFO", "Version", 0x10), ("WDF_BIND_INFO", "FuncCount", 0x1C),
    ("WDF_BIND_INFO", "FuncTable", 0x20), ("WDF_BIND_INFO", "Module", 0x28),
    ("WDF_BIND_INFO2", "MinimumVersionRequired", 0x30), ("WDF_BIND_INFO2", "StructTable", 0x50),
    ("WDF_DRIVER_GLOBALS", "DriverFlags", 0x08), ("WDF_DRIVER_GLOBALS", "DriverName", 0x10),
    ("WDF_DRIVER_GLOBALS", "DisplaceDriverUnload", 0x30),
    ("WDF_OBJECT_ATTRIBUTES", "ExecutionLevel", 0x18), ("WDF_OBJECT_ATTRIBUTES", "ParentObject", 0x20),
    ("WDF_OBJECT_ATTRIBUTES", "ContextSizeOverride", 0x28), ("WDF_OBJECT_ATTRIBUTES", "ContextTypeInfo", 0x30),
    ("WDF_OBJECT_CONTEXT_TYPE_INFO", "UniqueType", 0x18),
    ("WDF_OBJECT_CONTEXT_TYPE_INFO", "EvtDriverGetUniqueContextType", 0x20),
    ("WDF_CLASS_BIND_INFO", "FunctionTable", 0x20), ("WDF_CLASS_BIND_INFO", "ClientBindClass", 0x38),
    ("WDF_DRIVER_CONFIG", "DriverInitFlags", 0x18), ("WDF_PNPPOWER_EVENT_CALLBACKS", "EvtDeviceUsageNotificationEx", 0x88),
    ("WDF_PNPPOWER_EVENT_CALLBACKS", "EvtDeviceRelationsQuery", 0x80),
    ("WDF_REQUEST_PARAMETERS", "MinorFunction", 2), ("WDF_REQUEST_PARAMETERS", "Type", 4),
    ("WDF_REQUEST_PARAMETERS", "Parameters.Read.DeviceOffset", 0x18),
    ("WDF_REQUEST_PARAMETERS", "Parameters.DeviceIoControl.IoControlCode", 0x18),
    ("WDF_REQUEST_PARAMETERS", "Parameters.DeviceIoControl.Type3InputBuffer", 0x20),
]  # fmt: skip

NOT_HERE = {"WDF_WMI_INSTANCE_CONFIG", "WDF_WMI_PROVIDER_CONFIG"}  # no WMI in dirql's header


def compiled(directory: Path, text: str, *defines: str, suffix: str = "c") -> Result:
    """What the compiler says of `text`, warnings being errors."""
    generated = directory / "include"
    generated.mkdir()
    (generated / "wdf_callbacks.h").write_text(callbacks_header(), "utf-8")
    (generated / "wdf_functions.h").write_text(functions_header(), "utf-8")
    (directory / f"text.{suffix}").write_text(f"#include <ntddk.h>\n#include <wdf.h>\n{text}", "utf-8")
    told = [f"KMDF_VERSION_MINOR={defines[0]}"] if defines else []
    return Toolchain().compile(f"text.{suffix}", directory / "text.obj", directory, generated, told)


@pytest.mark.parametrize(
    ("minor", "count"),
    [(0, 383), (1, 386), (5, 387), (7, 387), (9, 396), (11, 432), (13, 438), (15, 444), (17, 444), (19, 446), (21, 448),
     (23, 451), (25, 453), (27, 453), (29, 454), (31, 458), (33, 458)],
)  # fmt: skip
def test_a_version_has_as_many_functions_as_the_framework_accepts(minor: int, count: int) -> None:
    assert function_count(minor) == count


def test_every_prototype_is_of_a_routine_in_the_table() -> None:
    indexes = {row.name for row in routines().values() if row.index is not None}

    assert {one.name for one in prototypes("routines")} <= indexes


def test_the_generated_header_is_the_same_each_time() -> None:
    assert functions_header() == functions_header()


def test_sizes_are_those_of_the_fact_table(tmp_path: Path) -> None:
    lines = files("dirql.facts").joinpath("structs.csv").read_text("utf-8").splitlines()
    rows = [row for row in csv.DictReader(line for line in lines if not line.startswith("#")) if row["name"].startswith("WDF")]
    known = functions_header() + files("dirql.build").joinpath("include/wdf_structs.h").read_text("utf-8")
    here = [row for row in rows if row["name"] in known]
    missing = {row["name"] for row in rows} - {row["name"] for row in here}

    asserted = "\n".join(f"C_ASSERT(sizeof({row['name']}) == {row['size']});" for row in here)

    assert len(here) > 40
    assert missing == NOT_HERE
    assert compiled(tmp_path, asserted) == Result(True, "")


def test_fields_are_where_the_facts_have_them(tmp_path: Path) -> None:
    asserted = "\n".join(f"C_ASSERT(FIELD_OFFSET({struct}, {field}) == {offset});" for struct, field, offset in OFFSETS)

    assert compiled(tmp_path, asserted) == Result(True, "")


@pytest.mark.parametrize("minor", ["9", "11", "13", "15", "31"])
def test_the_header_of_an_older_version_compiles(tmp_path: Path, minor: str) -> None:
    count = function_count(int(minor))

    assert compiled(tmp_path, f"C_ASSERT(WdfFunctionTableNumEntries == {count});", minor) == Result(True, "")


def test_the_header_compiles_as_cxx(tmp_path: Path) -> None:
    text = "struct C { int a; };\nWDF_DECLARE_CONTEXT_TYPE_WITH_NAME(C, GetC)\nint f(WDFDEVICE d) { return GetC(d)->a; }\n"

    assert compiled(tmp_path, text, suffix="cpp") == Result(True, "")


def test_a_routine_of_a_newer_version_is_not_declared(tmp_path: Path) -> None:
    text = "void f(WDFDEVICE d) { WdfDeviceInitAllowSelfIoTarget(0); (void)d; }\n"

    result = compiled(tmp_path, text, "13")

    assert not result.ok
    assert "call to undeclared function 'WdfDeviceInitAllowSelfIoTarget'" in result.text

"""The stub in front of DriverEntry, run on an emulated processor; the test plays the framework's loader (facts §6.1)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pefile
import pytest
import unicorn
from unicorn import x86_const as x86

from dirql.build import Built, build_driver

BASE = 0x140000000
STUBS, TABLE, STACK, DATA = 0x10000, 0x200000, 0x300000, 0x400000
DRIVER_OBJECT, REGISTRY_PATH, GLOBALS = DATA, DATA + 0x1000, DATA + 0x2000
COOKIE = 0x0000_1234_5678_9ABC
UNLOAD = 0x68  # in a DRIVER_OBJECT
ARGUMENTS = (x86.UC_X86_REG_RCX, x86.UC_X86_REG_RDX, x86.UC_X86_REG_R8, x86.UC_X86_REG_R9)
PATH = "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\card"
KMDF = """
#include <ntddk.h>
#include <wdf.h>
DRIVER_INITIALIZE DriverEntry;
#ifdef UNIQUE
typedef struct C { int a; } C;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(C, GetC)
static PCWDF_OBJECT_CONTEXT_TYPE_INFO NTAPI Unique(void) { return &_WDF_C_TYPE_INFO; }
#pragma section(".kmdftypeinit$b", read, write)
__declspec(allocate(".kmdftypeinit$b")) WDF_OBJECT_CONTEXT_TYPE_INFO Initialised = {
    sizeof(Initialised), (PCHAR)"C", sizeof(C), NULL, Unique};
#endif
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, NULL);
#ifdef UNIQUE
    if (Initialised.UniqueType != &_WDF_C_TYPE_INFO) {
        return STATUS_DATA_ERROR;
    }
#endif
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
"""


@dataclass
class Machine:
    """A driver's image in memory; whatever it calls outside of itself is one of `names` and noted in `calls`."""

    built: Built
    results: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    bound: dict[str, int] = field(default_factory=dict)
    interrupts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        image = pefile.PE(str(self.built.image))
        self.uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        for address, size in ((STUBS, 0x10000), (TABLE, 0x10000), (STACK, 0x10000), (DATA, 0x10000), (BASE, 0x100000)):
            self.uc.mem_map(address, size)
        self.uc.mem_write(BASE, image.get_memory_mapped_image())
        self.entry = BASE + image.OPTIONAL_HEADER.AddressOfEntryPoint
        self.cookie = image.DIRECTORY_ENTRY_LOAD_CONFIG.struct.SecurityCookie
        self.names: dict[int, str] = {}
        for library in image.DIRECTORY_ENTRY_IMPORT:
            for one in library.imports:
                self.uc.mem_write(one.address, struct.pack("<Q", self.stub(one.name.decode())))
        self.uc.mem_write(self.cookie, struct.pack("<Q", COOKIE))
        text = PATH.encode("utf-16-le")
        self.uc.mem_write(REGISTRY_PATH, struct.pack("<HHIQ", len(text), len(text), 0, REGISTRY_PATH + 0x100))
        self.uc.mem_write(REGISTRY_PATH + 0x100, text)
        for index in range(458):
            self.uc.mem_write(TABLE + 8 * index, struct.pack("<Q", self.stub(f"slot {index}")))
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupted)

    def stub(self, name: str) -> int:
        """An address whose call is noted under `name`: a `hlt`."""
        address = STUBS + 16 * len(self.names)
        self.uc.mem_write(address, b"\xf4")
        self.names[address] = name
        return address

    def call(self, address: int, *arguments: int) -> int:
        """Run until it returns, playing every stub it reaches; RAX."""
        rsp = STACK + 0xF000 - 8
        back = self.stub("return")
        self.uc.mem_write(rsp, struct.pack("<Q", back))
        self.uc.reg_write(x86.UC_X86_REG_RSP, rsp)
        for register, value in zip(ARGUMENTS, arguments, strict=False):
            self.uc.reg_write(register, value)
        while not self.interrupts:
            self.uc.emu_start(address, 0)
            if self.interrupts:
                break
            at = self.uc.reg_read(x86.UC_X86_REG_RIP) - 1
            if at == back:
                break
            self._play(self.names[at])
            rsp = self.uc.reg_read(x86.UC_X86_REG_RSP)
            address = self.quad(rsp)
            self.uc.reg_write(x86.UC_X86_REG_RSP, rsp + 8)
        return int(self.uc.reg_read(x86.UC_X86_REG_RAX)) & 0xFFFFFFFF

    def quad(self, address: int) -> int:
        return int(struct.unpack("<Q", self.uc.mem_read(address, 8))[0])

    def word(self, address: int) -> int:
        return int(struct.unpack("<I", self.uc.mem_read(address, 4))[0])

    def _interrupted(self, uc: unicorn.Uc, number: int, _: object) -> None:
        self.interrupts += [number, uc.reg_read(x86.UC_X86_REG_RCX)]
        uc.emu_stop()

    def _play(self, name: str) -> None:
        self.calls.append(name)
        arguments = [self.uc.reg_read(register) for register in ARGUMENTS]
        if name == "WdfVersionBind":
            self._bind(arguments)
        self.uc.reg_write(x86.UC_X86_REG_RAX, self.results.get(name, 0))

    def _bind(self, arguments: list[int]) -> None:
        """As WDFLDR does: the table, or its address, to where the driver wants it, and the globals."""
        info = arguments[2]
        count, table = self.word(info + 0x1C), self.quad(info + 0x20)
        names = ("size", "major", "minor", "count")
        self.bound = dict(zip(names, (self.word(info + at) for at in (0, 0x10, 0x14, 0x1C)), strict=True))
        self.bound["component"] = int.from_bytes(self.uc.mem_read(self.quad(info + 8), 24), "little")
        if count <= 438:
            self.uc.mem_write(table, bytes(self.uc.mem_read(TABLE, 8 * count)))
        else:
            self.uc.mem_write(table, struct.pack("<Q", TABLE))
        self.uc.mem_write(GLOBALS + 0x30, b"\x01")  # DisplaceDriverUnload, as WdfDriverCreate leaves it
        self.uc.mem_write(arguments[3], struct.pack("<Q", GLOBALS))


@pytest.fixture(scope="session")
def kmdf(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Machine]:
    """A machine with a small KMDF driver built by these defines."""
    directory = tmp_path_factory.mktemp("entry") / "card"
    directory.mkdir()
    (directory / "card.c").write_text(KMDF, "utf-8")
    known: dict[tuple[str, ...], Built] = {}

    def make(*defines: str) -> Machine:
        if defines not in known:
            known[defines] = build_driver(directory, Path(directory.parent, str(len(known))), defines=defines)
        return Machine(known[defines])

    return make


@pytest.mark.parametrize(
    ("defines", "bound"),
    [
        (("UNIQUE",), {"size": 0x30, "minor": 33, "count": 458}),
        (("KMDF_VERSION_MINOR=11",), {"size": 0x30, "minor": 11, "count": 432}),
        (("KMDF_VERSION_MINOR=31", "KMDF_MINIMUM_VERSION_REQUIRED=25"), {"size": 0x58, "minor": 31, "count": 458}),
    ],
)
def test_the_stub_binds_before_DriverEntry_and_unbinds_after_unload(
    kmdf: Callable[..., Machine], defines: tuple[str, ...], bound: dict[str, int]
) -> None:
    machine = kmdf(*defines)
    machine.uc.mem_write(DRIVER_OBJECT + UNLOAD, struct.pack("<Q", machine.stub("the framework's unload")))

    status = machine.call(machine.entry, DRIVER_OBJECT, REGISTRY_PATH)
    machine.call(machine.quad(DRIVER_OBJECT + UNLOAD), DRIVER_OBJECT)

    component = int.from_bytes("KmdfLibrary\0".encode("utf-16-le"), "little")
    assert status == 0
    assert machine.bound == {**bound, "major": 1, "component": component}
    assert machine.calls == [
        "RtlCopyUnicodeString", "WdfVersionBind", "slot 116", "the framework's unload", "WdfVersionUnbind",
    ]  # fmt: skip


def test_a_DriverEntry_that_fails_is_told_and_unbound(kmdf: Callable[..., Machine]) -> None:
    machine = kmdf("UNIQUE")
    machine.results["slot 116"] = 0xC000009A

    status = machine.call(machine.entry, DRIVER_OBJECT, REGISTRY_PATH)

    assert status == 0xC000009A
    assert machine.calls == ["RtlCopyUnicodeString", "WdfVersionBind", "slot 116", "DbgPrintEx", "WdfVersionUnbind"]
    assert machine.quad(DRIVER_OBJECT + UNLOAD) == 0


def test_a_framework_that_does_not_bind_ends_the_load(kmdf: Callable[..., Machine]) -> None:
    machine = kmdf("UNIQUE")
    machine.results["WdfVersionBind"] = 0xC000035E

    status = machine.call(machine.entry, DRIVER_OBJECT, REGISTRY_PATH)

    assert status == 0xC000035E
    assert machine.calls == ["RtlCopyUnicodeString", "WdfVersionBind"]


def test_a_cookie_that_nobody_set_stops_the_driver(kmdf: Callable[..., Machine]) -> None:
    machine = kmdf("UNIQUE")
    machine.uc.mem_write(machine.cookie, struct.pack("<Q", 0x00002B992DDFA232))

    machine.call(machine.entry, DRIVER_OBJECT, REGISTRY_PATH)

    assert machine.interrupts == [0x29, 6]  # FAST_FAIL_GS_COOKIE_INIT


def test_a_WDM_driver_runs_without_a_framework(wdm: Built) -> None:
    machine = Machine(wdm)

    status = machine.call(machine.entry, DRIVER_OBJECT, REGISTRY_PATH)

    assert status == 0
    assert machine.calls == ["DbgPrint"]

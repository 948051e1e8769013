"""Images that are damaged or made to harm: one line that says where and why, in bounded time and memory."""

from __future__ import annotations

import tracemalloc
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from struct import pack
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dirql.errors import InputError
from dirql.hosts.sys.image import LARGEST_IMAGE, Image, ImageError

SOURCE = """
__declspec(dllimport) unsigned long DbgPrint(const char *, ...);
const char *words[] = {"none", "one", "two"};
long DriverEntry(void *driver, void *path) { DbgPrint("%s %p", words[(long long)driver % 3], path); return 0; }
"""
AGAIN = "; build it again; the file may be damaged"
NO_DRIVER = " and no kernel-mode driver; link with /SUBSYSTEM:NATIVE /DRIVER"
NO_ENTRY = "lies in no executable section; link with /ENTRY:FxDriverEntry, as the KMDF libraries ask for"
NO_ALIGNMENT = "a power of two, 0x1000 or more, is wanted; link with /ALIGN:4096"


@pytest.fixture(scope="session")
def pe() -> ModuleType:
    """The module that builds images."""
    spec = spec_from_file_location("image_builder", Path(__file__).with_name("image_builder.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def real(pe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, ...]:
    """Files to damage: one from the compiler, and one by hand with every table in it."""
    compiled: Path = pe.compile_driver(tmp_path_factory.mktemp("driver"), "small", SOURCE, "-O1")
    tables = {
        pe.IMPORT: pe.imports(0x2000, {"ntoskrnl.exe": ["DbgPrint", 7], "HAL.dll": ["KeStall"]}),
        pe.EXPORT: pe.exports(0x3000, {"DllInitialize": 0x1000}),
        pe.RELOCATION: pe.block(0x1000, (10, 0), (3, 8), (4, 4), (-1, 5), (1, 2), (0, 0)),
        pe.RESOURCE: pe.version(0x5000, (1, 2, 3, 4), {"FileVersion": "1"}),
        pe.DEBUG: pe.code_view(0x6000, b"nic.pdb\0"),
        pe.LOAD_CONFIG: pack("<I", 112) + bytes(84) + pack("<Q", pe.BASE + 0x1008) + bytes(16),
    }
    places = {index: (0x2000 + 0x1000 * number, len(table)) for number, (index, table) in enumerate(tables.items())}
    by_hand = pe.build([pe.CODE, *((f"s{index}", table, pe.R) for index, table in tables.items())], places)
    Image.from_bytes(by_hand, "by hand")
    return compiled.read_bytes(), by_hand


def refusal(data: bytes) -> str:
    """What is said about `data`."""
    with pytest.raises(ImageError) as caught:
        Image.from_bytes(data, "nic.sys")
    assert isinstance(caught.value, InputError) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("fields", "text"), [
    ({"machine": 0x14C}, "nic.sys:0x44: is for machine 0x14c (32-bit x86); dirql runs x64 (0x8664) only; build it for x64"),
    ({"machine": 0xAA64}, "nic.sys:0x44: is for machine 0xaa64 (ARM64); dirql runs x64 (0x8664) only; build it for x64"),
    ({"machine": 0x1234}, "nic.sys:0x44: is for machine 0x1234 (unknown); dirql runs x64 (0x8664) only; build it for x64"),
    ({"magic": 0x10B}, "nic.sys:0x58: has an optional header of kind 0x10b and not 0x20b (PE32+); build it for x64"),
    ({"lfanew": 0}, "nic.sys:0x3c: e_lfanew 0x0 leads to no PE signature in a file of 0x600 bytes" + AGAIN),
    ({"lfanew": 0xFFFFFFFF}, "nic.sys:0x3c: e_lfanew 0xffffffff leads to no PE signature in a file of 0x600 bytes" + AGAIN),
    ({"section_count": 0}, "nic.sys:0x46: has 0 sections; 1 to 96 are read" + AGAIN),
    ({"section_count": 97}, "nic.sys:0x46: has 97 sections; 1 to 96 are read" + AGAIN),
    ({"section_count": 96}, "nic.sys:0x40: is cut off: its headers end at 0x1048, the file at 0x600" + AGAIN),
    ({"optional": 0xEF}, "nic.sys:0x54: SizeOfOptionalHeader is 0xef; its 16 directories want 0xf0" + AGAIN),
    ({"flags": 0x2020}, "nic.sys:0x56: Characteristics 0x2020 lack EXECUTABLE_IMAGE (0x2); link it without errors"),
    ({"flags": 0x22, "subsystem": 3},
     "nic.sys:0x9c: is a program for subsystem 3 (console)" + NO_DRIVER),
    ({"flags": 0x22, "subsystem": 12},
     "nic.sys:0x9c: is a program for subsystem 12 (EFI runtime driver)" + NO_DRIVER),
    ({"alignment": 0x20}, "nic.sys:0x78: SectionAlignment is 0x20; " + NO_ALIGNMENT),
    ({"alignment": 0x3000}, "nic.sys:0x78: SectionAlignment is 0x3000; " + NO_ALIGNMENT),
    ({"size": 0}, "nic.sys:0x90: SizeOfImage is 0x0; 1 to 0x10000000 bytes are read" + AGAIN),
    ({"size": 0x10000001}, "nic.sys:0x90: SizeOfImage is 0x10000001; 1 to 0x10000000 bytes are read" + AGAIN),
    ({"size": 0x1000}, "nic.sys:0x150: section .text ends at RVA 0x1010, beyond SizeOfImage 0x1000" + AGAIN),
    ({"base": 0x140000010}, "nic.sys:0x70: ImageBase 0x140000010 is no multiple of 0x1000" + AGAIN),
    ({"headers": 0x100},
     "nic.sys:0x94: SizeOfHeaders is 0x100; the headers end at 0x170, the file at 0x600, the image at 0x2000" + AGAIN),
    ({"headers": 0x700},
     "nic.sys:0x94: SizeOfHeaders is 0x700; the headers end at 0x170, the file at 0x600, the image at 0x2000" + AGAIN),
    ({"entry": 0}, "nic.sys:0x68: the entry point, RVA 0x0, " + NO_ENTRY),
    ({"entry": 0x1010}, "nic.sys:0x68: the entry point, RVA 0x1010, " + NO_ENTRY),
])  # fmt: skip
def test_a_header_that_cannot_be_is_refused(pe: ModuleType, fields: dict[str, int], text: str) -> None:
    assert refusal(pe.build(**fields)) == text


@pytest.mark.parametrize(("field", "value", "text"), [
    (12, 0x1800, "nic.sys:0x17c: section .data at RVA 0x1800 is not aligned to SectionAlignment 0x1000" + AGAIN),
    (12, 0x1000, "nic.sys:0x17c: section .data at RVA 0x1000 overlaps section .text, which ends at 0x2000" + AGAIN),
    (12, 0x0000, "nic.sys:0x17c: section .data at RVA 0x0 overlaps section .text, which ends at 0x2000" + AGAIN),
    (12, 0x8000, "nic.sys:0x178: section .data ends at RVA 0x8003, beyond SizeOfImage 0x3000" + AGAIN),
    (8, 0xFFFFFFFF, "nic.sys:0x178: section .data ends at RVA 0x100001fff, beyond SizeOfImage 0x3000" + AGAIN),
    (16, 0x1000, "nic.sys:0x184: section .data ends at 0x1600, beyond the file, which ends at 0x800" + AGAIN),
    (20, 0x10000, "nic.sys:0x184: section .data ends at 0x10200, beyond the file, which ends at 0x800" + AGAIN),
    (20, 0x601, "nic.sys:0x184: section .data ends at 0x801, beyond the file, which ends at 0x800" + AGAIN),
])  # fmt: skip
def test_a_section_that_cannot_be_is_refused(pe: ModuleType, field: int, value: int, text: str) -> None:
    data = bytearray(pe.build([pe.CODE, (".data", b"abc", pe.R)]))
    data[pe.TABLE + 40 + field : pe.TABLE + 44 + field] = pack("<I", value)
    assert refusal(bytes(data)) == text


def test_the_name_of_a_section_cannot_break_the_line(pe: ModuleType) -> None:
    data = bytearray(pe.build([("a\n\x1b[1m", b"x", pe.R | pe.X)]))
    data[pe.TABLE + 8 : pe.TABLE + 12] = pack("<I", 0x5000)
    assert refusal(bytes(data)) == "nic.sys:0x150: section a\\x0a\\x1b[1m ends at RVA 0x6000, beyond SizeOfImage 0x2000" + AGAIN


@pytest.mark.parametrize(("index", "table", "text"), [
    ("IMPORT", pack("<5I", 0, 0, 0, 0x9000, 0x2000),
     "RVA 0x9000: the name of an imported DLL of 0x1 bytes lies outside of the image, which ends at 0x3000; build it again"),
    ("IMPORT", pack("<5I", 0, 0, 0, 0x2014, 0x9000) + b"a.dll\0",
     "RVA 0x9000: the import name table of a.dll of 0x8 bytes lies outside of the image, which ends at 0x3000; build it again"),
    ("IMPORT", pack("<5I", 0x2FF8, 0, 0, 0x2014, 0x2FF8) + b"a.dll\0" + bytes(0xFDE) + pack("<Q", 1 << 63 | 9),
     "RVA 0x3000: the import name table of a.dll of 0x8 bytes lies outside of the image, which ends at 0x3000; build it again"),
    ("IMPORT", pack("<5I", 0x2020, 0, 0, 0x2014, 0x9000) + b"a.dll\0".ljust(12) + pack("<QQ", 1 << 63 | 9, 0),
     "RVA 0x9000: the slot of a.dll!#9 of 0x8 bytes lies outside of the image, which ends at 0x3000; build it again"),
    ("IMPORT", pack("<5I", 0x2020, 0, 0, 0x2014, 0x2100) + b"a.dll\0".ljust(12) + pack("<QQ", 1 << 40, 0),
     "RVA 0x2020: the name of an import of a.dll lies at RVA 0x10000000000, beyond 0x3000" + AGAIN),
    ("IMPORT", pack("<5I", 0x2020, 0, 0, 0x2014, 0x2100) + b"a.dll\0".ljust(12) + pack("<QQ", 1 << 63 | 1 << 20, 0),
     "RVA 0x2020: an import of a.dll is by ordinal 0x100000; the largest is 0xffff" + AGAIN),
    ("IMPORT", pack("<5I", 0, 5, 3, 0x2014, 0x2000) + b"a.dll\0",
     "RVA 0x2008: imports of a.dll were bound through a forwarder (0x3); link without binding"),
    ("IMPORT", pack("<5I", 0x2040, 0, 0, 0x2060, 0x2100) * 2 + bytes(24) + pack("<QQ", 1 << 63 | 9, 0) + bytes(16) + b"a.dll\0",
     "RVA 0x2100: the slot belongs to a.dll!#9 and to a.dll!#9" + AGAIN),
    ("IMPORT", pack("<5I", 0, 0, 0, 0x2014, 0x2000) + b"\x1b[31mred\0",
     "RVA 0x2014: the name of an imported DLL is '\\\\x1b[31mred', which is no name in printable ASCII; build it again"),
    ("IMPORT", pack("<5I", 0, 0, 0, 0x2014, 0x2000) + b"a" * 0xFEC,
     "RVA 0x2014: the name of an imported DLL has no end within 0xfec bytes; build it again"),
    ("EXPORT", pack("<IIHHIIIIIII", 0, 0, 0, 0, 0, 1, 0xFFFFFFFF, 1, 0x2000, 0x2000, 0x2000),
     "RVA 0x2000: has 4294967295 exports; 16384 are read" + AGAIN),
    ("EXPORT", pack("<IIHHIIIIIII", 0, 0, 0, 0, 0, 1, 1, 1, 0x9000, 0x2000, 0x2000),
     "RVA 0x9000: the export address table of 0x4 bytes lies outside of the image, which ends at 0x3000; build it again"),
    ("EXPORT", pack("<IIHHIIIIIIIIIH", 0, 0, 0, 0, 0, 1, 1, 1, 0x2028, 0x202C, 0x2030, 0x1000, 0x2032, 4) + b"f\0",
     "RVA 0x2030: export f has index 4; the address table has 1" + AGAIN),
    ("EXPORT", pack("<IIHHIIIIIIIIIH", 0, 0, 0, 0, 0, 1, 1, 1, 0x2028, 0x202C, 0x2030, 0x2034, 0x2032, 0) + b"f\0hal.Other\0",
     "RVA 0x2034: export f is a forwarder to hal.Other; dirql follows no forwarders; export the routine itself"),
    ("EXPORT", pack("<IIHHIIIIIIIIIH", 0, 0, 0, 0, 0, 1, 1, 1, 0x2028, 0x202C, 0x2030, 0x3000, 0x2032, 0) + b"f\0",
     "RVA 0x2028: export f lies at RVA 0x3000, beyond 0x3000" + AGAIN),
    ("RELOCATION", pack("<II", 0x1000, 0),
     "RVA 0x2004: a relocation block has 0x0 bytes; 0x8 to 0x8, even, are possible" + AGAIN),
    ("RELOCATION", pack("<IIH", 0x1000, 9, 0),
     "RVA 0x2004: a relocation block has 0x9 bytes; 0x8 to 0xa, even, are possible" + AGAIN),
    ("RELOCATION", pack("<II", 0x1000, 0xFFFFFFF0),
     "RVA 0x2004: a relocation block has 0xfffffff0 bytes; 0x8 to 0x8, even, are possible" + AGAIN),
    ("RELOCATION", pack("<IIH", 0x2000, 10, 10 << 12 | 0xFF9),
     "RVA 0x2008: relocation of RVA 0x2ff9 lies outside of the image, which ends at 0x3000" + AGAIN),
    ("RELOCATION", pack("<IIH", 0x1000, 10, 5 << 12),
     "RVA 0x2008: relocation of RVA 0x1000 is of type 5; x64 knows 0 to 4 and 10" + AGAIN),
    ("RELOCATION", pack("<IIH", 0x1000, 10, 4 << 12),
     "RVA 0x2008: relocation of RVA 0x1000 is of type 4 and lacks the word that follows it" + AGAIN),
    ("RELOCATION", bytes(0x400001), "RVA 0x2000: the relocation table has 0x400001 bytes; 0x400000 are read" + AGAIN),
    ("EXCEPTION", bytes(13), "RVA 0x2000: the exception directory has 0xd bytes, no multiple of 0xc" + AGAIN),
    ("EXCEPTION", bytes(12 * 262_145), "RVA 0x2000: has 262145 function entries; 262144 are read" + AGAIN),
    ("LOAD_CONFIG", pack("<I", 112) + bytes(84) + pack("<Q", 0x77) + bytes(16),
     "RVA 0x2058: __security_cookie is at 0x77; the image lies at 0x140000000 to 0x140003000" + AGAIN),
    ("CLR", bytes(8), "0x138: holds .NET code; dirql runs native x64 code only"),
])  # fmt: skip
def test_a_table_that_cannot_be_is_refused(pe: ModuleType, index: str, table: bytes, text: str) -> None:
    assert refusal(pe.with_table(getattr(pe, index), table)) == "nic.sys:" + text


def test_a_directory_outside_of_the_image_is_refused(pe: ModuleType) -> None:
    assert refusal(pe.build(directories={pe.IMPORT: (0x1F00, 0x101)})) == (
        "nic.sys:0xd0: directory 1 (import) ends at RVA 0x2001, beyond SizeOfImage 0x2000" + AGAIN
    )


def test_a_signature_is_a_place_in_the_file_and_not_in_the_image(pe: ModuleType) -> None:
    assert Image.from_bytes(pe.build(directories={pe.SECURITY: (0x4000, 0x1000)}), "nic.sys").notes == ()


def test_more_imports_than_any_driver_has_are_refused(pe: ModuleType) -> None:
    table = pack("<5I", 0, 0, 0, 0x2014, 0x2020) + b"a.dll\0".ljust(12) + pack("<Q", 1 << 63 | 9) * 16_385
    assert refusal(pe.with_table(pe.IMPORT, table)) == "nic.sys:RVA 0x22020: has more than 16384 imports" + AGAIN


def test_an_import_table_without_end_is_refused(pe: ModuleType) -> None:
    table = pack("<5I", 0x7FF8, 0, 0, 0x7FF0, 0x7FF8) * 1_025
    data = pe.with_table(pe.IMPORT, table.ljust(0x5FF0, b"\0") + b"a.dll\0".ljust(16, b"\0"))
    assert refusal(data) == "nic.sys:RVA 0x2000: the import table has no end within 1024 DLLs" + AGAIN


@pytest.mark.parametrize("length", [0, 1, 2, 0x3F, 0x40, 0x44, 0x57, 0x59, 0xC4, 0x16F, 0x170, 0x3FF, 0x400, 0x5FF])
def test_an_image_cut_off_anywhere_is_refused(pe: ModuleType, length: int) -> None:
    assert refusal(pe.build()[:length]).startswith("nic.sys:0x")


def test_what_is_no_image_says_what_it_begins_with() -> None:
    assert refusal(b"#!/bin/sh") == "nic.sys:0x0: begins with 2321 and not with 4d5a (MZ); name a driver's .sys"
    assert refusal(b"") == "nic.sys:0x0: begins with nothing and not with 4d5a (MZ); name a driver's .sys"


def test_the_size_that_an_image_claims_costs_nothing(pe: ModuleType) -> None:
    data = pe.build(size=LARGEST_IMAGE)
    tracemalloc.start()
    image = Image.from_bytes(data, "nic.sys")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert image.size == LARGEST_IMAGE and most < 1 << 20


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_whatever_is_done_to_an_image_it_is_read_or_refused(real: tuple[bytes, ...], draw: Any) -> None:
    data = bytearray(draw.draw(st.sampled_from(real)))
    places = st.one_of(st.integers(0, 0x1FF), st.integers(0, len(data) - 1))
    words = st.sampled_from([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x1000, 0x2000])
    values = words.map(lambda word: pack("<I", word))
    for place, value in draw.draw(st.lists(st.tuples(places, st.one_of(values, st.binary(min_size=1, max_size=8))), max_size=8)):
        data[place : place + len(value)] = value
    data = data[: draw.draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))]
    try:
        image = Image.from_bytes(bytes(data), "nic.sys")
    except ImageError as refused:
        assert "\n" not in str(refused) and str(refused).startswith("nic.sys:")
        return
    if image.size <= 1 << 20 and not image.fixed:
        assert len(image.laid_out(0xFFFFF80000000000)) == image.size

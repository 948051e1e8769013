"""`dirql build`: what the image holds, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pefile
import pytest
from symbolic.debuginfo import Archive

from dirql.build import BuildError, Built, CompileError, build_driver
from dirql.build.imports import exports
from dirql.cli.build_command import build

EXAMPLES = Path(__file__).parents[2] / "examples"
DISCARDABLE, EXECUTE, WRITE = 0x02000000, 0x20000000, 0x80000000
BINDING = {"WdfVersionBind", "WdfVersionBindClass", "WdfVersionUnbind", "WdfVersionUnbindClass"}


def parsed(built: Built) -> pefile.PE:
    return pefile.PE(str(built.image))


def imported(image: pefile.PE) -> dict[str, set[str]]:
    return {one.dll.decode(): {name.name.decode() for name in one.imports} for one in image.DIRECTORY_ENTRY_IMPORT}


def named(image: pefile.PE) -> dict[str, int]:
    """Section → characteristics."""
    return {one.Name.rstrip(b"\0").decode(): one.Characteristics for one in image.sections}


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("mqueue", {"DbgPrintEx", "ExAllocatePool2", "ExFreePoolWithTag", "MmMapIoSpaceEx", "MmUnmapIoSpace",
                    "RtlCopyUnicodeString", "memset"}),
        ("edu", {"DbgPrintEx", "KeInitializeEvent", "KeSetEvent", "KeWaitForSingleObject", "MmMapIoSpaceEx", "MmUnmapIoSpace",
                 "RtlCopyUnicodeString", "memcpy"}),
    ],
)  # fmt: skip
def test_an_example_compiles_without_a_warning_and_imports_what_it_calls(
    request: pytest.FixtureRequest, example: str, expected: set[str]
) -> None:
    built = request.getfixturevalue(example)

    assert built.diagnostics == ""
    assert imported(parsed(built)) == {"ntoskrnl.exe": expected, "WDFLDR.SYS": BINDING}


def test_a_kmdf_driver_is_a_native_image_that_starts_in_the_stub(mqueue: Built) -> None:
    image = parsed(mqueue)
    (debug,) = Archive.open(str(mqueue.pdb)).iter_objects()

    (start, *_) = debug.make_symcache().lookup(image.OPTIONAL_HEADER.AddressOfEntryPoint)

    assert image.OPTIONAL_HEADER.Subsystem == 1
    assert image.FILE_HEADER.Machine == 0x8664
    assert start.symbol.startswith("FxDriverEntry(")
    assert image.DIRECTORY_ENTRY_LOAD_CONFIG.struct.SecurityCookie > image.OPTIONAL_HEADER.ImageBase


def test_sections_are_kept_and_INIT_is_discardable(mqueue: Built) -> None:
    sections = named(parsed(mqueue))

    assert set(sections) == {".text", ".rdata", ".data", ".pdata", "INIT", "PAGE", ".reloc"}
    assert sections["INIT"] & DISCARDABLE
    assert sections["PAGE"] & EXECUTE
    assert not sections["PAGE"] & (DISCARDABLE | WRITE)


def test_the_PDB_belongs_to_the_image_and_knows_lines(mqueue: Built) -> None:
    image = parsed(mqueue)
    (debug,) = Archive.open(str(mqueue.pdb)).iter_objects()
    (paged,) = [one for one in image.sections if one.Name.startswith(b"PAGE")]

    (line, *_) = debug.make_symcache().lookup(paged.VirtualAddress)

    entry = image.DIRECTORY_ENTRY_DEBUG[0].entry
    assert entry.PdbFileName.rstrip(b"\0") == b"mqueue.pdb"
    assert debug.debug_id.replace("-", "").upper() == entry.Signature_String
    assert line.symbol.startswith("Evt")
    assert line.full_path == "mqueue/mqueue.c"
    assert line.line > 30


def test_the_same_sources_give_the_same_bytes_anywhere(mqueue: Built, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "mqueue", tmp_path / "mqueue")

    again = build_driver(tmp_path / "mqueue")

    assert again.image.read_bytes() == mqueue.image.read_bytes()
    assert again.pdb.read_bytes() == mqueue.pdb.read_bytes()


def test_no_path_of_this_machine_is_in_what_is_built(mqueue: Built) -> None:
    written = mqueue.image.read_bytes() + mqueue.pdb.read_bytes()

    assert str(Path(__file__).parents[2]).encode() not in written
    assert str(Path.home() / ".cache").encode() not in written
    assert b"dirql-build-" not in written


def test_what_is_up_to_date_is_not_built_again(wdm: Built) -> None:
    before = wdm.image.stat().st_mtime_ns

    again = build_driver(wdm.image.parent)

    assert again == Built(wdm.image, wdm.pdb, "", fresh=False)
    assert wdm.image.stat().st_mtime_ns == before


def test_a_WDM_driver_starts_without_the_framework(wdm: Built) -> None:
    assert imported(parsed(wdm)) == {"ntoskrnl.exe": {"DbgPrint"}}


def test_a_changed_source_is_built_again(sources: Callable[..., Path]) -> None:
    text = "#include <ntddk.h>\nNTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT d, PUNICODE_STRING r) { return d && r ? %d : 1; }\n"
    directory = sources(card_c=text % 2)
    first = build_driver(directory).image.read_bytes()
    (directory / "card.c").write_text(text % 3, "utf-8")

    second = build_driver(directory)

    assert second.fresh
    assert second.image.read_bytes() != first


@pytest.mark.parametrize("suffix", ["sys", "pdb"])
def test_a_file_of_somebody_else_is_never_overwritten(sources: Callable[..., Path], suffix: str) -> None:
    directory = sources(card_c="int x;\n")
    theirs = directory / f"card.{suffix}"
    theirs.write_bytes(b"MZ of somebody else")

    with pytest.raises(BuildError) as problem:
        build_driver(directory)

    remedy = "move it away, or build elsewhere with --out"
    assert str(problem.value) == f"{theirs}: was not built by dirql and is not overwritten; {remedy}"
    assert theirs.read_bytes() == b"MZ of somebody else"


def test_every_file_that_does_not_compile_is_told_with_what_the_compiler_says(sources: Callable[..., Path]) -> None:
    directory = sources(a_c="int f(void) { return x; }\n", b_c="int y;\n", c_c="int g(void) { return z; }\n")

    with pytest.raises(CompileError) as problem:
        build_driver(directory)

    assert str(problem.value) == f"{directory}: a.c, c.c did not compile (2 of 3 files); see above"
    assert "a.c:1:22: error: use of undeclared identifier 'x'\n" in problem.value.diagnostics
    assert "c.c:1:22: error: use of undeclared identifier 'z'\n" in problem.value.diagnostics
    assert sorted(one.name for one in directory.iterdir()) == ["a.c", "b.c", "c.c"]


def test_a_name_that_nobody_exports_is_told_by_the_linker(sources: Callable[..., Path]) -> None:
    text = """
#include <ntddk.h>
NTSYSAPI NTSTATUS Nobody(void);
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT d, PUNICODE_STRING r) { return d && r ? Nobody() : 0; }
"""
    directory = sources(card_c=text)

    with pytest.raises(CompileError) as problem:
        build_driver(directory)

    assert str(problem.value) == f"{directory}: the driver did not link; see above"
    assert "undefined symbol: __declspec(dllimport) Nobody\n" in problem.value.diagnostics


def test_code_under_try_is_guarded_against_its_own_loads(sources: Callable[..., Path]) -> None:
    text = """
#include <ntddk.h>
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    ULONG sum = RegistryPath->Length;
    __try {
        sum += *(volatile ULONG *)DriverObject;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return GetExceptionCode();
    }
    return (NTSTATUS)sum;
}
"""
    built = build_driver(sources(card_c=text))

    assert imported(parsed(built)) == {"ntoskrnl.exe": {"__C_specific_handler"}}


def test_a_frame_of_many_pages_is_probed(sources: Callable[..., Path]) -> None:
    text = """
#include <ntddk.h>
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    volatile UCHAR bytes[0x2800];
    bytes[RegistryPath->Length] = 1;
    return DriverObject ? bytes[3] : 0;
}
"""
    built = build_driver(sources(card_c=text))

    assert b"\x48\x3d\x00\x10\x00\x00" in parsed(built).sections[0].get_data()  # cmp rax, 0x1000


def test_headers_of_a_WDK_come_instead_of_the_bundled_ones(sources: Callable[..., Path], tmp_path: Path) -> None:
    for part in ("km", "shared", "km/crt"):
        (tmp_path / "wdk" / part).mkdir(parents=True)
    (tmp_path / "wdk/km/ntddk.h").write_text("#include <crt_only.h>\ntypedef long NTSTATUS;\n", "utf-8")
    (tmp_path / "wdk/km/crt/crt_only.h").write_text("#define ONLY 7\n", "utf-8")
    text = """
#include <ntddk.h>
void f(char *p);
void f(char *p) { p[0] = ONLY; }
NTSTATUS DriverEntry(void *d, void *r);
NTSTATUS DriverEntry(void *d, void *r) { char b[100]; f(b); return b[0] + !d + !r; }
"""

    built = build_driver(sources(card_c=text), headers=[tmp_path / "wdk"])

    assert built.diagnostics == ""
    assert named(parsed(built))[".text"]


def test_a_directory_without_sources_is_refused(sources: Callable[..., Path]) -> None:
    directory = sources(readme_txt="")

    with pytest.raises(BuildError) as problem:
        build_driver(directory)

    remedy = "give the directory that holds the driver's sources"
    assert str(problem.value) == f"{directory}: no .c, .cc, .cpp or .cxx file in it; {remedy}"


def test_headers_that_are_not_there_are_refused(sources: Callable[..., Path]) -> None:
    with pytest.raises(BuildError) as problem:
        build_driver(sources(card_c="int x;\n"), headers=[Path("nowhere")])

    assert str(problem.value) == "--headers nowhere: no such directory; give the WDK's Include/10.0.NNNNN.0"


def test_a_macro_that_is_no_macro_is_refused(sources: Callable[..., Path]) -> None:
    with pytest.raises(BuildError) as problem:
        build_driver(sources(card_c="int x;\n"), defines=["3=x"])

    assert str(problem.value) == "-D 3=x: not NAME or NAME=VALUE; write it as for a C compiler"


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as problem:
        build_driver(tmp_path / "none")

    remedy = "give the directory that holds the driver's .c files"
    assert str(problem.value) == f"{tmp_path}/none: No such file or directory; {remedy}"


def test_without_ziglang_the_remedy_is_told(sources: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    directory = sources(card_c="int x;\n")
    monkeypatch.setattr("dirql.build.toolchain.find_spec", lambda name: None)

    with pytest.raises(BuildError) as problem:
        build_driver(directory)

    assert str(problem.value) == "dirql build needs ziglang, which holds the compiler: pip install dirql[build]"


def test_the_command_says_what_it_made(wdm: Built, capsys: pytest.CaptureFixture[str]) -> None:
    build(wdm.image.parent)

    assert capsys.readouterr() == (f"{wdm.image}: up to date\n", "")


def test_the_command_shows_what_the_compiler_says(sources: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    directory = sources(card_c="int f(void) { return x; }\n")

    with pytest.raises(CompileError):
        build(directory)

    assert "card.c:1:22: error: use of undeclared identifier 'x'" in capsys.readouterr().err


def test_no_name_is_exported_by_two_files() -> None:
    names = [name for one in exports().values() for name in one]

    assert len(set(names)) == len(names) > 500

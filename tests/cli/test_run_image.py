"""`dirql run` of images made by hand: what stops in DriverEntry leaves its trace, and every limit ends what has no end."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from struct import pack
from types import ModuleType

import pytest

Run = Callable[..., tuple[int, str, str]]
Image = Callable[..., None]
DBG_PRINT, FANCY, ORDINAL = 0x203C, 0x2044, 0x2054  # the RVAs of the import slots
ENTER, LEAVE = b"\x48\x83\xec\x28", b"\x48\x83\xc4\x28\xc3"  # sub rsp, 0x28; add rsp, 0x28 and ret
HELLO = (b"\x48\x8d\x0d", 0x3000)  # lea rcx, [the text]
CALL, FOR_EVER = b"\xff\x15", b"\xeb\xfe"


@pytest.fixture(scope="session")
def pe() -> ModuleType:
    """The module that builds images."""
    spec = spec_from_file_location("image_builder", Path(__file__).parents[1] / "hosts" / "sys" / "image_builder.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def image(pe: ModuleType, folder: Path) -> Image:
    """`image(pieces…)` writes nic.sys with that DriverEntry into the current folder; a piece is bytes, or bytes that end before a
    displacement and the RVA that it leads to."""

    def write(*pieces: bytes | tuple[bytes, int]) -> None:
        code = bytearray()
        for piece in pieces:
            code += piece if isinstance(piece, bytes) else piece[0]
            if not isinstance(piece, bytes):
                code += pack("<i", piece[1] - (0x1000 + len(code) + 4))
        table = pe.imports(0x2000, {"ntoskrnl.exe": ["DbgPrint", "IoFancyNewThing"], "NDIS.SYS": [12]})
        sections = [(".text", bytes(code), pe.R | pe.X), (".rdata", table, pe.R), (".data", b"hello\0", pe.R | pe.W)]
        Path("nic.sys").write_bytes(pe.build(sections, {pe.IMPORT: (0x2000, len(table))}))

    return write


def run(dirql: Run, *options: str) -> tuple[int, str, str]:
    return dirql("run", "nic.sys", "--device", "mqueue", "--inf", "small.inf", *options)


@pytest.mark.parametrize("form", ["txt", "jsonl"])
def test_a_routine_that_is_not_modelled_in_DriverEntry_leaves_the_trace_up_to_it(image: Image, dirql: Run, form: str) -> None:
    image(ENTER, HELLO, (CALL, DBG_PRINT), (CALL, FANCY), LEAVE)
    why = "nic.sys+0x1017 (.text+0x17) calls ntoskrnl!IoFancyNewThing, which dirql does not model"
    remedy = "pass --stub IoFancyNewThing=VALUE to let it return that"
    assert run(dirql, "--trace", f"run.{form}") == (2, "", f"dirql: {why}; {remedy}\n")
    assert "hello" in Path(f"run.{form}").read_text().splitlines()[-1]


def test_a_trace_file_that_is_there_is_refused_before_the_driver_is_looked_at(folder: Path, dirql: Run) -> None:
    Path("run.txt").write_text("mine")
    refused = "dirql: --trace run.txt: the file exists; choose another name, or give --force\n"
    assert run(dirql, "--trace", "run.txt") == (2, "", refused)  # there is no nic.sys
    assert Path("run.txt").read_text() == "mine"


def test_where_nothing_happened_there_is_no_trace(folder: Path, dirql: Run) -> None:
    refused = f"dirql: {folder}/nic.sys: No such file or directory; name a .sys file\n"
    assert run(dirql, "--trace", "run.txt") == (2, "", refused)
    assert not Path("run.txt").exists()


def test_a_routine_imported_by_its_ordinal_stops_where_it_is_called(image: Image, dirql: Run) -> None:
    image(ENTER, (CALL, ORDINAL), LEAVE)
    why = "nic.sys+0x100a (.text+0xa) calls ndis.sys!#12, which dirql does not model"
    assert run(dirql) == (2, "", f"dirql: {why}; pass --stub 'ndis.sys!#12=VALUE' to let it return that\n")


@pytest.mark.parametrize("dll", ["ndis.sys", "NDIS.SYS"])
def test_a_routine_imported_by_its_ordinal_returns_what_its_stub_says(image: Image, dirql: Run, dll: str) -> None:
    image(ENTER, (CALL, ORDINAL), LEAVE)
    status, out, err = run(dirql, "--stub", f"{dll}!#12=0xC0000001", "--trace", "run.txt")
    assert (status, err) == (1, "")
    assert "because DriverEntry of nic.sys returned STATUS_UNSUCCESSFUL" in out
    assert "ndis.sys!#12 returns 0xc0000001, as --stub says" in Path("run.txt").read_text()


def test_an_ordinal_that_is_never_called_is_no_obstacle(image: Image, dirql: Run) -> None:
    image(ENTER, HELLO, (CALL, DBG_PRINT), b"\xb8" + pack("<I", 0xC000_0002), LEAVE)  # mov eax, STATUS_NOT_IMPLEMENTED
    status, out, err = run(dirql)
    assert (status, err) == (1, "") and "because DriverEntry of nic.sys returned STATUS_NOT_IMPLEMENTED" in out


@pytest.mark.parametrize("most", [1000, 1003])
def test_max_instructions_ends_a_driver_before_the_block_that_would_be_too_much(image: Image, dirql: Run, most: int) -> None:
    image(b"\x48\xff\xc0" * 3, b"\xeb\xf5")  # a block: inc rax, three times, and again
    status, out, err = run(dirql, "--max-instructions", f"{most}", "--trace", "run.txt")
    assert (status, err) == (1, "")
    assert "hang (max-instructions)" in out and f"rax={750:016x}" in out and out.endswith("\nfound: a hang\n")
    why = "cpu0 has run the last instruction that --max-instructions allows (nic.sys+0x1000 (.text+0x0))"
    assert Path("run.txt").read_text().endswith(f" why=hang (max-instructions): {why}\n")


def test_a_driver_without_an_end_is_ended_by_the_watchdog_and_its_trace_is_kept(image: Image, dirql: Run) -> None:
    image(ENTER, HELLO, (CALL, DBG_PRINT), FOR_EVER)
    status, out, err = run(dirql, "--watchdog", "0.05", "--trace", "run.txt")
    assert (status, err) == (1, "")
    assert "hang (watchdog)" in out and out.endswith("\nfound: a hang\n")
    hello, stop = Path("run.txt").read_text().splitlines()[-2:]
    assert hello.endswith(" what=hello") and " why=hang (watchdog): cpu0 has not got on for 0.05 s of real time: " in stop

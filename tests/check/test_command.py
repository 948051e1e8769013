"""`dirql check`: its words, its JSON, its exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from struct import pack
from types import ModuleType
from typing import Any

import pytest
import typer

from dirql.check import Checked, check_file, modelled_names
from dirql.check.modelled import is_modelled
from dirql.check.text import text
from dirql.cli.check_command import check
from dirql.errors import DirqlError
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.stubs import Unmodelled
from dirql.system import System

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The command with its arguments: exit status and output."""

    def call(*arguments: Any, **options: Any) -> tuple[int, str]:
        status = 0
        try:
            check(*arguments, **options)
        except typer.Exit as end:
            status = end.exit_code
        return status, capsys.readouterr().out

    return call


def test_the_text_tells_what_is_missing_before_what_is_used(by_hand: Callable[..., Checked]) -> None:
    found = by_hand(
        (b"\x48\x8b\x05", 0x3050), b"\xff\x90" + (8 * 75).to_bytes(4, "little") + b"\xc3",
        (b"\x48\x8b\x05", 0x3050), b"\xff\x14\xc8\xc3",
        dlls={"WDFLDR.SYS": ["WdfVersionBind"], "ntoskrnl.exe": ["DbgPrint", "NoSuchName"]},
    )  # fmt: skip
    assert text(found, 80) == (
        "nic.sys: KMDF 1.33, 458 functions called through a pointer to its table\n"
        "  symbols: none\n"
        "\n"
        "not modelled:\n"
        "  ntoskrnl!NoSuchName\n"
        "not to be told without running it:\n"
        "  nic.sys+0x1015 (.text+0x15)\n"
        "    the index into the function table is worked out at run time\n"
        "\n"
        "imports: 2 of 3 modelled\n"
        "  ntoskrnl: DbgPrint  NoSuchName\n"
        "  wdfldr: WdfVersionBind\n"
        "\n"
        "framework functions: 1 of 1 modelled\n"
        "  wdf: WdfDeviceCreate\n"
        "\n"
        "not all of it is modelled"
    )


def test_a_driver_of_which_all_is_modelled_ends_with_0(run: Run, pe: ModuleType, tmp_path: Path) -> None:
    table = pe.imports(0x2000, {"ntoskrnl.exe": ["DbgPrint"]})
    (tmp_path / "nic.sys").write_bytes(pe.with_table(pe.IMPORT, table))
    status, out = run(str(tmp_path / "nic.sys"))
    assert (status, out.splitlines()[-1]) == (0, "all of it is modelled")


def test_a_driver_that_uses_something_unknown_ends_with_1(run: Run, compiled: Callable[..., Path]) -> None:
    status, out = run(str(compiled(unknown=True)))
    assert status == 1
    assert "\n  pageable: PAGE\n  gone after DriverEntry: INIT" in out
    assert "\nnot modelled:\n  ntoskrnl!PsWrapApcWow64Thread\n    card.sys!Unknown+0x" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(("arguments", "options", "text"), [
    ((), {}, "which driver? give a .sys file, or --modelled for the names that dirql models"),
    (("nic.sys",), {"modelled": True}, "--modelled lists names and takes no image; leave out nic.sys, or --modelled"),
    (("no.sys",), {}, "no.sys: No such file or directory; name a .sys file"),
])  # fmt: skip
def test_bad_usage_is_one_line(
    run: Run, arguments: tuple[str, ...], options: dict[str, bool], text: str
) -> None:
    with pytest.raises(DirqlError) as problem:
        run(*arguments, **options)
    assert str(problem.value) == text


def test_what_is_no_driver_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nic.sys").write_bytes(b"no image")
    with pytest.raises(DirqlError, match=r"nic\.sys:0x0: "):
        run(str(tmp_path / "nic.sys"))


def test_every_name_that_is_modelled_is_listed_once_with_its_version(run: Run) -> None:
    status, out = run(modelled=True)
    lines = out.splitlines()
    assert status == 0 and lines == sorted(lines, key=lambda line: tuple(line.split()[0].split("!", 1)))
    assert {"ntoskrnl!DbgPrint", "wdfldr!WdfVersionBind", "wdf!WdfInterruptReportActive  KMDF 1.11"} <= set(lines)
    assert len({line.split()[0] for line in lines}) == len(lines) == len(modelled_names())


@pytest.mark.parametrize("dll", ["ntoskrnl.exe", "HAL.dll", "other.sys"])
def test_an_import_is_judged_as_the_loader_binds_it(dll: str) -> None:
    guest = (system := System(1, memory=8 << 20)) and Guest(system.kernel, system.framework)
    for name in ("DbgPrint", "KeStallExecutionProcessor", "KeTickCount", "NoSuchName"):
        address = guest.resolve(dll, name)
        stub = address - guest.stubs.base >> 4
        loud = 0 <= stub < len(guest.stubs.thunks) and isinstance(guest.stubs.thunks[stub], Unmodelled)
        assert is_modelled(dll, name) is not loud


def test_check_prints_what_is_documented(
    documents: ModuleType, compiled: Callable[..., Path], by_hand: Callable[..., Checked]
) -> None:
    info = pack("<QQ16xQB", 0x50, 0x140003F50, 0x140003F80, 1).ljust(0x50, b"\0")  # WDF_CLASS_BIND_INFO
    extended = by_hand(b"\xc3", more=info + "NetAdapterCx\0".encode("utf-16-le"))
    found = [check_file(compiled(unknown=True)), extended, by_hand(b"\xc3", bind=False, dlls={"ntoskrnl.exe": [3]})]
    told = [json.loads(json.dumps(one.as_json())) for one in found]
    assert [documents.wrong(one, "check") for one in told] == [[], [], []]
    assert set(documents.documented("check")) == {key for one in told for key, _ in documents.seen(one)}


def test_json_of_the_names_is_documented(documents: ModuleType, run: Run) -> None:
    told = json.loads(run(modelled=True, json=True)[1])
    assert documents.wrong(told, "check --modelled") == []
    assert set(documents.documented("check --modelled")) == {key for key, _ in documents.seen(told)}
    assert told[0].keys() == {"module", "name", "kind", "since"}

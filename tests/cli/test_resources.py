"""`dirql resources`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dirql.cli.resources_text import HINT
from dirql.pnp import Inf, InterruptManagement

Run = Callable[..., tuple[int, str, str]]


def test_without_an_inf_a_function_gets_a_line_and_the_output_says_why(examples: Path, dirql: Run) -> None:
    status, out, err = dirql("resources", str(examples / "dumps" / "qemu-e1000e-nvme.txt"), "--function", "01:00.0")
    assert (status, err) == (0, "")
    assert out.startswith("8086:10d3 at 0000:01:00.0: a line\n")
    assert "\nNo INF sets MSISupported for this function, so Windows does not ask for the 5\nMSI-X messages that it has." in out
    assert max(map(len, out.split("\n"))) <= 80


def test_what_the_output_says_to_write_in_an_inf_makes_windows_ask() -> None:
    head = '[Version]\nSignature="$WINDOWS NT$"\n[Manufacturer]\nM=M,NTamd64\n'
    head += '[M.NTamd64]\n"d" = YourDevice, PCI\\CC_02\n[YourDevice.NT]\n'
    install = Inf.parse((head + HINT).encode()).match(["PCI\\CC_02"])
    assert install is not None
    assert InterruptManagement.from_registry(install.registry).msi_supported


def test_with_an_inf_there_is_a_descriptor_for_each_message(folder: Path, examples: Path, dirql: Run) -> None:
    (folder / "e1000e.inf").write_text((folder / "small.inf").read_text().replace("10C9", "10D3"))
    dump = str(examples / "dumps" / "qemu-e1000e-nvme.txt")
    told = json.loads(dirql("resources", dump, "--function", "01:00.0", "--inf", "e1000e.inf", "--json")[1])
    assert (told["kind"], told["asked"], told["granted"], told["address"]) == ("msi-x", 5, 5, "0000:01:00.0")
    interrupts = [d for d in told["descriptors"] if d["type"] == "interrupt"]
    assert [d["flags"] for d in interrupts] == [3] * 5
    assert {len(d["raw_hex"]) for d in interrupts} == {40}


def test_lengths_are_null_until_somebody_tells_the_bar_sizes(examples: Path, dirql: Run) -> None:
    dump = [str(examples / "dumps" / "qemu-e1000e-nvme.txt"), "--function", "01:00.0", "--json"]
    lengths = [d["raw"].get("length", "-") for d in json.loads(dirql("resources", *dump)[1])["descriptors"]]
    told = ["--bar", "0=128K", "--bar", "1=0x20000", "--bar", "2=32", "--bar", "3=0x4000"]
    known = [d["raw"].get("length", "-") for d in json.loads(dirql("resources", *dump, *told)[1])["descriptors"]]
    assert lengths == [None, "-", None, "-", None, "-", None, "-"]
    assert known == [0x20000, "-", 0x20000, "-", 32, "-", 0x4000, "-"]


def test_several_functions_are_a_list(examples: Path, dirql: Run) -> None:
    told = json.loads(dirql("resources", str(examples / "dumps" / "qemu-e1000e-nvme.txt"), "--json")[1])
    assert [one["function"] for one in told] == ["8086:10d3", "1b36:0010", "1234:11e8"]


BRIDGES = [f"left out: 0000:00:0{number}.0 is a bridge (header type 1)" for number in (1, 2, 3)]


def test_bridges_of_a_whole_machine_are_named_at_the_end(examples: Path, dirql: Run) -> None:
    status, out, err = dirql("resources", str(examples / "dumps" / "qemu-machine-verbose.txt"))
    assert (status, err) == (0, "")
    assert out.endswith("\n\n" + "\n".join(BRIDGES) + "\n")
    assert out.count("left out") == 3


def test_in_json_the_last_functions_notes_name_the_bridges(examples: Path, dirql: Run) -> None:
    told = json.loads(dirql("resources", str(examples / "dumps" / "qemu-machine-verbose.txt"), "--json")[1])
    assert [one["address"] for one in told if one["notes"]] == ["0000:03:00.0"]
    assert told[-1]["notes"] == BRIDGES


def test_one_endpoint_behind_a_bridge_is_an_object_with_a_note(tmp_path: Path, examples: Path, dirql: Run) -> None:
    verbose = (examples / "dumps" / "qemu-machine-verbose.txt").read_text()
    parts = [part for part in verbose.split("\n\n") if part.startswith(("00:01.0", "01:00.0"))]
    (tmp_path / "two.txt").write_text("\n\n".join(parts) + "\n")
    told = json.loads(dirql("resources", str(tmp_path / "two.txt"), "--json")[1])
    assert (told["address"], told["notes"]) == ("0000:01:00.0", BRIDGES[:1])


def test_what_is_chosen_leaves_nothing_out(examples: Path, dirql: Run) -> None:
    dump = str(examples / "dumps" / "qemu-machine-verbose.txt")
    assert "left out" not in dirql("resources", dump, "--function", "01:00.0")[1]


def test_a_cardbus_bridge_is_called_so(tmp_path: Path, dirql: Run) -> None:
    rows = {0: "86 80 c9 10 00 00 00 00 01 00 00 02 00 00 {} 00"}

    def text(slot: str, kind: str) -> str:
        lines = [f"{row:02x}: " + rows.get(row, " ".join(["00"] * 16)).format(kind) for row in range(0, 64, 16)]
        return f"{slot} Something\n" + "\n".join(lines) + "\n"

    (tmp_path / "laptop.txt").write_text(text("01:00.0", "00") + "\n" + text("02:00.0", "82") + "\n" + text("02:00.1", "05"))
    out = dirql("resources", str(tmp_path / "laptop.txt"))[1]
    assert out.split("\n\n")[-1] == (
        "left out: 0000:02:00.0 is a CardBus bridge (header type 2)\n"
        "left out: 0000:02:00.1 is of an unknown kind (header type 5)\n"
    )


def test_a_bridge_that_is_chosen_is_refused(examples: Path, dirql: Run) -> None:
    dump = str(examples / "dumps" / "qemu-machine-verbose.txt")
    problem = "header type 0x1 is a bridge's; only type 0 functions can be driven; choose an endpoint of the dump"
    assert dirql("resources", dump, "--function", "00:01.0") == (2, "", f"dirql: {dump}:93: 0000:00:01.0: {problem}\n")


def test_a_scenario_is_started_for_it(folder: Path, dirql: Run) -> None:
    status, out, _ = dirql("resources", "small.toml", "--cpus", "4", "--messages", "3")
    assert out.startswith("1234:4d51 at 0000:01:00.0: MSI-X, 3 of 9 messages granted\n  synthetic: Windows grants all")
    assert status == 0


def test_a_scenario_without_a_driver_is_arbitrated(folder: Path, dirql: Run) -> None:
    (folder / "bare.toml").write_text('[device]\nmodel = "edu"\n')
    assert dirql("resources", "bare.toml")[1].startswith("1234:11e8 at 0000:01:00.0: a line\n")


@pytest.mark.parametrize(("arguments", "error"), [
    (["--bar", "6=16"], "--bar 6=16: BARs are 0 to 5, with a size in bytes; write --bar 0=0x20000 or --bar 0=128K"),
    (["--bar", "0:16"], "--bar 0:16: BARs are 0 to 5, with a size in bytes; write --bar 0=0x20000 or --bar 0=128K"),
    (["--bar", "0=0x30"], "size 0x30 of BAR 0 must be a power of two, 0x10 or more"),
    (["--bar", "5=0x4000"],
     "DUMP:4: 0000:01:00.0: BAR 5 is not implemented, and has no size to tell; the function has BAR 0, 1, 2, 3"),
    (["--messages", "4"],
     "DUMP: 0000:01:00.0: --messages 4: none is asked for; does the INF set MSISupported to 1?"),
    (["--function", "09:00.0"], "DUMP: there is no function '09:00.0'; it holds 0000:01:00.0, 0000:02:00.0, 0000:03:00.0"),
])  # fmt: skip
def test_bad_input_is_one_line_and_status_2(examples: Path, dirql: Run, arguments: list[str], error: str) -> None:
    dump = str(examples / "dumps" / "qemu-e1000e-nvme.txt")
    chosen = arguments if "--function" in arguments else ["--function", "01:00.0", *arguments]
    assert dirql("resources", dump, *chosen) == (2, "", f"dirql: {error.replace('DUMP', dump)}\n")


def test_a_dump_that_is_cut_names_the_line(tmp_path: Path, dirql: Run) -> None:
    (tmp_path / "cut.txt").write_text("01:00.0 Ethernet controller\n00: 86 80 c9 10 07\n")
    status, out, err = dirql("resources", str(tmp_path / "cut.txt"))
    assert (status, out) == (2, "")
    assert err.startswith(f"dirql: {tmp_path}/cut.txt:2: ") and err.count("\n") == 1


def test_an_inf_with_a_syntax_error_names_the_line(folder: Path, examples: Path, dirql: Run) -> None:
    (folder / "bad.inf").write_text("[Version\n")
    status, out, err = dirql("resources", str(examples / "dumps" / "qemu-e1000e-nvme.txt"), "--inf", "bad.inf")
    assert (status, out) == (2, "")
    assert err.startswith("dirql: bad.inf:1: ") and err.count("\n") == 1

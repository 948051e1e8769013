"""The second witness: what Debian's lspci decodes from a dump is what dirql decodes from it, field by field."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from runpy import run_path

import pytest

from dirql.pci.dumps import Dump, load
from dirql.pci.inspect import ExpressView, FunctionView, MsiView, MsixView, PowerManagementView, decode
from dirql.pci.inspect_text import COMMAND_BITS, STATUS_BITS

LSPCI = shutil.which("lspci")
FILES = sorted((Path(__file__).parents[2] / "examples" / "dumps").glob("*.txt"))
VERBOSE = next(path for path in FILES if path.stem.endswith("-verbose"))
IGB_LIKE: bytes = run_path(str(Path(__file__).with_name("test_inspect.py")))["igb_like"]()

live = pytest.mark.skipif(LSPCI is None, reason="lspci is not installed (Debian, Ubuntu: apt-get install pciutils)")


@dataclass
class Fields:
    """What the two are compared by."""

    command: dict[str, bool]
    status: dict[str, bool]
    bars: dict[int, tuple[str, int, bool]]
    revision: int
    capabilities: list[int]
    extended: list[tuple[int, int]]
    msix: tuple[bool, int, bool, int, int, int, int] | None = None
    msi: tuple[bool, int, int, bool, bool, int, int] | None = None
    masks: tuple[int, int] | None = None
    power: tuple[int, str, bool, bool, bool] | None = None
    express: tuple[int, str, int] | None = None
    link: tuple[str, int, str, int] | None = None
    payload: tuple[int, int, int] | None = None
    flr: bool | None = None


def ours(view: FunctionView) -> Fields:
    kinds = {"io": "io", "memory32": "32-bit", "memory64": "64-bit"}
    fields = Fields(
        command={name: bool(view.command[key]) for key, name in COMMAND_BITS.items()},
        status={name: bool(view.status[key]) for key, name in STATUS_BITS.items()},
        bars={bar.index: (kinds[bar.kind], bar.base, bar.prefetchable) for bar in view.bars},
        revision=view.revision,
        capabilities=[c.offset for c in view.capabilities],
        extended=[(e.offset, e.version) for e in view.extended_capabilities],
    )
    for c in view.capabilities:
        match c:
            case MsixView():
                fields.msix = (c.enabled, c.vectors, c.function_mask, c.table.bar, c.table.offset, c.pba.bar, c.pba.offset)
            case MsiView():
                fields.msi = (c.enabled, c.messages_enabled, c.messages, c.per_vector_mask, c.address64, c.address, c.data)
                fields.masks = None if c.mask is None or c.pending is None else (c.mask, c.pending)
            case PowerManagementView():
                fields.power = (c.version, c.state[:2], c.no_soft_reset, c.pme_enabled, c.pme_status)
            case ExpressView():
                fields.express = (c.version, c.type, c.interrupt_message)
                fields.link = (speed(c.max_link_speed), c.max_link_width, speed(c.link_speed), c.link_width)
                fields.payload = (c.max_payload_supported, c.max_payload, c.max_read_request)
                fields.flr = c.flr
    return fields


def speed(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}GT/s"


def theirs(text: str) -> Fields:
    def signs(title: str, names: list[str]) -> dict[str, bool]:
        line = re.search(rf"^\t{title}: (.*)$", text, re.M)
        assert line is not None
        return {name: f"{name}+" in line[1].split() for name in names}
    header = text.split("\n\tCapabilities:")[0]
    memory = re.findall(r"^\tRegion (\d): Memory at (\w+) \((.*), (non-)?prefetchable\)", header, re.M)
    unassigned = re.findall(r"^\tRegion (\d): Memory at <unassigned> \((.*), (non-)?prefetchable\)", header, re.M)
    ports = re.findall(r"^\tRegion (\d): I/O ports at (\w+)", header, re.M)
    bars = {int(i): (kind, int(base, 16), not non) for i, base, kind, non in memory}
    bars |= {int(i): (kind, 0, not non) for i, kind, non in unassigned}
    bars |= {int(i): ("io", int(base, 16), False) for i, base in ports}
    for upper in [index + 1 for index, (kind, _, _) in bars.items() if kind == "64-bit"]:
        bars.pop(upper, None)  # lspci 3.9 -F lists an upper half that is not zero once more, as unassigned
    fields = Fields(
        command=signs("Control", list(COMMAND_BITS.values())),
        status=signs("Status", list(STATUS_BITS.values())),
        bars=dict(sorted(bars.items())),
        revision=next((int(r, 16) for r in re.findall(r"^\S.*\(rev (\w+)\)", text)), 0),
        capabilities=[int(at, 16) for at in re.findall(r"^\tCapabilities: \[(\w\w)\]", text, re.M)],
        extended=[(int(at, 16), int(v)) for at, v in re.findall(r"^\tCapabilities: \[(\w+) v(\d+)\]", text, re.M)],
    )
    if found := re.search(r"MSI-X: Enable(.) Count=(\d+) Masked(.)\n\s+Vector table: BAR=(\d) offset=(\w+)\n"
                          r"\s+PBA: BAR=(\d) offset=(\w+)", text):  # fmt: skip
        enable, count, masked, table_bar, table, pba_bar, pba = found.groups()
        fields.msix = (enable == "+", int(count), masked == "+", int(table_bar), int(table, 16), int(pba_bar), int(pba, 16))
    if found := re.search(r"MSI: Enable(.) Count=(\d+)/(\d+) Maskable(.) 64bit(.)\n\s+Address: (\w+)\s+Data: (\w+)"
                          r"(?:\n\s+Masking: (\w+)\s+Pending: (\w+))?", text):  # fmt: skip
        enable, granted, able, maskable, wide, address, data, mask, pending = found.groups()
        fields.msi = (enable == "+", int(granted), int(able), maskable == "+", wide == "+", int(address, 16), int(data, 16))
        fields.masks = None if mask is None else (int(mask, 16), int(pending, 16))
    if found := re.search(r"Power Management version (\d+)\n.*\n\s+Status: (D\d) NoSoftRst(.) PME-Enable(.) .* PME(.)", text):
        version, state, keep, enable, status = found.groups()
        fields.power = (int(version), state, keep == "+", enable == "+", status == "+")
    if found := re.search(r"Express \(v(\d)\) (.*?)(?: \(Slot.\))?, MSI (\w+)", text):
        fields.express = (int(found[1]), found[2], int(found[3], 16))
        fields.flr = "FLReset+" in text.split("DevCtl:")[0]
        able = re.search(r"LnkCap:.*Speed (\S+), Width x(\d+)", text)
        now = re.search(r"LnkSta:\s+Speed (\S+?),? .*?Width x(\d+)", text)
        assert able is not None and now is not None
        fields.link = (able[1], int(able[2]), now[1], int(now[2]))
        sizes = re.search(r"DevCap:\s+MaxPayload (\d+)[\s\S]*?DevCtl:[\s\S]*?MaxPayload (\d+) bytes, MaxReadReq (\d+)", text)
        assert sizes is not None
        fields.payload = (int(sizes[1]), int(sizes[2]), int(sizes[3]))
    return fields


def lspci(path: Path) -> list[str]:
    """One text per function."""
    assert LSPCI is not None
    done = subprocess.run([LSPCI, "-vvv", "-F", str(path)], capture_output=True, text=True, check=True, timeout=20)
    return [part for part in done.stdout.split("\n\n") if part.strip()]


def agree(path: Path, dumps: list[Dump]) -> None:
    texts = lspci(path)
    assert len(texts) == len(dumps)
    for dump, text in zip(dumps, texts, strict=True):
        assert ours(decode(dump)) == theirs(text)


@live
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_lspci_reads_the_same_from_dumps_of_machines(path: Path) -> None:
    agree(path, load(path))


def built(variant: int) -> bytes:
    """A function whose every field depends on the bits of `variant`."""
    bit = [variant >> i & 1 for i in range(12)]
    made = bytearray(4096)
    made[0x00:0x10] = bytes.fromhex("34 12 01 00 00 00 10 00 01 00 00 02 10 00 00 00")
    made[0x04:0x06] = (0x547 if bit[0] else 0x002).to_bytes(2, "little")
    made[0x06:0x08] = (0xF930 if bit[1] else 0x0010).to_bytes(2, "little")
    bars = (0xFE00000C, 0x12, 0xC001, 0xFEBE0000 | bit[2] << 3, 0, 0)
    made[0x10:0x28] = b"".join(bar.to_bytes(4, "little") for bar in bars)
    made[0x34], made[0x3D] = 0x40, bit[3]
    made[0x40:0x48] = bytes.fromhex("01 50 03 c8") + (0x8108 if bit[4] else 0x0000).to_bytes(4, "little")
    control = bit[5] | (3 << 1) | (2 << 4) * bit[6] | bit[7] << 7 | bit[8] << 8
    made[0x50:0x54] = bytes((0x05, 0x70)) + control.to_bytes(2, "little")
    body = (0xFEE01000).to_bytes(4, "little") + b"\1\0\0\0" * bit[7] + b"\x41\x40\0\0" + b"\x0f\0\0\0\x02\0\0\0" * bit[8]
    made[0x54 : 0x54 + len(body)] = body
    made[0x70:0x7C] = bytes((0x11, 0xA0)) + (bit[9] << 15 | bit[10] << 14 | 16 * bit[11]).to_bytes(2, "little") + bytes.fromhex(
        "03 00 00 00 03 10 00 00"
    )
    made[0xA0:0xB4] = bytes.fromhex("10 00 02 00 c2 8c 00 00 30 28 19 00 43 6c 03 00 42 00 83 10")
    made[0xA7] = 0x10 * bit[0]
    made[0x100:0x104] = (0x14020001).to_bytes(4, "little")
    made[0x140:0x144] = (0x00010003).to_bytes(4, "little")
    return bytes(made)


@live
def test_lspci_reads_the_same_from_every_single_bit(tmp_path: Path) -> None:
    variants = [0, *(1 << i for i in range(12)), 0xFFF, 0x180, 0xA5A]
    text = ""
    for device, variant in enumerate(variants):
        raw = built(variant)
        text += f"01:{device:02x}.0 Ethernet controller\n"
        text += "\n".join(f"{at:02x}: {raw[at : at + 16].hex(' ')}" for at in range(0, 4096, 16)) + "\n\n"
    path = tmp_path / "built.txt"
    path.write_text(text)
    agree(path, load(path))


@live
@pytest.mark.parametrize("size, domain", [*product((64, 256, 4096), ("", "0001:"))])
def test_lspci_reads_the_same_from_every_length(tmp_path: Path, size: int, domain: str) -> None:
    raw = built(0xFFF)[:size]
    path = tmp_path / "built.txt"
    rows = (f"{at:02x}: {raw[at : at + 16].hex(' ')}\n" for at in range(0, size, 16))
    path.write_text(f"{domain}01:00.0 x\n" + "".join(rows))
    agree(path, load(path))


@live
def test_lspci_reads_the_same_from_a_card_with_virtual_functions(tmp_path: Path) -> None:
    path = tmp_path / "card.txt"
    rows = (f"{at:02x}: {IGB_LIKE[at : at + 16].hex(' ')}\n" for at in range(0, 4096, 16))
    path.write_text("01:00.0 Ethernet controller\n" + "".join(rows))
    agree(path, load(path))


def test_a_dump_that_lspci_wrote_with_its_own_words_reads_as_these_words_say() -> None:
    texts = [part for part in VERBOSE.read_text("utf-8").split("\n\n") if part.strip()]
    for dump, text in zip(load(VERBOSE), texts, strict=True):
        assert len(dump.config) == 256  # so it holds no extended capabilities, which lspci read from the machine
        assert ours(decode(dump)) == replace(theirs(text), extended=[])

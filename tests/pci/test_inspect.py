"""Decoding configuration space: what each structure says, and what is said about lists and tables that contradict themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from dirql.errors import InputError
from dirql.pci.dumps import Dump, load
from dirql.pci.inspect import (
    ExpressView,
    Location,
    MsiView,
    MsixView,
    OpaqueView,
    PowerManagementView,
    decode,
    to_json,
)
from dirql.pci.inspect_text import text

EXAMPLES = Path(__file__).parents[2] / "examples" / "dumps"
POWER = bytes.fromhex("01 00 03 c8 08 01 00 00")
MSI = bytes.fromhex("05 00 8b 01 00 00 e0 fe 00 00 00 00 51 00 00 00 01 00 00 00 02 00 00 00")
MSIX = bytes.fromhex("11 00 09 c0 03 00 00 00 03 20 00 00")
EXPRESS = bytes.fromhex("10 00 02 00 c2 8c 00 10 30 28 19 00 41 6c 03 00 42 00 41 10") + bytes(0x28)
VENDOR = bytes.fromhex("09 00 05 aa bb")


def image(parts: Mapping[int, bytes], bars: tuple[int, ...] = (0xFEBF0000, 0, 0, 0xFEBE0000), size: int = 256) -> bytes:
    """A function with these capabilities, linked in this order, at these offsets."""
    made = bytearray(size)
    made[0x00:0x10] = bytes.fromhex("34 12 01 00 07 04 10 00 01 00 00 02 10 00 00 00")
    for index, bar in enumerate(bars):
        made[0x10 + 4 * index : 0x14 + 4 * index] = bar.to_bytes(4, "little")
    made[0x2C:0x30] = bytes.fromhex("34 12 02 00")
    made[0x3C:0x3E] = bytes((11, 1))
    pointer = 0x34
    for offset, part in parts.items():
        made[offset : offset + len(part)] = part
        made[pointer] = offset
        pointer = offset + 1
    return bytes(made)


def dump(parts: Mapping[int, bytes], sizes: Mapping[int, int] | None = None, **more: tuple[int, ...]) -> Dump:
    return Dump("card.bin", "0000:01:00.0", image(parts, **more), sizes or {})


def patched(source: Dump, at: int, *values: int) -> Dump:
    raw = bytearray(source.config)
    raw[at : at + len(values)] = values
    return Dump(source.source, source.address, bytes(raw), source.bar_sizes)


def test_the_header_is_decoded() -> None:
    view = decode(dump({}))
    assert (view.vendor, view.device, view.class_code, view.revision) == (0x1234, 0x0001, 0x020000, 1)
    assert (view.subsystem_vendor, view.subsystem, view.interrupt_pin, view.interrupt_line) == (0x1234, 2, 1, 11)
    assert [name for name, value in view.command.items() if value] == [
        "io_space", "memory_space", "bus_master", "interrupt_disable",
    ]  # fmt: skip


def test_msix_is_decoded() -> None:
    (view,) = decode(dump({0x70: MSIX})).capabilities
    assert view == MsixView(17, "MSI-X", 0x70, 10, Location(3, 0), Location(3, 0x2000), enabled=True, function_mask=True)


@pytest.mark.parametrize("vectors", [1, 64, 65, 2048])
def test_the_table_size_field_holds_one_less(vectors: int) -> None:
    size = vectors - 1
    (view,) = decode(patched(dump({0x70: MSIX}, bars=(0, 0, 0, 0xFE000000)), 0x70 + 2, size & 0xFF, size >> 8)).capabilities
    assert isinstance(view, MsixView)
    assert (view.vectors, view.enabled, view.function_mask) == (vectors, False, False)


def test_msi_is_decoded() -> None:
    (view,) = decode(dump({0x50: MSI})).capabilities
    assert view == MsiView(
        5, "MSI", 0x50, messages=32, messages_enabled=1, enabled=True, address64=True, per_vector_mask=True, extended_data=False,
        address=0xFEE00000, data=0x51, mask=1, pending=2,
    )  # fmt: skip


def test_msi_with_32_bit_address_keeps_its_data_at_8() -> None:
    (view,) = decode(dump({0x50: bytes.fromhex("05 00 20 00 00 10 e0 fe 41 40 00 00")})).capabilities
    assert view == MsiView(
        5, "MSI", 0x50, messages=1, messages_enabled=4, enabled=False, address64=False, per_vector_mask=False,
        extended_data=False, address=0xFEE01000, data=0x4041, mask=None, pending=None,
    )  # fmt: skip


def test_power_management_is_decoded() -> None:
    (view,) = decode(dump({0x40: POWER})).capabilities
    assert view == PowerManagementView(
        1, "Power Management", 0x40, version=3, state="D0", no_soft_reset=True, d1=False, d2=False,
        pme_from=("D0", "D3hot", "D3cold"), pme_enabled=True, pme_status=False,
    )  # fmt: skip


def test_pci_express_is_decoded() -> None:
    (view,) = decode(dump({0xA0: EXPRESS})).capabilities
    assert view == ExpressView(
        16, "PCI Express", 0xA0, version=2, type="Endpoint", interrupt_message=0, flr=True, max_payload_supported=512,
        max_payload=256, max_read_request=512, max_link_speed=2.5, max_link_width=4, link_speed=2.5, link_width=4,
    )  # fmt: skip


def test_vendor_specific_keeps_its_own_length_and_unknown_what_lies_up_to_the_next() -> None:
    views = decode(dump({0x80: VENDOR, 0x40: bytes.fromhex("7f 00 11 22"), 0x48: POWER})).capabilities
    assert views[0] == OpaqueView(9, "Vendor Specific", 0x80, "09 40 05 aa bb".replace(" ", ""))
    assert views[1] == OpaqueView(0x7F, "Capability 0x7f", 0x40, "7f48112200000000")


def test_capabilities_keep_the_order_of_the_list() -> None:
    view = decode(dump({0xA0: EXPRESS, 0x40: POWER, 0x70: MSIX, 0x50: MSI}))
    assert [c.offset for c in view.capabilities] == [0xA0, 0x40, 0x70, 0x50]


def test_a_function_without_the_status_bit_has_no_capabilities() -> None:
    view = decode(patched(dump({0x70: MSIX}), 0x06, 0x00))
    assert (view.capabilities, view.capabilities_held) == ((), True)


def test_a_dump_of_64_bytes_does_not_hold_the_list() -> None:
    view = decode(Dump("card.bin", "0000:01:00.0", image({0x70: MSIX})[:64]))
    assert (view.capabilities, view.capabilities_held) == ((), False)


def extended(*headers: tuple[int, int], express: bool = True) -> Dump:
    raw = bytearray(image({0xA0: EXPRESS} if express else {}, size=4096))
    for offset, header in headers:
        raw[offset : offset + 4] = header.to_bytes(4, "little")
    return Dump("card.bin", "0000:01:00.0", bytes(raw))


def test_extended_capabilities_are_listed() -> None:
    source = patched(extended((0x100, 0x14010001), (0x140, 0x00010003)), 0x144, 1, 2, 3, 4, 5, 6, 7, 8)
    aer, serial = decode(source).extended_capabilities
    assert (aer.id, aer.name, aer.offset, aer.version) == (1, "Advanced Error Reporting", 0x100, 1)
    assert (serial.id, serial.offset, serial.fields) == (3, 0x140, {"serial": "0807060504030201"})


def test_only_pci_express_functions_have_extended_capabilities() -> None:
    assert decode(extended((0x100, 0x00010001), express=False)).extended_capabilities == ()


REFUSED = {
    "a circle": (patched(dump({0x40: POWER, 0x70: MSIX}), 0x71, 0x40), 0x71, "capability pointer 0x40 at offset 0x71"),
    "itself": (patched(dump({0x40: POWER}), 0x41, 0x40), 0x41, "capability pointer 0x40 at offset 0x41"),
    "odd": (patched(dump({0x40: POWER}), 0x34, 0x41), 0x34, "capability pointer 0x41 at offset 0x34"),
    "the header": (patched(dump({0x40: POWER}), 0x41, 0x3C), 0x41, "capability pointer 0x3c at offset 0x41"),
    "an odd extended one": (extended((0x100, 0x14210001)), 0x102, "capability pointer 0x142 at offset 0x102"),
    "an extended circle": (extended((0x100, 0x14010001), (0x140, 0x10010003)), 0x142, "capability pointer 0x100 at offset 0x142"),
    "extended below": (extended((0x100, 0x04010001)), 0x102, "capability pointer 0x40 at offset 0x102"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_list_that_cannot_be_followed_is_refused_at_its_pointer(case: str) -> None:
    source, at, pointer = REFUSED[case]
    with pytest.raises(InputError) as caught:
        decode(source)
    assert str(caught.value).startswith(f"card.bin:{at:#x}: 0000:01:00.0: {pointer}: ")
    assert caught.value.remedy


TABLES = {
    "BIR 6": (patched(dump({0x70: MSIX}), 0x74, 0x06), 0x74,
              "MSI-X table lies in BAR 6; the BARs are 0 to 5; take the dump again"),
    "BIR 7": (patched(dump({0x70: MSIX}), 0x78, 0x07), 0x78,
              "MSI-X PBA lies in BAR 7; the BARs are 0 to 5; take the dump again"),
    "an I/O BAR": (dump({0x70: MSIX}, bars=(0, 0, 0, 0xC001)), 0x74,
                   "MSI-X table lies in BAR 3, an I/O BAR; it must be in memory; take the dump again"),
    "an upper half": (dump({0x70: MSIX}, bars=(0, 0, 0xFE000004, 0x1)), 0x74,
                      "MSI-X table lies in BAR 3, the upper half of 64-bit BAR 2; take the dump again"),
    "the table past a known size": (dump({0x70: MSIX}, {3: 0x80}), 0x74,
        "MSI-X table of 10 vectors ends at 0xa0, past BAR 3's size 0x80; correct the size of BAR 3 or take the dump again"),
    "the PBA past a known size": (dump({0x70: MSIX}, {3: 0x2000}), 0x78,
        "MSI-X PBA of 10 vectors ends at 0x2008, past BAR 3's size 0x2000; correct the size of BAR 3 or take the dump again"),
    "the PBA past what its address allows": (dump({0x70: MSIX}, bars=(0, 0, 0, 0xFEBE1000)), 0x78,
        "MSI-X PBA of 10 vectors ends at 0x2008; BAR 3 at 0xfebe1000 can be 0x1000 bytes at most; take the dump again"),
    "a size that the address forbids": (dump({}, {3: 0x100000}), 0x1C,
        "BAR 3 at 0xfebe0000 is not aligned to its size 0x100000; give the size that the function was dumped with"),
    "a size for an upper half": (dump({}, {1: 0x1000}, bars=(0xFE000004, 0)), 0x14,
        "BAR 1 has a size, but it is the upper half of 64-bit BAR 0; give the size to BAR 0"),
    "a capability past the end": (dump({0xF8: MSIX[:8]}), 0xF8,
        "MSI-X capability at 0xf8 is 0xc bytes long and runs past 0x100; take the dump again"),
    "64 messages": (patched(dump({0x50: MSI}), 0x52, 0x8C), 0x52,
        "MSI asks for 2**6 messages; 2**5 is the most; take the dump again"),
    "a vendor capability past the end": (dump({0xF0: bytes((9, 0, 0x20))}), 0xF2,
        "length 0x20 of the vendor specific capability at 0xf0 does not fit: 3 to 0x10 bytes; take the dump again"),
    "nobody answered": (Dump("card.bin", "0000:01:00.0", b"\xff" * 256), 0x00,
        "vendor id 0xffff: no function answered; take the dump again with the device awake"),
    "header type 3": (patched(dump({}), 0x0E, 3), 0x0E, "header type 0x3 is none of 0, 1 and 2; take the dump again"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_structure_that_contradicts_itself_is_refused_at_its_register(case: str) -> None:
    source, at, problem = TABLES[case]
    with pytest.raises(InputError) as caught:
        decode(source)
    assert str(caught.value) == f"card.bin:{at:#x}: 0000:01:00.0: {problem}"


def test_an_error_in_text_names_the_line(tmp_path: Path) -> None:
    raw = patched(dump({0x70: MSIX}), 0x74, 0x06).config
    path = tmp_path / "card.txt"
    path.write_text("\n".join(["01:00.0 x", *(f"{at:02x}: {raw[at : at + 16].hex(' ')}" for at in range(0, 256, 16))]))
    with pytest.raises(InputError) as caught:
        decode(load(path)[0])
    assert str(caught.value).startswith(f"{path}:9: 0000:01:00.0: MSI-X table lies in BAR 6; ")


def test_json_has_the_documented_keys() -> None:
    plain = json.loads(json.dumps(to_json(decode(dump({0x70: MSIX}, {0: 0x10000})))))
    assert (plain["function"], plain["class"], plain["subsystem"], plain["revision"]) == ("1234:0001", "020000", "1234:0002", 1)
    assert plain["bars"] == [
        {"index": 0, "kind": "memory32", "base": 0xFEBF0000, "size": 0x10000, "prefetchable": False},
        {"index": 3, "kind": "memory32", "base": 0xFEBE0000, "size": None, "prefetchable": False},
    ]
    assert plain["capabilities"] == [
        {"id": 17, "name": "MSI-X", "offset": 112, "vectors": 10, "table": {"bar": 3, "offset": 0},
         "pba": {"bar": 3, "offset": 8192}, "enabled": True, "function_mask": True},
    ]  # fmt: skip


def test_text_reads_as_lspci_prints_it() -> None:
    assert text(decode(dump({0x70: MSIX, 0x50: MSI}, {0: 0x10000}))) == """\
01:00.0 Ethernet controller: 1234:0001 (rev 01)
    Subsystem: 1234:0002
    Control: I/O+ Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr-
        Stepping- SERR- FastB2B- DisINTx+
    Status: Cap+ 66MHz- FastB2B- ParErr- >TAbort- <TAbort- <MAbort- >SERR-
        <PERR- INTx-
    Interrupt: pin A routed to IRQ 11
    Region 0: Memory at febf0000 (32-bit, non-prefetchable) [size=64K]
    Region 3: Memory at febe0000 (32-bit, non-prefetchable) [size unknown]
    Capabilities: [70] MSI-X: Enable+ Count=10 Masked+
        Vector table: BAR=3 offset=00000000
        PBA: BAR=3 offset=00002000
    Capabilities: [50] MSI: Enable+ Count=1/32 Maskable+ 64bit+
        Address: 00000000fee00000  Data: 0051
        Masking: 00000001  Pending: 00000002"""


@pytest.mark.parametrize("width", [40, 80, 200])
def test_text_stays_in_its_width(width: int) -> None:
    for path in EXAMPLES.glob("*.txt"):
        for one in load(path):
            assert max(map(len, text(decode(one), width).splitlines())) <= max(width, 70)


def igb_like() -> bytes:
    """A two-port network card's function as firmware and a driver left it: four BARs, MSI with mask, ten MSI-X vectors in
    BAR 3, PCI Express with FLR, and virtual functions."""
    bars = (0xE0800000, 0xE0000000, 0x1021, 0xE0840000)
    made = bytearray(image({0x40: POWER, 0x50: MSI, 0x70: MSIX, 0xA0: EXPRESS}, bars, size=4096))
    made[0x52], made[0x73] = 0x80, 0x80  # one MSI message, not enabled; MSI-X enabled, nothing masked
    made[0x54:0x5C], made[0x5C:0x68] = bytes(8), bytes(12)
    extended = {0x100: (1, 0x140), 0x140: (3, 0x150), 0x150: (0x0E, 0x160), 0x160: (0x10, 0)}
    for at, (number, following) in extended.items():
        made[at : at + 4] = (following << 20 | 1 << 16 | number).to_bytes(4, "little")
    made[0x144:0x14C] = bytes.fromhex("0100001234567890")
    made[0x155] = 1
    made[0x160 + 0x08] = 0x09  # VF Enable, VF Memory Space Enable
    made[0x160 + 0x0C : 0x160 + 0x12] = bytes.fromhex("080008000100")
    made[0x160 + 0x14 : 0x160 + 0x1C] = bytes.fromhex("8001020000000200")
    made[0x160 + 0x1C : 0x160 + 0x24] = bytes.fromhex("5305000001000000")
    made[0x160 + 0x24 : 0x160 + 0x28] = bytes.fromhex("040084d2")
    return bytes(made)


def test_a_card_like_the_82576_has_ten_vectors_in_bar_3() -> None:
    view = decode(Dump("card.txt", "0000:01:00.0", igb_like()))
    assert [(bar.index, bar.kind, bar.base) for bar in view.bars] == [
        (0, "memory32", 0xE0800000), (1, "memory32", 0xE0000000), (2, "io", 0x1020), (3, "memory32", 0xE0840000),
    ]  # fmt: skip
    msi, msix, express = (c for c in view.capabilities if isinstance(c, MsiView | MsixView | ExpressView))
    assert isinstance(msi, MsiView) and (msi.messages, msi.per_vector_mask, msi.mask, msi.enabled) == (1, True, 0, False)
    assert msix == MsixView(17, "MSI-X", 0x70, 10, Location(3, 0), Location(3, 0x2000), enabled=True, function_mask=False)
    assert isinstance(express, ExpressView) and (express.version, express.flr) == (2, True)


def test_the_virtual_functions_of_sr_iov_are_counted() -> None:
    *_, ari, virtual = decode(Dump("card.txt", "0000:01:00.0", igb_like())).extended_capabilities
    assert (ari.id, ari.fields) == (0x0E, {"next_function": 1})
    assert (virtual.id, virtual.offset, virtual.fields) == (
        0x10, 0x160, {"initial_vfs": 8, "total_vfs": 8, "vfs": 1, "vf_device": "0002"},
    )  # fmt: skip

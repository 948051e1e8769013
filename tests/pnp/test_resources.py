"""The bytes of resource descriptors and lists, with a C compiler as the second witness."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import LayoutError, UsageError
from dirql.pnp import CmPartialResourceDescriptor, CmResourceList
from dirql.pnp import io_resources as io
from dirql.pnp import resources as cm
from dirql.pnp.constants import CmResourceType
from dirql.pnp.packing import Packed, snake

# fmt: off
DESCRIPTORS = [
    ("line, raw",        cm.line_descriptor(16, 16, 0xF),                     "0203 0000 1000 0000 10000000 0f00000000000000"),
    ("line, translated", cm.line_descriptor(5, 0x51, 0xF),                    "0203 0000 0500 0000 51000000 0f00000000000000"),
    ("MSI-X, raw",       cm.message_raw(1, 0x52, 2, 1),                       "0201 0300 0000 0100 52000000 0200000000000000"),
    ("MSI, raw",         cm.message_raw(16, 0x60, 1 << 63, 3),                "0203 0300 0000 1000 60000000 0000000000000080"),
    ("translated",       cm.message_translated(6, 0x60, 1, 1),                "0201 0300 0600 0000 60000000 0100000000000000"),
    ("memory",           cm.memory_descriptor(0xE0800000, 0x20000),           "0301 0000 000080e000000000 00000200 00000000"),
    ("prefetchable",     cm.memory_descriptor(0x80_0000_0000, 0x1000, 4),     "0301 0400 0000000080000000 00100000 00000000"),
    ("4 GiB",            cm.memory_descriptor(0x80_0000_0000, 1 << 32),       "0701 0002 0000000080000000 00000001 00000000"),
    ("1 TiB",            cm.memory_descriptor(0x100_0000_0000, 1 << 40),      "0701 0004 0000000000010000 00000001 00000000"),
    ("port",             cm.port_descriptor(0x1020, 0x20, 0x31),              "0101 3100 2010000000000000 20000000 00000000"),
    ("DevicePrivate",    cm.private_descriptor(cm.DevicePrivateResource(1, 2, 3)),
     "8101 0000 01000000 02000000 03000000 00000000"),
    ("bus number",       CmPartialResourceDescriptor(6, 0, 0, cm.BusNumberResource(1, 2)),
     "0600 0000 01000000 02000000 0000000000000000"),
    ("DMA",              CmPartialResourceDescriptor(4, 0, 0, cm.GenericResource(b"\1" * 16)), "0400 0000" + "01" * 16),
]
# fmt: on


@pytest.mark.parametrize(("descriptor", "text"), [d[1:] for d in DESCRIPTORS], ids=[d[0] for d in DESCRIPTORS])
def test_a_descriptor_packs_to_its_20_bytes_and_reads_back(descriptor: CmPartialResourceDescriptor, text: str) -> None:
    expected = bytes.fromhex(text)
    raw = isinstance(descriptor.u, cm.MessageInterruptRaw)
    assert (descriptor.pack(), len(expected)) == (expected, 20)
    assert CmPartialResourceDescriptor.unpack(expected, raw=raw) == descriptor


@given(st.binary(min_size=20, max_size=20), st.booleans())
def test_any_20_bytes_are_a_descriptor_that_packs_to_the_bytes_its_union_claims(data: bytes, raw: bool) -> None:
    descriptor = CmPartialResourceDescriptor.unpack(data, raw=raw)
    again = descriptor.pack()
    assert again[:4] == data[:4]
    assert CmPartialResourceDescriptor.unpack(again, raw=raw) == descriptor


def test_a_list_is_a_count_a_full_descriptor_and_its_partial_descriptors() -> None:
    whole = CmResourceList((cm.line_descriptor(16, 16, 1), cm.memory_descriptor(0xE0000000, 0x1000)), bus_number=3)
    data = whole.pack()
    assert data[:20].hex() == "01000000" + "05000000" + "03000000" + "0100" + "0100" + "02000000"
    assert len(data) == 20 + 2 * 20
    assert CmResourceList.unpack(data, raw=True) == whole


def test_length_of_large_memory_is_told_in_bytes() -> None:
    assert [cm.memory_descriptor(0, size).size for size in (0x1000, 1 << 32, 3 << 40, 1 << 63)] == [
        0x1000,
        1 << 32,
        3 << 40,
        1 << 63,
    ]


def test_an_unknown_length_does_not_pack() -> None:
    descriptor = cm.memory_descriptor(0xE0800000, None)
    assert (descriptor.packable, descriptor.size) == (False, None)
    with pytest.raises(UsageError, match=r"^the length behind 0xe0800000 is unknown; give the BAR's size$"):
        descriptor.pack()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\1\0", "CM_RESOURCE_LIST at 0x0 needs 0x4 bytes; 0x2 are left"),
        (bytes.fromhex("02000000"), "CM_RESOURCE_LIST.Count is 0x2; a PCI function has 1 full descriptor"),
        (
            bytes.fromhex("01000000 05000000 00000000 01000100 ffffffff"),
            "CM_PARTIAL_RESOURCE_LIST.Count is 0xffffffff; 0x0 bytes are left",
        ),
    ],
)
def test_a_cut_list_is_refused_before_it_is_read(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        CmResourceList.unpack(data, raw=True)


def test_a_value_that_its_field_cannot_hold_is_named() -> None:
    message = r"^CM_PARTIAL_RESOURCE_DESCRIPTOR\.u\.Interrupt\.Level is 0x10000; it has 2 bytes$"
    with pytest.raises(UsageError, match=message):
        cm.line_descriptor(0x10000, 0, 0).pack()


def test_fields_that_overlap_or_pass_the_end_are_refused() -> None:
    with pytest.raises(LayoutError, match=r"^S\.B at 0x2 overlaps the field before it, which ends at 0x4$"):
        Packed("S", 8, ("A", 0, "I"), ("B", 2, "I"))
    with pytest.raises(LayoutError, match=r"^S ends at 0x8, past its size 0x6$"):
        Packed("S", 6, ("A", 4, "I"))


def message(count: int) -> io.IoResourceDescriptor:
    token = 0xFFFF_FFFE
    u = io.IoInterrupt(token - count + 1, token, affinity_policy=5, priority_policy=2, targeted_processors=0xF0)
    return io.IoResourceDescriptor(CmResourceType.CmResourceTypeInterrupt, u, option=0, share_disposition=1, flags=7)


def test_an_io_descriptor_packs_to_its_32_bytes() -> None:
    data = message(4).pack()
    assert (
        data.hex() == "00020100" + "0700" + "0000" + "fbffffff" + "feffffff" + "0500" + "0000" + "02000000" + "f000000000000000"
    )
    assert io.IoResourceDescriptor.unpack(data) == message(4)


def test_io_memory_packs_to_its_32_bytes() -> None:
    u = io.IoMemory(0x1000, 0x1000, 0, 0xFFFFFFFF, bar=2)
    descriptor = io.IoResourceDescriptor(CmResourceType.CmResourceTypeMemory, u, share_disposition=1)
    expected = "00030100" + "0000" + "0000" + "00100000" + "00100000" + "0000000000000000" + "ffffffff00000000"
    assert descriptor.pack().hex() == expected
    assert io.IoResourceDescriptor.unpack(descriptor.pack()) == descriptor


def test_requirement_lists_lie_back_to_back() -> None:
    lists = (io.IoResourceList((message(1), message(1))), io.IoResourceList((message(1),)))
    whole = io.IoResourceRequirementsList(lists, bus_number=2, slot_number=3)
    data = whole.pack()
    assert data[:32].hex() == "90000000" + "05000000" + "02000000" + "03000000" + "00" * 12 + "02000000"
    assert (data[32:40].hex(), data[40 + 64 : 40 + 72].hex()) == ("0100010002000000", "0100010001000000")
    assert io.IoResourceRequirementsList.unpack(data) == whole


@given(st.binary(max_size=200))
def test_any_bytes_are_a_requirements_list_or_refused(data: bytes) -> None:
    try:
        io.IoResourceRequirementsList.unpack(data)
    except UsageError as problem:
        assert re.search(r"0x", str(problem))


def test_a_list_edited_as_bytes_keeps_what_the_bytes_do_not_tell() -> None:
    bars = [
        io.IoResourceDescriptor(3, io.IoMemory(0x1000, 0x1000, 0, 0xFFFFFFFF, bar=bar, firmware=bar << 16, size=0x1000))
        for bar in (0, 2)
    ]
    line = io.IoResourceDescriptor(2, io.IoInterrupt(16, 23, pin=3))
    known = io.IoResourceRequirementsList((io.IoResourceList((*bars, line)),), msi=True)
    again = io.IoResourceRequirementsList.unpack(known.pack()).tagged_like(known)
    units = [d.u for d in again.lists[0].descriptors]
    assert [(u.bar, u.firmware, u.size) for u in units if isinstance(u, io.IoMemory)] == [(0, 0, 0x1000), (2, 0x20000, 0x1000)]
    assert [u.pin for u in units if isinstance(u, io.IoInterrupt)] == [3]
    assert again.msi


C_TEXT = r"""
#include <stddef.h>
#include <stdint.h>
#pragma pack(push, 4)
typedef struct { uint8_t Type, ShareDisposition; uint16_t Flags; union {
    struct { uint8_t Data[16]; } Generic;
    struct { uint64_t Start; uint32_t Length; } Port, Memory;
    struct { uint16_t Level, Group; uint32_t Vector; uint64_t Affinity; } Interrupt;
    struct { union { struct { uint16_t Group, MessageCount; uint32_t Vector; uint64_t Affinity; } Raw; }; } MessageInterrupt;
    struct { uint32_t Data0, Data1, Data2; } DevicePrivate;
    struct { uint32_t Start, Length, Reserved; } BusNumber;
} u; } CM_PARTIAL_RESOURCE_DESCRIPTOR;
typedef struct { uint16_t Version, Revision; uint32_t Count; CM_PARTIAL_RESOURCE_DESCRIPTOR List[1]; } CM_PARTIAL_RESOURCE_LIST;
typedef struct { uint32_t InterfaceType, BusNumber; CM_PARTIAL_RESOURCE_LIST List; } CM_FULL_RESOURCE_DESCRIPTOR;
typedef struct { uint32_t Count; CM_FULL_RESOURCE_DESCRIPTOR List[1]; } CM_RESOURCE_LIST;
#pragma pack(pop)
typedef struct { uint8_t Option, Type, ShareDisposition, Spare1; uint16_t Flags, Spare2; union {
    struct { uint8_t Data[24]; } Generic;
    struct { uint32_t Length, Alignment; uint64_t MinimumAddress, MaximumAddress; } Memory;
    struct { uint32_t MinimumVector, MaximumVector; uint16_t AffinityPolicy, Group; uint32_t PriorityPolicy;
             uint64_t TargetedProcessors; } Interrupt;
    struct { uint32_t Data0, Data1, Data2; } DevicePrivate;
} u; } IO_RESOURCE_DESCRIPTOR;
typedef struct { uint16_t Version, Revision; uint32_t Count; IO_RESOURCE_DESCRIPTOR List[1]; } IO_RESOURCE_LIST;
typedef struct { uint32_t ListSize, InterfaceType, BusNumber, SlotNumber, Reserved[3], AlternativeLists;
                 IO_RESOURCE_LIST List[1]; } IO_RESOURCE_REQUIREMENTS_LIST;
"""
COMMON = ("Type", "ShareDisposition", "Flags", "Option")
LISTS = (
    cm.CM_PARTIAL_RESOURCE_LIST, cm.CM_FULL_RESOURCE_DESCRIPTOR, cm.CM_RESOURCE_LIST, io.IO_RESOURCE_LIST,
    io.IO_RESOURCE_REQUIREMENTS_LIST,
)  # fmt: skip


def assertions() -> list[str]:
    out = []
    for layout in (*cm.CM_PARTIAL_RESOURCE_DESCRIPTOR.values(), *io.IO_RESOURCE_DESCRIPTOR.values()):
        struct, _, member = layout.name.partition(".")
        out.append(f"_Static_assert(sizeof({struct}) == {layout.size}, {layout.name!r});".replace("'", '"'))
        for field, offset, _ in layout.fields:
            path = field if field in COMMON else f"{member}.{field}"
            out.append(f'_Static_assert(offsetof({struct}, {path}) == {offset}, "{layout.name}.{field}");')
    for layout in LISTS:
        out.append(f'_Static_assert(offsetof({layout.name}, List) == {layout.size}, "{layout.name}.List");')
        out += [f'_Static_assert(offsetof({layout.name}, {f}) == {o}, "{layout.name}.{f}");' for f, o, _ in layout.fields]
    return out


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc to witness the layouts")
def test_a_c_compiler_agrees_with_every_offset_and_size() -> None:
    text = C_TEXT + "\n".join(assertions())
    run = subprocess.run(["gcc", "-x", "c", "-fsyntax-only", "-"], input=text, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_header_names_have_a_python_spelling() -> None:
    assert [snake(n) for n in ("MessageCount", "Data0", "AffinityPolicy")] == ["message_count", "data0", "affinity_policy"]


def test_msi_counts_down_from_the_token() -> None:
    descriptor = message(1).with_vectors(16)
    assert isinstance(descriptor.u, io.IoInterrupt)
    assert (descriptor.u.minimum_vector, descriptor.u.maximum_vector, descriptor.messages) == (0xFFFF_FFEF, 0xFFFF_FFFE, 16)
    line = replace(descriptor, flags=0)
    with pytest.raises(UsageError, match=r"^a descriptor of type 0x2 asks for no messages; pick one with the MESSAGE flag$"):
        line.with_vectors(2)

"""Structures from C text: layout, views, copies, and what is refused."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import LayoutError, UsageError
from dirql.hosts.sys import nt_structs, wdf_structs
from dirql.hosts.sys.nt_structs import (
    CM_PARTIAL_RESOURCE_DESCRIPTOR,
    CM_RESOURCE_LIST,
    DRIVER_OBJECT,
    IO_STACK_LOCATION,
    IRP,
    KDPC,
    KEVENT,
    LIST_ENTRY,
    SCATTER_GATHER_LIST,
)
from dirql.hosts.sys.structs import Buffer, Struct, struct
from dirql.hosts.sys.wdf_structs import WDF_DRIVER_GLOBALS, WDF_INTERRUPT_CONFIG, WDF_PNPPOWER_EVENT_CALLBACKS
from dirql.pnp import io_resources, resources


def _at(cls: type[Struct], size: int = 0x1000) -> Struct:
    return cls(Buffer(bytearray(size), 0xFFFF_8000_0000_0000), 0xFFFF_8000_0000_0100)


# fmt: off
LAYOUTS = [  # text, options, members' offsets, size
    ("UCHAR p; ULONG q;",                          {},             [0, 4],       8),
    ("UCHAR p; ULONG q;",                          {"pack": 1},    [0, 1],       5),
    ("UCHAR p; ULONGLONG q; UCHAR r;",             {},             [0, 8, 16],   24),
    ("UCHAR p; ULONGLONG q; UCHAR r;",             {"pack": 4},    [0, 4, 12],   16),
    ("ULONG p;",                                   {"align": 16},  [0],          16),
    ("ULONG p; UCHAR q[3]; USHORT r;",             {},             [0, 4, 8],    12),
    ("UCHAR p; struct { ULONGLONG x; UCHAR y; } q; UCHAR r;", {},  [0, 8, 24],   32),
    ("UCHAR p; PVOID *q; const PVOID *volatile r;", {},             [0, 8, 16],   24),
    ("ULONG p; USHORT POINTER_ALIGNMENT q; USHORT r;", {},         [0, 8, 10],   16),
    ("ULONG p, q, *r; // of C\n /* and\n this */ UCHAR d;", {},    [0, 4, 8, 16], 24),
    ("UCHAR p; USHORT q[ANYSIZE_ARRAY];",          {},             [0, 2],       4),
    ("ULONG p; ULONGLONG q[];",                    {},             [0, 8],       8),
    ("UCHAR p; USHORT q; ULONG r;",                {"union": True}, [0, 0, 0],   4),
    ("ULONG p : 3; ULONG q : 29; ULONG r : 1;",    {},             [0, 0, 4],    8),
    ("UCHAR p : 4; ULONG q : 4;",                  {},             [0, 4],       8),
    ("ULONG p : 20; ULONG q : 20;",                {},             [0, 4],       8),
    ("UCHAR p[0x10]; BOOLEAN q;",                  {},             [0, 16],      17),
    ("UCHAR p; LIST_ENTRY q;",                     {},             [0, 8],       24),
    ("UCHAR p; LIST_ENTRY *q;",                    {},             [0, 8],       16),
]
WRONG = [
    ("ULONG a",                   "X: ';' is missing after member a; the end stands there"),
    ("ULONG a; ULONG",            "X: the name of a member is missing at the end"),
    ("ULONG 5;",                  "X: the name of a member is missing; '5' stands there"),
    ("ULONG a[n];",               "X: the length of a must be a number and is 'n'"),
    ("ULONG a[2;",                "X: ']' is missing after the length of a; ';' stands there"),
    ("ULONG a;\nULONG b = 5;",    "X: '=' in line 2 is no part of a C declaration"),
    ("ULONG a; ULONG a;",         "X.a is declared twice"),
    ("ULONG a; struct { UCHAR b; union { UCHAR a; }; };", "X.a is declared twice"),
    ("ULONG a : 33;",             "X.a has 33 bits; its type holds 32"),
    ("ULONG address;",            "X.address has the name of something that every structure has; rename it"),
    ("struct { ULONG a; ",        "X: a type is missing at the end"),
    ("",                          "X declares no member"),
    ("DWORD a;",   "X.a has the type DWORD, which is not known; declare it before, or import the module that does"),
]
# fmt: on


@pytest.mark.parametrize(("text", "options", "offsets", "size"), LAYOUTS)
def test_members_are_laid_out_as_the_abi_says(text, options, offsets, size):
    made = struct("X", text, size=size, **options)
    assert [field.offset for field in made.fields.values()] == offsets


@pytest.mark.parametrize(("text", "error"), WRONG)
def test_text_that_is_no_structure_is_refused(text, error):
    with pytest.raises(LayoutError) as caught:
        struct("X", text, size=8)
    assert str(caught.value) == error


def test_another_size_than_the_fact_tables_is_refused():
    with pytest.raises(LayoutError) as caught:
        struct("KDPC", "ULONG Type; PVOID Routine;")
    assert str(caught.value) == "KDPC is 0x10 bytes as declared and 0x40 in facts/structs.csv; its last member is Routine at 0x8"


def test_another_size_than_its_own_is_refused():
    with pytest.raises(LayoutError) as caught:
        struct("X", "ULONG Type;", size=8)
    assert str(caught.value) == "X is 0x4 bytes as declared and 0x8 by its size=; its last member is Type at 0x0"


def test_a_structure_without_a_fact_is_refused():
    with pytest.raises(LayoutError) as caught:
        struct("KNOTHING", "ULONG Type;")
    assert str(caught.value) == "KNOTHING has no row in facts/structs.csv; add its size and the source"


def test_a_structure_is_declared_once():
    with pytest.raises(LayoutError, match=r"^LIST_ENTRY is declared twice$"):
        struct("LIST_ENTRY", "PVOID Flink; PVOID Blink;")


def test_every_row_of_the_table_is_a_structure_and_has_a_source():
    lines = files("dirql.facts").joinpath("structs.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert lines[0].startswith("# ")
    assert all(row["source"] for row in rows)
    declared = {getattr(module, name).__name__ for module in (nt_structs, wdf_structs) for name in module.__all__}
    assert sorted(row["name"] for row in rows) == sorted(declared)


def test_a_member_is_read_and_written_where_it_is():
    dpc = _at(KDPC)
    dpc.Number, dpc.DeferredRoutine, dpc.DpcListEntry.Next = 0x123, 0xFFFF_F801_0000_1000, 7
    assert (dpc.Number, dpc.DeferredRoutine, dpc.DpcListEntry.Next) == (0x123, 0xFFFF_F801_0000_1000, 7)
    assert dpc.memory.read(dpc.address + 2, 2) == b"\x23\x01"
    assert dpc.memory.read(dpc.address + 0x18, 8) == bytes.fromhex("00 10 00 00 01 f8 ff ff")
    assert dpc.DpcListEntry.address == dpc.address + 8


def test_offsets_follow_a_path_as_in_c():
    assert KDPC.offset("DeferredRoutine") == 0x18
    assert CM_PARTIAL_RESOURCE_DESCRIPTOR.offset("u.MessageInterrupt.Raw.Affinity") == 12
    assert IO_STACK_LOCATION.offset("Parameters.DeviceIoControl.IoControlCode") == 0x18
    assert IRP.offset("Tail.Overlay.CurrentStackLocation") == 0xB8
    assert KEVENT.field("Header.WaitListHead").size == 16
    with pytest.raises(UsageError) as caught:
        KEVENT.offset("Header.Lock.Value")
    assert str(caught.value) == "KEVENT has no member Header.Lock.Value; where 'Value' is looked for there are none"


def test_the_members_of_a_union_share_their_bytes():
    descriptor = _at(CM_PARTIAL_RESOURCE_DESCRIPTOR)
    descriptor.u.MessageInterrupt.Raw.MessageCount = 4
    assert descriptor.u.Interrupt.Group == 4
    assert descriptor.u.Memory.Start.QuadPart == 0x4_0000


def test_signed_members_come_back_signed_and_take_either_form():
    event = _at(KEVENT).Header
    event.SignalState = -1
    assert event.SignalState == -1
    event.SignalState = 0xFFFF_FFFE
    assert event.SignalState == -2


@pytest.mark.parametrize("value", [1 << 16, -(1 << 15) - 1])
def test_a_value_that_does_not_fit_is_refused(value):
    dpc = _at(KDPC)
    with pytest.raises(UsageError) as caught:
        dpc.Number = value
    assert str(caught.value) == f"KDPC.Number has 16 bits; {value:#x} does not fit"


def test_a_name_that_is_no_member_is_refused():
    dpc = _at(KDPC)
    with pytest.raises(AttributeError):
        dpc.Nummer = 3
    with pytest.raises(UsageError, match=r"^LIST_ENTRY has no member Next; there are Flink, Blink$"):
        LIST_ENTRY.new().store(Next=1)


@given(st.dictionaries(st.sampled_from(["Size", "ShareVector", "EvtInterruptIsr", "CanWakeDevice"]), st.integers(0, 127)))
def test_what_is_stored_is_loaded(values):
    config = _at(WDF_INTERRUPT_CONFIG)
    config.store(**values)
    loaded = config.load()._asdict()
    assert {name: value for name, value in loaded.items() if value} == {name: value for name, value in values.items() if value}


def test_a_copy_is_one_read_and_keeps_what_it_was():
    class Counting(Buffer):
        reads = 0

        def read(self, address: int, size: int) -> bytes:
            self.reads += 1
            return super().read(address, size)

    memory = Counting(bytearray(0x40))
    dpc = KDPC(memory, 0)
    dpc.Number = 5
    dpc.DpcListEntry.Next = 9
    copy = dpc.load()
    dpc.clear()
    assert (copy.Number, copy.DpcListEntry.Next, dpc.Number, memory.reads) == (5, 9, 0, 2)
    with pytest.raises(UsageError, match=r"^this is a loaded copy; write to the view that it was loaded from$"):
        copy.DpcListEntry.Next = 1


def test_an_older_shorter_form_loads_with_the_rest_zero():
    callbacks = WDF_PNPPOWER_EVENT_CALLBACKS(Buffer(bytearray(b"\x11" * 0x88)), 0)
    loaded = callbacks.load(0x88)
    assert (loaded.EvtDeviceRelationsQuery, loaded.EvtDeviceUsageNotificationEx) == (0x1111_1111_1111_1111, 0)


def test_arrays_are_indexed_iterated_and_filled():
    driver = _at(DRIVER_OBJECT)
    driver.MajorFunction[27] = 0x1000
    assert (len(driver.MajorFunction), list(driver.MajorFunction)[-2:]) == (28, [0, 0x1000])
    assert driver.load().MajorFunction == (*[0] * 27, 0x1000)
    driver.MajorFunction = [1, 2]
    assert list(driver.MajorFunction)[:3] == [1, 2, 0]
    for index in (-1, 28):
        with pytest.raises(IndexError, match=rf"^element {index} of 28$"):
            driver.MajorFunction[index] = 1
    with pytest.raises(UsageError, match=r"^DRIVER_OBJECT\.MajorFunction holds 28 elements; 29 do not fit$"):
        driver.MajorFunction = [0] * 29


def test_an_open_array_goes_on_past_the_structure():
    resources_of_it = _at(CM_RESOURCE_LIST)
    partial = resources_of_it.List[0].PartialResourceList.PartialDescriptors
    partial[5].Flags = 3
    assert partial[5].address == resources_of_it.address + 0x14 + 5 * 0x14
    elements = _at(SCATTER_GATHER_LIST).Elements
    elements[1].Length = 4
    assert (len(elements), elements[1].Length) == (0, 4)


def test_characters_are_bytes_padded_with_zeros():
    held = _at(WDF_DRIVER_GLOBALS)
    held.DriverName = b"mqueue"
    assert held.load().DriverName == b"mqueue".ljust(32, b"\0") == bytes(held.DriverName)
    with pytest.raises(UsageError, match=r"^WDF_DRIVER_GLOBALS\.DriverName holds 0x20 bytes; 0x21 do not fit$"):
        held.DriverName = bytes(33)


def test_a_structure_inside_is_set_from_a_view_or_its_bytes():
    event = _at(KEVENT)
    event.Header.WaitListHead = LIST_ENTRY.new(Flink=1, Blink=2)
    assert (event.Header.WaitListHead.Flink, event.Header.WaitListHead.Blink) == (1, 2)
    with pytest.raises(UsageError, match=r"^DISPATCHER_HEADER\.WaitListHead takes a LIST_ENTRY or its 0x10 bytes; 5 is neither$"):
        event.Header.WaitListHead = 5


def test_bits_leave_their_neighbours_alone():
    made = struct("X", "ULONG low : 3; ULONG middle : 5; ULONG high : 24;", size=4)
    view = made.new(low=-1, high=0xABCDEF)
    assert bytes(view) == b"\x07\xef\xcd\xab"
    assert tuple(view.load()) == (7, 0, 0xABCDEF)
    with pytest.raises(UsageError, match=r"^X\.middle has 5 bits; 0x20 does not fit$"):
        view.middle = 32


def test_a_buffer_ends():
    with pytest.raises(UsageError, match=r"^0x8 bytes at 0x104 lie outside the buffer, 0x8 bytes at 0x100$"):
        Buffer(bytearray(8), 0x100).read(0x104, 8)


def test_a_view_and_a_member_say_where_they_are():
    assert repr(KDPC(Buffer(b""), 0x1000)) == "<KDPC at 0x1000>"
    assert repr(KDPC.Number) == "<KDPC.Number 0x2 bytes at 0x2>"


# The Plug and Play layer has its own tables of the resource descriptors' bytes.
PACKED = [
    *((f"CM_PARTIAL_RESOURCE_DESCRIPTOR.u.{name}", "CM_PARTIAL_RESOURCE_DESCRIPTOR", packed)
      for name, packed in resources.CM_PARTIAL_RESOURCE_DESCRIPTOR.items()),
    *((f"IO_RESOURCE_DESCRIPTOR.u.{name}", "IO_RESOURCE_DESCRIPTOR", packed)
      for name, packed in io_resources.IO_RESOURCE_DESCRIPTOR.items()),
]  # fmt: skip


@pytest.mark.parametrize(("path", "name", "packed"), PACKED, ids=[row[0] for row in PACKED])
def test_resource_descriptors_agree_with_the_plug_and_play_layer(path, name, packed):
    cls = getattr(nt_structs, name)
    union = path.partition(".")[2]
    for member, offset, _ in packed.fields:
        if member.startswith("Data"):
            continue  # the plain bytes, or the elements of an array
        if member not in cls.fields:
            large = "Address" in member or (member == "Start" and "Bus" not in path)
            member = f"{union}.{member}.QuadPart" if large else f"{union}.{member}"
        assert cls.offset(member) == offset
    assert packed.size == cls.size

"""Memory objects, collections, MDLs and buffers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.kernel import BugCheck
from dirql.kernel.mdl import Buffer, Mdl
from dirql.machine import Memory as Ram
from dirql.wdf.collection import Collection
from dirql.wdf.memory import Memory
from dirql.wdf.object import Object, ObjectAttributes


@pytest.mark.parametrize("size", [1, 4096, 4097])
def test_a_memory_object_is_zeroed_and_as_long_as_asked(io: Any, size: int) -> None:
    w = io()
    memory = w.call(lambda: Memory.create(w.device, size))
    assert bytes(w.call(memory.get_buffer)) == bytes(size)


@pytest.mark.parametrize(("offset", "length", "fits"), [(0, 8, True), (7, 1, True), (0, 9, False), (8, 1, False), (-1, 1, False)])
def test_copies_stay_inside_the_buffer(io: Any, offset: int, length: int, fits: bool) -> None:
    w = io()
    memory = w.call(lambda: Memory.create(w.device, 8))
    words = w.failure(lambda: memory.copy_from_buffer(offset, b"x" * length))
    where = f"{length:#x} bytes at offset {offset:#x} of {memory.name}, which has 0x8"
    assert words == ("no error, but None" if fits else f"STATUS_BUFFER_TOO_SMALL: WdfMemoryCopyFromBuffer: {where}")
    words = w.failure(lambda: memory.copy_to_buffer(offset, length))
    expected = f"no error, but {b'x' * length!r}"
    assert words == (expected if fits else f"STATUS_BUFFER_TOO_SMALL: WdfMemoryCopyToBuffer: {where}")


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_memory_object_is_refused(io: Any, size: int) -> None:
    w = io()
    words = w.failure(lambda: Memory.create(w.device, size))
    assert words == f"STATUS_INVALID_PARAMETER: WdfMemoryCreate: BufferSize {size:#x} is not above 0"


def test_too_much_memory_is_insufficient_resources(io: Any) -> None:
    w = io()
    words = w.failure(lambda: Memory.create(w.device, 1 << 22))
    assert words == "STATUS_INSUFFICIENT_RESOURCES: all 0x200000 bytes of RAM are handed out"


@pytest.mark.parametrize("buffer", [bytearray(4), memoryview(bytearray(4))])
def test_a_preallocated_buffer_is_used_as_it_is(io: Any, buffer: Any) -> None:
    w = io()
    memory = w.call(lambda: Memory.create_preallocated(w.device, buffer))
    w.call(lambda: memory.copy_from_buffer(1, b"ab"))
    assert (bytes(buffer), w.call(memory.get_buffer)) == (b"\0ab\0", buffer)
    other = bytearray(2)
    w.call(lambda: memory.assign_buffer(other))
    assert w.call(memory.get_buffer) is other


def test_a_null_preallocated_buffer_is_bugcheck_10d_4(io: Any) -> None:
    w = io()
    with pytest.raises(BugCheck) as error:
        w.call(lambda: Memory.create_preallocated(w.device, None))
    assert error.value.why == "WdfMemoryCreatePreallocated: required parameter Buffer is NULL"


def test_the_buffer_lives_as_long_as_somebody_refers_to_the_object(io: Any) -> None:
    w = io()
    memory = w.call(lambda: Memory.create(w.device, 8))
    pages = list(memory.get_buffer.__wrapped__(memory).mdl.pages)
    w.call(lambda: (memory.reference(), memory.delete()))
    assert w.machine.memory.allocate_pages(1) != pages
    w.call(memory.dereference)
    assert w.machine.memory.allocate_pages(1) == pages


def test_a_collection_keeps_order_and_references(io: Any) -> None:
    w = io()

    def use() -> Any:
        collection = Collection.create(w.device)
        items = [Object(w.framework, w.device, None) for _ in range(3)]
        for item in items:
            collection.add(item)
        assert [i.references for i in items] == [2, 2, 2]
        assert (collection.get_count(), collection.get_first_item(), collection.get_last_item()) == (3, items[0], items[2])
        collection.remove(items[1])
        collection.remove_item(0)
        assert (collection.get_item(0), collection.get_item(1)) == (items[2], None)
        collection.delete()
        return [i.references for i in items]

    assert w.call(use) == [1, 1, 1]


def test_taking_what_is_not_in_a_collection_is_a_finding(io: Any) -> None:
    w = io()

    def use() -> str:
        collection = Collection.create(w.device)
        collection.remove_item(0)
        collection.remove(w.device)
        return collection.name

    name = w.call(use)
    assert w.findings == [
        ("not-in-collection", f"WdfCollectionRemoveItem: {name} has 0 items, no [0]"),
        ("not-in-collection", f"WdfCollectionRemove: card is not in {name}"),
    ]


def test_a_collection_without_a_parent_is_the_drivers(io: Any) -> None:
    w = io()
    collection = w.call(lambda: Collection.create(w.framework, ObjectAttributes()))
    assert collection.parent is w.driver


@given(offset=st.integers(0, 4095), data=st.binary(max_size=9000), at=st.integers(0, 9000))
def test_an_mdl_reads_back_what_was_written_across_scattered_pages(offset: int, data: bytes, at: int) -> None:
    ram = Ram(1 << 21)
    mdl = Mdl(ram, ram.allocate_pages(6), offset, 20_000)
    mdl.write(at, data)
    assert mdl.read(at, len(data)) == data
    assert mdl.read() == bytes(at) + data + bytes(20_000 - at - len(data))
    assert sum(length for _, length in mdl.fragments(at, len(data))) == len(data)


def test_adjacent_pages_are_one_fragment() -> None:
    mdl = Mdl(Ram(1 << 21), [0x5000, 0x6000, 0x9000], 0x10, 0x2800)
    assert mdl.fragments() == [(0x5010, 0x1FF0), (0x9000, 0x810)]
    assert mdl.fragments(0xFF0, 0x20) == [(0x6000, 0x20)]
    assert mdl.fragments(0, 0) == []


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, 0x2801), (0x2801, 0)])
def test_a_part_outside_an_mdl_is_refused(offset: int, length: int) -> None:
    mdl = Mdl(Ram(1 << 21), [0x5000, 0x6000, 0x9000], 0x10, 0x2800)
    with pytest.raises(ValueError, match=f"^bytes {offset:#x} to {offset + length:#x} of a buffer of 0x2800 bytes$"):
        mdl.read(offset, length)


def test_an_mdl_does_not_reach_beyond_its_pages() -> None:
    with pytest.raises(ValueError, match=r"^0x1000 bytes from offset 0x1 do not lie in 1 pages$"):
        Mdl(Ram(1 << 21), [0x5000], 1, 0x1000)


@given(data=st.binary(min_size=1, max_size=5000), a=st.integers(-6000, 6000), b=st.integers(-6000, 6000))
def test_a_buffer_is_sliced_as_bytes_are(data: bytes, a: int, b: int) -> None:
    buffer = Buffer.allocate(Ram(1 << 21), len(data))
    buffer[:] = data
    assert bytes(buffer) == data
    assert buffer[a:b] == data[a:b]
    assert buffer[::-1] == data[::-1]
    assert buffer[0] == data[0] and buffer[-1] == data[-1]


@pytest.mark.parametrize("index", [4, -5])
def test_a_byte_outside_a_buffer_is_an_index_error(index: int) -> None:
    buffer = Buffer.allocate(Ram(1 << 21), 4)
    with pytest.raises(IndexError, match=f"^byte {index:#x} of a buffer of 0x4 bytes$"):
        buffer[index]


def test_a_buffer_does_not_change_its_length() -> None:
    buffer = Buffer.allocate(Ram(1 << 21), 4)
    with pytest.raises(ValueError, match=r"^0x3 bytes for \[0x0:0x4:1\]: a buffer does not change its length$"):
        buffer[:] = b"abc"

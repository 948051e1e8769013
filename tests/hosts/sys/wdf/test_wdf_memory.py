"""Memory objects, lookaside lists and generic objects: bytes at addresses of the driver's."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.kernel.stop import BugCheck
from dirql.ntstatus import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_FOUND,
)

STORE = b"\x88\x11\x8a\x01\xc3"  # mov [rcx], dl; mov al, [rcx]; ret


def test_a_memory_objects_bytes_are_where_the_driver_is_told(wdf: Any) -> None:
    out, buffer, size = wdf.out(), wdf.out(), wdf.out()
    assert wdf.call("WdfMemoryCreate", 0, 512, 0x74736554, 0x1800, out, buffer) == 0
    memory, address = wdf.value(out), wdf.value(buffer)
    assert wdf.call("WdfMemoryGetBuffer", memory, size) == address and wdf.value(size) == 0x1800
    assert wdf.world.run(STORE, address + 0x17FF, 0x5A) & 0xFF == 0x5A
    assert bytes(wdf.object(memory).get_buffer.__wrapped__(wdf.object(memory)))[-1] == 0x5A


def test_the_bytes_of_a_deleted_memory_object_answer_no_more(wdf: Any) -> None:
    memory = wdf.create("WdfMemoryCreate", 0, 512, 0, 64, last=(0,))
    address = wdf.call("WdfMemoryGetBuffer", memory, 0)
    wdf.call("WdfObjectDelete", memory)
    with pytest.raises(BugCheck, match=r"0x0 bytes into the buffer of memory\d+ of 0x40 bytes at 0x\w+, which was freed"):
        wdf.read(address, 1)


@pytest.mark.parametrize("size", [16, 0x40, 0xFE0, 0x1000, 0x2000])
def test_a_driver_that_writes_past_a_memory_object_is_caught_at_the_instruction(wdf: Any, size: int) -> None:
    address = wdf.call("WdfMemoryGetBuffer", wdf.create("WdfMemoryCreate", 0, 512, 0, size, last=(0,)), 0)
    wdf.world.run(STORE, address + size - 1, 1)
    with pytest.raises(BugCheck, match=rf"bugcheck 0xd6 .* 0x0 bytes past the end of the buffer of memory\d+ of {size:#x} bytes"):
        wdf.world.run(STORE, address + size, 1)


@pytest.mark.parametrize(
    ("size", "at", "where"),
    [(60, 60, "0x0 bytes past its end"), (60, 63, "0x3 bytes past its end"), (64, -1, "0x1 bytes before it"),
     (0x1001, 0x1001, "0x0 bytes past its end")],
)  # fmt: skip
def test_what_is_written_beside_a_memory_object_is_found_when_it_is_deleted(wdf: Any, size: int, at: int, where: str) -> None:
    memory = wdf.create("WdfMemoryCreate", 0, 512, 0, size, last=(0,))
    address = wdf.call("WdfMemoryGetBuffer", memory, 0)
    wdf.world.run(STORE, address + at, 1)
    buffer = f"the buffer of {wdf.object(memory).name} of {size:#x} bytes at {address:#x}"
    sentence = f"{buffer} is freed, and {address + at:#x}, {where}, was overwritten"
    with pytest.raises(BugCheck, match=rf"bugcheck 0xc1 SPECIAL_POOL_\w+ .*{sentence}"):
        wdf.call("WdfObjectDelete", memory)


def test_a_buffer_of_the_drivers_own_keeps_its_address(wdf: Any) -> None:
    own, other = wdf.memory(16, b"0123456789abcdef"), wdf.memory(8, b"ABCDEFGH")
    memory = wdf.create("WdfMemoryCreatePreallocated", 0, own, 16)
    assert wdf.call("WdfMemoryGetBuffer", memory, 0) == own
    assert wdf.call("WdfMemoryCopyFromBuffer", memory, 4, other, 8) == 0
    assert wdf.read(own, 16) == b"0123ABCDEFGHcdef"
    assert wdf.call("WdfMemoryAssignBuffer", memory, other, 8) == 0
    assert wdf.call("WdfMemoryGetBuffer", memory, 0) == other
    target = wdf.memory(4)
    assert wdf.call("WdfMemoryCopyToBuffer", memory, 2, target, 4) == 0 and wdf.read(target, 4) == b"CDEF"


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [("WdfMemoryCopyToBuffer", (60, "buffer", 8), STATUS_BUFFER_TOO_SMALL),
     ("WdfMemoryCopyFromBuffer", (64, "buffer", 1), STATUS_BUFFER_TOO_SMALL),
     ("WdfMemoryCopyFromBuffer", (0, "buffer", 0), STATUS_INVALID_PARAMETER),
     ("WdfMemoryAssignBuffer", ("buffer", 8), STATUS_INVALID_DEVICE_REQUEST)],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wdf: Any, name: str, arguments: tuple[Any, ...], status: int) -> None:
    memory = wdf.create("WdfMemoryCreate", 0, 512, 0, 64, last=(0,))
    buffer = wdf.memory(64)
    assert wdf.call(name, memory, *(buffer if a == "buffer" else a for a in arguments)) == status


@pytest.mark.parametrize(("size", "status"), [(0, STATUS_INVALID_PARAMETER), (1 << 60, STATUS_INSUFFICIENT_RESOURCES)])
def test_a_size_that_cannot_be_is_refused(wdf: Any, size: int, status: int) -> None:
    assert wdf.call("WdfMemoryCreate", 0, 512, 0, size, wdf.out(), 0) == status
    assert wdf.create("WdfMemoryCreate", 0, 512, 0, 0x100000, last=(0,))


@pytest.mark.parametrize("name", ["WdfMemoryCreatePreallocated", "WdfMemoryCopyToBuffer"])
def test_a_required_buffer_that_is_null_is_a_bugcheck(wdf: Any, name: str) -> None:
    memory = wdf.create("WdfMemoryCreate", 0, 512, 0, 64, last=(0,))
    arguments = (0, 0, 64, wdf.out()) if name == "WdfMemoryCreatePreallocated" else (memory, 0, 0, 8)
    with pytest.raises(BugCheck, match=rf"\(0x4, .*{name}: required parameter Buffer is NULL"):
        wdf.call(name, *arguments)


def test_a_lookaside_list_makes_memory_objects_of_one_size(wdf: Any) -> None:
    lookaside = wdf.create("WdfLookasideListCreate", 0, 48, 512, wdf.attributes(ParentObject=wdf.device), 0x6B6F6F4C)
    memory, size = wdf.create("WdfMemoryCreateFromLookaside", lookaside), wdf.out()
    assert wdf.call("WdfMemoryGetBuffer", memory, size) and wdf.value(size) == 48
    assert wdf.object(memory).parent is wdf.device_object


def test_a_context_leads_back_to_its_object(wdf: Any) -> None:
    info = wdf.context_type()
    handle = wdf.create("WdfObjectCreate", wdf.attributes(ParentObject=wdf.device, ContextTypeInfo=info))
    context = wdf.call("WdfObjectGetTypedContextWorker", handle, info)
    assert wdf.call("WdfObjectContextGetObject", context) == handle
    with pytest.raises(BugCheck, match=r"WDF_VIOLATION \(0x5, .*which is no context"):
        wdf.call("WdfObjectContextGetObject", context + 8)


def test_a_destroy_callback_still_finds_the_context_and_a_reference_puts_it_off(wdf: Any) -> None:
    info, seen = wdf.context_type(), []
    destroy = wdf.callback(lambda h, *_: seen.append(wdf.value(wdf.inside("WdfObjectGetTypedContextWorker", h, info))), 1)
    handle = wdf.create("WdfObjectCreate", wdf.attributes(EvtDestroyCallback=destroy, ContextTypeInfo=info))
    context = wdf.call("WdfObjectGetTypedContextWorker", handle, info)
    wdf.guest.space.write(context, b"\x07")
    wdf.call("WdfObjectReferenceActual", handle, 0, 0, 0)
    wdf.call("WdfObjectDelete", handle)
    assert seen == []
    wdf.call("WdfObjectDereferenceActual", handle, 0, 0, 0)
    assert seen == [7]


def test_no_object_answers_a_query(wdf: Any) -> None:
    assert wdf.call("WdfObjectQuery", wdf.device, wdf.memory(16), 8, wdf.out()) == STATUS_NOT_FOUND

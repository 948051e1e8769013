"""Lookaside lists, and memory that goes back to the machine."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.kernel.mdl import Buffer
from dirql.machine import PAGE_SIZE
from dirql.wdf.lookaside import LookasideList
from dirql.wdf.memory import Memory
from dirql.wdf.object import ObjectAttributes, create_object


def test_a_lookaside_list_makes_zeroed_memory_objects_below_the_driver(io: Any) -> None:
    w = io()
    lookaside = w.call(lambda: LookasideList.create(w.framework, 24))
    memory = w.call(lookaside.create_memory)
    assert bytes(w.call(memory.get_buffer)) == bytes(24)
    assert lookaside.parent is w.driver and memory.parent is w.driver


def test_the_memory_attributes_name_the_parent_of_every_memory_object(io: Any) -> None:
    w = io()
    attributes = ObjectAttributes(parent_object=w.device)
    lookaside = w.call(lambda: LookasideList.create(w.device, 24, memory_attributes=attributes))
    assert lookaside.parent is w.device and w.call(lookaside.create_memory).parent is w.device


@pytest.mark.parametrize("size", [0, -8])
def test_a_lookaside_list_of_nothing_is_refused(io: Any, size: int) -> None:
    w = io()
    words = w.failure(lambda: LookasideList.create(w.framework, size))
    assert words == f"STATUS_INVALID_PARAMETER: WdfLookasideListCreate: BufferSize {size:#x} is not above 0"


def test_a_lookaside_list_without_memory_is_insufficient_resources(io: Any) -> None:
    w = io()
    lookaside = w.call(lambda: LookasideList.create(w.framework, 1 << 22))
    words = w.failure(lookaside.create_memory)
    assert words == "STATUS_INSUFFICIENT_RESOURCES: all 0x200000 bytes of RAM are handed out"


def test_a_memory_object_that_is_refused_leaves_its_pages(io: Any) -> None:
    w = io()
    parent = w.call(lambda: create_object(w.driver, ObjectAttributes(execution_level=1)))
    parent.deleting = True
    gone: list[int] = []
    w.machine.memory.freed.append(gone.extend)
    words = w.failure(lambda: Memory.create(w.driver, 100, ObjectAttributes(parent_object=parent)))
    assert words == f"STATUS_DELETE_PENDING: parent {parent.name} is being deleted" and len(gone) == 1


@pytest.mark.parametrize("length", [1, 16, 17, 0xFE0, 0xFF0, 0x1000, 0x1001])
def test_less_than_a_page_of_pool_ends_where_its_page_does(io: Any, length: int) -> None:
    w = io()
    mdl = Buffer.allocate(w.machine.memory, length, pool=True).mdl
    room = len(mdl.pages) * PAGE_SIZE - mdl.byte_offset - length
    assert mdl.byte_offset % 16 == 0 and (room < 16 if length < PAGE_SIZE - 15 else mdl.byte_offset == 0)


def test_who_wants_to_know_is_told_which_pages_go_back(io: Any) -> None:
    w, gone = io(), []
    w.machine.memory.freed.append(gone.extend)
    buffer = Buffer.allocate(w.machine.memory, PAGE_SIZE + 1)
    buffer.free()
    contiguous = w.machine.memory.allocate_contiguous(PAGE_SIZE + 1)
    w.machine.memory.free_contiguous(contiguous, PAGE_SIZE + 1)
    assert gone == [*buffer.mdl.pages, contiguous, contiguous + PAGE_SIZE]

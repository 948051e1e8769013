"""The one RAM."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import UsageError
from dirql.machine import PAGE_SIZE, Memory
from dirql.machine import memory as memory_module
from dirql.system import System

SIZE = 2 << 20


@pytest.mark.parametrize("size", [0, 4096, (1 << 20) - 4096, (1 << 20) + 1])
def test_a_size_that_makes_no_machine_is_refused(size: int) -> None:
    text = f"memory of {size:#x} bytes: a whole number of 4 KiB pages, at least 2 MiB, is needed"
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        Memory(size)


def test_pages_are_scattered_zeroed_and_never_handed_out_twice() -> None:
    memory = Memory(SIZE)
    memory.view[:] = b"\xff" * SIZE
    pages = memory.allocate_pages(64)
    assert len(set(pages)) == 64 and all(page % PAGE_SIZE == 0 and page >= 1 << 20 for page in pages)
    assert all(memory.read(page, PAGE_SIZE) == bytes(PAGE_SIZE) for page in pages)
    assert not any(b - a == PAGE_SIZE for a, b in pairwise(pages))


@pytest.mark.parametrize("contiguous", range(24))
def test_every_page_can_be_had(contiguous: int) -> None:
    memory = Memory(SIZE)
    if contiguous:
        memory.allocate_contiguous(contiguous * PAGE_SIZE)
    pages = memory.allocate_pages(256 - contiguous)
    assert len(set(pages)) == 256 - contiguous
    with pytest.raises(MemoryError, match=f"^all {SIZE:#x} bytes of RAM are handed out$"):
        memory.allocate_pages(1)
    memory.free_pages(pages[3:5])
    assert sorted(memory.allocate_pages(2)) == sorted(pages[3:5])


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5 * PAGE_SIZE), st.sampled_from([1, 4096, 65536])), max_size=15))
def test_allocations_never_overlap(requests: list[tuple[bool, int, int]]) -> None:
    memory = Memory(SIZE)
    taken: set[int] = set()
    for contiguous, length, alignment in requests:
        count = -(-length // PAGE_SIZE)
        try:
            if contiguous:
                start = memory.allocate_contiguous(length, alignment)
                assert start % max(alignment, PAGE_SIZE) == 0
                got = {start + i * PAGE_SIZE for i in range(count)}
            else:
                got = set(memory.allocate_pages(count))
        except MemoryError:
            continue
        assert len(got) == count and not got & taken and max(got) + PAGE_SIZE <= SIZE
        taken |= got


def test_contiguous_memory_that_is_not_there_says_so() -> None:
    with pytest.raises(MemoryError, match=f"^no {SIZE:#x} contiguous bytes left in {SIZE:#x} bytes of RAM$"):
        Memory(SIZE).allocate_contiguous(SIZE)


@given(st.integers(0, 2 * SIZE), st.binary(max_size=64))
def test_a_write_lies_wholly_in_ram_or_changes_nothing(address: int, data: bytes) -> None:
    memory = Memory(SIZE)
    inside = address + len(data) <= SIZE
    assert memory.write(address, data) == inside
    back = memory.read(address, len(data))
    assert len(back) == len(data)
    if inside:
        assert back == data
    else:
        held = max(0, min(len(data), SIZE - address))
        assert back == bytes(held) + b"\xff" * (len(data) - held)


STATM = Path("/proc/self/statm")


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells what a process has mapped")
def test_dropped_systems_give_their_ram_back() -> None:
    Memory.collect()
    before = int(STATM.read_text().split()[0]) * PAGE_SIZE
    most = 0
    for _ in range(30):
        system = System(1, memory=512 << 20)
        system.call(lambda: None)
        most = max(most, int(STATM.read_text().split()[0]) * PAGE_SIZE)
    assert most - before < 8 << 30  # of 15 GiB


def test_a_system_at_rest_that_was_dropped_is_garbage() -> None:
    system = System(2, memory=SIZE)
    system.call(lambda: None)
    memory = ref(system.machine.memory)
    del system
    Memory.collect()
    assert memory() is None


def test_ram_that_is_not_to_be_had_is_asked_for_again_once_what_was_dropped_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    mapped, refused = memory_module._map, []

    def scarce(size: int) -> object:
        if not refused:
            refused.append(size)
            raise OSError(12, "Cannot allocate memory")
        return mapped(size)

    monkeypatch.setattr(memory_module, "_map", scarce)
    assert len(Memory(SIZE).view) == SIZE and refused == [SIZE]

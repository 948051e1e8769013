"""Pages of RAM by what a driver asks of their addresses: contiguous memory, and pages for an MDL (MmAllocateContiguousMemory,
MmAllocatePagesForMdlEx).

Limits: caching attributes and NUMA nodes have no effect. One range is tried, from the top of RAM down: where that breaks the
driver's bounds the routine fails (model choice), though another one might have done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.ddi import ddi
from dirql.kernel.mdl import Mdl
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = [
    "allocate_contiguous_memory", "allocate_pages_for_mdl", "free_contiguous_memory", "free_pages_from_mdl",
]  # fmt: skip

ANYWHERE = (1 << 64) - 1


@ddi("MmAllocateContiguousMemory")
def allocate_contiguous_memory(
    kernel: Kernel, length: int, highest: int = ANYWHERE, lowest: int = 0, boundary: int = 0
) -> int | None:
    """The physical address of `length` bytes in whole pages, between `lowest` and `highest` and across no multiple of
    `boundary`; None when there are none."""
    if not length or length > kernel.machine.memory.size:
        return None
    memory = kernel.machine.memory
    try:
        start = memory.allocate_contiguous(length)
    except MemoryError:
        return None
    end = start + length - 1
    if start < lowest or end > highest or (boundary and start // boundary != end // boundary):
        memory.free_contiguous(start, length)
        return None
    return start


@ddi("MmFreeContiguousMemory")
def free_contiguous_memory(kernel: Kernel, address: int, length: int) -> None:
    """What `allocate_contiguous_memory` returned for `length`."""
    kernel.machine.memory.free_contiguous(address, length)


@ddi("MmAllocatePagesForMdlEx")
def allocate_pages_for_mdl(
    kernel: Kernel, length: int, lowest: int = 0, highest: int = ANYWHERE, *, contiguous: bool = False, whole: bool = False
) -> Mdl | None:
    """Pages between two addresses: as many of those wanted as there are, or None if they must be the `whole` and are not, or
    when there is none."""
    memory = kernel.machine.memory
    count = min(-(-length // PAGE_SIZE), memory.size // PAGE_SIZE)
    if contiguous:
        start = allocate_contiguous_memory(kernel, count * PAGE_SIZE, highest, lowest)
        pages = [] if start is None else [start + i * PAGE_SIZE for i in range(count)]
    else:
        pages = _scattered(kernel, count, lowest, highest)
    if not pages or (whole and len(pages) * PAGE_SIZE < length):
        memory.free_pages(pages)
        return None
    return Mdl(memory, pages, 0, min(length, len(pages) * PAGE_SIZE))


@ddi("MmFreePagesFromMdl")
def free_pages_from_mdl(kernel: Kernel, mdl: Mdl) -> None:
    """Gives the pages back; the MDL describes none any more."""
    kernel.machine.memory.free_pages(list(mdl.pages))


def _scattered(kernel: Kernel, count: int, lowest: int, highest: int) -> list[int]:
    memory = kernel.machine.memory
    found: list[int] = []
    beyond: list[int] = []
    while len(found) < count:
        try:
            (page,) = memory.allocate_pages(1)
        except MemoryError:
            break
        (found if lowest <= page and page + PAGE_SIZE - 1 <= highest else beyond).append(page)
    if beyond:
        memory.free_pages(beyond)
    return found

"""Which bytes of RAM are somebody's, so that DMA which goes elsewhere is seen: to nobody's memory, past a buffer's end, to what
was freed.

Every allocation is an extent; a device may reach whatever is allocated, as nothing here says which device a buffer was given to.
A buffer ends with its last byte, though its last page goes on (model choice: without DMA remapping nothing on a machine tells).
Limits: memory that is allocated counts as given to the device, a driver's code and stacks included; without an IOMMU no machine
knows better.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["PAGE_SHIFT", "Extent", "Lent"]

PAGE_SHIFT = 12
Extent = tuple[int, int, int]  # where it begins and ends, and which allocation it belongs to


class Lent:
    """The extents by page: no two allocations share one."""

    def __init__(self) -> None:
        self.of_page: dict[int, Extent] = {}
        self._gone: dict[int, Extent] = {}
        self._allocations = 0

    def lend(self, extents: Iterable[tuple[int, int]]) -> None:
        """One allocation's [start, end), each of them in pages that are its own."""
        self._allocations = number = self._allocations + 1
        for start, end in extents:
            for page in range(start >> PAGE_SHIFT, (end - 1 >> PAGE_SHIFT) + 1):
                self.of_page[page] = start, end, number

    def take_back(self, pages: Iterable[int]) -> None:
        """The pages at these addresses are nobody's any more."""
        for address in pages:
            extent = self.of_page.pop(address >> PAGE_SHIFT, None)
            if extent is not None:
                self._gone[address >> PAGE_SHIFT] = extent

    def around(self, address: int, end: int) -> tuple[int, int] | None:
        """[start, end) of an extent that holds all of it, or of what is asked for where neighbouring pages of one allocation do;
        None when a byte of it is nobody's."""
        extent = self.of_page.get(address >> PAGE_SHIFT)
        if extent is None or address < extent[0]:
            return None
        if end <= extent[1]:
            return extent[0], extent[1]
        at = extent[1]
        while at < end:
            beyond = self.of_page.get(at >> PAGE_SHIFT)
            if beyond is None or beyond[0] != at or beyond[2] != extent[2]:
                return None
            at = beyond[1]
        return address, end

    def freed(self, address: int) -> bool:
        """What was there was given back, and nobody has it now."""
        page = address >> PAGE_SHIFT
        return page in self._gone and page not in self.of_page

    def buffer_at(self, address: int) -> tuple[int, int] | None:
        """[start, end) of what is, or was last, in the page."""
        page = address >> PAGE_SHIFT
        extent = self.of_page.get(page) or self._gone.get(page)
        return None if extent is None else extent[:2]

"""Puts a driver image into the guest: pages with their rights, imports bound to stubs, instructions to be trapped replaced.

Limits: an image is never unloaded from its addresses while the system lives. Which sections a driver has locked in memory
is not followed: of one that imports what locks them (MmLockPagableCodeSection is MmLockPagableDataSection) none is told.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.blocks import basic_blocks, covered
from dirql.hosts.sys.decode import special_instructions
from dirql.hosts.sys.image import Image, ImageError, Section
from dirql.hosts.sys.page_table import Rights
from dirql.hosts.sys.symbols import Symbols, load_symbols
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["LoadedImage", "discard_init", "load_image"]

HLT = b"\xf4"
RUNTIME_FUNCTION = struct.Struct("<III")
LOCKERS = {"MmLockPagableDataSection", "MmLockPagableSectionByHandle", "MmPageEntireDriver", "MmResetDriverPaging"}


@dataclass
class LoadedImage:
    """An image at its address."""

    image: Image
    base: int
    region: Region
    ran: set[tuple[int, int]] = field(default_factory=set)  # straight lines of code that were come to: (address, bytes)

    @property
    def entry(self) -> int:
        """The address of its entry point."""
        return self.base + self.image.entry

    def __contains__(self, address: int) -> bool:
        return self.base <= address < self.base + self.image.size

    @cached_property
    def symbols(self) -> Symbols:
        """Read when they are first asked for: that takes a while."""
        return load_symbols(self.image, Path(self.image.source))

    def words(self, address: int, *, returning: bool = False) -> str:
        """`mqueue.sys!Isr+0x1a (mqueue.c:88)`; `returning`: a call comes back there, and its own line is told."""
        return self.symbols.words(address - self.base, returning=returning)

    def coverage(self, ran: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """How many basic blocks begin in such lines, and how many there are."""
        blocks = basic_blocks(self._functions())
        return len(covered(blocks, ran)), len(blocks)

    def _functions(self) -> Iterator[tuple[int, bytes]]:
        """As the file has them: what was discarded since too, and each byte once, whatever .pdata says."""
        pages, directory, end = self.image.laid_out(self.base), self.image.exceptions, 0
        table = pages[directory.rva : directory.rva + directory.size] if directory is not None else b""
        for first, last, _ in sorted(RUNTIME_FUNCTION.iter_unpack(table)):
            first, end = max(first, end), max(last, end)
            if first < end:
                yield self.base + first, bytes(pages[first:end])


def load_image(guest: Guest, image: Image) -> LoadedImage:
    """The image in the guest's memory, every import bound."""
    space = guest.space
    try:
        region = space.allocate(Area.IMAGE, image.size, image.name, Rights.READ | Rights.WRITE)
    except MemoryError as full:
        wanted = f"SizeOfImage is {image.size:#x}, and {full}"
        raise ImageError(image.source, "", wanted, "give the machine more: memory under [machine], or System(memory=…)") from None
    base = region.start
    space.write(base, bytes(image.laid_out(base)))
    loaded = LoadedImage(image, base, region)
    for one in image.imports:
        address = guest.resolve(one.dll, one.name if one.name is not None else f"#{one.ordinal}")
        space.write(base + one.slot, address.to_bytes(8, "little"))
    starts = _function_starts(guest, loaded)
    for section in image.sections:
        if section.executable:
            _trap(guest, base + section.rva, section, starts)
    space.pages.protect(base, region.pages, Rights.READ)
    pageable = _pageable(guest, image)
    for section in image.sections:
        rights = Rights.READ
        rights |= Rights.WRITE if section.writable else 0
        rights |= Rights.EXECUTE if section.executable else 0
        first = base + section.rva
        if section.pageable:
            rights |= pageable
        space.pages.protect(first & ~(PAGE_SIZE - 1), _pages(first, section.virtual_size), rights)
    return loaded


def discard_init(guest: Guest, loaded: LoadedImage) -> None:
    """After DriverEntry: what only that needed is gone."""
    for section in loaded.image.sections:
        if section.discardable:
            first = loaded.base + section.rva
            guest.pages.unmap(first, _pages(first, section.virtual_size))
            guest.processor.forget_code()


def _pageable(guest: Guest, image: Image) -> Rights:
    """Of its sections named PAGE: with Driver Verifier they are paged out at a raised IRQL, without it they happen to be in."""
    if guest.framework.verifier.driver:
        return Rights.PAGEABLE
    return Rights.NONE if any(one.name in LOCKERS for one in image.imports) else Rights.PAGEABLE | Rights.TOLERATED


def _trap(guest: Guest, address: int, section: Section, starts: list[int]) -> None:
    code = guest.space.read(address, len(section.data))
    for instruction in special_instructions(code, address, starts):
        guest.traps.watch(instruction)
        guest.space.write(instruction.address, HLT)


def _function_starts(guest: Guest, loaded: LoadedImage) -> list[int]:
    directory = loaded.image.exceptions
    if directory is None:
        return []
    table = guest.space.read(loaded.base + directory.rva, directory.size)
    return [loaded.base + begin for begin, _, _ in RUNTIME_FUNCTION.iter_unpack(table)]


def _pages(address: int, length: int) -> int:
    return -(-((address & PAGE_SIZE - 1) + length) // PAGE_SIZE)

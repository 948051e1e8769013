"""A guest with code in it: machine code as bytes, each with its assembly beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dirql.device.models import MultiQueue
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.guest import Frame, Guest
from dirql.hosts.sys.load import declare_routines
from dirql.hosts.sys.page_table import Rights
from dirql.machine.chooser import Chooser
from dirql.machine.memory import PAGE_SIZE
from dirql.system import System

RWX = Rights.READ | Rights.WRITE | Rights.EXECUTE


@dataclass
class World:
    """A system, its guest, and what reached the card's registers."""

    system: System
    guest: Guest
    card: Any
    accesses: list[tuple[str, int, int, int]] = field(default_factory=list)

    def place(self, code: bytes) -> int:
        """The address of `code`."""
        region = self.guest.space.allocate(Area.IMAGE, max(len(code), PAGE_SIZE), "code", RWX)
        self.guest.space.write(region.start, code)
        return region.start

    def run(self, code: bytes, *arguments: int) -> int:
        """What RAX holds when `code` has returned, called on a system thread."""
        return self.call(self.place(code), *arguments)

    def call(self, entry: int, *arguments: int) -> int:
        """Call a function that was placed."""
        return self.system.call(self.guest.call, entry, *arguments)

    def routine(self, name: str, *arguments: int) -> int:
        """Call a routine as a driver does, by its name ("ntoskrnl!KeStallExecutionProcessor", "wdf!WdfObjectDelete" with the
        globals first); what RAX holds afterwards."""
        return self.call(self.guest.stubs.address(name, ROUTINES[name]), *arguments)

    def script(self, body: Callable[[Callable[..., int]], Any]) -> Any:
        """Run `body(call)` on one system thread; `call("KeSetEvent", …)` calls ntoskrnl's routine as a driver does."""

        def call(name: str, *arguments: int) -> int:
            key = next(k for k in (f"ntoskrnl!{name}", f"hal!{name}") if k in ROUTINES)
            return self.guest.call(self.guest.stubs.address(key, ROUTINES[key]), *[a & (1 << 64) - 1 for a in arguments])

        return self.system.call(body, call)

    def memory(self, size: int = 0x100) -> int:
        """The address of zeroed memory of the driver's."""
        return self.guest.space.allocate(Area.BUFFER, size, "a test's memory").start

    def number(self, address: int, size: int = 8) -> int:
        """What is there."""
        return int.from_bytes(self.guest.space.read(address, size), "little")

    def store(self, address: int, value: int, size: int = 8) -> int:
        """Writes a number; its address."""
        self.guest.space.write(address, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))
        return address

    def function(self, python: Callable[..., int | None], count: int = 4) -> int:
        """The address of a driver's function that `python` stands for: called with its first `count` arguments."""

        def enter(guest: Guest, frame: Frame) -> int:
            slots = [frame.arguments[i] if i < 4 else frame.stack_slot(i) for i in range(count)]
            return (python(*slots) or 0) & (1 << 64) - 1

        return self.guest.stubs.address(f"test!{id(enter)}", enter)

    def registers(self, length: int = 0x1000) -> int:
        """The address at which the driver sees the card's BAR 0; every access is kept."""
        card = self.card
        card.config_write(0x10, 4, 0xC000_0000)
        card.config_write(0x04, 2, 0x0006)
        value = {"next": 0x1122_3344_5566_7788}

        def read(bar: int, offset: int, size: int) -> int:
            self.accesses.append(("read", offset, size, 0))
            return value["next"] >> 8 * (offset & 7) & (1 << 8 * size) - 1

        def write(bar: int, offset: int, size: int, given: int) -> None:
            self.accesses.append(("write", offset, size, given))

        card.bar_read, card.bar_write = read, write

        def map_them() -> int:
            return self.guest.devices.map(self.system.kernel.mm_map_io_space(0xC000_0000, length), 0xC000_0000, length)

        return self.system.call(map_them)


def build_world(chooser: Chooser | None = None) -> World:
    """Two processors and a card."""
    declare_routines()
    system = System(2, memory=16 << 20, chooser=chooser)
    card = system.plug(MultiQueue())
    return World(system, Guest(system.kernel, system.framework), card)


@pytest.fixture
def world() -> World:
    """Events in their usual order."""
    return build_world()


@pytest.fixture
def make_world() -> Callable[[Chooser], World]:
    """A world for a chooser."""
    return build_world

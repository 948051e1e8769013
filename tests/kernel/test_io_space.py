"""Register access: width, order, flushing, decoding, removal (PCIe 6.0 §2.4.1, §6.1.4; DESIGN.md §6)."""

from __future__ import annotations

import re
from itertools import product
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.kernel import BugCheck, IoSpace
from dirql.kernel.io_space import decode

NAMES = {1: "uchar", 2: "ushort", 4: "ulong", 8: "ulong64"}


def bars(kind: str) -> tuple[dict[int, tuple[int, int]], list[tuple[int, int, bool]]]:
    """(BARs, [(address, bar, io)])."""
    if kind == "memory32":
        return {0: (0x1000, 0xF000_0000), 5: (0x100, 0xE000_0000)}, [(0xF000_0000, 0, False), (0xE000_0000, 5, False)]
    if kind == "memory64":
        layout = {2: (0x4000, 0x12_3456_0000 | 0xC), 4: (0x1000, 0x9000_0004)}
        return layout, [(0x12_3456_0000, 2, False), (0x9000_0000, 4, False)]
    return {1: (0x20, 0xC001), 0: (0x1000, 0xF000_0000)}, [(0xC000, 1, True), (0xF000_0000, 0, False)]


@pytest.mark.parametrize("kind", ["memory32", "memory64", "io"])
def test_an_address_decodes_to_its_bar_and_offset(world: ModuleType, kind: str) -> None:
    layout, expected = bars(kind)
    w = world.World(1, bars=layout)
    for address, bar, io in expected:
        size = layout[bar][0]
        for offset in (0, 1, size - 1):
            assert decode(w.machine.ports, address + offset, io) == (w.port, bar, offset)
        assert decode(w.machine.ports, address + size, io) is None
        assert decode(w.machine.ports, address - 1, io) is None
        assert decode(w.machine.ports, address, not io) is None


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_every_routine_makes_one_access_of_its_width(world: ModuleType, size: int) -> None:
    w = world.World(1)

    def work() -> int:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x1000)
        getattr(space, f"write_register_{NAMES[size]}")(0x10, (1 << 70) - 2)
        result: int = getattr(space, f"read_register_{NAMES[size]}")(0x10)
        return result

    ones = (1 << 8 * size) - 2
    assert w.run_thread(work) == ones
    assert w.card.accesses == [("write", 0, 0x10, size, ones), ("read", 0, 0x10, size)]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_ports_are_reached_by_the_port_routines(world: ModuleType, size: int) -> None:
    w = world.World(1, bars={1: (0x20, 0xC001)})

    def work() -> int:
        space = w.kernel.port_space(0xC008, 0x10)
        getattr(space, f"write_port_{NAMES[size]}")(4, 0x7F)
        result: int = getattr(space, f"read_port_{NAMES[size]}")(4)
        return result

    assert w.run_thread(work) == 0x7F
    assert w.card.accesses == [("write", 1, 0xC, size, 0x7F), ("read", 1, 0xC, size)]


def test_posted_writes_land_in_order_and_after_their_flight(world: ModuleType) -> None:
    w = world.World(1)
    w.card.on_write = lambda bar, offset, value: w.log.append((value, w.machine.time))

    def work() -> list[int]:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x1000)
        sent = []
        for value in range(4):
            space.write_register_ulong(0, value)
            sent.append(w.cpu.now)
        assert [value for value, _ in w.log] == list(range(len(w.log)))
        return sent

    sent = w.run_thread(work)
    assert [(value, time - posted) for (value, time), posted in zip(w.log, sent, strict=True)] == [(i, 300) for i in range(4)]


def test_a_read_flushes_the_writes_before_it_and_brings_up_what_the_card_posted(world: ModuleType) -> None:
    w = world.World(1)
    page = 0x10_0000
    w.connect(lambda i, c: bool(w.log.append(("isr", bytes(w.machine.memory.read(page, 1))))) or True)
    w.aim(0, 0x51, 0)

    def ring(bar: int, offset: int, value: int) -> None:
        w.card.host.dma_write(w.card, page, b"\x2a")
        w.card.fire(0)

    w.card.on_write = ring

    def work() -> None:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x1000)
        space.write_register_ulong(0, 1)
        w.log.append("written")
        space.read_register_ulong(4)
        w.log.append("read")

    w.run_thread(work)
    assert w.log == ["written", ("isr", b"\x2a"), "read"]


@pytest.mark.parametrize(("after", "messages"), [(200, 1), (290, 1), (310, 0)])
def test_a_message_may_leave_while_the_write_that_masks_it_is_on_its_way(world: ModuleType, after: int, messages: int) -> None:
    w = world.World(1)
    interrupt = w.connect(lambda i, c: True)
    w.aim(0, 0x51, 0)
    masked: list[int] = []
    w.card.on_write = lambda bar, offset, value: masked.append(value)

    def work() -> None:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x1000)
        space.write_register_ulong(0, 1)
        w.machine.time = w.cpu.now
        w.at(after, lambda: masked or w.card.fire(0))

    w.run_thread(work)
    assert (masked, interrupt.count) == ([1], messages)


def test_dma_is_in_memory_before_its_message_is_an_interrupt(world: ModuleType) -> None:
    w = world.World(2)
    page = 0x10_0000
    w.connect(lambda i, c: bool(w.log.append(w.machine.memory.read(page, 4))) or True)
    w.aim(0, 0x51, 0)
    for value in range(1, 4):
        data = value.to_bytes(4, "little")
        w.at(10_000 * value, lambda data=data: (w.card.host.dma_write(w.card, page, data), w.card.fire(0)))
    w.run()
    assert [int.from_bytes(data, "little") for data in w.log] == [1, 2, 3]


@pytest.mark.parametrize(("irql", "counted"), [(0, 0), (2, 0), (3, 1), (5, 1), (15, 1)])
def test_a_read_above_dispatch_is_counted(world: ModuleType, irql: int, counted: int) -> None:
    w = world.World(1)

    def work() -> None:
        space = w.kernel.mm_map_io_space(world.BAR0 + 0x100, 0x100)
        old = w.kernel.ke_raise_irql(irql)
        space.read_register_ulong(0x20)
        space.write_register_ulong(0x20, 0)
        w.kernel.ke_lower_irql(old)

    w.run_thread(work)
    assert w.kernel.reads_at_dirql == ({("stub", 0, 0x120): 1} if counted else {})
    assert (w.port.reads, w.port.writes) == (1, 1)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_removed_card_reads_all_ones_and_loses_what_was_in_flight(world: ModuleType, size: int) -> None:
    w = world.World(1)
    w.aim(0, 0x51, 0)

    def work() -> int:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x1000)
        space.write_register_ulong(0, 1)
        w.machine.time = w.cpu.now
        w.card.fire(0)
        w.port.remove()
        w.card.fire(0)
        space.write_register_ulong(0, 2)
        assert w.port.config_read(0, 2) == 0xFFFF
        result: int = getattr(space, f"read_register_{NAMES[size]}")(0)
        return result

    assert w.run_thread(work) == (1 << 8 * size) - 1
    assert w.card.accesses == []
    assert w.card.fates[0].dropped == {"surprise removed": 2} and w.card.fates[0].balanced


def test_an_address_that_nobody_decodes_reads_all_ones(world: ModuleType) -> None:
    w = world.World(1)

    def work() -> int:
        space = w.kernel.mm_map_io_space(0xD000_0000, 0x10)
        space.write_register_ulong(0, 1)
        result: int = space.read_register_ulong(0)
        return result

    assert w.run_thread(work) == 0xFFFF_FFFF and w.card.accesses == []


def test_a_mapping_follows_a_bar_that_is_moved(world: ModuleType) -> None:
    w = world.World(1)
    w.card.registers[0, 4] = 7

    def work() -> list[int]:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x1000)
        seen = [space.read_register_ulong(4)]
        w.port.config_write(0x10, 4, 0xD000_0000)
        seen.append(space.read_register_ulong(4))
        w.port.config_write(0x10, 4, world.BAR0 - 0x800)
        space.read_register_ulong(4)
        return seen

    assert w.run_thread(work) == [7, 0xFFFF_FFFF]
    assert w.card.accesses[-1] == ("read", 0, 0x804, 4)


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (0x100, "access of 4 bytes at offset 0x100: the mapping holds 0x100 bytes from 0xf0000000"),
        (0xFD, "access of 4 bytes at offset 0xfd: the mapping holds 0x100 bytes from 0xf0000000"),
        (-4, "access of 4 bytes at offset -0x4: the mapping holds 0x100 bytes from 0xf0000000"),
    ],
)
def test_an_access_outside_the_mapping_is_a_page_fault(world: ModuleType, offset: int, text: str) -> None:
    w = world.World(1)
    with pytest.raises(BugCheck, match=f"^bugcheck 0x50 .*: {re.escape(text)}$"):
        w.run_thread(lambda: w.kernel.mm_map_io_space(world.BAR0, 0x100).read_register_ulong(offset))


def test_an_access_after_unmapping_is_a_page_fault(world: ModuleType) -> None:
    w = world.World(1)

    def work() -> None:
        space: IoSpace = w.kernel.mm_map_io_space(world.BAR0, 0x100)
        space.unmap()
        space.write_register_uchar(8, 0)

    text = "(0xf0000008, 0x2, 0x0, 0x0): access at 0xf0000008: the range was unmapped (MmUnmapIoSpace)"
    with pytest.raises(BugCheck, match=re.escape(text)):
        w.run_thread(work)


def test_unmapping_above_apc_level_is_warned_of(world: ModuleType) -> None:
    w = world.World(1)
    w.run_thread(lambda: (w.kernel.ke_raise_irql(2), w.kernel.mm_map_io_space(world.BAR0, 4).unmap(), w.kernel.ke_lower_irql(0)))
    (finding,) = w.machine.findings.values()
    assert (finding.level, finding.sentence) == ("warning", "MmUnmapIoSpace above APC_LEVEL, at DISPATCH_LEVEL")


@pytest.mark.parametrize(("verb", "cost"), [("read", 800), ("write", 100)])
def test_an_access_costs_what_the_table_says(world: ModuleType, verb: str, cost: int) -> None:
    w = world.World(1)

    def work() -> int:
        space = w.kernel.mm_map_io_space(world.BAR0, 0x100)
        before: int = w.cpu.now
        space.read_register_ulong(0) if verb == "read" else space.write_register_ulong(0, 1)
        return w.cpu.now - before

    assert w.run_thread(work) == cost + w.machine.costs.routine


def test_a_config_read_flushes_and_takes_the_interrupt_that_comes_up_with_it(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(lambda i, c: bool(w.log.append("isr")) or True)
    w.aim(0, 0x51, 0)
    w.card.on_write = lambda bar, offset, value: w.card.fire(0)

    def work() -> None:
        w.kernel.mm_map_io_space(world.BAR0, 0x100).write_register_ulong(0, 1)
        w.log.append("written")
        w.port.config_read(0, 4)
        w.log.append("read")

    w.run_thread(work)
    assert w.log == ["written", "isr", "read"]


def test_a_driver_that_polls_sees_the_other_processor_and_the_card_go_on(world: ModuleType) -> None:
    w = world.World(2)
    ready: list[str] = []

    def poll(what: str) -> int:
        turns = 0
        while what not in ready:
            w.stall(10)
            turns += 1
        return turns

    w.thread(lambda: w.stall(200) or ready.append("thread"), 1)
    w.at(300_000, lambda: ready.append("card"))
    turns = w.run_thread(lambda: (poll("thread"), poll("card")), 0)
    assert 19 <= turns[0] <= 22 and 9 <= turns[1] <= 12


@given(st.lists(st.tuples(st.sampled_from(["write", "read"]), st.integers(0, 7)), max_size=30))
def test_a_card_sees_a_processors_accesses_in_program_order(world: ModuleType, program: list[tuple[str, int]]) -> None:
    w = world.World(1)

    def work() -> None:
        space: Any = w.kernel.mm_map_io_space(world.BAR0, 0x100)
        for index, (verb, register) in enumerate(program):
            if verb == "write":
                space.write_register_ulong(4 * register, index)
            else:
                space.read_register_ulong(4 * register)

    w.run_thread(work)
    expected = [(verb, 0, 4 * r, 4, i) if verb == "write" else (verb, 0, 4 * r, 4) for i, (verb, r) in enumerate(program)]
    assert w.card.accesses == expected


@given(st.lists(st.tuples(st.sampled_from([1, 2, 4, 8]), st.integers(0, 0x100), st.integers(0, (1 << 64) - 1)), max_size=10))
def test_a_write_of_any_size_at_any_offset_reaches_the_card_or_says_why_not(
    world: ModuleType, accesses: list[tuple[int, int, int]]
) -> None:
    w = world.World(1)

    def work() -> int:
        space: Any = w.kernel.mm_map_io_space(world.BAR0, 0x100)
        refused = 0
        for size, offset, value in accesses:
            try:
                getattr(space, f"write_register_{NAMES[size]}")(offset, value)
            except BugCheck:
                refused += 1
        return refused

    assert w.run_thread(work) + len(w.card.accesses) == len(accesses)


@pytest.mark.parametrize(("a", "b"), list(product([0, 1], repeat=2)))
def test_two_functions_do_not_answer_for_each_other(world: ModuleType, a: int, b: int) -> None:
    w = world.World(1)
    other = world.Stub("other", bars={0: (0x1000, 0xE000_0000)})
    w.machine.plug(other)

    def work() -> None:
        for wanted, address in ((a, world.BAR0), (b, 0xE000_0000)):
            if wanted:
                w.kernel.mm_map_io_space(address, 0x100).read_register_ulong(0)

    w.run_thread(work)
    assert (len(w.card.accesses), len(other.accesses)) == (a, b)


def test_each_access_of_a_long_mapping_goes_where_its_own_address_leads(world: ModuleType) -> None:
    w = world.World(1, bars={0: (0x1000, 0xF000_0000), 2: (0x1000, 0xF000_1000)})
    other = world.Stub("other", bars={0: (0x1000, 0xF000_3000)})
    w.machine.plug(other)
    w.card.registers.update({(0, 0xFFC): 1, (2, 0): 2})
    other.registers[0, 4] = 3

    def work() -> list[int]:
        space = w.kernel.mm_map_io_space(0xEFFF_F000, 0x10000)
        offsets = (0xFFC, 0x1FFC, 0x2000, 0x3000, 0x4004, 0x5000, 0x2000)
        space.write_register_ulong(0x4008, 9)
        return [space.read_register_ulong(offset) for offset in offsets]

    ones = 0xFFFF_FFFF
    assert w.run_thread(work) == [ones, 1, 2, ones, 3, ones, 2]
    assert other.accesses == [("write", 0, 8, 4, 9), ("read", 0, 4, 4)]
    assert ("read", 2, 0, 4) in w.card.accesses


def test_an_access_across_the_end_of_a_bar_goes_where_it_begins(world: ModuleType) -> None:
    w = world.World(1)
    w.run_thread(lambda: w.kernel.mm_map_io_space(world.BAR0, 0x2000).read_register_ulong64(0xFFC))
    assert w.card.accesses == [("read", 0, 0xFFC, 8)]

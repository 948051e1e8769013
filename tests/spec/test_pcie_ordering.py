"""Order on the link by clause: PCIe 6.0 §2.4.1, §2.3.2, §6.1.4."""

from __future__ import annotations

import pytest

from dirql.machine import Costs

PAGE = 0x10_0000


def _space(w, world):
    return w.kernel.mm_map_io_space(world.BAR0, 0x1000)


def test_pcie_2_4_1_a_posted_write_is_not_there_until_a_read(world):
    w = world.World(1, costs=Costs(posted_flight=1 << 40))

    def work():
        space = _space(w, world)
        space.write_register_ulong(0, 1)
        w.stall(100)
        before = list(w.card.accesses)
        space.read_register_ulong(4)
        return before, [what[0] for what in w.card.accesses]

    assert w.run_thread(work) == ([], ["write", "read"])


def test_pcie_2_4_1_a_read_pushes_posted_writes(world):
    w = world.World(1, costs=Costs(dma_flight=1 << 40))

    def work():
        space = _space(w, world)
        w.machine.time = w.cpu.now
        w.card.host.dma_write(w.card, PAGE, b"done")
        before = w.machine.memory.read(PAGE, 4)
        space.read_register_ulong(0)
        return before, w.machine.memory.read(PAGE, 4)

    assert w.run_thread(work) == (bytes(4), b"done")


def test_pcie_2_4_1_a_read_brings_up_the_message_that_was_sent_before_its_completion(world):
    w = world.World(1, costs=Costs(message_flight=1 << 40))
    interrupt = w.connect(lambda i, c: True)
    w.aim(0, 0x51, 0)

    def work():
        space = _space(w, world)
        w.machine.time = w.cpu.now
        w.card.fire(0)
        before = interrupt.count
        space.read_register_ulong(0)
        return before, interrupt.count

    assert w.run_thread(work) == (0, 1)


def test_pcie_6_1_4_a_message_that_left_before_the_mask_lands_still_arrives(world):
    w = world.World(1)
    interrupt = w.connect(lambda i, c: True)
    w.aim(0, 0x51, 0)
    masked = []
    w.card.on_write = lambda bar, offset, value: masked.append(value)

    def work():
        space = _space(w, world)
        space.write_register_ulong(0, 1)  # the mask, 300 ns away from the card
        w.machine.time = w.cpu.now
        w.at(200, lambda: masked or w.card.fire(0))
        w.at(400, lambda: masked or w.card.fire(0))

    w.run_thread(work)
    assert (masked, w.card.fates[0].sent, interrupt.count) == ([1], 1, 1)


def test_pcie_6_1_4_after_a_read_that_follows_the_mask_no_message_arrives_any_more(world):
    w = world.World(1, costs=Costs(message_flight=1 << 40))
    interrupt = w.connect(lambda i, c: True)
    w.aim(0, 0x51, 0)
    masked = []
    w.card.on_write = lambda bar, offset, value: masked.append(value)

    def work():
        space = _space(w, world)
        w.machine.time = w.cpu.now
        w.at(50, lambda: masked or w.card.fire(0))
        w.at(2_000, lambda: masked or w.card.fire(0))
        space.write_register_ulong(0, 1)
        space.read_register_ulong(0)
        return interrupt.count

    assert w.run_thread(work) == 1
    assert (masked, w.card.fates[0].sent, interrupt.count) == ([1], 1, 1)


@pytest.mark.parametrize(("sender", "seen"), [("the same function", b"done"), ("another function", bytes(4))])
def test_pcie_2_4_1_a_message_pushes_the_dma_of_its_own_function_only(world, sender, seen):
    w = world.World(1, costs=Costs(dma_flight=10_000))
    other = world.Stub("other")
    w.machine.plug(other)
    w.connect(lambda i, c: w.log.append(w.machine.memory.read(PAGE, 4)) or True)
    w.aim(0, 0x51, 0)
    other.messages = w.card.messages
    w.card.host.dma_write(w.card, PAGE, b"done")
    (w.card if sender == "the same function" else other).fire(0)
    w.run()
    assert w.log == [seen]
    assert w.machine.memory.read(PAGE, 4) == b"done"


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_pcie_2_3_2_a_removed_card_reads_all_ones_and_its_writes_vanish(world, size):
    w = world.World(1)
    w.port.remove()
    name = {1: "uchar", 2: "ushort", 4: "ulong", 8: "ulong64"}[size]

    def work():
        space = _space(w, world)
        getattr(space, f"write_register_{name}")(0, 0)
        return getattr(space, f"read_register_{name}")(0)

    assert (w.run_thread(work), w.card.accesses) == ((1 << 8 * size) - 1, [])
    assert w.port.config_read(0, 4) == 0xFFFF_FFFF

"""The stripped loop does the work that dirql does: its figure is a fair one."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.bench.stripped import StrippedLoop
from dirql.bench.world import Delivery

VECTORS = 9


def pair() -> tuple[Delivery, StrippedLoop]:
    world = Delivery(VECTORS, 4)
    return world, StrippedLoop(4, world.routes)


def by_processor(routes: list[tuple[int, int]], taken: list[int]) -> dict[int, list[int]]:
    """Between processors there is no order: what each of them took, in its order."""
    at = [(routes[message][0], message) for message in taken]
    return {cpu: [m for _, m in group] for cpu, group in groupby(sorted(at, key=lambda a: a[0]), key=lambda a: a[0])}


@settings(max_examples=15)
@given(st.lists(st.integers(0, VECTORS - 1), max_size=30))
def test_messages_that_are_fired_one_by_one_are_taken_in_the_same_order(fires: list[int]) -> None:
    world, bare = pair()
    for vector in fires:
        for one in (world, bare):
            one.fire(vector)
            one.run()
    assert world.taken == bare.taken == fires


@settings(max_examples=15)
@given(st.lists(st.lists(st.integers(0, VECTORS - 1), max_size=12), max_size=6))
def test_bursts_are_taken_in_the_same_order_by_each_processor(bursts: list[list[int]]) -> None:
    world, bare = pair()
    for burst in bursts:
        for one in (world, bare):
            for vector in burst:
                one.fire(vector)
            one.run()
    assert by_processor(world.routes, world.taken) == by_processor(world.routes, bare.taken)


def test_every_message_of_a_round_is_taken_once_by_both() -> None:
    world, bare = pair()
    for one in (world, bare):
        one.everything()
    assert sorted(world.taken) == sorted(bare.taken) == list(range(VECTORS))
    assert [fate.delivered for fate in world.card.fates] == [1] * VECTORS


def test_a_masked_entry_waits_in_both() -> None:
    world, bare = pair()
    table = world.card.msix
    table.table.entry(3).control.masked = 1
    table.reload()
    bare.table[3].masked = True
    for one in (world, bare):
        one.fire(3)
        one.run()
    assert (world.taken, bare.taken) == ([], [])
    assert table.pending(3)
    assert bare.pending == 1 << 3


def test_the_stripped_loop_holds_back_what_is_not_above_the_processors_level() -> None:
    _, bare = pair()
    bare.processors[0].irql = 15
    bare.fire(0)
    bare.run()
    assert bare.taken == []

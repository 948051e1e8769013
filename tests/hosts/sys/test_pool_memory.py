"""A driver that allocates and frees for ever: dirql's own memory has an end, and what was freed is caught all the same."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys import address_space
from dirql.hosts.sys.pool import Pool
from dirql.kernel.stop import BugCheck

GONE = "what was there was freed long ago (dirql remembers the last 65,536 that were freed)"
READ = b"\x0f\xb6\x01\xc3"  # movzx eax, byte [rcx]; ret


@pytest.fixture
def freed(world: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Blocks in the order in which they were freed, four of which are remembered."""
    monkeypatch.setattr(address_space, "STORIES", 4)

    def body(_: Any) -> list[int]:
        pool = world.guest.part(Pool)
        blocks = [pool.allocate(16, 0x31676154) for _ in range(9)]
        for block in blocks:
            pool.free(block)
        return blocks

    return list(world.script(body))


def test_only_the_newest_freed_blocks_are_remembered_for_what_they_were(world: Any, freed: list[int]) -> None:
    space = world.guest.space
    assert [space.region(block) is not None for block in freed] == [False] * 4 + [True] * 5
    assert [space.describe(block) == GONE for block in freed] == [True] * 4 + [False] * 5


@pytest.mark.parametrize("index", [0, 8])
@pytest.mark.parametrize("beside", [-4096, 0, 15, 16])
def test_a_freed_block_is_caught_however_long_ago_it_was_freed(world: Any, freed: list[int], index: int, beside: int) -> None:
    address = freed[index] + beside
    with pytest.raises(BugCheck) as stop:
        world.run(READ, address)
    assert (stop.value.code, stop.value.parameters[:2]) == (0xD5, (address, 0))


@pytest.mark.parametrize(("index", "why", "tag"), [(0, f"and no block begins there: {GONE}", 0), (8, "", 0x31676154)])
def test_a_block_is_freed_again_however_long_ago_it_was_freed(
    world: Any, freed: list[int], index: int, why: str, tag: int
) -> None:
    with pytest.raises(BugCheck) as stop:
        world.script(lambda call: call("ExFreePool", freed[index]))
    assert (stop.value.code, stop.value.parameters) == (0xC2, (7, 0, tag, freed[index]))
    assert why in stop.value.why


def test_where_no_block_was_nothing_was_ever_there(world: Any, freed: list[int]) -> None:
    assert world.guest.space.describe(freed[-1] + 0x100_0000) == "nothing was ever there"
    with pytest.raises(BugCheck) as stop:
        world.run(READ, freed[-1] + 0x100_0000)
    assert stop.value.code == 0x50

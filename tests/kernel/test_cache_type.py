"""MmMapIoSpace's caching attribute: it is kept, stands in the trace, and registers that are mapped cached are told of."""

from __future__ import annotations

from types import ModuleType

import pytest

from dirql.kernel.io_space import MemoryCachingType
from dirql.trace import Kind


@pytest.mark.parametrize("kind", MemoryCachingType)
def test_only_registers_that_are_mapped_cached_are_told_of(world: ModuleType, kind: MemoryCachingType) -> None:
    w = world.World(1)
    space = w.run_thread(lambda: w.kernel.mm_map_io_space(world.BAR0, 0x1000, kind))
    assert space.cache_type is kind
    told = [(one.rule, one.level, one.sentence) for one in w.machine.findings.values()]
    what = "0x1000 bytes at 0xf0000000, BAR0 of stub, are mapped MmCached"
    remedy = "map them MmNonCached: PAGE_READWRITE | PAGE_NOCACHE for MmMapIoSpaceEx"
    assert told == ([("cached-registers", "advice", f"{what}; {remedy}")] if kind.name == "MmCached" else [])


def test_what_is_no_devices_may_be_mapped_cached(world: ModuleType) -> None:
    w = world.World(1, trace=True)
    w.run_thread(lambda: w.kernel.mm_map_io_space(0x1000, 0x20, MemoryCachingType.MmCached))
    assert w.machine.findings == {}
    assert [event["what"] for event in w.trace.events(Kind.NOTE)] == ["0x20 bytes at 0x1000, MmCached"]


def test_a_mapping_is_not_cached_where_nothing_is_said_and_the_trace_has_it(world: ModuleType) -> None:
    w = world.World(1, trace=True)
    w.run_thread(lambda: w.kernel.mm_map_io_space(world.BAR0 + 0x10, 0x20))
    (note,) = w.trace.events(Kind.NOTE)
    assert (note["who"], note["what"]) == ("MmMapIoSpaceEx", "0x20 bytes at 0xf0000010, BAR0 of stub, MmNonCached")

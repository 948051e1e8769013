"""MmMapIoSpace's MEMORY_CACHING_TYPE and MmMapIoSpaceEx's protection, as the mapping has them."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.trace import Kind, Trace


@pytest.mark.parametrize(("routine", "attribute", "cache_type"), [
    ("MmMapIoSpace", 0, "MmNonCached"), ("MmMapIoSpace", 1, "MmCached"), ("MmMapIoSpace", 2, "MmWriteCombined"),
    ("MmMapIoSpace", 3, "MmHardwareCoherentCached"), ("MmMapIoSpace", 4, "MmNonCachedUnordered"),
    ("MmMapIoSpace", 5, "MmUSWCCached"), ("MmMapIoSpaceEx", 0x204, "MmNonCached"), ("MmMapIoSpaceEx", 0x202, "MmNonCached"),
    ("MmMapIoSpaceEx", 0x404, "MmWriteCombined"), ("MmMapIoSpaceEx", 4, "MmCached"),
])  # fmt: skip
def test_a_mapping_has_the_caching_that_the_driver_asked_for(world: Any, routine: str, attribute: int, cache_type: str) -> None:
    world.registers()
    trace = world.system.machine.trace = Trace()
    address = world.routine(f"ntoskrnl!{routine}", 0xC000_0000, 0x1000, attribute)
    mapping, _ = world.guest.devices.mapping(address)
    assert mapping.io_space.cache_type.name == cache_type
    (note,) = trace.events(Kind.NOTE)
    assert note["what"] == f"0x1000 bytes at 0xc0000000, BAR0 of MultiQueue, {cache_type}"
    assert [one.rule for one in world.system.findings] == ["cached-registers"] * (cache_type == "MmCached")

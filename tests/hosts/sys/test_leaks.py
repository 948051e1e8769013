"""What an image leaves behind when its driver is unloaded, and what it does to registers that are not its own."""

from __future__ import annotations

from typing import Any

import pytest

NON_CACHED = 0


def told(world: Any) -> list[tuple[str, str]]:
    return [(f.rule, f.sentence) for f in world.system.findings]


@pytest.mark.parametrize("unmapped", [False, True])
def test_registers_that_an_image_maps_and_never_unmaps_are_told(world: Any, unmapped: bool) -> None:
    def body(call: Any) -> None:
        address = call("MmMapIoSpace", 0x1000_0000, 0x20, NON_CACHED)
        if unmapped:
            call("MmUnmapIoSpace", address, 0x20)

    world.script(body)
    world.system.shut_down()
    sentence = "0x20 bytes of registers at 0x10000000 were mapped and never unmapped"
    remedy = "call MmUnmapIoSpace in EvtDeviceReleaseHardware"
    assert told(world) == ([] if unmapped else [("mapping-leak", f"{sentence}; {remedy}")])


def test_an_access_where_no_bar_is_is_told_at_the_instruction(world: Any) -> None:
    code = world.place(b"\x8b\x01\xc3")  # mov eax, [rcx]; ret
    value = world.script(lambda call: world.guest.call(code, call("MmMapIoSpace", 0x1000_0000, 0x20, NON_CACHED)))
    assert value == 0xFFFF_FFFF
    (found,) = world.system.findings
    state = "where no BAR is: reads give all ones, writes are lost; a reset clears the BARs"
    assert found.sentence == f"access of 4 bytes at physical address 0x10000000, {state}"

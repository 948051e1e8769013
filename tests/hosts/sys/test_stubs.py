"""What is not modelled stops loudly, with who called it; `stubs` let it return a value."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.errors import NotModelled, UsageError
from dirql.hosts.sys.abi import ROUTINES
from dirql.trace import Trace
from dirql.wdf import Driver

CALL_RCX = b"\x48\x83\xec\x28\xff\xd1\x48\x83\xc4\x28\xc3"  # sub rsp, 0x28; call rcx; add rsp, 0x28; ret


def test_a_routine_that_is_not_modelled_stops_with_its_caller_and_a_remedy(world: Any) -> None:
    stub = world.guest.resolve("ntoskrnl.exe", "IoFancyNewThing")
    code = world.place(CALL_RCX)
    with pytest.raises(NotModelled) as caught:
        world.call(code, stub)
    assert str(caught.value) == (f"{code + 6:#x} calls ntoskrnl!IoFancyNewThing, which dirql does not model; "
                                 "pass --stub IoFancyNewThing=VALUE to let it return that")  # fmt: skip


@pytest.mark.parametrize("value", [0, 0xC000_00BB, (1 << 64) - 1])
def test_a_replaced_routine_returns_the_value_and_is_noted(world: Any, value: int) -> None:
    world.system.machine.trace = world.system.trace = Trace()
    world.guest.stubs.replace("IoFancyNewThing", value)
    stub = world.guest.resolve("ntoskrnl.exe", "IoFancyNewThing")
    assert world.run(CALL_RCX, stub) == value
    assert any(f"ntoskrnl!IoFancyNewThing returns {value:#x}, as --stub says" in str(line) for line in world.system.trace.log)


def test_a_routine_that_is_modelled_is_replaced_too_even_when_it_is_bound_already(world: Any) -> None:
    name = "ntoskrnl!KeGetCurrentIrql"
    stub = world.guest.stubs.address(name, ROUTINES[name])
    assert world.run(CALL_RCX, stub) == 0
    world.guest.stubs.replace("KeGetCurrentIrql", 7)
    assert world.run(CALL_RCX, stub) == 7


def test_a_routine_that_is_looked_up_at_run_time_is_known_when_it_is_replaced(world: Any) -> None:
    assert world.guest.stubs.known("IoFancyNewThing") == 0
    world.guest.stubs.replace("IoFancyNewThing", 3)
    assert world.run(CALL_RCX, world.guest.stubs.known("IoFancyNewThing")) == 3


def test_a_python_driver_has_no_stubs(world: Any) -> None:
    class Plain(Driver):
        def evt_driver_device_add(self, init: Any) -> int:
            return 0

    with pytest.raises(UsageError) as caught:
        world.system.load(Plain, stubs={"IoFancyNewThing": 0})
    assert str(caught.value) == "stubs IoFancyNewThing: Plain is no image; leave them out"


def test_more_routines_than_there_are_stubs_for_are_refused(world: Any) -> None:
    with pytest.raises(NotModelled) as caught:
        for number in range(4097):
            world.guest.resolve("ntoskrnl.exe", f"Io{number}")
    told = str(caught.value)
    assert told.startswith("ntoskrnl!Io")
    assert told.endswith(" is one more than the 4096 routines that the images of one system can import")

"""What the parameters of a bugcheck point at is in the driver's memory (facts §5.2, §5.3)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.nt_structs import EXCEPTION_RECORD
from dirql.kernel.dpc import Kdpc
from dirql.kernel.stop import BugCheck

STATUS_STACK_BUFFER_OVERRUN, NONCONTINUABLE = 0xC000_0409, 1
GLOBALS = 0xFFFF_B400_0000_1000


def fast_fail(code: int) -> bytes:
    return b"\xb9" + code.to_bytes(4, "little") + b"\xcd\x29"  # mov ecx, code; int 0x29


@pytest.mark.parametrize("code", [2, 3, 0x1234])
@pytest.mark.parametrize("in_a_dpc", [False, True])
def test_a_fast_fail_leaves_an_exception_record_with_its_code(world: Any, code: int, in_a_dpc: bool) -> None:
    address, kernel = world.place(fast_fail(code)), world.system.kernel
    dpc = Kdpc(kernel, lambda *_: world.guest.call(address), None, "a DPC")
    kernel.dispatcher.create(lambda _: dpc.insert() if in_a_dpc else world.guest.call(address), None, "a thread")
    world.system.run()
    stop = world.system.stopped
    assert (stop.code, stop.parameters[:2], stop.parameters[3]) == (0x139, (code, 0), 0)
    record = EXCEPTION_RECORD(world.guest.space, stop.parameters[2])
    told = record.ExceptionCode & 0xFFFF_FFFF, record.ExceptionFlags, record.ExceptionAddress
    assert told == (STATUS_STACK_BUFFER_OVERRUN, NONCONTINUABLE, address + 5)
    assert (record.NumberParameters, record.ExceptionInformation[0], record.ExceptionRecord) == (1, code, 0)
    assert stop.parameters[2] + EXCEPTION_RECORD.size <= stop.details.registers["rsp"]


def test_a_fast_fail_on_a_stack_that_is_none_has_no_record(world: Any) -> None:
    address, kernel = world.place(b"\x31\xe4" + fast_fail(3)), world.system.kernel  # xor esp, esp; …
    kernel.dispatcher.create(lambda _: world.guest.call(address), None, "a thread")
    world.system.run()
    assert (world.system.stopped.code, world.system.stopped.parameters) == (0x139, (3, 0, 0, 0))


@pytest.mark.parametrize(("name", "handle", "parameters"), [
    ("WdfObjectDelete", 0x1234, (5, 0x1234, 0, GLOBALS)),
    ("WdfIoQueueCreate", 0x1234, (5, 0x1234, 0, GLOBALS)),
])  # fmt: skip
def test_a_wdf_violation_tells_the_handle_and_the_globals_of_the_driver(
    world: Any, name: str, handle: int, parameters: tuple[int, ...]
) -> None:
    entry = world.guest.stubs.address(f"wdf!{name}", ROUTINES[f"wdf!{name}"])
    with pytest.raises(BugCheck) as stop:
        world.call(entry, GLOBALS, handle, 0, 0)
    assert (stop.value.code, stop.value.parameters) == (0x10D, parameters)


@pytest.mark.parametrize(("irql", "code", "place"), [(0, 0x50, 2), (2, 0x0A, 3)])
def test_a_routine_that_was_given_a_bad_address_is_what_a_page_fault_tells(world: Any, irql: int, code: int, place: int) -> None:
    kernel, name = world.system.kernel, "ntoskrnl!KeInitializeSpinLock"
    entry = world.guest.stubs.address(name, ROUTINES[name])

    def attack(_: Any) -> None:
        kernel.ke_raise_irql(irql)
        world.guest.call(entry, 0xFFFF_C000_0000_1000)

    kernel.dispatcher.create(attack, None, "a thread")
    world.system.run()
    assert (world.system.stopped.code, world.system.stopped.parameters[place]) == (code, entry)

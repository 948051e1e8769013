"""Instructions that are carried out outside of the emulator, and what stops a driver for good (facts §5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.decode import special_instructions
from dirql.kernel.stop import BugCheck, Hang

RET = b"\xc3"


def trapped(world: Any, code: bytes) -> int:
    """The address of `code`, its special instructions replaced as a loader does."""
    address = world.place(code)
    for instruction in special_instructions(code, address, [address]):
        world.guest.traps.watch(instruction)
        world.guest.space.write(instruction.address, b"\xf4")
    return int(address)


def stopped(world: Any, code: bytes, *arguments: int) -> Any:
    address = trapped(world, code)
    world.system.kernel.dispatcher.create(lambda _: world.guest.call(address, *arguments), None, "a thread")
    world.system.run()
    return world.system.stopped


@pytest.mark.parametrize(
    ("code", "fault", "why"),
    [
        (b"\x8b\x41\x08", 0x1008, "reads 0x1008: a user-mode address, and no process is attached"),  # mov eax, [rcx + 8]
        (b"\x8b\x44\x91\x04", 0x101C, "reads 0x101c: a user-mode address, and no process is attached"),  # … [rcx + 4 rdx + 4]
        (b"\x89\x01", 0x1000, "writes 0x1000: a user-mode address, and no process is attached"),  # mov [rcx], eax
        (b"\x48\x89\xcc\x58", 0x1000, "reads 0x1000: a user-mode address, and no process is attached"),  # mov rsp, rcx; pop rax
        (b"\xff\xe1", 0x1000, "executes 0x1000: a user-mode address, and no process is attached"),  # jmp rcx
    ],
)  # fmt: skip
def test_a_fault_tells_the_byte_that_was_accessed(world: Any, code: bytes, fault: int, why: str) -> None:
    stop = stopped(world, code + RET, 0x1000, 6)
    assert isinstance(stop, BugCheck)
    assert f"{fault:#x}" in stop.why
    assert stop.why.startswith(why)


@pytest.mark.parametrize(
    ("code", "expected", "parameters"),
    [
        (b"\xb9\x03\x00\x00\x00\xcd\x29", 0x139, (3,)),  # mov ecx, 3; int 0x29
        (b"\xb9\x03\x00\x00\x00\xcd\x2e", 0x12, (1, 0x2E)),  # int 0x2e
        (b"\x0f\x0b", 0x7E, (0xC000_001D,)),  # ud2
        (b"\xcd\x2c", 0x7E, (0xC000_0420,)),  # int 0x2c
        (b"\xcc", 0x7E, (0x8000_0003,)),  # int3
    ],
)
def test_a_software_interrupt_is_the_bugcheck_of_windows(
    world: Any, code: bytes, expected: int, parameters: tuple[int, ...]
) -> None:
    stop = stopped(world, code + RET)
    assert isinstance(stop, BugCheck)
    assert (hex(stop.code), stop.parameters[: len(parameters)]) == (hex(expected), parameters)


def test_a_loop_over_the_time_stamp_counter_ends(world: Any) -> None:
    # rdtsc; lea ecx, [rax + 3000]; again: rdtsc; cmp eax, ecx; jb again
    code = b"\x0f\x31\x8d\x88\xb8\x0b\x00\x00\x0f\x31\x39\xc8\x72\xfa" + RET
    before = world.system.now
    world.call(trapped(world, code))
    assert 1_000 <= world.system.now - before <= 6_000


def test_hlt_waits_for_the_next_thing_that_happens(world: Any) -> None:
    kernel, seen = world.system.kernel, []

    def later(_: Any) -> None:
        kernel.ke_delay_execution_thread(50_000)
        seen.append(world.system.machine.cpu.now)

    kernel.dispatcher.create(later, None, "later")
    code = world.place(b"\xf4\xb8\x07\x00\x00\x00" + RET)  # hlt; mov eax, 7
    assert world.call(code) == 7


def test_hlt_with_nothing_left_to_happen_is_a_hang(world: Any) -> None:
    stop = stopped(world, b"\xf4" + RET)
    assert isinstance(stop, Hang)
    assert str(stop).startswith("hang (spin): cpu0 is stopped by hlt for ever: nothing else can happen")


@pytest.mark.parametrize(("code", "written"), [
    (b"\x83\x01\x01", 1), (b"\xf0\x83\x01\x01", 1), (b"\xf0\x0f\xb1\x11", 1),  # add [rcx], 1; lock add; lock cmpxchg [rcx], edx
    (b"\x87\x11", 1), (b"\xf0\x0f\xc1\x11", 1), (b"\x0f\xba\x29\x03", 1),  # xchg [rcx], edx; lock xadd; bts [rcx], 3
    (b"\x83\x39\x01", 0), (b"\x03\x11", 0), (b"\x89\x11", 1),  # cmp [rcx], 1; add edx, [rcx]; mov [rcx], edx
])  # fmt: skip
def test_an_instruction_that_reads_and_writes_a_place_faults_as_a_write(world: Any, code: bytes, written: int) -> None:
    stop = stopped(world, code + RET, 0xFFFF_C000_0000_1000)
    assert (stop.code, stop.parameters[:2]) == (0x50, (0xFFFF_C000_0000_1000, 2 * written))


@pytest.mark.parametrize(("code", "text"), [(b"\xcd\x2e", "int 0x2e"), (b"\xcd\x80", "int 0x80")])
def test_a_software_interrupt_that_is_none_of_windows_is_shown_itself(world: Any, code: bytes, text: str) -> None:
    stop = stopped(world, b"\x90" + code + b"\x31\xc0" + RET)
    assert (stop.code, stop.details.instruction) == (0x12, text)


def test_special_instructions_are_found_in_functions_of_any_number_and_length() -> None:
    code = b"\x90\x0f\x31" * 5_000 + b"\xb8\x0f\x31\x00\x00" + b"\x0f\x31"  # nop; rdtsc; …; mov eax, 0x310f; rdtsc
    wanted = [*range(1, 15_000, 3), 15_005]
    for starts in ([], [0], range(0, 15_000, 3), [7 << 20]):
        assert [one.address for one in special_instructions(code, 0, starts)] == wanted


def test_more_functions_and_candidates_are_not_looked_at_more_often() -> None:
    looked = 0

    class Counted(int):
        def __lt__(self, other: int) -> bool:
            nonlocal looked
            looked += 1
            return int(self) < int(other)

        def __le__(self, other: int) -> bool:
            nonlocal looked
            looked += 1
            return int(self) <= int(other)

    code = b"\x0f\x31" * 1_000
    assert len(special_instructions(code, 0, map(Counted, range(0, 2_000, 2)))) == 1_000
    assert looked < 30_000

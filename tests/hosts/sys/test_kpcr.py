"""What a driver's code reads through gs: what is published of a processor's page is right, and all else is reported."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dirql.errors import NotModelled

RET = b"\xc3"
READ_8, READ_4, READ_2, READ_1 = b"\x65\x48\x8b\x04\x25", b"\x65\x8b\x04\x25", b"\x65\x66\x8b\x04\x25", b"\x65\x8a\x04\x25"
ROUTINES = "call the kernel's routines (KeGetCurrentThread, KeGetCurrentProcessorNumberEx, KeGetCurrentIrql) instead"
UNKNOWN = "and dirql does not know what it holds"


def at(read: bytes, displacement: int) -> bytes:
    """xor eax, eax; mov rax, eax, ax or al from gs:[displacement]; ret"""
    return b"\x31\xc0" + read + displacement.to_bytes(4, "little") + RET


def page(world: Any, index: int = 0) -> int:
    return int(world.guest.kpcr[index])


def on(world: Any, index: int, code: bytes) -> int:
    entry = world.place(code)

    def body(call: Any) -> int:
        call("KeSetSystemAffinityThread", 1 << index)
        return int(world.guest.call(entry))

    return int(world.script(body))


@pytest.mark.parametrize("index", [0, 1])
def test_the_published_members_hold_what_the_machine_knows(world: Any, index: int) -> None:
    kpcr = page(world, index)
    for read, displacement, expected in [
        (READ_8, 0x18, kpcr), (READ_8, 0x20, kpcr + 0x180),  # Self, CurrentPrcb
        (READ_1, 0x52, index), (READ_2, 0x60, 1), (READ_2, 0x62, 1),  # number, version
        (READ_4, 0x180, 0x1F80), (READ_1, 0x184, index), (READ_2, 0x184, index), (READ_4, 0x184, index), (READ_4, 0x1A4, index),
    ]:  # fmt: skip
        assert hex(on(world, index, at(read, displacement))) == hex(expected)


def test_the_current_thread_is_the_one_that_runs(world: Any) -> None:
    entry = world.place(at(READ_8, 0x188))

    def body(call: Any) -> bool:
        return bool(world.guest.call(entry) == call("KeGetCurrentThread") != 0)

    assert world.script(body)


@pytest.mark.parametrize(("code", "argument", "expected"), [
    (b"\x48\x83\xc8\xff\x65\x8b\x01", 0x180, 0x1F80),  # or rax, -1; mov eax, gs:[rcx]
    (b"\x48\x83\xc8\xff\x65\x66\x8b\x41\x42", 0x20, 0xFFFF_FFFF_FFFF_0001),  # or rax, -1; mov ax, gs:[rcx + 0x42]
    (b"\x6a\xff\x58\x65\x8a\x04\x8d\x00\x00\x00\x00", 0x18, 0xFFFF_FFFF_FFFF_FF01),  # push -1; pop rax; mov al, gs:[4 rcx]
    (b"\x65\x48\x0f\xb7\x04\x25\x62\x00\x00\x00", 0, 1),  # movzx rax, gs:[0x62]
    (b"\x65\x48\x8d\x04\x25\x50\x00\x00\x00", 0, 0x50), (b"\x65\x66\x0f\x1f\x04\x00\xb0\x01", 0, None),  # lea; nop; mov al, 1
])  # fmt: skip
def test_a_place_that_is_computed_is_read_as_one_that_is_written_down(
    world: Any, code: bytes, argument: int, expected: int | None
) -> None:
    result = world.run(code + RET, argument)
    assert expected is None or result == expected


@pytest.mark.parametrize(("code", "argument", "told"), [
    (at(READ_1, 0x50), 0, f"reads gs:[0x50], KPCR.Irql (mov al, byte ptr gs:[0x50]), {UNKNOWN}; call KeGetCurrentIrql instead"),
    (at(READ_8, 0x00), 0, f"reads gs:[0x0], KPCR.GdtBase (mov rax, qword ptr gs:[0]), {UNKNOWN}; {ROUTINES}"),
    (at(READ_8, 0x198), 0, f"reads gs:[0x198], KPRCB.IdleThread (mov rax, qword ptr gs:[0x198]), {UNKNOWN}; {ROUTINES}"),
    (at(READ_8, 0x184), 0, f"reads gs:[0x184], KPRCB.LegacyNumber (mov rax, qword ptr gs:[0x184]), {UNKNOWN}; {ROUTINES}"),
    (at(READ_8, 0x2F0), 0, f"reads gs:[0x2f0] (mov rax, qword ptr gs:[0x2f0]), {UNKNOWN}; {ROUTINES}"),
    (b"\x65\x8b\x01" + RET, 0x1000, f"reads gs:[0x1000] (mov eax, dword ptr gs:[rcx]), {UNKNOWN}; {ROUTINES}"),
    (b"\x65\x48\x03\x01" + RET, 0x18, ("reads gs:[0x18], KPCR.Self (add rax, qword ptr gs:[rcx]), and dirql carries out no "
                                       f"instruction but mov where the place is computed; {ROUTINES}")),
    (b"\x65\x48\x89\x0c\x25\x18\x00\x00\x00" + RET, 7, ("writes gs:[0x18], KPCR.Self (mov qword ptr gs:[0x18], rcx), and the "
                                                        f"page of a processor is the kernel's alone; {ROUTINES}")),
])  # fmt: skip
def test_anything_else_ends_the_run_where_it_is_come_to(world: Any, code: bytes, argument: int, told: str) -> None:
    with pytest.raises(NotModelled, match=f"^0x[0-9a-f]+ {re.escape(told)}$"):
        world.run(code, argument)


def test_code_that_is_not_come_to_is_not_reported(world: Any) -> None:
    assert world.run(b"\xb8\x07\x00\x00\x00\x85\xc9\x74\x09" + at(READ_1, 0x50)[2:10] + b"\x90" + RET, 0) == 7

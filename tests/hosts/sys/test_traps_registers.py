"""Control and model specific registers in a driver's code: what dirql has of them, and what it says of the others."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dirql.errors import NotModelled
from dirql.hosts.sys.decode import special_instructions
from dirql.kernel.stop import BugCheck

RET = b"\xc3"
RDMSR, WRMSR = b"\x0f\x32", b"\x0f\x30"
TO_CR8 = b"\x44\x0f\x22\xc1"  # mov cr8, rcx
FROM_CR8 = b"\x44\x0f\x20\xc0"  # mov rax, cr8
ONLY = r"of model specific registers dirql has the time-stamp counter (0x10) only, to be read; "


def call(world: Any, code: bytes, *arguments: int) -> int:
    """As a loader does it, on a thread."""
    address = world.place(code)
    for instruction in special_instructions(code, address, [address]):
        world.guest.traps.watch(instruction)
        world.guest.space.write(instruction.address, b"\xf4")
    return int(world.call(address, *arguments))


def test_rdmsr_of_the_time_stamp_counter_is_what_rdtsc_reads(world: Any) -> None:
    # rdtsc; mov r8d, eax; mov ecx, 0x10; rdmsr; sub eax, r8d
    code = b"\x0f\x31\x41\x89\xc0\xb9\x10\x00\x00\x00" + RDMSR + b"\x44\x29\xc0" + RET
    assert call(world, code) == 30  # 10 ns of 3 GHz


@pytest.mark.parametrize(("code", "number", "told"), [
    (RDMSR, 0xC000_0080, f"reads MSR 0xc0000080 (rdmsr); {ONLY}call the routine that tells what is wanted of it"),
    (RDMSR, 0x1B, f"reads MSR 0x1b (rdmsr); {ONLY}call the routine that tells what is wanted of it"),
    (WRMSR, 0x10, f"writes MSR 0x10 (wrmsr); {ONLY}leave that to the kernel"),
])  # fmt: skip
def test_another_register_ends_the_run(world: Any, code: bytes, number: int, told: str) -> None:
    with pytest.raises(NotModelled, match=f"^0x[0-9a-f]+ {re.escape(told)}$"):
        call(world, code + RET, number)


@pytest.mark.parametrize("irql", [16, 0x100, 1 << 63])
def test_an_irql_of_more_than_four_bits_is_a_general_protection_fault(world: Any, irql: int) -> None:
    with pytest.raises(BugCheck) as stop:
        call(world, b"\x90" + TO_CR8 + RET, irql)
    assert (stop.value.code, stop.value.parameters[0]) == (0x7E, 0xC000_0005)
    assert f"here {irql:#x}, and an IRQL has four bits (mov cr8, rcx at " in stop.value.why


def test_the_highest_irql_is_taken(world: Any) -> None:
    lower = b"\x31\xc9" + TO_CR8  # xor ecx, ecx; mov cr8, rcx
    assert call(world, TO_CR8 + FROM_CR8 + lower + RET, 15) == 15


@pytest.mark.parametrize(("leaf", "ecx"), [(1, 0), (0x4000_0000, 0)])
def test_cpuid_tells_of_no_hypervisor(world: Any, leaf: int, ecx: int) -> None:
    # push rbx; mov eax, ecx; xor ecx, ecx; cpuid; pop rbx; mov eax, ecx; shr eax, 31
    assert call(world, b"\x53\x89\xc8\x31\xc9\x0f\xa2\x5b\x89\xc8\xc1\xe8\x1f" + RET, leaf) == ecx


@pytest.mark.parametrize(("leaf", "subleaf"), [(0, 0), (1, 0), (0xD, 0), (0xD, 1), (0x8000_0000, 0)])
def test_cpuid_is_otherwise_the_emulated_processors(world: Any, leaf: int, subleaf: int) -> None:
    # push rbx; mov eax, ecx; mov ecx, edx; cpuid; nothing or xchg eax, ebx or ecx; shl rdx, 32; or rax, rdx; pop rbx
    code = b"\x53\x89\xc8\x89\xd1\x0f\xa2%b\x48\xc1\xe2\x20\x48\x09\xd0\x5b" + RET
    for swap in (b"", b"\x93", b"\x91"):
        natively = world.run(code % swap, leaf, subleaf)
        hypervisor = 1 << 31 if leaf == 1 and swap == b"\x91" else 0
        assert call(world, code % swap, leaf, subleaf) == natively - hypervisor

"""in, out, ins and outs: one access of a device each, made outside of the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.pci.spec import BAR_OFFSET

RET = b"\xc3"
BASE = 0xC000


def ports(world: Any) -> list[tuple[str, int, int, int]]:
    """The card's BAR 5 becomes 256 I/O ports from BASE; what reached it."""
    card, accesses = world.card, []
    plain_read, plain_size = card.config_read, card.bar_size
    card.bar_size = lambda bar: 0x100 if bar == 5 else plain_size(bar)

    def config_read(offset: int, size: int) -> int:
        return BASE | 1 if offset == BAR_OFFSET + 20 else int(plain_read(offset, size))

    def read(bar: int, offset: int, size: int) -> int:
        accesses.append(("in", offset, size, 0))
        return 0x1122_3344 & (1 << 8 * size) - 1

    def write(bar: int, offset: int, size: int, value: int) -> None:
        accesses.append(("out", offset, size, value))

    card.config_read, card.bar_read, card.bar_write = config_read, read, write
    card.config_write(0x04, 2, 0x0007)
    return accesses


@pytest.mark.parametrize(
    ("code", "rax", "access"),
    [
        (b"\xec", 0xFFFF_FFFF_FFFF_FF44, ("in", 0x10, 1, 0)),  # in al, dx
        (b"\x66\xed", 0xFFFF_FFFF_FFFF_3344, ("in", 0x10, 2, 0)),  # in ax, dx
        (b"\xed", 0x1122_3344, ("in", 0x10, 4, 0)),  # in eax, dx
        (b"\xee", 0xFFFF_FFFF_FFFF_FFFF, ("out", 0x10, 1, 0xFF)),  # out dx, al
        (b"\x66\xef", 0xFFFF_FFFF_FFFF_FFFF, ("out", 0x10, 2, 0xFFFF)),  # out dx, ax
        (b"\xef", 0xFFFF_FFFF_FFFF_FFFF, ("out", 0x10, 4, 0xFFFF_FFFF)),  # out dx, eax
    ],
)
def test_a_port_instruction_is_one_access_of_its_width(
    world: Any, code: bytes, rax: int, access: tuple[str, int, int, int]
) -> None:
    accesses = ports(world)
    # mov edx, ecx; mov rax, -1
    assert world.run(b"\x89\xca\x48\xc7\xc0\xff\xff\xff\xff" + code + RET, BASE + 0x10) == rax
    world.system.run()
    assert accesses == [access]


def test_two_port_instructions_of_one_block_are_two_accesses_each_time(world: Any) -> None:
    accesses = ports(world)
    # again: mov edx, ecx; in al, dx; mov edx, ecx; add edx, 4; out dx, al; dec r8d; jnz again
    loop = b"\x89\xca\xec\x89\xca\x83\xc2\x04\xee\x41\xff\xc8\x75\xf2" + RET
    world.run(loop, BASE, 0, 2)
    world.system.run()
    assert sorted(accesses) == [("in", 0, 1, 0)] * 2 + [("out", 4, 1, 0x44)] * 2


def test_a_repeated_port_instruction_moves_each_element_once(world: Any) -> None:
    accesses, memory = ports(world), world.place(b"abcdefgh".ljust(64, b"\0"))
    # mov edx, ecx; mov rsi, r8; mov ecx, 3; rep outsb; mov rdi, r8; mov ecx, 2; rep insd; mov rax, rcx
    code = b"\x89\xca\x4c\x89\xc6\xb9\x03\x00\x00\x00\xf3\x6e\x4c\x89\xc7\xb9\x02\x00\x00\x00\xf3\x6d\x48\x89\xc8" + RET
    assert world.run(code, BASE, 0, memory) == 0
    world.system.run()
    assert [a for a in accesses if a[0] == "out"] == [("out", 0, 1, ord(c)) for c in "abc"]
    assert [a for a in accesses if a[0] == "in"] == [("in", 0, 4, 0)] * 2
    assert world.guest.space.read(memory, 8) == bytes.fromhex("4433221144332211")


def test_a_port_that_nobody_decodes_reads_all_ones(world: Any) -> None:
    assert world.run(b"\x31\xc0\xe4\x80" + RET) == 0xFF  # xor eax, eax; in al, 0x80


def test_a_port_access_passes_time_as_a_register_access_does(world: Any) -> None:
    ports(world)
    code = world.place(b"\x89\xca\xec" + RET)

    def measure() -> int:
        cpu = world.system.machine.cpu
        before = cpu.now
        world.guest.call(code, BASE)
        return int(cpu.now - before)

    assert world.system.call(measure) >= world.system.machine.costs.register_read

"""Every access of an instruction to device memory is one access of the device, made outside of the emulator (DESIGN §8)."""

from __future__ import annotations

from typing import Any

import pytest

RET = b"\xc3"


@pytest.mark.parametrize(
    ("code", "accesses", "rax"),
    [
        (b"\x0f\xb6\x01", [("read", 0x10, 1, 0)], 0x88),  # movzx eax, byte [rcx]
        (b"\x0f\xb7\x01", [("read", 0x10, 2, 0)], 0x7788),  # movzx eax, word [rcx]
        (b"\x8b\x01", [("read", 0x10, 4, 0)], 0x5566_7788),  # mov eax, [rcx]
        (b"\x48\x8b\x01", [("read", 0x10, 8, 0)], 0x1122_3344_5566_7788),  # mov rax, [rcx]
        (b"\x48\x63\x41\x04", [("read", 0x14, 4, 0)], 0x1122_3344),  # movsxd rax, dword [rcx + 4]
        (b"\x48\x89\xc8\x8b\x00", [("read", 0x10, 4, 0)], 0x5566_7788),  # mov rax, rcx; mov eax, [rax]
        (b"\x48\x8b\x44\x91\xf8", [("read", 0x10, 8, 0)], 0x1122_3344_5566_7788),  # mov rax, [rcx + 4 * rdx - 8]
        (b"\x44\x8b\x01\x4c\x89\xc0", [("read", 0x10, 4, 0)], 0x5566_7788),  # mov r8d, [rcx]; mov rax, r8
        (b"\x31\xc0\x8a\x21", [("read", 0x10, 1, 0)], 0x8800),  # xor eax, eax; mov ah, [rcx]
        (b"\xb8\xff\x01\x00\x00\x8a\x01", [("read", 0x10, 1, 0)], 0x188),  # mov eax, 0x1ff; mov al, [rcx]
        (b"\xb8\xff\xff\x01\x00\x66\x8b\x01", [("read", 0x10, 2, 0)], 0x1_7788),  # mov eax, 0x1ffff; mov ax, [rcx]
        (b"\x48\x83\xc8\xff\x0f\xb6\x01", [("read", 0x10, 1, 0)], 0x88),  # or rax, -1; movzx eax, byte [rcx]
    ],
)
def test_a_read_of_each_width_is_one_read_of_that_width(
    world: Any, code: bytes, accesses: list[tuple[str, int, int, int]], rax: int
) -> None:
    registers = world.registers()
    assert world.run(code + RET, registers + 0x10, 2) == rax
    assert world.accesses == accesses


@pytest.mark.parametrize(
    ("code", "access"),
    [
        (b"\x88\x11", ("write", 0x10, 1, 0xEF)),  # mov [rcx], dl
        (b"\x66\x89\x11", ("write", 0x10, 2, 0xCDEF)),  # mov [rcx], dx
        (b"\x89\x11", ("write", 0x10, 4, 0x89AB_CDEF)),  # mov [rcx], edx
        (b"\x48\x89\x11", ("write", 0x10, 8, 0x0123_4567_89AB_CDEF)),  # mov [rcx], rdx
        (b"\xc7\x01\x05\x00\x00\x00", ("write", 0x10, 4, 5)),  # mov dword [rcx], 5
        (b"\x88\x31", ("write", 0x10, 1, 0xCD)),  # mov [rcx], dh
        (b"\xc6\x01\xfe", ("write", 0x10, 1, 0xFE)),  # mov byte [rcx], 0xfe
        (b"\x48\xc7\x01\xfe\xff\xff\xff", ("write", 0x10, 8, 0xFFFF_FFFF_FFFF_FFFE)),  # mov qword [rcx], -2
        (b"\x41\xb8\x02\x00\x00\x00\x42\x89\x54\xc1\xf0", ("write", 0x10, 4, 0x89AB_CDEF)),  # r8d = 2; [rcx + 8 * r8 - 16]
        (b"\x41\x89\xd1\x44\x88\x09", ("write", 0x10, 1, 0xEF)),  # mov r9d, edx; mov [rcx], r9b
    ],
)
def test_a_write_of_each_width_is_one_write_of_that_width(world: Any, code: bytes, access: tuple[str, int, int, int]) -> None:
    registers = world.registers()
    world.run(code + RET, registers + 0x10, 0x0123_4567_89AB_CDEF)
    world.system.run()
    assert world.accesses == [access]


def test_sixteen_bytes_are_two_reads_of_eight(world: Any) -> None:
    registers = world.registers()
    load = b"\x0f\x10\x01" + b"\x66\x48\x0f\x7e\xc0" + RET  # movups xmm0, [rcx]; movq rax, xmm0
    assert world.run(load, registers + 0x10) == 0x1122_3344_5566_7788
    assert world.accesses == [("read", 0x10, 8, 0), ("read", 0x18, 8, 0)]


def test_sixteen_bytes_are_two_writes_of_eight(world: Any) -> None:
    registers = world.registers()
    store = b"\x66\x48\x0f\x6e\xc2" + b"\x0f\x11\x01" + RET  # movq xmm0, rdx; movups [rcx], xmm0
    world.run(store, registers + 0x10, 0x55)
    world.system.run()
    assert world.accesses == [("write", 0x10, 8, 0x55), ("write", 0x18, 8, 0)]


def test_a_read_modify_write_reads_once_and_writes_once(world: Any) -> None:
    registers = world.registers()
    world.run(b"\x83\x09\x01" + RET, registers + 0x10)  # or dword [rcx], 1
    world.system.run()
    assert world.accesses == [("read", 0x10, 4, 0), ("write", 0x10, 4, 0x5566_7789)]


@pytest.mark.parametrize(("code", "written"), [
    (b"\x31\xc0\xf0\x0f\xb1\x11", 0x5566_7788),  # xor eax, eax; lock cmpxchg [rcx], edx: what was there, since it differs
    (b"\xb8\x88\x77\x66\x55\xf0\x0f\xb1\x11", 5),  # mov eax, 0x55667788; lock cmpxchg [rcx], edx
    (b"\xd1\x01", 0xAACC_EF10), (b"\xd1\x09", 0x2AB3_3BC4),  # rol dword [rcx], 1; ror
])  # fmt: skip
def test_so_does_one_of_which_the_disassembler_does_not_tell(world: Any, code: bytes, written: int) -> None:
    registers = world.registers()
    world.run(code + RET, registers + 0x10, 5)
    world.system.run()
    assert world.accesses == [("read", 0x10, 4, 0), ("write", 0x10, 4, written)]


def test_a_plain_read_after_a_read_modify_write_of_the_same_page_is_one_read(world: Any) -> None:
    registers = world.registers()
    code = b"\x83\x09\x01" + b"\x8b\x41\x04" + b"\x89\x41\x08" + RET  # or dword [rcx], 1; mov eax, [rcx + 4]; mov [rcx + 8], eax
    world.run(code, registers + 0x10)
    world.system.run()
    assert world.accesses == [
        ("read", 0x10, 4, 0), ("write", 0x10, 4, 0x5566_7789), ("read", 0x14, 4, 0), ("write", 0x18, 4, 0x1122_3344),
    ]  # fmt: skip


def test_a_loop_over_one_instruction_reads_as_often_as_it_runs(world: Any) -> None:
    registers = world.registers()
    loop = b"\x8b\x01" + b"\xff\xca" + b"\x75\xfa" + RET  # again: mov eax, [rcx]; dec edx; jnz again
    world.run(loop, registers + 0x10, 5)
    assert world.accesses == [("read", 0x10, 4, 0)] * 5


def test_a_string_move_reads_each_element_once(world: Any) -> None:
    registers = world.registers()
    memory = world.place(bytes(64))
    # mov rsi, rcx; mov rdi, rdx; mov ecx, 3; rep movsd; mov eax, [rdx + 8]
    move = b"\x48\x89\xce\x48\x89\xd7\xb9\x03\x00\x00\x00\xf3\xa5\x8b\x42\x08" + RET
    assert world.run(move, registers + 0x10, memory) == 0x5566_7788
    assert world.accesses == [("read", 0x10, 4, 0), ("read", 0x14, 4, 0), ("read", 0x18, 4, 0)]


def test_a_string_move_between_two_places_of_a_device_reads_and_writes_each_element_once(world: Any) -> None:
    registers = world.registers()
    # mov rsi, rcx; mov rdi, rdx; mov ecx, 2; rep movsd
    move = b"\x48\x89\xce\x48\x89\xd7\xb9\x02\x00\x00\x00\xf3\xa5" + RET
    world.run(move, registers + 0x10, registers + 0x20)
    world.system.run()
    assert world.accesses == [
        ("read", 0x10, 4, 0), ("read", 0x14, 4, 0), ("write", 0x20, 4, 0x5566_7788), ("write", 0x24, 4, 0x1122_3344),
    ] or world.accesses == [
        ("read", 0x10, 4, 0), ("write", 0x20, 4, 0x5566_7788), ("read", 0x14, 4, 0), ("write", 0x24, 4, 0x1122_3344),
    ]  # fmt: skip


def test_nothing_of_the_instruction_has_happened_when_its_access_is_made(world: Any) -> None:
    registers = world.registers()
    guest, seen = world.guest, []
    plain = world.card.bar_read

    def read(bar: int, offset: int, size: int) -> int:
        seen.append((guest.processor.register("rax"), guest.processor.register("rip")))
        return int(plain(bar, offset, size))

    world.card.bar_read = read
    code = world.place(b"\xb8\x07\x00\x00\x00" + b"\x8b\x01" + RET)  # mov eax, 7; mov eax, [rcx]
    world.call(code, registers)
    assert seen == [(7, code + 5)]


def test_a_read_of_a_removed_device_gives_all_ones(world: Any) -> None:
    registers = world.registers()
    world.system.machine.ports[0].remove()
    assert world.run(b"\x48\x8b\x01" + RET, registers) == 0xFFFF_FFFF_FFFF_FFFF


def test_an_access_that_lets_another_processor_run_goes_on_with_its_own_registers(world: Any) -> None:
    registers = world.registers()
    kernel, guest = world.system.kernel, world.guest
    # push rbx; mov rbx, rdx; mov eax, [rcx]; mov [rcx + 8], ebx; mov eax, [rcx]; mov rax, rbx; pop rbx
    code = world.place(b"\x53\x48\x89\xd3\x8b\x01\x89\x59\x08\x8b\x01\x48\x89\xd8\x5b" + RET)
    results: list[int] = []
    for tag in range(6):
        kernel.dispatcher.create(lambda tag: results.append(guest.call(code, registers, tag)), tag, f"thread {tag}")
    world.system.run()
    assert sorted(results) == list(range(6))
    assert [a[3] for a in world.accesses if a[0] == "write"] == results


def test_a_read_across_a_page_is_put_together_from_the_eights_around_it(world: Any) -> None:
    registers = world.registers(0x3000)
    assert world.run(b"\x48\x8b\x01" + RET, registers + 0xFFC) == 0x5566_7788_1122_3344
    assert world.accesses == [("read", 0xFF8, 8, 0), ("read", 0x1000, 8, 0)]


def test_an_instruction_that_stores_many_bytes_reaches_the_device_in_parts_of_eight_at_most(world: Any) -> None:
    registers = world.registers()
    world.run(b"\x0f\xae\x01" + RET, registers)  # fxsave [rcx]
    world.system.run()
    assert {kind for kind, *_ in world.accesses} == {"write"}
    assert all(size in (1, 2, 4, 8) for _, _, size, _ in world.accesses)


def test_a_call_with_its_stack_in_device_memory_returns_to_what_the_device_says_and_that_is_a_double_fault(world: Any) -> None:
    registers = world.registers()
    stub = world.guest.stubs.known("KeGetCurrentIrql")
    world.system.kernel.dispatcher.create(
        lambda _: world.guest.call(world.place(b"\x48\x89\xcc\xff\xe2"), registers + 0x100, stub), None, "lost its stack"
    )  # mov rsp, rcx; jmp rdx
    world.system.run()
    assert str(world.system.stopped).startswith("bugcheck 0x7f UNEXPECTED_KERNEL_MODE_TRAP (0x8, ")
    assert world.accesses == [("read", 0x100, 8, 0)]

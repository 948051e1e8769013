"""Calls into a driver and out of it: arguments, stacks, nesting, and the processors they run on."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.decode import special_instructions
from dirql.machine.chooser import RandomChooser

RET = b"\xc3"


def test_a_function_gets_four_arguments_in_registers_and_the_others_on_the_stack(world: Any) -> None:
    # lea rax, [rcx + rdx]; add rax, r8; add rax, r9; add rax, [rsp + 0x28]; add rax, [rsp + 0x30]
    code = b"\x48\x8d\x04\x11\x4c\x01\xc0\x4c\x01\xc8\x48\x03\x44\x24\x28\x48\x03\x44\x24\x30" + RET
    assert world.run(code, 1, 10, 100, 1_000, 10_000, 100_000) == 111_111


def test_the_stack_is_aligned_as_a_call_leaves_it(world: Any) -> None:
    assert world.run(b"\x48\x89\xe0" + RET) % 16 == 8  # mov rax, rsp


def test_a_routine_that_calls_the_driver_back_finds_its_callers_registers_again(world: Any) -> None:
    inner = world.place(b"\x48\x31\xdb\x48\x31\xc0" + RET)  # xor rbx, rbx; xor rax, rax
    again = world.function(lambda: world.guest.call(inner), 0)
    # push rbx; mov rbx, 77; sub rsp, 0x20; call rcx; add rsp, 0x20; mov rax, rbx; pop rbx
    outer = b"\x53\x48\xc7\xc3\x4d\x00\x00\x00\x48\x83\xec\x20\xff\xd1\x48\x83\xc4\x20\x48\x89\xd8\x5b" + RET
    assert world.run(outer, again) == 77


def test_an_interrupted_function_goes_on_with_its_registers_after_another_processors_ran(world: Any) -> None:
    guest, kernel = world.guest, world.system.kernel
    seen: list[tuple[int, int]] = []

    def wait(tag: int) -> int:
        seen.append((tag, world.system.machine.cpu.index))
        kernel.ke_stall_execution_processor(20)
        return 0

    stall = world.function(wait, 1)
    # push rbx; sub rsp, 0x20; mov rbx, rcx; call rdx; lea rax, [rbx + 1]; add rsp, 0x20; pop rbx
    code = world.place(b"\x53\x48\x83\xec\x20\x48\x89\xcb\xff\xd2\x48\x8d\x43\x01\x48\x83\xc4\x20\x5b" + RET)
    results: list[int] = []
    for tag in (10, 20):
        kernel.dispatcher.create(lambda tag: results.append(guest.call(code, tag, stall)), tag, f"thread {tag}")
    world.system.run()
    assert sorted(results) == [11, 21]
    assert {index for _, index in seen} == {0, 1}


def test_a_processors_number_is_read_through_gs_on_whichever_it_runs(world: Any) -> None:
    code = world.place(b"\x65\x8b\x04\x25\x84\x01\x00\x00" + RET)  # mov eax, gs:[0x184]
    results: list[tuple[int, int]] = []
    kernel = world.system.kernel

    def look(_: Any) -> None:
        index = world.system.machine.cpu.index
        results.append((index, world.guest.call(code)))
        kernel.ke_stall_execution_processor(50)

    for name in ("a", "b"):
        kernel.dispatcher.create(look, None, name)
    world.system.run()
    assert sorted(results) == [(0, 0), (1, 1)]


def test_code_may_not_be_written_and_data_not_executed(world: Any) -> None:
    pool = world.guest.space.allocate(next(iter(world.guest.space._next)), 64, "data")
    world.system.kernel.dispatcher.create(lambda _: world.guest.call(pool.start), None, "runs data")
    world.system.run()
    assert str(world.system.stopped).startswith("bugcheck 0xfc")


def counting(world: Any, how: int | None) -> int:
    """Two processors add 1 to a number 20 times each without a lock, in an order that a seed chooses; what is lost."""
    if how is not None:
        world.guest.processor.slice_by(how)
    kernel, guest = world.system.kernel, world.guest
    number = world.place(bytes(64))
    # again: mov rax, [rcx]; inc rax; mov [rcx], rax; dec rdx; jnz again
    code = world.place(b"\x48\x8b\x01\x48\xff\xc0\x48\x89\x01\x48\xff\xca\x75\xf2" + RET)
    for name in ("a", "b"):
        kernel.dispatcher.create(lambda _: guest.call(code, number, 20), None, name)
    world.system.run()
    assert world.system.stopped is None
    return 40 - int.from_bytes(guest.space.read(number, 8), "little")


@pytest.mark.parametrize(("how", "loses"), [(None, False), (1, True), (3, True), (0, True)])
def test_code_is_preempted_between_its_calls_only_where_that_was_asked_for(
    make_world: Any, how: int | None, loses: bool
) -> None:
    assert (counting(make_world(RandomChooser(7)), how) > 0) is loses


@pytest.mark.parametrize("how", [1, 5, 0])
def test_an_atomic_addition_loses_nothing_however_often_it_is_preempted(make_world: Any, how: int) -> None:
    world = make_world(RandomChooser(3))
    world.guest.processor.slice_by(how)
    kernel, guest = world.system.kernel, world.guest
    number = world.place(bytes(64))
    code = world.place(b"\xf0\x48\xff\x01\x48\xff\xca\x75\xf7" + RET)  # again: lock inc qword [rcx]; dec rdx; jnz again
    for name in ("a", "b"):
        kernel.dispatcher.create(lambda _: guest.call(code, number, 20), None, name)
    world.system.run()
    assert int.from_bytes(guest.space.read(number, 8), "little") == 40


@pytest.mark.parametrize("how", [1, 2, 0])
def test_calls_and_register_accesses_happen_once_however_often_code_is_preempted(make_world: Any, how: int) -> None:
    world = make_world(RandomChooser(1))
    world.guest.processor.slice_by(how)
    registers, calls = world.registers(), []
    routine = world.function(lambda value: calls.append(value), 1)
    # push rbx; sub rsp, 0x20; mov rbx, rcx; mov rcx, 5; call rdx; mov dword [rbx], 9; mov eax, [rbx + 8]; add rsp, 0x20; pop rbx
    code = (b"\x53\x48\x83\xec\x20\x48\x89\xcb\x48\xc7\xc1\x05\x00\x00\x00\xff\xd2\xc7\x03\x09\x00\x00\x00\x8b\x43\x08"
            b"\x48\x83\xc4\x20\x5b") + RET  # fmt: skip
    assert world.run(code, registers, routine) == 0x5566_7788
    world.system.run()
    assert calls == [5]
    assert sorted(world.accesses) == [("read", 8, 4, 0), ("write", 0, 4, 9)]


@pytest.mark.parametrize("seed", range(6))
def test_each_thread_reads_its_own_irql_from_cr8_whoever_runs_meanwhile(make_world: Any, seed: int) -> None:
    world = make_world(RandomChooser(seed))
    kernel, guest = world.system.kernel, world.guest
    # again: mov rax, cr8; or rbx, rax; dec rcx; jnz again, around it: push rbx; xor rbx, rbx … mov rax, rbx; pop rbx
    text = b"\x53\x48\x31\xdb\x44\x0f\x20\xc0\x48\x09\xc3\x48\xff\xc9\x75\xf4\x48\x89\xd8\x5b" + RET
    code = world.place(text)
    for instruction in special_instructions(text, code, [code]):
        guest.traps.watch(instruction)
        guest.space.write(instruction.address, b"\xf4")
    seen: list[tuple[int, int]] = []

    def look(irql: int) -> None:
        before = kernel.ke_raise_irql(irql)
        seen.append((irql, guest.call(code, 10)))
        kernel.ke_lower_irql(before)

    for number, irql in enumerate((0, 2, 0, 2)):
        kernel.dispatcher.create(look, irql, f"thread {number}")
    world.system.run()
    assert sorted(seen) == [(0, 0), (0, 0), (2, 2), (2, 2)]


@pytest.mark.parametrize("how", [None, 0, 1, 50])
def test_a_loop_that_waits_for_memory_ends_when_a_timer_of_the_cards_writes_it(world: Any, how: int | None) -> None:
    if how is not None:
        world.guest.processor.slice_by(how)
    space, card = world.guest.space, world.card
    flag = world.place(bytes(64))
    physical = world.guest.pages.translate(flag, 1)
    card.config_write(0x04, 2, 0x0006)
    card.after(5_000, lambda: card.dma.write(physical, b"\x01"))
    # again: cmp byte [rcx], 0; je again; mov eax, 7
    assert world.run(b"\x80\x39\x00\x74\xfb\xb8\x07\x00\x00\x00" + RET, flag) == 7
    assert space.read(flag, 1) == b"\x01"

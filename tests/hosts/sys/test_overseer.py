"""A stop that another thread asks for changes nothing of what a driver does, whenever it comes."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest

from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.decode import special_instructions
from dirql.hosts.sys.processor import Exit
from dirql.kernel.stop import Hang

RET = b"\xc3"
RESULT = 0x5566_7788 + 1 + 3 + (0x202 & 0xF00)


def work(world: Any) -> int:
    """A driver's function with every kind of stop in it; what it returns. The calls and accesses that it made are kept."""
    registers, counter = world.registers(), world.memory()

    def called(value: int) -> None:
        world.accesses.append(("call", value, 0, 0))

    # push rbx; push rsi; sub rsp, 0x28; mov rbx, rcx; mov rsi, r8; mov rcx, 5; call rdx
    enter = b"\x53\x56\x48\x83\xec\x28\x48\x89\xcb\x4c\x89\xc6\x48\xc7\xc1\x05\x00\x00\x00\xff\xd2"
    # mov dword [rbx], 9; add dword [rbx + 8], 1; inc qword [rsi]; jmp over it; cli; inc qword [rsi]; sti; inc qword [rsi]
    touch = b"\xc7\x03\x09\x00\x00\x00\x83\x43\x08\x01\x48\xff\x06\xeb\x00\xfa\x48\xff\x06\xfb\x48\xff\x06"
    # mov eax, [rbx + 8]; inc rax; add rax, [rsi]; pushf; pop rcx; and ecx, 0xf00; add rax, rcx
    result = b"\x8b\x43\x08\x48\xff\xc0\x48\x03\x06\x9c\x59\x81\xe1\x00\x0f\x00\x00\x48\x01\xc8"
    leave = b"\x48\x83\xc4\x28\x5e\x5b" + RET  # add rsp, 0x28; pop rsi; pop rbx
    text = enter + touch + result + leave
    code = world.place(text)
    for instruction in special_instructions(text, code, [code]):
        world.guest.traps.watch(instruction)
        world.guest.space.write(instruction.address, b"\xf4")
    return int(world.call(code, registers, world.function(called, 1), counter))


def before_every_other_run(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    processor, go, turn = world.guest.processor, world.guest.processor.go, cycle((True, False))

    def stopped() -> Exit:
        if next(turn):
            processor.stop()
        return Exit(go())

    monkeypatch.setattr(processor, "go", stopped)


def behind_every_other_run(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    processor, go, turn = world.guest.processor, world.guest.processor.go, cycle((False, True))

    def stopped() -> Exit:
        stop = Exit(go())
        if next(turn):
            processor.stop()
        return stop

    monkeypatch.setattr(processor, "go", stopped)


def in_each_step(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    processor, step = world.guest.processor, world.guest.processor.step

    def stopped() -> Exit | None:
        processor.stop()
        stop: Exit | None = step()
        return stop

    monkeypatch.setattr(processor, "step", stopped)
    processor.stop()


def before_each_new_block(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    processor, look = world.guest.processor, world.guest.processor.new_block

    def stopped(address: int, size: int) -> bool:
        processor.stop()
        return bool(look(address, size))

    monkeypatch.setattr(processor, "new_block", stopped)


def while_an_access_is_pending(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    devices, processor = world.guest.devices, world.guest.processor
    enter, read, write = devices.enter, devices.read, devices.write

    def stopping(method: Callable[..., Any]) -> Callable[..., Any]:
        def stopped(*arguments: Any) -> Any:
            processor.stop()
            return method(*arguments)

        return stopped

    for name, method in (("enter", enter), ("read", read), ("write", write)):
        monkeypatch.setattr(devices, name, stopping(method))


MOMENTS = {moment.__name__: moment for moment in (
    before_every_other_run, behind_every_other_run, in_each_step, before_each_new_block, while_an_access_is_pending,
)}  # fmt: skip


@pytest.mark.parametrize("how", [None, 0])
@pytest.mark.parametrize("host", ["x86_64", "another"])
@pytest.mark.parametrize("moment", [None, *MOMENTS])
def test_a_driver_does_the_same_whenever_a_stop_is_asked_for(
    make_world: Any, monkeypatch: pytest.MonkeyPatch, moment: str | None, host: str, how: int | None
) -> None:
    if host == "another":
        monkeypatch.setattr(platform, "machine", lambda: host)
    world = make_world()
    if how is not None:
        world.guest.processor.slice_by(how)
    if moment is not None:
        MOMENTS[moment](world, monkeypatch)
    assert work(world) == RESULT
    world.system.run()
    assert world.system.stopped is None
    assert world.accesses == [("call", 5, 0, 0), ("write", 0, 4, 9), ("read", 8, 4, 0), ("write", 8, 4, 0x5566_7789),
                              ("read", 8, 4, 0)]  # fmt: skip


def test_no_addition_is_made_twice_while_another_thread_asks_for_stops(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    guest, counter, done = world.guest, world.memory(), threading.Event()

    def again(*_: object) -> Exit:
        while (stop := guest.processor.go()) is Exit.ASKED:
            pass
        return Exit(stop)

    def ask() -> None:
        while not done.is_set():
            guest.processor.stop()

    monkeypatch.setattr(guest.overseer, "asked", again)
    thread = threading.Thread(target=ask)
    thread.start()
    # again: inc qword [rcx]; lock inc qword [rcx + 8]; dec rdx; jnz again
    world.run(b"\x48\xff\x01\xf0\x48\xff\x41\x08\x48\xff\xca\x75\xf3" + RET, counter, 20_000)
    done.set()
    thread.join()
    assert (world.number(counter), world.number(counter + 8)) == (20_000, 20_000)


def test_a_loop_of_calls_that_nothing_interrupts_is_a_hang_at_the_same_place_in_every_run(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dirql.hosts.sys.guest.MANY", 64)
    monkeypatch.setattr("dirql.system.STEPS", 640)
    told = []
    for world in (make_world(), make_world()):
        routine = world.guest.stubs.address("ntoskrnl!KeQueryActiveGroupCount", ROUTINES["ntoskrnl!KeQueryActiveGroupCount"])
        with pytest.raises(Hang) as caught:  # sub rsp, 0x28; mov rbx, rcx; again: call rbx; jmp again
            world.run(b"\x48\x83\xec\x28\x48\x89\xcb\xff\xd3\xeb\xfc", routine)
        told.append((caught.value.rule, caught.value.why, world.system.machine.cpus[0].now))
    assert told[0] == told[1]
    assert told[0][0] == "stuck" and " of virtual time a processor still goes on and on: cpu0, call" in told[0][1]


def test_a_callback_of_many_calls_that_ends_is_none(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirql.hosts.sys.guest.MANY", 64)
    routine = world.guest.stubs.address("ntoskrnl!KeQueryActiveGroupCount", ROUTINES["ntoskrnl!KeQueryActiveGroupCount"])
    # push rbx; push rsi; sub rsp, 0x28; mov rbx, rcx; mov rsi, rdx; again: call rbx; dec rsi; jnz again; …; ret
    code = b"\x53\x56\x48\x83\xec\x28\x48\x89\xcb\x48\x89\xd6\xff\xd3\x48\xff\xce\x75\xf9\x48\x83\xc4\x28\x5e\x5b" + RET
    assert world.run(code, routine, 1_000) == 1


@pytest.mark.parametrize("how", [None, 0, 1, 3])
def test_instructions_are_counted_once_however_often_they_are_stopped_before(make_world: Any, how: int | None) -> None:
    world = make_world()
    if how is not None:
        world.guest.processor.slice_by(how)
    world.guest.processor.limit(1_000, world.guest.decoder.count)
    # mov eax, [rcx]; mov edx, [rcx + 4]; mov [rcx + 8], eax; mov eax, [r8]; inc eax; mov [r8], eax; ret; and the kernel's hlt
    code = b"\x8b\x01\x8b\x51\x04\x89\x41\x08\x41\x8b\x00\xff\xc0\x41\x89\x00" + RET
    world.run(code, world.registers(), 0, world.memory())
    assert 1_000 - world.guest.processor.left == 8
    assert world.accesses == [("read", 0, 4, 0), ("read", 4, 4, 0), ("write", 8, 4, 0x5566_7788)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this host cannot fork")
def test_a_child_process_has_nobody_who_looks_until_its_next_call(world: Any) -> None:
    world.run(RET)
    assert not world.guest.overseer.asleep
    child = os.fork()
    if not child:
        os._exit(int(world.guest.overseer.asleep))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1

"""However code is preempted, an instruction is one step."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.machine.chooser import RandomChooser

AGAIN = b"\x48\xff\xca\x75\xf8\xc3"  # behind an instruction of three bytes: dec rdx; jnz to it; ret


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", [0, 1, 3])
@pytest.mark.parametrize("code", [b"\x48\xff\x01", b"\x48\x01\x11"])  # inc qword [rcx]; add [rcx], rdx
def test_an_instruction_that_reads_and_writes_memory_loses_no_update(make_world: Any, code: bytes, how: int, seed: int) -> None:
    world = make_world(RandomChooser(seed))
    world.guest.processor.slice_by(how)
    kernel, guest, number = world.system.kernel, world.guest, world.memory()
    entry = world.place(code + AGAIN)
    for name in ("a", "b"):
        kernel.dispatcher.create(lambda _: guest.call(entry, number, 20), None, name)
    world.system.run()
    assert world.number(number) == (40 if code[1] == 0xFF else 420)

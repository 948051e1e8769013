"""Junk for every argument of every routine: a value, a bugcheck or a refusal, and never an error of dirql's own.

The routines are taken module by module, a few calls each with arguments that hypothesis draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.device.models import MultiQueue
from dirql.errors import DirqlError
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.load import declare_routines
from dirql.hosts.sys.page_table import Rights
from dirql.kernel.irql import DISPATCH_LEVEL, PASSIVE_LEVEL
from dirql.kernel.stop import Stop
from dirql.system import System

declare_routines()
BY_MODULE: dict[str, list[str]] = {}
for _key, _thunk in sorted(ROUTINES.items()):
    BY_MODULE.setdefault(Path(_thunk.function.__code__.co_filename).stem, []).append(_key)
CALLS = 8  # in each module
SLOTS = (
    "0", "1", "8", "0x1000", "32 bits", "64 bits", "sign", "user", "not canonical", "nowhere", "junk", "zeros", "page end", "odd",
    "itself", "freed", "read-only", "code", "stub", "device", "object", "handle", "KPCR",
)  # fmt: skip


@dataclass
class Attacker:
    """A system and the junk in it."""

    system: System
    guest: Guest
    slots: dict[str, int]

    def call(self, key: str, names: list[str], irql: int) -> None:
        """On a thread of its own, at `irql`."""
        guest, kernel = self.guest, self.system.kernel
        entry = guest.stubs.address(key, ROUTINES[key])

        def run(_: Any) -> None:
            if irql:
                kernel.ke_raise_irql(irql)
            guest.call(entry, *(self.slots[name] for name in names))
            if irql and guest.machine.cpu.irql == irql:
                kernel.ke_lower_irql(PASSIVE_LEVEL)

        kernel.dispatcher.create(run, None, "the attacker")
        self.system.run()


def attacker() -> Attacker:
    system = System(2, memory=8 << 20)
    system.plug(card := MultiQueue())
    guest = Guest(system.kernel, system.framework)
    space = guest.space
    card.config_write(0x10, 4, 0xC000_0000)
    card.config_write(0x04, 2, 0x0006)
    junk, zeros, itself = (space.allocate(Area.POOL, 0x1000, what).start for what in ("junk", "zeros", "pointers to itself"))
    space.write(junk, Random(1).randbytes(0x1000))
    space.write(itself, itself.to_bytes(8, "little") * 512)
    space.free(freed := space.allocate(Area.POOL, 64, "what was freed"))
    fixed = space.allocate(Area.POOL, 64, "read-only", Rights.READ)
    code = space.allocate(Area.IMAGE, 0x1000, "code", Rights.READ | Rights.WRITE | Rights.EXECUTE)
    space.write(code.start, b"\x31\xc0\xc3" * 64)  # xor eax, eax; ret
    device = system.call(lambda: guest.devices.map(system.kernel.mm_map_io_space(0xC000_0000, 0x1000), 0xC000_0000, 0x1000))
    values = (
        0, 1, 8, 0x1000, 0xFFFF_FFFF, (1 << 64) - 1, 1 << 63, 0x7FFE_0000, 0x1234_5678_90AB_CDEF, 0xFFFF_C000_0000_0000,
        junk, zeros, zeros + 0xFFC, junk + 1, itself, freed.start, fixed.start, code.start,
        guest.stubs.base, device, guest.handle(system.framework), 0xFFFF_E000_0000_7770, guest.kpcr[0],
    )  # fmt: skip
    return Attacker(system, guest, dict(zip(SLOTS, values, strict=True)))


def outcome(make: Callable[[], Attacker], key: str, names: list[str], irql: int) -> str:
    """Empty for what is allowed; else the error that escaped."""
    world = make()
    try:
        world.call(key, names, irql)
    except DirqlError:
        return ""  # a refusal in words
    cause = world.system.stopped.__cause__ if world.system.stopped is not None else None
    if cause is not None and not isinstance(cause, DirqlError | Stop):
        return f"{type(cause).__name__}: {cause}"
    return ""


@pytest.mark.parametrize("module", BY_MODULE)
@given(data=st.data())
@settings(max_examples=CALLS)
def test_junk_arguments_end_in_a_value_a_bugcheck_or_a_refusal(module: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(BY_MODULE[module]))
    names = data.draw(st.lists(st.sampled_from(SLOTS), min_size=8, max_size=8))
    irql = data.draw(st.sampled_from([PASSIVE_LEVEL, DISPATCH_LEVEL]))
    assert outcome(attacker, key, names, irql) == ""

"""A driver's class outlives the systems it was loaded on, and keeps none of them."""

from __future__ import annotations

from weakref import ref

import pytest

from dirql import wdf
from dirql.device.models import MultiQueue
from dirql.machine import Memory, RandomChooser
from dirql.system import System


class Counting(wdf.Device):
    count = 0

    def evt_device_d0_entry(self, previous_state: int) -> None:
        self.count += 1


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
        Counting.create(init)


@pytest.mark.parametrize("more", [{}, {"races": True}, {"chooser": RandomChooser(1)}], ids=["plain", "races", "orders"])
def test_a_started_system_that_was_dropped_is_garbage(more: dict[str, object]) -> None:
    system = System(2, memory=1 << 21, **more)
    system.plug(MultiQueue(1))
    system.load(Driver)
    assert system.start() == wdf.STATUS_SUCCESS
    memory = ref(system.machine.memory)
    del system
    Memory.collect()
    assert memory() is None

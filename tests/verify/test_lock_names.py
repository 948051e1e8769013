"""A finding tells the interrupts of several cards apart, though each card numbers its own from 0."""

from __future__ import annotations

from typing import Any

import pytest

import dirql
from dirql import wdf
from dirql.device.models import MultiQueue


class Card(wdf.Device):
    """One line-based interrupt, kept for the test."""

    def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> None:
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                config = wdf.InterruptConfig(lambda *_: False, interrupt_raw=one_raw, interrupt_translated=one)
                self.interrupt = wdf.Interrupt.create(self, config)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
        Card.create(init)


def started(*names: str) -> tuple[dirql.System, list[wdf.Interrupt]]:
    system = dirql.System(cpus=1, memory=1 << 21)
    cards = [system.plug(MultiQueue(1, name=name)) for name in names]
    system.load(Driver)
    assert system.start() == wdf.STATUS_SUCCESS
    devices: list[Any] = [system.device(card) for card in cards]
    return system, [device.interrupt for device in devices]


def nested(outer: wdf.Interrupt, inner: wdf.Interrupt) -> None:
    outer.acquire_lock()
    inner.acquire_lock()
    inner.release_lock()
    outer.release_lock()


def test_locks_of_two_cards_interrupts_have_the_cards_names() -> None:
    system, (left, right) = started("left", "right")
    system.call(nested, left, right)
    system.call(nested, right, left)
    (sentence,) = [finding.sentence for finding in system.findings if finding.rule == "lock-order"]
    assert sentence.startswith("lock of interrupt0 of left is taken while lock of interrupt0 of right is held (cpu0")
    assert ", but lock of interrupt0 of right is taken while lock of interrupt0 of left is held (cpu0" in sentence


@pytest.mark.parametrize(("names", "told"), [
    (("left",), ["interrupt0"]), (("left", "right"), ["interrupt0 of left", "interrupt0 of right"]),
])  # fmt: skip
def test_a_service_routine_has_its_cards_name_where_there_are_several(names: tuple[str, ...], told: list[str]) -> None:
    _, interrupts = started(*names)
    assert [interrupt.wdm.name for interrupt in interrupts if interrupt.wdm is not None] == told

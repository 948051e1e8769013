"""Exceptions that Python does not count among the ordinary ones, out of a driver and out of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dirql import wdf
from dirql.device import Device
from dirql.errors import InputError
from dirql.system import System

Make = Callable[[], BaseException]

CASES: list[tuple[Make, str]] = [
    (GeneratorExit, "GeneratorExit"), (lambda: SystemExit(3), "SystemExit: 3"), (lambda: ValueError("no"), "ValueError: no"),
]  # fmt: skip


def world(make: Make, *, in_driver: bool) -> System:
    """A started system whose driver raises that at once, or whose card does when its timer expires."""

    class Card(Device, vendor=1, device=2):
        def go(self) -> None:
            raise make()

    class Raising(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            wdf.Device.create(init)
            if in_driver:
                raise make()

    system = System(1, memory=1 << 21)
    card: Any = system.plug(Card())
    system.load(Raising)
    system.start()
    if not in_driver:
        card.after(5, card.go)
    return system


@pytest.mark.parametrize(("make", "words"), CASES)
def test_what_a_driver_raises_is_a_bugcheck_whatever_its_class(make: Make, words: str) -> None:
    system = world(make, in_driver=True)
    line = world.__code__.co_firstlineno + 11
    assert str(system.stopped) == (
        "bugcheck 0x1e KMODE_EXCEPTION_NOT_HANDLED (0x0, 0x0, 0x0, 0x0): "
        f"{words} (test_unhandled.py:{line} in evt_driver_device_add)"
    )


@pytest.mark.parametrize(("make", "words"), CASES)
def test_what_a_model_raises_is_its_authors_mistake_whatever_its_class(make: Make, words: str) -> None:
    system = world(make, in_driver=False)
    with pytest.raises(InputError) as caught:
        system.run()
    line = world.__code__.co_firstlineno + 5
    assert str(caught.value) == f"{__file__}:{line}: {words}; mend the device model"


@pytest.mark.parametrize("in_driver", [False, True])
def test_the_users_interruption_ends_the_program(in_driver: bool) -> None:
    with pytest.raises(KeyboardInterrupt):
        world(KeyboardInterrupt, in_driver=in_driver).run()

"""WDFDRIVER: a Python class and its callbacks (facts §2.5, §6.3)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.errors import UsageError
from dirql.system import System


def test_a_driver_without_device_add_is_refused_before_anything_runs() -> None:
    class Empty(wdf.Driver):
        pass

    with pytest.raises(UsageError) as caught:
        System(1).load(Empty)
    assert str(caught.value) == "Empty has no evt_driver_device_add(self, init); without it no device is ever added"


def test_a_misspelt_callback_is_refused_with_the_right_names() -> None:
    with pytest.raises(UsageError) as caught:
        type("Wrong", (wdf.Driver,), {"evt_driver_add_device": lambda self, init: None})
    assert str(caught.value) == (
        "test_driver.py:25: Wrong.evt_driver_add_device is no callback of a driver; "
        "there are evt_driver_device_add, evt_driver_unload"
    )


def test_kmdfs_defaults_are_dispatch_and_no_scope(World: Any) -> None:
    w = World()
    attributes = w.driver.attributes
    assert (attributes.execution_level, attributes.synchronization_scope) == (3, 4)


def test_the_driver_is_the_parent_of_its_devices_and_the_default_parent_of_locks(World: Any) -> None:
    w = World().started()
    assert w.device.parent is w.driver
    assert w.call(wdf.SpinLock.create, w.framework).parent is w.driver
    assert w.call(w.device.get_driver) is w.driver


def test_unload_comes_last_and_deletes_the_driver(World: Any) -> None:
    w = World().started()
    w.system.shut_down()
    assert w.log[-1] == "Unload"
    assert w.driver.destroyed


def test_a_driver_that_creates_no_device_has_none(World: Any) -> None:
    class Shy(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            """Not interested."""

    w = World()
    system = System(1)
    card = system.plug(type(w.card)(1))
    system.load(Shy)
    assert system.start() == wdf.STATUS_NO_SUCH_DEVICE
    assert system.node(card).stack is None

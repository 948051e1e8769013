"""Attributes that a driver's class cannot have, since the framework's objects keep theirs there."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.errors import UsageError

TAKEN = ["children", "context", "device", "idle", "interrupts", "kernel", "name", "parent", "power", "queues", "_contexts"]


def made(base: str, body: str) -> Any:
    """A class as a driver's file would make it."""
    space: dict[str, Any] = {"__name__": "card", "wdf": wdf}
    exec(compile(f"class Card(wdf.{base}):\n{body}", "folder/card.py", "exec"), space)
    return space["Card"]


@pytest.mark.parametrize("name", TAKEN)
def test_an_assignment_to_what_the_framework_keeps_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        made("Device", f"    def evt_device_d0_entry(self, previous):\n        value = 1\n        self.{name} = value\n")
    assert str(caught.value) == (
        f"card.py:4: Card assigns self.{name}, which is the framework's own attribute of a Device; choose another name"
    )


@pytest.mark.parametrize("body", [
    "        self.other = self.power = 1\n",
    "        self.power += 1\n",
    "        if previous: (self.power, x) = previous\n",
    "        def inner():\n            self.power = 1\n        inner()\n",
    "        for self.power in previous: pass\n",
])  # fmt: skip
def test_every_form_of_assignment_is_found(body: str) -> None:
    with pytest.raises(UsageError, match=r"Card assigns self\.power, which is the framework's own"):
        made("Device", "    def evt_device_d0_entry(self, previous):\n" + body)


@pytest.mark.parametrize("body", [
    "        self.registers = self.power\n",
    "        previous.power = 1\n",
    "        power = 1\n",
    "        self.lock.name = 1\n",
    "        previous.power += self.power\n",
])  # fmt: skip
def test_what_is_no_clash_is_let_through(body: str) -> None:
    assert made("Device", "    def evt_device_d0_entry(self, previous):\n" + body).__name__ == "Card"


def test_a_method_by_a_name_of_the_frameworks_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError) as caught:
        made("Device", "    x = 1\n    def idle(self):\n        pass\n")
    assert str(caught.value) == "card.py:3: Card.idle is the framework's own attribute of a Device; choose another name"


def test_a_class_attribute_by_a_name_of_the_frameworks_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        made("Driver", "    parent = None\n")
    assert str(caught.value) == "Card.parent is the framework's own attribute of a Driver; choose another name"


def test_a_driver_cannot_keep_its_device_where_the_framework_looks_for_it() -> None:
    with pytest.raises(UsageError) as caught:
        made("Driver", "    def evt_driver_device_add(self, init):\n        self.device = wdf.Device.create(init)\n")
    assert str(caught.value) == (
        "card.py:3: Card assigns self.device, which is the framework's own attribute of a Driver; choose another name"
    )


def test_an_init_that_forgets_the_frameworks_is_told(World: Any) -> None:
    class Forgets(wdf.Device):
        def __init__(self, *_: object) -> None:
            self.count = 0

    w = World()
    with pytest.raises(UsageError) as caught:
        Forgets.create(wdf.DeviceInit(w.framework, w.driver, None))
    assert str(caught.value) == "Forgets.__init__ leaves out the framework's; call super().__init__(init, attributes) first"


def test_a_driver_whose_init_takes_no_framework_is_refused() -> None:
    class Bare(wdf.Driver):
        def __init__(self) -> None:
            pass

        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            pass

    with pytest.raises(UsageError) as caught:
        Bare.require_callbacks()
    assert str(caught.value) == "Bare.__init__: too many positional arguments; it is called with (self, framework)"

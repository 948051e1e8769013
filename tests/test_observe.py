"""What a model answers when the report asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dirql import wdf
from dirql.device import Device
from dirql.device.models import MultiQueue
from dirql.errors import UsageError
from dirql.kernel.io_connect import connect_fully_specified
from dirql.kernel.kinterrupt import KInterrupt
from dirql.system import System

FILE = "test_observe.py"
UNSERVED = "return a list of strings, empty when all was served"
SERVED_BY = "return a dict of vector numbers to lists of strings"


class Plain(wdf.Driver):
    """A driver that does nothing."""

    def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
        wdf.Device.create(init)


def started(method: str, answer: Any) -> tuple[System, int]:
    """A system whose card answers so, and the line of that method."""

    def say(self: Device) -> Any:
        return answer

    system = System(1, memory=1 << 21)
    system.plug(type("Card", (Device,), {method: say}, vendor=1, device=2)())
    system.load(Plain)
    system.start()
    return system, say.__code__.co_firstlineno


@pytest.mark.parametrize(("method", "answer", "wanted"), [
    ("unserved", None, UNSERVED), ("unserved", 3, UNSERVED), ("unserved", "all of it", UNSERVED), ("unserved", [1, 2], UNSERVED),
    ("unserved", {"a": 1}, UNSERVED), ("served_by", None, SERVED_BY), ("served_by", [["a"]], SERVED_BY),
    ("served_by", {0: "queue 0"}, SERVED_BY), ("served_by", {0: 3}, SERVED_BY), ("served_by", {"0": ["a"]}, SERVED_BY),
    ("served_by", {0: [1]}, SERVED_BY),
])  # fmt: skip
def test_an_answer_of_another_type_names_the_models_method(method: str, answer: Any, wanted: str) -> None:
    system, line = started(method, answer)
    with pytest.raises(UsageError) as caught:
        system.report()
    assert str(caught.value) == f"{FILE}:{line}: Card.{method}() returned {answer!r}; {wanted}"


@pytest.mark.parametrize("answer", [[], ["a"], ("a",), iter(["a", "b"])])
def test_any_list_of_strings_will_do(answer: Any) -> None:
    system, _ = started("unserved", answer)
    assert set(system.report().unserved) <= {"a", "b"}


def test_a_generator_of_strings_will_do() -> None:
    def unserved(self: Device) -> Iterator[str]:
        yield "one thing"

    system = System(1, memory=1 << 21)
    system.plug(type("Card", (Device,), {"unserved": unserved}, vendor=1, device=2)())
    system.load(Plain)
    system.start()
    assert system.report().unserved == ["one thing"]


class Connecting(wdf.Driver):
    """Gives its first message to the framework, and connects the others itself, in the older form or for its PDO."""

    older = False

    def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
        device = ConnectingDevice.create(init)
        device.older, device.own = self.older, []


class ConnectingDevice(wdf.Device):
    older: bool
    own: list[KInterrupt]

    def evt_device_prepare_hardware(self, raw: wdf.CmResourceList, translated: wdf.CmResourceList) -> None:
        pairs = [(r, t) for r, t in zip(raw, translated, strict=True) if t.is_message]
        wdf.Interrupt.create(self, wdf.InterruptConfig(claim, interrupt_raw=pairs[0][0], interrupt_translated=pairs[0][1]))
        for _, one in pairs[1:]:
            self.own.append(connect_fully_specified(
                self.kernel, claim, None, vector=one.u.vector, irql=one.u.level, synchronize_irql=one.u.level,
                affinity=one.u.affinity, latched=True, share=False, device=None if self.older else self.pdo,
            ))  # fmt: skip


class OlderForm(Connecting):
    older = True


def claim(*_: Any) -> bool:
    return True


INF = Path(__file__).parents[1] / "examples" / "multiqueue" / "mqueue.inf"


def connected(driver: type[Connecting], cards: int = 1) -> tuple[System, list[MultiQueue]]:
    """A system with these cards, each started by the driver; every message but the last has been sent once."""
    system = System(2, memory=1 << 23)
    plugged = [system.plug(MultiQueue(2)) for _ in range(cards)]
    system.load(driver, inf=INF)
    system.start()
    for card in plugged:
        card.msix.fire(0)
        card.msix.fire(1)
    system.run()
    return system, plugged


@pytest.mark.parametrize("driver", [Connecting, OlderForm])
def test_what_a_driver_connected_itself_stands_behind_the_frameworks_objects(driver: type[Connecting]) -> None:
    system, _ = connected(driver)
    rows = system.report().interrupts
    assert [(i.kind, i.object, i.message, i.isr_calls, i.isr_claimed, i.dpc_calls) for i in rows] == [
        ("WDFINTERRUPT", 0, 0, 1, 1, 0), ("KINTERRUPT", 0, 1, 1, 1, None), ("KINTERRUPT", 1, 2, 0, 0, None),
    ]  # fmt: skip


@pytest.mark.parametrize("driver", [Connecting, OlderForm])
def test_each_device_has_its_own_interrupts(driver: type[Connecting]) -> None:
    system, cards = connected(driver, 2)
    for card in cards:
        assert [(i.kind, i.message) for i in system.report(card).interrupts] == [
            ("WDFINTERRUPT", 0), ("KINTERRUPT", 1), ("KINTERRUPT", 2),
        ]  # fmt: skip


def test_what_a_driver_disconnected_is_listed_no_more() -> None:
    system, (card,) = connected(Connecting)
    device = system.device(card)
    assert isinstance(device, ConnectingDevice)
    system.call(system.kernel.interrupts.disconnect, device.own[0])
    assert [(i.kind, i.object, i.message) for i in system.report().interrupts] == [("WDFINTERRUPT", 0, 0), ("KINTERRUPT", 0, 2)]

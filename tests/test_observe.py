"""What a model answers when the report asks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dirql import wdf
from dirql.device import Device
from dirql.errors import UsageError
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

"""Registers and fields that a model names and does not have, and the attributes that are dirql's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from dirql.device import Bar, Device
from dirql.errors import UsageError
from dirql.layout import RW, RW1C, Block, Register, Word, at

Made = Callable[[str], Any]


class Cause(Register, width=32):
    rx = RW1C[3:0]
    reset = RW[4](reset=1)


class Lane(Block, size=8):
    level = at(0, Word)
    cause = at(4, Cause)


class Bar0(Block, size=0x40):
    cause = at(0x00, Cause)
    many = at(0x10, Word, count=3)
    lane = at(0x20, Lane, count=2)
    single = at(0x30, Lane)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes the class Card whose `work(self, q, value)` has the given lines, from a file as a user's would be."""

    def make(lines: str) -> Any:
        text = "class Card(Device, vendor=1, device=2):\n    regs = Bar(0, Bar0)\n\n    def work(self, q=0, value=3):\n"
        path = tmp_path / "card.py"
        path.write_text(text + indent(lines, " " * 8) + "\n", "utf-8")
        space: dict[str, Any] = {"__name__": "card", "Device": Device, "Bar": Bar, "Bar0": Bar0}
        exec(compile(path.read_text("utf-8"), str(path), "exec"), space)
        return space["Card"]

    return make


CAUSE = "Cause has no field tock; it has rx, reset, value"


@pytest.mark.parametrize(("lines", "told"), [
    ("self.regs.cause.tock = 1", f"5: Card.work assigns self.regs.cause.tock; {CAUSE}"),
    ("pass\nself.regs.cause.tock |= 1", f"6: Card.work assigns self.regs.cause.tock; {CAUSE}"),
    ("self.regs.cause.rx, self.regs.cause.tock = 1, 2", f"5: Card.work assigns self.regs.cause.tock; {CAUSE}"),
    ("cause = self.regs.cause\ncause.tock = 1", f"6: Card.work assigns self.regs.cause.tock; {CAUSE}"),
    ("self.regs.lane[q + 1].cause.tock = 1", f"5: Card.work assigns self.regs.lane[].cause.tock; {CAUSE}"),
    ("return self.regs.cause.tock", f"5: Card.work reads self.regs.cause.tock; {CAUSE}"),
    ("def later():\n    self.regs.cause.tock = 1\nlater()", f"6: Card.work assigns self.regs.cause.tock; {CAUSE}"),
    ("self.regs.caus = 1", "5: Card.work assigns self.regs.caus; Bar0 has no register caus; it has cause, many, lane, single"),
    ("self.regs.caus.rx = 1", "5: Card.work reads self.regs.caus; Bar0 has no register caus; it has cause, many, lane, single"),
    ("self.regs.single.rx = 1", "5: Card.work assigns self.regs.single.rx; Lane has no register rx; it has level, cause"),
    ("self.regs.cause = 1",
     "5: Card.work assigns self.regs.cause; cause is not assigned to itself; what it has is rx, reset, value"),
    ("self.regs.single = 1",
     "5: Card.work assigns self.regs.single; single is not assigned to itself; what it has is level, cause"),
    ("self.regs.many[1] = 1",
     "5: Card.work assigns self.regs.many[]; many[] is not assigned to itself; what it has is bits, value"),
    ("self.regs.many.value = 1", "5: Card.work assigns self.regs.many.value; many is an array of 3; use many[0] to many[2]"),
])  # fmt: skip
def test_a_name_that_was_not_declared_is_refused_when_the_class_is_made(made: Made, lines: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        made(lines)
    assert str(caught.value) == f"card.py:{told}"


@pytest.mark.parametrize("lines", [
    "self.regs.cause.rx |= 1 << q",
    "self.regs.cause.value = value",
    "self.regs.cause.reset = 0",
    "lane = self.regs.lane[q]\nlane.cause.rx = lane.level.value = value",
    "for one in self.regs.many, self.regs.lane: len(one)",
    "cause = self.regs.cause\ncause = self.regs.many[q]\ncause.bits = 1",
    "self.other = self.regs.cause.mask('stores') + self.regs.cause.width + self.regs.single.size",
    "class Other: pass\ncause = Other()\ncause.tock = 1",
])  # fmt: skip
def test_a_name_that_was_declared_or_is_no_registers_is_let_through(made: Made, lines: str) -> None:
    made(lines)().work()


@pytest.mark.parametrize(("assign", "told"), [
    (lambda regs: setattr(regs, "caus", 1), "Bar0 has no register caus; it has cause, many, lane, single"),
    (lambda regs: setattr(regs, "cause", 1), "cause is not assigned to itself; what it has is rx, reset, value"),
    (lambda regs: setattr(regs, "many", 1), "many is an array of 3; use many[0] to many[2]"),
    (lambda regs: regs.many.__setitem__(2, 1), "many[2] is not assigned to itself; what it has is bits, value"),
])  # fmt: skip
def test_an_assignment_that_no_text_shows_fails_when_it_is_run(assign: Callable[[Any], None], told: str) -> None:
    _, regs = Bar0.alone()
    with pytest.raises(AttributeError) as caught:
        assign(regs)
    assert str(caught.value) == told


@pytest.mark.parametrize("name", ["tock", "Rx", "reset_"])
def test_a_field_that_was_not_declared_cannot_be_assigned(name: str) -> None:
    _, regs = Bar0.alone()
    with pytest.raises(AttributeError, match=rf"'Cause' object has no attribute '{name}'"):
        setattr(regs.cause, name, 1)
    assert regs.cause.value == 0x10


def test_a_field_named_reset_is_a_field_and_the_class_keeps_its_reset_value() -> None:
    _, regs = Bar0.alone()
    assert regs.cause.reset == 1
    regs.cause.reset = 0
    assert (regs.cause.value, Cause.reset) == (0, 0x10)


def test_a_class_without_a_source_file_is_made_all_the_same() -> None:
    space: dict[str, Any] = {"__name__": "card", "Device": Device, "Bar": Bar, "Bar0": Bar0}
    text = "class Card(Device, vendor=1, device=2):\n    regs = Bar(0, Bar0)\n    def work(self): self.regs.cause.tock = 1\n"
    exec(compile(text, "nowhere.py", "exec"), space)
    with pytest.raises(AttributeError, match="'Cause' object has no attribute 'tock'"):
        space["Card"]().work()


@pytest.mark.parametrize("name", ["dma", "endpoint", "intx", "interrupt_signal", "_timers", "_bars", "name", "now", "on_reset"])
def test_an_assignment_to_an_attribute_of_dirqls_is_refused_with_its_line(made: Made, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        made(f"self.{name} = 1")
    assert str(caught.value) == (
        f"card.py:5: Card assigns self.{name}, which is dirql's own attribute of a Device; choose another name"
    )


def test_an_assignment_to_what_the_class_declares_is_refused_with_its_line(made: Made) -> None:
    with pytest.raises(UsageError) as caught:
        made("self.regs = {}")
    assert str(caught.value) == "card.py:5: Card assigns self.regs, which is the Bar that the class declares; choose another name"


@pytest.mark.parametrize(("name", "more"), [
    ("reset", ", or override on_reset"), ("after", ""), ("words", ""), ("connect", ""), ("fates", ""),
])  # fmt: skip
def test_a_method_by_a_name_of_dirqls_is_refused_with_its_line(name: str, more: str) -> None:
    def method(self: Any) -> None:
        pass

    with pytest.raises(UsageError) as caught:
        type("Card", (Device,), {name: method}, vendor=1, device=2)
    line = method.__code__.co_firstlineno
    assert str(caught.value) == (
        f"{Path(__file__).name}:{line}: Card.{name} is dirql's own attribute of a Device; choose another name{more}"
    )


@pytest.mark.parametrize("name", ["exercise", "on_power", "on_reset", "served_by", "unserved", "bar_read", "config_write"])
def test_a_hook_may_be_overridden(name: str) -> None:
    assert type("Card", (Device,), {name: lambda self, *args: None}, vendor=1, device=2).__name__ == "Card"


def test_a_model_may_extend_another_users_model() -> None:
    class Base(Device, vendor=1, device=2):
        def level(self) -> int:
            return 1

    class Card(Base):
        def level(self) -> int:
            return super().level() + 1

    assert Card().level() == 2

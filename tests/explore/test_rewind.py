"""What a snapshot took down is put back, in place, whatever was done to it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.explore.rewind import CannotRewind, Snapshot
from dirql.layout import Word


class Colour(Enum):
    RED = 1
    BLUE = 2


class Slotted:
    __slots__ = ("colour", "count", "name", "never", "parts")

    def __init__(self) -> None:
        self.count, self.name, self.colour = 1, "one", Colour.RED
        self.parts: list[Any] = [1]


class Child(Slotted):
    __slots__ = ("more",)

    def __init__(self) -> None:
        super().__init__()
        self.more = self.steps

    def steps(self) -> int:
        return self.count


@dataclass(frozen=True)
class Fixed:
    what: list[int]


class Plain:
    shared: list[int] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.number, self.nothing = 3, None
        self.items: list[Any] = [1, [2]]
        self.mapping: dict[str, Any] = {"b": 1, "a": {"deep": 1}}
        self.numbers, self.queue, self.bytes = {1, 2}, deque([1, 2]), bytearray(b"abc")
        self.slotted, self.child, self.fixed = Slotted(), Child(), Fixed([1])
        self.random = random.Random(3)
        self.register = Word(bytearray(4), 0)
        self.counter = counter()


Plain.__module__ = "of.the.user"  # and not the rest of what stands here


def is_own(module: str) -> bool:
    return module == "of.the.user"


def counter() -> Callable[[], int]:
    count = 0

    def up() -> int:
        nonlocal count
        count += 1
        return count

    return up


def told(world: Plain) -> tuple[Any, ...]:
    slotted = [{name: getattr(one, name, "unset") for name in ("count", "name", "colour", "never", "parts")}
               for one in (world.slotted, world.child)]  # fmt: skip
    own = sorted((name, value) for name, value in vars(world).items() if name not in OTHERS)
    return repr(own), slotted, world.register.value, world.child.more, world.random.getstate()


OTHERS = ("slotted", "child", "random", "counter", "register")
CHANGES: dict[str, Callable[[Plain], object]] = {
    "an attribute": lambda w: setattr(w, "number", 4),
    "a new attribute": lambda w: setattr(w, "another", 4),
    "an attribute that is gone": lambda w: delattr(w, "number"),
    "an item": lambda w: w.items.append(3),
    "an item within": lambda w: w.items[1].clear(),
    "another list": lambda w: setattr(w, "items", [1, [2]]),
    "a key": lambda w: w.mapping.pop("b"),
    "the order of keys": lambda w: w.mapping.update(b=w.mapping.pop("b")),
    "a value within": lambda w: w.mapping["a"].update(deep=2),
    "an element": lambda w: w.numbers.add(9),
    "a queue": lambda w: w.queue.popleft(),
    "a register": lambda w: setattr(w.register, "value", 5),
    "bytes": lambda w: w.bytes.__setitem__(0, 0),
    "a slot": lambda w: setattr(w.slotted, "count", 7),
    "a slot of one more value": lambda w: setattr(w.child, "colour", Colour.BLUE),
    "a slot that was empty": lambda w: setattr(w.slotted, "never", 1),
    "a slot that is empty now": lambda w: delattr(w.child, "name"),
    "an equal list in a slot": lambda w: setattr(w.slotted, "parts", [1]),
    "a list in a slot": lambda w: w.slotted.parts.append(2),
    "a method in a slot": lambda w: setattr(w.child, "more", len),
    "what a frozen object holds": lambda w: w.fixed.what.append(2),
    "random numbers": lambda w: w.random.random(),
    "a class": lambda w: setattr(Plain, "shared", [1]),
    "a class' list": lambda w: Plain.shared.append(1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_changed_is_as_it_was(change: Callable[[Plain], object]) -> None:
    world = Plain()
    items, parts, shared = world.items, world.slotted.parts, Plain.shared
    snapshot, before = Snapshot([world, Plain], is_own), told(world)
    for _ in range(2):
        change(world)
        snapshot.restore()
        assert told(world) == before
        assert world.items is items and world.slotted.parts is parts and Plain.shared is shared and not shared


@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=8))
def test_any_changes_together_are_undone(names: list[str]) -> None:
    world = Plain()
    snapshot, before = Snapshot([world, Plain], is_own), told(world)
    for name in names:
        try:
            CHANGES[name](world)
        except (AttributeError, KeyError, IndexError):  # a change before has taken away what this one changes
            continue
    snapshot.restore()
    assert told(world) == before


def test_a_variable_that_a_function_keeps_is_put_back() -> None:
    world = Plain()
    assert world.counter() == 1
    snapshot = Snapshot([world], lambda module: False)
    assert world.counter() == 2
    snapshot.restore()
    assert world.counter() == 2


def test_a_module_of_somebody_elses_is_left_alone() -> None:
    world = Plain()
    snapshot = Snapshot([world, Plain], lambda module: False)
    Plain.shared.append(1)
    snapshot.restore()
    assert Plain.shared.pop() == 1


def test_what_cannot_be_put_back_is_refused_by_name() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(CannotRewind, match=r"^generator <generator object "):
        Snapshot([{"a": numbers()}], lambda module: False)

"""The I/O APIC: level-triggered, wired-OR pins (Intel 82093AA)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.machine.ioapic import IoApic


class Wires:
    """An I/O APIC whose deliveries are kept."""

    def __init__(self) -> None:
        self.fired: list[tuple[tuple[int, ...], int]] = []
        self.apic = IoApic(lambda targets, vector: self.fired.append((targets, vector)))


@pytest.mark.parametrize(("asserted", "masked", "in_service"), list(product((0, 1), repeat=3)))
def test_a_pin_fires_when_it_is_asserted_unmasked_and_not_in_service(asserted: int, masked: int, in_service: int) -> None:
    w = Wires()
    if not masked:
        w.apic.program(16, 0x61, (0, 2))
    w.apic.pins[16].remote_irr = bool(in_service)
    w.apic.set(16, "card", bool(asserted))
    assert w.fired == ([((0, 2), 0x61)] if asserted and not masked and not in_service else [])


def test_an_asserted_pin_fires_when_it_is_programmed() -> None:
    w = Wires()
    w.apic.set(16, "card", True)
    w.apic.program(16, 0x61, (1,))
    assert w.fired == [((1,), 0x61)]


def test_the_eoi_counts_how_often_in_a_row_the_line_fired() -> None:
    w = Wires()
    w.apic.program(16, 0x61, (0,))
    w.apic.set(16, "card", True)
    assert [w.apic.eoi(0x61) for _ in range(3)] == [1, 2, 3]
    w.apic.set(16, "card", False)
    assert w.apic.eoi(0x61) == 0 and len(w.fired) == 4
    w.apic.set(16, "card", True)
    assert w.apic.eoi(0x61) == 1


def test_an_eoi_of_another_vector_changes_nothing() -> None:
    w = Wires()
    w.apic.program(16, 0x61, (0,))
    w.apic.set(16, "card", True)
    assert w.apic.eoi(0x62) == 0 and len(w.fired) == 1


def test_two_pins_on_one_vector_both_end_with_its_eoi() -> None:
    w = Wires()
    for gsi in (16, 17):
        w.apic.program(gsi, 0x61, (0,))
        w.apic.set(gsi, "card", True)
    w.apic.set(17, "card", False)
    w.apic.eoi(0x61)
    assert len(w.fired) == 3 and [w.apic.pins[gsi].remote_irr for gsi in (16, 17)] == [True, False]


@given(st.lists(st.tuples(st.sampled_from(["assert", "release", "eoi", "mask", "program"]), st.integers(0, 2)), max_size=40))
def test_a_line_is_never_lost_and_never_fires_twice_without_an_eoi(steps: list[tuple[str, int]]) -> None:
    w = Wires()
    w.apic.program(16, 0x61, (0,))
    drivers: set[int] = set()
    outstanding = 0
    routines: dict[str, Any] = {
        "assert": lambda who: (drivers.add(who), w.apic.set(16, who, True)),
        "release": lambda who: (drivers.discard(who), w.apic.set(16, who, False)),
        "eoi": lambda who: w.apic.eoi(0x61),
        "mask": lambda who: w.apic.mask(16),
        "program": lambda who: w.apic.program(16, 0x61, (0,)),
    }
    for step, who in steps:
        before = len(w.fired)
        if step in ("eoi", "mask"):
            outstanding = 0
        routines[step](who)
        outstanding += len(w.fired) - before
        pin = w.apic.pins[16]
        assert outstanding <= 1 and pin.remote_irr == bool(outstanding)
        assert not (drivers and not pin.masked) or pin.remote_irr

"""Callbacks that cannot be called, and statuses that are none: refused when they are given, in the driver's own words."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from dirql import wdf
from dirql.errors import UsageError

LAMBDA, REFUSED = "test_callbacks.py:LINE: WdfInterruptCreate", "does not take that"
MANY, FEW = "too many positional arguments", "missing a required argument: 'c'"


@pytest.mark.parametrize(("fields", "error"), [
    ({"evt_interrupt_isr": "x"}, "WdfInterruptCreate: EvtInterruptIsr is 'x'; give a function of (interrupt, message_id)"),
    ({"evt_interrupt_dpc": 5}, "WdfInterruptCreate: EvtInterruptDpc is 5; give a function of (interrupt, device)"),
    ({"evt_interrupt_isr": lambda: True},
     f"{LAMBDA}: EvtInterruptIsr is called with (interrupt, message_id), and <lambda>() {REFUSED}: {MANY}"),
    ({"evt_interrupt_dpc": lambda a, b, c: None},
     f"{LAMBDA}: EvtInterruptDpc is called with (interrupt, device), and <lambda>(a, b, c) {REFUSED}: {FEW}"),
])  # fmt: skip
def test_what_cannot_be_called_is_refused_at_once(World: Any, fields: dict[str, Any], error: str) -> None:
    refused: list[str] = []

    def add(w: Any) -> None:
        with pytest.raises(UsageError) as caught:
            wdf.Interrupt.create(w.device, wdf.InterruptConfig(**{"evt_interrupt_isr": lambda interrupt, number: True, **fields}))
        refused.append(re.sub(r"\.py:\d+:", ".py:LINE:", str(caught.value)))

    World(add=add).start()
    assert refused == [error]


@pytest.mark.parametrize("callback", [partial(lambda more, interrupt, number: True, 1), lambda *all_: True, max])
def test_whatever_can_be_called_will_do(World: Any, callback: Any) -> None:
    seen: list[Any] = []
    World(add=lambda w: seen.append(wdf.Interrupt.create(w.device, wdf.InterruptConfig(callback)))).start()
    assert len(seen) == 1


@pytest.mark.parametrize("status", [1 << 33, 1 << 32, -(1 << 31) - 1])
def test_a_status_of_more_than_32_bits_is_refused(World: Any, status: int) -> None:
    w = World()
    w.during("PrepareHardware", lambda *_: status)
    with pytest.raises(UsageError) as caught:
        w.start()
    said = str(caught.value).partition("EvtDevicePrepareHardware")[2]
    assert said == f" returned {status:#x}; an NTSTATUS has 32 bits, and 0 is STATUS_SUCCESS"

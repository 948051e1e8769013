"""What an author of a model gets wrong with DMA and times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dirql.device import Device
from dirql.device.models import Edu, MultiQueue
from dirql.errors import UsageError

BYTES = "an address is a whole number, 0 or more; data is bytes"
LENGTH = "an address is a whole number, 0 or more; so is a length"


class Card(Device, vendor=1, device=2):
    """A bus master."""


@pytest.mark.parametrize(("call", "told"), [
    (lambda card: card.dma.write("x", 3), f"Card.dma.write(address='x', data=3): {BYTES}"),
    (lambda card: card.dma.write(0, 3), f"Card.dma.write(address=0, data=3): {BYTES}"),
    (lambda card: card.dma.write(-1, b""), f"Card.dma.write(address=-1, data=b''): {BYTES}"),
    (lambda card: card.dma.write(1.5, b""), f"Card.dma.write(address=1.5, data=b''): {BYTES}"),
    (lambda card: card.dma.write(0, "text"), f"Card.dma.write(address=0, data='text'): {BYTES}"),
    (lambda card: card.dma.read("x", 3), f"Card.dma.read(address='x', length=3): {LENGTH}"),
    (lambda card: card.dma.read(0, None), f"Card.dma.read(address=0, length=None): {LENGTH}"),
    (lambda card: card.dma.read(0, -4), f"Card.dma.read(address=0, length=-4): {LENGTH}"),
    (lambda card: card.dma.read(-4, 4), f"Card.dma.read(address=-4, length=4): {LENGTH}"),
    (lambda card: card.after(-1, print), "Card.after(delay=-1): a delay is a whole number of ns, 0 or more"),
    (lambda card: card.after(1, print, -2), "Card.after(slack=-2): a slack is a whole number of ns, 0 or more"),
])  # fmt: skip
def test_arguments_that_cannot_be_are_refused_at_the_call(plug: Any, call: Callable[[Any], None], told: str) -> None:
    r = plug(Card())
    with pytest.raises(UsageError) as caught:
        call(r.device)
    assert str(caught.value) == told
    assert r.host.posted == []


def test_a_posted_write_carries_what_the_buffer_held_at_the_call(plug: Any) -> None:
    r = plug(Card())
    buffer = bytearray(b"before")
    r.device.dma.write(0x10, buffer)
    r.device.dma.write(0x20, memoryview(buffer)[:2])
    buffer[:] = b"after!"
    assert r.take("dma") == [(0x10, b"before"), (0x20, b"be")]


@pytest.mark.parametrize(("build", "told"), [
    (lambda: MultiQueue(moderation=-1), "MultiQueue(moderation=-1)"),
    (lambda: MultiQueue(moderation=1 << 32), "MultiQueue(moderation=4294967296)"),
    (lambda: MultiQueue(completion_ns=-5), "MultiQueue(completion_ns=-5)"),
    (lambda: MultiQueue(completion_slack=1.5), "MultiQueue(completion_slack=1.5)"),
    (lambda: Edu(factorial_ns=-1), "Edu(factorial_ns=-1)"),
    (lambda: Edu(dma_ns="1 us"), "Edu(dma_ns='1 us')"),
])  # fmt: skip
def test_the_models_that_ship_refuse_times_that_cannot_be(build: Callable[[], Device], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        build()
    assert str(caught.value) == f"{told}: a time is a whole number of ns, 0 to 0xffffffff"

"""PCI functions of every shape, and the buses and messages around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dirql.pci import BarSpec, Endpoint, Message, MsiSpec, MsixSpec
from dirql.pci.describe import Identity


def endpoint(
    *,
    vectors: int = 0,
    messages: int = 0,
    pin: int = 1,
    bars: dict[int, BarSpec] | None = None,
    **options: Any,
) -> Endpoint:
    """A function with an MSI-X table of `vectors` in BAR 4, MSI for `messages`, and the BARs."""
    claims = {0: BarSpec(0x1000)} if bars is None else dict(bars)
    msix = None
    if vectors:
        msix = MsixSpec(vectors, table=(4, 0), pba=(4, 0x8000))
        claims[4] = BarSpec(0x1_0000)
    mask = options.pop("per_vector_mask", False)
    msi = MsiSpec(messages, per_vector_mask=mask, address64=options.pop("address64", True)) if messages else None
    identity = Identity(
        0x1234, 0x0004, class_code=0x020000, revision=1, subsystem_vendor=0x1AF4, subsystem=0x1100, interrupt_pin=pin
    )
    return Endpoint("card", identity, bars={i: (spec, None) for i, spec in claims.items()}, msi=msi, msix=msix, **options)


def compose(targets: int, vector: int, lowest_priority: bool) -> Message:
    """Easy to read back: the targets in the address, the vector in the data."""
    return Message(0x5_FEE0_0000 | targets << 12, vector | lowest_priority << 8)


@pytest.fixture(name="endpoint")
def _endpoint() -> Callable[..., Endpoint]:
    return endpoint


@pytest.fixture(name="compose")
def _compose() -> Callable[[int, int, bool], Message]:
    return compose

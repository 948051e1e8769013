"""The way of an interrupt source out of its device, whatever is enabled."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.device import Device, Msi, Msix
from dirql.errors import UsageError


class Sources(Device, vendor=0x1234, device=0x0008):
    """Eight interrupt sources and nothing else."""

    msix = Msix(vectors=8, table=(4, 0), pba=(4, 0x800))
    msi = Msi(messages=8, per_vector_mask=True)


def test_a_source_has_its_own_msix_vector(plug: Any) -> None:
    rig = plug(Sources())
    rig.enable_msix()
    for source in range(8):
        rig.device.interrupt_signal.raise_source(source)
    assert rig.take("message") == list(range(8))
    assert rig.take("line") == []


def test_a_source_may_be_put_on_another_vector(plug: Any) -> None:
    rig = plug(Sources())
    rig.enable_msix()
    rig.device.interrupt_signal.raise_source(5, vector=1)
    assert rig.take("message") == [1]


@pytest.mark.parametrize("granted", [1, 2, 4, 8])
def test_msi_messages_are_taken_modulo_the_grant(plug: Any, granted: int) -> None:
    rig = plug(Sources(msix=None))
    rig.enable_msi(granted)
    for source in range(8):
        rig.device.interrupt_signal.raise_source(source)
    assert rig.take("message") == [source % granted for source in range(8)]
    assert rig.device.interrupt_signal.messages == granted


def test_the_line_is_the_or_of_all_sources(plug: Any) -> None:
    rig = plug(Sources())
    signal = rig.device.interrupt_signal
    signal.raise_source(1)
    signal.raise_source(6)
    signal.lower_source(1)
    assert (rig.take("line"), signal.raised, signal.messages) == ([True], (6,), 0)
    signal.lower_source(6)
    signal.lower_source(6)
    assert rig.take("line") == [False]


def test_the_mode_is_looked_up_at_every_event(plug: Any) -> None:
    rig = plug(Sources())
    signal = rig.device.interrupt_signal
    signal.raise_source(0)
    rig.enable_msix()
    signal.raise_source(1)
    rig.device.config_write(rig.find(0x11) + 2, 2, 0)
    assert rig.host.posted == [("line", True), ("line", False), ("message", 1), ("line", True)]


@pytest.mark.parametrize("mode", ["msi", "msix"])
def test_a_source_that_stands_is_not_told_again_when_messages_are_enabled(plug: Any, mode: str) -> None:
    rig = plug(Sources(msix=None) if mode == "msi" else Sources())
    signal = rig.device.interrupt_signal
    signal.raise_source(2)
    getattr(rig, f"enable_{mode}")()
    assert (signal.raised, rig.take("line"), rig.take("message")) == ((2,), [True, False], [])
    signal.raise_source(2)
    assert len(rig.take("message")) == 1


def test_lowering_a_source_takes_its_latched_message_back(plug: Any) -> None:
    rig = plug(Sources())
    rig.enable_msix(masked=(3,))
    rig.device.interrupt_signal.raise_source(3)
    rig.device.interrupt_signal.lower_source(3)
    rig.unmask(3)
    assert (rig.take("message"), rig.device.fates[3].withdrawn) == ([], 1)


@pytest.mark.parametrize(("other", "left"), [(None, []), (2, []), (1, [1]), (3, [1]), (7, [1])])
def test_a_message_shared_with_a_source_that_stands_is_not_taken_back(plug: Any, other: int | None, left: list[int]) -> None:
    rig = plug(Sources(msix=None))
    rig.enable_msi(2)
    mask = rig.find(0x05) + 0x10
    rig.device.config_write(mask, 4, 0b10)
    signal = rig.device.interrupt_signal
    signal.raise_source(5)
    if other is not None:
        signal.raise_source(other)
    signal.lower_source(5)
    rig.take("message")
    rig.device.config_write(mask, 4, 0)
    assert rig.take("message") == left


def test_two_sources_on_one_vector_keep_its_message_until_both_are_served(plug: Any) -> None:
    rig = plug(Sources())
    rig.enable_msix(masked=(0,))
    signal = rig.device.interrupt_signal
    signal.raise_source(4, vector=0)
    signal.raise_source(5, vector=0)
    signal.lower_source(4)
    assert rig.device.msix.pending(0)
    signal.lower_source(5)
    assert not rig.device.msix.pending(0)


def test_a_latched_message_is_taken_back_even_while_msix_is_disabled(plug: Any) -> None:
    rig = plug(Sources())
    rig.enable_msix(masked=(3,))
    rig.device.interrupt_signal.raise_source(3)
    rig.device.config_write(rig.find(0x11) + 2, 2, 0)
    rig.device.interrupt_signal.lower_source(3)
    assert rig.device.fates[3].withdrawn == 1


def test_a_vector_that_the_function_does_not_have_is_refused(plug: Any) -> None:
    rig = plug(Sources())
    rig.enable_msix()
    with pytest.raises(UsageError, match=r"^Sources MSI-X vector 8: there are 8, 0 to 7; use one of them or declare more$"):
        rig.device.interrupt_signal.message(8)


def test_a_function_without_a_pin_and_messages_stays_silent(plug: Any) -> None:
    class Mute(Device, vendor=0x1234, device=0x0009, interrupt_pin=0):
        """No way to interrupt."""

    rig = plug(Mute())
    rig.device.interrupt_signal.raise_source(0)
    rig.device.intx.assert_()
    rig.device.intx.deassert()
    assert rig.host.posted == []

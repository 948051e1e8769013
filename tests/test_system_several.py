"""Several cards of one model on one system, what is found again, and arguments of other types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dirql
from dirql import wdf
from dirql.device.models import MultiQueue
from dirql.errors import UsageError
from dirql.pnp.grant import GrantChoice

INF = Path(__file__).parents[1] / "examples" / "multiqueue" / "mqueue.inf"


class Small(wdf.Device):
    """An interrupt per message."""

    def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> None:
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                wdf.Interrupt.create(self, wdf.InterruptConfig(self.isr, interrupt_raw=one_raw, interrupt_translated=one))

    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> bool:
        return True


class Driver(wdf.Driver):
    """Takes every card."""

    def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
        Small.create(init)

    def evt_driver_unload(self) -> None:
        """Counted."""


def started(cards: int = 2) -> tuple[dirql.System, list[MultiQueue]]:
    system = dirql.System(cpus=2, memory=1 << 21)
    plugged = [system.plug(MultiQueue(1)) for _ in range(cards)]
    system.load(Driver, INF)
    assert system.start() == wdf.STATUS_SUCCESS
    return system, plugged


def test_two_cards_of_one_model_have_a_report_each() -> None:
    system, (a, b) = started()
    a.msix.fire(0)
    system.run()
    reports = [system.report(card) for card in (a, b)]
    assert [(r.device, len(r.grants), r.interrupts[0].isr_calls) for r in reports] == [
        ("MultiQueue", 1, 1), ("MultiQueue#2", 1, 0),
    ]  # fmt: skip
    system.rebalance(b, GrantChoice.messages(1))
    assert [len(system.report(card).grants) for card in (a, b)] == [1, 2]


def test_each_report_has_the_callbacks_of_its_own_device_and_the_drivers() -> None:
    system, (a, b) = started()
    system.surprise_remove(b)
    system.shut_down()
    life = ["EvtDriverDeviceAdd", "EvtDevicePrepareHardware"]
    for card, name in ((a, "MultiQueue"), (b, "MultiQueue#2")):
        told = system.report(card).as_json()
        assert told["callbacks"] == [*life, "EvtDriverUnload"]
        assert told["callback_objects"] == ["Driver", name, "Driver"]
    assert len(system.framework.callbacks) == 5


def test_a_card_that_was_removed_is_found_again_by_the_next_start() -> None:
    system, (card,) = started(1)
    assert system.remove(card) == wdf.STATUS_SUCCESS
    with pytest.raises(UsageError, match=r"^MultiQueue has no device; its driver failed to start it, or it was removed$"):
        system.device(card)
    assert system.start(GrantChoice.messages(1)) == wdf.STATUS_SUCCESS
    card.msix.fire(0)
    system.run()
    report = system.report(card)
    assert [grant["granted"] for grant in report.grants] == [2, 1]
    assert report.interrupts[0].isr_calls == 1
    assert [name for name, _ in report.callbacks].count("EvtDriverDeviceAdd") == 2


def test_a_card_that_was_pulled_out_is_not_found_again() -> None:
    system, (card,) = started(1)
    system.surprise_remove(card)
    assert system.start() == wdf.STATUS_SUCCESS
    assert system.node(card).stack is None


NO_FUNCTION = "that is no function; plug an object of a dirql.device.Device class"
NO_DRIVER = "that is no driver; give a dirql.wdf.Driver subclass, or the path of a .sys file"


@pytest.mark.parametrize(("call", "error"), [
    (lambda system: system.plug(5), f"System.plug(5): {NO_FUNCTION}"),
    (lambda system: system.plug(MultiQueue), f"System.plug(<class 'dirql.device.models.mqueue.MultiQueue'>): {NO_FUNCTION}"),
    (lambda system: system.load(5), f"System.load(5): {NO_DRIVER}"),
    (lambda system: system.load(wdf.Device), f"System.load(<class 'dirql.wdf.device.Device'>): {NO_DRIVER}"),
])  # fmt: skip
def test_what_is_no_function_or_no_driver_is_refused(call: Any, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        call(dirql.System(cpus=1, memory=1 << 21))
    assert str(caught.value) == error


@pytest.mark.parametrize("vector", [1.0, "1", None, [1]])
def test_a_vector_is_a_whole_number(vector: Any) -> None:
    card = MultiQueue(1)
    with pytest.raises(UsageError) as caught:
        card.msix.fire(vector)
    assert str(caught.value) == f"MultiQueue MSI-X vector {vector!r}: a vector is a whole number, 0 to 1"
    assert card.fates[1].sent == 0


@pytest.mark.parametrize("queues", ["8", 2.0, True])
def test_a_card_has_a_whole_number_of_queues(queues: Any) -> None:
    with pytest.raises(UsageError) as caught:
        MultiQueue(queues)
    assert str(caught.value) == f"MultiQueue(queues={queues!r}): the card is built with 1 to 2047 queues"


def test_what_never_rests_is_told_once_and_ends_what_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirql.system.STEPS", 20_000)
    monkeypatch.setattr("dirql.system.FEW", 100)
    system, (card,) = started(1)

    def again() -> None:
        card.after(1, again)

    card.after(1, again)
    system.run()
    assert [(f.rule, f.level) for f in system.findings] == [("never-at-rest", "advice")]
    began = system.now
    assert system.call(lambda: 7) == 7
    assert system.now - began < 5_000
    system.shut_down()
    assert (system.stopped, len(system.findings)) == (None, 1)

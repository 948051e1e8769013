"""Orderly and surprise removal (facts §3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.kernel.irp import Irp

DOWN = ["SmIoSuspend", "PreInterruptsDisabled", ("Disable", 2), ("Disable", 1), ("Disable", 0), "D0Exit"]
END = ["ReleaseHardware", "SmIoFlush", "SmIoCleanup", "Cleanup"]


def test_orderly_removal_asks_first(World: Any) -> None:
    w = World().started()
    assert w.system.remove(w.card) == wdf.STATUS_SUCCESS
    assert w.log == ["QueryRemove", *DOWN, *END]


def test_a_veto_keeps_the_device_working(World: Any) -> None:
    w = World().started()
    w.on["QueryRemove"] = wdf.STATUS_DEVICE_BUSY
    assert w.system.remove(w.card) == wdf.STATUS_DEVICE_BUSY
    w.fire(0)
    assert w.log == ["QueryRemove", ("Isr", 0), ("Dpc", 0)]


def test_surprise_removal_from_d0_calls_the_same_way_down_after_its_own_callback(World: Any) -> None:
    w = World().started()
    w.system.surprise_remove(w.card)
    assert w.log == ["SurpriseRemoval", *DOWN, *END]


@pytest.mark.parametrize("callback", ["SurpriseRemoval", ("Disable", 0), "D0Exit", "ReleaseHardware"])
def test_reads_give_all_ones_during_surprise_removal(World: Any, callback: Any) -> None:
    w = World().started()
    values: list[int] = []
    w.during(callback, lambda *_: values.append(w.device.registers.read_register_ulong(0)))
    w.system.surprise_remove(w.card)
    assert values == [0xFFFFFFFF]


def test_messages_of_a_removed_card_are_dropped(World: Any) -> None:
    w = World().started()
    w.system.surprise_remove(w.card)
    w.fire(0)
    assert all(fate.balanced for fate in w.card.fates)
    assert [e for e in w.log if e[0] == "Isr"] == []


def test_requests_that_wait_are_cancelled_after_release_hardware_and_before_the_flush(World: Any) -> None:
    w = World(add=lambda w: wdf.IoQueue.create(w.device, wdf.IoQueueConfig(wdf.IoQueueDispatchType.Manual, default_queue=True)))
    w.started()
    irp = Irp.read(w.kernel, 4)
    w.system.io.start(w.device, irp)
    w.system.run()
    seen: dict[str, int] = {}
    for name in ("D0Exit", "SmIoFlush"):
        w.during(name, lambda *_, name=name: seen.__setitem__(name, irp.status))
    w.system.remove(w.card)
    assert seen == {"D0Exit": wdf.STATUS_PENDING, "SmIoFlush": wdf.STATUS_CANCELLED}


def test_self_managed_io_that_never_began_is_neither_flushed_nor_cleaned_up(World: Any) -> None:
    w = World()
    w.on["SmIoInit"] = wdf.STATUS_UNSUCCESSFUL
    w.start()
    assert w.log[-2:] == ["ReleaseHardware", "Cleanup"]


def test_interrupts_of_device_add_live_until_the_device_is_removed(World: Any) -> None:
    deleted: list[int] = []
    attributes = wdf.ObjectAttributes(evt_cleanup_callback=lambda i: deleted.append(w.system.machine.cpu.irql))
    w = World(in_add=2, in_prepare=False, attributes=attributes).started()
    seen: list[int] = []
    w.during("SmIoCleanup", lambda: seen.append(len(deleted)))
    w.system.remove(w.card)
    assert seen == [0]
    assert deleted == [0, 0]  # at PASSIVE_LEVEL
    assert all(i.destroyed for i in w.interrupts)


def test_a_device_that_is_gone_cannot_be_removed_or_rebalanced_again(World: Any) -> None:
    from dirql.errors import UsageError
    from dirql.pnp.grant import GrantChoice

    w = World().started()
    w.system.remove(w.card)
    for action in (
        lambda: w.system.remove(w.card), lambda: w.system.surprise_remove(w.card), lambda: w.system.device(w.card),
        lambda: w.system.rebalance(w.card, GrantChoice.all()),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            action()
        assert str(caught.value) == "MultiQueue has no device; its driver failed to start it, or it was removed"

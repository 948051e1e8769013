"""Every row of the failure table at start, with the exact order of what follows (facts §3.5)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.kernel.irp import Irp
from dirql.pnp.grant import GrantChoice

RELEASE = ["ReleaseHardware"]
END = ["Cleanup"]
DOWN_ALL = [("Disable", 2), ("Disable", 1), ("Disable", 0), "D0Exit"]
FAIL = wdf.STATUS_INSUFFICIENT_RESOURCES
POWER = wdf.STATUS_DEVICE_POWER_FAILURE


@pytest.mark.parametrize(
    ("fails", "status", "then"),
    [
        ("PrepareHardware", FAIL, RELEASE),
        ("D0Entry", POWER, RELEASE),
        (("Enable", 0), POWER, ["D0Exit", *RELEASE]),
        (("Enable", 1), POWER, [("Disable", 0), "D0Exit", *RELEASE]),
        (("Enable", 2), POWER, [("Disable", 1), ("Disable", 0), "D0Exit", *RELEASE]),
        ("PostInterruptsEnabled", POWER, [*DOWN_ALL, *RELEASE]),
        ("Fill", POWER, ["DmaStop", "Flush", "DmaDisable", "PreInterruptsDisabled", *DOWN_ALL, *RELEASE]),
        ("DmaEnable", POWER, ["DmaStop", "Flush", "DmaDisable", "PreInterruptsDisabled", *DOWN_ALL, *RELEASE]),
        ("SmIoInit", POWER, ["DmaStop", "Flush", "DmaDisable", "PreInterruptsDisabled", *DOWN_ALL, *RELEASE]),
    ],
)  # fmt: skip
def test_a_failing_start_is_unwound(World: Any, fails: Any, status: int, then: list[Any]) -> None:
    w = World(add=dma)
    w.on[fails] = FAIL
    assert w.start() == status
    assert w.log[w.log.index(fails) + 1 :] == [*then, *END]
    assert w.system.stopped is None
    assert [i.connection for i in w.interrupts] == [None] * len(w.interrupts)


@pytest.mark.parametrize("fails", ["Fill", "DmaEnable", "DmaStart"])
def test_when_the_second_dma_enabler_fails_both_are_taken_down_newest_first(World: Any, fails: str) -> None:
    w = World(add=lambda world: (dma(world), dma(world, "second ")))
    w.on[f"second {fails}"] = FAIL
    assert w.start() == POWER
    up = ["Fill", "DmaEnable", "DmaStart"]
    down = ["DmaStop", "Flush", "DmaDisable"]
    assert w.log[w.log.index("PostInterruptsEnabled") + 1 :] == [
        *up, *[f"second {name}" for name in up[: up.index(fails) + 1]], *[f"second {name}" for name in down], *down,
        "PreInterruptsDisabled", *DOWN_ALL, *RELEASE, *END,
    ]  # fmt: skip


def test_a_failing_restart_after_a_rebalance_is_unwound_like_a_failing_init(World: Any) -> None:
    w = World(add=dma).started()
    w.interrupts.clear()
    w.on["SmIoRestart"] = FAIL
    assert w.system.rebalance(w.card, GrantChoice.messages(2)) == POWER
    assert w.log[w.log.index("SmIoRestart") + 1 :] == [
        "DmaStop", "Flush", "DmaDisable", "PreInterruptsDisabled", ("Disable", 1), ("Disable", 0), "D0Exit", *RELEASE,
        "SmIoFlush", "SmIoCleanup", *END,
    ]  # fmt: skip
    assert (w.system.stopped, [i.connection for i in w.interrupts]) == (None, [None, None])


@pytest.mark.parametrize("fails", ["SmIoInit", "SmIoRestart"])
def test_queues_are_held_after_self_managed_io_failed(World: Any, fails: str) -> None:
    presented: list[Any] = []
    sent: list[Irp] = []
    held: list[bool] = []

    def add(world: Any) -> None:
        kind = wdf.IoQueueDispatchType.Parallel
        config = wdf.IoQueueConfig(kind, default_queue=True, evt_io_default=lambda queue, request: presented.append(request))
        wdf.IoQueue.create(world.device, config)

    w = World(add=add)

    def look(*_: Any) -> None:
        held.append(bool(w.device.queues[0].get_state()[0] & wdf.IoQueueState.PnpHeld))

    def fail(*_: Any) -> int:
        look()
        return FAIL

    def send(*_: Any) -> None:
        look()
        sent.append(Irp.read(w.kernel, 4))
        w.system.io.send(w.device, sent[0])

    if fails == "SmIoRestart":
        w.started()
    w.on[fails] = fail
    w.during("PreInterruptsDisabled", lambda *_: send() if held else None)  # the rebalance comes by here once before
    w.start() if fails == "SmIoInit" else w.system.rebalance(w.card, GrantChoice.all())
    assert (held, presented) == ([False, True], [])
    assert [irp.status for irp in sent] == [wdf.STATUS_CANCELLED]


def dma(world: Any, prefix: str = "") -> None:
    def record(name: str) -> Any:
        return lambda enabler: world.do(prefix + name)

    wdf.DmaEnabler.create(
        world.device,
        wdf.DmaEnablerConfig(
            wdf.DmaProfile.ScatterGather64, 4096, record("Fill"), record("Flush"), record("DmaDisable"), record("DmaEnable"),
            record("DmaStart"), record("DmaStop"),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_failing_connect_is_unwound_and_d0_exit_is_called(World: Any, nth: int) -> None:
    w = World()

    def spoil(*_: Any) -> None:
        w.interrupts[nth].info.target_processor_set = 0  # IoConnectInterruptEx: STATUS_INVALID_PARAMETER_10

    w.during("D0Entry", spoil)
    assert w.start() == POWER
    enabled = [("Enable", n) for n in range(nth)]
    assert w.log[w.log.index("D0Entry") + 1 :] == [
        *enabled, *[("Disable", n) for n in reversed(range(nth))], "D0Exit", *RELEASE, *END,
    ]  # fmt: skip


def test_d0_exit_goes_to_d3_final_when_a_start_fails(World: Any) -> None:
    w = World()
    states = []
    w.during("D0Exit", states.append)
    w.on["PostInterruptsEnabled"] = FAIL
    w.start()
    assert states == [wdf.PowerDeviceState.D3Final]


@pytest.mark.parametrize("callback", [("Disable", 1), "D0Exit", "PreInterruptsDisabled", "SmIoSuspend", "ReleaseHardware"])
def test_a_failure_on_the_way_down_stops_nothing(World: Any, callback: Any) -> None:
    w = World().started()
    w.on[callback] = FAIL
    w.system.shut_down()
    assert w.log == [
        "SmIoSuspend", "PreInterruptsDisabled", *DOWN_ALL, *RELEASE, "SmIoFlush", "SmIoCleanup", *END, "Unload",
    ]  # fmt: skip
    ((rule, sentence),) = w.findings
    assert rule == "power-down-failure"
    assert sentence.endswith("returned STATUS_INSUFFICIENT_RESOURCES on the way down, which goes on all the same")


@pytest.mark.parametrize("callback", ["PrepareHardware", "ReleaseHardware"])
def test_not_supported_from_hardware_callbacks_is_a_finding(World: Any, callback: str) -> None:
    w = World()
    w.on[callback] = wdf.STATUS_NOT_SUPPORTED
    w.start()
    w.system.shut_down()
    assert w.findings[0] == ("not-supported-returned", f"EvtDevice{callback} returned STATUS_NOT_SUPPORTED, which it must not")


def test_interrupts_that_a_failed_prepare_hardware_left_are_deleted_newest_first(World: Any) -> None:
    deleted: list[int] = []
    w = World(attributes=wdf.ObjectAttributes(evt_cleanup_callback=lambda i: deleted.append(i.message_number)))
    w.on["PrepareHardware"] = FAIL
    w.start()
    assert deleted == [2, 1, 0]


def test_a_bugcheck_in_a_callback_ends_everything_there(World: Any) -> None:
    w = World()

    def fall(*_: Any) -> None:
        raise ZeroDivisionError("division by zero")

    w.on["D0Entry"] = fall
    assert w.start() == wdf.STATUS_UNSUCCESSFUL
    assert w.log[-1] == "D0Entry"
    line = fall.__code__.co_firstlineno + 1
    assert str(w.system.stopped) == (
        "bugcheck 0x1e KMODE_EXCEPTION_NOT_HANDLED (0x0, 0x0, 0x0, 0x0): ZeroDivisionError: division by zero "
        f"(test_failure_unwinding.py:{line} in fall)"
    )

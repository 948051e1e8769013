"""Every row of the failure table at start, with the exact order of what follows (facts §3.5)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf

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


def dma(world: Any) -> None:
    def record(name: str) -> Any:
        return lambda enabler: world.do(name)

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

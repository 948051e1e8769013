"""Stop and start with another grant; and what holds whatever happens in between (facts §3.2, §3.3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql import wdf
from dirql.machine.chooser import RandomChooser
from dirql.pnp.grant import GrantChoice

DOWN = ["SmIoSuspend", "PreInterruptsDisabled", ("Disable", 2), ("Disable", 1), ("Disable", 0), "D0Exit", "ReleaseHardware"]


def test_a_rebalance_is_a_stop_and_a_start_with_restart_of_self_managed_io(World: Any) -> None:
    w = World().started()
    w.interrupts.clear()
    assert w.system.rebalance(w.card, GrantChoice.one()) == wdf.STATUS_SUCCESS
    assert w.log == [
        "QueryStop", *DOWN, "RemoveAdded", "PrepareHardware", "D0Entry", ("Enable", 0), "PostInterruptsEnabled", "SmIoRestart",
    ]  # fmt: skip


def test_a_veto_changes_nothing(World: Any) -> None:
    w = World().started()
    w.on["QueryStop"] = wdf.STATUS_DEVICE_BUSY
    before = [i.wdm for i in w.interrupts]
    assert w.system.rebalance(w.card, GrantChoice.one()) == wdf.STATUS_DEVICE_BUSY
    assert (w.log, [i.wdm for i in w.interrupts]) == (["QueryStop"], before)


@pytest.mark.parametrize("target", ["PreInterruptsDisabled", "D0Exit"])
def test_a_stop_goes_to_d3_final(World: Any, target: str) -> None:
    w = World().started()
    states: list[int] = []
    w.during(target, states.append)
    w.system.rebalance(w.card, GrantChoice.one())
    assert states == [wdf.PowerDeviceState.D3Final]


@pytest.mark.parametrize(
    "choices",
    [
        [GrantChoice.one(), GrantChoice.all()],
        [GrantChoice.line(), GrantChoice.all()],
        [GrantChoice.messages(2), GrantChoice.line(), GrantChoice.one()],
    ],
)
def test_count_and_type_may_change_with_every_rebalance(World: Any, choices: list[GrantChoice]) -> None:
    w = World().started()
    for choice in choices:
        w.interrupts.clear()
        assert w.system.rebalance(w.card, choice) == wdf.STATUS_SUCCESS
        expected = {"all": 3, "one": 1, "line": 1, "count": choice.count}[choice.kind]
        assert [i.message_number for i in w.interrupts] == list(range(expected))
        assert {i.info.message_signaled for i in w.interrupts} == {choice.kind != "line"}
        if choice.kind != "line":
            w.log.clear()
            w.fire(2)
            assert ("Isr", 2 if expected == 3 else 0) in w.log


def test_a_device_that_cannot_start_again_is_removed(World: Any) -> None:
    w = World().started()
    w.on["PrepareHardware"] = wdf.STATUS_DEVICE_CONFIGURATION_ERROR
    w.interrupts.clear()
    assert w.system.rebalance(w.card, GrantChoice.one()) == wdf.STATUS_DEVICE_CONFIGURATION_ERROR
    after = w.log[w.log.index("PrepareHardware") :]
    assert after == ["PrepareHardware", "ReleaseHardware", "SmIoFlush", "SmIoCleanup", "Cleanup"]
    assert w.system.node(w.card).status == wdf.STATUS_DEVICE_CONFIGURATION_ERROR


def legal(log: list[Any]) -> None:
    """Every callback inside its window, every enable matched by a disable."""
    state = "stopped"
    enabled: set[int] = set()
    for event in log:
        match event:
            case ("Enable", number):
                assert state == "D0" and number not in enabled
                enabled.add(number)
            case ("Disable", number):
                assert state == "D0"
                enabled.remove(number)
            case ("Isr", _):
                assert state == "D0"
            case "PrepareHardware":
                assert state == "stopped" and not enabled
                state = "prepared"
            case "D0Entry":
                assert state == "prepared" and not enabled
                state = "D0"
            case "PostInterruptsEnabled" | "SmIoInit" | "SmIoRestart" | "SmIoSuspend" | "PreInterruptsDisabled":
                assert state == "D0"
            case "D0Exit":
                assert state == "D0" and not enabled
                state = "prepared"
            case "ReleaseHardware":
                assert state == "prepared" and not enabled
                state = "stopped"
    assert state == "stopped" and not enabled


OPERATIONS = ("fire", "all", "one", "line", "down", "up", "disable", "enable", "idle", "fail")


@settings(max_examples=25, deadline=None)
@given(
    operations=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 2)), max_size=12),
    pageable=st.booleans(), soft=st.booleans(), in_add=st.sampled_from([0, 3]), seed=st.none() | st.integers(0, 99),
)  # fmt: skip
def test_whatever_happens_callbacks_are_legal_and_every_message_has_one_fate(
    World: Any, operations: list[tuple[str, int]], pageable: bool, soft: bool, in_add: int, seed: int | None
) -> None:
    inactive = wdf.TriState.WdfTrue if soft else wdf.TriState.WdfUseDefault
    w = World(
        in_add=in_add, in_prepare=not in_add, pageable=pageable, idle=wdf.S0IdleSettings(10),
        report_inactive_on_power_down=inactive, chooser=None if seed is None else RandomChooser(seed),
    )  # fmt: skip
    assert w.start() == wdf.STATUS_SUCCESS
    for operation, number in operations:
        perform(w, operation, number)
    w.system.shut_down()
    assert w.system.stopped is None
    legal(w.log)
    assert all(fate.balanced for fate in w.card.fates)
    names = ("cannot-delete", "interrupt-not-connected", "resume-idle-unbalanced")
    assert [f for f in w.findings if f[0] in names] == []


def perform(w: Any, operation: str, number: int) -> None:
    device = w.device
    interrupts = device.interrupts
    match operation:
        case "fire":
            w.card.msix.fire(number)
            w.system.run(for_ns=500 * number)
        case "all" | "one" | "line":
            assert w.system.rebalance(w.card, getattr(GrantChoice, operation)()) == wdf.STATUS_SUCCESS
        case "up":
            w.kernel.dispatcher.create(lambda _: device.stop_idle(True), None, "user")
            w.system.run(for_ns=10_000 * number)
        case "down" if device.idle.references:
            w.call(device.resume_idle)
        case "idle":
            w.system.run(for_ns=9_999_000 + 1_000 * number)
        case "disable" | "enable" if number < len(interrupts):
            w.call(getattr(interrupts[number], operation))
        case "fail":
            w.call(device.set_failed, True)
            w.system.run(for_ns=13_000_000_000)

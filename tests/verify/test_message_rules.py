"""Rules of messages: how many, in which order, before they are enabled and after they are disabled."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.kernel.io_connect import connect_messages, disconnect_messages
from dirql.pnp import GUID_MSIX_TABLE_CONFIG_INTERFACE
from dirql.pnp.grant import GrantChoice

MS = 1_000_000
IDLE = wdf.S0IdleSettings(idle_timeout=10)


def told(w: Any, rule: str) -> list[tuple[str, str]]:
    """(level, sentence) of each finding of that rule."""
    return [(f.level, f.sentence) for f in w.system.findings if f.rule == rule]


def read(w: Any) -> Any:
    return w.device.registers.read_register_ulong(0)


def asleep(World: Any, **world: Any) -> Any:
    """Started, and in D3 since."""
    w = World(idle=IDLE, **world).started()
    w.call(lambda: w.device.stop_idle(True))
    w.kernel.dispatcher.create(lambda _: w.device.resume_idle(), None, "user")
    w.system.run(for_ns=12 * MS)
    assert w.device.power.state == wdf.PowerDeviceState.D3
    return w


# Messages, objects and the grant.


def test_more_messages_than_objects_is_told_with_the_messages_that_reach_nobody(World: Any) -> None:
    w = World(queues=4, most=2)
    w.start()
    sentence = "MultiQueue has 2 interrupt objects for 5 messages: messages 2, 3, 4 will reach nobody"
    assert [(f.rule, f.level, f.sentence) for f in w.system.findings] == [
        ("messages-without-object", "warning", f"{sentence}; create one for each, or ask for fewer (MessageNumberLimit)")
    ]


@pytest.mark.parametrize("grant", [GrantChoice.all(), GrantChoice.one(), GrantChoice.line()])
def test_an_object_for_each_message_is_what_windows_wants(World: Any, grant: GrantChoice) -> None:
    w = World()
    w.on["Isr", 0] = lambda interrupt: read(w) >= 0
    w.start(grant)
    assert w.findings == []


def test_objects_that_are_created_in_another_order_than_the_messages_are_told(World: Any) -> None:
    w = World(in_prepare=False)
    w.during("PrepareHardware", lambda raw, translated: [w.create(*pair) for pair in reversed(w.pairs(raw, translated))] and None)
    w.start()
    order = "interrupt0 of MultiQueue gets MessageID 0, its place in the order of creation, and serves message 2"
    assert [(f.rule, f.level, f.sentence) for f in w.system.findings] == [
        ("message-order", "warning", f"{order}; create the objects in the order of the descriptors")
    ]


@pytest.mark.parametrize(
    ("grant", "level", "granted", "remedy"),
    [
        (GrantChoice.messages(2), "error", "2 messages", "give its causes entries 0 to 1, by what was granted"),
        (GrantChoice.one(), "advice", "one message", "let message 0's ISR serve it"),
    ],
)
def test_a_signal_beyond_the_grant_is_told_once(World: Any, grant: Any, level: str, granted: str, remedy: str) -> None:
    w = World(queues=3).started(grant)
    w.fire(3, 3)
    w.fire(3)
    sentence = f"MultiQueue signals through table entry 3, beyond the {granted} granted: message 0 is delivered instead"
    assert told(w, "vector-beyond-grant") == [(level, f"{sentence}; {remedy}")]
    assert [f.count for f in w.system.findings] == [1]


def test_a_signal_within_the_grant_or_through_an_entry_that_was_aimed_is_right(World: Any) -> None:
    w = World(queues=3).started(GrantChoice.messages(2))
    config = w.call(lambda: w.device.query_for_interface(GUID_MSIX_TABLE_CONFIG_INTERFACE))
    assert w.call(lambda: config.set_table_entry(3, 1)) == wdf.STATUS_SUCCESS
    w.fire(0, 1, 3)
    assert w.findings == []


@pytest.mark.parametrize(("asks", "claims"), [(True, True), (False, True), (False, False)])
def test_a_line_is_claimed_by_who_has_asked_its_device(World: Any, asks: bool, claims: bool) -> None:
    w = World(in_prepare=False, in_add=1, messages=False)
    w.on["Isr", 0] = lambda interrupt: (w.card.intx.set(False), read(w) if asks else None, claims)[-1]
    w.started()
    w.card.intx.set(True)
    w.system.run()
    sentence = "the ISR of interrupt0 returned TRUE for a line without having read a register of MultiQueue"
    expected = [("warning", f"{sentence}; ask its interrupt status, and return FALSE when that shows nothing")]
    assert told(w, "line-claimed-unseen") == (expected if claims and not asks else [])


@pytest.mark.parametrize("grant", [GrantChoice.all(), GrantChoice.one()])
def test_a_register_read_in_the_isr_of_one_of_several_messages_is_advised_against(World: Any, grant: GrantChoice) -> None:
    w = World()
    w.on["Isr", 0] = lambda interrupt: read(w) is not None
    w.started(grant)
    w.fire(0)
    w.fire(0)
    cost = "800 ns at DIRQL for each message, and the message says who it was"
    sentence = f"the ISR of interrupt0 reads BAR0+0x0 of MultiQueue: {cost}; go by the MessageID, read in the DPC"
    assert told(w, "status-read-in-isr") == ([("advice", sentence)] if grant == GrantChoice.all() else [])


def test_a_register_read_in_a_dpc_or_under_the_interrupts_lock_costs_no_advice(World: Any) -> None:
    w = World()
    w.on["Dpc", 0] = lambda interrupt: read(w) and None
    w.on["Enable", 0] = lambda *_: read(w) and None
    w.started()
    w.fire(0)
    assert w.findings == []


# Enabling and disabling.


def test_a_message_that_comes_while_its_interrupt_is_connected_is_told(World: Any) -> None:
    w = World()
    w.system.machine.ports[0].message_flight = 0
    w.during("D0Entry", lambda *_: w.card.msix.fire(0))
    w.start()
    assert w.card.fates[0].swallowed == 1
    sentence = "a message of interrupt0 comes while that is being connected, and is lost; unmask the device in EvtInterruptEnable"
    assert told(w, "interrupt-before-enable") == [("warning", sentence)]


@pytest.mark.parametrize(("callback", "early"), [("D0Entry", True), (("Enable", 0), False)])
def test_an_isr_that_runs_before_enable_is_told(World: Any, callback: Any, early: bool) -> None:
    w = asleep(World, pageable=False)  # stays connected in Dx

    def signal(*_: Any) -> None:
        w.card.msix.fire(0)
        w.kernel.ke_stall_execution_processor(1)

    w.during(callback, signal)
    w.call(lambda: w.device.stop_idle(True))
    assert w.log.count(("Isr", 0)) == 1
    sentence = "the ISR of interrupt0 runs before its EvtInterruptEnable was called; unmask the device there, not earlier"
    assert told(w, "interrupt-before-enable") == [("warning", sentence)] * early


@pytest.mark.parametrize("callback", [("Enable", 0), "PostInterruptsEnabled"])
def test_a_device_that_signals_from_enable_on_is_in_time(World: Any, callback: Any) -> None:
    w = World()
    w.during(callback, lambda *_: w.card.msix.fire(0))
    w.start()
    assert w.log.count(("Isr", 0)) == 1
    assert w.findings == []


def test_a_message_without_an_enable_callback_may_come_when_it_likes(World: Any) -> None:
    w = World(evt_interrupt_enable=None, evt_interrupt_disable=None)
    w.during("D0Entry", lambda *_: w.card.msix.fire(0))
    w.during("D0Exit", lambda *_: w.card.msix.fire(0))
    w.start()
    w.system.remove(w.card)
    assert w.findings == []


@pytest.mark.parametrize("callback", ["PreInterruptsDisabled", ("Disable", 1), "D0Exit", "ReleaseHardware"])
def test_a_device_that_goes_on_after_disable_is_told(World: Any, callback: Any) -> None:
    w = World()
    w.during(callback, lambda *_: w.card.msix.fire(1))
    w.started()
    w.system.remove(w.card)
    sentence = "MultiQueue sent 1 more message of interrupt1 after EvtInterruptDisable had returned"
    expected = [("warning", f"{sentence}; undo there what EvtInterruptEnable does, and read a register back")]
    assert told(w, "interrupt-after-disable") == (expected if callback == "D0Exit" else [])


def test_enable_without_a_disable_at_all_is_told(World: Any) -> None:
    w = World(evt_interrupt_disable=None)
    w.during("D0Exit", lambda *_: w.card.msix.fire(1))
    w.started()
    w.system.remove(w.card)
    sentence = "MultiQueue sent 1 more message of interrupt1 after it was disconnected"
    expected = [("warning", f"{sentence}; add an EvtInterruptDisable that undoes what EvtInterruptEnable does")]
    assert told(w, "interrupt-after-disable") == expected


@pytest.mark.parametrize("on_its_way", [False, True])
def test_a_message_that_crosses_the_write_of_disable_is_nobodys_mistake(World: Any, on_its_way: bool) -> None:
    w = World()

    def disable(*_: Any) -> None:
        if on_its_way:
            w.device.registers.write_register_ulong(0x100, 0)
        w.card.endpoint.host.after(1, lambda: w.card.msix.fire(1))

    w.during(("Disable", 1), disable)
    w.started()
    w.system.remove(w.card)
    assert w.card.fates[1].sent == 1
    assert bool(told(w, "interrupt-after-disable")) != on_its_way


@pytest.mark.parametrize("disconnected", [False, True])
def test_an_interrupt_that_the_driver_connected_and_left_is_told(World: Any, disconnected: bool) -> None:
    w = World(in_prepare=False).started()
    node = w.system.node(w.card)
    info = w.call(lambda: connect_messages(w.kernel, node, lambda interrupt, context, number: True))
    if disconnected:
        w.call(lambda: disconnect_messages(w.kernel, info))
    w.system.remove(w.card)
    state = "is still connected when MultiQueue is stopped or removed"
    sentences = [f"message{n} of MultiQueue {state}; call IoDisconnectInterruptEx before that" for n in range(3)]
    assert told(w, "interrupt-left-connected") == ([] if disconnected else [("error", sentence) for sentence in sentences])

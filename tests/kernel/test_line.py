"""Level-triggered lines and passive-level interrupts (facts §4.2; PCI 3.0 §2.2.6)."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest

from dirql.kernel import Hang, KInterrupt


def test_a_line_fires_once_and_is_quiet_after_its_release(world: ModuleType) -> None:
    w = world.World(1)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        w.card.line(False)
        w.port.read(0, 0, 4)  # the read brings the release up
        return True

    interrupt = w.connect(isr, 0x61, latched=False)
    w.line(0x61)
    w.card.line(True)
    w.run()
    assert (interrupt.count, interrupt.claimed) == (1, 1)


@pytest.mark.parametrize("calls", [1, 2, 7])
def test_a_line_that_is_still_asserted_fires_again_after_the_eoi(world: ModuleType, calls: int) -> None:
    w = world.World(1)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        if interrupt.count == calls - 1:
            w.card.line(False)
            w.port.read(0, 0, 4)
        return True

    interrupt = w.connect(isr, 0x61, latched=False)
    w.line(0x61)
    w.card.line(True)
    w.run()
    assert interrupt.count == calls


def test_a_release_on_its_way_lands_while_the_isr_runs_without_any_routine(world: ModuleType) -> None:
    w = world.World(1)
    interrupt = w.connect(lambda i, c: True, 0x61, latched=False)
    w.line(0x61)
    w.card.line(True)
    w.at(20_000, lambda: w.card.line(False))
    w.run()
    assert 1 < interrupt.count < 100


def test_a_line_that_nobody_releases_is_a_storm(world: ModuleType) -> None:
    w = world.World(2)
    w.connect(lambda i, c: False, 0x61, latched=False, share=True, name="mine")
    w.connect(lambda i, c: False, 0x61, latched=False, share=True, name="yours")
    w.line(0x61)
    w.card.line(True)
    text = ("hang (interrupt-storm): the line of vector 0x61 fired 1000 times without being released; connected: mine, yours; "
            "the ISR must make the device drop its line before it returns TRUE")  # fmt: skip
    with pytest.raises(Hang, match=f"^{re.escape(text)}$"):
        w.run()


def test_a_line_without_a_connected_isr_is_a_storm_of_nobodys(world: ModuleType) -> None:
    w = world.World(1)
    w.line(0x61)
    w.card.line(True)
    with pytest.raises(Hang, match="connected: nobody;"):
        w.run()


@pytest.mark.parametrize(("claims", "called"), [("ab", "a"), ("b", "ab"), ("", "ab")])
def test_a_level_chain_stops_at_the_first_that_claims(world: ModuleType, claims: str, called: str) -> None:
    w = world.World(1)

    def isr(name: str) -> Any:
        def service(interrupt: KInterrupt, context: Any) -> bool:
            w.log.append(name)
            w.card.line(False)
            w.port.read(0, 0, 4)
            return name in claims

        return service

    for name in "ab":
        w.connect(isr(name), 0x61, latched=False, share=True)
    w.line(0x61)
    w.card.line(True)
    w.run()
    assert "".join(w.log) == called


def test_a_shared_line_stays_asserted_until_both_cards_have_released_it(world: ModuleType) -> None:
    w = world.World(1)
    other = world.Stub("other", bars={0: (0x1000, 0xE000_0000)})
    port = w.machine.plug(other)
    port.gsi = 16
    cards = {"mine": (w.card, w.port), "yours": (other, port)}

    def isr(name: str) -> Any:
        def service(interrupt: KInterrupt, context: Any) -> bool:
            w.log.append(name)
            if name not in asserted:
                return False
            asserted.remove(name)
            card, through = cards[name]
            card.line(False)
            through.read(0, 0, 4)
            return True

        return service

    asserted = {"mine", "yours"}
    for name in cards:
        w.connect(isr(name), 0x61, latched=False, share=True)
    w.line(0x61)
    w.card.line(True)
    other.line(True)
    w.run()
    assert w.log == ["mine", "mine", "yours"]


def test_connecting_to_an_asserted_line_takes_the_interrupt_before_it_returns(world: ModuleType) -> None:
    w = world.World(1)
    w.port.gsi = 16
    w.card.line(True)
    w.run()

    class Source:
        def connected(self) -> None:
            w.machine.ioapic.program(16, 0x61, (0,))

        def disconnected(self) -> None:
            w.machine.ioapic.mask(16)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        w.log.append("isr")
        w.card.line(False)
        w.port.read(0, 0, 4)
        return True

    w.kernel.interrupts.attach(0x61, 1, Source())
    interrupt = KInterrupt(w.kernel, isr, None, vector=0x61, irql=6, synchronize_irql=6, affinity=1, latched=False, share=True)

    def connect() -> None:
        w.kernel.interrupts.connect(interrupt)
        w.log.append("connected")

    w.run_thread(connect)
    assert w.log == ["isr", "connected"]


@pytest.mark.parametrize("latched", [True, False])
def test_a_passive_isr_runs_on_a_thread_and_may_wait(world: ModuleType, latched: bool) -> None:
    w = world.World(2)

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        w.log.append((w.cpu.irql, w.cpu.thread is not None))
        w.kernel.ke_delay_execution_thread(20_000)
        w.card.line(False)
        w.port.read(0, 0, 4)
        return True

    interrupt = w.connect(isr, 0x61, latched=latched, passive=True)
    if latched:
        w.aim(0, 0x61, 0)
        w.card.fire(0)
    else:
        w.line(0x61)
        w.card.line(True)
    w.run()
    assert w.log == [(0, True)] and interrupt.claimed == 1


def test_a_passive_level_line_is_held_off_until_its_routine_has_returned(world: ModuleType) -> None:
    w = world.World(4)
    running: list[int] = []

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        assert not running
        running.append(1)
        w.kernel.ke_delay_execution_thread(50_000)
        if interrupt.count == 2:
            w.card.line(False)
            w.port.read(0, 0, 4)
        running.clear()
        return True

    interrupt = w.connect(isr, 0x61, latched=False, passive=True)
    w.line(0x61)
    w.card.line(True)
    w.run()
    assert interrupt.count == 3


def test_a_passive_level_chain_stops_at_the_first_that_claims(world: ModuleType) -> None:
    w = world.World(1)

    def isr(name: str) -> Any:
        def service(interrupt: KInterrupt, context: Any) -> bool:
            w.log.append(name)
            if name == "b":
                w.card.line(False)
                w.port.read(0, 0, 4)
            return name == "b"

        return service

    for name in "abc":
        w.connect(isr(name), 0x61, latched=False, share=True, passive=True)
    w.line(0x61)
    w.card.line(True)
    w.run()
    assert "".join(w.log) == "ab"


def test_a_passive_line_that_nobody_releases_is_a_storm(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(lambda i, c: True, 0x61, latched=False, passive=True, name="button")
    w.line(0x61)
    w.card.line(True)
    with pytest.raises(Hang, match=r"interrupt-storm.*connected: button;"):
        w.run()


def test_two_messages_run_a_passive_isr_one_after_the_other(world: ModuleType) -> None:
    w = world.World(4)
    running: list[int] = []

    def isr(interrupt: KInterrupt, context: Any) -> bool:
        assert not running
        running.append(1)
        w.kernel.ke_delay_execution_thread(50_000)
        running.clear()
        return True

    interrupt = w.connect(isr, 0x61, passive=True)
    w.aim(0, 0x61, 0)
    w.card.fire(0)
    w.at(10_000, lambda: w.card.fire(0))
    w.run()
    assert (interrupt.count, w.card.fates[0].delivered) == (2, 2)


def test_a_message_whose_passive_isr_was_disconnected_before_its_thread_ran_is_swallowed(world: ModuleType) -> None:
    w = world.World(1)
    interrupt = w.connect(lambda i, c: True, 0x61, passive=True)
    w.aim(0, 0x61, 0)

    def stop() -> None:
        w.machine.time = w.cpu.now
        w.card.fire(0)
        w.stall(10)
        w.kernel.interrupts.disconnect(interrupt)

    w.run_thread(stop)
    fate = w.card.fates[0]
    assert (fate.swallowed, fate.delivered, interrupt.count, fate.balanced) == (1, 0, 0, True)

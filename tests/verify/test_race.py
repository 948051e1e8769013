"""The data-race detector on Python drivers: what is found although nothing went wrong, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.device.models import MultiQueue
from dirql.machine import RandomChooser
from dirql.pnp.inf import Inf
from dirql.system import System


def inf() -> Inf:
    """Of the card: messages spread over all processors."""
    root = "Interrupt Management"
    text = "\r\n".join([
        "[Version]", 'Signature = "$WINDOWS NT$"', "Class = Net", "ClassGuid = {4d36e972-e325-11ce-bfc1-08002be10318}",
        "Provider = P", "CatalogFile = c.cat", "DriverVer = 01/01/2026,1.0", "PnpLockdown = 1",
        "[Manufacturer]", "P = Cards,NTamd64", "[Cards.NTamd64]", r"Card = Install, PCI\VEN_1234&DEV_4D51",
        "[Install.NT]", "[Install.NT.HW]", "AddReg = Registry", "[Registry]",
        rf'HKR, "{root}\MessageSignaledInterruptProperties", MSISupported, 0x00010001, 1',
        rf'HKR, "{root}\Affinity Policy", DevicePolicy, 0x00010001, 5',
        "[Install.NT.Services]", "AddService = c, 2, Service",
        "[Service]", "ServiceType = 1", "StartType = 3", "ErrorControl = 1", r"ServiceBinary = %13%\c.sys",
    ])  # fmt: skip
    return Inf.parse(text.encode())


class Counters:
    """An interrupt's context."""

    def __init__(self) -> None:
        self.count = 0


class Card(wdf.Device):
    """An interrupt object for each message, and a few things that its callbacks share."""

    def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> None:
        self.total, self.tail, self.limit = 0, 0, 8
        self.event = wdf.Event(self.kernel, wdf.EventType.SynchronizationEvent)
        self.lock = wdf.SpinLock.create(self)
        self.registers = self.kernel.mm_map_io_space(translated[0].u.start, translated[0].u.length)
        self.interrupts_of: list[wdf.Interrupt] = []
        self.item = wdf.WorkItem.create(self, wdf.WorkItemConfig(self.work))
        self.timer = wdf.Timer.create(self, wdf.TimerConfig(self.expired))
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                attributes = wdf.ObjectAttributes(context_type=Counters)
                self.interrupts_of.append(wdf.Interrupt.create(self, config, attributes))

    def evt_device_release_hardware(self, translated: Any) -> None:
        self.registers.unmap()

    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> bool:
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None: ...

    def work(self, item: wdf.WorkItem) -> None: ...

    def expired(self, timer: wdf.Timer) -> None: ...


def found(kind: type[Card], *entries: int, again: bool = False, seed: int | None = None) -> list[str]:
    """The sentences of the races of a driver whose card sends these messages."""
    system, card = started(kind, races=True, chooser=RandomChooser(seed) if seed is not None else None)
    for _ in range(2 if again else 1):
        for entry in entries:
            card.msix.fire(entry)
        system.run()
    system.shut_down()
    assert system.stopped is None
    assert {f.rule for f in system.findings} <= {"data-race"}
    return [f.sentence for f in system.findings]


def started(kind: type[Card], **more: Any) -> tuple[System, MultiQueue]:
    """A machine with two processors that runs the driver."""

    class CardDriver(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            kind.create(init)

    system = System(2, memory=1 << 21, **more)
    card = system.plug(MultiQueue(2))
    system.load(CardDriver, inf())
    assert system.start() == 0
    return system, card


class IsrAndDpc(Card):
    """Counted up in the ISR and down in the DPC."""

    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> bool:
        interrupt.context.count += 1
        return super().isr(interrupt, message_id)

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        interrupt.context.count -= 1


class UnderTheInterruptLock(IsrAndDpc):
    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        interrupt.acquire_lock()
        interrupt.context.count -= 1
        interrupt.release_lock()


class Synchronized(IsrAndDpc):
    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        interrupt.synchronize(self.down)

    def down(self, interrupt: wdf.Interrupt, context: Any) -> bool:
        interrupt.context.count -= 1
        return True


class Interlocked(Card):
    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> bool:
        self.kernel.interlocked_increment(interrupt.context, "count")
        return super().isr(interrupt, message_id)

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        assert self.kernel.interlocked_exchange(interrupt.context, "count", 0) >= 0


class TwoDpcs(Card):
    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.total += 1


class TwoDpcsLocked(Card):
    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.lock.acquire()
        self.total += 1
        self.lock.release()


class RaisedOnly(Card):
    """An IRQL is no lock on a machine with two processors."""

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        old = self.kernel.ke_raise_irql(12)
        self.total += 1
        self.kernel.ke_lower_irql(old)


class TwoIsrs(Card):
    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> bool:
        self.total += 1
        return True


class ByMessage(Card):
    """Every DPC has its own."""

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        interrupt.context.count += 1


class ReadOnly(Card):
    """Set before the interrupts are connected, read ever after."""

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        assert self.limit == 8


class HandedOn(Card):
    """ISR to DPC to work item, once."""

    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> bool:
        interrupt.context.seen = message_id
        return super().isr(interrupt, message_id)

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.tail = interrupt.context.seen
        self.item.enqueue()

    def work(self, item: wdf.WorkItem) -> None:
        self.total = self.tail


class HandedBack(HandedOn):
    """The work item looks at what the ISR may be writing."""

    def work(self, item: wdf.WorkItem) -> None:
        self.total = self.interrupts_of[0].context.seen


class Event(Card):
    """A DPC sets an event, a thread waits for it and goes on."""

    def evt_device_d0_entry_post_interrupts_enabled(self, previous_state: int) -> None:
        self.thread = self.kernel.ps_create_system_thread(self.serve, None, "server")

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.tail = 3
        self.event.set()

    def serve(self, _: Any) -> None:
        self.kernel.ke_wait_for_single_object(self.event)
        assert self.tail in (0, 3)

    def evt_device_d0_exit(self, target_state: int) -> None:
        self.event.set()
        self.kernel.ke_wait_for_single_object(self.thread)
        self.tail = 0


class EventLater(Event):
    """The same, but written after the event was set."""

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.event.set()
        self.tail = 3


class AtTheEnd(Card):
    """What ISR and DPC counted is read when both have been waited for."""

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        interrupt.context.count += 1

    def evt_device_d0_exit(self, target_state: int) -> None:
        self.total = sum(one.context.count for one in self.interrupts_of)


class TooEarly(AtTheEnd):
    """The same while interrupts may still come."""

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state: int) -> None:
        self.total = sum(one.context.count for one in self.interrupts_of)


class Timed(Card):
    """Started by a DPC that has written what the timer's callback reads."""

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.tail = 5
        self.timer.start(1_000)

    def expired(self, timer: wdf.Timer) -> None:
        self.total = self.tail

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state: int) -> None:
        self.timer.stop(True)
        self.total = 0


class NotStopped(Timed):
    """Stopped without waiting for the callback."""

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state: int) -> None:
        self.timer.stop(False)
        self.total = 0


class Ticks(Card):
    """A periodic timer expires on the processor that started it: its callbacks come one after another."""

    def evt_device_d0_entry(self, previous_state: int) -> None:
        self.ticker = wdf.Timer.create(self, wdf.TimerConfig(self.tick, period=1))
        self.ticker.start(1_000)

    def tick(self, timer: wdf.Timer) -> None:
        self.total += 1

    def evt_device_d0_exit(self, target_state: int) -> None:
        self.ticker.stop(True)
        self.total = 0


class Restarted(Card):
    """One shot, that its callback starts again."""

    def evt_device_d0_entry(self, previous_state: int) -> None:
        self.timer.start(1_000)

    def expired(self, timer: wdf.Timer) -> None:
        self.total += 1
        if self.total < 3:
            timer.start(1_000)

    def evt_device_d0_exit(self, target_state: int) -> None:
        self.timer.stop(True)
        self.total = 0


class Parts(Card):
    """Objects in a list of the device's: one for each message, and all for one."""

    def evt_device_d0_entry(self, previous_state: int) -> None:
        self.parts = [Part() for _ in self.interrupts_of]

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.parts[interrupt.message_number].done += 1


class OnePart(Parts):
    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        self.parts[0].done += 1


class Part:
    """No context; it has slots."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = 0


class Conditional(TwoDpcs):
    """An Interlocked operation on one side is none on the other."""

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        if self.kernel.interlocked_compare_exchange(self, "total", 1, 0) == 0:
            self.tail += 1


WRONG = [
    (OnePart, (0, 1), {}),
    (IsrAndDpc, (0,), {"again": True}), (TwoDpcs, (0, 1), {}), (RaisedOnly, (0, 1), {}), (TwoIsrs, (0, 1), {}),
    (HandedBack, (0,), {"again": True}), (EventLater, (0,), {}), (TooEarly, (0,), {}), (NotStopped, (0,), {}),
]  # fmt: skip
RIGHT = [
    (UnderTheInterruptLock, (0, 1), {"again": True}), (Synchronized, (0, 1), {"again": True}),
    (Interlocked, (0, 1), {"again": True}), (TwoDpcsLocked, (0, 1), {"again": True}), (ByMessage, (0, 1), {}),
    (ReadOnly, (0, 1), {"again": True}), (HandedOn, (0,), {}), (Event, (0,), {}), (AtTheEnd, (0, 1), {"again": True}),
    (Timed, (0,), {}), (Ticks, (), {}), (Restarted, (), {}), (Parts, (0, 1), {"again": True}), (Conditional, (0, 1), {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "entries", "more"), WRONG, ids=lambda v: v.__name__ if isinstance(v, type) else "")
def test_what_nothing_puts_in_order_is_found_in_the_default_order(kind: type[Card], entries: Any, more: Any) -> None:
    assert found(kind, *entries, **more)


@pytest.mark.parametrize(("kind", "entries", "more"), RIGHT, ids=lambda v: v.__name__ if isinstance(v, type) else "")
def test_what_is_in_order_is_left_alone(kind: type[Card], entries: Any, more: Any) -> None:
    assert found(kind, *entries, **more) == []


@pytest.mark.parametrize(("kind", "entries", "more"), RIGHT, ids=lambda v: v.__name__ if isinstance(v, type) else "")
@pytest.mark.parametrize("seed", range(3))
def test_and_in_other_orders_too(kind: type[Card], entries: Any, more: Any, seed: int) -> None:
    assert found(kind, *entries, **more, seed=seed) == []


def line_of(kind: type[Card], routine: str, offset: int) -> str:
    """`test_race.py:LINE`, so many lines into a method."""
    return f"test_race.py:{vars(kind)[routine].__code__.co_firstlineno + offset}"


def test_a_race_is_told_with_both_accesses_and_what_would_order_them() -> None:
    line = line_of(TwoDpcs, "dpc", 1)
    assert found(TwoDpcs, 0, 1) == [(
        f"TwoDpcs.total of MultiQueue is read by interrupt1.dpc (cpu1, DISPATCH_LEVEL, {line}) and was written by interrupt0.dpc "
        f"(cpu0, DISPATCH_LEVEL, {line}), and nothing puts the two in order; "
        "hold one spin lock on both sides (WdfSpinLockAcquire), or use Interlocked operations"
    )]


@pytest.mark.parametrize(
    ("kind", "entries", "remedy"),
    [
        (IsrAndDpc, (0,), "hold the interrupt's lock on both sides (WdfInterruptAcquireLock; its ISR has it already)"),
        (TwoIsrs, (0, 1), "give both interrupts one lock (WDF_INTERRUPT_CONFIG.SpinLock)"),
        (EventLater, (0,), "hold one spin lock on both sides (WdfSpinLockAcquire)"),
    ],
)
def test_what_would_order_them_goes_by_who_they_are(kind: type[Card], entries: Any, remedy: str) -> None:
    sentences = found(kind, *entries, again=True)
    assert sentences
    assert all(sentence.endswith(f"; {remedy}, or use Interlocked operations") for sentence in sentences)


def test_a_race_is_told_once_for_its_two_lines() -> None:
    assert len(found(TwoDpcs, *[0, 1] * 5)) == 1


def test_an_increment_comes_apart_in_some_order_while_somebody_looks() -> None:
    def total(seed: int, races: bool) -> int:
        system, card = started(TwoDpcs, races=races, chooser=RandomChooser(seed))
        for entry in (0, 1):
            card.msix.fire(entry)
        system.run()
        return int(vars(system.device(card))["total"])

    assert {total(seed, True) for seed in range(30)} == {1, 2}
    assert {total(seed, False) for seed in range(30)} == {2}


def test_without_a_watch_no_class_is_touched() -> None:
    class Untouched(TwoDpcs): ...

    started(Untouched)
    assert "__getattribute__" not in vars(Untouched)


def test_a_class_is_as_it_was_once_its_system_is_shut_down() -> None:
    class Extra:
        count = 0

    class Holder(Card):
        def evt_device_d0_entry(self, previous_state: int) -> None:
            self.extra = Extra()

    system, _ = started(Holder, races=True)
    assert "__getattribute__" in vars(Extra)
    system.shut_down()
    assert "__getattribute__" not in vars(Extra)


def test_what_a_user_looks_at_while_the_machine_is_at_rest_is_no_race() -> None:
    system, card = started(TwoDpcs, races=True)
    card.msix.fire(0)
    system.run()
    device: Any = system.device(card)
    assert device.total == 1
    assert system.call(lambda: device.total) == 1
    assert system.findings == []


def test_ram_that_a_device_has_written_is_in_order_with_who_reads_it() -> None:
    system, card = started(Card, races=True)
    watch, memory = system.machine.watch, system.machine.memory
    assert watch is not None
    (page,) = memory.allocate_pages(1)
    system.call(watch.write, memory, (page, 4))
    card.dma.write(page, b"done")
    system.run()
    system.call(watch.read, memory, (page, 4))
    assert system.findings == []


def test_ram_that_two_threads_access_is_told_byte_by_byte() -> None:
    system, _ = started(Card, races=True)
    watch, memory = system.machine.watch, system.machine.memory
    assert watch is not None
    (page,) = memory.allocate_pages(1)

    def write(at: int) -> None:
        watch.write(memory, (at, 4))

    def both() -> None:
        threads = [system.kernel.ps_create_system_thread(write, at) for at in (page, page + 4, page + 3)]
        system.kernel.ke_wait_for_multiple_objects(threads, wait_all=True)

    system.call(both)
    assert [f.sentence.partition(" is ")[0] for f in system.findings] == [f"physical address {page + 3:#x}"]

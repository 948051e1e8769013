"""The machine as a whole: how many processors, what becomes of messages, findings, the trace."""

from __future__ import annotations

import json
import re
from types import ModuleType
from typing import Any

import pytest

from dirql.device.models import MultiQueue
from dirql.errors import UsageError
from dirql.kernel import Kdpc
from dirql.machine import Machine
from dirql.pci.function import Fate, Message
from dirql.trace import FIELDS, Kind, Trace


@pytest.mark.parametrize("cpus", [1, 2, 63, 64])
def test_a_machine_has_one_to_sixty_four_processors_that_all_take_interrupts(world: ModuleType, cpus: int) -> None:
    w = world.World(cpus, fates=cpus)
    for cpu in range(cpus):
        w.aim(cpu, 0x51, cpu)
    w.connect(lambda i, c: bool(w.log.append(w.cpu.index)) or True, 0x51, range(cpus))
    for cpu in range(cpus):
        w.card.fire(cpu)
    w.run()
    assert sorted(w.log) == list(range(cpus))
    assert [fate.cpus for fate in w.card.fates] == [1 << cpu for cpu in range(cpus)]


@pytest.mark.parametrize("cpus", [-1, 0, 65, 1_000])
def test_more_processors_than_a_group_holds_are_refused(cpus: int) -> None:
    text = f"{cpus} processors: one group holds 1 to 64; more need processor groups, which are not modelled yet"
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        Machine(cpus)


def test_a_message_to_nowhere_is_a_write_and_is_dropped_with_its_reason(world: ModuleType) -> None:
    w = world.World(2)
    w.card.messages[0] = Message(0x10_0000, 0x1234)
    w.card.messages[1] = Message(0xFEE0_7000, 0x51)
    for entry in (0, 1):
        w.card.fire(entry)
    w.run()
    assert w.machine.memory.read(0x10_0000, 4) == b"\x34\x12\0\0"
    assert [fate.dropped for fate in w.card.fates[:2]] == [
        {"no processor answers 0x100000": 1}, {"no processor answers 0xfee07000": 1},
    ]  # fmt: skip
    assert all(fate.balanced for fate in w.card.fates)


def test_a_dma_write_to_the_interrupt_range_is_an_interrupt_of_no_table_entry(world: ModuleType) -> None:
    w = world.World(1)
    interrupt = w.connect(lambda i, c: True)
    w.card.host.dma_write(w.card, 0xFEE0_0000, (0x51).to_bytes(4, "little"))
    w.run()
    assert interrupt.count == 1 and all(fate.sent == 0 for fate in w.card.fates)


def test_messages_on_their_way_are_counted_until_they_arrive(world: ModuleType) -> None:
    w = world.World(1)
    w.aim(0, 0x51, 0)
    for _ in range(3):
        w.card.fire(0)
    assert w.port.in_flight(w.card.fates[0]) == 3
    w.run()
    assert w.port.in_flight(w.card.fates[0]) == 0 and w.card.fates[0].balanced


def test_a_finding_is_kept_once_and_counted() -> None:
    machine = Machine(1, trace=Trace())
    for where in ("here", "there"):
        machine.note_finding("bad-priority", "something is wrong", where, "warning")
    (finding,) = machine.findings.values()
    assert (finding.level, finding.where, finding.count) == ("warning", "here", 2)
    assert str(finding) == "finding bad-priority: something is wrong (here, 2 times)"
    assert machine.trace is not None
    assert [event["kind"] for event in machine.trace.events()] == [Kind.FINDING]


def test_where_names_the_isr_before_the_dpc_that_it_interrupted(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(lambda i, c: bool(w.log.append(w.machine.where())) or True, name="rx.isr")
    w.aim(0, 0x51, 0)

    def body(dpc: Kdpc, context: object, a: object, b: object) -> None:
        w.machine.time = w.cpu.now
        w.card.fire(0)
        w.stall(10)
        w.log.append(w.machine.where())

    w.run_thread(lambda: (Kdpc(w.kernel, body, None, "rx.dpc").insert(), w.log.append(w.machine.where())), name="starter")
    expected = [f"cpu0, {who}, test_machine.py" for who in ("rx.isr", "rx.dpc", "starter")]
    assert [re.sub(r":\d+$", "", where) for where in w.log] == expected


def test_the_stimulus_from_outside_does_not_come_before_what_happened_last(world: ModuleType) -> None:
    w = world.World(2)
    w.run_thread(lambda: w.stall(500), 1)
    assert w.machine.time >= 500_000
    w.connect(lambda i, c: bool(w.log.append(w.cpu.now)) or True)
    w.aim(0, 0x51, 0)
    w.card.fire(0)
    w.run()
    assert w.log[0] > 500_000


def test_every_kind_of_event_names_its_fields() -> None:
    kinds = {value for name, value in vars(Kind).items() if name.isupper()}
    assert kinds == set(FIELDS)


def test_an_event_reads_as_a_dictionary_a_line_and_json() -> None:
    trace = Trace()
    trace.add((1_234_567, -1, Kind.SENT, "nic", 3, 0xFEE00000, 0x51))
    trace.add((1_300_000, 12, Kind.CALL, "KeSetEvent", 2))
    first, second = trace.events()
    assert first == {
        "time_ns": 1_234_567, "cpu": -1, "kind": "sent", "function": "nic", "entry": 3, "address": 0xFEE00000, "data": 0x51,
    }  # fmt: skip
    assert [line.split() for line in trace.lines()] == [
        ["1,234,567", "-", "sent", "function=nic", "entry=3", "address=0xfee00000", "data=0x51"],
        ["1,300,000", "cpu12", "call", "routine=KeSetEvent", "irql=2"],
    ]
    assert [json.loads(line) for line in trace.json_lines()] == [first, second]
    assert [event["kind"] for event in trace.events(Kind.CALL)] == ["call"] and len(trace) == 2


def test_a_fate_says_what_it_counts() -> None:
    fate = Fate(2)
    assert (repr(fate), fate.balanced) == ("<Fate of entry 2: nothing sent>", True)
    fate.sent = fate.merged = 1
    fate.drop("enable off")
    assert (repr(fate), fate.balanced) == ("<Fate of entry 2: dropped={'enable off': 1} merged=1 sent=1>", False)


def test_the_second_function_of_a_name_is_told_apart_everywhere() -> None:
    machine = Machine(1, memory=1 << 21)
    ports = [machine.plug(MultiQueue(1)) for _ in range(3)]
    assert [port.name for port in ports] == ["MultiQueue", "MultiQueue#2", "MultiQueue#3"]
    assert [(port.up.name, port.bus_view.name) for port in ports[1:]] == [
        ("MultiQueue#2.up", "MultiQueue#2"), ("MultiQueue#3.up", "MultiQueue#3"),
    ]  # fmt: skip


@pytest.mark.parametrize("direction", ["read", "write"])
def test_dma_outside_of_ram_is_a_finding_that_counts(direction: str) -> None:
    machine = Machine(1, memory=1 << 21)
    card = MultiQueue(1)
    machine.plug(card)
    card.config_write(4, 2, 6)
    assert machine.memory.allocate_contiguous(0x1000) == 0x1F_F000
    for address in (0x1F_FFF0, 0x1F_FFF1, 0x100_0000_0000):
        card.dma.write(address, bytes(16)) if direction == "write" else card.dma.read(address, 16)
    machine.scheduler.run()
    (found,) = machine.findings.values()
    assert (found.rule, found.level, found.where, found.count) == ("dma-outside-memory", "error", "MultiQueue at 0000:01:00.0", 2)
    assert found.sentence == (
        f"DMA of MultiQueue: the {direction} of 0x10 bytes at 0x1ffff1, which is outside of RAM (0 to 0x200000); "
        "give the device the logical address of a buffer"
    )


@pytest.mark.parametrize("cpus", ["4", 2.0, None, True])
def test_a_number_of_processors_is_a_whole_number(cpus: Any) -> None:
    with pytest.raises(UsageError) as caught:
        Machine(cpus)
    assert str(caught.value) == f"cpus={cpus!r}: how many processors is a whole number, 1 to 64"

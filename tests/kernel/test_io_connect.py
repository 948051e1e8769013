"""Connecting a device's interrupts by what it was granted (facts §3.6): the line, or all messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from dirql import ntstatus
from dirql.kernel import KInterrupt, SpinLock
from dirql.kernel.io_connect import (
    AssignedInterrupt,
    InterruptMessageInfo,
    connect_fully_specified,
    connect_line,
    connect_messages,
    connect_messages_or_line,
    disconnect_messages,
)


@dataclass
class Granted:
    """A PDO with these."""

    messages: list[AssignedInterrupt] = field(default_factory=list)
    line: AssignedInterrupt | None = None
    name: str = "card"
    questions: int = 0


LINE = AssignedInterrupt(0x61, 6, 1, False, True)


def messages(*vectors: int) -> list[AssignedInterrupt]:
    return [AssignedInterrupt(vector, vector >> 4, 1, True, False) for vector in vectors]


def quiet(*_: Any) -> bool:
    return True


def test_each_message_gets_its_number_at_its_own_irql(world: ModuleType) -> None:
    w = world.World(1)
    def service(interrupt: KInterrupt, context: Any, number: int) -> bool:
        w.log.append((context, number, w.cpu.irql))
        return True

    info = w.run_thread(lambda: connect_messages(w.kernel, Granted(messages(0x51, 0x71)), service, "ctx"))
    assert isinstance(info, InterruptMessageInfo)
    assert info.unified_irql == 7
    for entry, vector in enumerate((0x51, 0x71)):
        w.aim(entry, vector, 0)
        w.card.fire(entry)
    w.run()
    assert sorted(w.log) == [("ctx", 0, 5), ("ctx", 1, 7)]


def test_messages_that_share_a_lock_run_at_the_highest_irql(world: ModuleType) -> None:
    w = world.World(1)
    lock = SpinLock(w.kernel, "shared")
    info = w.run_thread(lambda: connect_messages(w.kernel, Granted(messages(0x51, 0x71)), quiet, lock=lock))
    assert [(e.interrupt.synchronize_irql, e.interrupt.lock is lock) for e in info.entries] == [(7, True), (7, True)]


def test_a_message_that_cannot_be_connected_takes_the_others_with_it(world: ModuleType) -> None:
    w = world.World(1)
    w.connect(quiet, 0x71)
    with pytest.raises(ntstatus.StatusError, match=r"STATUS_INVALID_PARAMETER .*message1 of card, vector 0x71"):
        _failing(w, lambda: connect_messages(w.kernel, Granted(messages(0x51, 0x71)), quiet))
    assert w.machine.cpus[0].idt[0x51] is None


@pytest.mark.parametrize(
    ("granted", "status"),
    [
        (Granted(), ntstatus.STATUS_NOT_FOUND),
        (Granted(messages(0x51, 0x52)), ntstatus.STATUS_INVALID_DEVICE_REQUEST),
        (Granted(messages(0x51)), 0),
        (Granted([], LINE), 0),
    ],
)
def test_a_line_based_connect_takes_the_line_or_the_only_message(world: ModuleType, granted: Granted, status: int) -> None:
    w = world.World(1)
    if status:
        with pytest.raises(ntstatus.StatusError) as failed:
            _failing(w, lambda: connect_line(w.kernel, granted, quiet))
        assert failed.value.status == status
    else:
        interrupt = w.run_thread(lambda: connect_line(w.kernel, granted, quiet))
        assert (interrupt.connected, interrupt.latched) == (True, bool(granted.messages))


def test_a_device_without_messages_falls_back_to_its_line_or_to_nothing(world: ModuleType) -> None:
    w = world.World(1)
    made = w.run_thread(lambda: connect_messages_or_line(w.kernel, Granted([], LINE), quiet, quiet))
    assert isinstance(made, KInterrupt)
    assert made.vector == 0x61
    with pytest.raises(ntstatus.StatusError) as failed:
        _failing(w, lambda: connect_messages(w.kernel, Granted([], LINE), quiet))
    assert failed.value.status == ntstatus.STATUS_NOT_FOUND


def test_disconnecting_a_table_disconnects_every_message(world: ModuleType) -> None:
    w = world.World(1)
    info = w.run_thread(lambda: connect_messages(w.kernel, Granted(messages(0x51, 0x52)), quiet))
    w.run_thread(lambda: disconnect_messages(w.kernel, info))
    assert [entry.interrupt.connected for entry in info.entries] == [False, False]


@pytest.mark.parametrize(
    ("vector", "irql", "synchronize", "affinity", "group", "status"),
    [
        (0x51, 5, 5, 1, 0, 0),
        (0x51, 5, 4, 1, 0, ntstatus.STATUS_INVALID_PARAMETER),
        (0x51, 5, 5, 0, 0, ntstatus.STATUS_INVALID_PARAMETER_10),
        (0x51, 5, 5, 1, 1, ntstatus.STATUS_INVALID_PARAMETER_10),
        (0x20, 2, 2, 1, 0, ntstatus.STATUS_INVALID_PARAMETER),
    ],
)
def test_a_fully_specified_connect_is_checked(
    world: ModuleType, vector: int, irql: int, synchronize: int, affinity: int, group: int, status: int
) -> None:
    w = world.World(1)

    def connect() -> KInterrupt:
        return connect_fully_specified(
            w.kernel, quiet, None, vector=vector, irql=irql, synchronize_irql=synchronize, affinity=affinity, latched=True,
            share=False, group=group,
        )  # fmt: skip

    if status:
        with pytest.raises(ntstatus.StatusError) as failed:
            _failing(w, connect)
        assert failed.value.status == status
    else:
        assert w.run_thread(connect).connected


def test_a_passive_level_interrupt_takes_no_spin_lock(world: ModuleType) -> None:
    w = world.World(1)
    with pytest.raises(ntstatus.StatusError, match="STATUS_INVALID_PARAMETER"):
        _failing(w, lambda: connect_fully_specified(
            w.kernel, quiet, None, vector=0x51, irql=0, synchronize_irql=0, affinity=1, latched=True, share=False,
            lock=SpinLock(w.kernel)))  # fmt: skip


def _failing(w: Any, routine: Any) -> None:
    """What a thread's routine raises, here."""
    raised: list[BaseException] = []

    def enter() -> None:
        try:
            routine()
        except ntstatus.StatusError as error:
            raised.append(error)

    w.run_thread(enter)
    raise raised[0]


@pytest.mark.parametrize(("asks", "claims"), [(True, True), (False, True), (False, False)])
def test_a_line_is_claimed_by_who_has_asked_its_device(world: ModuleType, asks: bool, claims: bool) -> None:
    w, granted = world.World(1), Granted([], LINE)

    def service(interrupt: KInterrupt, context: Any) -> bool:
        granted.questions += asks
        return claims

    interrupt = w.run_thread(lambda: connect_line(w.kernel, granted, service))
    w.run_thread(lambda: interrupt.routine(interrupt.first, interrupt.second))
    sentence = "the ISR of interrupt of card returned TRUE for a line without having read a register of card"
    expected = [f"{sentence}; ask its interrupt status, and return FALSE when that shows nothing"]
    assert [f.sentence for f in w.machine.findings.values()] == (expected if claims and not asks else [])

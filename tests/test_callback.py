"""Callbacks that Python would not run: async and generator functions, refused where they are registered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from dirql import wdf
from dirql.callback import refuse_asynchronous
from dirql.device import Bar, Device
from dirql.errors import UsageError
from dirql.layout import Block, Word, at
from dirql.system import System

FILE = "test_callback.py"
PLAIN = "a callback is a plain function, without async, await and yield"


async def coroutine(*_: object) -> bool:
    return True


def generator(*_: object) -> Iterator[bool]:
    yield True


async def async_generator(*_: object) -> AsyncIterator[bool]:
    yield True


class Holder:
    async def method(self, *_: object) -> bool:
        return True

    @staticmethod
    async def static(*_: object) -> bool:
        return True

    async def __call__(self, *_: object) -> bool:
        return True


def line_of(function: Any) -> int:
    return int(function.__code__.co_firstlineno)


def made(base: str, method: str) -> Any:
    """A class as a driver's file would make it."""
    space: dict[str, Any] = {"__name__": "card", "wdf": wdf}
    exec(compile(f"class Card(wdf.{base}):\n    {method}\n", "folder/card.py", "exec"), space)
    return space["Card"]


@pytest.mark.parametrize(("routine", "function", "kind"), [
    (coroutine, coroutine, "an async function"),
    (generator, generator, "a generator function"),
    (async_generator, async_generator, "an async generator function"),
    (partial(partial(coroutine, 1), 2), coroutine, "an async function"),
    (Holder().method, Holder.method, "an async function"),
    (Holder.static, Holder.static, "an async function"),
    (Holder(), Holder.__call__, "an async function"),
])  # fmt: skip
def test_every_form_of_a_function_that_does_not_run_when_called_is_refused(routine: Any, function: Any, kind: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_asynchronous(routine, "evt")
    assert str(caught.value) == f"{FILE}:{line_of(function)}: evt is {kind}; {PLAIN}"


@pytest.mark.parametrize("routine", [line_of, Holder, print, partial(line_of), [].append, None, 3, lambda: coroutine()])
def test_what_runs_when_called_is_let_through(routine: Any) -> None:
    refuse_asynchronous(routine, "evt")


@pytest.mark.parametrize(("base", "method", "name", "kind"), [
    ("Device", "async def evt_device_d0_entry(self, previous): pass", "evt_device_d0_entry", "an async function"),
    ("Device", "def evt_device_d0_exit(self, target): yield", "evt_device_d0_exit", "a generator function"),
    ("Driver", "async def evt_driver_device_add(self, init): pass", "evt_driver_device_add", "an async function"),
])  # fmt: skip
def test_a_callback_of_a_drivers_class_is_refused_with_its_line(base: str, method: str, name: str, kind: str) -> None:
    with pytest.raises(UsageError) as caught:
        made(base, method)
    assert str(caught.value) == f"card.py:2: Card.{name} is {kind}; {PLAIN}"


def test_a_method_of_a_drivers_own_may_be_a_generator() -> None:
    assert made("Device", "def messages(self): yield 1").__name__ == "Card"


CONFIGS: list[tuple[str, Callable[[Any], Any]]] = [
    ("WdfInterruptCreate: evt_interrupt_isr",
     lambda d: wdf.Interrupt.create(d, wdf.InterruptConfig(coroutine))),
    ("WdfInterruptCreate: evt_interrupt_dpc",
     lambda d: wdf.Interrupt.create(d, wdf.InterruptConfig(print, evt_interrupt_dpc=coroutine))),
    ("WdfDpcCreate: evt_dpc_func", lambda d: wdf.Dpc.create(d, wdf.DpcConfig(coroutine))),
    ("WdfTimerCreate: evt_timer_func", lambda d: wdf.Timer.create(d, wdf.TimerConfig(coroutine))),
    ("WdfWorkItemCreate: evt_work_item_func", lambda d: wdf.WorkItem.create(d, wdf.WorkItemConfig(coroutine))),
    ("WdfIoQueueCreate: evt_io_read",
     lambda d: wdf.IoQueue.create(d, wdf.IoQueueConfig(wdf.IoQueueDispatchType.Sequential, evt_io_read=coroutine))),
    ("WDF_OBJECT_ATTRIBUTES: evt_cleanup_callback",
     lambda d: wdf.create_object(d, wdf.ObjectAttributes(evt_cleanup_callback=coroutine))),
    ("the routine of thread", lambda d: d.kernel.ps_create_system_thread(coroutine)),
]  # fmt: skip


@pytest.mark.parametrize(("who", "register"), CONFIGS, ids=[who for who, _ in CONFIGS])
def test_a_callback_of_a_configuration_is_refused_where_it_is_registered(who: str, register: Callable[[Any], Any]) -> None:
    told: list[str] = []

    class Registering(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            with pytest.raises(UsageError) as caught:
                register(wdf.Device.create(init))
            told.append(str(caught.value))

    class Card(Device, vendor=1, device=2):
        pass

    system = System(1, memory=1 << 21)
    system.plug(Card())
    system.load(Registering)
    system.start()
    assert told == [f"{FILE}:{line_of(coroutine)}: {who} is an async function; {PLAIN}"]


class Registers(Block, size=4):
    kick = at(0, Word)


@pytest.mark.parametrize("name", ["kicked", "on_reset", "exercise"])
def test_a_models_hook_is_refused_with_its_line(name: str) -> None:
    regs = Bar(0, Registers)

    async def hook(self: Any, *_: object) -> None:
        pass

    body = {"regs": regs, name: regs.kick.written(hook) if name == "kicked" else hook}
    regs.__set_name__(Device, "regs")
    with pytest.raises(UsageError) as caught:
        type("Card", (Device,), body, vendor=1, device=2)
    assert str(caught.value) == f"{FILE}:{line_of(hook)}: Card.{name} is an async function; {PLAIN}"

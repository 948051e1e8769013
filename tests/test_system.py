"""The facade: building, running, what goes wrong and whose mistake that is said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dirql
from dirql import wdf
from dirql.device import Device
from dirql.device.declare import Bar, Msix
from dirql.device.models import MultiQueue
from dirql.errors import InputError, NotModelled, UsageError
from dirql.layout import RW, Block, Register, at
from dirql.pnp import GrantChoice, Inf

INF = Path(__file__).parents[1] / "examples" / "multiqueue" / "mqueue.inf"


class Simple(wdf.Driver):
    """One device without callbacks."""

    def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
        wdf.Device.create(init)


def system(**options: Any) -> dirql.System:
    """A started system with one card and a driver that does nothing."""
    made = dirql.System(cpus=2, memory=1 << 21, **options)
    made.plug(MultiQueue(1))
    made.load(Simple)
    assert made.start() == wdf.STATUS_SUCCESS
    return made


def test_the_package_shows_what_users_import() -> None:
    assert dirql.System(cpus=1).machine.cpus
    assert {name: hasattr(dirql, name) for name in dirql.__all__} == dict.fromkeys(dirql.__all__, True)
    assert {*dirql.__all__} <= {*dir(dirql)}
    with pytest.raises(AttributeError, match=r"^module 'dirql' has no attribute 'Sistem'$"):
        dirql.__getattr__("Sistem")


def test_start_begins_only_what_was_not_started() -> None:
    made = system()
    made.plug(MultiQueue(1, name="second"))
    made.start()
    assert [name for name, _ in made.framework.callbacks] == ["EvtDriverDeviceAdd"] * 2
    made.start()
    assert len(made.framework.callbacks) == 2


def test_call_returns_what_the_routine_returns_and_raises_what_it_fails_with() -> None:
    made = system()
    assert made.call(lambda a, b: a + b, 1, 2) == 3

    def fail() -> None:
        raise wdf.StatusError(wdf.STATUS_NOT_FOUND, "no")

    with pytest.raises(wdf.StatusError, match=r"^STATUS_NOT_FOUND \(0xc0000225\): no$"):
        made.call(fail)
    assert made.call(lambda: 4) == 4  # the machine goes on


def test_a_routine_that_never_comes_back_is_a_hang() -> None:
    made = system()
    event = wdf.Event(made.kernel, name="never")
    with pytest.raises(dirql.Hang) as caught:
        made.call(made.kernel.ke_wait_for_single_object, event)
    name = "ke_wait_for_single_object"
    assert str(caught.value) == f"hang (stuck): {name} never came back: {name} waits for never"
    assert made.stopped is caught.value


def test_after_a_stop_nothing_runs_any_more() -> None:
    made = system()
    with pytest.raises(dirql.BugCheck):
        made.call(lambda: 1 // 0)
    made.run()
    made.shut_down()
    with pytest.raises(dirql.BugCheck):
        made.call(lambda: 1)
    assert made.report().bugcheck == made.stopped.as_json()


def test_an_exception_of_the_drivers_is_bugcheck_1e_with_its_line() -> None:
    made = system()

    def routine() -> None:
        [].pop()

    with pytest.raises(dirql.BugCheck) as caught:
        made.call(routine)
    line = routine.__code__.co_firstlineno + 1
    assert str(caught.value) == (
        "bugcheck 0x1e KMODE_EXCEPTION_NOT_HANDLED (0x0, 0x0, 0x0, 0x0): IndexError: pop from empty list "
        f"(test_system.py:{line} in routine)"
    )


@pytest.mark.parametrize("kind", [UsageError, NotModelled])
def test_a_misuse_of_dirql_in_a_driver_reads_as_one_and_says_where(kind: type[Exception]) -> None:
    made = system()

    def routine() -> None:
        raise kind("that does not go")

    with pytest.raises(kind) as caught:
        made.call(routine)
    line = routine.__code__.co_firstlineno + 1
    assert str(caught.value) == f"test_system.py:{line} in routine: that does not go"


def test_an_exception_of_a_device_model_is_no_bugcheck() -> None:
    class Word(Register, width=32):
        value_ = RW[31:0]

    class Registers(Block, size=0x1000):
        word = at(0, Word)

    class Broken(Device, vendor=0x1234, device=0x9999):
        regs = Bar(0, Registers)
        msix = Msix(vectors=1, table=(2, 0), pba=(2, 0x800))

        @regs.word.written
        def written(self, value: int) -> None:
            raise KeyError("oh")

    class Toucher(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            Touching.create(init)

    class Touching(wdf.Device):
        def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> None:
            registers = self.kernel.mm_map_io_space(translated[0].u.start, translated[0].u.length)
            registers.write_register_ulong(0, 1)
            registers.read_register_ulong(0)

    made = dirql.System(cpus=1, memory=1 << 21)
    made.plug(Broken())
    made.load(Toucher)
    with pytest.raises(InputError) as caught:
        made.start()
    line = Broken.written.__code__.co_firstlineno + 2
    assert str(caught.value) == f"{__file__}:{line}: KeyError: 'oh'; mend the device model"
    assert made.stopped is None


def test_an_error_of_dirqls_own_is_not_blamed_on_the_driver() -> None:
    made = system()
    with pytest.raises(AttributeError):
        made.call(made.kernel.ke_wait_for_single_object, None)
    assert made.stopped is None


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda s: s.report(), "there is nothing to report; plug a device, load a driver and start() first"),
        (lambda s: s.node(MultiQueue(1)), "MultiQueue was not started; plug it before start()"),
        (
            lambda s: (s.plug(MultiQueue(1)), s.start()),
            "no driver for MultiQueue (PCI\\VEN_1234&DEV_4D51&SUBSYS_00011234&REV_01): load one first",
        ),
    ],
)
def test_wrong_use_says_what_to_do(use: Any, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        use(dirql.System(cpus=1, memory=1 << 21))
    assert str(caught.value) == text


def test_a_routine_called_from_outside_says_how_to_call_it() -> None:
    made = system()
    device = made.device(made.machine.ports[0].function)
    with pytest.raises(UsageError) as caught:
        device.get_driver()
    assert str(caught.value) == (
        "WdfDeviceGetDriver was called while no processor runs; call it in a driver's callback, or through system.call(…)"
    )


def test_running_for_a_time_advances_the_clock_by_it() -> None:
    made = system()
    before = made.machine.time
    made.run(for_ns=1_000_000)
    assert made.machine.time == before + 1_000_000


def test_the_report_of_a_device_that_failed_and_came_back_is_that_of_the_new_one() -> None:
    made = system()
    card = made.machine.ports[0].function
    first = made.device(card)
    made.call(first.set_failed, True)
    assert made.device(card) is not first
    assert made.report().status_name == "STATUS_SUCCESS"


def test_two_runs_of_one_script_have_the_same_trace() -> None:
    def run() -> list[Any]:
        made = system(trace=True)
        made.call(made.device(made.machine.ports[0].function).set_failed, True)
        made.shut_down()
        assert made.trace is not None
        return [str(event) for event in made.trace.events()]

    assert run() == run() != []


class Restless(wdf.Device):
    """What its DPC does is `habit`."""

    def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> None:
        for one_raw, one in zip(raw, translated, strict=True):
            if one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> Any:
        if message_id == 4:
            return None
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        habit = interrupt.message_number
        while habit == 0:
            self.kernel.ke_stall_execution_processor(1)
        if habit == 1:
            interrupt.queue_dpc_for_isr()
        elif habit == 2:
            try:
                self.kernel.ke_wait_for_single_object(wdf.Event(self.kernel, name="never"))
            except Exception:
                interrupt.queue_dpc_for_isr()


class RestlessDriver(wdf.Driver):
    def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
        Restless.create(init)


@pytest.mark.parametrize(
    ("habit", "expected"),
    [
        (0, "goes on and on: cpu0, interrupt0.dpc, test_system.py:"),
        (1, "goes on and on: cpu1, interrupt1.dpc"),
        (2, "ATTEMPTED_SWITCH_FROM_DPC (0x0, 0x0, 0x0, 0x0): interrupt2.dpc waits for never in a DPC (test_system.py:"),
    ],
)
def test_what_never_ends_or_may_not_be_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch, habit: int, expected: str) -> None:
    monkeypatch.setattr("dirql.system.STEPS", 20_000)
    made = dirql.System(cpus=4)
    card = made.plug(MultiQueue())
    made.load(RestlessDriver, inf=INF)
    assert made.start() == wdf.STATUS_SUCCESS and card.msix is not None
    card.msix.fire(habit)
    made.run()
    assert expected in str(made.stopped) and made.report().bugcheck is not None


def test_an_isr_that_returns_nothing_is_told_once() -> None:
    made = dirql.System(cpus=1)
    card = made.plug(MultiQueue())
    made.load(RestlessDriver, inf=INF)
    assert made.start() == wdf.STATUS_SUCCESS and card.msix is not None
    card.msix.fire(4)
    made.run()
    sentence = "the ISR of interrupt4 returned nothing, which counts as FALSE: not its device; return True or False"
    assert [(f.rule, f.level, f.sentence) for f in made.findings] == [("isr-returned-nothing", "warning", sentence)]


@pytest.mark.parametrize(("policy", "advice"), [
    ("HKR, \"Interrupt Management\\Affinity Policy\", DevicePolicy, 0x00010001, 5", [
        ("policy-overridden", "advice",
         ("the policy that EvtDriverDeviceAdd sets for interrupt0 has no effect: the INF's Affinity Policy comes first; "
         "drop one of the two")),
    ]),
    ("", []),
])  # fmt: skip
def test_a_policy_that_the_inf_overrides_is_told(policy: str, advice: list[tuple[str, str, str]]) -> None:
    class WithPolicy(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            device = wdf.Device.create(init)
            interrupt = wdf.Interrupt.create(device, wdf.InterruptConfig(lambda interrupt, message_id: True))
            interrupt.set_policy(wdf.InterruptPolicy.SpecifiedProcessors, wdf.InterruptPriority.Normal, 2)

    text = "\n".join(line for line in INF.read_text().splitlines() if "DevicePolicy" not in line)
    text = text.replace("[MultiQueue.NT.Services]", f"[MultiQueue.Interrupts]\n{policy}\n[MultiQueue.NT.Services]")
    made = dirql.System(cpus=2, memory=1 << 21)
    made.plug(MultiQueue(1))
    made.load(WithPolicy, Inf.parse(text.encode()))
    assert made.start(GrantChoice.one()) == wdf.STATUS_SUCCESS
    assert [(f.rule, f.level, f.sentence) for f in made.findings] == advice

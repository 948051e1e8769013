"""While a driver's code has the interrupt flag at 0 its processor takes no interrupt: cli, sti, popf (Intel SDM vol. 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.hosts.sys.decode import special_instructions
from dirql.hosts.sys.driver_flags import InterruptFlag
from dirql.kernel import KInterrupt
from dirql.kernel.stop import BugCheck
from dirql.system import System
from dirql.wdf.framework import Verifier

VECTOR = 0x51
CLI, STI, RET = b"\xfa", b"\xfb", b"\xc3"
PUSHF, POPF = b"\x9c", b"\x9d"
CALL = b"\x53\x48\x89\xcb\xff\xd3\x5b"  # push rbx; mov rbx, rcx; call rbx; pop rbx
READ_CR8 = b"\x44\x0f\x20\xc0"  # mov rax, cr8


class Log(list[str]):
    """What happened. Its machine has an ISR of VECTOR on every processor; `fires` is a driver's function that calls for it
    and burns time."""

    def __init__(self, world: Any) -> None:
        world.guest.part(InterruptFlag)
        kernel = world.system.kernel
        interrupt = KInterrupt(
            kernel, self.isr, None, vector=VECTOR, irql=5, synchronize_irql=5, affinity=3, latched=True, share=False, name="card"
        )
        assert world.system.call(kernel.interrupts.connect, interrupt) == 0
        self.machine, self.kernel = world.system.machine, kernel
        self.fires = world.function(self.fire, 0)

    def isr(self, interrupt: KInterrupt, context: Any) -> bool:
        self.append("ISR")
        return True

    def fire(self) -> None:
        cpu = self.machine.cpu
        self.append("fires")
        self.machine.accept((cpu, VECTOR, 1 << VECTOR), None)
        self.kernel.lower(cpu, cpu.irql)  # whatever is not held back comes now
        self.kernel.ke_stall_execution_processor(10)
        self.append("goes on")


@pytest.mark.parametrize(
    ("before", "after", "happened"),
    [
        (b"", b"", ["fires", "ISR", "goes on"]),
        (CLI, STI, ["fires", "goes on", "ISR"]),
        (CLI + CLI, STI + STI, ["fires", "goes on", "ISR"]),
        (CLI + STI, b"", ["fires", "ISR", "goes on"]),
        (PUSHF + CLI, POPF, ["fires", "goes on", "ISR"]),  # __readeflags, _disable … __writeeflags
        (CLI + PUSHF + CLI, POPF + STI, ["fires", "goes on", "ISR"]),  # the flags that are put back have it at 0
        (b"\x6a\x02\x9d", STI, ["fires", "goes on", "ISR"]),  # push 2; popf
    ],
)
def test_an_interrupt_waits_until_the_flag_is_1_again(world: Any, before: bytes, after: bytes, happened: list[str]) -> None:
    log = Log(world)
    world.run(before + CALL + after + RET, log.fires)
    assert log == happened


def test_the_other_processor_takes_its_interrupts_meanwhile(world: Any) -> None:
    log = Log(world)

    def other() -> None:
        machine = world.system.machine
        assert machine.cpu is machine.cpus[0]
        machine.accept((machine.cpus[1], VECTOR, 1 << VECTOR), None)
        world.system.kernel.ke_stall_execution_processor(10)
        log.append("goes on")

    world.run(CLI + CALL + STI + RET, world.function(other, 0))
    assert log == ["ISR", "goes on"]


@pytest.mark.parametrize(("instructions", "flag"), [(CLI, 0), (CLI + STI, 0x200), (b"", 0x200), (b"\x6a\x02\x9d", 0)])
def test_pushf_shows_the_flag(world: Any, instructions: bytes, flag: int) -> None:
    world.guest.part(InterruptFlag)
    rax = world.run(instructions + PUSHF + b"\x58" + STI + RET)  # pushfq; pop rax
    assert rax & 0x200 == flag


def test_popf_puts_back_the_other_flags_too(world: Any) -> None:
    world.guest.part(InterruptFlag)
    # push 0x8d7 (CF PF AF ZF SF OF, no IF); popf; sti; pushfq; pop rax
    assert world.run(b"\x68\xd7\x08\x00\x00\x9d\xfb\x9c\x58" + RET) & 0xFD5 == 0x8D5 | 0x200


def test_the_irql_of_the_code_is_what_it_was(world: Any) -> None:
    world.guest.part(InterruptFlag)
    kernel = world.system.kernel
    # cli; mov rax, cr8; mov cl, 2; mov cr8, rcx; mov rdx, cr8; sti; shl rdx, 8; or rax, rdx; ret
    code = CLI + READ_CR8 + b"\xb1\x02\x44\x0f\x22\xc1\x44\x0f\x20\xc2" + STI + b"\x48\xc1\xe2\x08\x48\x09\xd0" + RET
    address = world.place(code)
    for instruction in special_instructions(code, address, [address]):
        world.guest.traps.watch(instruction)
        world.guest.space.write(instruction.address, b"\xf4")

    def at_apc_level() -> tuple[int, int]:
        kernel.ke_raise_irql(1)
        seen = world.guest.call(address, 0)
        irql = kernel.machine.cpu.irql
        kernel.ke_lower_irql(0)
        return seen, irql

    assert world.system.call(at_apc_level) == (0x0201, 2)


def test_a_wait_with_the_flag_at_0_is_found(world: Any) -> None:
    log = Log(world)

    def waits() -> None:
        world.system.kernel.ke_delay_execution_thread(1_000)

    with pytest.raises(BugCheck) as stop:
        world.run(CLI + CALL + STI + RET, world.function(waits, 0))
    assert (stop.value.code, stop.value.parameters[1]) == (0x0A, 15)
    assert stop.value.why.startswith("a wait for a delay at HIGH_LEVEL") and log == []


FORGETS = """
#include <ntddk.h>
#include <wdf.h>

static EVT_WDF_DRIVER_DEVICE_ADD DeviceAdd;
static NTSTATUS NTAPI DeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    UNREFERENCED_PARAMETER(Driver);
    UNREFERENCED_PARAMETER(DeviceInit);
    _enable();
    _disable();
    return STATUS_UNSUCCESSFUL;
}

DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, DeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
"""


@pytest.fixture(scope="session")
def forgets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("flag") / "forgets"
    directory.mkdir()
    (directory / "forgets.c").write_text(FORGETS, "utf-8")
    return build_driver(directory).image


@pytest.mark.parametrize("kmdf", [False, True])
def test_a_callback_that_leaves_the_flag_at_0_is_found(forgets: Path, kmdf: bool) -> None:
    system = System(1, verifier=Verifier(kmdf=kmdf))
    system.plug(MultiQueue())
    system.load(forgets, inf=Path(__file__).parents[3] / "examples/multiqueue/mqueue.inf")
    system.start()
    sentence = "EvtDriverDeviceAdd was entered at PASSIVE_LEVEL and returned at HIGH_LEVEL"
    if kmdf:
        assert isinstance(system.stopped, BugCheck)
        assert (system.stopped.code, system.stopped.parameters, system.stopped.why) == (0x10D, (0xE, 0, 15, 0), sentence)
    else:
        assert [(one.rule, one.sentence) for one in system.findings] == [("irql-changed", sentence)]

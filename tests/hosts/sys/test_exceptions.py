"""Exceptions of compiled code: the order of filters and termination handlers, what may be handled, and what is a bugcheck."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dirql.build import build_driver
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.image import Image
from dirql.hosts.sys.loader import LoadedImage, load_image
from dirql.hosts.sys.nt_structs import CONTEXT, EXCEPTION_RECORD
from dirql.kernel.dpc import Kdpc
from dirql.kernel.stop import BugCheck, Hang, Stop

HANDLED, FILTERED, MENDED, NESTED, RAISED, THROUGH, POKE, DEEPER, SMASH = range(9)
RAISE, CALL, SPIN, BUSY, DIVIDE, BREAK, INSIST, COLLIDED = range(9, 17)
KERNEL = 0xFFFF_8000_0000_1000  # where nothing is
RETRIES = 3


@pytest.fixture(scope="session")
def seh_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_driver(Path(__file__).parent / "seh", tmp_path_factory.mktemp("seh")).image


@dataclass
class Driver:
    """The image in a world's guest."""

    world: Any
    loaded: LoadedImage

    def request(self, kind: int, a: int = 0, b: int = 0) -> tuple[int, int]:
        """What DriverEntry is called with."""
        space = self.world.guest.space
        request = space.allocate(Area.BUFFER, 24, "a request").start
        space.write(request, struct.pack("<QQQ", kind, a, b))
        return request, space.allocate(Area.BUFFER, 8, "a result").start

    def enter(self, kind: int, a: int = 0, b: int = 0) -> int:
        """From within the machine: the result."""
        request, result = self.request(kind, a, b)
        self.world.guest.call(self.loaded.entry, request, result)
        return int.from_bytes(self.world.guest.space.read(result, 8), "little")

    def run(self, kind: int, a: int = 0, b: int = 0) -> int:
        """On a system thread."""
        return int(self.world.system.call(self.enter, kind, a, b))

    def stop(self, kind: int, a: int = 0, b: int = 0, irql: int = 0) -> Stop:
        """The end that it comes to."""
        kernel = self.world.system.kernel

        def at_level(_: Any) -> None:
            if irql:
                kernel.ke_raise_irql(irql)
            self.enter(kind, a, b)

        kernel.dispatcher.create(at_level, None, "a thread")
        self.world.system.run()
        stop: Stop = self.world.system.stopped
        return stop


@pytest.fixture
def driver(world: Any, seh_image: Path) -> Driver:
    loaded = load_image(world.guest, Image.from_bytes(seh_image.read_bytes(), str(seh_image)))
    world.guest.images.append(loaded)
    return Driver(world, loaded)


@pytest.mark.parametrize(
    ("kind", "argument", "result"),
    [
        (HANDLED, 0, 0xC000_0005),  # a NULL pointer
        (HANDLED, 0x7FFF_0000_1234, 0xC000_0005),  # an address of user mode
        (HANDLED, 0x9000_0000_0000, 0xC000_0005),  # no canonical address
        (FILTERED, 0x1230, 1),  # GetExceptionInformation: code, access, address and context, and the frame's own variables
        (MENDED, 0, 77),  # EXCEPTION_CONTINUE_EXECUTION with another context
        (NESTED, 0x10, 0x134256),  # filters from the inside out, then __finally blocks, then the handler
        (RAISED, 0, 0xC000_009A),  # ExRaiseStatus
        (COLLIDED, 0, 0x121),  # an exception in a __finally block, which does not run again
    ],
)
def test_a_handler_finds_what_windows_would_show_it(driver: Driver, kind: int, argument: int, result: int) -> None:
    assert driver.run(kind, argument) == result


def test_the_stack_is_whole_after_a_handled_exception(driver: Driver) -> None:
    assert [driver.run(HANDLED, 0) for _ in range(RETRIES)] == [0xC000_0005] * RETRIES
    assert driver.run(NESTED, 0) == 0x134256


def test_a_status_that_a_routine_raises_is_handled_by_its_caller(driver: Driver) -> None:
    raise_status = driver.world.guest.stubs.address("ntoskrnl!ExRaiseStatus", ROUTINES["ntoskrnl!ExRaiseStatus"])
    assert driver.run(THROUGH, raise_status, 0xC000_0022) == 0x1022


def test_a_routine_that_reads_a_bad_user_pointer_raises_an_access_violation(driver: Driver) -> None:
    def reads(address: int) -> int:
        return len(driver.world.guest.space.read(address, 4))

    assert driver.run(THROUGH, driver.world.function(reads, 1), 0x1234) == 0x1005


def test_a_handler_around_a_routine_takes_the_exception_of_what_the_routine_called_back(driver: Driver) -> None:
    unwound = []

    def calls_back(address: int) -> int:
        try:
            return driver.enter(POKE, address)
        finally:
            unwound.append(driver.world.guest.stacks.of(driver.world.system.machine.cpu).calls)

    assert driver.run(THROUGH, driver.world.function(calls_back, 1), 0x20) == 0x1005
    assert len(unwound) == 1
    assert driver.run(HANDLED, 0) == 0xC000_0005


@pytest.mark.parametrize(
    ("kind", "argument", "irql", "code", "first", "why"),
    [
        (POKE, 0x18, 0, 0x7E, 0xC000_0005, "writes 0x18: a NULL pointer (seh.sys!poke+0x0 (seh.c:11))"),
        (RAISE, 0xC000_009A, 0, 0x7E, 0xC000_009A, "the driver raised 0xc000009a (ExRaiseStatus) (seh.sys!raise_it+"),
        (DIVIDE, 0, 0, 0x7E, 0xC000_0094, "a division by zero, or one whose result does not fit (div ecx at 0x"),
        (BREAK, 0, 0, 0x7E, 0x8000_0003, "a breakpoint, and no debugger is attached (int3 at 0x"),
        (HANDLED, KERNEL, 0, 0x50, KERNEL, f"writes {KERNEL:#x}: nothing was ever there (seh.sys!poke+0x0 (seh.c:11))"),
        (HANDLED, 0x18, 2, 0xD1, 0x18, "writes 0x18: a NULL pointer (seh.sys!poke+0x0 (seh.c:11))"),
        (HANDLED, KERNEL, 2, 0xD1, KERNEL, f"writes {KERNEL:#x}: nothing was ever there (seh.sys!poke+0x0 (seh.c:11))"),
        (SMASH, 200, 0, 0x139, 2, "a stack cookie was overwritten (FAST_FAIL_STACK_COOKIE_CHECK_FAILURE) (seh.sys!"),
        (DEEPER, 0, 0, 0x7F, 8, "a thread's stack of 0x6000 bytes is used up: a recursion, or too much in local variables"),
        (INSIST, 0, 0, 0x7F, 8, "a filter continued the execution after an exception that cannot be continued; there is no"),
        (CALL, 0x30, 0, 0x7E, 0xC000_0005, "executes 0x30: a NULL pointer (seh.sys!DriverEntry+"),
    ],
)  # fmt: skip
def test_what_is_not_handled_is_the_bugcheck_of_windows(
    driver: Driver, kind: int, argument: int, irql: int, code: int, first: int, why: str
) -> None:
    stop = driver.stop(kind, argument, irql=irql)
    assert isinstance(stop, BugCheck)
    assert (hex(stop.code), hex(stop.parameters[0])) == (hex(code), hex(first))
    assert stop.why.startswith(why)


def test_an_exception_in_a_dpc_has_no_handler_of_last_resort(driver: Driver) -> None:
    kernel = driver.world.system.kernel
    dpc = Kdpc(kernel, lambda *_: driver.enter(DIVIDE), None, "a DPC")
    kernel.dispatcher.create(lambda _: dpc.insert(), None, "queues it")
    driver.world.system.run()
    stop = driver.world.system.stopped
    assert isinstance(stop, BugCheck)
    assert (stop.code, stop.parameters[0], stop.parameters[2:]) == (0x1E, 0xC000_0094, (0, 0))


def test_a_report_shows_the_instruction_the_registers_and_the_calls(driver: Driver) -> None:
    stop = driver.stop(THROUGH, driver.world.function(lambda a: driver.enter(HANDLED, a), 1), KERNEL)
    assert stop.details is not None
    assert stop.details.instruction == "mov dword ptr [rcx], 5"
    assert stop.details.registers["rcx"] == KERNEL
    places = [line.partition("+")[0] for line in stop.details.trace]
    assert places == [
        "seh.sys!poke", "seh.sys!handled", "seh.sys!DriverEntry", "--- is called by ---", places[4], "seh.sys!through",
        "seh.sys!DriverEntry", "--- cpu0, a thread ---",
    ]  # fmt: skip
    assert places[4].startswith("test!")


def test_a_recursion_is_told_in_one_line(driver: Driver) -> None:
    stop = driver.stop(DEEPER)
    assert stop.details is not None
    assert len([line for line in stop.details.trace if "!deeper" in line]) == 2
    assert " ×" in stop.details.trace[1]


def test_a_driver_and_a_routine_that_call_each_other_without_end_use_up_the_stack(driver: Driver) -> None:
    def again(argument: int) -> int:
        return driver.enter(CALL, routine, 0)

    routine = driver.world.function(again, 1)
    stop = driver.stop(CALL, routine)
    assert isinstance(stop, BugCheck)
    assert (stop.code, stop.parameters[0]) == (0x7F, 8)


def test_a_loop_that_waits_for_memory_lets_the_others_change_it(driver: Driver) -> None:
    system, space = driver.world.system, driver.world.guest.space
    flag = space.allocate(Area.BUFFER, 8, "a flag").start

    def sets(_: Any) -> None:
        system.kernel.ke_delay_execution_thread(5_000)
        space.write(flag, b"\1")

    system.kernel.dispatcher.create(sets, None, "sets the flag")
    assert driver.run(SPIN, flag) == 11


def test_a_loop_that_waits_for_memory_that_nobody_can_change_is_a_hang(driver: Driver) -> None:
    flag = driver.world.guest.space.allocate(Area.BUFFER, 8, "a flag").start
    stop = driver.stop(SPIN, flag)
    assert isinstance(stop, Hang)
    assert stop.rule == "spin"
    why = "cpu0 spins for ever on memory that nobody changes any more: nothing else can happen (seh.sys!DriverEntry+"
    assert stop.why.startswith(why)


def test_a_loop_without_end_is_ended_by_the_watchdog(driver: Driver) -> None:
    driver.world.guest.overseer.patience = 0.05
    stop = driver.stop(BUSY)
    assert isinstance(stop, Hang)
    remedy = "mend the loop, or give --watchdog more; not replayable, since it depends on the host"
    assert stop.why.startswith(f"cpu0 has not got on for 0.05 s of real time: {remedy} (seh.sys!DriverEntry+")


def test_a_budget_of_instructions_ends_a_loop_at_the_same_place_in_every_run(driver: Driver) -> None:
    guest = driver.world.guest
    guest.processor.limit(10_000, guest.decoder.count)
    stop = driver.stop(BUSY)
    assert isinstance(stop, Hang)
    assert stop.rule == "max-instructions"
    assert stop.why.startswith("cpu0 has run the last instruction that --max-instructions allows (seh.sys!DriverEntry+")
    assert stop.details is not None
    steps, value = 0, 0
    while value != stop.details.registers["rax"] and steps < 10_000:  # the loop is x = 3 x + 1
        steps, value = steps + 1, (3 * value + 1) & (1 << 64) - 1
    assert 2_000 < steps < 10_000


# The routines themselves.


@pytest.mark.parametrize(
    ("routine", "arguments", "status"),
    [
        ("ExRaiseStatus", (0xC000_0022,), 0xC000_0022),
        ("RtlRaiseStatus", (0xC000_0022,), 0xC000_0022),
        ("ExRaiseAccessViolation", (), 0xC000_0005),
        ("ExRaiseDatatypeMisalignment", (), 0x8000_0002),
        ("ProbeForRead", (KERNEL, 4, 1), 0xC000_0005),
        ("ProbeForRead", (0x1001, 4, 4), 0x8000_0002),
        ("ProbeForWrite", (0x1000, 4, 4), 0xC000_0005),
    ],
)
def test_a_routine_raises_what_its_page_says(world: Any, routine: str, arguments: tuple[int, ...], status: int) -> None:
    with pytest.raises(BugCheck) as caught:
        world.routine(f"ntoskrnl!{routine}", *arguments)
    assert (caught.value.code, caught.value.parameters[0]) == (0x7E, status)


@pytest.mark.parametrize("arguments", [(0x1000, 4, 4), (KERNEL, 0, 1)])
def test_a_probe_of_a_range_that_is_user_modes_or_empty_returns(world: Any, arguments: tuple[int, ...]) -> None:
    world.routine("ntoskrnl!ProbeForRead", *arguments)
    assert world.system.stopped is None


def test_a_function_entry_is_found_in_the_images_table(driver: Driver) -> None:
    space, found = driver.world.guest.space, driver.world.guest.space.allocate(Area.BUFFER, 8, "the base").start
    entry = driver.world.routine("ntoskrnl!RtlLookupFunctionEntry", driver.loaded.entry + 1, found, 0)
    begin, end, _ = struct.unpack("<III", space.read(entry, 12))
    assert begin <= driver.loaded.entry + 1 - driver.loaded.base < end
    assert int.from_bytes(space.read(found, 8), "little") == driver.loaded.base
    assert driver.world.routine("ntoskrnl!RtlLookupFunctionEntry", KERNEL, found, 0) == 0
    assert driver.world.routine("ntoskrnl!RtlPcToFileHeader", driver.loaded.entry, found) == driver.loaded.base


def test_a_captured_context_is_the_callers_behind_its_call(world: Any) -> None:
    space = world.guest.space
    context = space.allocate(Area.BUFFER, CONTEXT.size, "a context").start
    capture = world.guest.stubs.address("ntoskrnl!RtlCaptureContext", ROUTINES["ntoskrnl!RtlCaptureContext"])
    # push rbx; sub rsp, 0x20; mov rbx, rsp; call rdx; lea rax, [rsp]; add rsp, 0x20; pop rbx; ret
    code = world.place(b"\x53\x48\x83\xec\x20\x48\x89\xe3\xff\xd2\x48\x8d\x04\x24\x48\x83\xc4\x20\x5b\xc3")
    rsp = world.call(code, context, capture)
    view = CONTEXT(space, context)
    assert (view.Rip, view.Rsp, view.Rbx, view.Rcx) == (code + 10, rsp, rsp, context)


def test_a_record_of_the_drivers_own_is_raised_as_it_is(driver: Driver) -> None:
    space = driver.world.guest.space
    record = space.allocate(Area.BUFFER, EXCEPTION_RECORD.size, "a record").start
    view = EXCEPTION_RECORD(space, record)
    view.ExceptionCode, view.NumberParameters = 0xE000_0033, 1
    view.ExceptionInformation[0] = 5
    routine = driver.world.guest.stubs.address("ntoskrnl!RtlRaiseException", ROUTINES["ntoskrnl!RtlRaiseException"])
    assert driver.run(THROUGH, routine, record) == 0x1033

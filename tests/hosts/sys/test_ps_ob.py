"""System threads, references, processors, clocks, and the kernel's variables."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from dirql.errors import NotModelled
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.handle_table import HandleTable
from dirql.hosts.sys.nt_structs import KUSER_SHARED_DATA
from dirql.hosts.sys.object_types import OBJECT_TYPES
from dirql.hosts.sys.shared_data import SharedData
from dirql.hosts.sys.variables import VARIABLES
from dirql.kernel.clock import BOOT_TIME
from dirql.kernel.kinterrupt import KInterrupt
from dirql.kernel.stop import BugCheck

SHARED = 0xFFFF_F780_0000_0000
PENDING, MISMATCH, INVALID_HANDLE, INVALID_PARAMETER = 0x103, 0xC000_0024, 0xC000_0008, 0xC000_000D


def create(world: Any, call: Any, routine: int, context: int = 0) -> tuple[int, int]:
    """(handle, PKTHREAD) of a new thread."""
    handle, thread = world.memory(), world.memory()
    assert call("PsCreateSystemThread", handle, 0x1F_FFFF, 0, 0, 0, routine, context) == 0
    type_ = world.number(world.guest.resolve("ntoskrnl.exe", "PsThreadType"))
    assert call("ObReferenceObjectByHandle", world.number(handle), 0, type_, 0, thread, 0) == 0
    return world.number(handle), world.number(thread)


def test_a_thread_runs_on_a_stack_of_its_own_and_can_be_waited_for(world: Any) -> None:
    # mov rax, rsp; mov [rcx], rax; ret
    code = world.place(b"\x48\x89\xe0\x48\x89\x01\xc3")
    stack = world.memory()

    def body(call: Any) -> list[int]:
        _, thread = create(world, call, code, stack)
        waited = call("KeWaitForSingleObject", thread, 0, 0, 0, 0)
        return [waited, call("PsGetThreadExitStatus", thread), call("ObfDereferenceObject", thread)]

    assert world.script(body) == [0, 0, 1]
    rsp = world.number(stack)
    assert "stack" in world.guest.space.region(rsp).what and rsp % 16 == 8


def test_terminating_a_thread_ends_it_in_the_middle_of_nested_calls(world: Any) -> None:
    log: list[str] = []

    def terminate() -> None:
        log.append("ends")
        key = "ntoskrnl!PsTerminateSystemThread"
        world.guest.call(world.guest.stubs.address(key, ROUTINES[key]), 0xC000_0001)
        log.append("is still there")

    inner = world.function(terminate, 0)
    # sub rsp, 0x28; call rcx; add rsp, 0x28; ret
    code = world.place(b"\x48\x83\xec\x28\xff\xd1\x48\x83\xc4\x28\xc3")

    def body(call: Any) -> list[int]:
        _, thread = create(world, call, code, inner)
        before = call("PsGetThreadExitStatus", thread)
        return [before, call("KeWaitForSingleObject", thread, 0, 0, 0, 0), call("PsGetThreadExitStatus", thread)]

    assert world.script(body) == [PENDING, 0, 0xC000_0001]
    assert log == ["ends"]
    assert world.call(world.place(b"\xb8\x07\x00\x00\x00\xc3")) == 7  # the emulator is as it was


def test_a_thread_that_the_driver_did_not_make_is_not_terminated(world: Any) -> None:
    assert world.script(lambda call: call("PsTerminateSystemThread", 0)) == INVALID_PARAMETER


def test_a_thread_that_is_ended_between_its_waits_sees_its_event(world: Any) -> None:
    event, log = world.memory(), []

    def wait() -> None:
        key = "ntoskrnl!KeWaitForSingleObject"
        log.append(world.guest.call(world.guest.stubs.address(key, ROUTINES[key]), event, 0, 0, 0, 0))

    def body(call: Any) -> int:
        call("KeInitializeEvent", event, 1, 0)
        _, thread = create(world, call, world.function(wait, 0))
        call("KeDelayExecutionThread", 0, 0, world.store(world.memory(), -10_000))
        call("KeSetEvent", event, 0, 0)
        return int(call("KeWaitForSingleObject", thread, 0, 0, 0, 0))

    assert world.script(body) == 0 and log == [0]


@pytest.mark.parametrize(
    ("type_", "status"), [("PsThreadType", 0), ("ExEventObjectType", MISMATCH), ("IoFileObjectType", MISMATCH)]
)
def test_an_object_is_referenced_by_a_handle_of_its_type_only(world: Any, type_: str, status: int) -> None:
    type_address = world.number(world.guest.resolve("ntoskrnl.exe", type_))

    def body(call: Any) -> list[int]:
        handle, thread = create(world, call, world.function(lambda: 0, 0))
        result = call("ObReferenceObjectByHandle", handle, 0, type_address, 0, world.memory(), 0)
        world.guest.part(HandleTable).close(handle)
        return [result, call("ObReferenceObjectByHandle", handle, 0, 0, 0, world.memory(), 0),
                call("ObReferenceObjectByPointer", thread, 0, type_address, 0)]  # fmt: skip

    assert world.script(body) == [status, INVALID_HANDLE, status]


def test_one_dereference_too_many_is_a_bugcheck(world: Any) -> None:
    def body(call: Any) -> None:
        _, thread = create(world, call, world.function(lambda: 0, 0))
        assert call("ObfReferenceObject", thread) == 3
        for _ in range(3):
            call("ObfDereferenceObject", thread)

    with pytest.raises(BugCheck, match=r"bugcheck 0x18 .* is dereferenced more often than it was referenced"):
        world.script(body)


def test_the_current_thread_is_what_gs_says(world: Any) -> None:
    code = world.place(b"\x65\x48\x8b\x04\x25\x88\x01\x00\x00\xc3")  # mov rax, gs:[0x188]

    def body(call: Any) -> list[Any]:
        return [world.guest.call(code) == call("KeGetCurrentThread") == call("PsGetCurrentThread") != 0,
                call("PsGetCurrentProcessId"),
                call("PsGetThreadId", world.guest.call(code)) == call("PsGetCurrentThreadId")]  # fmt: skip

    assert world.script(body) == world.script(body) == [True, 4, True]


@pytest.mark.parametrize(("priority", "after", "findings"), [(12, 12, []), (40, 8, ["bad-priority"])])
def test_a_threads_priority_is_set_from_1_to_31(world: Any, priority: int, after: int, findings: list[str]) -> None:
    def body(call: Any) -> list[int]:
        thread = call("KeGetCurrentThread")
        return [call("KeSetPriorityThread", thread, priority), call("KeQueryPriorityThread", thread)]

    assert world.script(body) == [8, after]
    assert [finding.rule for finding in world.system.findings] == findings


def test_regions_nest_and_are_left_as_often_as_entered(world: Any) -> None:
    def body(call: Any) -> list[int]:
        call("KeEnterCriticalRegion")
        call("KeEnterGuardedRegion")
        seen = [call("KeAreApcsDisabled"), call("KeAreAllApcsDisabled")]
        call("KeLeaveGuardedRegion")
        call("KeLeaveCriticalRegion")
        call("KeLeaveCriticalRegion")
        return [*seen, call("KeAreApcsDisabled"), call("KeAreAllApcsDisabled")]

    assert world.script(body) == [1, 1, 0, 0]
    assert [finding.rule for finding in world.system.findings] == ["region-not-entered"]


def test_processors_are_counted_numbered_and_grouped(world: Any) -> None:
    active, number, affinity = world.memory(), world.memory(), world.memory()

    def body(call: Any) -> list[int]:
        seen = [call("KeQueryActiveProcessorCount", active), world.number(active), call("KeQueryActiveProcessorCountEx", 0xFFFF)]
        seen += [
            call("KeQueryActiveProcessorCountEx", 1),
            call("KeQueryMaximumProcessorCountEx", 0),
            call("KeQueryActiveGroupCount"),
        ]
        seen += [call("KeGetProcessorNumberFromIndex", 1, number), world.number(number, 4)]
        seen += [call("KeGetProcessorNumberFromIndex", 2, number), call("KeGetProcessorIndexFromNumber", number)]
        call("KeQueryNodeActiveAffinity", 0, affinity, active)
        seen += [
            world.number(affinity),
            world.number(active, 2),
            call("KeQueryGroupAffinity", 0),
            call("KeQueryGroupAffinity", 1),
        ]
        index = call("KeGetCurrentProcessorNumberEx", number)
        return [*seen, index == world.number(number + 2, 1), call("KeQueryActiveProcessors")]

    assert world.script(body) == [2, 3, 2, 0, 2, 1, 0, 0x10000, INVALID_PARAMETER, 1, 3, 2, 3, 0, True, 3]


def test_a_thread_moves_to_the_processors_of_its_affinity(world: Any) -> None:
    group, before = world.memory(), world.memory()

    def body(call: Any) -> list[int]:
        seen = []
        for mask in (2, 1):
            seen.append(call("KeSetSystemAffinityThreadEx", mask))
            seen.append(call("KeGetCurrentProcessorNumberEx", 0))
        call("KeRevertToUserAffinityThreadEx", 2)
        seen.append(call("KeGetCurrentProcessorNumberEx", 0))
        call("KeSetSystemGroupAffinityThread", world.store(group, 1), before)
        seen += [call("KeGetCurrentProcessorNumberEx", 0), world.number(before)]
        call("KeRevertToUserGroupAffinityThread", before)
        call("KeRevertToUserAffinityThread")
        return seen

    assert world.script(body) == [0, 1, 2, 0, 1, 0, 2]


def test_clocks_advance_with_virtual_time(world: Any) -> None:
    tick, out = world.system.machine.costs.clock_tick, [world.memory() for _ in range(4)]

    def body(call: Any) -> list[int]:
        call("KeDelayExecutionThread", 0, 0, world.store(world.memory(), -3 * tick // 100))
        call("KeQuerySystemTime", out[0])
        call("KeQuerySystemTimePrecise", out[1])
        call("KeQueryTickCount", out[2])
        precise = call("KeQueryInterruptTimePrecise", out[3])
        count = call("KeQueryPerformanceCounter", out[3])
        return [call("KeQueryInterruptTime"), precise, count, call("KeQueryTimeIncrement"), call("KeQueryUnbiasedInterruptTime")]

    coarse, precise, count, increment, unbiased = world.script(body)
    assert coarse == unbiased == 3 * increment == 3 * 156_250 <= precise <= count < precise + 100
    assert world.number(out[0]) == BOOT_TIME + coarse <= world.number(out[1])
    assert (world.number(out[2]), world.number(out[3])) == (3, 10_000_000)


def test_the_shared_page_shows_the_time_of_the_last_tick(world: Any) -> None:
    world.guest.part(SharedData)
    offset = KUSER_SHARED_DATA.offset
    code = world.place(b"\x48\x8b\x01\xc3")  # mov rax, [rcx]

    def body(call: Any) -> list[int]:
        call("KeDelayExecutionThread", 0, 0, world.store(world.memory(), -400_000))
        shown = [world.guest.call(code, SHARED + offset(name)) for name in ("InterruptTime", "SystemTime", "TickCount")]
        return [*shown, call("KeQueryInterruptTime")]

    interrupt, system, ticks, asked = world.script(body)
    assert interrupt == asked == 2 * 156_250 and system == BOOT_TIME + asked and ticks == 2
    with pytest.raises(BugCheck, match="bugcheck 0xbe"):
        world.run(b"\xc6\x01\x07\xc3", SHARED)


@pytest.mark.parametrize(("name", "size", "value"), [
    ("KeNumberProcessors", 1, 2), ("NtBuildNumber", 4, 0xF000_0000 | 22631), ("MmHighestUserAddress", 8, 0x7FFF_FFFE_FFFF),
    ("KdDebuggerEnabled", 1, 0), ("KdDebuggerNotPresent", 1, 1), ("KeTickCount", 8, 0),
])  # fmt: skip
def test_an_imported_variable_is_its_address(world: Any, name: str, size: int, value: int) -> None:
    address = world.guest.resolve("ntoskrnl.exe", name)
    assert world.number(address, size) == value
    assert world.guest.resolve("ntoskrnl.exe", name) == address


def test_every_variable_can_be_made_and_types_differ(world: Any) -> None:
    addresses = [world.guest.resolve("ntoskrnl.exe", key.partition("!")[2]) for key in VARIABLES]
    assert len(set(addresses)) == len(VARIABLES)
    types = {world.number(world.guest.resolve("ntoskrnl.exe", name)) for name in OBJECT_TYPES}
    assert len(types) == len(OBJECT_TYPES)


def test_an_interrupt_object_synchronises_and_locks(world: Any) -> None:
    kernel, seen = world.system.kernel, []
    interrupt = KInterrupt(
        kernel, lambda *_: True, None, vector=0x51, irql=5, synchronize_irql=7, affinity=1, latched=True, share=False
    )
    address = world.memory()
    world.guest.behind[address] = interrupt
    routine = world.function(lambda context: seen.append((context, world.system.machine.cpu.irql)) or 0x101, 1)

    def body(call: Any) -> list[int]:
        result = call("KeSynchronizeExecution", address, routine, 0x44)
        old = call("KeAcquireInterruptSpinLock", address)
        irql = call("KeGetCurrentIrql")
        call("KeReleaseInterruptSpinLock", address, old)
        return [result, old, irql, call("KeGetCurrentIrql")]

    assert world.script(body) == [1, 0, 7, 0]
    assert seen == [(0x44, 7)]
    with pytest.raises(BugCheck, match="where no KINTERRUPT was initialised"):
        world.script(lambda call: call("KeAcquireInterruptSpinLock", world.memory()))


def test_the_version_is_that_of_windows_11(world: Any) -> None:
    out = [world.memory() for _ in range(3)]
    assert world.script(lambda call: call("PsGetVersion", *out, 0)) == 0
    assert [world.number(each, 4) for each in out] == [10, 0, 22631]


@pytest.mark.parametrize("name", [
    "KeInvalidateAllCaches", "KeShouldYieldProcessor", "KeGetRecommendedSharedDataAlignment", "KeSaveFloatingPointState",
    "KeRestoreFloatingPointState", "KeSaveExtendedProcessorState", "KeRegisterBugCheckCallback", "KeDeregisterBugCheckCallback",
    "KeRegisterBugCheckReasonCallback", "KeDeregisterBugCheckReasonCallback", "ExGetPreviousMode", "KeFlushIoBuffers",
    "KeRestoreExtendedProcessorState", "PsGetCurrentProcess", "ExSetTimerResolution", "KeQueryHighestNodeNumber",
    "KeGetCurrentNodeNumber", "KeQueryMaximumProcessorCount", "KeQueryMaximumGroupCount", "PsGetThreadProcessId",
])  # fmt: skip
def test_what_is_only_accepted_returns(world: Any, name: str) -> None:
    assert world.script(lambda call: call(name, 0, 0, 0, 0, 0)) >= 0
    assert world.system.findings == []


def test_a_callout_runs_at_once(world: Any) -> None:
    seen: list[int] = []
    callout = world.function(lambda parameter: seen.append(parameter), 1)
    assert world.script(lambda call: call("KeExpandKernelStackAndCallout", callout, 5, 0x1000)) == 0
    assert seen == [5]


def test_local_time_is_system_time(world: Any) -> None:
    system, local = world.store(world.memory(), 123), world.memory()
    world.script(lambda call: call("ExSystemTimeToLocalTime", system, local))
    assert world.number(local) == 123
    world.script(lambda call: call("ExLocalTimeToSystemTime", local, world.store(system, 0)))
    assert world.number(system) == 123


def test_a_thread_for_which_there_is_no_stack_is_refused(world: Any) -> None:
    at, handle, memory = world.place(b"\xc3"), world.memory(), world.system.machine.memory
    interval = world.store(world.memory(), -10_000)

    def body(call: Any) -> None:
        call("KeGetCurrentIrql")  # on a stack of its own
        with suppress(MemoryError):
            while True:
                memory.allocate_pages(1)
        call("PsCreateSystemThread", handle, 0, 0, 0, 0, at, 0)
        call("KeDelayExecutionThread", 0, 0, interval)

    with pytest.raises(NotModelled) as caught:
        world.script(body)
    assert str(caught.value) == (
        "a thread's stack of 0x6000 bytes: all 0x1000000 bytes of RAM are handed out; "
        "give the machine more: memory under [machine], or System(memory=…)"
    )

"""Pool, caught at the instruction: overruns, underruns, uses after free, wrong frees, paged pool at DISPATCH_LEVEL."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from dirql.hosts.sys.pool import POOL_FLAG, Pool
from dirql.kernel.stop import BugCheck

NONPAGED_EXECUTE, PAGED, NX = 0, 1, 0x200
TAG = int.from_bytes(b"Tag1", "little")
ANY = r"0x[0-9a-f]+"
RET = b"\xc3"
READ = b"\x0f\xb6\x01" + RET  # movzx eax, byte [rcx]
WRITE = b"\xc6\x01\x07" + RET  # mov byte [rcx], 7


def allocate(world: Any, size: int, type_: int = NX) -> int:
    return int(world.script(lambda call: call("ExAllocatePoolWithTag", type_, size, TAG)))


def touch(world: Any, code: bytes, address: int, irql: int = 0) -> int:
    entry = world.place(code)

    def body(call: Any) -> int:
        call("KfRaiseIrql", irql)
        result = world.guest.call(entry, address)
        call("KeLowerIrql", 0)
        return int(result)

    return int(world.script(body))


@pytest.mark.parametrize("size", [1, 15, 16, 17, 4080, 4095])
def test_a_small_block_ends_where_its_page_does(world: Any, size: int) -> None:
    block = allocate(world, size)
    assert block % 16 == 0 and block + size <= (block | 0xFFF) + 1 < block + size + 16


@pytest.mark.parametrize("size", [1, 16, 4095, 4096, 10_000])
@pytest.mark.parametrize(("code", "access"), [(READ, 0), (WRITE, 1)])
def test_an_access_before_a_block_is_caught_at_once_with_underrun(world: Any, size: int, code: bytes, access: int) -> None:
    world.guest.part(Pool).underrun = True
    block = allocate(world, size)
    assert block % 4096 == 0
    with pytest.raises(BugCheck, match=f"{'writes' if access else 'reads'} {ANY}: 0x1 bytes before the nonpaged pool") as stop:
        touch(world, code, block - 1)
    assert (stop.value.code, stop.value.parameters[:2]) == (0xD6, (block - 1, access))


@pytest.mark.parametrize("at", [0x21, 0x1000])
def test_an_overrun_is_told_when_the_block_is_freed_or_where_its_page_ends_with_underrun(world: Any, at: int) -> None:
    world.guest.part(Pool).underrun = True
    block = allocate(world, 0x20)
    with pytest.raises(BugCheck) as stop:
        touch(world, WRITE, block + at)
        world.script(lambda call: call("ExFreePoolWithTag", block, TAG))
    assert (stop.value.code, stop.value.parameters[0]) == ((0xC1, block) if at < 0x1000 else (0xD6, block + at))


@pytest.mark.parametrize("size", [4096, 4097, 10_000])
def test_a_block_of_a_page_or_more_begins_on_a_page(world: Any, size: int) -> None:
    assert allocate(world, size) % 4096 == 0


@pytest.mark.parametrize(
    ("routine", "arguments", "holds"),
    [
        ("ExAllocatePoolWithTag", (NX, 6, TAG), b"\x0d\xf0\xad\xba\x0d\xf0"),
        ("ExAllocatePoolWithTag", (NX | 0x400, 6, TAG), bytes(6)),
        ("ExAllocatePool", (NX, 4), b"\x0d\xf0\xad\xba"),
        ("ExAllocatePoolWithQuotaTag", (NX, 4, TAG), b"\x0d\xf0\xad\xba"),
        ("ExAllocatePoolWithTagPriority", (NX, 4, TAG, 0), b"\x0d\xf0\xad\xba"),
        ("ExAllocatePool2", (POOL_FLAG.NON_PAGED, 4, TAG), bytes(4)),
        ("ExAllocatePool2", (POOL_FLAG.PAGED | POOL_FLAG.UNINITIALIZED, 4, TAG), b"\x0d\xf0\xad\xba"),
        ("ExAllocatePool3", (POOL_FLAG.NON_PAGED, 4, TAG, 0, 0), bytes(4)),
    ],
)
def test_only_what_is_said_to_be_zeroed_is(world: Any, routine: str, arguments: tuple[int, ...], holds: bytes) -> None:
    block = world.script(lambda call: call(routine, *arguments))
    assert world.guest.space.read(block, len(holds)) == holds


@pytest.mark.parametrize("flags", [0, POOL_FLAG.PAGED | POOL_FLAG.NON_PAGED])
def test_flags_that_name_no_pool_or_two_give_null(world: Any, flags: int) -> None:
    assert world.script(lambda call: call("ExAllocatePool2", flags, 4, TAG)) == 0


def test_no_memory_gives_null_or_an_exception(world: Any) -> None:
    huge = 1 << 33

    def body(call: Any) -> list[int]:
        return [call("ExAllocatePoolWithTag", NX, huge, TAG), call("ExAllocatePool2", POOL_FLAG.NON_PAGED, huge, TAG),
                call("ExAllocatePoolWithTag", NX, 1 << 63, TAG)]  # fmt: skip

    assert world.script(body) == [0, 0, 0]
    assert allocate(world, 64)
    with pytest.raises(BugCheck, match="ExAllocatePoolWithTag raises STATUS_INSUFFICIENT_RESOURCES"):
        world.script(lambda call: call("ExAllocatePoolWithQuotaTag", NX, huge, TAG))


@pytest.mark.parametrize(
    ("offset", "freed", "code", "name", "words"),
    [
        (16, False, READ, r"0xd6 \S+ \(ADDRESS, 0x0, ANY, 0x0\)", "0x0 bytes past the end of the nonpaged pool block 'Tag1'"),
        (16, False, WRITE, r"0xd6 \S+ \(ADDRESS, 0x1, ANY, 0x0\)", "writes"),
        (0, True, READ, r"0xd5 \S+ \(ADDRESS, 0x0, ANY, 0x0\)", "0x0 bytes into the nonpaged pool block .*, which was freed"),
        (8, True, WRITE, r"0xd5 \S+ \(ADDRESS, 0x1, ANY, 0x0\)", "which was freed"),
        (-4097, False, READ, r"0xd6 \S+ \(ADDRESS, 0x0, ANY, 0x0\)", "bytes before the nonpaged pool block"),
    ],
)
@pytest.mark.parametrize("irql", [0, 2])
def test_an_access_beside_a_block_or_to_a_freed_one_is_caught(
    world: Any, offset: int, freed: bool, code: bytes, name: str, words: str, irql: int
) -> None:
    block = allocate(world, 16)
    if freed:
        world.script(lambda call: call("ExFreePoolWithTag", block, TAG))
    with pytest.raises(BugCheck, match=name.replace("ADDRESS", f"{block + offset:#x}").replace("ANY", ANY)) as stop:
        touch(world, code, block + offset, irql)
    assert re.search(words, stop.value.why)


def test_the_kernels_own_access_for_the_driver_has_codes_of_its_own(world: Any) -> None:
    block = allocate(world, 16)
    with pytest.raises(BugCheck, match=rf"bugcheck 0xcd .*{block + 16:#x}, 0x1"):
        world.script(lambda call: call("KeInitializeSpinLock", block + 16))


@pytest.mark.parametrize(("offset", "reason", "words"), [(-1, 0x22, "0x1 bytes before"), (5, 0x23, "0x0 bytes behind")])
def test_a_pattern_that_changed_is_seen_when_the_block_is_freed(world: Any, offset: int, reason: int, words: str) -> None:
    block = allocate(world, 5)
    touch(world, WRITE, block + offset)
    with pytest.raises(BugCheck, match=words) as stop:
        world.script(lambda call: call("ExFreePool", block))
    assert (stop.value.code, stop.value.parameters) == (0xC1, (block, block + offset, 0, reason))


@pytest.mark.parametrize(
    ("case", "parameters"), [("again", (7, 0, TAG, "block")), ("tag", (0x0A, "block", TAG, 0x31676154 + 1)),
                             ("inside", (0x46, "inside", 0, 0)), ("null", (0x40, 0, 0xFFFF_8000_0000_0000, 0))],
)  # fmt: skip
def test_a_bad_free_is_bugcheck_c2(world: Any, case: str, parameters: tuple[Any, ...]) -> None:
    block = allocate(world, 64)

    def body(call: Any) -> None:
        if case == "again":
            call("ExFreePoolWithTag", block, TAG)
        call("ExFreePoolWithTag", {"inside": block + 16, "null": 0}.get(case, block), TAG + (case == "tag"))

    with pytest.raises(BugCheck) as stop:
        world.script(body)
    places = {"block": block, "inside": block + 16}
    assert (stop.value.code, stop.value.parameters) == (0xC2, tuple(places.get(p, p) for p in parameters))


@pytest.mark.parametrize(
    ("routine", "arguments", "irql", "parameters"),
    [
        ("ExAllocatePoolWithTag", (PAGED, 8, TAG), 2, (1, 2, PAGED, 8)),
        ("ExAllocatePoolWithTag", (NX, 8, TAG), 3, (2, 3, NX, 8)),
        ("ExAllocatePoolWithTag", (NX, 0, TAG), 0, (0, 0, NX, 0)),
    ],
)
def test_asking_in_a_wrong_way_is_bugcheck_c4(
    world: Any, routine: str, arguments: tuple[int, ...], irql: int, parameters: tuple[int, ...]
) -> None:
    def body(call: Any) -> None:
        call("KfRaiseIrql", irql)
        call(routine, *arguments)

    with pytest.raises(BugCheck) as stop:
        world.script(body)
    assert (stop.value.code, stop.value.parameters) == (0xC4, parameters)


@pytest.mark.parametrize(("type_", "sub"), [(PAGED, 0x11), (NX, 0x12)])
def test_freeing_above_its_level_is_bugcheck_c4(world: Any, type_: int, sub: int) -> None:
    block = allocate(world, 8, type_)

    def body(call: Any) -> None:
        call("KfRaiseIrql", 3)
        call("ExFreePool", block)

    with pytest.raises(BugCheck) as stop:
        world.script(body)
    assert stop.value.code == 0xC4 and stop.value.parameters[:2] == (sub, 3)


def test_paged_pool_may_be_touched_below_dispatch_level_only(world: Any) -> None:
    block = allocate(world, 8, PAGED)
    assert touch(world, READ, block) == touch(world, READ, block, 1) == 0x0D
    with pytest.raises(
        BugCheck, match=rf"bugcheck 0xd1 \S+ \({block:#x}, 0x2, 0x0, .*, which is pageable, and the IRQL is DISPATCH_LEVEL"
    ):
        touch(world, READ, block, 2)


def test_a_page_that_was_just_used_is_paged_out_all_the_same_when_the_irql_rises(world: Any) -> None:
    block = allocate(world, 8, PAGED)
    raise_ = world.guest.resolve("ntoskrnl.exe", "KeRaiseIrqlToDpcLevel")
    # push rbx; sub rsp, 0x20; mov rbx, rcx; mov al, [rbx]; call rdx; mov al, [rbx]; add rsp, 0x20; pop rbx
    code = b"\x53\x48\x83\xec\x20\x48\x89\xcb\x8a\x03\xff\xd2\x8a\x03\x48\x83\xc4\x20\x5b" + RET
    with pytest.raises(BugCheck, match=rf"bugcheck 0xd1 .*{block:#x}, 0x2, 0x0"):
        world.run(code, block, raise_)


@pytest.mark.parametrize(("type_", "runs"), [(NONPAGED_EXECUTE, True), (NX, False)])
def test_only_executable_pool_is_executed(world: Any, type_: int, runs: bool) -> None:
    block = allocate(world, 16, type_)
    world.guest.space.write(block, b"\xb8\x2a\x00\x00\x00" + RET)
    if runs:
        assert world.call(block) == 42
    else:
        with pytest.raises(BugCheck, match="bugcheck 0xfc"):
            world.call(block)


@pytest.mark.parametrize("what", ["timer", "dpc", "work item"])
def test_memory_of_what_is_still_queued_may_not_be_freed(world: Any, what: str) -> None:
    block = allocate(world, 0x80)
    code = {"timer": 0xC7, "dpc": 0xC7, "work item": 0xE4}[what]

    def body(call: Any) -> None:
        if what == "timer":
            call("KeInitializeTimer", block)
            call("KeSetTimer", block, -100_000, 0)
        elif what == "dpc":
            call("KeRaiseIrqlToDpcLevel")
            call("KeInitializeDpc", block, 0, 0)
            call("KeInsertQueueDpc", block, 0, 0)
        else:
            world.guest.space.write(block, bytes(0x20))
            call("ExQueueWorkItem", block, 1)
        call("ExFreePool", block)

    with pytest.raises(BugCheck, match=r"is still .* and its memory is freed") as stop:
        world.script(body)
    assert stop.value.code == code


def test_what_a_driver_has_not_freed_is_known(world: Any) -> None:
    other = world.guest.resolve("ntoskrnl.exe", "ExAllocatePoolWithTag")
    # sub rsp, 0x28; call r9; add rsp, 0x28
    code = world.place(b"\x48\x83\xec\x28\x41\xff\xd1\x48\x83\xc4\x28" + RET)
    address = world.call(code, NX, 32, TAG, other)

    class Driver:
        loaded = range(code, code + 64)

    (leak,) = world.guest.part(Pool).leaks(Driver())
    assert (leak.address, leak.size, leak.name) == (address, 32, "Tag1")
    assert str(leak) == f"0x20 bytes of nonpaged pool with tag 'Tag1' at {address:#x}"


def test_what_a_driver_leaves_behind_is_a_finding_for_each_block(world: Any) -> None:
    tag = int.from_bytes(b"Leak", "little")
    kept = world.routine("ntoskrnl!ExAllocatePoolWithTag", 512, 0x30, tag)
    gone = world.routine("ntoskrnl!ExAllocatePoolWithTag", 512, 0x40, tag)
    world.routine("ntoskrnl!ExFreePoolWithTag", gone, tag)
    pool = world.guest.part(Pool)
    (caller,) = {block.caller for block in pool.blocks.values()}
    pool.tell_leaks(SimpleNamespace(name="leaky.sys", loaded={caller}))
    assert kept
    assert [(f.rule, f.sentence) for f in world.system.findings] == [
        ("pool-leak", "leaky.sys is unloaded and leaves 0x30 bytes of pool with the tag 'Leak' behind")
    ]

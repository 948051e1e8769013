"""Memory descriptor lists, contiguous memory and addresses, as a driver uses them."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.nt_structs import MDL
from dirql.kernel.stop import BugCheck

ANY = (1 << 64) - 1


def call(world: Any, name: str, *arguments: int) -> int:
    return int(world.routine(f"ntoskrnl!{name}", *arguments))


def buffer(world: Any, length: int = 0x3000) -> int:
    return int(world.guest.space.allocate(Area.POOL, length, "a driver's buffer").start)


def mdl_of(world: Any, address: int, length: int) -> MDL:
    return MDL(world.guest.space, call(world, "IoAllocateMdl", address, length, 0, 0, 0))


def frames(world: Any, mdl: MDL, count: int) -> list[int]:
    data = world.guest.space.read(mdl.address + MDL.size, 8 * count)
    return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]


def test_an_mdl_describes_the_pages_of_nonpaged_pool(world: Any) -> None:
    at = buffer(world) + 0x10
    mdl = mdl_of(world, at, 0x1800)
    assert (mdl.StartVa, mdl.ByteOffset, mdl.ByteCount, mdl.Size) == (at - 0x10, 0x10, 0x1800, MDL.size + 16)
    call(world, "MmBuildMdlForNonPagedPool", mdl.address)
    assert mdl.MappedSystemVa == at
    assert mdl.MdlFlags & 4
    assert frames(world, mdl, 2) == [world.guest.pages.translate(at - 0x10 + 0x1000 * i, 1) >> 12 for i in range(2)]
    call(world, "IoFreeMdl", mdl.address)
    with pytest.raises(BugCheck, match="bugcheck 0xc2"):
        call(world, "IoFreeMdl", mdl.address)


def test_locked_pages_are_mapped_a_second_time_and_let_go(world: Any) -> None:
    at, space = buffer(world), world.guest.space
    mdl = mdl_of(world, at + 8, 0x2000)
    call(world, "MmProbeAndLockPages", mdl.address, 0, 1)
    assert mdl.MdlFlags & 0x82 == 0x82
    other = call(world, "MmMapLockedPagesSpecifyCache", mdl.address, 0, 1, 0, 0, 16)
    space.write(other, b"seen twice")
    assert space.read(at + 8, 10) == b"seen twice"
    call(world, "MmUnmapLockedPages", other, mdl.address)
    assert call(world, "MmIsAddressValid", other) == 0
    call(world, "MmUnlockPages", mdl.address)
    assert not mdl.MdlFlags & 3


def test_a_partial_mdl_takes_its_pages_from_another(world: Any) -> None:
    at = buffer(world)
    whole, part = mdl_of(world, at, 0x3000), mdl_of(world, at, 0x3000)
    call(world, "MmBuildMdlForNonPagedPool", whole.address)
    call(world, "IoBuildPartialMdl", whole.address, part.address, at + 0x1004, 0x20)
    assert (part.StartVa, part.ByteOffset, part.ByteCount, part.MappedSystemVa) == (at + 0x1000, 4, 0x20, at + 0x1004)
    assert frames(world, part, 1) == frames(world, whole, 3)[1:2]
    assert part.MdlFlags & 0x10


def test_a_partial_mdl_without_room_is_a_bugcheck(world: Any) -> None:
    at = buffer(world)
    whole, part = mdl_of(world, at, 0x3000), mdl_of(world, at, 1)
    call(world, "MmBuildMdlForNonPagedPool", whole.address)
    with pytest.raises(BugCheck, match=r"bugcheck 0x40.*room for 1 pages and 3 are needed"):
        call(world, "IoBuildPartialMdl", whole.address, part.address, at, 0)


def test_pages_below_an_address_are_given_and_taken_back(world: Any) -> None:
    mdl = MDL(world.guest.space, call(world, "MmAllocatePagesForMdlEx", 0, 0x7F_FFFF, 0, 0x5000, 1, 0))
    assert mdl.ByteCount == 0x5000
    assert all(frame < 0x800 for frame in frames(world, mdl, 5))
    call(world, "MmFreePagesFromMdl", mdl.address)
    with pytest.raises(BugCheck, match="MmFreePagesFromMdl"):
        call(world, "MmFreePagesFromMdl", mdl.address)


def test_the_mdl_of_given_pages_is_pool_that_the_driver_frees(world: Any) -> None:
    mdl = call(world, "MmAllocatePagesForMdlEx", 0, ANY, 0, 0x1000, 1, 0)
    call(world, "MmFreePagesFromMdl", mdl)
    call(world, "ExFreePool", mdl)
    assert call(world, "MmIsAddressValid", mdl) == 0


@pytest.mark.parametrize(("flags", "made"), [(0, True), (4, False)])
def test_fewer_pages_than_asked_for_will_do_unless_all_are_required(world: Any, flags: int, made: bool) -> None:
    assert bool(call(world, "MmAllocatePagesForMdlEx", 0, 0x10_3FFF, 0, 0x10_0000, 1, flags)) is made


def test_contiguous_memory_has_consecutive_pages_and_keeps_its_bounds(world: Any) -> None:
    at = call(world, "MmAllocateContiguousMemory", 0x3000, ANY)
    physical = [call(world, "MmGetPhysicalAddress", at + 0x1000 * i) for i in range(3)]
    assert physical == [physical[0] + 0x1000 * i for i in range(3)]
    call(world, "MmFreeContiguousMemory", at)
    assert call(world, "MmAllocateContiguousMemory", 0x1000, 0xFFF) == 0
    assert call(world, "MmAllocateContiguousMemorySpecifyCache", 0x1000, 0, ANY, 0, 1) != 0
    assert call(world, "MmAllocateContiguousNodeMemory", 0x1000, 0, ANY, 0, 4, 0) != 0
    with pytest.raises(BugCheck, match=r"MmFreeContiguousMemory of .* which was freed"):
        call(world, "MmFreeContiguousMemory", at)


def test_a_physical_address_of_device_memory_is_the_bars(world: Any) -> None:
    registers = world.registers()
    assert call(world, "MmGetPhysicalAddress", registers + 0x24) == 0xC000_0024
    assert call(world, "MmGetPhysicalAddress", 0x1000) == 0


def test_a_routine_or_a_variable_is_found_by_its_name(world: Any) -> None:
    from dirql.hosts.sys.strings import unicode_string

    for name, found in (("KeGetCurrentIrql", True), ("KdDebuggerEnabled", True), ("KeDoWhatIMean", False)):
        view = unicode_string(world.guest.space, name, "a name")
        assert bool(call(world, "MmGetSystemRoutineAddress", view.address)) is found


@pytest.mark.parametrize("name", ["MmLockPagableDataSection", "MmPageEntireDriver", "MmSizeOfMdl"])
def test_what_needs_no_doing_is_accepted(world: Any, name: str) -> None:
    call(world, name, 0x1000, 0x1000)


@pytest.mark.parametrize(("routine", "attribute", "made"), [
    ("MmMapIoSpace", 0, True), ("MmMapIoSpace", 5, True), ("MmMapIoSpace", 6, False), ("MmMapIoSpaceEx", 0x204, True),
    ("MmMapIoSpaceEx", 0x404, True), ("MmMapIoSpaceEx", 0x604, False), ("MmMapIoSpaceEx", 0x200, False),
    ("MmMapIoSpaceEx", 1, False),
])  # fmt: skip
def test_device_memory_is_mapped_with_a_caching_attribute_that_there_is(
    world: Any, routine: str, attribute: int, made: bool
) -> None:
    world.registers()
    assert bool(call(world, routine, 0xC000_0000, 0x1000, attribute)) is made


def test_device_memory_that_is_mapped_to_be_read_is_not_written(world: Any) -> None:
    world.registers()
    registers = call(world, "MmMapIoSpaceEx", 0xC000_0000, 0x1000, 0x202)
    assert world.run(b"\x8b\x01\xc3", registers + 8) == 0x5566_7788  # mov eax, [rcx]; ret
    with pytest.raises(BugCheck, match="bugcheck 0xbe"):
        world.run(b"\x89\x01\xc3", registers + 8)  # mov [rcx], eax; ret
    assert [access[0] for access in world.accesses] == ["read"]


def test_a_mapping_is_null_where_no_addresses_are_left(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirql.hosts.sys.device_pages.TRAP_SIZE", 4 << 12)
    mapped = [call(world, "MmMapIoSpace", 0xC000_0000, 0x1000, 0) for _ in range(5)]
    assert [bool(address) for address in mapped] == [True, True, True, False, False]

"""Shapes of code that reach the function table, each in its machine code, and what an image says besides."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from types import ModuleType

import pytest

from dirql.check import Checked

Check = Callable[..., Checked]
TABLE, STATIC, VARIABLE = 0x3050, 0x3F00, 0x3F80
CREATE, DELETE = 75, 208  # WdfDeviceCreate, WdfObjectDelete
LOAD, LOAD_RCX, LOAD_RBX = b"\x48\x8b\x05", b"\x48\x8b\x0d", b"\x48\x8b\x1d"  # mov rax/rcx/rbx, [rip + …]
CALL, JUMP = b"\xff\x90", b"\x48\xff\xa0"  # call/jmp [rax + …]
LEA_RAX, LEA_RBX = b"\x48\x8d\x05", b"\x48\x8d\x1d"
RET = b"\xc3"
COMPUTED = "the index into the function table is worked out at run time"
STORED = "the function table's address is stored where it cannot be followed"
NOT_FOUND = "what is read through the function table that is loaded here was not found"


def slot(index: int) -> bytes:
    return pack("<i", 8 * index)


def names(found: Checked) -> list[str | None]:
    return [use.name for use in found.functions]


@pytest.mark.parametrize("pieces", [
    [(LOAD, TABLE), CALL + slot(CREATE) + RET],
    [(LOAD, TABLE), JUMP + slot(CREATE)],
    [(LOAD, TABLE), b"\x48\x8b\x80" + slot(CREATE), (b"\xff\x15", VARIABLE), RET],  # mov rax, [rax + …]; call [guard dispatch]
    [(LOAD_RBX, TABLE), b"\x48\x89\xd8\x48\x31\xdb", CALL + slot(CREATE) + RET],  # mov rax, rbx; xor rbx, rbx
    [(LOAD, TABLE), b"\x48\x89\x44\x24\x20\x31\xc0\x48\x8b\x44\x24\x20", CALL + slot(CREATE) + RET],  # by [rsp + 0x20]
    [(LOAD, TABLE), b"\x50\x31\xc0\x58", CALL + slot(CREATE) + RET],  # push rax; xor eax, eax; pop rax
    [b"\x55\x48\x89\xe5\x48\x83\xec\x40", (LOAD, TABLE), b"\x48\x89\x45\xf0\x31\xc0\x48\x8b\x45\xf0", CALL + slot(CREATE) + RET],
    # mov eax, 8; imul rax, rax, 75; mov rcx, [rip + …]; mov rax, [rcx + rax]; call rax
    [b"\xb8\x08\x00\x00\x00\x48\x6b\xc0\x4b", (LOAD_RCX, TABLE), b"\x48\x8b\x04\x01\xff\xd0" + RET],
    # mov ecx, 75; mov rax, [rip + …]; call [rax + rcx * 8]
    [b"\xb9\x4b\x00\x00\x00", (LOAD, TABLE), b"\xff\x14\xc8" + RET],
    [(LOAD, TABLE), b"\x48\x05" + slot(CREATE), b"\xff\x10" + RET],  # add rax, …; call [rax]
    [(LEA_RAX, TABLE), b"\x48\x8b\x00", CALL + slot(CREATE) + RET],  # the variable's address first
    [(LOAD_RBX, TABLE), b"\xff\xd6", b"\xff\x93" + slot(CREATE) + RET],  # call rsi keeps rbx
    # test ecx, ecx; jne +1; nop; call [rax + …]
    [(LOAD, TABLE), b"\x85\xc9\x75\x01\x90", CALL + slot(CREATE) + RET],
])  # fmt: skip
def test_a_call_through_the_pointer_is_found(by_hand: Check, pieces: list[bytes | tuple[bytes, int]]) -> None:
    found = by_hand(*pieces)
    assert (names(found), found.unresolved) == (["WdfDeviceCreate"], ())


@pytest.mark.parametrize("pieces", [
    [(b"\xff\x15", TABLE + 8 * CREATE), RET],  # call [rip + …]
    [(b"\xff\x25", TABLE + 8 * CREATE)],  # jmp [rip + …]
    [(LOAD, TABLE + 8 * CREATE), b"\xff\xd0" + RET],
    [(LEA_RBX, TABLE), b"\xff\x93" + slot(CREATE) + RET],
    [(LEA_RBX, TABLE + 8 * 100), b"\xff\x93" + slot(CREATE - 100) + RET],
    [b"\xb9\x4b\x00\x00\x00", (LEA_RAX, TABLE), b"\xff\x14\xc8" + RET],
])  # fmt: skip
def test_a_call_through_the_drivers_own_table_is_found(by_hand: Check, pieces: list[bytes | tuple[bytes, int]]) -> None:
    found = by_hand(*pieces, minor=11, count=432)
    assert (names(found), found.unresolved) == (["WdfDeviceCreate"], ())


@pytest.mark.parametrize(("pieces", "count", "why"), [
    ([(LOAD, TABLE), b"\xff\x14\xc8" + RET], 458, COMPUTED),  # call [rax + rcx * 8]
    ([(LOAD, TABLE), b"\x48\x01\xc8\xff\x10" + RET], 458, COMPUTED),  # add rax, rcx; call [rax]
    ([(LEA_RAX, TABLE), b"\xff\x14\xc8" + RET], 432, COMPUTED),
    # lea rdx, [image base]; call [rdx + rcx * 8 + RVA]
    ([(b"\x48\x8d\x15", 0), b"\xff\x94\xca" + pack("<i", TABLE) + RET], 432, COMPUTED),
    ([(LOAD, TABLE), (b"\x48\x89\x05", VARIABLE), RET], 458, STORED),
    ([(LEA_RAX, TABLE), (b"\x48\x89\x05", VARIABLE), RET], 432, STORED),
    ([(LOAD_RCX, TABLE), b"\xff\xd6" + RET], 458, NOT_FOUND),  # given to another function
])  # fmt: skip
def test_what_cannot_be_told_is_said_to_be_so(
    by_hand: Check, pieces: list[bytes | tuple[bytes, int]], count: int, why: str
) -> None:
    found = by_hand(*pieces, count=count, minor=33 if count > 438 else 11)
    assert [told for _, told in found.unresolved] == [why]
    assert found.unresolved[0][0].startswith("nic.sys+0x10")
    assert not found.modelled


def test_a_pointer_to_the_table_in_data_is_told(by_hand: Check, pe: ModuleType) -> None:
    found = by_hand(RET, more=pack("<Q", pe.BASE + TABLE))
    assert found.unresolved == (("nic.sys+0x3f00 (.data+0xf00)", "a pointer to the function table lies in data"),)


def test_both_ways_of_a_branch_count(by_hand: Check) -> None:
    # jne +7 (over the first call and its return)
    found = by_hand((LOAD, TABLE), b"\x75\x07", CALL + slot(CREATE) + RET, CALL + slot(DELETE) + RET)
    assert names(found) == ["WdfDeviceCreate", "WdfObjectDelete"]


def test_code_that_only_a_table_of_handlers_leads_to_is_read_from_the_load_on(by_hand: Check) -> None:
    found = by_hand(RET * 16, (LOAD, TABLE), CALL + slot(CREATE) + RET)
    assert (names(found), found.unresolved) == (["WdfDeviceCreate"], ())


def test_an_index_beyond_the_version_is_not_modelled(by_hand: Check) -> None:
    found = by_hand((LOAD, TABLE), CALL + slot(460) + RET)
    assert [(str(use), use.modelled) for use in found.functions] == [("wdf!#460", False)]


def test_no_framework_is_no_framework(by_hand: Check) -> None:
    found = by_hand(RET, bind=False, dlls={"ntoskrnl.exe": ["DbgPrint"]})
    assert (found.binding, found.functions, found.unresolved, found.modelled) == (None, (), (), True)


def test_a_driver_that_binds_with_something_that_was_not_found_is_not_all_modelled(by_hand: Check) -> None:
    found = by_hand(RET, bind=False)
    assert found.unresolved == (
        ("nic.sys", "no WDF_BIND_INFO was found, so the framework functions that it calls are not known"),
    )  # fmt: skip


@pytest.mark.parametrize(("minor", "count"), [(35, 460), (33, 457)])
def test_a_version_that_dirql_does_not_bind_to_is_not_modelled(by_hand: Check, minor: int, count: int) -> None:
    found = by_hand(RET, minor=minor, count=count)
    assert found.binding is not None and not found.binding.modelled and not found.modelled


def test_imports_are_judged_by_the_loaders_own_rules(by_hand: Check) -> None:
    found = by_hand(RET, bind=False, dlls={
        "ntoskrnl.exe": ["DbgPrint", "NoSuchName", 7],
        "HAL.dll": ["KeStallExecutionProcessor", "DbgPrint"], "other.sys": ["DbgPrint"],
    })  # fmt: skip
    assert [(str(use), use.modelled) for use in found.imports] == [
        ("ntoskrnl!DbgPrint", True), ("ntoskrnl!NoSuchName", False), ("ntoskrnl!#7", False),
        ("hal!KeStallExecutionProcessor", True), ("hal!DbgPrint", True), ("other.sys!DbgPrint", False),
    ]  # fmt: skip


def test_a_class_extension_is_told_by_its_name(by_hand: Check, pe: ModuleType) -> None:
    name = STATIC + 0x60
    info = pack("<I4xQIII4xQIxxxxQQQQ", 0x50, pe.BASE + name, 2, 5, 0, pe.BASE + VARIABLE, 40, 0, 0, 0, 0)
    found = by_hand(RET, more=info.ljust(0x60, b"\0") + "NetAdapterCx\0".encode("utf-16-le"))
    assert [(one.name, one.version, one.what) for one in found.extensions] == [("NetAdapterCx", "2.5", "class extension")]
    assert not found.modelled


def test_a_port_drivers_client_is_told_by_its_imports(by_hand: Check) -> None:
    found = by_hand(RET, bind=False, dlls={"NDIS.SYS": ["NdisMRegisterMiniportDriver"]})
    assert [(one.name, one.what) for one in found.extensions] == [("ndis.sys", "NDIS driver")]


def test_a_lookup_whose_name_is_not_a_constant_has_no_name(by_hand: Check) -> None:
    slots = 0x2000 + 2 * 20  # of the only DLL
    found = by_hand((b"\xff\x15", slots), RET, bind=False, dlls={"ntoskrnl.exe": ["MmGetSystemRoutineAddress"]})
    assert [(one.name, one.modelled) for one in found.lookups] == [(None, False)]
    assert found.modelled


def test_a_walk_over_data_that_happens_to_lie_beside_the_table_is_no_use_of_it(by_hand: Check) -> None:
    # lea rax, [the eight bytes before it]; add rax, 8; mov rcx, [rax]
    found = by_hand((LEA_RAX, TABLE - 8), b"\x48\x83\xc0\x08\x48\x8b\x08" + RET, minor=11, count=432)
    assert (found.functions, found.unresolved) == ((), ())

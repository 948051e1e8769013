"""Drivers that mean harm, or that are merely broken: each ends in a bugcheck or a hang that is told, and dirql goes on."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from struct import pack
from types import ModuleType
from typing import Any

import pytest

from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.driver import SysDriver
from dirql.hosts.sys.image import ImageError
from dirql.hosts.sys.load import load_driver

IMPORTS: dict[str, list[str | int]] = {"ntoskrnl.exe": ["DbgPrint", "qsort", "memset"]}
TEXT, DATA = 0x1000, 0x3000  # RVAs
QSORT, MEMSET = 0x2030, 0x2038  # import slots
ENTER, LEAVE = b"\x48\x83\xec\x28", b"\x48\x83\xc4\x28\xc3"  # sub rsp, 0x28; add rsp, 0x28 and ret
RET = b"\xc3"
Outcome = Callable[..., str]


@pytest.fixture(scope="session")
def pe() -> ModuleType:
    """The module that builds images."""
    spec = spec_from_file_location("image_builder", Path(__file__).with_name("image_builder.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def enter(world: Any, pe: ModuleType, tmp_path: Path) -> Outcome:
    """`enter(pieces…)`: how DriverEntry with this code ended: "returned", or what ended the run.

    A piece is bytes, or bytes that end before a displacement and the RVA that it leads to.
    """

    def run(*pieces: bytes | tuple[bytes, int]) -> str:
        code = bytearray()
        for piece in pieces:
            code += piece if isinstance(piece, bytes) else piece[0]
            if not isinstance(piece, bytes):
                code += pack("<i", piece[1] - (TEXT + len(code) + 4))
        table = pe.imports(0x2000, IMPORTS)
        sections = [(".text", bytes(code), pe.R | pe.X), (".rdata", table, pe.R), (".data", bytes(64), pe.R | pe.W)]
        (tmp_path / "nic.sys").write_bytes(pe.build(sections, {pe.IMPORT: (0x2000, len(table))}))
        driver: SysDriver = load_driver(world.guest, tmp_path / "nic.sys")
        statuses: list[int] = []
        world.system.kernel.dispatcher.create(lambda _: statuses.append(driver.enter()), None, "DriverEntry")
        world.system.run()
        stopped = world.system.stopped
        assert stopped is None or stopped.__cause__ is None, stopped.__cause__
        assert bool(statuses) is (stopped is None)
        return "returned" if stopped is None else str(stopped)

    return run


def mov_rax(value: int) -> bytes:
    return b"\x48\xb8" + pack("<Q", value)


@pytest.mark.parametrize(("pieces", "told"), [
    ([mov_rax(0x4141_4141_4141_4141), b"\xff\xe0"], "executes 0x4141414141414141: no canonical address"),
    ([mov_rax(0x1234), b"\xff\xe0"], "executes 0x1234: a user-mode address, and no process is attached"),
    ([b"\x31\xc0\xff\xd0" + RET], "executes 0x0: a NULL pointer"),
    ([b"\x50" + RET], "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"),  # push rax; ret
    ([b"\x90" * 16], "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"),  # off the end
    ([b"\x0f\x0b"], "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc000001d"),
    ([b"\x06"], "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc000001d"),  # no instruction in 64-bit mode
    ([(b"\xe9", 0x10)], "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY"),  # jmp into the headers
    ([(b"\xe9", DATA)], "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY"),
])  # fmt: skip
def test_a_jump_to_garbage_is_a_bugcheck(enter: Outcome, pieces: list[bytes | tuple[bytes, int]], told: str) -> None:
    outcome = enter(*pieces)
    assert outcome.startswith("bugcheck 0x") and told in outcome


@pytest.mark.parametrize(("pieces", "place"), [
    ([(b"\x48\x89\x05", TEXT)], "0x1000"),  # mov [its own code], rax
    ([(b"\x48\x89\x05", QSORT)], "0x2030"),  # an import slot
    ([(b"\x48\x89\x05", 0)], "0x0"),  # the headers
])  # fmt: skip
def test_code_imports_and_headers_cannot_be_overwritten(
    enter: Outcome, pieces: list[bytes | tuple[bytes, int]], place: str
) -> None:
    outcome = enter(*pieces, RET)
    assert outcome.startswith("bugcheck 0xbe ATTEMPTED_WRITE_TO_READONLY_MEMORY")
    assert f": {place} bytes into nic.sys of 0x4000 bytes" in outcome


@pytest.mark.parametrize("code", [
    b"\xe8\xfb\xff\xff\xff",  # call itself
    b"\x50\xeb\xfd",  # push rax for ever
    b"\x48\x83\xec\x03\xe8\xf7\xff\xff\xff",  # with a stack that is not aligned
    b"\x48\x81\xec\x00\x60\x00\x00\x50",  # sub rsp, 0x6000; push rax
])  # fmt: skip
def test_a_stack_that_is_used_up_is_a_double_fault(enter: Outcome, code: bytes) -> None:
    assert enter(code, RET).startswith("bugcheck 0x7f UNEXPECTED_KERNEL_MODE_TRAP (0x8, ")


def test_a_recursion_through_a_routine_that_calls_back_is_one_too(enter: Outcome) -> None:
    count = b"\xba\x02\x00\x00\x00\x41\xb8\x08\x00\x00\x00"  # mov edx, 2; mov r8d, 8
    arguments = (b"\x48\x8d\x0d", DATA), count, (b"\x4c\x8d\x0d", TEXT)  # lea rcx, data; …; lea r9, DriverEntry
    assert enter(ENTER, *arguments, (b"\xff\x15", QSORT), LEAVE).startswith("bugcheck 0x7f UNEXPECTED_KERNEL_MODE_TRAP (0x8, ")


def test_a_driver_that_overwrites_its_stack_is_stopped_at_its_end(enter: Outcome) -> None:
    # mov rdi, rsp; mov rax, 0x4141…; mov ecx, 0x1000; rep stosq
    outcome = enter(b"\x48\x89\xe7" + mov_rax(0x4141_4141_4141_4141) + b"\xb9\x00\x10\x00\x00\xf3\x48\xab" + RET)
    assert outcome.startswith("bugcheck 0x50") and "0x0 bytes past the end of a thread's stack" in outcome


def test_a_return_address_that_was_overwritten_leads_to_a_bugcheck(enter: Outcome) -> None:
    outcome = enter(b"\x48\xc7\x04\x24\x34\x12\x00\x00" + RET)  # mov qword [rsp], 0x1234; ret
    assert "executes 0x1234: a user-mode address" in outcome


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, (1 << 64) - 1])
def test_a_length_that_is_too_large_ends_where_the_memory_does(enter: Outcome, length: int) -> None:
    arguments = (b"\x48\x8d\x0d", DATA), b"\x31\xd2\x49\xb8" + pack("<Q", length)  # lea rcx, data; xor edx, edx; mov r8, length
    outcome = enter(ENTER, *arguments, (b"\xff\x15", MEMSET), LEAVE)
    assert outcome.startswith("bugcheck 0x") and "bytes past the end of nic.sys of 0x4000 bytes" in outcome


def test_a_loop_without_an_end_is_a_hang_with_its_place(enter: Outcome) -> None:
    outcome = enter(b"\xeb\xfe")
    assert outcome.startswith("hang (spin): ") and "(nic.sys+0x1000 (.text+0x0))" in outcome


@pytest.mark.parametrize("name", [
    "WdfObjectDelete", "WdfDeviceGetDriver", "WdfInterruptQueueDpcForIsr", "WdfInterruptAcquireLock", "WdfCmResourceListGetCount",
    "WdfInterruptGetDevice",
])  # fmt: skip
@pytest.mark.parametrize("handle", ["0", "1", "-1", "a pool address", "another type's object", "never given out"])
def test_a_junk_handle_is_wdf_violation_5(world: Any, name: str, handle: str) -> None:
    guest = world.guest
    value = {
        "0": 0, "1": 1, "-1": (1 << 64) - 1, "a pool address": guest.kpcr[0], "another type's object": guest.handle(world.card),
        "never given out": 0xFFFF_E000_0000_7770,
    }[handle]  # fmt: skip
    entry = guest.stubs.address(f"wdf!{name}", ROUTINES[f"wdf!{name}"])
    world.system.kernel.dispatcher.create(lambda _: guest.call(entry, 0, value, 0, 0), None, "the attacker")
    world.system.run()
    assert str(world.system.stopped).startswith("bugcheck 0x10d WDF_VIOLATION (0x5, ")




def test_an_image_that_is_larger_than_the_ram_is_refused(world: Any, pe: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "nic.sys").write_bytes(pe.build(size=32 << 20))
    with pytest.raises(ImageError) as caught:
        load_driver(world.guest, tmp_path / "nic.sys")
    assert str(caught.value) == (
        f"{tmp_path / 'nic.sys'}: SizeOfImage is 0x2000000, and all 0x1000000 bytes of RAM are handed out; "
        "give the machine more: memory under [machine], or System(memory=…)"
    )

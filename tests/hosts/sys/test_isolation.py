"""A driver reaches nothing outside of the emulator (docs/security.md): what its code can execute, and where it can point."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from dirql.errors import DirqlError
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.page_table import Rights
from dirql.kernel.stop import BugCheck

RET = b"\xc3"
EFER = b"\xb9\x80\x00\x00\xc0"  # mov ecx, 0xc0000080
ZERO = b"\x31\xc0\x31\xd2"  # xor eax, eax; xor edx, edx
ONES = b"\x48\x83\xc8\xff"  # or rax, -1
# fmt: off
PRIVILEGED = {
    "in al, dx": b"\xec", "in eax, 0x60": b"\xe5\x60", "out dx, al": b"\xee", "rep insb": b"\xf3\x6c",
    "rep outsb": b"\xf3\x6e", "rdmsr": EFER + b"\x0f\x32", "wrmsr EFER": EFER + ZERO + b"\x0f\x30",
    "wrmsr GS base": b"\xb9\x01\x01\x00\xc0" + ZERO + b"\x0f\x30",
    "wrmsr LSTAR": b"\xb9\x82\x00\x00\xc0" + ZERO + b"\x0f\x30",
    "wrmsr APIC base": b"\xb9\x1b\x00\x00\x00" + ZERO + b"\x0f\x30", "lgdt": b"\x0f\x01\x14\x24", "lidt": b"\x0f\x01\x1c\x24",
    "lldt": ZERO + b"\x0f\x00\xd0", "ltr": b"\xb8\x08\0\0\0\x0f\x00\xd8", "mov cr0, 0": ZERO + b"\x0f\x22\xc0",
    "mov cr0, -1": ONES + b"\x0f\x22\xc0", "mov cr2": b"\x0f\x22\xd0", "mov cr3, 0": ZERO + b"\x0f\x22\xd8",
    "mov cr3, -1": ONES + b"\x0f\x22\xd8", "mov rax, cr3": b"\x0f\x20\xd8", "mov cr4, 0": ZERO + b"\x0f\x22\xe0",
    "mov cr4, -1": ONES + b"\x0f\x22\xe0", "mov dr0": b"\x0f\x23\xc0", "mov dr7": b"\x0f\x23\xf8", "syscall": b"\x0f\x05",
    "sysenter": b"\x0f\x34", "sysret": b"\x48\x0f\x07", "sysexit": b"\x0f\x35", "int 0x2e": b"\xcd\x2e",
    "int 0x80": b"\xcd\x80", "int 0xff": b"\xcd\xff", "icebp": b"\xf1", "vmcall": b"\x0f\x01\xc1", "vmmcall": b"\x0f\x01\xd9",
    "vmrun": b"\x0f\x01\xd8", "vmxon": b"\xf3\x0f\xc7\x34\x24", "invlpg": b"\x0f\x01\x3c\x24", "invd": b"\x0f\x08",
    "wbinvd": b"\x0f\x09", "clts": b"\x0f\x06", "lmsw": ZERO + b"\x0f\x01\xf0", "swapgs": b"\x0f\x01\xf8", "rsm": b"\x0f\xaa",
    "hlt": b"\xf4", "cli": b"\xfa", "std": b"\xfd", "monitor": b"\x0f\x01\xc8", "mwait": b"\x0f\x01\xc9",
    "rdpmc": b"\x0f\x33", "xsetbv": b"\x31\xc9\x0f\x01\xd1", "getsec": b"\x0f\x37", "encls": b"\x0f\x01\xcf",
    "wrgsbase": ZERO + b"\xf3\x48\x0f\xae\xd8", "iretq": b"\x48\xcf", "retf": b"\xcb", "far jmp": b"\x48\xff\x2c\x24",
    "mov ss": ZERO + b"\x8e\xd0", "mov ds": b"\xb8\xff\xff\0\0\x8e\xd8", "mov gs": ZERO + b"\x8e\xe8",
    "popf, all bits": ONES + b"\x50\x9d", "trap flag": b"\x9c\x81\x0c\x24\x00\x01\0\0\x9d\x90", "ud2": b"\x0f\x0b",
    "xbegin": b"\xc7\xf8\0\0\0\0",
}
# fmt: on
# push rbp; mov rbp, rsp; lea rax, [rcx + rdx]; mov ecx, gs:[0x184]; add rax, rcx; leave; ret
SUM = b"\x55\x48\x89\xe5\x48\x8d\x04\x11\x65\x8b\x0c\x25\x84\x01\x00\x00\x48\x01\xc8\xc9\xc3"


def attack(world: Any, code: bytes, *arguments: int) -> str:
    """How `code` ended on a system thread: "returned", or what ended the run; never an error of dirql's own."""
    returned: list[int] = []
    entry = world.place(code)
    world.guest.space.pages.protect(entry, 1, Rights.READ | Rights.EXECUTE)
    world.system.kernel.dispatcher.create(lambda _: returned.append(world.guest.call(entry, *arguments)), None, "the attacker")
    try:
        world.system.run()
    except DirqlError as refused:
        return str(refused)
    stopped = world.system.stopped
    assert stopped is None or stopped.__cause__ is None or isinstance(stopped.__cause__, DirqlError | BugCheck), stopped
    assert returned or stopped
    return "returned" if stopped is None else str(stopped)


def mov_rax(value: int) -> bytes:
    return b"\x48\xb8" + pack("<Q", value & (1 << 64) - 1)


@pytest.mark.parametrize("name", PRIVILEGED)
def test_a_privileged_instruction_acts_on_the_emulated_processor_or_ends_the_run(world: Any, name: str) -> None:
    if attack(world, PRIVILEGED[name] + RET) != "returned":
        assert world.system.stopped is not None
        return
    results: list[tuple[int, int]] = []
    entry = world.place(SUM)
    kernel, machine = world.system.kernel, world.system.machine
    kernel.dispatcher.create(lambda _: results.append((world.guest.call(entry, 40, 2), machine.cpu.index)), None, "the next one")
    world.system.run()
    assert [total - index for total, index in results] == [42]  # as if nothing had been


@pytest.mark.parametrize("code", [b"\xec", b"\xe5\x60", b"\x66\xed"])
def test_a_port_that_no_device_has_reads_all_ones(world: Any, code: bytes) -> None:
    results: list[int] = []
    entry = world.place(b"\x31\xc0" + code + RET)
    world.system.kernel.dispatcher.create(lambda _: results.append(world.guest.call(entry, 0, 0x80)), None, "a reader")
    world.system.run()
    assert results[0] & 0xFF == 0xFF
    assert world.accesses == []


def places(world: Any) -> dict[str, int]:
    """Where a driver has no business."""
    space, memory = world.guest.space, world.guest.machine.memory
    end = space.place(Area.POOL, [memory.size], 0, 0x1000, "what lies behind RAM").start
    return {
        "NULL": 0x10, "user": 0x7FFE_0000, "not canonical": 0x8000_0000_0000_0000, "nowhere": 0xFFFF_C000_0000_0000,
        "the last byte": (1 << 64) - 1, "the emulator's RAM on the host": ctypes.addressof(world.guest.processor._ram),
        "an object of Python's": id(world), "behind RAM": end, "a handle": world.guest.handle(world.card),
    }  # fmt: skip


@pytest.mark.parametrize("code", [b"\x8a\x00", b"\x88\x00", b"\xff\xe0", b"\x48\xff\x20"], ids=["read", "write", "jmp", "jmp by"])
@pytest.mark.parametrize("place", [
    "NULL", "user", "not canonical", "nowhere", "the last byte", "the emulator's RAM on the host", "an object of Python's",
    "behind RAM", "a handle",
])  # fmt: skip
def test_where_a_driver_has_no_business_it_gets_a_bugcheck(world: Any, place: str, code: bytes) -> None:
    assert attack(world, mov_rax(places(world)[place]) + code + RET).startswith("bugcheck 0x")


def test_no_page_of_the_guests_is_memory_that_the_guest_was_not_given(world: Any) -> None:
    memory = world.guest.machine.memory
    assert all(physical + 0x1000 <= memory.size for physical, _ in world.guest.pages.entries.values())


@pytest.mark.parametrize(("what", "right"), [("code", "0xbe"), ("the kernel's code", "0xbe")])
def test_code_cannot_be_written(world: Any, what: str, right: str) -> None:
    # lea rax, [rip - 7]; or the import stubs; mov byte [rax], 0xc3
    at = b"\x48\x8d\x05\xf9\xff\xff\xff" if what == "code" else mov_rax(world.guest.stubs.base)
    told = attack(world, at + b"\xc6\x00\xc3" + RET)
    assert told.startswith(f"bugcheck {right} ATTEMPTED_WRITE_TO_READONLY_MEMORY")
    assert f"into {what} of 0x" in told


@pytest.mark.parametrize("area", ["pool", "stack", "device"])
def test_data_cannot_be_executed(world: Any, area: str) -> None:
    data = world.guest.space.allocate(Area.POOL, 64, "data")
    world.guest.space.write(data.start, RET * 64)
    code = {"pool": mov_rax(data.start), "stack": b"\x48\x89\xe0", "device": mov_rax(world.registers())}[area] + b"\xff\xe0"
    assert attack(world, code).startswith("bugcheck 0xfc ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY")
    assert world.accesses == []


def test_a_mapping_of_device_memory_ends_where_it_was_asked_to(world: Any) -> None:
    assert attack(world, mov_rax(world.registers() + 0x1000) + b"\x8b\x00" + RET).startswith("bugcheck 0x50")
    assert world.accesses == []


@pytest.mark.parametrize("physical", [0x1000, 16 << 20, 0xFEE0_0000, 1 << 40, 1 << 45])
def test_a_physical_address_that_no_bar_is_at_reads_all_ones(world: Any, physical: int) -> None:
    read = world.place(b"\xc7\x01\x01\x00\x00\x00\x8b\x01" + RET)  # mov dword [rcx], 1; mov eax, [rcx]
    before = bytes(world.guest.machine.memory.view[:0x10000])
    mapped = world.routine("ntoskrnl!MmMapIoSpaceEx", physical, 0x1000, 4)
    assert world.call(read, mapped) == 0xFFFF_FFFF
    assert bytes(world.guest.machine.memory.view[:0x10000]) == before


AUDITED = """
import json, sys
from dirql.device.models import MultiQueue
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.load import declare_routines
from dirql.hosts.sys.page_table import Rights
from dirql.system import System

declare_routines()
seen, on = set(), False

def hook(event, arguments):
    if on:
        seen.add(event)

def run(code):
    global on
    system = System(1, memory=8 << 20)
    system.plug(MultiQueue())
    guest = Guest(system.kernel, system.framework)
    region = guest.space.allocate(Area.IMAGE, 0x1000, "code", Rights.READ | Rights.WRITE | Rights.EXECUTE)
    guest.space.write(region.start, bytes.fromhex(code))
    system.kernel.dispatcher.create(lambda _: guest.call(region.start), None, "the attacker")
    on = True
    system.run()
    on = False

codes = json.load(sys.stdin)
for code in codes:  # what is imported when it is first needed
    run(code)
sys.addaudithook(hook)
for code in codes:
    run(code)
print(json.dumps(sorted(seen)))
"""


@pytest.fixture(scope="session")
def audited() -> list[str]:
    """What Python's audit hooks hear while all of the instructions run, in a process of their own (a hook stays for good)."""
    codes = json.dumps([(code + RET).hex() for code in PRIVILEGED.values()])
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", AUDITED], input=codes, stdout=subprocess.PIPE, text=True, check=True, env={"PYTHONPATH": source}
    )
    return list(json.loads(done.stdout))


def test_while_a_driver_runs_no_file_socket_or_process_is_touched(audited: list[str]) -> None:
    harmless = ("ctypes.", "object.__getattr__", "sys._getframe")  # the library is called; frames are looked at for a place
    assert [event for event in audited if not event.startswith(harmless)] == []

"""Every member of every kernel structure against a second witness: the DDK headers that ziglang bundles, compiled."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ziglang

from dirql.hosts.sys import nt_structs
from dirql.hosts.sys.struct_fields import Bits, Kind, Nested
from dirql.hosts.sys.structs import Struct

# What these headers do not have, by the reason; a member stands for what is in it.
LACKING = {
    "no DISPATCHER_CONTEXT for x64": "DISPATCHER_CONTEXT",
    "a number in C": "KSPIN_LOCK.Value",
    "Windows 8 made it a FAST_MUTEX": "KGUARDED_MUTEX",
    "no such type": "IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS KPRCB",
    "came with Windows 8 or later":
        "CM_PARTIAL_RESOURCE_DESCRIPTOR.u.DmaV3 CM_PARTIAL_RESOURCE_DESCRIPTOR.u.Connection IO_RESOURCE_DESCRIPTOR.u.DmaV3 "
        "DEVICE_CAPABILITIES.Reserved DEVICE_CAPABILITIES.Reserved1 DEVICE_CAPABILITIES.WakeFromInterrupt "
        "DEVICE_CAPABILITIES.SecureDevice "
        "DEVICE_CAPABILITIES.ChildOfVgaEnabledBridge DEVICE_CAPABILITIES.DecodeIoOnBoot DEVICE_DESCRIPTION.DmaAddressWidth "
        "DEVICE_DESCRIPTION.DmaControllerInstance DEVICE_DESCRIPTION.DmaRequestLine DEVICE_DESCRIPTION.DeviceAddress "
        "KDPC.TargetInfoAsUlong KDPC.ProcessorHistory KMUTANT.MutantFlags KTIMER.TimerType KAPC.AllFlags "
        "KWAIT_BLOCK.NotificationQueue KWAIT_BLOCK.Dpc KWAIT_BLOCK.SparePtr WAIT_CONTEXT_BLOCK.DmaWaitEntry "
        "WAIT_CONTEXT_BLOCK.NumberOfChannels WAIT_CONTEXT_BLOCK.SyncCallback WAIT_CONTEXT_BLOCK.DmaContext",
    "in wdm.h since Vista or 7, and forgotten here":
        "IO_RESOURCE_DESCRIPTOR.u.Interrupt.AffinityPolicy IO_RESOURCE_DESCRIPTOR.u.Interrupt.Group "
        "IO_RESOURCE_DESCRIPTOR.u.Interrupt.PriorityPolicy IO_RESOURCE_DESCRIPTOR.u.Interrupt.TargetedProcessors "
        "IO_RESOURCE_DESCRIPTOR.u.Memory40 IO_RESOURCE_DESCRIPTOR.u.Memory48 IO_RESOURCE_DESCRIPTOR.u.Memory64",
    "one bit of TimerControlFlags here": "DISPATCHER_HEADER.Absolute",
    "one of its bits was HeaderType before Windows 8": "SLIST_HEADER.HeaderX64.Reserved",
    "the page of a later Windows":
        "KUSER_SHARED_DATA.RNGSeedVersion KUSER_SHARED_DATA.GlobalValidationRunlevel KUSER_SHARED_DATA.TimeZoneBiasStamp "
        "KUSER_SHARED_DATA.NtBuildNumber KUSER_SHARED_DATA.Reserved0 KUSER_SHARED_DATA.NativeProcessorArchitecture "
        "KUSER_SHARED_DATA.BootId KUSER_SHARED_DATA.MitigationPolicies KUSER_SHARED_DATA.CyclesPerYield "
        "KUSER_SHARED_DATA.VirtualizationFlags KUSER_SHARED_DATA.Reserved12 KUSER_SHARED_DATA.QpcFrequency "
        "KUSER_SHARED_DATA.TimeUpdateLock KUSER_SHARED_DATA.BaselineSystemTimeQpc KUSER_SHARED_DATA.BaselineInterruptTimeQpc "
        "KUSER_SHARED_DATA.QpcSystemTimeIncrement KUSER_SHARED_DATA.QpcInterruptTimeIncrement KUSER_SHARED_DATA.QpcBias "
        "KUSER_SHARED_DATA.QpcSystemTimeIncrementShift KUSER_SHARED_DATA.QpcInterruptTimeIncrementShift "
        "KUSER_SHARED_DATA.UnparkedProcessorCount KUSER_SHARED_DATA.EnclaveFeatureMask KUSER_SHARED_DATA.QpcData "
        "KUSER_SHARED_DATA.TelemetryCoverageRound KUSER_SHARED_DATA.Reserved9 KUSER_SHARED_DATA.TimeZoneBiasEffectiveStart "
        "KUSER_SHARED_DATA.TimeZoneBiasEffectiveEnd",
}  # fmt: skip

# What these headers lay out otherwise, and why dirql does not follow.
OTHER = {
    "Windows 10 aligns it to 16, as it does IRP": "DEVICE_OBJECT",
    "version 3 is longer": "DEVICE_DESCRIPTION",
    "its members for an interrupt's policy are forgotten here": "IO_RESOURCE_DESCRIPTOR.u.Interrupt",
    "Windows 10 links DPCs singly": "KDPC.DpcListEntry",
    "Windows 10 made it two USHORTs; Processor keeps its place": "KTIMER.Processor",
    "Windows 8 put the members in another order": "KWAIT_BLOCK.BlockState KWAIT_BLOCK.Object KWAIT_BLOCK.SpareLong "
        "KWAIT_BLOCK.Thread KWAIT_BLOCK.WaitKey KWAIT_BLOCK.WaitType",
    "the type of L has its own name and alignment here; the whole has the same size": "NPAGED_LOOKASIDE_LIST.L "
        "PAGED_LOOKASIDE_LIST.L",
    "the array has no length in wdm.h": "SCATTER_GATHER_LIST SCATTER_GATHER_LIST.Elements",
    "the page of Windows 7: members went into its gaps later, and its end is later": "KUSER_SHARED_DATA "
        "KUSER_SHARED_DATA.ActiveGroupCount KUSER_SHARED_DATA.AitSamplingValue KUSER_SHARED_DATA.AppCompatFlag "
        "KUSER_SHARED_DATA.Reserved2 KUSER_SHARED_DATA.Reserved4 KUSER_SHARED_DATA.SystemCall "
        "KUSER_SHARED_DATA.SystemCallPad KUSER_SHARED_DATA.TickCountPad",
}  # fmt: skip

ROOM = 1024

HEAD = """
#define NT_PROCESSOR_GROUPS 1
#define _WIN32_WINNT 0x0A00
#define NTDDI_VERSION 0x0A000000
#include <ntddk.h>
#include <stddef.h>
typedef struct { ULONG BeginAddress, EndAddress, UnwindData; } RUNTIME_FUNCTION; /* of winnt.h, which excludes ntddk.h */
#define FACTS __attribute__((section("facts"))) const
#define BITS __attribute__((section("bits"))) const
"""

Row = tuple[str, int, int, Kind | None]


def _members(cls: type[Struct], path: str, base: int) -> Iterator[Row]:
    for field in cls.fields.values():
        name = f"{path}.{field.name}"
        yield name, base + field.offset, field.size, field.kind
        if isinstance(field.kind, Nested) and "." in field.kind.type.__name__:  # declared in place: no rows of its own
            yield from _members(field.kind.type, name, base + field.offset)


def _rows() -> list[Row]:
    """(structure or member, offset, size, kind) of all that dirql declares and these headers have."""
    lacking = {name for names in LACKING.values() for name in names.split()}
    rows: list[Row] = []
    for name in nt_structs.__all__:
        cls = getattr(nt_structs, name)
        rows += [(name, 0, cls.size, None), *(_members(cls, name, 0) if cls.__name__ == name else ())]
    parts = [(row, row[0].split(".")) for row in rows]
    return [row for row, part in parts if not any(".".join(part[:n]) in lacking for n in range(1, len(part) + 1))]


def _source(rows: list[Row]) -> str:
    """C whose section `facts` holds two numbers for each row, and `bits` ROOM bytes for each bit-field with its bits set."""
    facts, bits = [], []
    for path, _, _, kind in rows:
        name, member = path.partition(".")[::2]
        if isinstance(kind, Bits):
            bits.append(f"BITS union {{ {name} s; UCHAR room[{ROOM}]; }} b{len(bits)} = {{ .s = {{ .{member} = ~0 }} }};")
        elif member:
            facts.append(f"{{ offsetof({name}, {member}), sizeof((({name} *)0)->{member}) }},")
        else:
            facts.append(f"{{ 0, sizeof({name}) }},")
    return "\n".join([HEAD, *bits, "FACTS ULONG rows[][2] = {", *facts, "};"])


def _sections(coff: bytes) -> dict[str, bytes]:
    (count,) = struct.unpack_from("<H", coff, 2)
    heads = [struct.unpack_from("<8s8xII", coff, 20 + 40 * n) for n in range(count)]
    return {name.rstrip(b"\0").decode(): coff[start : start + size] for name, size, start in heads}


@pytest.fixture(scope="module")
def sections(tmp_path_factory) -> dict[str, bytes]:
    """The compiler's answers."""
    include = Path(ziglang.__file__).parent / "lib" / "libc" / "include" / "any-windows-any" / "ddk"
    folder = tmp_path_factory.mktemp("ddk")
    source, target = folder / "facts.c", folder / "facts.obj"
    source.write_text(_source(_rows()))
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-w", "-isystem", include]
    subprocess.run([*command, "-c", source, "-o", target], check=True)
    return _sections(target.read_bytes())


def test_every_member_is_where_the_headers_have_it_or_the_reason_is_told(sections):
    rows = [row for row in _rows() if not isinstance(row[3], Bits)]
    found = {path: there for (path, *_), there in zip(rows, struct.iter_unpack("<II", sections["facts"]), strict=True)}
    different = {path for path, offset, size, _ in rows if found[path] != (offset, size)}
    told = {name for names in OTHER.values() for name in names.split()}
    assert {path: tuple(map(hex, found[path])) for path in different - told} == {}
    assert told - different == set(), "these agree now: take them out of OTHER"


def test_every_bit_field_has_the_bits_that_the_compiler_gives_it(sections):
    rows = [row for row in _rows() if isinstance(row[3], Bits)]
    for number, (path, *_) in enumerate(rows):
        name, member = path.partition(".")[::2]
        ours = getattr(nt_structs, name).new()
        *outer, last = member.split(".")
        view = ours
        for part in outer:
            view = getattr(view, part)
        setattr(view, last, -1)
        there = sections["bits"][ROOM * number : ROOM * (number + 1)]
        assert bytes(ours) == there[: len(bytes(ours))], path
    assert len(rows) > 20


def test_what_the_headers_lack_is_something_that_dirql_declares():
    declared = {row[0] for name in nt_structs.__all__ for row in _members(getattr(nt_structs, name), name, 0)}
    lacking = {name for names in LACKING.values() for name in names.split()}
    assert lacking - declared - set(nt_structs.__all__) == set()

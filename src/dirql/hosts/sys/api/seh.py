"""Structured exception handling: what a driver's compiler and a driver itself call of it (Windows "x64 exception handling").

__C_specific_handler walks the SCOPE_TABLE of __try/__except/__finally: filters and termination handlers are functions of the
driver's, called with the frame that they belong to. Model choices: none of these routines has an IRQL limit; ProbeForRead looks
at the range only and ProbeForWrite fails, since no process is attached that could have memory there.
Limits: longjmp and C++ exceptions are not modelled; RtlVirtualUnwind hands out no pointers into the stack.
"""

from __future__ import annotations

from dirql.hosts.sys.abi import LONG, NTSTATUS, PVOID, SIZE_T, ULONG, ULONG_PTR, ULONGLONG, VOID, Ptr, api
from dirql.hosts.sys.context import NAMES, frame_to_context, write_context
from dirql.hosts.sys.exceptions import CONTINUE_EXECUTION, CONTINUE_SEARCH, TARGET_UNWIND, UNWINDING, Exceptions
from dirql.hosts.sys.frames import Frames
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.nt_structs import CONTEXT, DISPATCHER_CONTEXT, EXCEPTION_POINTERS, EXCEPTION_RECORD
from dirql.hosts.sys.processor import Activation
from dirql.hosts.sys.raised import NONCONTINUABLE, Raised
from dirql.hosts.sys.unwind import Frame, virtual_unwind
from dirql.hosts.sys.unwind_info import LoadedTable, Scope, UnwindFlag, function_at, read_scopes

__all__: list[str] = []

STATUS_ACCESS_VIOLATION = 0xC0000005
STATUS_DATATYPE_MISALIGNMENT = 0x80000002
ALWAYS = 1  # in place of a filter: EXCEPTION_EXECUTE_HANDLER
USER_PROBE_ADDRESS = 0x7FFF_FFFF_0000
CALLER = -1  # ExceptionAddress: where the call comes back to


@api("ntoskrnl")
def __C_specific_handler(
    guest: Guest, record: Ptr[EXCEPTION_RECORD], frame: PVOID, context: PVOID, dispatcher: Ptr[DISPATCHER_CONTEXT]
) -> LONG:
    """The EXCEPTION_DISPOSITION of a frame written in C."""
    base, pc = dispatcher.ImageBase, dispatcher.ControlPc - dispatcher.ImageBase
    table = LoadedTable(base, 1 << 32)
    scopes = read_scopes(table, dispatcher.HandlerData - base, guest.space.peek)
    if record.ExceptionFlags & UNWINDING:
        return _terminate(guest, scopes, pc, record, frame, dispatcher)
    for scope in scopes[dispatcher.ScopeIndex :]:
        if not scope.begin <= pc < scope.end or scope.is_finally:
            continue
        verdict = ALWAYS if scope.handler == ALWAYS else _filter(guest, base + scope.handler, record, context, frame)
        if verdict < 0:
            return CONTINUE_EXECUTION
        if verdict:
            guest.part(Exceptions).unwind(
                frame, base + scope.target, record.address, record.ExceptionCode, context, _current(guest))
    return CONTINUE_SEARCH


def _filter(guest: Guest, address: int, record: EXCEPTION_RECORD, context: int, frame: int) -> int:
    stack = guest.stacks.of(guest.machine.cpu)
    top = stack.top
    stack.top = at = (top - EXCEPTION_POINTERS.size) & ~15
    pointers = EXCEPTION_POINTERS(guest.space, at)
    pointers.ExceptionRecord, pointers.ContextRecord = record.address, context
    try:
        verdict = guest.call(address, at, frame) & 0xFFFF_FFFF
    finally:
        stack.top = top
    return verdict - (verdict >> 31 << 32)


def _terminate(
    guest: Guest, scopes: tuple[Scope, ...], pc: int, record: EXCEPTION_RECORD, frame: int, dispatcher: DISPATCHER_CONTEXT
) -> int:
    """The __finally blocks that are left; in the frame that the unwinding ends in, only those that do not hold its end."""
    flags, target = record.ExceptionFlags, dispatcher.TargetIp - dispatcher.ImageBase
    for index in range(dispatcher.ScopeIndex, len(scopes)):
        scope = scopes[index]
        if not scope.begin <= pc < scope.end:
            continue
        if flags & TARGET_UNWIND and (scope.begin <= target < scope.end or (not scope.is_finally and scope.target == target)):
            break
        if scope.is_finally:
            dispatcher.ScopeIndex = index + 1
            guest.call(dispatcher.ImageBase + scope.handler, 1, frame)
    return CONTINUE_SEARCH


@api("ntoskrnl")
def ExRaiseStatus(guest: Guest, status: NTSTATUS) -> VOID:
    """Raises `status` in the caller."""
    raise Raised(status, CALLER, why=f"the driver raised {status:#x} (ExRaiseStatus)", flags=NONCONTINUABLE)


@api("ntoskrnl")
def RtlRaiseStatus(guest: Guest, status: NTSTATUS) -> VOID:
    """The same."""
    raise Raised(status, CALLER, why=f"the driver raised {status:#x} (RtlRaiseStatus)", flags=NONCONTINUABLE)


@api("ntoskrnl")
def ExRaiseAccessViolation(guest: Guest) -> VOID:
    """STATUS_ACCESS_VIOLATION in the caller."""
    raise Raised(STATUS_ACCESS_VIOLATION, CALLER, why="the driver raised STATUS_ACCESS_VIOLATION", flags=NONCONTINUABLE)


@api("ntoskrnl")
def ExRaiseDatatypeMisalignment(guest: Guest) -> VOID:
    """STATUS_DATATYPE_MISALIGNMENT in the caller."""
    raise Raised(STATUS_DATATYPE_MISALIGNMENT, CALLER, why="the driver raised STATUS_DATATYPE_MISALIGNMENT", flags=NONCONTINUABLE)


@api("ntoskrnl")
def RtlRaiseException(guest: Guest, record: Ptr[EXCEPTION_RECORD]) -> VOID:
    """The exception of the driver's own record; one that may be continued comes back."""
    code, count = record.ExceptionCode, min(record.NumberParameters, 15)
    information = tuple(record.ExceptionInformation[i] for i in range(count))
    why = f"the driver raised {code:#x} (RtlRaiseException)"
    raise Raised(code, CALLER, information, why=why, flags=record.ExceptionFlags, record=record.address)


@api("ntoskrnl")
def RtlUnwindEx(
    guest: Guest, target: PVOID, target_ip: PVOID, record: PVOID, value: PVOID, context: Ptr[CONTEXT], history: PVOID
) -> VOID:
    """Unwinds to the frame `target` and goes on at `target_ip` with `value` in RAX."""
    activation = _current(guest)
    guest.space.write(context.address, bytes(CONTEXT.size))
    write_context(guest, context, activation)
    guest.part(Exceptions).unwind(target, target_ip, record, value, context.address, activation)


@api("ntoskrnl")
def RtlUnwind(guest: Guest, target: PVOID, target_ip: PVOID, record: PVOID, value: PVOID) -> VOID:
    """The same without a context."""
    guest.part(Exceptions).unwind(target, target_ip, record, value, 0, _current(guest))


@api("ntoskrnl")
def _local_unwind(guest: Guest, target: PVOID, target_ip: PVOID) -> VOID:
    """What a compiler makes of a way out of __try: the __finally blocks on it run."""
    guest.part(Exceptions).unwind(target, target_ip, 0, 0, 0, _current(guest))


@api("ntoskrnl")
def RtlCaptureContext(guest: Guest, context: Ptr[CONTEXT]) -> VOID:
    """The caller's registers, as they are behind the call."""
    registers, xmm, _ = guest.processor.snapshot(_current(guest))
    rsp = registers[4]
    rip = int.from_bytes(guest.space.read(rsp, 8), "little")
    guest.space.write(context.address, bytes(CONTEXT.size))
    frame_to_context(context, rip, (*registers[:4], rsp + 8, *registers[5:]), xmm, guest.processor.flags(_current(guest)))


@api("ntoskrnl")
def RtlLookupFunctionEntry(guest: Guest, pc: ULONGLONG, image_base: PVOID, history: PVOID) -> PVOID:
    """The RUNTIME_FUNCTION in its image's table; NULL for a leaf function."""
    table, function = function_at(pc, guest.part(Frames).tables(), guest.space.peek)
    if table is None:
        return 0
    guest.space.write(image_base, table.base.to_bytes(8, "little"))
    if function is None:
        return 0
    data = b"".join(part.to_bytes(4, "little") for part in (function.begin, function.end, function.info))
    at = guest.space.peek(table.base + table.rva, table.size).find(data)
    return table.base + table.rva + at if at >= 0 else 0


@api("ntoskrnl")
def RtlPcToFileHeader(guest: Guest, pc: PVOID, image_base: PVOID) -> PVOID:
    """The base of the image that holds `pc`; NULL where none does."""
    base = next((image.base for image in guest.images if pc in image), 0)
    guest.space.write(image_base, base.to_bytes(8, "little"))
    return base


@api("ntoskrnl")
def RtlVirtualUnwind(
    guest: Guest, kind: ULONG, image_base: ULONGLONG, pc: ULONGLONG, function: PVOID, context: Ptr[CONTEXT], handler_data: PVOID,
    establisher: PVOID, pointers: PVOID,
) -> PVOID:  # fmt: skip
    """The caller's registers in `context`; the frame's handler of that kind, NULL for none."""
    size = next((image.image.size for image in guest.images if image.base == image_base), 1 << 32)
    registers = tuple(getattr(context, name) for name in NAMES)
    vectors = context.address + CONTEXT.offset("Xmm0")
    xmm = tuple(int.from_bytes(guest.space.read(vectors + 16 * i, 16), "little") for i in range(16))
    table = LoadedTable(image_base, size, function - image_base, 12)
    unwound = virtual_unwind(Frame(pc, registers, xmm), [table], guest.space.peek)
    flags = context.EFlags
    frame_to_context(context, unwound.caller.rip, unwound.caller.registers, unwound.caller.xmm, flags)
    guest.space.write(establisher, unwound.establisher.to_bytes(8, "little"))
    handler = unwound.handler
    if handler is None or not handler.flags & UnwindFlag(kind & 3):
        return 0
    guest.space.write(handler_data, handler.data_address.to_bytes(8, "little"))
    return handler.address


@api("ntoskrnl")
def ProbeForRead(guest: Guest, address: PVOID, length: SIZE_T, alignment: ULONG) -> VOID:
    """Raises unless the range lies in user mode's half and begins as it should."""
    _probe(address, length, alignment, "ProbeForRead")


@api("ntoskrnl")
def ProbeForWrite(guest: Guest, address: PVOID, length: SIZE_T, alignment: ULONG) -> VOID:
    """The same, and every page would be touched: STATUS_ACCESS_VIOLATION, since none is there."""
    _probe(address, length, alignment, "ProbeForWrite")
    if length:
        raise Raised(STATUS_ACCESS_VIOLATION, CALLER, (1, address), why=f"ProbeForWrite of {address:#x}: no process is attached",
                     flags=NONCONTINUABLE)  # fmt: skip


def _probe(address: ULONG_PTR, length: SIZE_T, alignment: ULONG, who: str) -> None:
    if not length:
        return
    if alignment and address & alignment - 1:
        why = f"{who} of {address:#x}, which is not aligned to {alignment}"
        raise Raised(STATUS_DATATYPE_MISALIGNMENT, CALLER, why=why, flags=NONCONTINUABLE)
    if address + length > USER_PROBE_ADDRESS:
        why = f"{who} of {address:#x}, {length:#x} bytes: that is no range of user mode's"
        raise Raised(STATUS_ACCESS_VIOLATION, CALLER, (0, address), why=why, flags=NONCONTINUABLE)


def _current(guest: Guest) -> Activation:
    """The call into the driver that called the routine."""
    activation = guest.stacks.of(guest.machine.cpu).calls
    assert activation is not None
    return activation

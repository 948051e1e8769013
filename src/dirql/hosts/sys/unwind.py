"""The caller of a frame (Windows "x64 exception handling", RtlVirtualUnwind): pure functions over what memory holds.

A program counter stands in a prologue (its steps so far are undone), in an epilogue (its rest is carried out) or in the body.
Limits: return addresses are looked up as they stand, as Windows does; no shadow stacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dirql.hosts.sys.unwind_epilogue import LONGEST, RSP, find_epilogue
from dirql.hosts.sys.unwind_info import (
    LoadedTable,
    Operation,
    Read,
    RuntimeFunction,
    Scope,
    UnwindCode,
    UnwindError,
    UnwindFlag,
    UnwindInfo,
    function_at,
    read_info,
    read_scopes,
    take,
)

__all__ = ["Frame", "Handler", "LoadedTable", "Scope", "Trace", "Unwound", "scopes_at", "stack_trace", "unwind", "virtual_unwind"]

MOST_CHAINED = 32
MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Frame:
    """A place in the code with the registers that were live there.

    `registers` stand by their encoding (rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 …), `xmm` are 0 to 15.
    `returning`: `rip` is a return address, so the call that it returns from lies before it.
    """

    rip: int
    registers: tuple[int, ...]
    xmm: tuple[int, ...] = (0,) * 16
    returning: bool = False

    @property
    def rsp(self) -> int:
        """The stack pointer."""
        return self.registers[RSP]

    @property
    def lookup(self) -> int:
        """The address to look up in symbols: inside of the call instruction when this frame waits for a call."""
        return self.rip - 1 if self.returning else self.rip

    def __repr__(self) -> str:
        return f"<Frame rip={self.rip:#x} rsp={self.rsp:#x}>"


@dataclass(frozen=True)
class Handler:
    """A frame's language-specific handler: `address` to call; its `data` lies at an RVA of `table`'s image."""

    address: int
    data: int
    flags: UnwindFlag
    table: LoadedTable

    @property
    def data_address(self) -> int:
        """What DISPATCHER_CONTEXT.HandlerData points to."""
        return self.table.base + self.data


@dataclass(frozen=True)
class Unwound:
    """One step: the `caller`, and what the dispatcher of an exception wants to know about the frame that was left.

    `function` is the entry that the step ended with (the primary one of a chain), None for a leaf. A prologue or an epilogue
    has no `handler`.
    """

    caller: Frame
    establisher: int
    table: LoadedTable | None
    function: RuntimeFunction | None
    handler: Handler | None


@dataclass(frozen=True)
class Trace:
    """Frames from the innermost out; `stopped` says why there are no more, "" when the outermost was reached."""

    frames: tuple[Frame, ...]
    stopped: str = ""


class _State:
    """Registers while a frame is being undone."""

    def __init__(self, frame: Frame, read: Read) -> None:
        self.registers, self.xmm, self.read = list(frame.registers), list(frame.xmm), read
        self.rip = frame.rip
        self.returning = True

    def quad(self, address: int, what: str = "the stack") -> int:
        return int.from_bytes(take(self.read, address & MASK, 8, what), "little")

    def pop(self) -> int:
        value = self.quad(self.registers[RSP])
        self.move(self.registers[RSP] + 8)
        return value

    def move(self, rsp: int) -> None:
        self.registers[RSP] = rsp & MASK

    def machine_frame(self, with_error_code: bool) -> None:
        at = self.registers[RSP] + 8 * with_error_code
        self.rip, self.registers[RSP], self.returning = self.quad(at), self.quad(at + 24), False

    def frame(self) -> Frame:
        return Frame(self.rip, tuple(self.registers), tuple(self.xmm), self.returning)


def unwind(frame: Frame, tables: Sequence[LoadedTable], read: Read) -> Frame:
    """The caller of `frame`, with the non-volatile registers as the caller left them."""
    return virtual_unwind(frame, tables, read).caller


def virtual_unwind(frame: Frame, tables: Sequence[LoadedTable], read: Read) -> Unwound:
    """One step out of `frame`; code outside of every image counts as a leaf function."""
    table, function = function_at(frame.rip, tables, read)
    state = _State(frame, read)
    if table is None or function is None:
        state.rip = state.pop()
        return Unwound(state.frame(), frame.rsp, table, None, None)
    info = read_info(table, function, read)
    offset = frame.rip - table.base - function.begin
    establisher = _frame_base(info, offset, state)
    body = offset >= info.prologue_size or info.chained is not None
    if body and _leave_by_epilogue(frame, table, function, info, tables, state):
        return Unwound(state.frame(), establisher, table, function, None)
    primary, primary_info = _undo(table, function, info, offset, state)
    handler = None
    if body and primary_info.flags & (UnwindFlag.EHANDLER | UnwindFlag.UHANDLER):
        handler = Handler(table.base + primary_info.handler, primary_info.handler_data, primary_info.flags, table)
    return Unwound(state.frame(), establisher, table, primary, handler)


def scopes_at(unwound: Unwound, rip: int, read: Read) -> tuple[Scope, ...]:
    """Of a frame whose handler is __C_specific_handler: the scopes around `rip`, innermost first."""
    if unwound.handler is None or unwound.table is None:
        return ()
    rva = rip - unwound.table.base
    return tuple(scope for scope in read_scopes(unwound.table, unwound.handler.data, read) if scope.begin <= rva < scope.end)


def stack_trace(frame: Frame, tables: Sequence[LoadedTable], read: Read, most: int = 64) -> Trace:
    """`frame` and its callers, until one stands at 0 or outside of every image; never raises.

    The last frame may be outside of the images: the host's own address that the outermost call returns to.
    """
    frames = [frame]
    while len(frames) < most:
        if len(frames) > 1 and not any(table.holds(frames[-1].rip) for table in tables):
            return Trace(tuple(frames))
        try:
            caller = unwind(frames[-1], tables, read)
        except UnwindError as problem:
            return Trace(tuple(frames), str(problem))
        if caller.rsp <= frames[-1].rsp and caller.returning:
            return Trace(tuple(frames), f"the stack goes the wrong way: from {frames[-1].rsp:#x} to {caller.rsp:#x}")
        frames.append(caller)
    return Trace(tuple(frames), f"more than {most} frames")


def _frame_base(info: UnwindInfo, offset: int, state: _State) -> int:
    """What saved registers are counted from: the stack pointer after the prologue's fixed part, or as far as it has come."""
    set_at = next((code.at for code in info.codes if code.operation is Operation.SET_FPREG), 0)
    if not info.frame_register or (info.chained is None and offset < info.prologue_size and offset < set_at):
        return state.registers[RSP]
    return state.registers[info.frame_register] - info.frame_offset & MASK


def _leave_by_epilogue(
    frame: Frame, table: LoadedTable, function: RuntimeFunction, info: UnwindInfo, tables: Sequence[LoadedTable], state: _State
) -> bool:
    code = state.read(frame.rip, min(LONGEST, function.end - (frame.rip - table.base)))

    def leaves(distance: int) -> bool:
        target = frame.rip + distance - table.base
        if function.begin <= target < function.end:
            return target == function.begin and info.chained is None  # a tail call to itself
        _, other = function_at(frame.rip + distance, tables, state.read)
        return other is None or _primary(table, other, state.read) != _primary(table, function, state.read)

    epilogue = find_epilogue(code, info.frame_register, leaves)
    if epilogue is None:
        return False
    state.move(state.registers[epilogue.base] + epilogue.adjust)
    for register in epilogue.pops:
        state.registers[register] = state.pop()
    state.rip = state.pop()
    state.move(state.registers[RSP] + epilogue.discard)
    return True


def _primary(table: LoadedTable, function: RuntimeFunction, read: Read) -> RuntimeFunction:
    for _ in range(MOST_CHAINED):
        chained = read_info(table, function, read).chained
        if chained is None:
            return function
        function = chained
    raise UnwindError(f"unwind information at RVA {function.info:#x} is chained more than {MOST_CHAINED} times")


def _undo(
    table: LoadedTable, function: RuntimeFunction, info: UnwindInfo, offset: int, state: _State
) -> tuple[RuntimeFunction, UnwindInfo]:
    """Every step of the prologue that was done, of every piece in the chain; then the return address."""
    for _ in range(MOST_CHAINED):
        base = _frame_base(info, offset, state)
        interrupted = False
        for code in info.codes:
            if offset >= code.at:
                interrupted |= _undo_one(code, info, base, state)
        if info.chained is None:
            if not interrupted:
                state.rip = state.pop()
            return function, info
        function, info = info.chained, read_info(table, info.chained, state.read)
        offset = MASK  # what is chained to ran to its end
    raise UnwindError(f"unwind information at RVA {function.info:#x} is chained more than {MOST_CHAINED} times")


def _undo_one(code: UnwindCode, info: UnwindInfo, base: int, state: _State) -> bool:
    """True for the step that stands for an interrupt's frame: it has no return address above it."""
    if code.operation is Operation.PUSH_NONVOL:
        state.registers[code.register] = state.pop()
    elif code.operation in (Operation.ALLOC_SMALL, Operation.ALLOC_LARGE):
        state.move(state.registers[RSP] + code.value)
    elif code.operation is Operation.SET_FPREG:
        state.move(state.registers[info.frame_register] - info.frame_offset)
    elif code.operation in (Operation.SAVE_NONVOL, Operation.SAVE_NONVOL_FAR):
        state.registers[code.register] = state.quad(base + code.value)
    elif code.operation in (Operation.SAVE_XMM128, Operation.SAVE_XMM128_FAR):
        state.xmm[code.register] = int.from_bytes(take(state.read, base + code.value & MASK, 16, "the stack"), "little")
    else:
        state.machine_frame(bool(code.register))
        return True
    return False

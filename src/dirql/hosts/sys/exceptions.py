"""Exceptions in a driver's code: the record and the context, the search for a handler, and the unwinding to it (Windows "x64
exception handling").

A handler is called as Windows calls it: on the stack that faulted, below the frame that it belongs to. What nobody handles is
bugcheck 0x7E on a system thread and 0x1E elsewhere, since a system thread has a handler of last resort around its routine.
Model choices: an access to an address of user mode below DISPATCH_LEVEL, an address that is not canonical, and a raised status
can be handled, any other page fault is a bugcheck at once; the kernel's own part of the dispatch takes no stack beyond what
the structures need; handlers in the driver's frames around a routine that called it back are asked too; bugcheck 0x3B is never
used, since every thread is the system's.
Limits: DISPATCHER_CONTEXT.ContextRecord and the context are one, with the registers of the exception; there is no history table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from dirql.hosts.sys.context import read_context, write_context
from dirql.hosts.sys.crash import Witness
from dirql.hosts.sys.frames import Frames, Step
from dirql.hosts.sys.nt_structs import CONTEXT, DISPATCHER_CONTEXT, EXCEPTION_POINTERS, EXCEPTION_RECORD
from dirql.hosts.sys.processor import Activation
from dirql.hosts.sys.raised import NONCONTINUABLE, Landing, Raised
from dirql.hosts.sys.stacks import Stack
from dirql.hosts.sys.unwind import Frame, Handler
from dirql.hosts.sys.unwind_info import UnwindFlag
from dirql.kernel.stop import BugCheck

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["CONTINUE_EXECUTION", "CONTINUE_SEARCH", "TARGET_UNWIND", "UNWINDING", "Exceptions", "double_fault"]

UNWINDING, EXIT_UNWIND, TARGET_UNWIND = 2, 4, 0x20  # EXCEPTION_RECORD.ExceptionFlags
CONTINUE_EXECUTION, CONTINUE_SEARCH, NESTED, COLLIDED = range(4)  # EXCEPTION_DISPOSITION
STATUS_NONCONTINUABLE_EXCEPTION = 0xC0000025
STATUS_INVALID_DISPOSITION = 0xC0000026
STATUS_UNWIND = 0xC0000027
STATUS_BAD_STACK = 0xC0000028
STATUS_INVALID_UNWIND_TARGET = 0xC0000029
CONTEXT_AT, RECORD_AT, DISPATCHER_AT, FUNCTION_AT, POINTERS_AT, ROOM = 0, 0x4D0, 0x570, 0x5C0, 0x5D0, 0x5E0
RSP = 4


def double_fault(rip: int, rsp: int, why: str) -> BugCheck:
    """UNEXPECTED_KERNEL_MODE_TRAP 8: the processor could not even push the frame of the exception (model choice: the second
    parameter, the trap frame, is 0)."""
    return BugCheck(0x7F, 8, 0, rsp, rip, why=why)


class Exceptions:
    """`guest.part(Exceptions)`: dispatches and unwinds."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._frames = guest.part(Frames)
        self._unwinding: list[tuple[int, DISPATCHER_CONTEXT]] = []  # (establisher, …) of frames whose termination handlers run

    def settle(self, event: Raised | Landing, activation: Activation, stack: Stack) -> None:
        """The activation goes on, as the handler of an exception in it wants, or where an unwinding ends; raises what is not
        for this activation."""
        if isinstance(event, Raised):
            try:
                self._dispatch(event, activation, stack)
            except Landing as landing:
                event = landing
            else:
                return
        if event.activation is not activation:
            raise event
        self._hold(activation)
        registers = list(event.frame.registers)
        registers[0] = event.rax
        self._guest.processor.set_all(event.frame.rip, registers, event.frame.xmm)

    # The first pass: who handles it?

    def _dispatch(self, raised: Raised, activation: Activation, stack: Stack, below: int = 0) -> None:
        """Returns when the driver goes on where it stood; raises the Landing, or the bugcheck."""
        guest = self._guest
        frame = self._frames.here(activation)
        base = (below or frame.rsp) - ROOM & ~15
        if not stack.region.first <= base - 0x200 <= frame.rsp <= stack.region.end:
            why = f"{raised.why}; there is no stack left to dispatch the exception on: rsp is {frame.rsp:#x}"
            raise double_fault(frame.rip, frame.rsp, why) from None
        top, stack.top = stack.top, base
        try:
            record = self._record(raised, base, frame)
            write_context(guest, CONTEXT(guest.space, base + CONTEXT_AT), activation)
            dispatcher = DISPATCHER_CONTEXT(guest.space, base + DISPATCHER_AT)
            pointers = EXCEPTION_POINTERS(guest.space, base + POINTERS_AT)
            pointers.ExceptionRecord, pointers.ContextRecord = record.address, base + CONTEXT_AT
            if not self._search(raised, record, dispatcher, activation, frame):
                raise self._unhandled(raised, record, base + CONTEXT_AT, activation)
        finally:
            stack.top = top
        if record.ExceptionFlags & NONCONTINUABLE:
            why = "a filter continued the execution after an exception that cannot be continued"
            again = Raised(STATUS_NONCONTINUABLE_EXCEPTION, frame.rip, why=why, flags=NONCONTINUABLE)
            self._dispatch(again, activation, stack, base)
        else:
            self._hold(activation)
            read_context(guest, CONTEXT(guest.space, base + CONTEXT_AT))

    def _search(
        self, raised: Raised, record: EXCEPTION_RECORD, dispatcher: DISPATCHER_CONTEXT, activation: Activation, frame: Frame
    ) -> bool:
        """True when a handler continues the execution."""
        for step in self._frames.walk(activation, frame):
            handler = step.unwound.handler if step.unwound is not None else None
            if handler is None or not handler.flags & UnwindFlag.EHANDLER:
                continue
            disposition = self._ask(step, handler, record, dispatcher, 0)
            if disposition == CONTINUE_EXECUTION:
                return True
            if disposition not in (CONTINUE_SEARCH, NESTED):
                self._invalid(disposition, handler, raised.why)
        return False

    def _unhandled(self, raised: Raised, record: EXCEPTION_RECORD, context: int, activation: Activation) -> BugCheck:
        guest, outermost = self._guest, activation
        while outermost.outer is not None and not outermost.interrupts:
            outermost = outermost.outer
        if outermost.on_thread:
            stop = BugCheck(0x7E, raised.status, record.ExceptionAddress, record.address, context, why=raised.why)
        else:
            stop = BugCheck(0x1E, raised.status, record.ExceptionAddress, *(*raised.information, 0, 0)[:2], why=raised.why)
        guest.part(Witness).see(stop, activation)
        return stop

    # The second pass.

    def unwind(self, target: int, rip: int, record: int, rax: int, context: int, activation: Activation) -> NoReturn:
        """RtlUnwindEx: every termination handler up to the frame `target` runs; the driver goes on there, at `rip` where that is
        not 0."""
        guest = self._guest
        stack = guest.stacks.of(guest.machine.cpu)
        top = stack.top
        base = top - ROOM & ~15
        if base - 0x200 < stack.region.first:
            raise double_fault(0, top, "there is no stack left to unwind on")
        stack.top = base
        depth = len(self._unwinding)
        try:
            if not record:
                record = base + RECORD_AT
                guest.space.write(record, bytes(EXCEPTION_RECORD.size))
                EXCEPTION_RECORD(guest.space, record).ExceptionCode = STATUS_UNWIND
            view = EXCEPTION_RECORD(guest.space, record)
            dispatcher = DISPATCHER_CONTEXT(guest.space, base + DISPATCHER_AT)
            dispatcher.ContextRecord, dispatcher.TargetIp = context, rip
            flags = view.ExceptionFlags | UNWINDING | (0 if target else EXIT_UNWIND)
            for step in self._frames.walk(activation):
                if step.unwound is None:
                    break
                establisher, handler = step.unwound.establisher, step.unwound.handler
                if target and establisher > target:
                    break
                here = flags | (TARGET_UNWIND if establisher == target else 0)
                if handler is not None and handler.flags & UnwindFlag.UHANDLER:
                    view.ExceptionFlags = here
                    disposition = self._ask(step, handler, view, dispatcher, rip, unwinding=True)
                    if disposition not in (CONTINUE_SEARCH, COLLIDED):
                        self._invalid(disposition, handler, "unwinding")
                if target and establisher == target and step.unwound.table is not None:
                    frame = Frame(rip or step.frame.rip, step.frame.registers, step.frame.xmm)
                    raise Landing(step.activation, frame, rax)
        finally:
            stack.top = top
            del self._unwinding[depth:]
        status = STATUS_INVALID_UNWIND_TARGET if target else STATUS_UNWIND
        raise Raised(status, 0, why=f"the stack is unwound to {target:#x}, where no frame is", flags=NONCONTINUABLE)

    # Both.

    def _ask(
        self, step: Step, handler: Handler, record: EXCEPTION_RECORD, dispatcher: DISPATCHER_CONTEXT, target_ip: int, *,
        unwinding: bool = False,
    ) -> int:  # fmt: skip
        """Call a frame's handler as its language wants it; its disposition."""
        guest, unwound = self._guest, step.unwound
        assert unwound is not None and unwound.function is not None
        function = dispatcher.address - DISPATCHER_AT + FUNCTION_AT
        one = unwound.function
        guest.space.write(function, b"".join(part.to_bytes(4, "little") for part in (one.begin, one.end, one.info)))
        begun = [known.ScopeIndex for establisher, known in self._unwinding if establisher == unwound.establisher]
        dispatcher.ControlPc, dispatcher.ImageBase, dispatcher.FunctionEntry = step.frame.rip, handler.table.base, function
        dispatcher.EstablisherFrame, dispatcher.TargetIp = unwound.establisher, target_ip
        dispatcher.LanguageHandler, dispatcher.HandlerData = handler.address, handler.data_address
        dispatcher.HistoryTable, dispatcher.ScopeIndex = 0, begun[-1] if begun else 0
        context = dispatcher.ContextRecord
        if unwinding:
            self._unwinding.append((unwound.establisher, dispatcher))
        else:
            dispatcher.ContextRecord = context = dispatcher.address - DISPATCHER_AT + CONTEXT_AT
        try:
            result = guest.call(handler.address, record.address, unwound.establisher, context, dispatcher.address) & 0xFFFF_FFFF
        finally:
            if unwinding:
                self._unwinding.pop()
        return result

    def _invalid(self, disposition: int, handler: Handler, why: str) -> NoReturn:
        who = self._guest.words(handler.address)
        words = f"the exception handler {who} returned {disposition:#x}, which is no disposition ({why})"
        raise BugCheck(0x1E, STATUS_INVALID_DISPOSITION, handler.address, why=words)

    def _record(self, raised: Raised, base: int, frame: Frame) -> EXCEPTION_RECORD:
        space = self._guest.space
        space.write(base, bytes(ROOM))
        record = EXCEPTION_RECORD(space, base + RECORD_AT)
        address = raised.address or frame.rip
        if address < 0:  # where the routine that raised it comes back to
            address = int.from_bytes(space.peek(frame.rsp, 8), "little")
        if raised.record:
            space.write(record.address, space.read(raised.record, EXCEPTION_RECORD.size))
            record.ExceptionAddress = address
            return record
        record.ExceptionCode, record.ExceptionFlags, record.ExceptionAddress = raised.status, raised.flags, address
        record.NumberParameters = len(raised.information)
        for index, value in enumerate(raised.information):
            record.ExceptionInformation[index] = value
        return record

    def _hold(self, activation: Activation) -> None:
        """`activation` has the emulator."""
        self._guest.take_over(activation)

"""What a debugger would show of a driver that stopped the machine: the instruction, the registers, the calls, and what the
bugcheck's parameters point at (facts §5.2, §5.3).

Model choices: 0x139 has no trap frame (the DDK headers do not declare KTRAP_FRAME; parameter 2 is 0), and its record lies right
below the stack that failed; the driver globals of 0x10D are the WDF_DRIVER_GLOBALS that the driver passed to the routine, its
expected type (parameter 3 of 0x10D/5) is 0, since the facts have no values of FX_TYPE.
Limits: the stack is the one of the processor that stopped, not those of the others. 0x10D from outside of a call that the driver
makes has no driver globals.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from dirql.hosts.sys.frames import Frames, Step
from dirql.hosts.sys.nt_structs import EXCEPTION_RECORD
from dirql.hosts.sys.processor import Activation
from dirql.hosts.sys.raised import NONCONTINUABLE
from dirql.kernel.stop import BugCheck, Details, Stop
from dirql.wdf.framework import WDF_VIOLATION

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest
    from dirql.hosts.sys.unwind import Frame

__all__ = ["Witness"]

NAMES = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{number}" for number in range(8, 16)))
LONGEST = 64  # lines of calls
KERNEL_SECURITY_CHECK_FAILURE = 0x139
STATUS_STACK_BUFFER_OVERRUN = 0xC0000409
RCX, RSP = 1, 4


class Witness:
    """`guest.part(Witness)`."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def see(self, stop: Stop, activation: Activation) -> None:
        """`stop` tells where in an image it happened, and how the driver got there."""
        stop.details = self.details(activation)
        if isinstance(stop, BugCheck):
            self._complete(stop, activation)
        place = self.place(activation)
        if place:
            stop.locate(place)

    def details(self, activation: Activation) -> Details:
        """Of the processor, which stands in `activation`."""
        guest = self._guest
        registers, _, rip = guest.processor.snapshot(activation)
        frame = guest.part(Frames).here(activation)
        shown = dict(zip(NAMES, registers, strict=True)) | {"rip": frame.rip, "eflags": guest.processor.flags(activation)}
        text = "" if frame.rip != rip else guest.traps.text(rip)
        return Details(text, shown, tuple(self._trace(activation)))

    def place(self, activation: Activation) -> str:
        """The innermost place in an image; "" where there is none."""
        for step in self._guest.part(Frames).walk(activation):
            if self._in_image(step.frame.rip):
                return self._guest.words(step.frame.rip, returning=not step.first)
        return ""

    def _complete(self, stop: BugCheck, activation: Activation) -> None:
        """The parameters that are addresses of the driver's."""
        guest, frame = self._guest, self._guest.part(Frames).here(activation)
        first, second, third, fourth = stop.parameters
        if stop.code == KERNEL_SECURITY_CHECK_FAILURE and not third:
            third = self._record(first, frame)
        elif stop.code == WDF_VIOLATION and not fourth and guest.stubs.words(frame.rip).startswith("wdf!"):
            fourth = frame.registers[RCX]
        elif stop.code == 0x0A and not fourth:  # of a routine that was given the address
            fourth = frame.rip
        elif stop.code in (0x50, 0xCC, 0xCD) and not third:
            third = frame.rip
        stop.parameters = first, second, third, fourth

    def _record(self, fast_fail: int, frame: Frame) -> int:
        """The address of an EXCEPTION_RECORD of the fast fail, below the stack; 0 where no stack is left."""
        space, stack = self._guest.space, self._guest.stacks.of(self._guest.machine.cpu).region
        rsp = frame.registers[RSP]
        address = rsp - EXCEPTION_RECORD.size & ~15
        if not stack.start <= address < rsp <= stack.end:
            return 0
        space.write(address, bytes(EXCEPTION_RECORD.size))
        record = EXCEPTION_RECORD(space, address)
        record.ExceptionCode, record.ExceptionFlags = STATUS_STACK_BUFFER_OVERRUN, NONCONTINUABLE
        record.ExceptionAddress, record.NumberParameters = frame.rip, 1
        record.ExceptionInformation[0] = fast_fail
        return address

    def _trace(self, activation: Activation) -> list[str]:
        guest, lines = self._guest, list[str]()
        current: Activation | None = activation
        for step in self._everything(activation):
            if step.activation is not current:
                inner, current = current, step.activation
                assert inner is not None
                lines.append("--- interrupts ---" if inner.interrupts else "--- is called by ---")
            lines.append(guest.words(step.frame.rip, returning=not step.first and self._in_image(step.frame.rip)))
        doing = guest.machine.where(guest.machine.cpu).partition(", ")
        name = doing[2].partition(", ")[0]
        return [*_folded(lines), f"--- {doing[0]}{', ' + name if name else ''} ---"]

    def _everything(self, activation: Activation) -> list[Step]:
        steps: list[Step] = []
        current: Activation | None = activation
        while current is not None:
            steps += self._guest.part(Frames).walk(current)
            outermost = current
            while outermost.outer is not None and not outermost.interrupts:
                outermost = outermost.outer
            current = outermost.outer
        return steps

    def _in_image(self, address: int) -> bool:
        return any(address in image for image in self._guest.images)


def _folded(lines: list[str]) -> list[str]:
    """`f+0x2f ×62` for a recursion; what is still long loses its middle."""
    folded = [(line, len(list(group))) for line, group in groupby(lines)]
    told = [line if times == 1 else f"{line} ×{times}" for line, times in folded]
    left_out = len(told) - LONGEST
    return told if left_out <= 0 else [*told[: LONGEST // 2], f"… {left_out} more …", *told[-(LONGEST // 2) :]]

"""What a debugger would show of a driver that stopped the machine: the instruction, the registers, the calls.

Limits: the stack is the one of the processor that stopped, not those of the others.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from dirql.hosts.sys.frames import Frames, Step
from dirql.hosts.sys.processor import Activation
from dirql.kernel.stop import Details, Stop

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Witness"]

NAMES = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{number}" for number in range(8, 16)))
LONGEST = 64  # lines of calls


class Witness:
    """`guest.part(Witness)`."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def see(self, stop: Stop, activation: Activation) -> None:
        """`stop` tells where in an image it happened, and how the driver got there."""
        stop.details = self.details(activation)
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

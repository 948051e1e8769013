"""How a run ended early, as text: what a debugger would show first (`!analyze`, `r`, `k`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dirql.report.page import BAD, FAINT, Page
from dirql.report.words import clean

__all__ = ["show_stop"]

ORDER = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rip", "rsp", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "eflags",
)  # fmt: skip
CELL = len("rax=0123456789abcdef ")


def show_stop(page: Page, stop: Mapping[str, Any] | None) -> None:
    """The bugcheck or the hang; where an image ran, its calls and the processor too."""
    if stop is None:
        return
    if stop["kind"] == "bugcheck":
        page.heading("Bugcheck")
        parameters = ", ".join(f"{value:#x}" for value in stop["parameters"])
        page.words(f"{stop['name']} ({stop['code']:x}), arguments {parameters}", BAD)
        page.words(stop["why"])
    else:
        page.heading("Hang", stop["rule"])
        page.words(stop["why"], BAD)
    if "trace" in stop:
        _calls(page, stop["trace"])
        _processor(page, stop["instruction"], stop["registers"])


def _calls(page: Page, trace: Sequence[str]) -> None:
    page.heading("Stack", "the innermost call first")
    for line in trace:
        page.words(line, FAINT if line.startswith("---") else "")


def _processor(page: Page, instruction: str, registers: Mapping[str, int]) -> None:
    page.heading("Processor", clean(instruction))
    cells = [f"{name}={registers[name]:0{8 if name == 'eflags' else 16}x}".rjust(CELL - 1) for name in ORDER if name in registers]
    across = max((page.width - 2) // CELL, 1)
    for at in range(0, len(cells), across):
        page.line("  " + " ".join(cells[at : at + across]), FAINT)

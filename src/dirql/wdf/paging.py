"""PAGED_CODE(): the mark of code that lies in a pageable section.

A Python driver has no sections; the mark at a function's top says that its C twin would stand in PAGE.
"""

from __future__ import annotations

import sys

from dirql.ddi import OnMachine, irql_name
from dirql.kernel.irql import APC_LEVEL

__all__ = ["paged_code"]


def paged_code(on: OnMachine) -> None:
    """PAGED_CODE(): the calling function is pageable, so above APC_LEVEL it is a finding. `on` is any object of the driver's."""
    machine = on.machine
    irql = machine.cpu.irql
    if irql > APC_LEVEL:
        who = sys._getframe(1).f_code.co_qualname
        sentence = f"{who} is pageable (PAGED_CODE) and runs at {irql_name(irql)}"
        remedy = "take the mark and its section away, or call it lower"
        machine.note_finding("paged-code-irql", f"{sentence}; {remedy}", machine.where())

"""The machine: processors, local APICs, memory, virtual time and the scheduler that asks a Chooser."""

from dirql.machine.chooser import Chooser, Option, Point, RandomChooser, RunToBlocking
from dirql.machine.costs import Costs
from dirql.machine.cpu import Cpu
from dirql.machine.machine import Machine
from dirql.machine.memory import PAGE_SIZE, Memory
from dirql.machine.port import Port

__all__ = [
    "PAGE_SIZE", "Chooser", "Costs", "Cpu", "Machine", "Memory", "Option", "Point", "Port", "RandomChooser", "RunToBlocking",
]  # fmt: skip

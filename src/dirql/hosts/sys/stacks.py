"""Kernel stacks: one for each thread, one for each processor's interrupts and DPCs."""

from __future__ import annotations

from dirql.errors import NotModelled
from dirql.hosts.sys.address_space import AddressSpace, Area, Region
from dirql.hosts.sys.processor import Activation
from dirql.kernel.thread import Thread
from dirql.machine.cpu import Cpu
from dirql.machine.memory import PAGE_SIZE

__all__ = ["Stack", "Stacks"]

SIZE = 6 * PAGE_SIZE  # 24 KiB, as on x64 Windows


class Stack:
    """`top` is where the next call begins: below whatever is on it already."""

    __slots__ = ("base", "calls", "on_thread", "region", "top")

    def __init__(self, region: Region, *, on_thread: bool) -> None:
        self.region, self.on_thread = region, on_thread
        self.base = self.top = region.end
        self.calls: Activation | None = None  # the innermost call into a driver that has not come back


class Stacks:
    """Whose code runs on which stack."""

    def __init__(self, space: AddressSpace, cpus: list[Cpu]) -> None:
        self._space = space
        self._of_cpu = [self._new(f"the interrupt stack of cpu{cpu.index}", on_thread=False) for cpu in cpus]
        self._of_thread: dict[Thread, Stack] = {}

    def of(self, cpu: Cpu) -> Stack:
        """The one that a call made on `cpu` now runs on."""
        thread: Thread | None = cpu.thread
        if thread is None or cpu.dpc is not None or cpu.apic.in_service:
            return self._of_cpu[cpu.index]
        stack = self._of_thread.get(thread)
        if stack is None:
            stack = self._of_thread[thread] = self._left_behind() or self._new("a thread's stack", on_thread=True)
        return stack

    def _left_behind(self) -> Stack | None:
        """The stack of a thread that has ended."""
        for thread in self._of_thread:
            if thread.finished:
                stack = self._of_thread.pop(thread)
                stack.top, stack.calls = stack.base, None
                return stack
        return None

    def _new(self, what: str, *, on_thread: bool) -> Stack:
        try:
            return Stack(self._space.allocate(Area.STACK, SIZE, what), on_thread=on_thread)
        except MemoryError as full:
            raise NotModelled(f"{what} of {SIZE:#x} bytes: {full}; give the machine more: memory under [machine], or "
                              "System(memory=…)") from None  # fmt: skip

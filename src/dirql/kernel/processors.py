"""Which processors there are, and on which a thread may run (processor groups: one, number 0).

Limits: a thread that is moved at DISPATCH_LEVEL or above goes on where it is until it next waits; more than one group and more
than one node do not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.kernel.irql import DISPATCH_LEVEL
from dirql.machine.machine import Machine
from dirql.ntstatus import StatusError

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["ALL_PROCESSOR_GROUPS", "INVALID_PROCESSOR_INDEX", "Processors"]

ALL_PROCESSOR_GROUPS = 0xFFFF
INVALID_PROCESSOR_INDEX = 0xFFFF_FFFF


class Processors:
    """The machine's processors by group, number and index, and the affinity of the running thread."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine

    @property
    def mask(self) -> int:
        """A bit for each."""
        return (1 << len(self.machine.cpus)) - 1

    @ddi("KeQueryActiveProcessors")
    def query_active_processors(self) -> int:
        """KeQueryActiveProcessors: a bit for each of group 0."""
        return self.mask

    @ddi("KeQueryActiveProcessorCountEx")
    def query_active_processor_count(self, group: int = ALL_PROCESSOR_GROUPS) -> int:
        """KeQueryActiveProcessorCountEx: 0 for a group that does not exist."""
        return len(self.machine.cpus) if group in (0, ALL_PROCESSOR_GROUPS) else 0

    @ddi("KeQueryMaximumProcessorCountEx")
    def query_maximum_processor_count(self, group: int = ALL_PROCESSOR_GROUPS) -> int:
        """KeQueryMaximumProcessorCountEx: none is ever added."""
        return len(self.machine.cpus) if group in (0, ALL_PROCESSOR_GROUPS) else 0

    @ddi("KeQueryActiveGroupCount")
    def query_active_group_count(self) -> int:
        """KeQueryActiveGroupCount."""
        return 1

    @ddi("KeQueryMaximumGroupCount")
    def query_maximum_group_count(self) -> int:
        """KeQueryMaximumGroupCount."""
        return 1

    @ddi("KeQueryGroupAffinity")
    def query_group_affinity(self, group: int) -> int:
        """KeQueryGroupAffinity: 0 for a group that does not exist."""
        return self.mask if group == 0 else 0

    @ddi("KeQueryHighestNodeNumber")
    def query_highest_node_number(self) -> int:
        """KeQueryHighestNodeNumber."""
        return 0

    @ddi("KeGetCurrentNodeNumber")
    def get_current_node_number(self) -> int:
        """KeGetCurrentNodeNumber."""
        return 0

    @ddi("KeQueryNodeActiveAffinity")
    def query_node_active_affinity(self, node: int) -> tuple[int, int]:
        """KeQueryNodeActiveAffinity: (a bit for each processor, how many)."""
        return (self.mask, len(self.machine.cpus)) if node == 0 else (0, 0)

    @ddi("KeGetProcessorNumberFromIndex")
    def get_processor_number_from_index(self, index: int) -> tuple[int, int]:
        """KeGetProcessorNumberFromIndex: (group, number)."""
        if not 0 <= index < len(self.machine.cpus):
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"processor {index} of {len(self.machine.cpus)}")
        return 0, index

    @ddi("KeGetProcessorIndexFromNumber")
    def get_processor_index_from_number(self, group: int, number: int) -> int:
        """KeGetProcessorIndexFromNumber: INVALID_PROCESSOR_INDEX for a processor that does not exist."""
        return number if group == 0 and number < len(self.machine.cpus) else INVALID_PROCESSOR_INDEX

    @ddi("KeSetSystemAffinityThreadEx")
    def set_system_affinity_thread(self, affinity: int) -> int:
        """KeSetSystemAffinityThreadEx: the running thread goes on on one of these processors; the system affinity that was set
        before, 0 if none was. Processors that do not exist do not count, and a mask without any changes nothing."""
        return self._set(affinity)

    @ddi("KeRevertToUserAffinityThreadEx")
    def revert_to_user_affinity_thread(self, affinity: int = 0) -> None:
        """KeRevertToUserAffinityThreadEx: back to the system affinity that was set before, or to every processor (0)."""
        self._revert(affinity)

    @ddi("KeSetSystemGroupAffinityThread")
    def set_system_group_affinity_thread(self, affinity: int, group: int = 0) -> int:
        """KeSetSystemGroupAffinityThread: the affinity before (0 if none was set); another group's changes nothing."""
        return self._set(affinity if group == 0 else 0)

    @ddi("KeRevertToUserGroupAffinityThread")
    def revert_to_user_group_affinity_thread(self, affinity: int = 0) -> None:
        """KeRevertToUserGroupAffinityThread."""
        self._revert(affinity)

    def _set(self, affinity: int) -> int:
        thread = self.machine.cpu.thread or self.kernel.no_thread
        before: int = thread.system_affinity
        if affinity & self.mask:
            thread.system_affinity = thread.affinity = affinity & self.mask
            self._move()
        return before

    def _revert(self, affinity: int) -> None:
        thread = self.machine.cpu.thread or self.kernel.no_thread
        thread.system_affinity = affinity & self.mask
        thread.affinity = thread.system_affinity or self.mask
        self._move()

    def _move(self) -> None:
        """The running thread leaves a processor that it may not run on."""
        cpu = self.machine.cpu
        thread = cpu.thread
        if thread is None or thread.affinity & cpu.bit or cpu.irql >= DISPATCH_LEVEL:
            return
        self.kernel.dispatcher.make_ready(thread, cpu.now)
        self.kernel.dispatcher.block()

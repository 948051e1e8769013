"""Run-down protection (EX_RUNDOWN_REF): holders of a shared object, and one who waits until there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.ddi import ddi
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.thread import Thread
from dirql.kernel.wait import wait

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["Rundown"]

ACTIVE = 1  # bit 0 of Count; above it stands how many hold it


class Rundown(DispatcherObject):
    """EX_RUNDOWN_REF. `count` is as in C: twice the number of holders, and bit 0 once it is run down."""

    kind = "run-down protection"

    def __init__(self, kernel: Kernel, name: str = "") -> None:
        super().__init__(kernel, name)
        self.count = 0

    @ddi("ExAcquireRundownProtection")
    def acquire(self, count: int = 1) -> bool:
        """ExAcquireRundownProtection(Ex): False once it is being run down."""
        before = self.count
        if before & ACTIVE:
            return False
        self.count = before + 2 * count
        if self.machine.watch is not None:
            self.machine.watch.acquire(self)
        return True

    @ddi("ExReleaseRundownProtection")
    def release(self, count: int = 1) -> None:
        """ExReleaseRundownProtection(Ex); more than were acquired is a finding."""
        before = self.count
        if before >> 1 < count:
            sentence = f"{self.name} is released {count} times and held {before >> 1} times"
            self.machine.note_finding("rundown-over-released", sentence, self.machine.where())
            count = before >> 1
        self.count = before - 2 * count
        self.signal()

    @ddi("ExWaitForRundownProtectionRelease")
    def wait_for_release(self) -> None:
        """ExWaitForRundownProtectionRelease: nobody acquires it from now on; returns when nobody holds it."""
        self.count = self.count | ACTIVE
        wait(self.kernel, [self], False, None)

    @ddi("ExRundownCompleted")
    def completed(self) -> None:
        """ExRundownCompleted: it stays run down."""
        self.count = ACTIVE

    @ddi("ExReInitializeRundownProtection")
    def reinitialize(self) -> None:
        """ExReInitializeRundownProtection: it can be acquired again."""
        self.count = 0

    def signaled_for(self, thread: Thread) -> bool:
        """Once nobody holds it any more."""
        return self.count == ACTIVE

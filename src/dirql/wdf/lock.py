"""WDFSPINLOCK, WDFWAITLOCK and the presentation locks of devices and queues (facts §2.5, §5.3, §7).

Limits: the lock verifier's deadlock order is not modelled; recursion on a presentation lock is.
"""

from __future__ import annotations

from types import TracebackType

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.kernel.held import without
from dirql.kernel.irql import DISPATCH_LEVEL, PASSIVE_LEVEL
from dirql.kernel.kernel import Kernel
from dirql.kernel.lock import SpinLock as KernelSpinLock
from dirql.kernel.stop import BugCheck
from dirql.kernel.thread import Thread
from dirql.kernel.wait import Event, EventType, wait
from dirql.ntstatus import StatusError
from dirql.wdf.creation import limited_to, parent_of, validate
from dirql.wdf.framework import WDF_VIOLATION, Framework
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope, expect

__all__ = [
    "CallbackLock", "PassiveLock", "SpinLock", "WaitLock", "acquire_object_lock", "callback_lock", "effective_lock",
    "execution_level", "release_object_lock", "synchronization_scope",
]  # fmt: skip

RECURSIVE_LOCK = 2
INVALID_LOCK_OPERATION = 0xB


class PassiveLock:
    """A lock that threads wait for: an event that lets one through, inside a critical region."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel = kernel
        self.name = name
        self.owner: Thread | None = None
        self._free = Event(kernel, EventType.SynchronizationEvent, True, name)

    @property
    def owned(self) -> bool:
        """True for the thread that holds it."""
        return self.owner is not None and self.owner is self._thread

    def take(self, timeout: int | None) -> bool:
        """False when it was not to be had within `timeout` ns (None: wait for ever)."""
        thread = self._thread
        self.kernel.held.wait_for(self, thread, for_ever=timeout is None)
        thread.critical_region += 1
        if wait(self.kernel, [self._free], False, timeout) == ntstatus.STATUS_TIMEOUT:
            thread.critical_region -= 1
            return False
        self.owner = thread
        thread.locks = self, thread.locks, None
        return True

    def give(self) -> None:
        """Let the next thread have it."""
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.locks = without(owner.locks, self)
            owner.critical_region -= 1
        self._free.state = True
        self._free.signal()

    @property
    def _thread(self) -> Thread:
        return self.kernel.machine.cpu.thread or self.kernel.no_thread


class SpinLock(Object):
    """WDFSPINLOCK. Once an interrupt was given it, it is an `interrupt_lock` for ever, and the two routines do nothing."""

    kind = "WDFSPINLOCK"

    def __init__(self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None) -> None:
        super().__init__(framework, parent, attributes)
        self.spin_lock = KernelSpinLock(framework.kernel, self.name)
        self.interrupt_lock = False

    @classmethod
    @ddi_create("WdfSpinLockCreate")
    def create(cls, parent: Object | Framework, attributes: ObjectAttributes | None = None) -> SpinLock:
        """WdfSpinLockCreate. Without a parent the driver is it."""
        framework, above = _place(parent, attributes, cls.kind, "WdfSpinLockCreate")
        return cls(framework, above, attributes)

    @ddi("WdfSpinLockAcquire")
    def acquire(self) -> None:
        """WdfSpinLockAcquire: to DISPATCH_LEVEL, with the lock."""
        if self._is_free_for_drivers("WdfSpinLockAcquire"):
            cpu = self.machine.cpu
            old, cpu.irql = cpu.irql, max(cpu.irql, DISPATCH_LEVEL)
            self.spin_lock.enter(cpu)
            self.spin_lock.old_irql = old

    @ddi("WdfSpinLockRelease")
    def release(self) -> None:
        """WdfSpinLockRelease: back to the IRQL that the acquirer came from; bugcheck 0x10 on another processor than the owner."""
        if self._is_free_for_drivers("WdfSpinLockRelease"):
            old = self.spin_lock.old_irql
            self.spin_lock.leave(self.machine.cpu)
            self.framework.kernel.lower(self.machine.cpu, old)

    def _is_free_for_drivers(self, routine: str) -> bool:
        if self.interrupt_lock:
            self.framework.complain("interrupt-lock", f"{routine} of {self.name} does nothing: it is an interrupt's "
                                    "lock; use WdfInterruptAcquireLock and WdfInterruptReleaseLock")  # fmt: skip
        return not self.interrupt_lock


class WaitLock(Object):
    """WDFWAITLOCK: not recursive; its holder is in a critical region."""

    kind = "WDFWAITLOCK"

    def __init__(self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None) -> None:
        super().__init__(framework, parent, attributes)
        self.lock = PassiveLock(framework.kernel, self.name)

    @classmethod
    @ddi_create("WdfWaitLockCreate")
    def create(cls, parent: Object | Framework, attributes: ObjectAttributes | None = None) -> WaitLock:
        """WdfWaitLockCreate. Without a parent the driver is it."""
        framework, above = _place(parent, attributes, cls.kind, "WdfWaitLockCreate")
        return cls(framework, above, attributes)

    @ddi("WdfWaitLockAcquire")
    def acquire(self, timeout: int | None = None) -> int:
        """WdfWaitLockAcquire, within `timeout` ns (None: for ever): STATUS_SUCCESS or STATUS_TIMEOUT.

        PASSIVE_LEVEL; with a time-out of zero up to DISPATCH_LEVEL (facts §7).
        """
        if timeout != 0 and not limited_to(self.framework, PASSIVE_LEVEL, "WdfWaitLockAcquire", "unless the time-out is zero"):
            return ntstatus.STATUS_INVALID_DEVICE_REQUEST
        if self.lock.owned and timeout is None:
            self.framework.complain("recursive-lock", f"WdfWaitLockAcquire of {self.name} by {self.lock.owner}, which holds it, "
                                    "waits for ever: a wait lock is not recursive")  # fmt: skip
        return ntstatus.STATUS_SUCCESS if self.take(timeout) else ntstatus.STATUS_TIMEOUT

    @ddi("WdfWaitLockRelease")
    def release(self) -> None:
        """WdfWaitLockRelease. By another thread than the owner: bugcheck 10D/B under the KMDF verifier (facts §5.3)."""
        if not self.lock.owned:
            sentence = f"{self.machine.cpu.thread} releases {self.name}, which {self.lock.owner or 'nobody'} holds"
            if self.framework.verifier.kmdf:
                raise BugCheck(WDF_VIOLATION, INVALID_LOCK_OPERATION, self.handle, 1, why=sentence)
            self.framework.complain("lock-not-owned", sentence)
        self.give()

    def take(self, timeout: int | None) -> bool:
        """`acquire` without being a routine of its own; False when the time is over."""
        return self.lock.take(timeout)

    def give(self) -> None:
        """`release` without being a routine of its own."""
        self.lock.give()


class CallbackLock:
    """The presentation lock of a device or queue: a wait lock where callbacks run at PASSIVE_LEVEL, else a spin lock.

    `with lock:` around a callback; an exception leaves it taken, since the machine stands still then.
    """

    def __init__(self, owner: Object, passive: bool) -> None:
        self.framework, self.owner, self.passive = owner.framework, owner, passive
        kernel, name = self.framework.kernel, f"presentation lock of {owner.name}"
        self._wait_lock = PassiveLock(kernel, name)
        self._spin_lock = KernelSpinLock(kernel, name)

    @property
    def owned(self) -> bool:
        """True where it is held by who runs now."""
        if self.passive:
            return self._wait_lock.owned
        return self._spin_lock.owner is self.framework.machine.cpu

    def __enter__(self) -> CallbackLock:
        if self.owned and self.framework.verifier.kmdf:
            raise BugCheck(
                WDF_VIOLATION, RECURSIVE_LOCK, self.owner.handle, why=f"{self._spin_lock.name} is acquired recursively"
            )
        if self.passive:
            self._wait_lock.take(None)
        else:
            cpu = self.framework.machine.cpu
            old, cpu.irql = cpu.irql, max(cpu.irql, DISPATCH_LEVEL)
            self._spin_lock.enter(cpu)
            self._spin_lock.old_irql = old
        return self

    def __exit__(self, type_: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        if type_ is None:
            self.release()

    def release(self) -> None:
        """Give it back."""
        if self.passive:
            self._wait_lock.give()
        else:
            cpu, old = self.framework.machine.cpu, self._spin_lock.old_irql
            self._spin_lock.leave(cpu)
            self.framework.kernel.lower(cpu, old)


def execution_level(node: Object | None) -> ExecutionLevel:
    """What holds for callbacks of `node`'s children: its own choice or the nearest above; Dispatch without one (facts §2.5)."""
    while node is not None:
        if node.attributes.execution_level != ExecutionLevel.InheritFromParent:
            return ExecutionLevel(node.attributes.execution_level)
        node = node.parent
    return ExecutionLevel.Dispatch


def synchronization_scope(node: Object | None) -> SynchronizationScope:
    """The same for the synchronisation scope; None without one (facts §2.5)."""
    while node is not None:
        if node.attributes.synchronization_scope != SynchronizationScope.InheritFromParent:
            return SynchronizationScope(node.attributes.synchronization_scope)
        node = node.parent
    return SynchronizationScope.None_


def callback_lock(parent: Object) -> CallbackLock | None:
    """The presentation lock that holds for `parent`: of the nearest device or queue, by its scope. None where none is taken.

    Scope Device on a queue means the device's lock; a device of scope Queue has one of its own (model choice).
    """
    owner: Object | None = parent
    while owner is not None and owner.kind not in ("WDFDEVICE", "WDFQUEUE"):
        owner = owner.parent
    scope = synchronization_scope(owner)
    if owner is None or scope == SynchronizationScope.None_:
        return None
    if scope == SynchronizationScope.Device and owner.device is not None:
        owner = owner.device
    if owner.presentation_lock is None:
        owner.presentation_lock = CallbackLock(owner, execution_level(owner) == ExecutionLevel.Passive)
    lock: CallbackLock = owner.presentation_lock
    return lock


def effective_lock(parent: Object, automatic_serialization: bool, passive: bool, routine: str) -> CallbackLock | None:
    """The lock around a child's callback, which is called at PASSIVE_LEVEL if `passive`, else at DISPATCH_LEVEL (facts §2.5)."""
    lock = callback_lock(parent) if automatic_serialization else None
    if lock is not None and lock.passive != passive:
        have, want = ("Passive", "Dispatch") if lock.passive else ("Dispatch", "Passive")
        problem = f"AutomaticSerialization with {parent.name}, whose execution level is {have}; the callback runs at {want}"
        raise StatusError(ntstatus.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL, f"{routine}: {problem}")
    return lock


@ddi("WdfObjectAcquireLock")
def acquire_object_lock(holder: Object) -> None:
    """WdfObjectAcquireLock: the presentation lock of a device or queue; bugcheck 10D/B for an object without one."""
    _lock_of(holder, "WdfObjectAcquireLock").__enter__()


@ddi("WdfObjectReleaseLock")
def release_object_lock(holder: Object) -> None:
    """WdfObjectReleaseLock."""
    lock = _lock_of(holder, "WdfObjectReleaseLock")
    if not lock.owned:
        sentence = f"WdfObjectReleaseLock of {holder.name}, whose lock somebody else holds, or nobody"
        if lock.framework.verifier.kmdf or not lock.passive:
            raise BugCheck(WDF_VIOLATION, INVALID_LOCK_OPERATION, holder.handle, 1, why=sentence)
        lock.framework.complain("lock-not-owned", sentence)
    lock.release()


def _lock_of(holder: Object, routine: str) -> CallbackLock:
    expect(holder, Object, routine)
    lock = callback_lock(holder) if holder.kind in ("WDFDEVICE", "WDFQUEUE") else None
    if lock is None:
        sentence = f"{routine}: {holder.kind} {holder.name} has no lock; devices and queues of scope Device or Queue have one"
        raise BugCheck(WDF_VIOLATION, INVALID_LOCK_OPERATION, holder.handle, 0, why=sentence)
    return lock


def _place(
    first: Object | Framework, attributes: ObjectAttributes | None, kind: str, routine: str
) -> tuple[Framework, Object | None]:
    parent = parent_of(first, attributes, routine)
    validate(kind, attributes)
    framework = parent.framework if parent is not None else first if isinstance(first, Framework) else first.framework
    return framework, parent if parent is not None else framework.driver

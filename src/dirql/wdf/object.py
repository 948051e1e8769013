"""Framework objects: handles, the tree of parents, contexts, reference counts, deletion (facts §2.3, §2.4, §6.3).

Deleting an object deletes its children first; cleanup callbacks run from the leaves up, destroy callbacks once the last
reference is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.kernel.stop import BugCheck
from dirql.machine.machine import Machine
from dirql.wdf.framework import WDF_VIOLATION, Framework

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["ExecutionLevel", "Object", "ObjectAttributes", "SynchronizationScope", "expect", "expect_parameter"]

C = TypeVar("C")
O = TypeVar("O", bound="Object")


class ExecutionLevel(IntEnum):
    """WDF_EXECUTION_LEVEL."""

    Invalid = 0
    InheritFromParent = 1
    Passive = 2
    Dispatch = 3


class SynchronizationScope(IntEnum):
    """WDF_SYNCHRONIZATION_SCOPE."""

    Invalid = 0
    InheritFromParent = 1
    Device = 2
    Queue = 3
    None_ = 4


@dataclass
class ObjectAttributes:
    """WDF_OBJECT_ATTRIBUTES. `context_type` is any class; an instance of it becomes the object's context.

    In C the context type is a structure known by name; `context_name` None stands for one without.
    """

    evt_cleanup_callback: Callable[[Any], None] | None = None
    evt_destroy_callback: Callable[[Any], None] | None = None
    execution_level: int = ExecutionLevel.InheritFromParent
    synchronization_scope: int = SynchronizationScope.InheritFromParent
    parent_object: Object | None = None
    context_size_override: int = 0
    context_type: type | None = None
    size: int = 0x38
    context_info_size: int = 0x28
    context_name: str | None = ""
    context_size: int = 0

    def validate(self, *, parent_allowed: bool = True, levels_allowed: bool = True) -> int:
        """The framework's own order of checks (facts §2.3, 5 to 5e); an NTSTATUS."""
        if self.size != 0x38 or (self.context_type is not None and self.context_info_size != 0x28):
            return ntstatus.STATUS_INFO_LENGTH_MISMATCH
        if self.context_type is not None and self.context_name is None:
            return ntstatus.STATUS_WDF_OBJECT_ATTRIBUTES_INVALID
        if self.context_size_override and (self.context_type is None or self.context_size_override < self.context_size):
            return ntstatus.STATUS_WDF_OBJECT_ATTRIBUTES_INVALID
        if self.parent_object is not None and not parent_allowed:
            return ntstatus.STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED
        if not 1 <= self.execution_level <= 3 or not 1 <= self.synchronization_scope <= 4:
            return ntstatus.STATUS_WDF_OBJECT_ATTRIBUTES_INVALID
        if not levels_allowed:
            if self.synchronization_scope not in (SynchronizationScope.InheritFromParent, SynchronizationScope.None_):
                return ntstatus.STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID
            if self.execution_level != ExecutionLevel.InheritFromParent:
                return ntstatus.STATUS_WDF_EXECUTION_LEVEL_INVALID
        return ntstatus.STATUS_SUCCESS

    def copy(self) -> ObjectAttributes:
        """The framework keeps what the driver passed, not the driver's structure."""
        return replace(self)


class Object:
    """WDFOBJECT. `deletable` False: WdfObjectDelete is refused, the framework deletes it itself."""

    kind = "WDFOBJECT"
    deletable = True

    def __init__(self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None, name: str = "") -> None:
        self.framework = framework
        self.machine: Machine = framework.machine
        self.handle = framework.new_handle()
        self.attributes = attributes.copy() if attributes is not None else ObjectAttributes()
        self.parent = parent
        self.children: list[Object] = []
        self.references = 1
        self.deleting = False
        self.destroyed = False
        self.name = name or f"{self.kind.removeprefix('WDF').lower()}{self.handle // 8}"
        self.presentation_lock: Any = None  # of devices and queues: see `dirql.wdf.lock.callback_lock`
        self._contexts: dict[type, Any] = {}
        if parent is not None:
            if parent.deleting:
                raise ntstatus.StatusError(ntstatus.STATUS_DELETE_PENDING, f"parent {parent.name} is being deleted")
            parent.children.append(self)
        if self.attributes.context_type is not None:
            self._contexts[self.attributes.context_type] = self.attributes.context_type()

    @ddi("WdfObjectDelete")
    def delete(self) -> None:
        """WdfObjectDelete. On an object that the framework owns: traced, nothing else (facts §2.4)."""
        if not self.deletable:
            self.framework.complain("cannot-delete", f"WdfObjectDelete of {self.kind} {self.name} is refused "
                                    "(STATUS_CANNOT_DELETE): the framework deletes it")  # fmt: skip
            return
        if self.deleting:
            raise BugCheck(WDF_VIOLATION, 7, self.handle, why=f"{self.kind} {self.name} is deleted twice")
        self.dispose()

    @ddi("WdfObjectReferenceActual")
    def reference(self) -> None:
        """WdfObjectReference."""
        self.references += 1

    @ddi("WdfObjectDereferenceActual")
    def dereference(self) -> None:
        """WdfObjectDereference; bugcheck 10D/7 when that frees an object nobody deleted."""
        if self.references == 1 and not self.deleting:
            raise BugCheck(WDF_VIOLATION, 7, self.handle, why=f"{self.kind} {self.name} is dereferenced once too often")
        self._release()

    @ddi("WdfObjectGetTypedContextWorker")
    def get_typed_context(self, type_: type[C]) -> C | None:
        """WdfObjectGetTypedContext: the context of that type, None (and a trace line) when there is none."""
        context = self._contexts.get(type_)
        if context is None:
            self.framework.note(f"{self.name} has no context of type {type_.__name__}")
        return cast("C | None", context)

    @ddi("WdfObjectAllocateContext")
    def allocate_context(self, attributes: ObjectAttributes) -> Any:
        """WdfObjectAllocateContext: a further context; the one there already when the type is attached."""
        type_ = attributes.context_type
        if type_ is None:
            raise ntstatus.StatusError(ntstatus.STATUS_WDF_OBJECT_ATTRIBUTES_INVALID, "attributes name no context type")
        if type_ not in self._contexts:
            self._contexts[type_] = type_()
        return self._contexts[type_]

    @property
    def context(self) -> Any:
        """The context given at creation: short for `get_typed_context` where there is one type. None without."""
        return next(iter(self._contexts.values()), None)

    def dispose(self) -> None:
        """Delete children from the youngest up, then clean up; destroyed when the last reference goes."""
        if self.deleting:
            return
        self.deleting = True
        for child in reversed(list(self.children)):
            child.dispose()
        self.on_cleanup()
        if self.attributes.evt_cleanup_callback is not None:
            self.framework.call("EvtCleanupCallback", self, self.attributes.evt_cleanup_callback, self)
        if self.parent is not None:
            self.parent.children.remove(self)
        self._release()

    def on_cleanup(self) -> None:
        """What the framework itself gives back."""

    def _release(self) -> None:
        self.references -= 1
        if not self.references:
            self.destroyed = True
            if self.attributes.evt_destroy_callback is not None:
                self.framework.call("EvtDestroyCallback", self, self.attributes.evt_destroy_callback, self)
            self.on_destroy()

    def on_destroy(self) -> None:
        """What the framework gives back when nobody refers to the object any more."""

    @property
    def device(self) -> Device | None:
        """The nearest device up the tree."""
        from dirql.wdf.device import Device

        node: Object | None = self
        while node is not None and not isinstance(node, Device):
            node = node.parent
        return node

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


def expect(value: Any, type_: type[O], routine: str) -> O:
    """`value` as a handle of `type_`; bugcheck 10D/5 for NULL or another type, verifier or not (facts §5.3)."""
    if not isinstance(value, type_):
        handle = value.handle if isinstance(value, Object) else 0
        raise BugCheck(WDF_VIOLATION, 5, handle, why=f"{routine} was given {value!r} for a {type_.kind} handle")
    return value


def expect_parameter(value: Any, name: str, routine: str) -> None:
    """Bugcheck 10D/4 when a required pointer is NULL (facts §5.3)."""
    if value is None:
        raise BugCheck(WDF_VIOLATION, 4, why=f"{routine}: required parameter {name} is NULL")

"""Framework objects: handles, the tree of parents, contexts, reference counts, deletion (facts §2.3, §2.4, §6.3).

Deleting an object cleans up the whole tree below it, from the leaves up; then each object of it is destroyed, once the last
reference to it is gone (model choice: no destroy callback before the last cleanup callback of the tree). An object of
ExecutionLevel Passive that is deleted above PASSIVE_LEVEL is cleaned up by a work item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from dirql import ntstatus
from dirql.callback import refuse_asynchronous
from dirql.ddi import ddi
from dirql.kernel.stop import BugCheck
from dirql.machine.machine import Machine
from dirql.wdf.framework import WDF_VIOLATION, Framework

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = [
    "ExecutionLevel", "HostContext", "Object", "ObjectAttributes", "SynchronizationScope", "create_object", "expect",
    "expect_parameter", "object_of_context",
]  # fmt: skip

# Parameter 1 of WDF_VIOLATION (facts §5.3).
REQUIRED_PARAMETER_IS_NULL, INVALID_HANDLE, OBJECT_ERROR = 4, 5, 7

C = TypeVar("C")
H = TypeVar("H", bound="Object")


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
        _refuse_asynchronous_fields(self, "WDF_OBJECT_ATTRIBUTES")
        return replace(self)


class HostContext:
    """A context that a host keeps where its driver can reach it, and takes back when the object is destroyed."""

    def free(self) -> None:
        """Its object is destroyed."""


class Object:
    """WDFOBJECT. `deletable` False: WdfObjectDelete is refused, the framework deletes it itself."""

    kind = "WDFOBJECT"
    deletable = True

    def __init__(self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None, name: str = "") -> None:
        self.framework = framework
        self.machine: Machine = framework.machine
        if framework.look_at is not None:
            framework.look_at(type(self))
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
        self._further: list[ObjectAttributes] = []  # of contexts that were allocated later, with callbacks of their own
        if parent is not None and parent.deleting:
            raise ntstatus.StatusError(ntstatus.STATUS_DELETE_PENDING, f"parent {parent.name} is being deleted")
        if parent is not None:
            framework.refuse_too_many(self.kind)
        self._make_context(self.attributes)  # there may be no room for it
        if parent is not None:
            parent.children.append(self)
            framework.live += 1

    @ddi("WdfObjectDelete")
    def delete(self) -> None:
        """WdfObjectDelete. On an object that the framework owns: traced, nothing else (facts §2.4)."""
        if not self.deletable:
            self.framework.complain("cannot-delete", f"WdfObjectDelete of {self.kind} {self.name} is refused "
                                    "(STATUS_CANNOT_DELETE): the framework deletes it")  # fmt: skip
            return
        if self.deleting:  # model choice: which parameter
            raise BugCheck(WDF_VIOLATION, OBJECT_ERROR, self.handle, why=f"{self.kind} {self.name} is deleted twice")
        self.dispose()

    @ddi("WdfObjectReferenceActual")
    def reference(self) -> None:
        """WdfObjectReference."""
        self.references += 1

    @ddi("WdfObjectDereferenceActual")
    def dereference(self) -> None:
        """WdfObjectDereference; bugcheck 10D/7 when that frees an object nobody deleted."""
        if self.references == 1 and not self.deleting:
            why = f"{self.kind} {self.name} is dereferenced once too often"
            raise BugCheck(WDF_VIOLATION, OBJECT_ERROR, self.handle, why=why)
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
        """WdfObjectAllocateContext: a further context, with cleanup and destroy callbacks of its own. The one there already when
        the type is attached: C gets it with STATUS_OBJECT_NAME_EXISTS, a success code (facts §6.3)."""
        if status := attributes.validate():
            raise ntstatus.StatusError(status, "WDF_OBJECT_ATTRIBUTES of a context")
        type_ = attributes.context_type
        if type_ is None:
            raise ntstatus.StatusError(ntstatus.STATUS_WDF_OBJECT_ATTRIBUTES_INVALID, "attributes name no context type")
        if type_ not in self._contexts:
            if self.deleting:
                raise ntstatus.StatusError(ntstatus.STATUS_DELETE_PENDING, f"{self.name} is being deleted")
            self._make_context(attributes)
            self._further.append(attributes.copy())
        return self._contexts[type_]

    @ddi("WdfObjectQuery")
    def query(self, guid: UUID) -> Any:
        """WdfObjectQuery: no object answers to any (model choice: StatusError STATUS_NOT_FOUND)."""
        raise ntstatus.StatusError(ntstatus.STATUS_NOT_FOUND, f"WdfObjectQuery: {self.name} has no interface {{{guid}}}")

    def _make_context(self, attributes: ObjectAttributes) -> Any:
        type_ = attributes.context_type
        if type_ is not None:
            if self.framework.look_at is not None:
                self.framework.look_at(type_)
            context = self._contexts[type_] = type_()
            self.framework.of_context[id(context)] = self
            return context
        return None

    def has_context(self, type_: type) -> bool:
        """True if a context of that type is attached."""
        return type_ in self._contexts

    @property
    def context(self) -> Any:
        """The context given at creation: short for `get_typed_context` where there is one type. None without."""
        return next(iter(self._contexts.values()), None)

    def dispose(self) -> None:
        """Delete it, whoever may: clean up from the youngest leaf to here, then drop the framework's references."""
        if self.deleting:
            return
        self.deleting = True
        if self.attributes.execution_level == ExecutionLevel.Passive and self.machine.cpu.irql:
            self.framework.kernel.work.queue(self._dispose, None)
        else:
            self._dispose(None)

    def _dispose(self, _: Any) -> None:
        for cleaned in self._clean_up():
            cleaned._release()

    def _clean_up(self) -> list[Object]:
        """The objects that were cleaned up, in that order."""
        cleaned: list[Object] = []
        for child in reversed(list(self.children)):
            if not child.deleting:
                child.deleting = True
                cleaned += child._clean_up()
        self.on_cleanup()
        for attributes in (self.attributes, *self._further):
            if attributes.evt_cleanup_callback is not None:
                self.framework.call("EvtCleanupCallback", self, attributes.evt_cleanup_callback, self)
        if self.parent is not None:
            _remove(self.parent.children, self)
        return [*cleaned, self]

    def on_cleanup(self) -> None:
        """What the framework itself gives back."""

    def _release(self) -> None:
        self.references -= 1
        if self.references and self.deleting:
            self.framework.held.add(self)
        elif not self.references:
            self.framework.held.discard(self)
            for attributes in (self.attributes, *self._further):
                if attributes.evt_destroy_callback is not None:
                    self.framework.call("EvtDestroyCallback", self, attributes.evt_destroy_callback, self)
            self.framework.live -= self.parent is not None
            self.destroyed = True  # and not earlier: the destroy callback still finds the contexts (facts §6.3)
            for context in self._contexts.values():
                self.framework.of_context.pop(id(context), None)
                if isinstance(context, HostContext):
                    context.free()
            self.on_destroy()

    def refuse_if_freed(self, routine: str) -> None:
        """Bugcheck 10D/5 for a handle of an object that is no more: `ddi` asks for every routine that is given one."""
        if self.destroyed:
            why = f"{routine.removesuffix('Actual')} of {self.kind} {self.name}, which was freed"
            raise BugCheck(WDF_VIOLATION, INVALID_HANDLE, self.handle, why=why)

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


@ddi("WdfObjectCreate")
def create_object(parent: Object, attributes: ObjectAttributes | None = None) -> Object:
    """WdfObjectCreate: an object of the driver's own, below `parent` or the parent that the attributes name."""
    if attributes is not None and (status := attributes.validate(levels_allowed=False)):
        raise ntstatus.StatusError(status, "WDF_OBJECT_ATTRIBUTES of an object")
    if attributes is not None and attributes.parent_object is not None:
        parent = expect(attributes.parent_object, Object, "WdfObjectCreate")
    return Object(parent.framework, parent, attributes)


@ddi("WdfObjectContextGetObject")
def object_of_context(framework: Framework, context: Any) -> Object:
    """WdfObjectContextGetObject: the object that the context belongs to. Bugcheck 10D/5 for what is no context (model choice:
    a machine computes some handle)."""
    owner = framework.of_context.get(id(context))
    if owner is None:
        given = f"{context:#x}" if isinstance(context, int) else repr(context)
        raise BugCheck(WDF_VIOLATION, INVALID_HANDLE, why=f"WdfObjectContextGetObject was given {given}, which is no context")
    return owner


def expect(value: Any, type_: type[H], routine: str) -> H:
    """`value` as a handle of `type_`; bugcheck 10D/5 for NULL, another type or a freed object, verifier or not (facts §5.3)."""
    if not isinstance(value, type_) or value.destroyed:
        handle = value.handle if isinstance(value, Object) else 0
        freed = ", which was freed" if isinstance(value, type_) else ""
        why = f"{routine} was given {value!r} for a {type_.kind} handle{freed}"
        raise BugCheck(WDF_VIOLATION, INVALID_HANDLE, handle, why=why)
    return value


def expect_parameter(value: Any, name: str, routine: str) -> None:
    """Bugcheck 10D/4 when a required pointer is NULL (facts §5.3); UsageError for a callback, or a configuration with one, that
    is no plain function."""
    if value is None:
        why = f"{routine}: required parameter {name} is NULL"
        raise BugCheck(WDF_VIOLATION, REQUIRED_PARAMETER_IS_NULL, why=why)
    refuse_asynchronous(value, f"{routine}: {name}")
    _refuse_asynchronous_fields(value, routine)


def _remove(children: list[Object], child: Object) -> None:
    """From the end, where the youngest are that go first."""
    if children[-1] is child:
        children.pop()
    else:
        children.remove(child)


def _refuse_asynchronous_fields(structure: Any, who: str) -> None:
    for field, callback in getattr(structure, "__dict__", {}).items():
        if field.startswith("evt_"):
            refuse_asynchronous(callback, f"{who}: {field}")

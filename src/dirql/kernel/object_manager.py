"""References to kernel objects (Ob): each is counted, and one too few is REFERENCE_BY_POINTER.

Limits: an object's own life does not end with its last reference; what counts here are the references that drivers take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql.ddi import ddi
from dirql.kernel.stop import BugCheck
from dirql.machine.machine import Machine

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["ObjectManager"]

REFERENCE_BY_POINTER = 0x18


class ObjectManager:
    """How often drivers have referenced each object; the kernel's own reference is the first."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self._references: dict[int, tuple[Any, int]] = {}  # by id, with the object, so that it lives as long

    @ddi("ObReferenceObject")
    def reference(self, value: Any) -> int:
        """ObReferenceObject: the count, the kernel's own reference included."""
        return self.add(value)

    @ddi("ObReferenceObjectByPointer")
    def reference_by_pointer(self, value: Any) -> int:
        """ObReferenceObjectByPointer."""
        return self.add(value)

    @ddi("ObReferenceObjectByHandle")
    def reference_by_handle(self, value: Any) -> int:
        """ObReferenceObjectByHandle, for what the handle stands for."""
        return self.add(value)

    @ddi("ObDereferenceObject")
    def dereference(self, value: Any, address: int = 0) -> int:
        """ObDereferenceObject: what is left; bugcheck 0x18 for one more than was taken."""
        _, count = self._references.get(id(value), (None, 0))
        if not count:
            why = f"{value!r} is dereferenced more often than it was referenced"
            raise BugCheck(REFERENCE_BY_POINTER, 0, address, 2, 0, why=why)
        if count == 1:
            del self._references[id(value)]
        else:
            self._references[id(value)] = value, count - 1
        return count

    def add(self, value: Any) -> int:
        """One more reference, without being a routine of its own."""
        _, count = self._references.get(id(value), (None, 0))
        self._references[id(value)] = value, count + 1
        return count + 2

    def count(self, value: Any) -> int:
        """References that drivers hold."""
        return self._references.get(id(value), (None, 0))[1]

"""WDFLOOKASIDE: memory objects of one size.

Limits: a buffer that is given back goes to the machine and not to the next memory object (as under Driver Verifier), so that
its use afterwards is seen; pool types and tags change nothing.
"""

from __future__ import annotations

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.ntstatus import StatusError
from dirql.wdf.creation import parent_of, validate
from dirql.wdf.framework import Framework
from dirql.wdf.memory import Memory
from dirql.wdf.object import Object, ObjectAttributes

__all__ = ["LookasideList"]


class LookasideList(Object):
    """WDFLOOKASIDE."""

    kind = "WDFLOOKASIDE"

    def __init__(
        self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None, buffer_size: int,
        memory_attributes: ObjectAttributes | None,
    ) -> None:  # fmt: skip
        super().__init__(framework, parent, attributes)
        self.buffer_size = buffer_size
        self.memory_attributes = memory_attributes.copy() if memory_attributes is not None else None

    @classmethod
    @ddi_create("WdfLookasideListCreate")
    def create(
        cls, parent: Object | Framework, buffer_size: int, attributes: ObjectAttributes | None = None,
        memory_attributes: ObjectAttributes | None = None,
    ) -> LookasideList:  # fmt: skip
        """WdfLookasideListCreate: `memory_attributes` are those of every memory object. Without a parent the driver is it."""
        name = "WdfLookasideListCreate"
        if buffer_size <= 0:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: BufferSize {buffer_size:#x} is not above 0")
        validate(cls.kind, attributes)
        validate("WDFMEMORY", memory_attributes)
        above = parent_of(parent, attributes, name)
        framework = parent if isinstance(parent, Framework) else parent.framework
        return cls(framework, above if above is not None else framework.driver, attributes, buffer_size, memory_attributes)

    @ddi("WdfMemoryCreateFromLookaside")
    def create_memory(self) -> Memory:
        """WdfMemoryCreateFromLookaside. Its parent is the driver unless the memory attributes say otherwise."""
        attributes, framework = self.memory_attributes, self.framework
        parent = parent_of(framework, attributes, "WdfMemoryCreateFromLookaside")
        return Memory.of_pool(framework, parent if parent is not None else framework.driver, attributes, self.buffer_size)

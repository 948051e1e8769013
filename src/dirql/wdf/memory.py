"""WDFMEMORY: a buffer as a framework object, with copies that check its bounds.

Limits: pool types and tags change nothing.
"""

from __future__ import annotations

from typing import Any, Protocol

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.kernel.mdl import Buffer
from dirql.ntstatus import StatusError
from dirql.wdf.creation import parent_of, validate
from dirql.wdf.framework import Framework
from dirql.wdf.object import Object, ObjectAttributes, expect_parameter

__all__ = ["Bytes", "Memory"]


class Bytes(Protocol):
    """A buffer that can be sliced: `Buffer`, `bytearray`, `memoryview`, or a host's own."""

    def __len__(self) -> int: ...

    def __getitem__(self, where: Any, /) -> Any: ...

    def __setitem__(self, where: Any, data: Any, /) -> None: ...


class Memory(Object):
    """WDFMEMORY. `owned` buffers go back to the pool when nobody refers to the object any more."""

    kind = "WDFMEMORY"

    def __init__(
        self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None, buffer: Bytes, *, owned: bool
    ) -> None:
        super().__init__(framework, parent, attributes)
        self._buffer = buffer
        self._owned = owned

    @classmethod
    @ddi_create("WdfMemoryCreate")
    def create(cls, parent: Object | Framework, buffer_size: int, attributes: ObjectAttributes | None = None) -> Memory:
        """WdfMemoryCreate: `buffer_size` zeroed bytes. Without a parent the driver is it."""
        if buffer_size <= 0:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"WdfMemoryCreate: BufferSize {buffer_size:#x} is not above 0")
        framework, above = _place(parent, attributes, "WdfMemoryCreate")
        return cls.of_pool(framework, above, attributes, buffer_size)

    @classmethod
    def of_pool(
        cls, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None, buffer_size: int
    ) -> Memory:
        """One with a buffer of its own, for routines whose checks are done."""
        try:
            buffer = Buffer.allocate(framework.machine.memory, buffer_size, pool=True)
        except MemoryError as error:
            raise StatusError(ntstatus.STATUS_INSUFFICIENT_RESOURCES, str(error)) from None
        try:
            return cls(framework, parent, attributes, buffer, owned=True)
        except StatusError:
            buffer.free()
            raise

    @classmethod
    @ddi_create("WdfMemoryCreatePreallocated")
    def create_preallocated(cls, parent: Object | Framework, buffer: Bytes, attributes: ObjectAttributes | None = None) -> Memory:
        """WdfMemoryCreatePreallocated: around a buffer of the driver's own."""
        expect_parameter(buffer, "Buffer", "WdfMemoryCreatePreallocated")
        _refuse_empty(buffer, "WdfMemoryCreatePreallocated")
        framework, above = _place(parent, attributes, "WdfMemoryCreatePreallocated")
        return cls(framework, above, attributes, buffer, owned=False)

    @ddi("WdfMemoryGetBuffer")
    def get_buffer(self) -> Bytes:
        """WdfMemoryGetBuffer; its `len` is C's BufferSize."""
        return self._buffer

    @ddi("WdfMemoryAssignBuffer")
    def assign_buffer(self, buffer: Bytes) -> None:
        """WdfMemoryAssignBuffer: another buffer for an object that `create_preallocated` made."""
        expect_parameter(buffer, "Buffer", "WdfMemoryAssignBuffer")
        _refuse_empty(buffer, "WdfMemoryAssignBuffer")
        if self._owned:
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"WdfMemoryAssignBuffer: {self.name} was not made preallocated"
            )
        self._buffer = buffer

    @ddi("WdfMemoryCopyToBuffer")
    def copy_to_buffer(self, source_offset: int, length: int) -> bytes:
        """WdfMemoryCopyToBuffer: `length` bytes from `source_offset` of this memory."""
        self._refuse_outside("WdfMemoryCopyToBuffer", source_offset, length)
        return bytes(self._buffer[source_offset : source_offset + length])

    @ddi("WdfMemoryCopyFromBuffer")
    def copy_from_buffer(self, destination_offset: int, data: bytes | Bytes) -> None:
        """WdfMemoryCopyFromBuffer: store `data` at `destination_offset` of this memory."""
        self._refuse_outside("WdfMemoryCopyFromBuffer", destination_offset, len(data))
        self._buffer[destination_offset : destination_offset + len(data)] = bytes(data[:])

    def on_destroy(self) -> None:
        """The pool's again."""
        if self._owned and isinstance(self._buffer, Buffer):
            self._buffer.free()

    def _refuse_outside(self, routine: str, offset: int, length: int) -> None:
        if not length:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{routine}: a length of 0")
        if offset < 0 or offset + length > len(self._buffer):
            where = f"{length:#x} bytes at offset {offset:#x} of {self.name}, which has {len(self._buffer):#x}"
            raise StatusError(ntstatus.STATUS_BUFFER_TOO_SMALL, f"{routine}: {where}")


def _place(first: Object | Framework, attributes: ObjectAttributes | None, routine: str) -> tuple[Framework, Object | None]:
    validate("WDFMEMORY", attributes)
    parent = parent_of(first, attributes, routine)
    framework = first if isinstance(first, Framework) else first.framework
    return framework, parent if parent is not None else framework.driver


def _refuse_empty(buffer: Bytes, routine: str) -> None:
    if not len(buffer):
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{routine}: BufferSize is 0")

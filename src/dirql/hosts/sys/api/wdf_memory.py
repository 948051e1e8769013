"""WdfMemory*: the object's bytes lie where the driver has them mapped, or are the driver's own."""

from __future__ import annotations

from typing import Any

from dirql.hosts.sys.abi import NTSTATUS, PVOID, SIZE_T, ULONG, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.mappings import DriverBuffer, Mappings
from dirql.hosts.sys.wdf_parameters import required
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.memory import Memory

__all__: list[str] = []


@wdf
def WdfMemoryCreate(
    guest: Guest, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, pool_type: ULONG, pool_tag: ULONG, size: SIZE_T,
    memory: Out[Handle[Memory]] | None, buffer: Out[PVOID] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfMemoryCreate."""
    name = "WdfMemoryCreate"
    out = required(memory, "Memory", name)
    made = Memory.create(guest.framework, size, attributes_of(guest, attributes, name))
    out(made)
    if buffer is not None:
        buffer(_address(guest, made, made.get_buffer()))
    return STATUS_SUCCESS


@wdf
def WdfMemoryCreatePreallocated(
    guest: Guest, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, buffer: PVOID, size: SIZE_T,
    memory: Out[Handle[Memory]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfMemoryCreatePreallocated."""
    name = "WdfMemoryCreatePreallocated"
    out = required(memory, "Memory", name)
    given = DriverBuffer(guest.space, required(buffer or None, "Buffer", name), size)
    out(Memory.create_preallocated(guest.framework, given, attributes_of(guest, attributes, name)))
    return STATUS_SUCCESS


@wdf
def WdfMemoryGetBuffer(guest: Guest, memory: Handle[Memory], size: Out[SIZE_T] | None) -> PVOID:
    """WdfMemoryGetBuffer."""
    buffer = memory.get_buffer()
    if size is not None:
        size(len(buffer))
    return _address(guest, memory, buffer)


@wdf
def WdfMemoryAssignBuffer(guest: Guest, memory: Handle[Memory], buffer: PVOID, size: SIZE_T) -> NTSTATUS:
    """WdfMemoryAssignBuffer."""
    given = required(buffer or None, "Buffer", "WdfMemoryAssignBuffer")
    memory.assign_buffer(DriverBuffer(guest.space, given, size))
    return STATUS_SUCCESS


@wdf
def WdfMemoryCopyToBuffer(guest: Guest, memory: Handle[Memory], offset: SIZE_T, buffer: PVOID, length: SIZE_T) -> NTSTATUS:
    """WdfMemoryCopyToBuffer."""
    destination = required(buffer or None, "Buffer", "WdfMemoryCopyToBuffer")
    guest.space.write(destination, memory.copy_to_buffer(offset, length))
    return STATUS_SUCCESS


@wdf
def WdfMemoryCopyFromBuffer(guest: Guest, memory: Handle[Memory], offset: SIZE_T, buffer: PVOID, length: SIZE_T) -> NTSTATUS:
    """WdfMemoryCopyFromBuffer."""
    source = required(buffer or None, "Buffer", "WdfMemoryCopyFromBuffer")
    memory.copy_from_buffer(offset, DriverBuffer(guest.space, source, length))
    return STATUS_SUCCESS


def _address(guest: Guest, memory: Memory, buffer: Any) -> int:
    return guest.part(Mappings).address(buffer, f"the buffer of {memory.name}", pool=True)

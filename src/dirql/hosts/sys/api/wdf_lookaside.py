"""WdfLookasideListCreate and WdfMemoryCreateFromLookaside."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, SIZE_T, ULONG, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_parameters import required
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.lookaside import LookasideList
from dirql.wdf.memory import Memory

__all__: list[str] = []


@wdf
def WdfLookasideListCreate(
    guest: Guest, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, size: SIZE_T, pool_type: ULONG,
    memory_attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, pool_tag: ULONG, lookaside: Out[Handle[LookasideList]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfLookasideListCreate."""
    name = "WdfLookasideListCreate"
    out = required(lookaside, "Lookaside", name)
    own, of_memory = attributes_of(guest, attributes, name), attributes_of(guest, memory_attributes, name)
    out(LookasideList.create(guest.framework, size, own, of_memory))
    return STATUS_SUCCESS


@wdf
def WdfMemoryCreateFromLookaside(guest: Guest, lookaside: Handle[LookasideList], memory: Out[Handle[Memory]] | None) -> NTSTATUS:
    """WdfMemoryCreateFromLookaside."""
    required(memory, "Memory", "WdfMemoryCreateFromLookaside")(lookaside.create_memory())
    return STATUS_SUCCESS

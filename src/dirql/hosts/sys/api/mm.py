"""ntoskrnl's Mm routines."""

from __future__ import annotations

from dirql.hosts.sys.abi import PVOID, SIZE_T, ULONG, ULONGLONG, VOID, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.strings import unicode_text

__all__: list[str] = []


@api("ntoskrnl")
def MmMapIoSpaceEx(guest: Guest, physical: ULONGLONG, length: SIZE_T, protect: ULONG) -> PVOID:
    """MmMapIoSpaceEx."""
    return guest.devices.map(guest.kernel.mm_map_io_space(physical, length), physical, length)


@api("ntoskrnl")
def MmMapIoSpace(guest: Guest, physical: ULONGLONG, length: SIZE_T, cache_type: ULONG) -> PVOID:
    """MmMapIoSpace."""
    return guest.devices.map(guest.kernel.mm_map_io_space(physical, length), physical, length)


@api("ntoskrnl")
def MmUnmapIoSpace(guest: Guest, address: PVOID, length: SIZE_T) -> VOID:
    """MmUnmapIoSpace."""
    mapping = guest.devices.unmap(address)
    if mapping is None:
        guest.space.fault(address, 1)
    mapping.io_space.unmap()


@api("ntoskrnl")
def MmGetSystemRoutineAddress(guest: Guest, name: Ptr[UNICODE_STRING]) -> PVOID:
    """The stub of a routine that dirql models; NULL for what it does not know, as for one that Windows does not have."""
    return guest.stubs.known(unicode_text(name))

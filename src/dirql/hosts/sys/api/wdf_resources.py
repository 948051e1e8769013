"""WdfCmResourceList*."""

from __future__ import annotations

from dirql.hosts.sys.abi import PVOID, ULONG, VOID, Handle, wdf
from dirql.hosts.sys.guest import Guest
from dirql.wdf.resource_list import CmResourceList

__all__: list[str] = []


@wdf
def WdfCmResourceListGetCount(guest: Guest, resources: Handle[CmResourceList]) -> ULONG:
    """WdfCmResourceListGetCount."""
    return resources.get_count()


@wdf
def WdfCmResourceListGetDescriptor(guest: Guest, resources: Handle[CmResourceList], index: ULONG) -> PVOID:
    """The clone's address, the same each time; NULL past the end."""
    descriptor = resources.get_descriptor(index)
    if descriptor is None:
        return 0
    return guest.structure(descriptor, descriptor.pack(), f"descriptor {index} of the {resources.name}")


@wdf
def WdfCmResourceListRemove(guest: Guest, resources: Handle[CmResourceList], index: ULONG) -> VOID:
    """WdfCmResourceListRemove."""
    resources.remove(index)

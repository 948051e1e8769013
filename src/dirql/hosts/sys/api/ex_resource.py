"""Executive resources (ERESOURCE).

Limits: push locks, and releasing for another thread, are not modelled.
"""

from __future__ import annotations

from dirql import ntstatus
from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, VOID, api
from dirql.hosts.sys.api.ke_thread import current
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.kernel.resource import Resource

__all__: list[str] = []


@api("ntoskrnl")
def ExInitializeResourceLite(guest: Guest, resource: PVOID) -> NTSTATUS:
    """ExInitializeResourceLite."""
    enter(guest, "ExInitializeResourceLite")
    guest.part(KernelObjects).new_resource(resource)
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ExReinitializeResourceLite(guest: Guest, resource: PVOID) -> NTSTATUS:
    """ExReinitializeResourceLite."""
    enter(guest, "ExReinitializeResourceLite")
    guest.part(KernelObjects).new_resource(resource)
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ExDeleteResourceLite(guest: Guest, resource: PVOID) -> NTSTATUS:
    """ExDeleteResourceLite."""
    enter(guest, "ExDeleteResourceLite")
    _resource(guest, resource, "ExDeleteResourceLite")
    guest.part(KernelObjects).drop(resource)
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def ExAcquireResourceExclusiveLite(guest: Guest, resource: PVOID, wait: BOOLEAN) -> BOOLEAN:
    """ExAcquireResourceExclusiveLite."""
    return _resource(guest, resource, "ExAcquireResourceExclusiveLite").acquire_exclusive(wait)


@api("ntoskrnl")
def ExAcquireResourceSharedLite(guest: Guest, resource: PVOID, wait: BOOLEAN) -> BOOLEAN:
    """ExAcquireResourceSharedLite."""
    return _resource(guest, resource, "ExAcquireResourceSharedLite").acquire_shared(wait)


@api("ntoskrnl")
def ExAcquireSharedStarveExclusive(guest: Guest, resource: PVOID, wait: BOOLEAN) -> BOOLEAN:
    """ExAcquireSharedStarveExclusive."""
    return _resource(guest, resource, "ExAcquireSharedStarveExclusive").acquire_shared_starve_exclusive(wait)


@api("ntoskrnl")
def ExReleaseResourceLite(guest: Guest, resource: PVOID) -> VOID:
    """ExReleaseResourceLite."""
    _resource(guest, resource, "ExReleaseResourceLite").release()


@api("ntoskrnl")
def ExConvertExclusiveToSharedLite(guest: Guest, resource: PVOID) -> VOID:
    """ExConvertExclusiveToSharedLite."""
    _resource(guest, resource, "ExConvertExclusiveToSharedLite").convert_to_shared()


@api("ntoskrnl")
def ExIsResourceAcquiredExclusiveLite(guest: Guest, resource: PVOID) -> BOOLEAN:
    """ExIsResourceAcquiredExclusiveLite."""
    return _resource(guest, resource, "ExIsResourceAcquiredExclusiveLite").is_acquired_exclusive()


@api("ntoskrnl")
def ExIsResourceAcquiredSharedLite(guest: Guest, resource: PVOID) -> ULONG:
    """ExIsResourceAcquiredSharedLite."""
    return _resource(guest, resource, "ExIsResourceAcquiredSharedLite").is_acquired_shared()


@api("ntoskrnl")
def ExEnterCriticalRegionAndAcquireResourceExclusive(guest: Guest, resource: PVOID) -> PVOID:
    """Both; the running thread."""
    current(guest).enter_critical_region()
    _resource(guest, resource, "ExEnterCriticalRegionAndAcquireResourceExclusive").acquire_exclusive()
    return guest.handle(current(guest))


@api("ntoskrnl")
def ExEnterCriticalRegionAndAcquireResourceShared(guest: Guest, resource: PVOID) -> PVOID:
    """Both; the running thread."""
    current(guest).enter_critical_region()
    _resource(guest, resource, "ExEnterCriticalRegionAndAcquireResourceShared").acquire_shared()
    return guest.handle(current(guest))


@api("ntoskrnl")
def ExReleaseResourceAndLeaveCriticalRegion(guest: Guest, resource: PVOID) -> VOID:
    """Both."""
    _resource(guest, resource, "ExReleaseResourceAndLeaveCriticalRegion").release()
    current(guest).leave_critical_region()


def _resource(guest: Guest, address: int, routine: str) -> Resource:
    return guest.part(KernelObjects).resource(address, routine)

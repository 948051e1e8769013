"""Processors, groups and affinities."""

from __future__ import annotations

from dirql import ntstatus
from dirql.hosts.sys.abi import NTSTATUS, ULONG, ULONGLONG, USHORT, VOID, Out, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.nt_structs import GROUP_AFFINITY, PROCESSOR_NUMBER

__all__: list[str] = []


@api("ntoskrnl")
def KeQueryActiveProcessorCount(guest: Guest, active: Out[ULONGLONG] | None) -> ULONG:
    """KeQueryActiveProcessorCount."""
    count = guest.kernel.ke_query_active_processor_count()
    if active is not None:
        active(guest.kernel.processors.mask)
    return count


@api("ntoskrnl")
def KeQueryActiveProcessorCountEx(guest: Guest, group: USHORT) -> ULONG:
    """KeQueryActiveProcessorCountEx."""
    return guest.kernel.processors.query_active_processor_count(group)


@api("ntoskrnl")
def KeQueryMaximumProcessorCount(guest: Guest) -> ULONG:
    """KeQueryMaximumProcessorCount."""
    return guest.kernel.processors.query_maximum_processor_count()


@api("ntoskrnl")
def KeQueryMaximumProcessorCountEx(guest: Guest, group: USHORT) -> ULONG:
    """KeQueryMaximumProcessorCountEx."""
    return guest.kernel.processors.query_maximum_processor_count(group)


@api("ntoskrnl")
def KeQueryActiveProcessors(guest: Guest) -> ULONGLONG:
    """KeQueryActiveProcessors."""
    return guest.kernel.processors.query_active_processors()


@api("ntoskrnl")
def KeQueryActiveGroupCount(guest: Guest) -> USHORT:
    """KeQueryActiveGroupCount."""
    return guest.kernel.processors.query_active_group_count()


@api("ntoskrnl")
def KeQueryMaximumGroupCount(guest: Guest) -> USHORT:
    """KeQueryMaximumGroupCount."""
    return guest.kernel.processors.query_maximum_group_count()


@api("ntoskrnl")
def KeQueryGroupAffinity(guest: Guest, group: USHORT) -> ULONGLONG:
    """KeQueryGroupAffinity."""
    return guest.kernel.processors.query_group_affinity(group)


@api("ntoskrnl")
def KeQueryHighestNodeNumber(guest: Guest) -> USHORT:
    """KeQueryHighestNodeNumber."""
    return guest.kernel.processors.query_highest_node_number()


@api("ntoskrnl")
def KeGetCurrentNodeNumber(guest: Guest) -> USHORT:
    """KeGetCurrentNodeNumber."""
    return guest.kernel.processors.get_current_node_number()


@api("ntoskrnl")
def KeQueryNodeActiveAffinity(
    guest: Guest, node: USHORT, affinity: Ptr[GROUP_AFFINITY] | None, count: Out[USHORT] | None
) -> VOID:  # fmt: skip
    """KeQueryNodeActiveAffinity."""
    mask, processors = guest.kernel.processors.query_node_active_affinity(node)
    if affinity is not None:
        _affinity(affinity, mask)
    if count is not None:
        count(processors)


@api("ntoskrnl")
def KeGetCurrentProcessorNumberEx(guest: Guest, number: Ptr[PROCESSOR_NUMBER] | None) -> ULONG:
    """KeGetCurrentProcessorNumberEx: the index."""
    index = guest.kernel.ke_get_current_processor_number()
    if number is not None:
        _number(number, 0, index)
    return index


@api("ntoskrnl")
def KeGetCurrentProcessorNumber(guest: Guest) -> ULONG:
    """KeGetCurrentProcessorNumber, which is inline on x64."""
    return guest.kernel.ke_get_current_processor_number()


@api("ntoskrnl")
def KeGetProcessorNumberFromIndex(guest: Guest, index: ULONG, number: Ptr[PROCESSOR_NUMBER]) -> NTSTATUS:
    """KeGetProcessorNumberFromIndex."""
    _number(number, *guest.kernel.processors.get_processor_number_from_index(index))
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def KeGetProcessorIndexFromNumber(guest: Guest, number: Ptr[PROCESSOR_NUMBER]) -> ULONG:
    """KeGetProcessorIndexFromNumber."""
    return guest.kernel.processors.get_processor_index_from_number(number.Group, number.Number)


@api("ntoskrnl")
def KeSetSystemAffinityThread(guest: Guest, affinity: ULONGLONG) -> VOID:
    """KeSetSystemAffinityThread."""
    guest.kernel.processors.set_system_affinity_thread(affinity)


@api("ntoskrnl")
def KeSetSystemAffinityThreadEx(guest: Guest, affinity: ULONGLONG) -> ULONGLONG:
    """KeSetSystemAffinityThreadEx."""
    return guest.kernel.processors.set_system_affinity_thread(affinity)


@api("ntoskrnl")
def KeRevertToUserAffinityThread(guest: Guest) -> VOID:
    """KeRevertToUserAffinityThread."""
    guest.kernel.processors.revert_to_user_affinity_thread()


@api("ntoskrnl")
def KeRevertToUserAffinityThreadEx(guest: Guest, affinity: ULONGLONG) -> VOID:
    """KeRevertToUserAffinityThreadEx."""
    guest.kernel.processors.revert_to_user_affinity_thread(affinity)


@api("ntoskrnl")
def KeSetSystemGroupAffinityThread(guest: Guest, affinity: Ptr[GROUP_AFFINITY], before: Ptr[GROUP_AFFINITY] | None) -> VOID:
    """KeSetSystemGroupAffinityThread."""
    mask = guest.kernel.processors.set_system_group_affinity_thread(affinity.Mask, affinity.Group)
    if before is not None:
        _affinity(before, mask)


@api("ntoskrnl")
def KeRevertToUserGroupAffinityThread(guest: Guest, before: Ptr[GROUP_AFFINITY]) -> VOID:
    """KeRevertToUserGroupAffinityThread."""
    guest.kernel.processors.revert_to_user_group_affinity_thread(before.Mask)


def _number(view: PROCESSOR_NUMBER, group: int, number: int) -> None:
    view.Group, view.Number, view.Reserved = group, number, 0


def _affinity(view: GROUP_AFFINITY, mask: int) -> None:
    view.clear()
    view.Mask = mask

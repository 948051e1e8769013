"""ntoskrnl's pools."""

from __future__ import annotations

from dirql.hosts.sys.abi import PVOID, SIZE_T, ULONG, ULONGLONG, VOID, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.pool import Pool

__all__: list[str] = []

NONE = int.from_bytes(b"None", "little")
QUOTA_FAIL_INSTEAD_OF_RAISE, RAISE_IF_ALLOCATION_FAILURE, ZERO_ALLOCATION = 8, 16, 0x400


@api("ntoskrnl")
def ExAllocatePool(guest: Guest, type_: ULONG, size: SIZE_T) -> PVOID:
    """ExAllocatePool: the tag is "None"."""
    return _tagged(guest, type_, size, NONE)


@api("ntoskrnl")
def ExAllocatePoolWithTag(guest: Guest, type_: ULONG, size: SIZE_T, tag: ULONG) -> PVOID:
    """ExAllocatePoolWithTag."""
    return _tagged(guest, type_, size, tag)


@api("ntoskrnl")
def ExAllocatePoolWithTagPriority(guest: Guest, type_: ULONG, size: SIZE_T, tag: ULONG, priority: ULONG) -> PVOID:
    """ExAllocatePoolWithTag; there is no priority."""
    return _tagged(guest, type_, size, tag)


@api("ntoskrnl")
def ExAllocatePoolWithQuota(guest: Guest, type_: ULONG, size: SIZE_T) -> PVOID:
    """ExAllocatePoolWithQuotaTag with the tag "None"."""
    return _with_quota(guest, type_, size, NONE)


@api("ntoskrnl")
def ExAllocatePoolWithQuotaTag(guest: Guest, type_: ULONG, size: SIZE_T, tag: ULONG) -> PVOID:
    """ExAllocatePoolWithQuotaTag: raises when there is no memory, unless the type says POOL_QUOTA_FAIL_INSTEAD_OF_RAISE."""
    return _with_quota(guest, type_, size, tag)


@api("ntoskrnl")
def ExAllocatePool2(guest: Guest, flags: ULONGLONG, size: SIZE_T, tag: ULONG) -> PVOID:
    """ExAllocatePool2."""
    return guest.part(Pool).allocate2(flags, size, tag)


@api("ntoskrnl")
def ExAllocatePool3(
    guest: Guest, flags: ULONGLONG, size: SIZE_T, tag: ULONG, parameters: PVOID, count: ULONG
) -> PVOID:  # fmt: skip
    """ExAllocatePool2; what the extended parameters ask for (priority, secure pool, a node) is not modelled."""
    return guest.part(Pool).allocate2(flags, size, tag)


@api("ntoskrnl")
def ExFreePool(guest: Guest, address: PVOID) -> VOID:
    """ExFreePool."""
    guest.part(Pool).free_untagged(address)


@api("ntoskrnl")
def ExFreePoolWithTag(guest: Guest, address: PVOID, tag: ULONG) -> VOID:
    """ExFreePoolWithTag."""
    guest.part(Pool).free_with_tag(address, tag)


@api("ntoskrnl")
def ExFreePool2(guest: Guest, address: PVOID, tag: ULONG, parameters: PVOID, count: ULONG) -> VOID:
    """ExFreePoolWithTag."""
    guest.part(Pool).free_with_tag(address, tag)


def _tagged(guest: Guest, type_: int, size: int, tag: int) -> int:
    block = guest.part(Pool).allocate_with_tag(type_, size, tag)
    if block and type_ & ZERO_ALLOCATION:
        guest.space.write(block, bytes(size))
    return block


def _with_quota(guest: Guest, type_: int, size: int, tag: int) -> int:
    raises = 0 if type_ & QUOTA_FAIL_INSTEAD_OF_RAISE else RAISE_IF_ALLOCATION_FAILURE
    return _tagged(guest, type_ & ~QUOTA_FAIL_INSTEAD_OF_RAISE | raises, size, tag)

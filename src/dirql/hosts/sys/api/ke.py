"""ntoskrnl's Ke routines: arguments to the kernel's own objects."""

from __future__ import annotations

from dirql.hosts.sys.abi import KIRQL, ULONG, VOID, api
from dirql.hosts.sys.guest import Guest

__all__: list[str] = []


@api("ntoskrnl")
def KeGetCurrentIrql(guest: Guest) -> KIRQL:
    """KeGetCurrentIrql."""
    return guest.kernel.ke_get_current_irql()


@api("hal")
def KeStallExecutionProcessor(guest: Guest, microseconds: ULONG) -> VOID:
    """KeStallExecutionProcessor."""
    guest.kernel.ke_stall_execution_processor(microseconds)

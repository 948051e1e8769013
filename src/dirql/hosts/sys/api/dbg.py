"""DbgPrint and its kind: lines of the trace."""

from __future__ import annotations

from dirql.hosts.sys.abi import PVOID, ULONG, VarArgs, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.strings import narrow_bytes

__all__: list[str] = []


@api("ntoskrnl")
def DbgPrint(guest: Guest, format_: PVOID, args: VarArgs) -> ULONG:
    """DbgPrint."""
    guest.print(narrow_bytes(guest.space, format_), args)
    return 0


@api("ntoskrnl")
def DbgPrintEx(guest: Guest, component: ULONG, level: ULONG, format_: PVOID, args: VarArgs) -> ULONG:
    """DbgPrintEx: every component and level is shown."""
    guest.print(narrow_bytes(guest.space, format_), args)
    return 0

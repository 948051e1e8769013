"""DbgPrint and its kind: lines of the trace. Every component and level is shown.

Limits: no debugger is attached; a breakpoint is an exception that nobody handles.
"""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, VOID, VarArgs, api
from dirql.hosts.sys.driver_memory import VaList
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.strings import narrow_bytes
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import STATUS_SUCCESS

__all__: list[str] = []

STATUS_BREAKPOINT = 0x8000_0003


@api("ntoskrnl")
def DbgPrint(guest: Guest, format_: PVOID, args: VarArgs) -> ULONG:
    """DbgPrint."""
    guest.print(narrow_bytes(guest.space, format_), args)
    return 0


@api("ntoskrnl")
def DbgPrintEx(guest: Guest, component: ULONG, level: ULONG, format_: PVOID, args: VarArgs) -> ULONG:
    """DbgPrintEx."""
    guest.print(narrow_bytes(guest.space, format_), args)
    return 0


@api("ntoskrnl")
def DbgPrintReturnControlC(guest: Guest, format_: PVOID, args: VarArgs) -> ULONG:
    """DbgPrintReturnControlC."""
    guest.print(narrow_bytes(guest.space, format_), args)
    return 0


@api("ntoskrnl")
def vDbgPrintEx(guest: Guest, component: ULONG, level: ULONG, format_: PVOID, list_: PVOID) -> ULONG:
    """vDbgPrintEx."""
    guest.print(narrow_bytes(guest.space, format_), VaList(guest, list_))
    return 0


@api("ntoskrnl")
def vDbgPrintExWithPrefix(
    guest: Guest, prefix: PVOID, component: ULONG, level: ULONG, format_: PVOID, list_: PVOID
) -> ULONG:
    """vDbgPrintExWithPrefix."""
    before = narrow_bytes(guest.space, prefix).replace(b"%", b"%%") if prefix else b""
    guest.print(before + narrow_bytes(guest.space, format_), VaList(guest, list_))
    return 0


@api("ntoskrnl")
def DbgBreakPoint(guest: Guest) -> VOID:
    """DbgBreakPoint."""
    raise BugCheck(0x1E, STATUS_BREAKPOINT, why="DbgBreakPoint, and no debugger is attached")


@api("ntoskrnl")
def DbgBreakPointWithStatus(guest: Guest, status: ULONG) -> VOID:
    """DbgBreakPointWithStatus."""
    raise BugCheck(0x1E, STATUS_BREAKPOINT, why=f"DbgBreakPointWithStatus({status:#x}), and no debugger is attached")


@api("ntoskrnl")
def DbgQueryDebugFilterState(guest: Guest, component: ULONG, level: ULONG) -> NTSTATUS:
    """DbgQueryDebugFilterState: TRUE, since everything is shown."""
    return 1


@api("ntoskrnl")
def DbgSetDebugFilterState(guest: Guest, component: ULONG, level: ULONG, state: BOOLEAN) -> NTSTATUS:
    """DbgSetDebugFilterState: changes nothing."""
    return STATUS_SUCCESS


@api("ntoskrnl")
def KdRefreshDebuggerNotPresent(guest: Guest) -> BOOLEAN:
    """KdRefreshDebuggerNotPresent."""
    return True

"""System threads and the System process. Threads and processes are opaque to drivers; a handle is not closed with its thread."""

from __future__ import annotations

from dirql import ntstatus
from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, ULONGLONG, Out, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.handle_table import HandleTable
from dirql.hosts.sys.kernel_objects import KernelObjects
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.object_types import SYSTEM_PROCESS_ID, ObjectTypes
from dirql.kernel.thread import Thread

__all__: list[str] = []


@api("ntoskrnl")
def PsCreateSystemThread(
    guest: Guest, handle: Out[ULONGLONG], access: ULONG, attributes: PVOID, process: PVOID, client: PVOID, routine: PVOID,
    context: PVOID,
) -> NTSTATUS:  # fmt: skip
    """PsCreateSystemThread: a thread of System's, whatever process is named, on a kernel stack of its own."""
    kernel = guest.kernel

    def run(_: object) -> None:
        guest.call(routine, context)

    thread = kernel.ps_create_system_thread(run, None, f"system thread {guest.words(routine)}")
    guest.part(_Threads).keep(thread)
    handle(guest.part(HandleTable).open(thread))
    if client:
        guest.space.write(client, SYSTEM_PROCESS_ID.to_bytes(8, "little") + thread.id.to_bytes(8, "little"))
    return ntstatus.STATUS_SUCCESS


@api("ntoskrnl")
def PsTerminateSystemThread(guest: Guest, status: NTSTATUS) -> NTSTATUS:
    """PsTerminateSystemThread: returns only when the running thread is none that PsCreateSystemThread made."""
    return guest.kernel.ps_terminate_system_thread(status)


@api("ntoskrnl")
def PsGetCurrentThread(guest: Guest) -> PVOID:
    """PsGetCurrentThread, which many headers have inline."""
    return guest.handle(guest.kernel.ke_get_current_thread())


@api("ntoskrnl")
def PsGetCurrentThreadId(guest: Guest) -> PVOID:
    """PsGetCurrentThreadId."""
    return guest.kernel.ke_get_current_thread().id


@api("ntoskrnl")
def PsGetThreadId(guest: Guest, thread: PVOID) -> PVOID:
    """PsGetThreadId."""
    enter(guest, "PsGetThreadId")
    return guest.part(KernelObjects).thread(thread, "PsGetThreadId").id


@api("ntoskrnl")
def PsIsSystemThread(guest: Guest, thread: PVOID) -> BOOLEAN:
    """Every thread is one."""
    enter(guest, "PsIsSystemThread")
    guest.part(KernelObjects).thread(thread, "PsIsSystemThread")
    return True


@api("ntoskrnl")
def PsGetThreadExitStatus(guest: Guest, thread: PVOID) -> NTSTATUS:
    """STATUS_PENDING while it runs."""
    enter(guest, "PsGetThreadId")
    found = guest.part(KernelObjects).thread(thread, "PsGetThreadExitStatus")
    return found.status if found.finished else ntstatus.STATUS_PENDING


@api("ntoskrnl")
def PsGetThreadProcess(guest: Guest, thread: PVOID) -> PVOID:
    """System."""
    enter(guest, "PsGetThreadProcess")
    return guest.part(ObjectTypes).system_process


@api("ntoskrnl")
def PsGetThreadProcessId(guest: Guest, thread: PVOID) -> PVOID:
    """System's."""
    enter(guest, "PsGetThreadProcessId")
    return SYSTEM_PROCESS_ID


@api("ntoskrnl")
def PsGetCurrentProcess(guest: Guest) -> PVOID:
    """System."""
    enter(guest, "PsGetCurrentProcess")
    return guest.part(ObjectTypes).system_process


@api("ntoskrnl")
def PsGetCurrentProcessId(guest: Guest) -> PVOID:
    """System's."""
    enter(guest, "PsGetCurrentProcessId")
    return SYSTEM_PROCESS_ID


@api("ntoskrnl")
def PsGetProcessId(guest: Guest, process: PVOID) -> PVOID:
    """System's, for there is no other."""
    enter(guest, "PsGetProcessId")
    return SYSTEM_PROCESS_ID


@api("ntoskrnl")
def PsGetVersion(
    guest: Guest, major: Out[ULONG] | None, minor: Out[ULONG] | None, build: Out[ULONG] | None, text: Ptr[UNICODE_STRING] | None
) -> BOOLEAN:  # fmt: skip
    """PsGetVersion: FALSE, for a free build; no service pack."""
    enter(guest, "PsGetVersion")
    for out, value in ((major, 10), (minor, 0), (build, guest.kernel.build)):
        if out is not None:
            out(value)
    if text is not None:
        text.Length = 0
    return False


class _Threads:
    """Threads that drivers made, for as long as the system lives: their addresses stay theirs."""

    def __init__(self, guest: Guest) -> None:
        self._threads: list[Thread] = []

    def keep(self, thread: Thread) -> None:
        """One more."""
        self._threads.append(thread)

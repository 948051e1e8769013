"""Event tracing: what a driver's WPP and ETW calls say is kept as events of the trace.

No session listens, so that EtwEventEnabled and its kind answer FALSE and no enable callback is called (model choice); what a
driver writes all the same is accepted.
Limits: messages stay in their binary form: the texts are in the driver's PDB or its manifest.
"""

from __future__ import annotations

from uuid import UUID

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, UCHAR, ULONG, ULONGLONG, USHORT, Out, Ptr, VarArgs, api
from dirql.hosts.sys.driver_memory import VaList
from dirql.hosts.sys.format import Arguments
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.strings import wide_text
from dirql.hosts.sys.structs import Struct
from dirql.ntstatus import STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from dirql.trace import Kind

__all__: list[str] = []

SHOWN = 64  # bytes of a message's data that the trace shows
GET_ID, SET_ID, CREATE_ID, GET_SET_ID, CREATE_SET_ID = 1, 2, 3, 4, 5  # EVENT_ACTIVITY_CTRL_…


class EVENT_DESCRIPTOR(Struct, size=16):
    """Which event it is."""

    c = "USHORT Id; UCHAR Version; UCHAR Channel; UCHAR Level; UCHAR Opcode; USHORT Task; ULONGLONG Keyword;"


class Providers:
    """Providers that are registered, by their handles."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.open: dict[int, UUID] = {}
        self._count = 0
        self._activities = 0

    def register(self, address: int) -> int:
        """A handle of the provider whose GUID is there."""
        self._count += 1
        handle = 0x1_0000 * self._count
        self.open[handle] = UUID(bytes_le=self.guest.space.read(address, 16))
        return handle

    def activity(self) -> bytes:
        """A new activity ID, the same in every run."""
        self._activities += 1
        return self._activities.to_bytes(16, "little")

    def note(self, routine: str, words: str) -> None:
        """An event of the trace."""
        machine = self.guest.machine
        if machine.trace is not None:
            machine.trace.add((machine.cpu.now, machine.cpu.index, Kind.NOTE, routine, words))


@api("ntoskrnl")
def EtwRegister(guest: Guest, provider: PVOID, callback: PVOID, context: PVOID, handle: Out[ULONGLONG]) -> NTSTATUS:
    """EtwRegister."""
    handle(guest.part(Providers).register(provider))
    return STATUS_SUCCESS


@api("ntoskrnl")
def EtwRegisterClassicProvider(
    guest: Guest, provider: PVOID, type_: ULONG, callback: PVOID, context: PVOID, handle: Out[ULONGLONG]
) -> NTSTATUS:
    """EtwRegisterClassicProvider: what WPP looks up at run time."""
    handle(guest.part(Providers).register(provider))
    return STATUS_SUCCESS


@api("ntoskrnl")
def EtwUnregister(guest: Guest, handle: ULONGLONG) -> NTSTATUS:
    """EtwUnregister."""
    return STATUS_INVALID_HANDLE if guest.part(Providers).open.pop(handle, None) is None else STATUS_SUCCESS


@api("ntoskrnl")
def EtwSetInformation(guest: Guest, handle: ULONGLONG, class_: ULONG, data: PVOID, length: ULONG) -> NTSTATUS:
    """EtwSetInformation: a provider's traits are not looked at."""
    return STATUS_SUCCESS if handle in guest.part(Providers).open else STATUS_INVALID_HANDLE


@api("ntoskrnl")
def EtwEventEnabled(guest: Guest, handle: ULONGLONG, event: Ptr[EVENT_DESCRIPTOR]) -> BOOLEAN:
    """EtwEventEnabled."""
    return False


@api("ntoskrnl")
def EtwProviderEnabled(guest: Guest, handle: ULONGLONG, level: UCHAR, keyword: ULONGLONG) -> BOOLEAN:
    """EtwProviderEnabled."""
    return False


@api("ntoskrnl")
def EtwWrite(
    guest: Guest, handle: ULONGLONG, event: Ptr[EVENT_DESCRIPTOR], activity: PVOID, count: ULONG, data: PVOID
) -> NTSTATUS:
    """EtwWrite."""
    return _write(guest, "EtwWrite", handle, event, count, data)


@api("ntoskrnl")
def EtwWriteTransfer(
    guest: Guest, handle: ULONGLONG, event: Ptr[EVENT_DESCRIPTOR], activity: PVOID, related: PVOID, count: ULONG, data: PVOID
) -> NTSTATUS:
    """EtwWriteTransfer."""
    return _write(guest, "EtwWriteTransfer", handle, event, count, data)


@api("ntoskrnl")
def EtwWriteString(
    guest: Guest, handle: ULONGLONG, level: UCHAR, keyword: ULONGLONG, activity: PVOID, string: PVOID
) -> NTSTATUS:
    """EtwWriteString."""
    providers = guest.part(Providers)
    if handle not in providers.open:
        return STATUS_INVALID_HANDLE
    providers.note("EtwWriteString", f"{providers.open[handle]} level {level}: {wide_text(guest.space, string)}")
    return STATUS_SUCCESS


def _write(guest: Guest, routine: str, handle: int, event: EVENT_DESCRIPTOR, count: int, data: int) -> int:
    """`data` is an array of EVENT_DATA_DESCRIPTOR: Ptr, Size, Reserved."""
    providers = guest.part(Providers)
    provider = providers.open.get(handle)
    if provider is None:
        return STATUS_INVALID_HANDLE
    if count > 128:
        return STATUS_INVALID_PARAMETER
    parts: list[str] = []
    given = event.load()
    for index in range(count):
        entry = guest.space.read(data + 16 * index, 16)
        address, size = int.from_bytes(entry[:8], "little"), int.from_bytes(entry[8:12], "little")
        parts.append(guest.space.peek(address, min(size, SHOWN)).hex())
    providers.note(routine, f"{provider} event {given.Id} level {given.Level} keyword {given.Keyword:#x}: {' '.join(parts)}")
    return STATUS_SUCCESS


@api("ntoskrnl")
def EtwActivityIdControl(guest: Guest, code: ULONG, id_: PVOID) -> NTSTATUS:
    """EtwActivityIdControl: a thread's own activity ID is all zeros and stays so."""
    if code not in (GET_ID, SET_ID, CREATE_ID, GET_SET_ID, CREATE_SET_ID):
        return STATUS_INVALID_PARAMETER
    if code in (CREATE_ID, CREATE_SET_ID):
        guest.space.write(id_, guest.part(Providers).activity())
    elif code != SET_ID:
        guest.space.write(id_, bytes(16))
    return STATUS_SUCCESS


# WPP.


@api("ntoskrnl")
def WmiTraceMessage(
    guest: Guest, logger: ULONGLONG, flags: ULONG, message: PVOID, number: USHORT, args: VarArgs
) -> NTSTATUS:
    """WmiTraceMessage: pairs of an address and a length, the last one NULL."""
    return _message(guest, message, number, args)


@api("ntoskrnl")
def WmiTraceMessageVa(
    guest: Guest, logger: ULONGLONG, flags: ULONG, message: PVOID, number: USHORT, list_: PVOID
) -> NTSTATUS:
    """WmiTraceMessageVa."""
    return _message(guest, message, number, VaList(guest, list_))


def _message(guest: Guest, message: int, number: int, arguments: Arguments) -> int:
    parts: list[str] = []
    while len(parts) < 128:
        address = arguments.next()
        if not address:
            break
        parts.append(arguments.read(address, min(arguments.next(), SHOWN)).hex())
    guid = UUID(bytes_le=guest.space.read(message, 16)) if message else "-"
    guest.part(Providers).note("WmiTraceMessage", f"{guid} message {number}: {' '.join(parts)}".rstrip())
    return STATUS_SUCCESS


@api("ntoskrnl")
def WmiQueryTraceInformation(
    guest: Guest, class_: ULONG, information: PVOID, length: ULONG, required: PVOID, buffer: PVOID
) -> NTSTATUS:
    """WmiQueryTraceInformation: there is no logger to tell of."""
    return STATUS_INVALID_HANDLE

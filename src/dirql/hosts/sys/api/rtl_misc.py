"""ntoskrnl's other Rtl routines: memory, GUIDs, times, versions, random numbers, assertions.

RtlRandomEx is a linear congruential generator here, and RtlCaptureStackBackTrace captures nothing: model choices.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, SIZE_T, ULONG, ULONGLONG, USHORT, VOID, Ptr, api
from dirql.hosts.sys.counted_strings import CountedStrings, get_text
from dirql.hosts.sys.driver_memory import load, store
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import LARGE_INTEGER, UNICODE_STRING
from dirql.hosts.sys.strings import text
from dirql.hosts.sys.structs import Struct
from dirql.kernel.stop import BugCheck
from dirql.machine.memory import PAGE_SIZE
from dirql.ntstatus import STATUS_INVALID_PARAMETER, STATUS_REVISION_MISMATCH, STATUS_SUCCESS

__all__: list[str] = []

EPOCH = datetime(1601, 1, 1)
LATEST = (datetime.max - EPOCH) // timedelta(microseconds=1) * 10
BUILDS = {"10": 19045, "11": 22631}
WORKSTATION = 1  # VER_NT_WORKSTATION
OLDER, NEWER = 0x114, 0x11C  # RTL_OSVERSIONINFOW, RTL_OSVERSIONINFOEXW


class TIME_FIELDS(Struct, size=16):
    """A time by its parts."""

    c = "SHORT Year; SHORT Month; SHORT Day; SHORT Hour; SHORT Minute; SHORT Second; SHORT Milliseconds; SHORT Weekday;"


class RTL_OSVERSIONINFOEXW(Struct, size=NEWER):
    """Windows' version; the last five are not in the older form."""

    c = """
        ULONG dwOSVersionInfoSize; ULONG dwMajorVersion; ULONG dwMinorVersion; ULONG dwBuildNumber; ULONG dwPlatformId;
        WCHAR szCSDVersion[128]; USHORT wServicePackMajor; USHORT wServicePackMinor; USHORT wSuiteMask;
        UCHAR wProductType; UCHAR wReserved;
    """


@api("ntoskrnl")
def RtlCompareMemory(guest: Guest, one: PVOID, other: PVOID, count: SIZE_T) -> SIZE_T:
    """RtlCompareMemory: how many bytes are equal before the first that is not."""
    done = 0
    while done < count:
        part = min(count - done, *(PAGE_SIZE - (address + done & PAGE_SIZE - 1) for address in (one, other)))
        left, right = load(guest, one + done, part), load(guest, other + done, part)
        if left != right:
            return done + next(at for at in range(part) if left[at] != right[at])
        done += part
    return done


@api("ntoskrnl")
def RtlCopyMemoryNonTemporal(guest: Guest, target: PVOID, source: PVOID, count: SIZE_T) -> VOID:
    """RtlCopyMemoryNonTemporal."""
    store(guest, target, load(guest, source, count))


# GUIDs.


@api("ntoskrnl")
def RtlGUIDFromString(guest: Guest, string: Ptr[UNICODE_STRING], guid: PVOID) -> NTSTATUS:
    """RtlGUIDFromString: {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}."""
    enter(guest, "RtlGUIDFromString")
    given = get_text(string, 2)
    try:
        value = UUID(given)
    except ValueError:
        return STATUS_INVALID_PARAMETER
    if given.casefold() != f"{{{value}}}":
        return STATUS_INVALID_PARAMETER
    guest.space.write(guid, value.bytes_le)
    return STATUS_SUCCESS


@api("ntoskrnl")
def RtlStringFromGUID(guest: Guest, guid: PVOID, string: Ptr[UNICODE_STRING]) -> NTSTATUS:
    """RtlStringFromGUID: RtlFreeUnicodeString gives the buffer back."""
    enter(guest, "RtlStringFromGUID")
    data = f"{{{str(UUID(bytes_le=guest.space.read(guid, 16))).upper()}}}".encode("utf-16-le")
    string.Buffer = guest.part(CountedStrings).must_allocate(len(data) + 2)
    guest.space.write(string.Buffer, data)
    string.Length, string.MaximumLength = len(data), len(data) + 2
    return STATUS_SUCCESS


# Times.


@api("ntoskrnl")
def RtlTimeToTimeFields(guest: Guest, time: Ptr[LARGE_INTEGER], fields: Ptr[TIME_FIELDS]) -> VOID:
    """RtlTimeToTimeFields: after the year 9999 the last moment of that."""
    value = max(0, min(time.QuadPart, LATEST))
    moment = EPOCH + timedelta(microseconds=value // 10)
    fields.store(
        Year=moment.year, Month=moment.month, Day=moment.day, Hour=moment.hour, Minute=moment.minute, Second=moment.second,
        Milliseconds=moment.microsecond // 1000, Weekday=moment.isoweekday() % 7,
    )  # fmt: skip


@api("ntoskrnl")
def RtlTimeFieldsToTime(guest: Guest, fields: Ptr[TIME_FIELDS], time: Ptr[LARGE_INTEGER]) -> BOOLEAN:
    """RtlTimeFieldsToTime: False for what is no date."""
    given = fields.load()
    try:
        moment = datetime(given.Year, given.Month, given.Day, given.Hour, given.Minute, given.Second, given.Milliseconds * 1000)
    except (ValueError, OverflowError):
        return False
    if moment < EPOCH:
        return False
    time.QuadPart = (moment - EPOCH) // timedelta(microseconds=1) * 10
    return True


# Versions.


def _build(guest: Guest) -> int:
    return BUILDS.get(guest.kernel.windows, BUILDS["11"])


@api("ntoskrnl")
def RtlGetVersion(guest: Guest, info: Ptr[RTL_OSVERSIONINFOEXW]) -> NTSTATUS:
    """RtlGetVersion: 10.0 and the build, for Windows 11 too."""
    enter(guest, "RtlGetVersion")
    size = info.dwOSVersionInfoSize
    guest.space.write(info.address + 4, bytes((NEWER if size == NEWER else OLDER) - 4))
    info.store(dwMajorVersion=10, dwMinorVersion=0, dwBuildNumber=_build(guest), dwPlatformId=2)
    if size == NEWER:
        info.wProductType = WORKSTATION
    return STATUS_SUCCESS


def _or_mask(mine: int, given: int, condition: int) -> bool:
    return bool(mine & given) if condition == 7 else mine & given == given


COMPARE: dict[int, Callable[[int, int], bool]] = {
    1: lambda mine, given: mine == given, 2: lambda mine, given: mine > given, 3: lambda mine, given: mine >= given,
    4: lambda mine, given: mine < given, 5: lambda mine, given: mine <= given,
}  # fmt: skip


@api("ntoskrnl")
def RtlVerifyVersionInfo(guest: Guest, info: Ptr[RTL_OSVERSIONINFOEXW], mask: ULONG, conditions: ULONGLONG) -> NTSTATUS:
    """RtlVerifyVersionInfo: STATUS_REVISION_MISMATCH when a condition does not hold. Of the version's parts the first that
    differs decides, each by the condition of the major version."""
    enter(guest, "RtlVerifyVersionInfo")
    if not mask or not conditions:
        return STATUS_INVALID_PARAMETER
    given = info.load()

    def condition(bit: int) -> int:
        return conditions >> 3 * bit & 7

    parts = ((1, 10, given.dwMajorVersion), (0, 0, given.dwMinorVersion), (5, 0, given.wServicePackMajor),
             (4, 0, given.wServicePackMinor))  # fmt: skip
    asked = [(bit, mine, wanted) for bit, mine, wanted in parts if mask >> bit & 1]
    if asked:
        compare = COMPARE.get(condition(asked[0][0]))
        if compare is None:
            return STATUS_INVALID_PARAMETER
        if not compare(*_first_difference(asked)):
            return STATUS_REVISION_MISMATCH
    for bit, mine, wanted in ((2, _build(guest), given.dwBuildNumber), (3, 2, given.dwPlatformId), (7, 1, given.wProductType)):
        if mask >> bit & 1 and not COMPARE.get(condition(bit), COMPARE[1])(mine, wanted):
            return STATUS_REVISION_MISMATCH
    if mask >> 6 & 1 and not _or_mask(0x100, given.wSuiteMask, condition(6)):
        return STATUS_REVISION_MISMATCH
    return STATUS_SUCCESS


def _first_difference(parts: list[tuple[int, int, int]]) -> tuple[int, int]:
    return next(((mine, wanted) for _, mine, wanted in parts if mine != wanted), (0, 0))


@api("ntoskrnl")
def RtlIsNtDdiVersionAvailable(guest: Guest, version: ULONG) -> BOOLEAN:
    """RtlIsNtDdiVersionAvailable: up to Windows 10's NTDDI versions, which Windows 11's continue."""
    return not version & 0xFF and version <= (0x0A00_0B00 if guest.kernel.windows == "10" else 0x0A00_1000)


# The rest.


@api("ntoskrnl")
def RtlRandomEx(guest: Guest, seed: PVOID) -> ULONG:
    """RtlRandomEx: the seed is replaced."""
    return _random(guest, seed)


@api("ntoskrnl")
def RtlRandom(guest: Guest, seed: PVOID) -> ULONG:
    """RtlRandom."""
    return _random(guest, seed)


def _random(guest: Guest, seed: int) -> int:
    value = int.from_bytes(guest.space.read(seed, 4), "little")
    value = (value * 0x7FFF_FFED + 0x7FFF_FFC3) % 0x7FFF_FFFF
    guest.space.write(seed, value.to_bytes(4, "little"))
    return value


@api("ntoskrnl")
def RtlAssert(guest: Guest, assertion: PVOID, file: PVOID, line: ULONG, message: PVOID) -> VOID:
    """RtlAssert of a checked build: nobody is there to answer its question, so it ends in its breakpoint."""
    words = f"assertion failed: {text(guest.space, assertion)} ({text(guest.space, file)}:{line})"
    guest.framework.note(words)
    raise BugCheck(0x1E, 0x8000_0003, why=f"{words}; no debugger is attached")


@api("ntoskrnl")
def RtlCaptureStackBackTrace(guest: Guest, skip: ULONG, capture: ULONG, frames: PVOID, hash_: PVOID) -> USHORT:
    """RtlCaptureStackBackTrace."""
    if hash_:
        guest.space.write(hash_, bytes(4))
    return 0

"""ntoskrnl's Rtl routines."""

from __future__ import annotations

from dirql.hosts.sys.abi import PVOID, VOID, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.nt_structs import UNICODE_STRING

__all__: list[str] = []


@api("ntoskrnl")
def RtlCopyUnicodeString(guest: Guest, destination: Ptr[UNICODE_STRING], source: Ptr[UNICODE_STRING] | None) -> VOID:
    """RtlCopyUnicodeString: as much as there is room for, with a zero behind it where that fits too."""
    if source is None:
        destination.Length = 0
        return
    length = min(source.Length, destination.MaximumLength & ~1)
    data = guest.space.read(source.Buffer, length)
    if length + 2 <= destination.MaximumLength:
        data += b"\0\0"
    guest.space.write(destination.Buffer, data)
    destination.Length = length


@api("ntoskrnl")
def RtlInitUnicodeString(guest: Guest, destination: Ptr[UNICODE_STRING], source: PVOID) -> VOID:
    """RtlInitUnicodeString."""
    from dirql.hosts.sys.strings import wide_text

    length = 2 * len(wide_text(guest.space, source).encode("utf-16-le")) // 2 if source else 0
    destination.Buffer, destination.Length, destination.MaximumLength = source, length, length + 2 if source else 0

"""ntoskrnl's bitmaps: RTL_BITMAP in the driver's memory. Bit 0 is the lowest of the first ULONG.

A range that does not lie in the bitmap is refused as the routines do where they answer, and a bugcheck of the access where
they do not: Windows touches what is there. Limits: one bitmap is read as a whole for every routine.
"""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, PVOID, ULONG, VOID, Ptr, api
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import RTL_BITMAP

__all__: list[str] = []

NONE = 0xFFFF_FFFF


class _Bits:
    """All bits of one bitmap as a number; `size` of them."""

    def __init__(self, guest: Guest, bitmap: RTL_BITMAP) -> None:
        self._guest, self._at = guest, bitmap.Buffer
        self.size: int = bitmap.SizeOfBitMap
        self._bytes = -(-self.size // 32) * 4
        self.value = int.from_bytes(guest.space.read(self._at, self._bytes), "little")

    @property
    def mask(self) -> int:
        """One bit for each that counts."""
        return (1 << self.size) - 1

    @property
    def in_use(self) -> int:
        """Without what lies behind the last one."""
        return self.value & self.mask

    def put(self, value: int) -> None:
        """Writes them; those behind the last one are kept."""
        self._guest.space.write(self._at, (self.value & ~self.mask | value & self.mask).to_bytes(self._bytes, "little"))

    def find(self, count: int, hint: int, *, set_: bool) -> int:
        """The first run of `count`, from `hint` on and then from the start; NONE for none."""
        if hint >= self.size:
            hint = 0
        if not count:
            return hint & ~7
        if count > self.size:
            return NONE
        text = format(self.in_use, f"0{self.size}b")[::-1]
        run = ("1" if set_ else "0") * count
        at = text.find(run, hint)
        return at if at >= 0 else text.find(run) if hint and text.find(run) >= 0 else NONE


def _range(start: int, count: int) -> int:
    return (1 << count) - 1 << start


def _change(guest: Guest, bitmap: RTL_BITMAP, start: int, count: int, *, set_: bool) -> None:
    """Only the bytes that hold the range: it may lie past the end, where Windows writes too."""
    if not count:
        return
    first, last = start // 8, (start + count - 1) // 8
    at = bitmap.Buffer + first
    length = last - first + 1
    value = int.from_bytes(guest.space.read(at, length), "little")
    mask = _range(start - 8 * first, count)
    guest.space.write(at, (value | mask if set_ else value & ~mask).to_bytes(length, "little"))


@api("ntoskrnl")
def RtlInitializeBitMap(guest: Guest, bitmap: Ptr[RTL_BITMAP], buffer: PVOID, size: ULONG) -> VOID:
    """RtlInitializeBitMap: the bits stay what they are."""
    bitmap.SizeOfBitMap, bitmap.Buffer = size, buffer


@api("ntoskrnl")
def RtlClearAllBits(guest: Guest, bitmap: Ptr[RTL_BITMAP]) -> VOID:
    """RtlClearAllBits."""
    _Bits(guest, bitmap).put(0)


@api("ntoskrnl")
def RtlSetAllBits(guest: Guest, bitmap: Ptr[RTL_BITMAP]) -> VOID:
    """RtlSetAllBits."""
    bits = _Bits(guest, bitmap)
    bits.put(bits.mask)


@api("ntoskrnl")
def RtlSetBit(guest: Guest, bitmap: Ptr[RTL_BITMAP], index: ULONG) -> VOID:
    """RtlSetBit."""
    _change(guest, bitmap, index, 1, set_=True)


@api("ntoskrnl")
def RtlClearBit(guest: Guest, bitmap: Ptr[RTL_BITMAP], index: ULONG) -> VOID:
    """RtlClearBit."""
    _change(guest, bitmap, index, 1, set_=False)


@api("ntoskrnl")
def RtlTestBit(guest: Guest, bitmap: Ptr[RTL_BITMAP], index: ULONG) -> BOOLEAN:
    """RtlTestBit."""
    return bool(guest.space.read(bitmap.Buffer + index // 8, 1)[0] >> index % 8 & 1)


@api("ntoskrnl")
def RtlCheckBit(guest: Guest, bitmap: Ptr[RTL_BITMAP], index: ULONG) -> BOOLEAN:
    """RtlCheckBit."""
    return RtlTestBit(guest, bitmap, index)


@api("ntoskrnl")
def RtlSetBits(guest: Guest, bitmap: Ptr[RTL_BITMAP], start: ULONG, count: ULONG) -> VOID:
    """RtlSetBits."""
    _change(guest, bitmap, start, count, set_=True)


@api("ntoskrnl")
def RtlClearBits(guest: Guest, bitmap: Ptr[RTL_BITMAP], start: ULONG, count: ULONG) -> VOID:
    """RtlClearBits."""
    _change(guest, bitmap, start, count, set_=False)


@api("ntoskrnl")
def RtlAreBitsSet(guest: Guest, bitmap: Ptr[RTL_BITMAP], start: ULONG, count: ULONG) -> BOOLEAN:
    """RtlAreBitsSet: False for no bits, and for those that are not all in the bitmap."""
    bits = _Bits(guest, bitmap)
    return bool(count) and start + count <= bits.size and not ~bits.value & _range(start, count)


@api("ntoskrnl")
def RtlAreBitsClear(guest: Guest, bitmap: Ptr[RTL_BITMAP], start: ULONG, count: ULONG) -> BOOLEAN:
    """RtlAreBitsClear."""
    bits = _Bits(guest, bitmap)
    return bool(count) and start + count <= bits.size and not bits.value & _range(start, count)


@api("ntoskrnl")
def RtlNumberOfSetBits(guest: Guest, bitmap: Ptr[RTL_BITMAP]) -> ULONG:
    """RtlNumberOfSetBits."""
    return _Bits(guest, bitmap).in_use.bit_count()


@api("ntoskrnl")
def RtlNumberOfClearBits(guest: Guest, bitmap: Ptr[RTL_BITMAP]) -> ULONG:
    """RtlNumberOfClearBits."""
    bits = _Bits(guest, bitmap)
    return bits.size - bits.in_use.bit_count()


@api("ntoskrnl")
def RtlFindClearBits(guest: Guest, bitmap: Ptr[RTL_BITMAP], count: ULONG, hint: ULONG) -> ULONG:
    """RtlFindClearBits."""
    return _Bits(guest, bitmap).find(count, hint, set_=False)


@api("ntoskrnl")
def RtlFindSetBits(guest: Guest, bitmap: Ptr[RTL_BITMAP], count: ULONG, hint: ULONG) -> ULONG:
    """RtlFindSetBits."""
    return _Bits(guest, bitmap).find(count, hint, set_=True)


@api("ntoskrnl")
def RtlFindClearBitsAndSet(guest: Guest, bitmap: Ptr[RTL_BITMAP], count: ULONG, hint: ULONG) -> ULONG:
    """RtlFindClearBitsAndSet."""
    enter(guest, "RtlFindClearBitsAndSet")
    found = _Bits(guest, bitmap).find(count, hint, set_=False)
    if found != NONE:
        _change(guest, bitmap, found, count, set_=True)
    return found


@api("ntoskrnl")
def RtlFindSetBitsAndClear(guest: Guest, bitmap: Ptr[RTL_BITMAP], count: ULONG, hint: ULONG) -> ULONG:
    """RtlFindSetBitsAndClear."""
    found = _Bits(guest, bitmap).find(count, hint, set_=True)
    if found != NONE:
        _change(guest, bitmap, found, count, set_=False)
    return found


@api("ntoskrnl")
def RtlFindNextForwardRunClear(guest: Guest, bitmap: Ptr[RTL_BITMAP], start: ULONG, out: PVOID) -> ULONG:
    """RtlFindNextForwardRunClear: its length, 0 for none; where it begins through the pointer."""
    bits = _Bits(guest, bitmap)
    text = format(bits.in_use, f"0{bits.size}b")[::-1] if bits.size else ""
    at = text.find("0", start)
    guest.space.write(out, (bits.size if at < 0 else at).to_bytes(4, "little"))
    if at < 0:
        return 0
    end = text.find("1", at)
    return (len(text) if end < 0 else end) - at

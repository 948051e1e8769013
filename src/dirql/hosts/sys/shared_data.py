"""KUSER_SHARED_DATA at 0xFFFFF78000000000: times and versions that inlined routines of the headers read.

SystemTime, InterruptTime and TickCount are written at the clock tick, as on Windows, or rather when the driver is entered or
comes back from a routine after it.
Limits: code that reads them in a loop without calling anything sees no time pass; of the other members only those are
filled in that a driver has a use for. Model choice: the processor's features.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.nt_structs import KUSER_SHARED_DATA
from dirql.hosts.sys.page_table import Rights
from dirql.kernel.clock import BOOT_TIME
from dirql.machine.memory import PAGE_SIZE

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["FEATURES", "SharedData"]

NT_PRODUCT_WIN_NT = 1
AMD64 = 9
TICK_MULTIPLIER = 0x0FA0_0000  # milliseconds in a tick, times 2 to the power of 24: 15.625
# PF_ numbers: cmpxchg8b, MMX, SSE, TSC, PAE, SSE2, NX, SSE3, cmpxchg16b; SSSE3, SSE4.1, SSE4.2
FEATURES = frozenset({2, 3, 6, 8, 9, 10, 12, 13, 14, 32, 36, 37, 38})


class SharedData:
    """`guest.part(SharedData)`: the page, once it is there."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        space = guest.space
        self._tick_ns = guest.kernel.clock.tick_ns
        base = Area.SYSTEM.value
        space.place_at(base, PAGE_SIZE, "KUSER_SHARED_DATA", Rights.READ)
        page = space.pages.translate(base, 1)
        assert page is not None
        self._page = page
        self._view = guest.machine.memory.view
        ticks = space.allocate(Area.KERNEL, 16, "KeTickCount")
        self.tick_count_variable = ticks.start
        self._fill()
        self.tick(guest.machine.time)
        guest.clock = self.tick

    def tick(self, now: int) -> None:
        """The times as of the last clock tick before `now`."""
        ticks = now // self._tick_ns
        interrupt = ticks * self._tick_ns // 100
        self._time("InterruptTime", interrupt)
        self._time("SystemTime", BOOT_TIME + interrupt)
        self._time("TickCount", ticks)
        self._guest.space.write(self.tick_count_variable, _system_time(ticks))
        self._guest.clock_due = (ticks + 1) * self._tick_ns

    def _time(self, name: str, value: int) -> None:
        self._put(KUSER_SHARED_DATA.offset(name), _system_time(value))

    def _put(self, offset: int, data: bytes) -> None:
        start = self._page + offset
        self._view[start : start + len(data)] = data

    def _fill(self) -> None:
        kernel = self._guest.kernel
        # fmt: off
        values = {
            "TickCountMultiplier": (TICK_MULTIPLIER, 4), "NtBuildNumber": (kernel.build, 4),
            "NtProductType": (NT_PRODUCT_WIN_NT, 4), "ProductTypeIsValid": (1, 1), "NativeProcessorArchitecture": (AMD64, 2),
            "NtMajorVersion": (10, 4), "NtMinorVersion": (0, 4), "QpcFrequency": (10_000_000, 8),
            "ActiveProcessorCount": (len(self._guest.machine.cpus), 4), "ActiveGroupCount": (1, 1),
            "NumberOfPhysicalPages": (self._guest.machine.memory.size // PAGE_SIZE, 4),
        }
        # fmt: on
        for name, (value, size) in values.items():
            self._put(KUSER_SHARED_DATA.offset(name), value.to_bytes(size, "little"))
        self._put(KUSER_SHARED_DATA.offset("NtSystemRoot"), "C:\\Windows".encode("utf-16-le"))
        features = KUSER_SHARED_DATA.offset("ProcessorFeatures")
        for feature in FEATURES:
            self._put(features + feature, b"\1")


def _system_time(value: int) -> bytes:
    """KSYSTEM_TIME."""
    return pack("<III", value & 0xFFFF_FFFF, value >> 32 & 0xFFFF_FFFF, value >> 32 & 0xFFFF_FFFF)

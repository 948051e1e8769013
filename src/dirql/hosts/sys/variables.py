"""Variables that the kernel exports, as Windows exports them: an import is the address of the variable.

Each is made when it is first asked for and keeps its address. Values are those of a machine that is up: they do not change,
except KeTickCount, which is what it was at the last clock tick.
Limits: what the other variables of the kernel hold is not modelled. Model choices:
addresses of the user range, the build number's lab string.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.object_types import OBJECT_TYPES, ObjectTypes
from dirql.hosts.sys.page_table import Rights

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["VARIABLES", "variable"]

HIGHEST_USER_ADDRESS = 0x0000_7FFF_FFFE_FFFF
USER_PROBE_ADDRESS = 0x0000_7FFF_FFFF_0000
SYSTEM_RANGE_START = 0xFFFF_8000_0000_0000
FREE_BUILD = 0xF000_0000


def variable(guest: Guest, key: str) -> int:
    """The address of the exported variable "module!Name"."""
    known = guest.stubs.data.get(key)
    if known is None:
        known = guest.stubs.data[key] = VARIABLES[key](guest)
    return known


def _constant(value: Callable[[Guest], int], size: int) -> Callable[[Guest], int]:
    def make(guest: Guest) -> int:
        region = guest.space.allocate(Area.KERNEL, size, "a variable of the kernel's", Rights.READ | Rights.WRITE)
        guest.space.write(region.start, value(guest).to_bytes(size, "little"))
        return region.start

    return make


def _fixed(value: int, size: int) -> Callable[[Guest], int]:
    return _constant(lambda guest: value, size)


def _type(name: str) -> Callable[[Guest], int]:
    return _constant(lambda guest: guest.part(ObjectTypes).pointer(name), 8)


def _tick_count(guest: Guest) -> int:
    from dirql.hosts.sys.shared_data import SharedData  # which needs the guest's

    return guest.part(SharedData).tick_count_variable


def _build_number(guest: Guest) -> int:
    return FREE_BUILD | guest.kernel.build


def _processors(guest: Guest) -> int:
    return len(guest.machine.cpus)


# fmt: off
VARIABLES: dict[str, Callable[[Guest], int]] = {
    "ntoskrnl!KeNumberProcessors":    _constant(_processors, 4),
    "ntoskrnl!KeTickCount":           _tick_count,
    "ntoskrnl!NtBuildNumber":         _constant(_build_number, 4),
    "ntoskrnl!NtGlobalFlag":          _fixed(0, 4),
    "ntoskrnl!InitSafeBootMode":      _fixed(0, 4),
    "ntoskrnl!KdDebuggerEnabled":     _fixed(0, 1),
    "ntoskrnl!KdDebuggerNotPresent":  _fixed(1, 1),
    "ntoskrnl!MmHighestUserAddress":  _fixed(HIGHEST_USER_ADDRESS, 8),
    "ntoskrnl!MmSystemRangeStart":    _fixed(SYSTEM_RANGE_START, 8),
    "ntoskrnl!MmUserProbeAddress":    _fixed(USER_PROBE_ADDRESS, 8),
    "ntoskrnl!PsInitialSystemProcess": _constant(lambda guest: guest.part(ObjectTypes).system_process, 8),
    **{f"ntoskrnl!{name}": _type(name) for name in OBJECT_TYPES},
}
# fmt: on

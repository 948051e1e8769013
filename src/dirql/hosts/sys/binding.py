"""Binding a driver to the framework: the version that it was built for, its function table and its globals (facts §6.2).

Model choice: a driver that needs a newer framework is refused with STATUS_OBJECT_TYPE_MISMATCH, which the facts leave open.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.facts import routines
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.structs import known_sizes
from dirql.hosts.sys.stubs import Unmodelled
from dirql.hosts.sys.wdf_structs import WDF_BIND_INFO, WDF_BIND_INFO2, WDF_DRIVER_GLOBALS
from dirql.ntstatus import StatusError

if TYPE_CHECKING:
    from dirql.hosts.sys.driver import SysDriver
    from dirql.hosts.sys.guest import Guest

__all__ = ["COUNTS", "bind"]

MAJOR, NEWEST = 1, 33  # KMDF 1.33
STRUCTURES = 81
UNKNOWN = (1 << 64) - 1  # as the headers have it for what a framework does not know (model choice: where the facts have no size)
BY_POINTER = 439  # tables of this many functions and more are the framework's own, smaller ones are copied
# How many functions a KMDF version has, by its minor version (facts §6.2).
COUNTS = {0: 383, 1: 386, 5: 387, 7: 387, 9: 396, 11: 432, 13: 438, 15: 444, 17: 444, 19: 446, 21: 448, 23: 451, 25: 453,
          27: 453, 29: 454, 31: 458, 33: 458}  # fmt: skip


def bind(guest: Guest, driver: SysDriver, info: WDF_BIND_INFO) -> int:
    """The address of the driver's globals; the function table is filled in, or pointed to, as the driver's version has it."""
    major, minor, count = info.Version.Major, info.Version.Minor, info.FuncCount
    if major == MAJOR and info.Size == WDF_BIND_INFO2.size:
        count = _bind_newer(guest, driver, WDF_BIND_INFO2(guest.space, info.address), minor, count)
    elif major != MAJOR or minor > NEWEST:
        raise _too_new(driver, f"{major}.{minor}")
    if count not in COUNTS.values():
        why = f"{driver.name}: WDF_BIND_INFO.FuncCount {count} is no KMDF version's"
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, why)
    table = _make_table(guest)
    if count >= BY_POINTER:
        guest.space.write(info.FuncTable, table.to_bytes(8, "little"))
    else:
        guest.space.write(info.FuncTable, guest.space.read(table, 8 * count))
    info.Module = guest.handle(driver)
    driver.kmdf = f"{info.Version.Major}.{minor}"
    return _globals(guest, driver)


def _bind_newer(guest: Guest, driver: SysDriver, info: WDF_BIND_INFO2, minor: int, count: int) -> int:
    """A driver that runs on older frameworks than it was built for is told what it gets."""
    newer = minor > NEWEST
    if info.ClientVersionHigherThanFramework:
        guest.space.write(info.ClientVersionHigherThanFramework, bytes([newer]))
    if not newer:
        return count
    least = int.from_bytes(guest.space.read(info.MinimumVersionRequired, 4), "little")
    if least > NEWEST:
        raise _too_new(driver, f"{MAJOR}.{least}")
    have = COUNTS[NEWEST]
    info.V1.FuncCount = have
    if info.FuncCount:
        guest.space.write(info.FuncCount, have.to_bytes(4, "little"))
    if info.StructCount:
        guest.space.write(info.StructCount, STRUCTURES.to_bytes(4, "little"))
    if info.StructTable:
        guest.space.write(info.StructTable, _structure_sizes(guest).to_bytes(8, "little"))
    return have


def _too_new(driver: SysDriver, needed: str) -> StatusError:
    remedy = f"build it with KMDF_VERSION_MINOR={NEWEST}, or with KMDF_MINIMUM_VERSION_REQUIRED={NEWEST} or less"
    sentence = f"{driver.name} needs KMDF {needed}, and dirql's framework is {MAJOR}.{NEWEST}; {remedy}"
    driver.entry_failure = sentence
    return StatusError(ntstatus.STATUS_OBJECT_TYPE_MISMATCH, sentence)


def _structure_sizes(guest: Guest) -> int:
    """An array of size_t by the framework's own numbers of its structures, made once."""
    known = guest.stubs.data.get("wdf!structures")
    if known is not None:
        return known
    sizes = [UNKNOWN] * STRUCTURES
    lines = files("dirql.facts").joinpath("wdf_struct_table.csv").read_text("utf-8").splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        sizes[int(row["index"])] = int(row["size"]) if row["size"] else known_sizes()[row["name"]]
    region = guest.space.allocate(Area.KERNEL, 8 * STRUCTURES, "the framework's structure sizes")
    guest.space.write(region.start, b"".join(size.to_bytes(8, "little") for size in sizes))
    guest.stubs.data["wdf!structures"] = region.start
    return region.start


def _globals(guest: Guest, driver: SysDriver) -> int:
    region = guest.space.allocate(Area.BUFFER, WDF_DRIVER_GLOBALS.size, f"the WDF_DRIVER_GLOBALS of {driver.name}")
    view = WDF_DRIVER_GLOBALS(guest.space, region.start)
    view.Driver = 0
    stem = driver.name.rpartition(".")[0] or driver.name
    guest.space.write(region.start + WDF_DRIVER_GLOBALS.offset("DriverName"), stem.encode("ascii", "replace")[:31])
    driver.globals = region.start
    return region.start


def _make_table(guest: Guest) -> int:
    """The framework's function table, made once: a stub for every function, those that are not modelled too."""
    known = guest.stubs.data.get("wdf!table")
    if known is not None:
        return known
    rows = {row.index: row.name for row in routines().values() if row.index is not None}
    count = max(rows) + 1
    slots = b"".join(guest.stubs.address(f"wdf!{rows[i]}", ROUTINES.get(f"wdf!{rows[i]}") or Unmodelled("wdf", rows[i]))
                     .to_bytes(8, "little") for i in range(count))  # fmt: skip
    region = guest.space.allocate(Area.KERNEL, len(slots), "the framework's function table")
    guest.space.write(region.start, slots)
    guest.stubs.data["wdf!table"] = region.start
    return region.start

"""What `dirql resources` shows, as values: each function's grant, and why it is not more.

All functions of a dump are arbitrated on one machine, in the file's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dirql.cli.output import WATCHDOG
from dirql.errors import InputError, UsageError
from dirql.ntstatus import StatusError
from dirql.pci.dump_function import DumpFunction, assumed_bars, size_notes
from dirql.pci.dumps import Dump
from dirql.pci.function import Function
from dirql.pci.spec import BAR_COUNT
from dirql.pnp import config
from dirql.pnp.arbiter import Arbiter
from dirql.pnp.description import describe
from dirql.pnp.grant import Grant, GrantChoice, ImpossibleGrant
from dirql.pnp.identifiers import function_name, hardware_ids
from dirql.pnp.inf import Inf
from dirql.pnp.interrupt_management import InterruptManagement
from dirql.pnp.requirements import query_resource_requirements, requirement_notes
from dirql.scenario.dump_choice import functions_of, same_address

__all__ = ["Resources", "of_dump", "of_scenario", "sizes_of"]

CPUS, MESSAGES = 64, 2048
SUFFIXES = {"K": 10, "M": 20, "G": 30}


@dataclass(frozen=True)
class Resources:
    """One function's part. `offered` is how many messages it could ask for, by `offers` (empty: none); `no_inf` tells that
    nothing opted in to them. The last one says what of the dump was `left_out`."""

    address: str
    function: str
    grant: Grant
    notes: tuple[str, ...]
    offers: str
    offered: int
    no_inf: bool
    left_out: tuple[str, ...] = ()
    unsized: frozenset[int] = frozenset()  # where memory or ports begin whose length was assumed

    def as_json(self) -> dict[str, Any]:
        """Keys as docs/json.md lists them."""
        told = describe(self.function, self.grant, self.unsized)
        return {"address": self.address, **told, "notes": [*self.notes, *self.left_out]}


def sizes_of(options: Sequence[str]) -> dict[int, int]:
    """`N=SIZE` options; SIZE in decimal or hex, with K, M or G for KiB, MiB or GiB."""
    sizes = {}
    for option in options:
        number, equals, size = option.partition("=")
        suffix = SUFFIXES.get(size[-1:].upper(), 0)
        try:
            index, count = int(number, 0), int(size[:-1] if suffix else size, 0) << suffix
        except ValueError:
            index, count = -1, 0
        if not equals or not 0 <= index < BAR_COUNT or count <= 0:
            limit = f"BARs are 0 to {BAR_COUNT - 1}, with a size in bytes"
            raise UsageError(f"--bar {option}: {limit}; write --bar 0=0x20000 or --bar 0=128K")
        sizes[index] = count
    return sizes


def choice_of(messages: int | None, line: bool) -> GrantChoice:
    """What the options grant."""
    if messages is not None and not 1 <= messages <= MESSAGES:
        raise UsageError(f"--messages {messages}: out of range; give 1 to {MESSAGES}, or --line for the line")
    return GrantChoice.messages(messages) if messages is not None else GrantChoice.line() if line else GrantChoice.all()


def said(messages: int | None, line: bool) -> str:
    """The option that says what is granted, as it was typed."""
    return f"--messages {messages}" if messages is not None else "--line" if line else ""


def why_not(problem: ImpossibleGrant, option: str) -> str:
    """An impossible grant, by what asked for it."""
    return f"{option}: {problem.reason}" if option else str(problem)


def checked(cpus: int) -> int:
    """--cpus, if that many can be modelled."""
    if not 1 <= cpus <= CPUS:
        raise UsageError(f"--cpus {cpus}: one group holds 1 to {CPUS}, and several are not modelled yet; give 1 to {CPUS}")
    return cpus


def of_dump(
    path: str, cpus: int, inf: str, messages: int | None, line: bool, sizes: dict[int, int], address: str
) -> list[Resources]:
    """Each type 0 function of a dump, or the one at `address`. Bridges of a whole machine's dump are left out, and named."""
    dumps = functions_of(path, address)
    if sizes and len(dumps) > 1:
        raise UsageError(f"--bar: {path} holds {len(dumps)} functions; choose one with --function {dumps[0].address}")
    endpoints = [dump for dump in dumps if not header_type(dump)] or dumps[:1]
    file = Inf.load(inf) if inf else None
    arbiter = Arbiter(checked(cpus))
    choice, option = choice_of(messages, line), said(messages, line)
    found = [_of_dump(dump, sizes, file, arbiter, choice, option) for dump in endpoints]
    left_out = tuple(f"left out: {dump.address} is {bridge(dump)}" for dump in dumps if header_type(dump))
    return [*found[:-1], replace(found[-1], left_out=left_out)]


def header_type(dump: Dump) -> int:
    """0 for an endpoint."""
    return dump.config[0x0E] & 0x7F


def bridge(dump: Dump) -> str:
    """What a function that is no endpoint is."""
    number = header_type(dump)
    kind = {1: "a bridge", 2: "a CardBus bridge"}.get(number, "of an unknown kind")
    return f"{kind} (header type {number})"


def _of_dump(
    dump: Dump, sizes: Mapping[int, int], inf: Inf | None, arbiter: Arbiter, choice: GrantChoice, option: str
) -> Resources:
    function = DumpFunction(dump, sizes)
    management, notes = _management(function, inf)
    _, bus, rest = dump.address.rsplit(":", 2)
    unknown: dict[int, int | None] = dict.fromkeys(function.assumed)
    requirements = query_resource_requirements(
        function, management, unknown, bus=int(bus, 16), device=int(rest.partition(".")[0], 16)
    )
    try:
        grant = arbiter.grant(requirements, choice=choice)
    except ImpossibleGrant as problem:
        raise InputError(dump.source, "", f"{dump.address}: {why_not(problem, option)}") from None
    except (StatusError, UsageError) as problem:
        raise InputError(dump.source, "", f"{dump.address}: {problem}") from None
    if unknown:
        bars = ", ".join(str(index) for index in unknown)
        tell = "tell it with --bar N=SIZE, or take the dump with lspci -vv as well"
        notes = (*notes, f"a dump holds no BAR sizes: the length of BAR {bars} is unknown; {tell}")
    return _resources(dump.address, function, grant, notes, not management.msi_supported)


def of_scenario(
    path: str, cpus: int | None, inf: str, messages: int | None, line: bool, bars: bool, address: str
) -> list[Resources]:
    """Each device of a scenario. Where there is a driver it is started: it may filter what is asked for."""
    from dirql.scenario.play import Play
    from dirql.scenario.values import Scenario

    if bars:
        raise UsageError("--bar is for dumps; in a scenario write [device.bars]")
    scenario = overridden(Scenario.load(path), cpus, inf, messages, line)
    drives = any(driver.drives for driver in scenario.drivers)
    play = Play(scenario, watchdog=WATCHDOG)
    found = []
    if drives:
        play.start()
        for node in play.system.pnp.nodes:
            if node.grants:
                port = node.port
                no_inf = not node.management.msi_supported
                notes = (*node.notes, *size_notes(port.function))
                found.append(_resources(port.address, port.function, node.grants[0], notes, no_inf))
        if not found:
            stop = play.system.stopped
            why = str(stop) if stop is not None else "the driver failed before anything was granted"
            raise InputError(path, "", why, "dirql run shows the callbacks up to there")
    else:
        infs = [Inf.load(scenario.base / driver.inf, windows=scenario.windows) for driver in scenario.drivers]
        for port in play.system.machine.ports:
            management, notes = _management(port.function, infs[0] if infs else None)
            requirements = query_resource_requirements(port.function, management)
            try:
                grant = play.system.pnp.arbiter.grant(requirements, choice=scenario.grant)
            except ImpossibleGrant as problem:
                raise InputError(path, scenario.lines.get("grant", ""), why_not(problem, scenario.grant_said)) from None
            except (StatusError, UsageError) as problem:
                raise InputError(path, "", f"{port.name}: {problem}") from None
            notes = (*notes, *size_notes(port.function))
            found.append(_resources(port.address, port.function, grant, notes, not management.msi_supported))
    chosen = [one for one in found if not address or same_address(one.address, address)]
    if not chosen:
        raise UsageError(f"--function {address}: the scenario has {', '.join(one.address for one in found)}")
    return chosen


def overridden(scenario: Any, cpus: int | None, inf: str, messages: int | None, line: bool) -> Any:
    """The scenario with what the command line says instead; an INF's name is then relative to the current folder."""
    from dirql.scenario.values import DriverSource

    if cpus is not None:
        checked(cpus)
        scenario = replace(scenario, cpus=cpus, reserve={cpu: n for cpu, n in scenario.reserve.items() if cpu < cpus})
    if inf:
        absolute = str(Path(inf).absolute())
        drivers = scenario.drivers or (DriverSource(),)
        scenario = replace(scenario, drivers=tuple(replace(driver, inf=absolute) for driver in drivers))
    if messages is not None or line:
        lines = {**scenario.lines, "grant": ""}
        scenario = replace(scenario, grant=choice_of(messages, line), grant_said=said(messages, line), lines=lines)
    return scenario


def _management(function: Function, inf: Inf | None) -> tuple[InterruptManagement, tuple[str, ...]]:
    if inf is None:
        return InterruptManagement(), ()
    ids = hardware_ids(function)
    install = inf.match(ids)
    if install is None:
        return InterruptManagement(), (inf.why_not(ids),)
    management = InterruptManagement.from_registry(install.registry)
    return management, (*install.notes, *requirement_notes(function, management))


def _resources(address: str, function: Function, grant: Grant, notes: tuple[str, ...], no_inf: bool) -> Resources:
    msix, msi = config.msix(function), config.msi(function)
    offers, offered = ("MSI-X", msix.entries) if msix is not None else ("MSI", msi.capable) if msi is not None else ("", 0)
    unsized = frozenset(assumed_bars(function))
    return Resources(address, function_name(function), grant, notes, offers, offered, no_inf, unsized=unsized)

"""The facade: plug a device, load a driver, start, run, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from dirql import ntstatus
from dirql.errors import UsageError
from dirql.findings import Finding
from dirql.hosts.watching import Watching
from dirql.kernel.kernel import Kernel
from dirql.kernel.stop import Hang, Stop
from dirql.kernel.unhandled import in_driver, unhandled
from dirql.machine.chooser import Chooser
from dirql.machine.costs import Costs
from dirql.machine.machine import Machine
from dirql.machine.port import Port
from dirql.machine.scheduler import STEPS
from dirql.observe import Observed, finish, observe
from dirql.pci.dump_function import size_notes
from dirql.pci.function import Function
from dirql.pnp.grant import GrantChoice
from dirql.pnp.identifiers import hardware_ids
from dirql.pnp.inf import Inf
from dirql.pnp.interrupt_management import InterruptManagement
from dirql.pnp.manager import DevNode, HostsWdm, PnpManager
from dirql.pnp.requirements import requirement_notes, unasked_note
from dirql.report.model import Report
from dirql.trace import Kind, Trace
from dirql.user import Handle
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.driver import Driver
from dirql.wdf.framework import Framework, Verifier
from dirql.wdf.io_manager import IoManager
from dirql.wdf.leaks import tell_of_leaks, tell_of_requests
from dirql.wdf.message_check import advise_on_policies
from dirql.wdf.pnp_state import PnpStateMachine

if TYPE_CHECKING:
    from dirql.hosts.sys import Guest

__all__ = ["NoDriver", "System"]

FEW = 50_000  # steps after which `call` looks again, on a machine that is never at rest
PATIENCE = 60_000_000_000  # ns that run() goes on while something keeps happening

F = TypeVar("F", bound=Function)
T = TypeVar("T")


class NoDriver(UsageError):
    """No driver that was loaded takes the function."""


class System:
    """One machine with Windows on it.

    `cpus` 1 to 64; `windows` "10" or "11"; `trace` True keeps every event; `chooser` decides orders (default: virtual time);
    `costs` replaces the cost table; `memory` is the RAM in bytes; `races` True looks for data races, about ten times slower.
    """

    def __init__(
        self, cpus: int = 4, *, windows: str = "11", trace: bool = False, chooser: Chooser | None = None,
        costs: Costs | None = None, verifier: Verifier | None = None, memory: int = 64 << 20, races: bool = False,
    ) -> None:  # fmt: skip
        self.windows = windows
        self.trace = Trace() if trace or races else None
        self.machine = Machine(cpus, costs=costs, chooser=chooser, trace=self.trace, memory=memory)
        self.kernel = Kernel(self.machine)
        self.kernel.windows = windows
        self.framework = Framework(self.kernel, verifier)
        self.watching = Watching(self.framework, races)
        self.pnp = PnpManager(self.kernel)
        self.pnp.about_to_stop = lambda node: self.observe()
        self.io = IoManager(self.kernel)
        self.stopped: Stop | None = None
        self.patience = 10.0  # s of real time that an image's code may get nowhere; 0 for ever
        self.max_instructions: int | None = None  # that images may run in all: counted, and slower
        # Where an image's code may be interrupted: None at its calls and register accesses; 0 at every memory access too; N after
        # every N instructions. To be set before `load`.
        self.preempt: int | None = None
        self.guest: Guest | None = None  # where driver images run, once one is loaded
        self._drivers: list[tuple[Driver, Inf | None]] = []
        self._never_at_rest = False
        self.observing = True  # a report is wanted; False where the same system is played on again and again
        self._observed: dict[DevNode, list[Observed]] = {}

    # Building.

    def plug(self, function: F) -> F:
        """Put a function into a slot; returns it."""
        if isinstance(function, type) or not hasattr(function, "config_read"):
            raise UsageError(f"System.plug({function!r:.60}): that is no function; plug an object of a dirql.device.Device class")
        self.machine.plug(function)
        return function

    def load(
        self, driver: type[Driver] | str | Path, inf: str | Path | Inf | None = None, *, stubs: Mapping[str, int] | None = None
    ) -> Driver:
        """Load a driver: a class, or the path of an image (.sys), whose DriverEntry runs now. Without an INF it takes every
        function that is plugged, and no MSI or MSI-X is ever granted, since only an INF can set MSISupported. `stubs` are
        routines that an image may call though dirql does not model them, and what they return."""
        if not (isinstance(driver, str | Path) or (isinstance(driver, type) and issubclass(driver, Driver))):
            wanted = "give a dirql.wdf.Driver subclass, or the path of a .sys file"
            raise UsageError(f"System.load({driver!r:.60}): that is no driver; {wanted}")
        if isinstance(inf, str | Path):
            inf = Inf.load(inf, windows=self.windows)
        if isinstance(driver, str | Path):
            loaded: Driver = self._load_image(Path(driver), inf, stubs or {})
        else:
            if stubs:
                raise UsageError(f"stubs {', '.join(stubs)}: {driver.__name__} is no image; leave them out")
            driver.require_callbacks()
            self.watching.look_at(driver)
            loaded = driver(self.framework)
            loaded.service_key = inf.service_key() if inf is not None else loaded.service_key
        self.framework.driver = self.framework.driver or loaded
        self._drivers.append((loaded, inf))
        loaded.last_of_entry = self.framework.last_handle
        return loaded

    def _load_image(self, path: Path, inf: Inf | None, stubs: Mapping[str, int]) -> Driver:
        from dirql.hosts.sys import Guest, instrument, load_driver  # an emulator that only those pay for who load an image

        if self.guest is None:
            self.guest = Guest(self.kernel, self.framework)
            self.watching.look_into(self.guest)
            instrument(self.guest, self.patience, self.preempt, self.max_instructions)
        for name, value in stubs.items():
            self.guest.stubs.replace(name, value)
        driver = load_driver(self.guest, path)
        driver.service_key = inf.service_key() if inf is not None else driver.service_key
        self._pnp(driver.enter)
        return driver

    # Running.

    def start(self, grant: GrantChoice | None = None) -> int:
        """Enumerate every function, find its driver, start it. The NTSTATUS of the last one that failed, else STATUS_SUCCESS.

        What was started is left alone, and so is what failed. A function that `remove` took its device from is found again.
        """
        status = ntstatus.STATUS_SUCCESS
        grant = grant or GrantChoice.all()
        for port in self.machine.ports:
            node = next((node for node in self.pnp.nodes if node.port is port), None)
            if node is None:
                one = self._start(port, grant)
            elif node.removed and not port.removed:
                one = self._pnp(self.pnp.find_again, node, grant)
            else:
                continue
            status = status if ntstatus.nt_success(one) else one
        return status

    def run(self, for_ns: int | None = None) -> None:
        """Let everything happen until nothing is left to happen, or for `for_ns` of virtual time.

        Periodic timers alone keep it going for a hundred expirations; what goes on all the same is left after `PATIENCE`,
        with a finding.
        """
        if for_ns is None:
            self._run_to_rest(None)
            return
        until = self.machine.time + for_ns
        self._run(until, lambda: False)
        self.machine.time = max(self.machine.time, until)

    def _run_to_rest(self, enough: Callable[[], bool] | None) -> None:
        begin, until = self.now, self.machine.time + PATIENCE
        restless: list[str] = []
        if enough is not None and self._never_at_rest:  # was told before: what is asked for now is all that is waited for
            for _ in range(STEPS // FEW):
                restless = self._run(until, enough, FEW)
                if not restless or enough():
                    return
        else:
            restless = self._run(until, enough, STEPS)
        if not restless:
            return
        lasted = f"after {(self.now - begin) / 1e9:.3g} s of virtual time"
        busy = [self.machine.where(cpu) for cpu in self.machine.scheduler.unfinished]
        if busy:
            self._stop(Hang("stuck", f"{lasted} a processor still goes on and on: {'; '.join(busy)}"))
            return
        sentence = f"{lasted} something still happens: {', '.join(restless)}; run(for_ns) takes a part of it"
        self.machine.note_finding("never-at-rest", sentence, "run()")
        self._never_at_rest = True

    def _run(self, until: int, enough: Callable[[], bool] | None, steps: int | None = None) -> list[str]:
        """What would still happen when it ends."""
        if self.stopped is not None:
            return []
        try:
            self.machine.scheduler.run(until, enough=enough, steps=steps)
            restless = self.machine.scheduler.restless()
            if not restless:
                self.kernel.refuse_to_hang()
            self.pnp.look_for_loss()
            return restless
        except Stop as stop:
            where = in_driver(stop)
            if where:
                stop.locate(where)
            self._stop(stop)
        except (Exception, SystemExit, GeneratorExit) as error:
            self._stop(unhandled(error))
        return []

    def call(self, routine: Callable[..., T], *args: Any) -> T:
        """Run `routine(*args)` on a system thread at PASSIVE_LEVEL, let everything happen, and return its result.

        A `StatusError` that leaves the routine is raised here; the machine goes on.
        """
        failed: list[ntstatus.StatusError] = []

        def enter(_: Any) -> T | None:
            self.watching.at_rest(routine)
            try:
                return routine(*args)
            except ntstatus.StatusError as error:
                failed.append(error)
                return None

        thread = self.kernel.dispatcher.create(enter, None, getattr(routine, "__name__", "call"))
        self._run_to_rest(lambda: thread.finished)
        self.watching.ended(thread)
        if self.stopped is not None:
            raise self.stopped
        if not thread.finished:
            stuck = "; ".join(self.kernel.stuck_threads())
            tell_of_requests(driver for driver, _ in self._drivers)
            self._stop(Hang("stuck", f"{thread.name} never came back: {stuck}"))
            assert self.stopped is not None
            raise self.stopped
        if failed:
            raise failed[0]
        result: T = thread.result
        return result

    def rebalance(self, function: Function, grant: GrantChoice) -> int:
        """Stop the function's device and start it with another grant; its NTSTATUS."""
        node = self._started(function)
        self.observe()
        return self._pnp(self.pnp.rebalance, node, grant)

    def remove(self, function: Function) -> int:
        """Orderly removal; its NTSTATUS (the driver may veto)."""
        node = self._started(function)
        self.observe()
        status = self._pnp(self.pnp.query_remove, node)
        node.removed = node.stack is None
        return status

    def surprise_remove(self, function: Function) -> None:
        """Pull the function out: its lanes are lost and reads give all ones, then PnP tells the driver."""
        node = self._started(function)
        self.observe()
        node.port.remove()
        self._pnp(self.pnp.surprise_remove, node)

    def shut_down(self) -> None:
        """Remove every device in an orderly way and unload the drivers."""
        self.observe()
        for node in self.pnp.nodes:
            if node.stack is not None:
                self._pnp(self.pnp.remove, node)
        for driver, _ in self._drivers:
            if self.stopped is None:
                self._pnp(driver.unload)
        if self.stopped is None:
            tell_of_leaks(self.kernel, self.framework)
        if self.observing:
            self.watching.rest()

    def open(self, name: str | UUID) -> Handle:
        """Open a device as a user's program does: by a device interface's GUID, its link, or a symbolic link."""
        return Handle.open(self.io, self.framework, name, self._settle)

    def _settle(self, enough: Callable[[], bool]) -> None:
        self._run_to_rest(enough)
        if self.stopped is not None:
            raise self.stopped

    # Looking.

    def node(self, function: Function) -> DevNode:
        """The devnode of a function that was started."""
        for node in self.pnp.nodes:
            if node.port.function is function:
                return node
        raise UsageError(f"{function.name} was not started; plug it before start()")

    def device(self, function: Function) -> Device:
        """The framework device of a function that was started."""
        stack = self._started(function).stack
        assert isinstance(stack, PnpStateMachine)
        return stack.device

    @property
    def now(self) -> int:
        """Virtual time, ns: the latest that any processor or event has reached."""
        return max([self.machine.time, *(cpu.now for cpu in self.machine.cpus)])

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, in the order it was first seen."""
        return list(self.machine.findings.values())

    def observe(self) -> None:
        """Remember the state at rest, since stopping a device takes its map with it. Done by whatever stops a device."""
        if not self.observing:
            return
        for node in self.pnp.nodes:
            seen = self._observed.setdefault(node, [])
            if node.stack is not None or not seen:
                now = observe(self, node)
                if seen and seen[-1].grant is now.grant:
                    seen.pop()
                seen.append(now)

    def report(self, function: Function | None = None) -> Report:
        """What happened so far to one device (default: the first), at rest or as it was before it was stopped."""
        if not self.pnp.nodes:
            raise UsageError("there is nothing to report; plug a device, load a driver and start() first")
        self.observe()
        node = self.pnp.nodes[0] if function is None else self.node(function)
        report = finish(self._observed[node], self, node)
        report.notes = [*node.notes, *node.unasked, *size_notes(node.port.function)]
        return report

    def _start(self, port: Port, grant: GrantChoice) -> int:
        ids = hardware_ids(port.function)
        missing: list[str] = []
        for driver, inf in self._drivers:
            install = inf.match(ids) if inf is not None else None
            if inf is not None and install is None:
                missing.append(inf.why_not(ids))
                continue
            management = InterruptManagement.from_registry(install.registry) if install is not None else InterruptManagement()
            node = self.pnp.enumerate(port, management)
            node.install = install
            node.notes = (*(install.notes if install is not None else ()), *requirement_notes(port.function, management))
            node.unasked = unasked_note(port.function, management)
            node.add_device = partial(self._add_and_start, driver, node)
            return self._pnp(node.add_device, grant)
        raise NoDriver(f"no driver for {port.name} ({ids[0]}): " + ("; ".join(missing) or "load one first"))

    def _started(self, function: Function) -> DevNode:
        node = self.node(function)
        if node.stack is None:
            raise UsageError(f"{node.name} has no device; its driver failed to start it, or it was removed")
        return node

    def _add_and_start(self, driver: Driver, node: DevNode, grant: GrantChoice) -> int:
        node.driver = driver.name
        self.framework.last_failure = ""
        if not ntstatus.nt_success(driver.entry_status):
            told, why = ntstatus.name_of(driver.entry_status), driver.entry_failure and f": {driver.entry_failure}"
            self.framework.last_failure = f"DriverEntry of {driver.name} returned {told}{why}"
            node.status = ntstatus.STATUS_FAILED_DRIVER_ENTRY
            return node.status
        wdm = driver.wdm_stack(node) if isinstance(driver, HostsWdm) else None
        if wdm is not None:
            node.status, node.stack = wdm
            return self.pnp.start(node, grant) if node.stack is not None else node.status
        init = DeviceInit(self.framework, driver, node)
        status = self.framework.status("EvtDriverDeviceAdd", driver, driver.evt_driver_device_add, init)
        device: Device | None = init.device
        if device is not None:
            node.stack = device.pnp
        if not ntstatus.nt_success(status) or device is None:
            node.status = status if not ntstatus.nt_success(status) else ntstatus.STATUS_NO_SUCH_DEVICE
            if device is not None:
                self.pnp.remove(node)
            return node.status
        advise_on_policies(device, node.management)
        return self.pnp.start(node, grant)

    def stop(self, stop: Stop) -> None:
        """The machine stands still from here on, unless it does already; the report says why."""
        if self.stopped is None:
            self._stop(stop)

    def _pnp(self, routine: Callable[..., Any], *args: Any) -> int:
        try:
            result = self.call(routine, *args)
        except Stop:
            return ntstatus.STATUS_UNSUCCESSFUL
        return ntstatus.STATUS_SUCCESS if result is None else int(result)

    def _stop(self, stop: Stop) -> None:
        self.stopped = stop
        if self.trace is not None:
            self.trace.add((self.now, -1, Kind.STOP, str(stop)))

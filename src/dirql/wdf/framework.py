"""The framework as a whole: what every object of one driver shares, and how driver callbacks are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.ddi import irql_name
from dirql.errors import UsageError
from dirql.findings import defined_at
from dirql.kernel.held import Entered
from dirql.kernel.kernel import Kernel
from dirql.kernel.stop import BugCheck
from dirql.machine.machine import Machine
from dirql.trace import Kind
from dirql.wdf.names import Names

if TYPE_CHECKING:
    from dirql.wdf.object import Object

__all__ = ["WDF_VIOLATION", "Framework", "Verifier"]

WDF_VIOLATION = 0x10D
MOST_OBJECTS = 1_000_000  # at a time, of all drivers (model choice: Windows has as many as nonpaged pool has room for)


@dataclass(frozen=True)
class Verifier:
    """Which verifiers are on: `kmdf` is Parameters\\Wdf\\VerifierOn (facts §5.4), `driver` is Driver Verifier (§5.5), whose
    special pool catches what comes behind a block at once, or with `underrun` what comes before it."""

    kmdf: bool = False
    driver: bool = False
    underrun: bool = False


class Framework:
    """WDF for one system: `callbacks` is every driver callback in the order of its call (ISRs and DPCs aside)."""

    def __init__(self, kernel: Kernel, verifier: Verifier | None = None) -> None:
        self.kernel = kernel
        self.machine: Machine = kernel.machine
        self.verifier = verifier or Verifier()
        kernel.driver_verifier = self.verifier.driver
        self.callbacks: list[tuple[str, str]] = []
        self.callback_pdos: list[object] = []  # of each: the PDO of the device that it is about; None for the driver alone
        self.driver: Object | None = None  # the WDFDRIVER, the default parent of locks and memory
        self.names = Names()  # what devices can be opened by
        self.last_failure = ""  # which callback failed last, and why
        self.held: set[Object] = set()  # deleted, and kept by references
        self.of_context: dict[int, Object] = {}  # by the id of the context
        self.look_at: Callable[[type], None] | None = None  # a host's, where somebody watches a driver's data
        self.live = 0  # objects that hang below others
        self._handles = 0

    def new_handle(self) -> int:
        """A handle value: opaque, 8-aligned, never 0 (facts §6.3)."""
        self._handles += 1
        return self._handles * 8

    def refuse_too_many(self, kind: str) -> None:
        """StatusError STATUS_INSUFFICIENT_RESOURCES where one more object of `kind` would be more than dirql keeps."""
        if self.live >= MOST_OBJECTS:
            why = f"no {kind} is made: {MOST_OBJECTS:,} framework objects are there, and dirql keeps no more"
            raise ntstatus.StatusError(ntstatus.STATUS_INSUFFICIENT_RESOURCES, f"{why}; delete what is not needed")

    @property
    def last_handle(self) -> int:
        """Of the object made last: what is made from now on has a higher one."""
        return self._handles * 8

    def call(self, name: str, on: Object, callback: Callable[..., Any], *args: Any) -> Any:
        """Call the driver's `callback`, known to the documentation as `name`; returns what it returned.

        Returning at another IRQL is bugcheck 10D/E under the KMDF verifier, inside of a critical region 10D/F; without it they
        are findings (facts §5.3).
        """
        machine = self.machine
        cpu = machine.cpu
        before = Entered(cpu)
        self.callbacks.append((name, on.name))
        self.callback_pdos.append(_pdo(on, args))
        if machine.trace is not None:
            machine.trace.add((cpu.now, cpu.index, Kind.CALLBACK, name, on.name))
        if machine.watch is not None:
            self._known(name, on, True)
        try:
            result = callback(*args)
        except ntstatus.StatusError as error:
            self._returned(name, before, ntstatus.name_of(error.status))
            raise
        self._returned(name, before, "" if result is None else str(result))
        if machine.watch is not None:
            self._known(name, on, False)
        return result

    def _known(self, name: str, on: Object, begins: bool) -> None:
        """For who looks on: a device's PnP and power callbacks come one after another, and its requests after the ones that start
        it and before the ones that stop it."""
        watch, device = self.machine.watch, on.device
        if watch is None or device is None:
            return
        requests = name.startswith(("EvtIo", "EvtRequest", "EvtFile", "EvtDeviceFileCreate"))
        if not requests and not name.startswith("EvtDevice"):
            return
        if begins:
            watch.acquire(("started", device.handle))
            if not requests:
                watch.acquire(("requests", device.handle))
        else:
            watch.release(("requests" if requests else "started", device.handle))

    def _returned(self, name: str, before: Entered, how: str) -> None:
        machine = self.machine
        cpu = machine.cpu
        if machine.trace is not None:
            machine.trace.add((cpu.now, cpu.index, Kind.CALLBACK_END, name, how))
        irql, wrong = before.irql, self.kernel.held.returned(name, before)
        if wrong:
            if self.verifier.kmdf:
                raise BugCheck(WDF_VIOLATION, 0xF, why=wrong)
            machine.note_finding("lock-held-at-return", wrong, machine.where())
        if cpu.irql != irql:
            sentence = f"{name} was entered at {irql_name(irql)} and returned at {irql_name(cpu.irql)}"
            if self.verifier.kmdf:
                raise BugCheck(WDF_VIOLATION, 0xE, irql, cpu.irql, why=sentence)
            machine.note_finding("irql-changed", sentence, machine.where())
            cpu.irql = irql

    def status(self, name: str, on: Object, callback: Callable[..., Any], *args: Any) -> int:
        """Call a callback that returns an NTSTATUS. In Python no `return` means STATUS_SUCCESS, and a failing routine's
        `StatusError` that the callback lets pass is what C would return."""
        try:
            result = self.call(name, on, callback, *args)
        except ntstatus.StatusError as error:
            self.note(f"{name} of {on.name} returns {ntstatus.name_of(error.status)}: {error}")
            self.last_failure = f"{name} of {on.name} returned {error}"
            return error.status
        if result is None:
            return ntstatus.STATUS_SUCCESS
        if not isinstance(result, int):
            where = defined_at(callback)
            raise UsageError(f"{where}{name} returned {result!r:.60}; return an NTSTATUS, or nothing for STATUS_SUCCESS")
        if not -(1 << 31) <= result < 1 << 32:
            where = defined_at(callback)
            raise UsageError(f"{where}{name} returned {result:#x}; an NTSTATUS has 32 bits, and 0 is STATUS_SUCCESS")
        if not ntstatus.nt_success(result):
            self.last_failure = f"{name} of {on.name} returned {ntstatus.name_of(result)}"
        return int(result)

    def note(self, what: str) -> None:
        """What the framework would write to its log (IFR); a line in the trace."""
        machine = self.machine
        if machine.trace is not None:
            machine.trace.add((machine.cpu.now, machine.cpu.index, Kind.NOTE, "wdf", what))

    def complain(self, rule: str, sentence: str) -> None:
        """Something the framework traces, and breaks into the debugger for under the verifier: a finding."""
        self.machine.note_finding(rule, sentence, self.machine.where())

    def allowed(self, irql: int, name: str) -> bool:
        """The KMDF verifier's IRQL check: False means that the routine returns without acting (facts §5.4)."""
        return not self.verifier.kmdf or self.machine.cpu.irql <= irql


def _pdo(on: Object, args: tuple[Any, ...]) -> object:
    """The PDO below the device that a callback is about. EvtDriverDeviceAdd is about the one that it is handed; what is about a
    child is about the device that has the child."""
    device = on.device
    pdo = device.pdo if device is not None else getattr(args[0], "pdo", None) if args else None
    while (parent := getattr(pdo, "parent", None)) is not None:
        pdo = parent.pdo
    return pdo

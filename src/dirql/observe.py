"""Makes reports: looks at a system at rest and takes down what the report shows.

Limits: a KINTERRUPT that a driver connected itself is shown while it is connected; its counts go with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.errors import UsageError
from dirql.findings import defined_at
from dirql.kernel.io_connect import DriverInterrupt
from dirql.machine.port import Port
from dirql.pci.dump_function import assumed_bars
from dirql.pci.function import Fate, Function
from dirql.pnp.bus import BusDevice
from dirql.pnp.description import describe
from dirql.pnp.grant import Grant
from dirql.pnp.identifiers import function_name
from dirql.pnp.manager import DevNode
from dirql.report.model import InterruptRow, MessageRow, Report
from dirql.wdf.interrupt import Interrupt
from dirql.wdf.pnp_state import PnpStateMachine

if TYPE_CHECKING:
    from dirql.system import System

__all__ = ["Observed", "finish", "observe"]


@dataclass
class Observed:
    """A device under one grant: its report as it was at rest, and the interrupt objects, whose counts go on."""

    grant: Grant | None
    report: Report
    interrupts: list[Interrupt | DriverInterrupt]

    def rows(self) -> list[InterruptRow]:
        """The interrupt objects with their counts as they are now."""
        pairs = zip(self.report.interrupts, self.interrupts, strict=True)
        return [_counted(row, interrupt) for row, interrupt in pairs]


def observe(system: System, node: DevNode) -> Observed:
    """The device's resources, map, fates and counts as they are now."""
    grant = node.grant or (node.grants[-1] if node.grants else None)
    function = node.port.function
    report = Report(
        function=function_name(function), device=node.name, driver=node.driver, cpus=len(system.machine.cpus),
        kind=grant.kind if grant else "none", asked=grant.asked if grant else 0, granted=grant.granted if grant else 0,
        synthetic=bool(grant and grant.synthetic), why=grant.why if grant else node.why, status=node.status,
        status_name=ntstatus.name_of(node.status),
    )  # fmt: skip
    if grant is None:
        return Observed(None, report, [])
    report.descriptors = describe(report.function, grant, assumed_bars(function))["descriptors"]
    report.served_by = _served_by(function)
    own = _connected_by_driver(system, node, grant)
    framework = list(node.stack.device.interrupts) if isinstance(node.stack, PnpStateMachine) else []
    report.interrupts = [_interrupt(i, grant, report.served_by) for i in framework]
    report.interrupts += [_kinterrupt(number, i, grant, report.served_by) for number, i in enumerate(own)]
    report.messages = [_message(fate, node.port, node.bus_device, grant) for fate in function.fates]
    if grant.line is not None:
        line = grant.line
        report.line = {"gsi": line.gsi, "vector": line.vector, "irql": line.irql, "cpus": _indexes(line.targets)}
    report.unserved = _unserved(function)
    return Observed(grant, report, [*framework, *own])


def finish(observed: list[Observed], system: System, node: DevNode) -> Report:
    """The report of the last of a device's grants, with the parts that go on after it was stopped: counts, callbacks,
    accesses, findings, how it ended."""
    last = observed[-1]
    report = last.report
    report.interrupts = last.rows()
    report.grants = [_summary(one) for one in observed if one.grant is not None]
    report.status, report.status_name = node.status, ntstatus.name_of(node.status)
    report.failure = system.framework.last_failure if not ntstatus.nt_success(node.status) else ""
    told = zip(system.framework.callbacks, system.framework.callback_pdos, strict=True)
    report.callbacks = [callback for callback, pdo in told if pdo is node or pdo is None]
    report.register_reads, report.register_writes = node.port.reads, node.port.writes
    reads = system.kernel.reads_at_dirql
    report.reads_at_dirql = {f"BAR{bar}+{offset:#x}": n for (name, bar, offset), n in reads.items() if name == node.port.name}
    report.reads_at_dirql_ns = report.registers_read_at_dirql * system.machine.costs.register_read
    report.findings = system.findings
    if node.port.removed:
        report.unserved = []  # there is no card left to serve
    report.stuck = [] if system.stopped is not None else system.kernel.stuck_threads()
    report.bugcheck = system.stopped.as_json() if system.stopped is not None else None
    report.time_ns = system.now
    report.messages = [_refresh(row, node.port.function.fates[row.entry], node.port) for row in report.messages]
    return report


def _served_by(function: Function) -> dict[int, list[str]]:
    answer: Any = getattr(function, "served_by", dict)()
    if isinstance(answer, Mapping) and all(isinstance(k, int) and _is_words(v) for k, v in answer.items()):
        return dict(answer)
    raise _odd(function, "served_by", answer, "a dict of vector numbers to lists of strings")


def _unserved(function: Function) -> list[str]:
    answer: Any = function.unserved()
    if isinstance(answer, Iterator):  # of a generator
        answer = list(answer)
    if _is_words(answer):
        return list(answer)
    raise _odd(function, "unserved", answer, "a list of strings, empty when all was served")


def _is_words(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _odd(function: Function, method: str, answer: Any, wanted: str) -> UsageError:
    """What the author of a model is told."""
    where = defined_at(getattr(type(function), method))
    return UsageError(f"{where}{type(function).__name__}.{method}() returned {answer!r:.60}; return {wanted}")


def _summary(one: Observed) -> dict[str, Any]:
    rows = one.rows()
    return {
        "kind": one.report.kind, "asked": one.report.asked, "granted": one.report.granted, "synthetic": one.report.synthetic,
        "isr_calls": sum(row.isr_calls for row in rows), "dpc_calls": sum(row.dpc_calls or 0 for row in rows),
    }  # fmt: skip


def _counted(row: InterruptRow, interrupt: Interrupt | DriverInterrupt) -> InterruptRow:
    if isinstance(interrupt, DriverInterrupt):
        return replace(row, isr_calls=interrupt.count, isr_claimed=interrupt.claimed, isr_ns=interrupt.cpu_ns)
    return replace(
        row, isr_calls=interrupt.isr_calls, isr_claimed=interrupt.isr_claimed, isr_ns=interrupt.isr_ns,
        dpc_calls=interrupt.kdpc.count, dpc_ns=interrupt.kdpc.cpu_ns,
    )  # fmt: skip


def _interrupt(interrupt: Interrupt, grant: Grant, served_by: dict[int, list[str]]) -> InterruptRow:
    info = interrupt.info
    message = _message_of(grant, info.vector, info.target_processor_set)
    serves = [interrupt.serves] if interrupt.serves else []
    if not serves and info.vector:
        serves = served_by.get(interrupt.message_number, [])
    row = InterruptRow(
        interrupt.message_number, interrupt.name, message, info.vector, tuple(_indexes(info.target_processor_set)), info.irql,
        tuple(serves), 0, 0, 0, 0, 0,
    )  # fmt: skip
    return _counted(row, interrupt)


def _connected_by_driver(system: System, node: DevNode, grant: Grant) -> list[DriverInterrupt]:
    """What stands behind the grant's vectors now and was connected for this PDO, in the order of the messages."""
    granted: dict[int, int] = {}  # the processors of each vector
    for given in (*grant.messages, *([grant.line] if grant.line is not None else ())):
        granted[given.vector] = granted.get(given.vector, 0) | given.targets
    found: dict[DriverInterrupt, int] = {}
    for cpu in system.machine.cpus:
        for vector, targets in granted.items():
            for one in cpu.idt[vector] or ():
                if isinstance(one, DriverInterrupt) and (one.device is node or (one.device is None and targets & cpu.bit)):
                    message = _message_of(grant, vector, one.affinity)
                    found[one] = len(grant.messages) if message is None else message
    return sorted(found, key=found.__getitem__)


def _kinterrupt(number: int, interrupt: DriverInterrupt, grant: Grant, served_by: dict[int, list[str]]) -> InterruptRow:
    message = _message_of(grant, interrupt.vector, interrupt.affinity)
    row = InterruptRow(
        number, interrupt.name, message, interrupt.vector, tuple(_indexes(interrupt.affinity)), interrupt.irql,
        tuple(served_by.get(message or 0, [])), 0, 0, 0, None, None, "KINTERRUPT",
    )  # fmt: skip
    return _counted(row, interrupt)


def _message_of(grant: Grant, vector: int, targets: int) -> int | None:
    return next((m.message for m in grant.messages if (m.vector, m.targets) == (vector, targets)), None)


def _message(fate: Fate, port: Port, bus_device: BusDevice, grant: Grant) -> MessageRow:
    if grant.kind == "msi-x" and bus_device.table is not None:
        message: int | None = bus_device.table.message_of[fate.entry]
    else:
        message = fate.entry if grant.kind == "msi" and fate.entry < grant.granted else None
    return _refresh(MessageRow(fate.entry, message, 0, 0, 0, 0, 0, 0, 0, {}, ()), fate, port)


def _refresh(row: MessageRow, fate: Fate, port: Port) -> MessageRow:
    waiting = port.in_flight(fate) + sum(fate is c for c in port.machine.pending_fates())
    return MessageRow(
        row.entry, row.message, fate.sent, fate.delivered, fate.merged, fate.latched, fate.withdrawn, fate.swallowed,
        waiting, dict(fate.dropped), tuple(_indexes(fate.cpus)),
    )  # fmt: skip


def _indexes(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]

"""Makes reports: looks at a system at rest and takes down what the report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.machine.port import Port
from dirql.pci.function import Fate
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

__all__ = ["finish", "observe"]


def observe(system: System, node: DevNode) -> Report:
    """The device's resources, map, fates and counts as they are now."""
    grant = node.grant or (node.grants[-1] if node.grants else None)
    function = node.port.function
    report = Report(
        function=function_name(function), device=node.name, driver=_driver(node), cpus=len(system.machine.cpus),
        kind=grant.kind if grant else "none", asked=grant.asked if grant else 0, granted=grant.granted if grant else 0,
        synthetic=bool(grant and grant.synthetic), why=grant.why if grant else "", status=node.status,
        status_name=ntstatus.name_of(node.status),
    )  # fmt: skip
    if grant is None:
        return report
    report.descriptors = describe(report.function, grant)["descriptors"]
    report.served_by = getattr(function, "served_by", dict)()
    if isinstance(node.stack, PnpStateMachine):
        report.interrupts = [_interrupt(i, grant, report.served_by) for i in node.stack.device.interrupts]
    report.messages = [_message(fate, node.port, node.bus_device, grant) for fate in function.fates]
    if grant.line is not None:
        line = grant.line
        report.line = {"gsi": line.gsi, "vector": line.vector, "irql": line.irql, "cpus": _indexes(line.targets)}
    report.unserved = list(function.unserved())
    return report


def finish(report: Report, system: System, node: DevNode) -> Report:
    """The parts that go on after the device was stopped: callbacks, accesses, findings, how it ended."""
    report.status, report.status_name = node.status, ntstatus.name_of(node.status)
    report.callbacks = list(system.framework.callbacks)
    report.register_reads, report.register_writes = node.port.reads, node.port.writes
    reads = system.kernel.reads_at_dirql
    report.reads_at_dirql = {f"BAR{bar}+{offset:#x}": n for (name, bar, offset), n in reads.items() if name == node.port.name}
    report.findings = system.findings
    if node.port.removed:
        report.unserved = []  # there is no card left to serve
    report.stuck = [] if system.stopped is not None else system.kernel.stuck_threads()
    report.bugcheck = system.stopped.as_json() if system.stopped is not None else None
    report.time_ns = system.now
    report.messages = [_refresh(row, node.port.function.fates[row.entry], node.port) for row in report.messages]
    return report


def _driver(node: DevNode) -> str:
    stack: Any = node.stack
    return stack.device.driver.name if isinstance(stack, PnpStateMachine) else ""


def _interrupt(interrupt: Interrupt, grant: Grant, served_by: dict[int, list[str]]) -> InterruptRow:
    info = interrupt.info
    mine = (info.vector, info.target_processor_set)
    message = next((m.message for m in grant.messages if (m.vector, m.targets) == mine), None)
    serves = [interrupt.serves] if interrupt.serves else []
    if not serves and info.vector:
        serves = served_by.get(interrupt.message_number, [])
    return InterruptRow(
        interrupt.message_number, interrupt.name, message, info.vector, tuple(_indexes(info.target_processor_set)), info.irql,
        tuple(serves), interrupt.isr_calls, interrupt.isr_claimed, interrupt.isr_ns, interrupt.kdpc.count, interrupt.kdpc.cpu_ns,
    )  # fmt: skip


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

"""The PnP manager: finds functions, asks and arbitrates, starts, rebalances and removes devices (facts §1.5, §3).

It sends a device stack what the IRPs would: `DeviceStack` is what a framework's device answers to. Everything here runs on
a system thread at PASSIVE_LEVEL.
Limits: stacks of one function driver on the bus driver; no filter drivers, no removal relations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from dirql import ntstatus
from dirql.kernel.io_connect import AssignedInterrupt
from dirql.kernel.kernel import Kernel
from dirql.machine.port import Port
from dirql.pnp.arbiter import Arbiter
from dirql.pnp.bus import BusDevice, PciBus
from dirql.pnp.grant import Grant, GrantChoice
from dirql.pnp.inf import Install
from dirql.pnp.interrupt_management import InterruptManagement
from dirql.pnp.io_resources import IoResourceRequirementsList
from dirql.pnp.message_table import table_and_pba
from dirql.pnp.properties import DeviceProperty, DevPropKey, Value, instance_path, property_of, property_of_key
from dirql.pnp.registry import Registry
from dirql.pnp.requirements import query_resource_requirements
from dirql.pnp.resources import CmPartialResourceDescriptor

__all__ = ["DevNode", "DeviceStack", "HostsWdm", "PnpManager"]


Descriptors = Sequence[CmPartialResourceDescriptor]

RESTARTS, WINDOW = 5, 60_000_000_000  # how often a failed device is enumerated again within how many ns (facts §3.5)


class DeviceStack(Protocol):
    """The function driver's end: the IRP_MN_… that it handles."""

    def filter_resource_requirements(
        self, requirements: IoResourceRequirementsList, lower: Callable[[IoResourceRequirementsList], IoResourceRequirementsList]
    ) -> tuple[int, IoResourceRequirementsList]:
        """IRP_MN_FILTER_RESOURCE_REQUIREMENTS; `lower` is the bus driver's part."""

    def start(self, raw: Descriptors, translated: Descriptors, lower: Callable[[], int]) -> int:
        """IRP_MN_START_DEVICE."""

    def query_stop(self) -> int:
        """IRP_MN_QUERY_STOP_DEVICE."""

    def stop(self) -> None:
        """IRP_MN_STOP_DEVICE."""

    def query_remove(self) -> int:
        """IRP_MN_QUERY_REMOVE_DEVICE."""

    def remove(self) -> None:
        """IRP_MN_REMOVE_DEVICE."""

    def surprise_removal(self) -> None:
        """IRP_MN_SURPRISE_REMOVAL."""


@runtime_checkable
class HostsWdm(Protocol):
    """A driver whose image may do without a framework."""

    def wdm_stack(self, node: DevNode) -> tuple[int, DeviceStack | None] | None:
        """What its AddDevice returned, and the stack that it built; None when it has a framework."""


class _MessageSource:
    """An OS message as the interrupt controller sees it: masked until an interrupt object is connected."""

    def __init__(self, port: Port, bus_device: BusDevice, message: int) -> None:
        self._port, self._bus_device, self._message = port, bus_device, message

    def connected(self) -> None:
        """Unmask its entries."""
        self._port.is_changed()
        self._bus_device.connected(self._message)

    def disconnected(self) -> None:
        """Mask them."""
        self._port.is_changed()
        self._bus_device.disconnected(self._message)


class _LineSource:
    """A line's pin of the I/O APIC."""

    def __init__(self, kernel: Kernel, gsi: int, vector: int, targets: int) -> None:
        self._ioapic = kernel.machine.ioapic
        self._gsi, self._vector = gsi, vector
        self._targets = tuple(cpu.index for cpu in kernel.machine.cpus if targets & cpu.bit)

    def connected(self) -> None:
        """Route and unmask the pin."""
        self._ioapic.program(self._gsi, self._vector, self._targets)

    def disconnected(self) -> None:
        """Mask it."""
        self._ioapic.mask(self._gsi)


class DevNode:
    """One enumerated function: its PDO towards the driver, its stack once a driver has it, and its current grant."""

    manager: PnpManager
    port: Port

    def __init__(self, manager: PnpManager, port: Port, management: InterruptManagement) -> None:
        self.manager, self.port, self.management = manager, port, management
        self.name = port.name
        self.bus_device = manager.bus.attach(port.bus_view)
        self.stack: DeviceStack | None = None
        self.grant: Grant | None = None
        self.requirements: IoResourceRequirementsList | None = None
        self.driver = ""  # whose stack it is
        self.status = ntstatus.STATUS_SUCCESS
        self.why = ""  # there are no resources
        self.notes: tuple[str, ...] = ()  # what of its INF has no effect
        self.unasked: tuple[str, ...] = ()  # that no INF opted in to the messages it has
        self.started = False
        self.removed = False  # in an orderly way: its function is still there, and may be found again
        self.choice = GrantChoice.all()  # of its last start
        self.failing = False  # it reported a failure, and is being removed
        self.grants: list[Grant] = []  # every one it ever had, the last one last
        self.restarts: list[int] = []  # when it was enumerated again, in the last minute
        self.add_device: Callable[[GrantChoice], int] | None = None  # the driver's AddDevice and the start after it
        self.install: Install | None = None  # what its INF says
        self.assigned_properties: dict[DevPropKey, tuple[int, Value]] = {}  # (type, value) of those that a driver set
        self._keys = {"hardware": Registry(), "software": Registry()}  # without an INF

    @property
    def messages(self) -> list[AssignedInterrupt]:
        """The messages that it has now, with what its function writes to raise each."""
        if self.grant is None:
            return []
        compose = self.manager.bus.compose
        found = []
        for one in self.grant.messages:
            address, data = compose(one.targets, one.vector, one.lowest_priority)
            found.append(AssignedInterrupt(one.vector, one.irql, one.targets, True, False, address, data))
        return found

    @property
    def questions(self) -> int:
        """How often a register or configuration space was read."""
        return self.port.reads + self.port.questions

    def messages_sent(self, vector: int, targets: int) -> int:
        """How many messages its function has sent, whatever became of them, of those that raise this vector."""
        numbers = [m.message for m in self.grant.messages if (m.vector, m.targets) == (vector, targets)] if self.grant else []
        table, fates = self.bus_device.table, self.port.function.fates
        if table is not None:
            return sum(fate.sent for fate, number in zip(fates, table.message_of, strict=False) if number in numbers)
        return sum(fates[number].sent for number in numbers)

    @property
    def line(self) -> AssignedInterrupt | None:
        """The line that it has now."""
        line = self.grant.line if self.grant is not None else None
        return AssignedInterrupt(line.vector, line.irql, line.targets, False, True) if line is not None else None

    def set_power(self, state: int) -> None:
        """IRP_MN_SET_POWER below the function driver."""
        self.bus_device.set_power(state)
        self.port.set_power(state)

    def query_interface(self, guid: UUID) -> Any:
        """IRP_MN_QUERY_INTERFACE below the function driver."""
        return self.bus_device.query_interface(guid)

    @property
    def instance_path(self) -> str:
        """The device instance ID."""
        return instance_path(self)

    def registry_key(self, which: str) -> Registry:
        """Its "hardware" or its "software" key."""
        if self.install is None:
            return self._keys[which]
        return self.install.registry if which == "hardware" else self.install.software

    def device_property(self, which: DeviceProperty) -> Value | None:
        """IoGetDeviceProperty; None where it has none."""
        return property_of(self, which)

    def device_property_of_key(self, key: DevPropKey) -> tuple[int, Value] | None:
        """IoGetDevicePropertyData: (type, value); None where it has none."""
        return property_of_key(self, key)

    def assign_property(self, key: DevPropKey, type_: int, value: bytes) -> None:
        """IoSetDevicePropertyData; no bytes delete it."""
        if value:
            self.assigned_properties[key] = type_, value
        else:
            self.assigned_properties.pop(key, None)

    def device_failed(self, status: int, attempt_restart: bool) -> None:
        """IoInvalidateDeviceState: the manager looks at it on a thread of its own."""
        self.manager.kernel.work.queue(lambda _: self.manager.remove_failed(self, status, attempt_restart), None)


class PnpManager:
    """Owns the bus and the arbiter."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.machine = kernel.machine
        self.bus = PciBus(kernel.machine.router.compose, self._complain)
        self.arbiter = Arbiter(len(kernel.machine.cpus))
        self.nodes: list[DevNode] = []
        self.about_to_stop: Callable[[DevNode], None] = lambda node: None  # before a device that failed is taken down

    def enumerate(self, port: Port, management: InterruptManagement) -> DevNode:
        """A function was found."""
        node = DevNode(self, port, management)
        self.nodes.append(node)
        return node

    def start(self, node: DevNode, choice: GrantChoice) -> int:
        """Query and filter the requirements, arbitrate, start; removes the device again when its driver fails the start."""
        stack, node.choice = self._stack(node), choice
        bus, slot = node.port.place
        wanted = query_resource_requirements(node.bus_device.function, node.management, bus=bus, device=slot)
        status, node.requirements = stack.filter_resource_requirements(wanted, lambda list_: list_)
        if ntstatus.nt_success(status):
            status = self._start(node, choice)
        node.status = status
        if not ntstatus.nt_success(status):
            self.remove(node)
        return status

    def rebalance(self, node: DevNode, choice: GrantChoice) -> int:
        """Stop the device and start it with another grant (STATUS of the query when the driver vetoes)."""
        stack = self._stack(node)
        status = stack.query_stop()
        if not ntstatus.nt_success(status):
            return status
        stack.stop()
        self._give_back(node)
        status = self._start(node, choice)
        if not ntstatus.nt_success(status):
            node.status = status
            self.remove(node)
        return status

    def query_remove(self, node: DevNode) -> int:
        """Orderly removal; the driver's status when it vetoes."""
        status = self._stack(node).query_remove()
        if ntstatus.nt_success(status):
            self.remove(node)
        return status

    def remove(self, node: DevNode) -> None:
        """IRP_MN_REMOVE_DEVICE."""
        stack, node.stack = self._stack(node), None
        stack.remove()
        self._give_back(node)
        node.bus_device.remove()

    def surprise_remove(self, node: DevNode) -> None:
        """The function is gone from the bus: IRP_MN_SURPRISE_REMOVAL, then IRP_MN_REMOVE_DEVICE."""
        node.bus_device.surprise_removed()
        self._stack(node).surprise_removal()
        self.remove(node)

    def remove_failed(self, node: DevNode, status: int, attempt_restart: bool) -> None:
        """A started device reports PNP_DEVICE_FAILED: IRP_MN_SURPRISE_REMOVAL and IRP_MN_REMOVE_DEVICE. Then it is enumerated
        again if that is wanted, `RESTARTS` times in a `WINDOW` at most."""
        if node.stack is None or node.failing:
            return
        node.failing = True
        self.about_to_stop(node)
        node.status = status
        self._stack(node).surprise_removal()
        self.remove(node)
        node.failing = False
        now = self.machine.cpu.now
        node.restarts = [then for then in node.restarts if now - then < WINDOW]
        if attempt_restart and node.add_device is not None and not node.bus_device.gone and len(node.restarts) < RESTARTS:
            node.restarts.append(now)
            self.find_again(node, node.choice)

    def look_for_loss(self) -> None:
        """At rest: message registers that a driver's reset cleared."""
        for node in self.nodes:
            node.bus_device.look_for_loss()

    def find_again(self, node: DevNode, choice: GrantChoice) -> int:
        """Its function is enumerated again, and its driver gets it again."""
        assert node.add_device is not None, f"{node.name} had no driver"
        node.removed = False
        node.set_power(0)  # enumeration begins in D0
        node.bus_device = self.bus.attach(node.port.bus_view)
        return node.add_device(choice)

    def _start(self, node: DevNode, choice: GrantChoice) -> int:
        assert node.requirements is not None
        try:
            grant = self.arbiter.grant(node.requirements, choice=choice)
        except ntstatus.StatusError as error:  # Code 12: the driver is never sent a START
            node.why = error.why
            return error.status
        node.grant = grant
        node.grants.append(grant)

        def lower() -> int:
            try:
                node.bus_device.start(grant)
            except ntstatus.StatusError as error:
                return error.status
            self._attach(node, grant)
            return ntstatus.STATUS_SUCCESS

        status = self._stack(node).start(grant.raw, grant.translated, lower)
        node.started = ntstatus.nt_success(status)
        return status

    def _tell_of_connected(self, node: DevNode) -> None:
        """The device is stopped: what a driver connected itself, for this device, must be disconnected by now."""
        chains = (chain for cpu in self.machine.cpus for chain in cpu.idt if chain)
        for name in sorted({one.name for chain in chains for one in chain if getattr(one, "device", None) is node}):
            sentence = f"{name} is still connected when {node.name} is stopped or removed"
            self._complain("interrupt-left-connected", f"{sentence}; call IoDisconnectInterruptEx before that")

    def _complain(self, rule: str, sentence: str) -> None:
        machine = self.machine
        machine.note_finding(rule, sentence, "at rest" if machine.cpu is machine.nobody else machine.where())

    def _attach(self, node: DevNode, grant: Grant) -> None:
        interrupts, port, table = self.kernel.interrupts, node.port, node.bus_device.table
        port.is_changed()
        port.set_power(0)
        port.set_released(False)
        port.messages, port.beyond = len(grant.messages), table.beyond if table is not None else set()
        port.guarded = table_and_pba(port.function)
        for message in grant.messages:
            interrupts.attach(message.vector, message.targets, _MessageSource(port, node.bus_device, message.message))
        if grant.line is not None:
            line = grant.line
            node.port.gsi = line.gsi
            interrupts.attach(line.vector, line.targets, _LineSource(self.kernel, line.gsi, line.vector, line.targets))

    def _give_back(self, node: DevNode) -> None:
        grant, node.grant, node.started = node.grant, None, False
        if grant is None:
            return
        self._tell_of_connected(node)
        for message in grant.messages:
            self.kernel.interrupts.detach(message.vector, message.targets)
        node.port.is_changed()
        node.bus_device.stop()
        node.port.gsi, node.port.messages, node.port.beyond = None, 0, set()
        self.arbiter.release(grant)

    def _stack(self, node: DevNode) -> DeviceStack:
        assert node.stack is not None, f"{node.name} has no driver"
        return node.stack

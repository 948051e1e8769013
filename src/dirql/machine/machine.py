"""The machine: processors, one RAM, the interrupt fabric and virtual time, put together.

Limits: up to 64 processors in one group; one PCIe segment, every function on its own link; no IOMMU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from dirql.errors import UsageError
from dirql.findings import Finding, Level, calling_driver
from dirql.machine.apic import MessageRouter
from dirql.machine.chooser import Chooser, Option, Point, RunToBlocking
from dirql.machine.costs import Costs
from dirql.machine.cpu import Cpu
from dirql.machine.flight import Agenda
from dirql.machine.ioapic import IoApic
from dirql.machine.memory import Memory
from dirql.machine.port import Port
from dirql.machine.scheduler import Scheduler
from dirql.machine.watch import Watch
from dirql.pci.function import Fate, Function, Message
from dirql.trace import FABRIC, Kind, Trace
from dirql.verify import rule

__all__ = ["Machine"]

MAXIMUM_PROCESSORS = 64
Aim = tuple[Cpu, int, int]  # a processor, a vector, and its bit in the IRR


class Machine:
    """What interrupts travel through. `cpu` is the processor that runs now; outside of `run` it is a stand-in whose clock
    has run out, so that a routine called from outside is noticed (see `dirql.ddi`)."""

    def __init__(
        self, cpus: int = 4, *, costs: Costs | None = None, chooser: Chooser | None = None, trace: Trace | None = None,
        memory: int = 64 << 20,
    ) -> None:  # fmt: skip
        if type(cpus) is not int:
            raise UsageError(f"cpus={cpus!r:.40}: how many processors is a whole number, 1 to {MAXIMUM_PROCESSORS}")
        if not 1 <= cpus <= MAXIMUM_PROCESSORS:
            raise UsageError(f"{cpus} processors: one group holds 1 to {MAXIMUM_PROCESSORS}; more need processor groups, "
                             "which are not modelled yet")  # fmt: skip
        self.costs = costs or Costs()
        self.routine_ns = self.costs.routine
        self.chooser = chooser or RunToBlocking()
        self.trace = trace
        self.fails: Callable[[str], bool] | None = None  # asked by what allocates, where failures are wanted
        self.watch: Watch | None = None  # who looks on: wants a trace
        self.time = 0
        self.cpus = [Cpu(i) for i in range(cpus)]
        self.nobody = Cpu(-1)
        self.nobody.now = 1 << 63
        self.cpu = self.nobody
        self.memory = Memory(memory)
        self.agenda = Agenda(self)
        self.scheduler = Scheduler(self.agenda, self.chooser, self.costs.lead, self, trace is not None)
        self.memory.stand_down = self.scheduler.end_stacks
        self.router = MessageRouter(cpus)
        self.ioapic = IoApic(self._deliver_line)
        self.ports: list[Port] = []
        self.findings: dict[tuple[str, str], Finding] = {}

    def come_to_rest(self) -> None:
        """No processor runs. What comes from outside now does not come before what happened last."""
        if self.cpu is not self.nobody:
            self.time = max(self.time, self.cpu.now)
            self.cpu = self.nobody

    def plug(self, function: Function, address: str = "") -> Port:
        """Put a function into a slot of its own; `address` is its domain:bus:device.function. The second one of a name is
        called NAME#2 wherever the machine speaks of it."""
        taken = {port.name for port in self.ports}
        names = (function.name if number == 1 else f"{function.name}#{number}" for number in count(1))
        name = next(name for name in names if name not in taken)
        port = Port(self, function, address or f"0000:{len(self.ports) + 1:02x}:00.0", name)
        self.ports.append(port)
        function.connect(port)
        return port

    def deliver(self, message: Message, fate: Fate | None) -> None:
        """A message has reached the root complex: a memory write to the interrupt range becomes a vector. Where it is
        for one processor, `fate` keeps the aim: the same message again need not come this way, and `accept` takes it."""
        route = self.router.route(message)
        if route is None:
            if fate is not None:
                fate.drop(f"no processor answers {message.address:#x}")
            self.memory.write(message.address, message.data.to_bytes(4, "little"))
            return
        vector, targets, lowest_priority = route
        if len(targets) == 1 and fate is not None:
            fate.message, fate.route = message, (self.cpus[targets[0]], vector, 1 << vector)
        if lowest_priority:
            targets = (self._arbitrate(targets).index,)
        for target in targets:
            self.accept((self.cpus[target], vector, 1 << vector), fate)
            fate = None

    def where(self, cpu: Cpu | None = None) -> str:
        """Which processor runs what, and the driver's line that called (of another than the running one: where it stands)."""
        if cpu is not None:
            doing = cpu.servicing or cpu.dpc or cpu.thread
            frame = cpu.greenlet.gr_frame if cpu.greenlet is not None else None
            return ", ".join(filter(None, (f"cpu{cpu.index}", doing.name if doing is not None else "", calling_driver(frame))))
        cpu = self.cpu
        doing = cpu.servicing or cpu.dpc or cpu.thread
        return ", ".join(filter(None, (f"cpu{cpu.index}", doing.name if doing is not None else "", calling_driver())))

    def note_finding(self, id: str, sentence: str, where: str, level: Level | None = None) -> None:
        """Keep a finding of the rule `id`, at the rule's level unless another is given; the same sentence again is counted."""
        key = (id, sentence)
        known = self.findings.get(key)
        cpu = self.cpu
        if known is not None:
            self.findings[key] = replace(known, count=known.count + 1)
            return
        now = self.time if cpu is self.nobody else cpu.now
        self.findings[key] = Finding(id, level or rule(id).level, sentence, where, cpu.index, now)
        if self.trace is not None:
            self.trace.add((now, cpu.index, Kind.FINDING, id, sentence))

    def pending_fates(self) -> list[Fate]:
        """Of the messages that a processor's IRR holds and nobody has taken yet."""
        pending = [(cpu.apic.fates[v], cpu.apic.irr >> v & 1) for cpu in self.cpus if cpu.apic.irr for v in range(256)]
        return [fate for fate, waits in pending if waits and fate is not None]

    def accept(self, aim: Aim, fate: Fate | None) -> None:
        """A processor's APIC requests the vector, unless it does already: then the two are one interrupt from here on."""
        cpu, vector, bit = aim
        apic = cpu.apic
        irr = apic.irr
        merged = irr & bit
        if not merged:
            apic.irr = irr | bit
            apic.fates[vector] = fate
            if not cpu.ready and vector >> 4 > cpu.irql:
                self.scheduler.make_ready(cpu, self.time)
        elif fate is not None:
            fate.merged += 1
        if self.trace is not None:
            if self.watch is not None:
                self.watch.write(apic, vector)
                self.watch.release(("vector", cpu.index, vector))
            entry = fate.entry if fate is not None else -1
            self.trace.add((self.time, FABRIC, Kind.MERGED if merged else Kind.ACCEPTED, entry, cpu.index, vector))

    def _arbitrate(self, targets: tuple[int, ...]) -> Cpu:
        """Lowest priority delivery: the target with the lowest arbitration priority (its IRQL, and what it has requested
        or in service: Intel SDM vol. 3 §11.6.2.4); among equals the lowest-numbered (model choice)."""
        cpus = [self.cpus[t] for t in targets]
        ranked = sorted(cpus, key=lambda c: (max(c.irql, c.apic.priority), c.index))
        if not self.chooser.interleaves or len(ranked) == 1:
            return ranked[0]
        options = [Option(f"cpu{c.index}", c) for c in ranked]
        chosen = self.chooser.choose(Point("target", options, None)).what
        assert isinstance(chosen, Cpu)
        return chosen

    def _deliver_line(self, targets: tuple[int, ...], vector: int) -> None:
        cpu = self._arbitrate(targets)
        cpu.apic.level |= 1 << vector
        self.accept((cpu, vector, 1 << vector), None)

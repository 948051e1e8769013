"""What happened before what: vector clocks over contexts of execution (Lamport's order, as Fidge and Mattern count it).

A context is one ISR call, one DPC call, one work item, a thread, a device with its timers, or the program outside. A context's
clock moves when it releases something; who acquires that knows all that was done up to then.

What a processor does one after another is no order: a DPC may run on another processor the next time, and an ISR may come
between any two instructions below its IRQL. So an ISR call knows nothing of what it interrupted, and a DPC nothing of the DPC
before it in the queue. An order that cannot be otherwise is one: calls that only one and the same processor ever makes
(an interrupt whose affinity is that processor, its DPC, a DPC with that target) and of which none can interrupt the other take
turns, and what one did the next one knows. Model choice: a timer expires on the processor that set it, so the calls of its DPC
are such ones, as long as no other processor sets it.
Limits: what is posted to a device is known to every message that it sends after that has landed, whichever register it was,
since only the device knows what caused what: races across a doorbell and the next message are not seen. Raising the IRQL on a
thread that is bound to a processor is no order here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Clocks", "Context"]

SWEEP = 1_024  # new contexts after which those are forgotten that nobody can meet any more
ISR, DPC = 3, 2  # IRQLs: from here on
Key = Any


class Context:
    """`known` holds, by the id of each other context, up to which of its clocks all is known."""

    __slots__ = ("affinity", "clock", "id", "known", "name", "turn")

    def __init__(self, id: int, name: str, affinity: int) -> None:
        self.id, self.name, self.affinity = id, name, affinity
        self.clock = 1
        self.known: dict[int, int] = {}
        self.turn: Key = None  # what it shares with all that take turns with it

    def knows(self, other: Context, clock: int) -> bool:
        """What `other` did at `clock` was before what this does now."""
        return other is self or self.known.get(other.id, 0) >= clock

    def learn(self, known: dict[int, int]) -> None:
        """Know all that, too."""
        mine = self.known
        for one, clock in known.items():
            if mine.get(one, 0) < clock:
                mine[one] = clock


class Clocks:
    """The contexts of a machine, and what was released. `met` tells which contexts may still be asked about."""

    def __init__(self, machine: Any, met: Callable[[], Iterable[Context]]) -> None:
        self.machine = machine
        self._met = met
        self._everywhere = (1 << len(machine.cpus)) - 1
        self._last = 0
        self._outside = self._new("the program outside")
        self._idle = [self._new(f"cpu{cpu.index}") for cpu in machine.cpus]
        self._on_cpu: list[list[Context]] = [[] for _ in machine.cpus]
        self._on_thread: dict[Any, list[Context]] = {}
        self._landing: list[Context] = []
        self._actors: dict[int, tuple[object, Context]] = {}
        self._released: dict[Key, tuple[object, dict[int, int]]] = {}
        self._queued_from: dict[int, int] = {}  # by the id of a DPC: the processors of who queued it

    @property
    def now(self) -> Context:
        """What runs."""
        if self._landing:
            return self._landing[-1]
        cpu: Any = self.machine.cpu
        if cpu is self.machine.nobody:
            return self._outside
        index: int = cpu.index
        if self._on_cpu[index]:
            return self._on_cpu[index][-1]
        return self._stack_of(cpu.thread)[-1] if cpu.thread is not None else self._idle[index]

    @property
    def lands(self) -> bool:
        """What runs is no processor's code."""
        return bool(self._landing)

    def acquire(self, what: object) -> None:
        """Know what was released."""
        released = self._released.get(key_of(what))
        if released is not None:
            self.now.learn(released[1])

    def release(self, what: object) -> None:
        """Let it be known."""
        context, key = self.now, key_of(what)
        released = self._released.get(key)
        if released is None:
            released = self._released[key] = what, {}
        known = released[1]
        for one, clock in context.known.items():
            if known.get(one, 0) < clock:
                known[one] = clock
        known[context.id] = context.clock
        context.clock += 1
        if hasattr(what, "queued_on"):
            self._queued_from[id(what)] = self._queued_from.get(id(what), 0) | context.affinity

    def has(self, what: object) -> bool:
        """It was released some time."""
        return key_of(what) in self._released

    def acquire_all(self) -> None:
        """At rest: everything that was done is known."""
        context = self.now
        stacks = [*self._on_cpu, *self._on_thread.values(), [self._outside]]
        for one in [*(c for stack in stacks for c in stack), *(c for _, c in self._actors.values()), *self._met()]:
            if one is not context:
                context.learn({**one.known, one.id: one.clock})

    def begins(self, what: object) -> None:
        """A context above what runs."""
        cpu = self.machine.cpu
        if cpu.irql >= DPC:
            stack, affinity = self._on_cpu[cpu.index], self._affinity(what)
            name = str(getattr(what, "name", "code"))
            context = self._new(f"the ISR of {name}" if cpu.irql >= ISR else name, affinity)
            if not affinity & affinity - 1:
                context.turn = ("turn", affinity, getattr(what, "irql", DPC))
        else:
            stack = self._stack_of(cpu.thread)
            context = self._new(f"a work item on {cpu.thread.name}")
        stack.append(context)
        self.acquire(what)
        if cpu.irql < DPC:
            self._released.pop(key_of(what), None)  # a work item's entry is its own
        if context.turn is not None:
            self.acquire(context.turn)

    def ends(self) -> None:
        """The innermost of them has."""
        cpu = self.machine.cpu
        stack = self._on_cpu[cpu.index] or self._on_thread.get(cpu.thread, [])
        if stack:
            context = stack[-1]
            if context.turn is not None:
                self.release(context.turn)
            stack.pop()

    def land(self, what: object) -> None:
        """A device or a timer does something."""
        owner = getattr(what, "owner", None) or what
        actor = self._actors.get(id(owner))
        if actor is None:
            actor = self._actors[id(owner)] = owner, self._new(str(getattr(owner, "name", "a device")))
        processor = getattr(what, "processor", None)  # of a timer: where it was set, and its DPC runs there (model choice)
        if processor is not None:
            actor[1].affinity = processor.bit
        self._landing.append(actor[1])
        self.acquire(what)

    def landed(self) -> None:
        """It has."""
        self._landing.pop()

    def _affinity(self, what: object) -> int:
        """The processors that ever call it."""
        if hasattr(what, "queued_on"):
            target = getattr(what, "target", None)
            return int(target.bit) if target is not None else self._queued_from.get(id(what), self._everywhere)
        return int(getattr(what, "affinity", self._everywhere)) & self._everywhere or self._everywhere

    def _stack_of(self, thread: Any) -> list[Context]:
        stack = self._on_thread.get(thread)
        if stack is None:
            stack = self._on_thread[thread] = [self._new(thread.name)]
        return stack

    def _new(self, name: str, affinity: int = 0) -> Context:
        self._last += 1
        if not self._last % SWEEP:
            self._sweep()
        return Context(self._last, name, affinity or self._everywhere)

    def _sweep(self) -> None:
        """What nobody will be compared with is not worth knowing."""
        for thread in [thread for thread in self._on_thread if thread.finished]:
            del self._on_thread[thread]
        stacks = [*self._on_cpu, *self._on_thread.values(), self._idle, [self._outside]]
        alive = [*(c for stack in stacks for c in stack), *(c for _, c in self._actors.values())]
        wanted = {context.id for context in (*alive, *self._met())}
        for known in (*(c.known for c in alive), *(known for _, known in self._released.values())):
            for one in known.keys() - wanted:
                del known[one]
        self._released = {key: kept for key, kept in self._released.items() if kept[1]}
        self._queued_from = {dpc: mask for dpc, mask in self._queued_from.items() if dpc in self._released}


def key_of(what: object) -> Key:
    """A tuple stands for something, and so does a variable; everything else is itself."""
    return what if type(what) is tuple else getattr(what, "variable", None) or id(what)

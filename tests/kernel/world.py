"""A machine with a kernel and one inert card, for tests: threads go in by `thread`, what happened comes out of `log`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dirql.kernel import Kernel, KInterrupt, SpinLock, Thread
from dirql.machine import Chooser, Costs, Machine, Option, Point
from dirql.pci.function import Fate, Host, Message
from dirql.trace import Trace

__all__ = ["BAR0", "First", "Scripted", "Stub", "World"]

BAR0 = 0xF000_0000


class Stub:
    """A function without behaviour: BARs that keep what is written, messages that go where a test aims them."""

    deterministic = True

    def __init__(self, name: str = "stub", fates: int = 4, bars: dict[int, tuple[int, int]] | None = None) -> None:
        self.name = name
        self.fates = [Fate(i) for i in range(fates)]
        self.messages: dict[int, Message] = {}
        self.sizes = {bar: size for bar, (size, _) in (bars or {0: (0x1000, BAR0)}).items()}
        self.config = bytearray(4096)
        for bar, (_, value) in (bars or {0: (0x1000, BAR0)}).items():
            width = 8 if value & 1 == 0 and value & 6 == 4 else 4
            self.config[0x10 + 4 * bar : 0x10 + 4 * bar + width] = value.to_bytes(width, "little")
        self.registers: dict[tuple[int, int], int] = {}
        self.accesses: list[tuple[Any, ...]] = []
        self.on_write: Callable[[int, int, int], None] | None = None
        self.on_read: Callable[[int, int], int] | None = None
        self.host: Host | None = None

    def connect(self, host: Host) -> None:
        self.host = host

    def config_read(self, offset: int, size: int) -> int:
        return int.from_bytes(self.config[offset : offset + size], "little")

    def config_write(self, offset: int, size: int, value: int) -> None:
        self.config[offset : offset + size] = value.to_bytes(size, "little")

    def bar_size(self, bar: int) -> int:
        return self.sizes.get(bar, 0)

    def bar_read(self, bar: int, offset: int, size: int) -> int:
        self.accesses.append(("read", bar, offset, size))
        if self.on_read is not None:
            return self.on_read(bar, offset)
        return self.registers.get((bar, offset), 0)

    def bar_write(self, bar: int, offset: int, size: int, value: int) -> None:
        self.accesses.append(("write", bar, offset, size, value))
        self.registers[bar, offset] = value
        if self.on_write is not None:
            self.on_write(bar, offset, value)

    def reset(self) -> None:
        self.registers.clear()

    def unserved(self) -> list[str]:
        return []

    def fire(self, entry: int) -> None:
        """Send the message of `entry`."""
        assert self.host is not None
        self.fates[entry].sent += 1
        self.host.send(self, self.messages[entry], self.fates[entry])

    def line(self, asserted: bool) -> None:
        """Assert or release INTx."""
        assert self.host is not None
        self.host.intx(self, asserted)


class First:
    """Interleaves, and always takes the first option; keeps every point."""

    interleaves = True

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.steps: list[str] = []

    def choose(self, point: Point) -> Option:
        self.points.append(point)
        return point.options[0]

    def observe(self, step: str) -> None:
        self.steps.append(step)


class Scripted(First):
    """Takes the ids of `script` one by one where they are offered; else whoever runs now, else the first."""

    def __init__(self, script: Sequence[str]) -> None:
        super().__init__()
        self.script = list(script)

    def choose(self, point: Point) -> Option:
        self.points.append(point)
        offered = {option.id: option for option in point.options}
        if self.script and self.script[0] in offered:
            return offered[self.script.pop(0)]
        return offered.get(point.current or "", point.options[0])


class World:
    """One machine, one kernel, one card in slot 1."""

    def __init__(
        self, cpus: int = 2, *, chooser: Chooser | None = None, trace: bool = False, costs: Costs | None = None, fates: int = 4,
        bars: dict[int, tuple[int, int]] | None = None,
    ) -> None:  # fmt: skip
        self.trace = Trace() if trace else None
        self.machine = Machine(cpus, chooser=chooser, trace=self.trace, costs=costs, memory=1 << 21)
        self.kernel = Kernel(self.machine)
        self.card = Stub(fates=fates, bars=bars)
        self.port = self.machine.plug(self.card)
        self.log: list[Any] = []

    @property
    def cpu(self) -> Any:
        """The processor that runs now."""
        return self.machine.cpu

    def thread(self, routine: Callable[[], Any], cpu: int | None = None, name: str = "thread", priority: int = 8) -> Thread:
        """A thread, ready; on processor `cpu` only, if one is given."""
        dispatcher = self.kernel.dispatcher
        thread = Thread(self.kernel, lambda _: routine(), None, name, dispatcher.root)
        thread.priority = priority
        if cpu is not None:
            thread.affinity = 1 << cpu
        dispatcher.threads.append(thread)
        here = self.machine.cpu
        dispatcher.make_ready(thread, self.machine.time if here is self.machine.nobody else here.now)
        return thread

    def run(self, until: int | None = None) -> None:
        """Until nothing is left to happen, or until a time."""
        if until is None:
            self.machine.scheduler.run()
        else:
            self.machine.scheduler.run(until)

    def run_thread(self, routine: Callable[[], Any], cpu: int | None = None, name: str = "thread") -> Any:
        """Run `routine` on a thread and everything that follows; its result."""
        thread = self.thread(routine, cpu, name)
        self.run()
        assert thread.finished, f"{name} never came back: {self.kernel.stuck_threads()}"
        return thread.result

    def at(self, delay: int, action: Callable[[], None]) -> None:
        """The card does `action` after `delay` ns."""
        self.port.after(delay, action)

    def aim(self, entry: int, vector: int, *cpus: int, lowest: bool = False) -> None:
        """The card's message `entry` becomes `vector` on `cpus`."""
        self.card.messages[entry] = self.machine.router.compose(sum(1 << c for c in cpus), vector, lowest)

    def connect(
        self, isr: Callable[..., bool], vector: int = 0x51, cpus: Sequence[int] = (0,), *, name: str = "interrupt",
        synchronize_irql: int | None = None, latched: bool = True, share: bool = False, lock: SpinLock | None = None,
        passive: bool = False,
    ) -> KInterrupt:  # fmt: skip
        """An interrupt object, connected; `isr(interrupt, context)`."""
        irql = 0 if passive else vector >> 4
        interrupt = KInterrupt(
            self.kernel, isr, None, vector=vector, irql=irql, synchronize_irql=synchronize_irql or irql,
            affinity=sum(1 << c for c in cpus), latched=latched, share=share, lock=lock, passive=passive, name=name,
        )  # fmt: skip
        status = self.run_thread(lambda: self.kernel.interrupts.connect(interrupt))
        assert status == 0, hex(status)
        return interrupt

    def line(self, vector: int = 0x61, *cpus: int, gsi: int = 16) -> None:
        """The card's INTx leads to pin `gsi`, which raises `vector` on `cpus`."""
        self.port.gsi = gsi
        self.machine.ioapic.program(gsi, vector, cpus or (0,))

    def stall(self, microseconds: int) -> None:
        """KeStallExecutionProcessor."""
        self.kernel.ke_stall_execution_processor(microseconds)

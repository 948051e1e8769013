"""`io`: the class of the worlds of these tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from dirql.kernel import Kernel, Thread
from dirql.kernel.irp import Irp
from dirql.machine import Chooser, Machine
from dirql.ntstatus import StatusError
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.driver import Driver
from dirql.wdf.framework import Framework, Verifier
from dirql.wdf.io_config import IoQueueConfig
from dirql.wdf.io_manager import IoManager
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.object import ExecutionLevel, ObjectAttributes, SynchronizationScope


class Pdo:
    """A bus that has nothing to say."""

    name = "card"

    def set_power(self, state: int) -> None:
        """Nothing to power."""

    def query_interface(self, guid: UUID) -> Any:
        """No interfaces."""
        return None


class IoWorld:
    """A machine, a driver and one device in D0; `log` is what happened."""

    def __init__(
        self, cpus: int = 2, *, kmdf: bool = False, level: int = ExecutionLevel.InheritFromParent,
        scope: int = SynchronizationScope.InheritFromParent, io_type: str = "buffered", d0: bool = True,
        chooser: Chooser | None = None, memory: int = 1 << 21,
    ) -> None:  # fmt: skip
        self.machine = Machine(cpus, chooser=chooser, memory=memory)
        self.kernel = Kernel(self.machine)
        self.framework = Framework(self.kernel, Verifier(kmdf=kmdf))
        self.driver = Driver(self.framework)
        self.framework.driver = self.driver
        init = DeviceInit(self.framework, self.driver, Pdo())
        init.io_type = io_type
        self.device = Device.create(init, ObjectAttributes(execution_level=level, synchronization_scope=scope))
        self.device.power.io_started = d0
        self.io = IoManager(self.kernel)
        self.log: list[Any] = []

    @property
    def irql(self) -> int:
        """Of the processor that runs now."""
        return self.machine.cpu.irql

    def thread(self, routine: Callable[[], Any], name: str = "thread", cpu: int | None = None) -> Thread:
        """A thread, ready."""
        dispatcher = self.kernel.dispatcher
        thread = Thread(self.kernel, lambda _: routine(), None, name, dispatcher.root)
        if cpu is not None:
            thread.affinity = 1 << cpu
        dispatcher.threads.append(thread)
        dispatcher.make_ready(thread, self.machine.time)
        return thread

    def run(self) -> None:
        """Until nothing is left to happen."""
        self.machine.scheduler.run()

    def call(self, routine: Callable[[], Any]) -> Any:
        """`routine()` on a thread, and everything that follows; its result."""
        thread = self.thread(routine)
        self.run()
        assert thread.finished, f"it never came back: {self.kernel.stuck_threads()}"
        return thread.result

    def failure(self, routine: Callable[[], Any]) -> str:
        """The words of the StatusError that `routine()` raises, without the value behind its name."""

        def attempt() -> str:
            try:
                result = routine()
            except StatusError as error:
                return str(error).replace(f" ({error.status:#010x})", "")
            return f"no error, but {result!r}"

        words = self.call(attempt)
        assert isinstance(words, str)
        return words

    def at_dispatch(self, routine: Callable[[], Any]) -> Any:
        """`routine()` on a thread at DISPATCH_LEVEL; its result."""

        def raised() -> Any:
            old = self.kernel.ke_raise_irql(2)
            result = routine()
            self.kernel.ke_lower_irql(old)
            return result

        return self.call(raised)

    def queue(self, dispatch_type: int, attributes: ObjectAttributes | None = None, **config: Any) -> IoQueue:
        """A queue of the device; `config` is what IoQueueConfig takes."""
        queue = self.call(lambda: IoQueue.create(self.device, IoQueueConfig(dispatch_type, **config), attributes))
        assert isinstance(queue, IoQueue)
        return queue

    def read(self, length: int = 4, name: str = "read", start: bool = True, **more: Any) -> Irp:
        """A read, sent by a thread of its own."""
        irp = Irp.read(self.kernel, length, name=name, **more)
        if start:
            self.io.start(self.device, irp)
        return irp

    def control(self, code: int, data: bytes = b"", output_length: int = 0, name: str = "control") -> Irp:
        """A device control, sent by a thread of its own."""
        irp = Irp.device_control(self.kernel, code, data, output_length, name)
        self.io.start(self.device, irp)
        return irp

    @property
    def findings(self) -> list[tuple[str, str]]:
        """(rule, sentence) of each."""
        return [(f.rule, f.sentence) for f in self.machine.findings.values()]


@pytest.fixture(scope="session")
def io() -> type[IoWorld]:
    """`io(…)` builds a world."""
    return IoWorld

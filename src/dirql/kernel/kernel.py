"""The kernel: its parts put together, and the routines that belong to no object of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from dirql import ntstatus
from dirql.ddi import ddi, irql_name
from dirql.errors import UsageError
from dirql.kernel.clock import Clock
from dirql.kernel.dispatcher_object import DispatcherObject
from dirql.kernel.dpc import Kdpc, drain, queue
from dirql.kernel.held import Held
from dirql.kernel.interlocked import Interlocked
from dirql.kernel.interrupt import InterruptController
from dirql.kernel.io_space import IoSpace, MemoryCachingType, PortSpace
from dirql.kernel.irql import DISPATCH_LEVEL, HIGH_LEVEL
from dirql.kernel.kinterrupt import isr_changed_irql
from dirql.kernel.object_manager import ObjectManager
from dirql.kernel.processors import Processors
from dirql.kernel.stop import BugCheck, Hang
from dirql.kernel.thread import Dispatcher, Thread, ThreadEnd
from dirql.kernel.wait import Event, wait
from dirql.kernel.work_item import PassiveInterrupts, WorkQueue
from dirql.machine.cpu import Cpu
from dirql.machine.machine import Machine
from dirql.machine.port import Port

__all__ = ["Kernel"]


class Kernel(Interlocked):
    """What runs on the machine's processors."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        for cpu in (*machine.cpus, machine.nobody):
            cpu.dpcs = queue()
        self.thread_id = 4  # the last that was given; they are multiples of four
        self.held = Held(machine)
        self.too_long: dict[str, str] = {}  # ISRs and DPCs, and what was said of the first time
        self.driver_verifier = False  # Driver Verifier looks on
        self.windows = "11"  # which Windows this is
        self.interrupts = InterruptController(self)
        self.clock = Clock(machine)
        self.processors = Processors(self)
        self.objects = ObjectManager(self)
        self.dispatcher = Dispatcher(self)
        self.no_thread = Thread(self, lambda _: None, None, "no thread", self.dispatcher.root)
        self.work = WorkQueue(self)
        self.passive_interrupts = PassiveInterrupts(self)
        self.take_interrupts = self.interrupts.take
        machine.scheduler.take = self.interrupts.take
        self.spinning = 0  # processors that wait for a spin lock
        self.reads_at_dirql: dict[tuple[str, int, int], int] = {}
        self.mapped: dict[IoSpace, str] = {}  # what is mapped now, and where that was done

    @property
    def build(self) -> int:
        """Windows' build number: of version 22H2 of Windows 10, of 23H2 of Windows 11 (model choice)."""
        return 19045 if self.windows == "10" else 22631

    # IRQL

    @ddi("KeGetCurrentIrql")
    def ke_get_current_irql(self) -> int:
        """The running processor's IRQL."""
        return self.machine.cpu.irql

    @ddi("KeRaiseIrql")
    def ke_raise_irql(self, new: int) -> int:
        """The IRQL before; bugcheck 0x9 when that was higher."""
        cpu = self.machine.cpu
        old = cpu.irql
        if new < old or new > HIGH_LEVEL:
            raise BugCheck(0x09, 0, old, why=f"KeRaiseIrql to {irql_name(new)} at {irql_name(old)}")
        cpu.irql = new
        return old

    @ddi("KeRaiseIrqlToDpcLevel")
    def ke_raise_irql_to_dpc_level(self) -> int:
        """KeRaiseIrqlToDpcLevel: the IRQL before."""
        cpu = self.machine.cpu
        old = cpu.irql
        if old > DISPATCH_LEVEL:
            raise BugCheck(0x09, 0, old, why=f"KeRaiseIrqlToDpcLevel at {irql_name(old)}")
        cpu.irql = DISPATCH_LEVEL
        return old

    @ddi("KeLowerIrql")
    def ke_lower_irql(self, new: int) -> None:
        """Back down; bugcheck 0xA when that would be up. What was held back is taken before this returns."""
        cpu = self.machine.cpu
        if new > cpu.irql:
            raise BugCheck(0x0A, 0, cpu.irql, why=f"KeLowerIrql to {irql_name(new)} at {irql_name(cpu.irql)}")
        if cpu.servicing is not None and new < cpu.servicing.synchronize_irql:
            raise isr_changed_irql(cpu.servicing, new)  # model choice: at once, Windows sees it when the ISR returns
        self.lower(cpu, new)

    def lower(self, cpu: Cpu, irql: int) -> None:
        """Lower, and take what that lets through."""
        cpu.irql = irql
        if cpu.apic.irr:
            self.interrupts.take(cpu)
        if cpu.dpc_requested and irql < 2:
            drain(self, cpu)

    # Time

    @ddi("KeStallExecutionProcessor")
    def ke_stall_execution_processor(self, microseconds: int) -> None:
        """Burn time on the running processor; interrupts and other processors go on meanwhile. Where a chooser interleaves it is
        one step, before or after which they go on."""
        if microseconds < 0:
            raise UsageError(f"KeStallExecutionProcessor: MicroSeconds {microseconds}; write 0 or more")
        cpu, scheduler, heap = self.machine.cpu, self.machine.scheduler, self.machine.agenda.heap
        end = cpu.now + microseconds * 1_000
        while True:
            step = end
            if scheduler.ready and scheduler.lead and not self.machine.chooser.interleaves:
                step = min(step, cpu.now + scheduler.lead)
            if heap and cpu.now < heap[0][0] < step and not self.machine.chooser.interleaves:
                step = heap[0][0]
            cpu.now = step
            scheduler.point(cpu)
            if cpu.now >= end:
                return

    @ddi("KeDelayExecutionThread")
    def ke_delay_execution_thread(self, interval: int) -> int:
        """Wait `interval` ns."""
        return wait(self, [Event(self, name="a delay")], False, interval) and ntstatus.STATUS_SUCCESS

    @ddi("KeQueryPerformanceCounter")
    def ke_query_performance_counter(self) -> tuple[int, int]:
        """(count, frequency): 100 ns ticks of the running processor's clock, 10 MHz (model choice: what Windows 10 and
        later commonly report)."""
        return self.machine.cpu.now // 100, 10_000_000

    # Waiting

    @ddi("KeWaitForSingleObject")
    def ke_wait_for_single_object(self, waited: DispatcherObject, timeout: int | None = None) -> int:
        """STATUS_SUCCESS, or STATUS_TIMEOUT after `timeout` ns (None: for ever)."""
        return wait(self, [waited], False, timeout)

    @ddi("KeWaitForMultipleObjects")
    def ke_wait_for_multiple_objects(
        self, waited: Sequence[DispatcherObject], *, wait_all: bool, timeout: int | None = None
    ) -> int:
        """STATUS_SUCCESS or STATUS_WAIT_0 + index, or STATUS_TIMEOUT."""
        return wait(self, waited, wait_all, timeout)

    # Threads

    @ddi("PsCreateSystemThread")
    def ps_create_system_thread(self, routine: Callable[[Any], Any], context: Any = None, name: str = "thread") -> Thread:
        """A new system thread."""
        thread = self.dispatcher.create(routine, context, name)
        thread.system = True
        return thread

    @ddi("PsTerminateSystemThread")
    def ps_terminate_system_thread(self, status: int = 0) -> int:
        """PsTerminateSystemThread: the running thread ends here, with `status`; STATUS_INVALID_PARAMETER for a thread that
        PsCreateSystemThread did not make, which goes on."""
        cpu = self.machine.cpu
        if cpu.thread is None or not cpu.thread.system or cpu.dpc is not None or cpu.irql:
            return ntstatus.STATUS_INVALID_PARAMETER
        raise ThreadEnd(status)

    @ddi("KeGetCurrentThread")
    def ke_get_current_thread(self) -> Thread:
        """KeGetCurrentThread; the idle thread where no other runs."""
        return self.machine.cpu.thread or self.no_thread

    @ddi("KeBugCheckEx")
    def ke_bug_check(self, code: int, *parameters: int) -> NoReturn:
        """KeBugCheckEx: the driver stops the machine."""
        raise BugCheck(code, *parameters, why="the driver called KeBugCheckEx")

    @ddi("KeGetCurrentProcessorNumberEx")
    def ke_get_current_processor_number(self) -> int:
        """The running processor's number."""
        return self.machine.cpu.index

    @ddi("KeQueryActiveProcessorCount")
    def ke_query_active_processor_count(self) -> int:
        """How many processors there are."""
        return len(self.machine.cpus)

    @ddi("KeFlushQueuedDpcs")
    def ke_flush_queued_dpcs(self) -> None:
        """Returns when every DPC that was queued before the call, on any processor, has run. Later ones are not waited for."""
        self.flush_queued_dpcs()

    def flush_queued_dpcs(self) -> None:
        """The same for callers that are routines themselves."""
        watch, queues = self.machine.watch, [("dpcs", cpu.index) for cpu in self.machine.cpus]
        if watch is not None:
            for each in queues:
                watch.waits(each)
        self._let_dpcs_run()
        if watch is not None:
            for each in queues:
                watch.acquire(each)

    def _let_dpcs_run(self) -> None:
        busy = [cpu for cpu in self.machine.cpus if cpu.dpcs or cpu.dpc is not None]
        if not busy:
            return
        done = Event(self, name="the flush of queued DPCs")
        left = len(busy)

        def passed(dpc: Kdpc, context: Any, a: Any, b: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                done.state = True
                done.signal()

        here = self.machine.cpu
        for cpu in busy:
            marker = Kdpc(self, passed, None, "flush")
            marker.queued_on = cpu
            cpu.dpcs.append(marker)
            cpu.dpc_requested = True
            if cpu is not here:
                self.machine.scheduler.make_ready(cpu, here.now)
        self.lower(here, here.irql)
        if left:
            wait(self, [done], False, None)

    # Registers

    @ddi("MmMapIoSpaceEx")
    def mm_map_io_space(
        self, physical_address: int, length: int, cache_type: MemoryCachingType = MemoryCachingType.MmNonCached
    ) -> IoSpace:
        """Map device memory; the result has the READ_/WRITE_REGISTER_ routines."""
        return IoSpace(self, physical_address, length, cache_type)

    def port_space(self, start: int, length: int) -> PortSpace:
        """I/O ports: the READ_/WRITE_PORT_ routines over a range."""
        return PortSpace(self, start, length)

    def note_read_at_dirql(self, port: Port, bar: int, offset: int) -> None:
        """Count a register read above DISPATCH_LEVEL."""
        key = port.name, bar, offset
        self.reads_at_dirql[key] = self.reads_at_dirql.get(key, 0) + 1

    # From outside

    def refuse_to_hang(self) -> None:
        """At rest: a processor that still spins, or a thread that waits for what nothing will signal, is a hang."""
        for cpu in self.machine.cpus if self.spinning else ():
            lock = cpu.spinning_on
            if lock is not None:
                holder = f"cpu{lock.owner.index}" if lock.owner is not None else "nobody"
                raise Hang("deadlock", f"cpu{cpu.index} spins for {lock.name}, which {holder} holds, and nothing else can happen")

    def stuck_threads(self) -> list[str]:
        """Threads that wait for something that nothing at rest will signal, in words."""
        return [
            f"{thread.name} waits for {thread.wait.words()}"
            for thread in self.dispatcher.threads
            if not thread.finished and thread.wait is not None and not self.work.idle(thread.wait.words())
        ]

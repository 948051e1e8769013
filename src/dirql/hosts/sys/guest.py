"""The emulated side of a system: one address space for its driver images, and the calls into them and out of them.

A callback into a driver is an ordinary Python call of `Guest.call`, made wherever the kernel or the framework calls it: on
the processor and the stack of whoever that is. The driver's calls of routines come out at import stubs, between two runs of
the emulator, so that a routine may switch to another processor or call the driver again.

Limits: one address space for all images and no user mode.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from types import FrameType
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from dirql.findings import TELLERS
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import AddressSpace, Area, Region
from dirql.hosts.sys.crash import Witness
from dirql.hosts.sys.decode import Decoder
from dirql.hosts.sys.device_pages import Access, DevicePages
from dirql.hosts.sys.exceptions import Exceptions
from dirql.hosts.sys.format import Arguments, format_message
from dirql.hosts.sys.kpcr import CURRENT_THREAD, GsAccesses, make_kpcr
from dirql.hosts.sys.loader import LoadedImage
from dirql.hosts.sys.overseer import Overseer
from dirql.hosts.sys.page_table import PageTable
from dirql.hosts.sys.ports import Ports
from dirql.hosts.sys.processor import TRAP_BASE, Activation, Exit, Processor
from dirql.hosts.sys.raised import Landing, Raised
from dirql.hosts.sys.stacks import Stack, Stacks
from dirql.hosts.sys.stubs import Stubs, Unmodelled
from dirql.hosts.sys.traps import Traps
from dirql.hosts.sys.variables import VARIABLES, variable
from dirql.kernel.irql import DISPATCH_LEVEL
from dirql.kernel.kernel import Kernel
from dirql.kernel.stop import Stop
from dirql.machine.cpu import Cpu
from dirql.machine.flight import FOREVER
from dirql.machine.machine import Machine
from dirql.machine.memory import PAGE_SIZE
from dirql.ntstatus import StatusError
from dirql.trace import Kind
from dirql.wdf.framework import Framework
from dirql.wdf.object import Object

__all__ = ["Frame", "Guest"]

P = TypeVar("P")
# An enumeration's member is looked up slowly.
HALT, ASKED, DEVICE, SLICE, BLOCK, FAULT = Exit.HALT, Exit.ASKED, Exit.DEVICE, Exit.SLICE, Exit.BLOCK, Exit.FAULT

QWORD = Struct("<Q")
CALL_FRAME = Struct("<5Q")  # the return address and the home of four arguments
KERNEL_FRAMES = 0x200  # of stack, between a call of the driver's and one back into it (model choice)
MOST_NESTED = 40  # calls into the driver on one stack, each made from within the one before: what 24 KiB have room for
HOME = 0x28  # from RSP on entry to the fifth argument
MANY = 1 << 16  # stops of one callback's code, for a routine mostly, that count as so many steps of the scheduler's
GONE = 1 << 16  # handles of objects that are gone, which are forgotten at times
SLICES = 1_000  # in a row without a call or a register access, after which code may be waiting for memory to change
HANDLES = 0xFFFF_E000_0000_0000  # where nothing is mapped: a driver that takes a handle for a pointer faults
TOKENS = HANDLES + (1 << 40)  # of opaque structures that are no framework objects
MODULES = {"ntoskrnl.exe": "ntoskrnl", "ntkrnlmp.exe": "ntoskrnl", "hal.dll": "hal", "wdfldr.sys": "wdfldr"}


class Frame:
    """A call that the driver makes: its arguments, and where it comes back to."""

    __slots__ = ("arguments", "rsp", "space")

    def __init__(self, space: AddressSpace) -> None:
        self.space = space
        self.arguments = (0, 0, 0, 0)
        self.rsp = 0

    @property
    def return_address(self) -> int:
        """Where it comes back to."""
        return int.from_bytes(self.space.peek(self.rsp, 8), "little")

    def stack_slot(self, index: int) -> int:
        """Argument `index`, from 4 on."""
        return int.from_bytes(self.space.read(self.rsp + HOME + 8 * (index - 4), 8), "little")


class Guest:
    """What all driver images of a system share. `objects` are the framework's by handle, `kernel_objects` the kernel's by the
    address of the driver's structure."""

    def __init__(self, kernel: Kernel, framework: Framework) -> None:
        self.kernel, self.framework = kernel, framework
        self.machine: Machine = kernel.machine
        self.pages = PageTable()
        self.space = AddressSpace(self.machine, self.pages)
        self.stubs = Stubs(self.space)
        self.decoder = Decoder(self.space)
        self.devices = DevicePages(self.space, self.decoder.widths)
        self.processor = Processor(self.machine.memory, self.pages, self.devices)
        self.processor.new_block = lambda address, size: self.part(Ports).look(address, size)
        self.stacks = Stacks(self.space, self.machine.cpus)
        self.traps = Traps(self)
        self.overseer = Overseer(self)
        self.objects: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._given: set[int] = set()  # handles that were ever given out
        self._tokens: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._token = TOKENS  # the last that was given out
        self.behind: dict[int, Any] = {}  # what a structure that the framework handed out stands for, by its address
        self._placed: dict[int, Region] = {}  # by the id of what is in `behind`
        self._parts: dict[Any, Any] = {}
        self.images: list[LoadedImage] = []
        self.context_types: dict[tuple[int, int], type[Any]] = {}  # by (UniqueType, ContextSizeOverride)
        self.kernel_objects: dict[int, Any] = {}
        self.kpcr = [make_kpcr(self, cpu) for cpu in self.machine.cpus]
        self.part(GsAccesses)
        self.clock_due = FOREVER  # the virtual time from which `clock` is to be called before the driver goes on
        self.clock: Callable[[int], None] = lambda now: None
        self.thread_shown: list[Any] = [False] * len(self.machine.cpus)  # by each KPCR
        self.processor.registers[0] = self.stubs.two_blocks
        self.processor.go()  # so that the first block of a driver's has one before it, without which nobody is told of it
        self.pages.paged_out = lambda: self.machine.cpu.irql >= DISPATCH_LEVEL
        self.space.tolerates = self.traps.pageable_data

    def part(self, type_: Callable[[Guest], P]) -> P:
        """What a family of routines keeps for this guest: made when it is first asked for."""
        if type_ not in self._parts:
            self._parts[type_] = type_(self)
        return cast("P", self._parts[type_])

    # Into the driver.

    def call(self, entry: int, *arguments: int) -> int:
        """Run the driver's function at `entry` to its end, here and now; what it left in RAX."""
        cpu: Cpu = self.machine.cpu
        stack = self.stacks.of(cpu)
        top, processor, outer = stack.top, self.processor, stack.calls
        room = HOME + 8 * max(len(arguments) - 4, 0)
        if outer is not None:
            room += KERNEL_FRAMES
        rsp = (top - room & ~15) - 8
        if rsp < stack.region.start:
            self.traps.overflow(entry, rsp)
        nested = outer.nested + 1 if outer is not None else 0
        if nested > MOST_NESTED:
            raise self.traps.too_deep(entry)
        frame = Frame(self.space)
        physical = self.pages.translate(rsp, 2) or TRAP_BASE
        if len(arguments) <= 4 and physical < TRAP_BASE and rsp & PAGE_SIZE - 1 <= PAGE_SIZE - CALL_FRAME.size:
            CALL_FRAME.pack_into(self.machine.memory.view, physical, self.stubs.returns, 0, 0, 0, 0)
        else:
            self._push(rsp, (self.stubs.returns, 0, 0, 0, 0, *arguments[4:]))
        stack.top = rsp
        activation = processor.activation()
        activation.outer, activation.on_thread = outer, stack.on_thread
        activation.doing = doing = cpu.dpc, len(cpu.apic.in_service)
        activation.interrupts = outer is not None and outer.doing != doing
        activation.nested = nested
        stack.calls = activation
        if self.overseer.asleep:
            self.overseer.watch()
        if self.pages.lent:
            self.pages.forget_pageable()
        processor.begin(activation, cpu.index, self.kpcr[cpu.index], arguments[:4], entry, rsp)
        if cpu.thread is not self.thread_shown[cpu.index]:
            self._show_thread(cpu)
        if cpu.now >= self.clock_due:
            self.clock(cpu.now)
        try:
            return self._run(activation, stack, frame)
        except Stop as stop:
            if stop.details is None:
                self.part(Witness).see(stop, activation)
            raise
        finally:
            stack.top, stack.calls = top, outer
            processor.discard(activation)

    def _run(self, activation: Activation, stack: Stack, frame: Frame) -> int:
        processor, machine, stubs, devices = self.processor, self.machine, self.stubs, self.devices
        registers, pages = processor.registers, self.pages
        base, thunks, returned = stubs.base, stubs.thunks, stubs.returns + 1
        access: Access | None = None
        sliced, slices, counted = processor.slice or processor.tells_memory, 0, processor.slice
        stops, many = 0, MANY
        while True:
            if access is not None or devices.current is not None:
                devices.enter(access)
                access = None
            if pages.pageable_seen and (not pages.lent if machine.cpu.irql >= DISPATCH_LEVEL else pages.lent):
                pages.forget_pageable()
            stop = processor.go()
            if stop is ASKED:
                stop = self.overseer.asked(activation, stack)
            elif counted and stop is HALT and not stubs.stopped_at(registers[0]) and not self.traps.watches(registers[0] - 1):
                stop = SLICE
            rip, rcx, rdx, r8, r9, rsp, rax = registers[:7]
            stack.top = rsp
            try:
                if stop is SLICE:
                    slices += 1
                    if slices == SLICES:  # it may wait for what others do: let the next thing happen
                        slices = 0
                        self.overseer.let_time_pass()
                elif sliced:
                    slices = 0
                if stop is not HALT:
                    skip, access = self._stopped(stop, rip, activation)
                    result = None
                elif 0 <= (index := rip - base >> 4) < len(thunks):
                    frame.arguments, frame.rsp = (rcx, rdx, r8, r9), rsp
                    result = thunks[index](self, frame)
                elif rip == returned:
                    return rax
                else:
                    skip = 0
                    result = None
                    self.traps.take(stop, rip)
            except (Raised, Landing) as event:
                self.part(Exceptions).settle(event, activation, stack)
                continue
            stops += 1
            if stops == many:  # where nothing else happens no routine comes to the scheduler, who alone ends what goes on and on
                stops = 0
                machine.scheduler.spend(many)
                machine.scheduler.point(machine.cpu)
            cpu = machine.cpu
            if processor.current is not activation or activation.index != cpu.index:
                processor.take_over(activation, cpu.index, self.kpcr[cpu.index])
                if cpu.thread is not self.thread_shown[cpu.index]:
                    self._show_thread(cpu)
            if result is not None:
                if cpu.now >= self.clock_due:
                    self.clock(cpu.now)
                processor.answer(result)
            elif skip:
                registers[0] = skip

    def _stopped(self, stop: Exit, rip: int, activation: Activation) -> tuple[int, Access | None]:
        """Neither a call nor a return. Where the driver goes on if that is not where it stopped, and what its instruction has
        done so far."""
        if stop is not DEVICE:
            begun = self.devices.current  # an instruction that is entered again, with its accesses done, is not done yet
            access = begun if begun is not None and begun.rip == rip and stop in (SLICE, BLOCK, FAULT) else None
            if stop is not SLICE:
                self.traps.take(stop, rip)
                return 0, access
            scheduler, cpu = self.machine.scheduler, self.machine.cpu
            if scheduler.due(cpu):
                scheduler.point(cpu)
            return rip, access
        move = self.decoder.move(rip)
        value = self.devices.move(move, self.processor.registers) if move is not None else None
        if move is None or value is None:
            return 0, self.devices.perform(rip)
        if not move.writes:
            self.take_over(activation)
            self.processor.answer(value, move.register)
        if self.processor.limited:
            self.processor.left -= 1  # the emulator did not run it
        return rip + move.length, None  # nothing is left to be entered again

    def take_over(self, activation: Activation) -> None:
        """`activation` has the emulator."""
        cpu = self.machine.cpu
        if self.processor.current is not activation or activation.index != cpu.index:
            self.processor.take_over(activation, cpu.index, self.kpcr[cpu.index])

    def _push(self, rsp: int, slots: tuple[int, ...]) -> None:
        self.space.write(rsp, b"".join(QWORD.pack(slot) for slot in slots))

    # Handles.

    def handle(self, value: Any) -> int:
        """The driver's handle of an object, known from now on for as long as the object lives."""
        if isinstance(value, Object):
            handle = HANDLES + value.handle
            if handle in self._given:
                return handle
        else:
            handle = self._tokens.get(value, 0)
            if not handle:
                self._token = handle = self._token + 16
                self._tokens[value] = handle
        self._given.add(handle)
        self.objects[handle] = value
        if len(self._given) > 2 * len(self.objects) + GONE:
            self._given.intersection_update(self.objects)
        return handle

    def structure(self, value: Any, data: bytes, what: str) -> int:
        """The address at which the driver sees `value` as bytes; the same each time."""
        region = self._placed.get(id(value))
        if region is None:
            region = self._placed[id(value)] = self.space.allocate(Area.BUFFER, len(data), what, at_end=True)
            self.space.write(region.start, data)
            self.behind[region.start] = value
        return region.start

    def slot(self, value: Any) -> int:
        """How an argument of a callback goes into a register."""
        if isinstance(value, int):
            return value
        return 0 if value is None else self.handle(value)

    def callback(self, entry: int, result: Callable[[int], Any]) -> Callable[..., Any]:
        """The driver's function at `entry` as a Python callable; `result` makes of RAX what it returns."""
        call_driver, slot = self.call, self.slot

        def call(*arguments: Any) -> Any:
            return result(call_driver(entry, *map(slot, arguments)))

        return call

    def resolve(self, dll: str, name: str) -> int:
        """The address that an import is bound to: a stub, or a variable of the kernel's. `#12` is one by its ordinal."""
        module = MODULES.get(dll.lower(), dll.lower())
        key = f"{module}!{name}"
        if key in self.stubs.data:
            return self.stubs.data[key]
        if key in VARIABLES:
            return variable(self, key)
        other = {"hal": "ntoskrnl", "ntoskrnl": "hal"}.get(module)  # routines have moved from the one to the other
        thunk = ROUTINES.get(key) or ROUTINES.get(f"{other}!{name}")
        return self.stubs.address(key, thunk or Unmodelled(module, name))

    def failed(self, routine: str, error: StatusError) -> None:
        """A routine returns a failure: why, for the trace."""
        self.framework.note(f"{routine} returns {error}")

    def print(self, format_: bytes, arguments: Arguments) -> None:
        """A line that the driver prints."""
        machine = self.machine
        if machine.trace is not None:
            line = format_message(format_, arguments)
            machine.trace.add((machine.cpu.now, machine.cpu.index, Kind.NOTE, "DbgPrint", line.rstrip("\n")))

    def words(self, address: int, *, returning: bool = False) -> str:
        """`mqueue.sys!Isr+0x1a (mqueue.c:88)`, or the section where no symbol is known; the name of a routine of the kernel's;
        the address where no image is. `returning`: a call comes back there, and its own line is told."""
        image = next((image for image in self.images if address in image), None)
        if image is not None:
            return image.words(address, returning=returning)
        return self.stubs.words(address) or f"{address:#x}"

    def _show_thread(self, cpu: Cpu) -> None:
        """Prcb.CurrentThread, which drivers read through gs."""
        self.thread_shown[cpu.index] = cpu.thread
        self.space.write(self.kpcr[cpu.index] + CURRENT_THREAD, QWORD.pack(self.handle(cpu.thread or self.kernel.no_thread)))


def _place(frame: FrameType) -> str:
    """Where a driver's code stands below this call of `Guest._run`: where it called a routine, or at the instruction that
    accesses a register."""
    guest, call, rip = frame.f_locals["self"], frame.f_locals["frame"], frame.f_locals.get("rip", 0)
    if any(rip in image for image in guest.images):
        return str(guest.words(rip))
    return str(guest.words(call.return_address, returning=True))


TELLERS[Guest._run.__code__] = _place

"""The emulated side of a system: one address space for its driver images, and the calls into them and out of them.

A callback into a driver is an ordinary Python call of `Guest.call`, made wherever the kernel or the framework calls it: on
the processor and the stack of whoever that is. The driver's calls of routines come out at import stubs, between two runs of
the emulator, so that a routine may switch to another processor or call the driver again.

Limits: one address space for all images and no user mode.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from struct import Struct
from types import FrameType
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from dirql.errors import NotModelled
from dirql.findings import TELLERS
from dirql.hosts.sys.abi import ROUTINES, VarArgs
from dirql.hosts.sys.address_space import AddressSpace, Area, Region
from dirql.hosts.sys.decode import Decoder
from dirql.hosts.sys.device_pages import Access, DevicePages
from dirql.hosts.sys.format import format_message
from dirql.hosts.sys.loader import LoadedImage
from dirql.hosts.sys.page_table import PageTable, Rights
from dirql.hosts.sys.processor import Activation, Exit, Processor
from dirql.hosts.sys.stacks import Stack, Stacks
from dirql.hosts.sys.stubs import Stubs, Unmodelled
from dirql.hosts.sys.traps import Traps
from dirql.kernel.kernel import Kernel
from dirql.machine.cpu import Cpu
from dirql.machine.machine import Machine
from dirql.ntstatus import StatusError
from dirql.trace import Kind
from dirql.wdf.framework import Framework
from dirql.wdf.object import Object

__all__ = ["Frame", "Guest"]

P = TypeVar("P")

QWORD = Struct("<Q")
HOME = 0x28  # from RSP on entry to the fifth argument
KPCR_SIZE = 0x1000
HANDLES = 0xFFFF_E000_0000_0000  # where nothing is mapped: a driver that takes a handle for a pointer faults
TOKENS = HANDLES + (1 << 40)  # of opaque structures that are no framework objects
MODULES = {"ntoskrnl.exe": "ntoskrnl", "ntkrnlmp.exe": "ntoskrnl", "hal.dll": "hal", "wdfldr.sys": "wdfldr"}


class Frame:
    """A call that the driver makes: its arguments, and where it comes back to."""

    __slots__ = ("arguments", "return_address", "rsp", "space")

    def __init__(self, space: AddressSpace) -> None:
        self.space = space
        self.arguments = (0, 0, 0, 0)
        self.rsp = self.return_address = 0

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
        self.processor = Processor(self.machine.memory, self.pages, self.stubs.returns)
        self.decoder = Decoder(self.space)
        self.devices = DevicePages(self.space, self.decoder.widths)
        self.processor.devices = self.devices
        self.stacks = Stacks(self.space, self.machine.cpus)
        self.traps = Traps(self)
        self.objects: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._tokens: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._count = count(1)
        self.behind: dict[int, Any] = {}  # what a structure that the framework handed out stands for, by its address
        self._placed: dict[int, Region] = {}  # by the id of what is in `behind`
        self._parts: dict[Any, Any] = {}
        self.images: list[LoadedImage] = []
        self.pnp_callbacks: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()  # by PWDFDEVICE_INIT
        self.context_types: dict[tuple[int, int], type[Any]] = {}  # by (UniqueType, ContextSizeOverride)
        self.kernel_objects: dict[int, Any] = {}
        self.kpcr = [self._kpcr(cpu) for cpu in self.machine.cpus]

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
        top, processor = stack.top, self.processor
        room = HOME + 8 * max(len(arguments) - 4, 0)
        rsp = (top - room & ~15) - 8
        frame = Frame(self.space)
        self._push(rsp, (self.stubs.returns, 0, 0, 0, 0, *arguments[4:]))
        stack.top = rsp
        activation = processor.activation()
        processor.begin(activation, cpu.index, self.kpcr[cpu.index], arguments[:4], entry, rsp)
        try:
            return self._run(activation, stack, frame)
        finally:
            stack.top = top
            processor.discard(activation)

    def _run(self, activation: Activation, stack: Stack, frame: Frame) -> int:
        processor, machine, stubs, devices = self.processor, self.machine, self.stubs, self.devices
        registers, view, translate = processor.registers, machine.memory.view, self.pages.translate
        base, thunks, returns = stubs.base, stubs.thunks, stubs.returns
        access: Access | None = None
        while True:
            devices.enter(access)
            stop = processor.go()
            rip, rsp = registers[0], registers[5]
            stack.top = rsp
            access = None
            if stop is Exit.HALT and 0 <= (index := rip - base >> 4) < len(thunks):
                physical = translate(rsp, 1)
                if physical is None:
                    self.space.fault(rsp, 1, rip, in_driver=True)
                frame.arguments = registers[1], registers[2], registers[3], registers[4]
                frame.rsp = rsp
                frame.return_address = rip = QWORD.unpack_from(view, physical)[0]
                result = thunks[index](self, frame)
                cpu = machine.cpu
                if processor.current is not activation or activation.index != cpu.index:
                    processor.take_over(activation, cpu.index, self.kpcr[cpu.index])
                processor.resume(rip, result, rsp + 8)
            elif rip == returns and stop is Exit.HALT:
                return int(registers[6])
            else:
                if stop is Exit.DEVICE:
                    access = devices.perform(rip)
                else:
                    self.traps.take(stop, rip)
                cpu = machine.cpu
                if processor.current is not activation or activation.index != cpu.index:
                    processor.take_over(activation, cpu.index, self.kpcr[cpu.index])

    def _push(self, rsp: int, slots: tuple[int, ...]) -> None:
        self.space.write(rsp, b"".join(QWORD.pack(slot) for slot in slots))

    # Handles.

    def handle(self, value: Any) -> int:
        """The driver's handle of an object, known from now on for as long as the object lives."""
        if isinstance(value, Object):
            handle = HANDLES + value.handle
        else:
            handle = self._tokens.get(value, 0) or TOKENS + 16 * next(self._count)
            self._tokens[value] = handle
        self.objects[handle] = value
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
        if value is None:
            return 0
        return value if isinstance(value, int) else self.handle(value)

    def callback(self, entry: int, result: Callable[[int], Any]) -> Callable[..., Any]:
        """The driver's function at `entry` as a Python callable; `result` makes of RAX what it returns."""

        def call(*arguments: Any) -> Any:
            return result(self.call(entry, *map(self.slot, arguments)))

        return call

    def resolve(self, dll: str, name: str | None, ordinal: int | None, importer: str) -> int:
        """The address that an import of `importer` is bound to: a stub, or a variable of the kernel's."""
        module = MODULES.get(dll.lower(), dll.lower())
        if name is None:
            raise NotModelled(f"{importer} imports {dll} by ordinal {ordinal}; dirql knows the kernel's routines by name only")
        key = f"{module}!{name}"
        if key in self.stubs.data:
            return self.stubs.data[key]
        thunk = ROUTINES.get(key) or (ROUTINES.get(f"ntoskrnl!{name}") if module == "hal" else None)
        return self.stubs.address(key, thunk or Unmodelled(module, name))

    def failed(self, routine: str, error: StatusError) -> None:
        """A routine returns a failure: why, for the trace."""
        self.framework.note(f"{routine} returns {error}")

    def print(self, format_: bytes, arguments: VarArgs) -> None:
        """A line that the driver prints."""
        machine = self.machine
        if machine.trace is not None:
            line = format_message(format_, arguments)
            machine.trace.add((machine.cpu.now, machine.cpu.index, Kind.NOTE, "DbgPrint", line.rstrip("\n")))

    def words(self, address: int) -> str:
        """`mqueue.sys+0x1a40`, or the address where no image is."""
        return next((image.words(address) for image in self.images if address in image), f"{address:#x}")

    def _kpcr(self, cpu: Cpu) -> int:
        region = self.space.allocate(Area.KERNEL, KPCR_SIZE, f"the KPCR of cpu{cpu.index}", Rights.READ | Rights.WRITE)
        write = self.space.write
        write(region.start + 0x18, QWORD.pack(region.start))  # Self
        write(region.start + 0x20, QWORD.pack(region.start + 0x180))  # CurrentPrcb
        write(region.start + 0x184, cpu.index.to_bytes(4, "little"))  # Prcb.Number
        return region.start


def _place(frame: FrameType) -> str:
    """Where a driver called the routine that runs below this call of `Guest._run`."""
    guest, call = frame.f_locals["self"], frame.f_locals["frame"]
    return str(guest.words(call.return_address))


TELLERS[Guest._run.__code__] = _place

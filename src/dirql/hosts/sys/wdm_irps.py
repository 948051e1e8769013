"""IRPs of a driver's own stack: structures in the driver's memory, sent down and completed by the I/O manager's rules
(wdm.h; windows-driver-docs, "Using IRPs with Drivers").

The structure is authoritative for every field: the header's macros (IoSkipCurrentIrpStackLocation, IoSetCompletionRoutine,
IoMarkIrpPending …) read and write it. What is kept here is who waits for an IRP and whether it was completed.
Limits: no threads of I/O, no file objects; an IRP is never cancelled but by IoCancelIrp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.device_objects import MAJORS, DeviceObjects
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, IO_STACK_LOCATION, IRP
from dirql.kernel.held import Entered
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING, nt_success

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["WdmIrps"]

IO_TYPE_IRP = 6
PENDING, ON_CANCEL, ON_SUCCESS, ON_ERROR = 0x01, 0x20, 0x40, 0x80  # IO_STACK_LOCATION.Control: SL_…
LOCATION = IO_STACK_LOCATION.size
DEEPEST = 127


class WdmIrps:
    """`guest.part(WdmIrps)`."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._space = guest.space
        self._regions: dict[int, Region] = {}
        self._buffers: dict[int, Region] = {}  # system buffers of IRPs that are to be built, until their IRP is freed
        self._done: dict[int, Callable[[IRP], None]] = {}  # what is to happen when an IRP has come back to its sender

    def allocate(self, stack_size: int, what: str = "an IRP") -> IRP:
        """IoAllocateIrp."""
        size = IRP.size + max(stack_size, 1) * LOCATION
        region = self._space.allocate(Area.POOL, size, what, at_end=True)
        self._regions[region.start] = region
        irp = IRP(self._space, region.start)
        self.initialize(irp, size, stack_size)
        return irp

    def initialize(self, irp: IRP, size: int, stack_size: int) -> None:
        """IoInitializeIrp."""
        self._space.write(irp.address, bytes(size))
        irp.store(Type=IO_TYPE_IRP, Size=size & 0xFFFF, StackCount=stack_size, CurrentLocation=stack_size + 1)
        irp.Tail.Overlay.CurrentStackLocation = irp.address + IRP.size + stack_size * LOCATION
        links = irp.address + IRP.offset("ThreadListEntry")
        self._space.write(links, links.to_bytes(8, "little") * 2)

    def reuse(self, irp: IRP, status: int) -> None:
        """IoReuseIrp."""
        count = irp.StackCount
        self.initialize(irp, IRP.size + count * LOCATION, count)
        irp.IoStatus.Status = status

    def buffer(self, length: int) -> int:
        """A system buffer, which goes with the IRP that it is put into; NULL for no bytes."""
        if not length:
            return 0
        region = self._space.allocate(Area.POOL, length, "the system buffer of an IRP", at_end=True)
        self._buffers[region.start] = region
        return region.start

    def free(self, irp: IRP) -> None:
        """IoFreeIrp; bugcheck 0xC2 for one that is none of IoAllocateIrp's."""
        region = self._regions.pop(irp.address, None)
        if region is None:
            raise BugCheck(0xC2, 7, 0, 0, irp.address, why=f"IoFreeIrp of {irp.address:#x}: {self._space.describe(irp.address)}")
        self._done.pop(irp.address, None)
        buffer = self._buffers.pop(irp.AssociatedIrp.SystemBuffer, None)
        if buffer is not None:
            self._space.free(buffer)
        self._space.free(region)

    def next_location(self, irp: IRP) -> IO_STACK_LOCATION:
        """IoGetNextIrpStackLocation."""
        return IO_STACK_LOCATION(self._space, irp.Tail.Overlay.CurrentStackLocation - LOCATION)

    def location(self, irp: IRP) -> IO_STACK_LOCATION:
        """IoGetCurrentIrpStackLocation."""
        return IO_STACK_LOCATION(self._space, irp.Tail.Overlay.CurrentStackLocation)

    def when_done(self, irp: IRP, action: Callable[[IRP], None]) -> None:
        """`action` when the IRP has been completed as far as its sender."""
        self._done[irp.address] = action

    def call(self, device: int, irp: IRP) -> int:
        """IoCallDriver."""
        left = irp.CurrentLocation - 1
        if left <= 0:
            raise BugCheck(0x35, irp.address, why=f"IoCallDriver: the IRP at {irp.address:#x} has no stack location left; "
                           "allocate it with the StackSize of the device it is sent to")  # fmt: skip
        current = irp.Tail.Overlay.CurrentStackLocation - LOCATION
        irp.CurrentLocation, irp.Tail.Overlay.CurrentStackLocation = left, current
        location = IO_STACK_LOCATION(self._space, current)
        location.DeviceObject = device
        driver = DEVICE_OBJECT(self._space, device).DriverObject
        major = min(location.MajorFunction, 27)
        entry = int.from_bytes(self._space.read(driver + MAJORS + 8 * major, 8), "little")
        guest = self._guest
        before = Entered(guest.machine.cpu)
        status = guest.call(entry, device, irp.address) & 0xFFFF_FFFF
        guest.kernel.held.look_back(f"the dispatch routine of major function {major:#x}", before)
        return status

    def complete(self, irp: IRP) -> None:
        """IoCompleteRequest: completion routines from the lowest up, until one wants to go on with the IRP itself."""
        count = irp.StackCount
        if irp.Type != IO_TYPE_IRP or irp.CurrentLocation > count + 1 or count > DEEPEST:
            raise BugCheck(0x44, irp.address, why=f"IoCompleteRequest: the IRP at {irp.address:#x} was completed already")
        if irp.CancelRoutine:
            raise BugCheck(0x48, irp.address, why=f"the IRP at {irp.address:#x} is completed with its cancel routine set")
        if irp.IoStatus.Status == STATUS_PENDING:
            raise BugCheck(0x44, irp.address, 1, why=f"IoCompleteRequest: IoStatus.Status of {irp.address:#x} is STATUS_PENDING")
        for _ in range(irp.CurrentLocation, count + 1):
            current = irp.Tail.Overlay.CurrentStackLocation
            location = IO_STACK_LOCATION(self._space, current)
            control, routine, context = location.Control, location.CompletionRoutine, location.Context
            irp.PendingReturned = control & PENDING
            irp.CurrentLocation += 1
            irp.Tail.Overlay.CurrentStackLocation = current + LOCATION
            at_the_top = irp.CurrentLocation == count + 1
            if routine and self._wanted(irp, control):
                device = 0 if at_the_top else IO_STACK_LOCATION(self._space, current + LOCATION).DeviceObject
                answer = self._guest.call(routine, device, irp.address, context) & 0xFFFF_FFFF
                if answer == STATUS_MORE_PROCESSING_REQUIRED:
                    return
            elif irp.PendingReturned and not at_the_top:
                above = IO_STACK_LOCATION(self._space, current + LOCATION)
                above.Control |= PENDING
        action = self._done.pop(irp.address, None)
        if action is not None:
            action(irp)

    def cancel(self, irp: IRP) -> bool:
        """IoCancelIrp: True if there was a cancel routine; it releases the cancel spin lock."""
        irp.Cancel = 1
        routine, irp.CancelRoutine = irp.CancelRoutine, 0
        if not routine:
            return False
        kernel = self._guest.kernel
        irp.CancelIrql = kernel.ke_raise_irql(2)
        device = self.location(irp).DeviceObject if irp.CurrentLocation <= irp.StackCount else 0
        self._guest.call(routine, device, irp.address)
        return True

    def send(self, target: int, fill: Callable[[IO_STACK_LOCATION], None], *, status: int) -> tuple[int, int]:
        """The I/O manager's own: to the top of the stack of `target`, and back; (IoStatus.Status, Information)."""
        from dirql.kernel.wait import Event

        top = self._guest.part(DeviceObjects).top(target)
        irp = self.allocate(DEVICE_OBJECT(self._space, top).StackSize)
        irp.IoStatus.Status = status
        fill(self.next_location(irp))
        done = Event(self._guest.kernel, name="the completion of an IRP")
        result: list[tuple[int, int]] = []

        def came_back(irp: IRP) -> None:
            result.append((irp.IoStatus.Status & 0xFFFF_FFFF, irp.IoStatus.Information))
            done.state = True
            done.signal()

        self.when_done(irp, came_back)
        answer = self.call(top, irp)
        if not result:
            if answer != STATUS_PENDING:
                name = f"{answer:#010x}"
                self._guest.framework.note(f"a dispatch routine returned {name} without having completed the IRP")
            self._guest.kernel.ke_wait_for_single_object(done)
        self.free(irp)
        return result[0]

    def _wanted(self, irp: IRP, control: int) -> bool:
        success = nt_success(irp.IoStatus.Status & 0xFFFF_FFFF)
        return bool(control & (ON_SUCCESS if success else ON_ERROR)) or bool(irp.Cancel and control & ON_CANCEL)

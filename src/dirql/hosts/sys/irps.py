"""IRP structures in the driver's memory, for drivers that look into the IRP behind a WDFREQUEST.

The kernel's `Irp` is authoritative for every field but the DriverContext and ListEntry of Tail.Overlay and PendingReturned,
which are the driver's own: the others are written when the structure is made, IRP.Cancel again when it changes. The
structure is gone once the request is completed.

Limits: one stack location is in use; no user-mode addresses (UserBuffer is NULL), no thread; what a driver
writes into IoStatus is not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.hosts.sys.address_space import Area, Region
from dirql.hosts.sys.mappings import Mappings
from dirql.hosts.sys.nt_structs import IO_STACK_LOCATION, IRP
from dirql.hosts.sys.wdm_views import WdmViews
from dirql.kernel.irp import Irp, MajorFunction

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["Irps"]

IO_TYPE_IRP = 6
LOCATIONS = 2  # a function driver above a bus driver (model choice)


class _View:
    """One structure, and the IRP that it shows."""

    def __init__(self, irps: Irps, region: Region) -> None:
        self.irps, self.region = irps, region

    def cancelled(self) -> None:
        """Cancel is TRUE."""
        IRP(self.irps.guest.space, self.region.start).Cancel = 1

    def completed(self) -> None:
        """The I/O manager frees it."""
        self.irps.forget(self.region)


class Irps:
    """`guest.part(Irps)`."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def address(self, irp: Irp) -> int:
        """Where the driver sees the IRP; the same each time."""
        view = irp.view
        if not isinstance(view, _View):
            size = IRP.size + LOCATIONS * IO_STACK_LOCATION.size
            region = self.guest.space.allocate(Area.BUFFER, size, f"the IRP {irp.name}", at_end=True)
            view = irp.view = _View(self, region)
            self._fill(irp, region.start, size)
            self.guest.behind[region.start] = irp
        return view.region.start

    def forget(self, region: Region) -> None:
        """The structure goes."""
        self.guest.behind.pop(region.start, None)
        self.guest.space.free(region)

    def _fill(self, irp: Irp, address: int, size: int) -> None:
        space, mappings = self.guest.space, self.guest.part(Mappings)
        system, pages = irp.system_buffer, irp.user_pages
        current = address + IRP.size + (LOCATIONS - 1) * IO_STACK_LOCATION.size
        view = IRP(space, address)
        view.store(
            Type=IO_TYPE_IRP, Size=size, MdlAddress=mappings.mdl(pages, f"the user's buffer of {irp.name}") if pages else 0,
            RequestorMode=int(irp.user_mode), StackCount=LOCATIONS, CurrentLocation=LOCATIONS, Cancel=int(irp.cancelled),
        )  # fmt: skip
        if system is not None:
            view.AssociatedIrp.SystemBuffer = mappings.address(system, f"the system buffer of {irp.name}", pool=True)
        view.IoStatus.Status = ntstatus.STATUS_SUCCESS if irp.status == ntstatus.STATUS_PENDING else irp.status
        view.Tail.Overlay.CurrentStackLocation = current
        location = IO_STACK_LOCATION(space, current)
        location.MajorFunction = int(irp.major)
        if irp.file is not None:
            objects = self.guest.part(WdmViews)
            location.DeviceObject = objects.device_object(irp.file.device)
            location.FileObject = view.Tail.Overlay.OriginalFileObject = objects.file_object(irp.file)
        _parameters(irp, location.Parameters)


def _parameters(irp: Irp, parameters: Any) -> None:
    if irp.major == MajorFunction.READ:
        parameters.Read.Length, parameters.Read.ByteOffset.QuadPart = irp.output_length, irp.offset
    elif irp.major == MajorFunction.WRITE:
        parameters.Write.Length, parameters.Write.ByteOffset.QuadPart = len(irp.input), irp.offset
    elif irp.major in (MajorFunction.DEVICE_CONTROL, MajorFunction.INTERNAL_DEVICE_CONTROL):
        control = parameters.DeviceIoControl
        control.OutputBufferLength, control.InputBufferLength = irp.output_length, len(irp.input)
        control.IoControlCode = irp.io_control_code

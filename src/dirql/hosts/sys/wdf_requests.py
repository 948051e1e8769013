"""A request's parameters and buffers, as the driver sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.hosts.sys.mappings import MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_SOURCE_IS_NONPAGED_POOL, Mappings
from dirql.hosts.sys.wdf_structs import WDF_REQUEST_PARAMETERS
from dirql.kernel.mdl import Buffer, Mdl
from dirql.wdf.io_config import RequestParameters, RequestType
from dirql.wdf.request import Request

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["buffer_of", "give_parameters", "mdl_of"]


def give_parameters(guest: Guest, view: WDF_REQUEST_PARAMETERS, values: RequestParameters, routine: str) -> None:
    """Fill in WDF_REQUEST_PARAMETERS. Another Size leaves it as it is: traced, nothing else."""
    size = view.Size
    if size != WDF_REQUEST_PARAMETERS.size:
        expected = f"{WDF_REQUEST_PARAMETERS.size:#x}"
        guest.framework.note(f"{routine}: Parameters->Size {size:#x} is not {expected}; nothing is filled in")
        return
    view.clear()
    view.Size, view.Type = size, int(values.type)
    given = view.Parameters
    if values.type == RequestType.Read:
        given.Read.Length, given.Read.DeviceOffset = values.length, values.device_offset
    elif values.type == RequestType.Write:
        given.Write.Length, given.Write.DeviceOffset = values.length, values.device_offset
    elif values.type in (RequestType.DeviceControl, RequestType.DeviceControlInternal):
        control = given.DeviceIoControl
        control.OutputBufferLength, control.InputBufferLength = values.output_buffer_length, values.input_buffer_length
        control.IoControlCode = values.io_control_code


def buffer_of(guest: Guest, request: Request, buffer: Buffer) -> int:
    """Where the driver finds it."""
    return guest.part(Mappings).address(buffer, f"a buffer of {request.name}", pool=not _direct(request, buffer.mdl))


def mdl_of(guest: Guest, request: Request, mdl: Mdl) -> int:
    """The MDL: the I/O manager's, with its pages locked, for direct I/O; the framework's own, of pool, for buffered."""
    flags = MDL_MAPPED_TO_SYSTEM_VA | (MDL_PAGES_LOCKED if _direct(request, mdl) else MDL_SOURCE_IS_NONPAGED_POOL)
    return guest.part(Mappings).mdl(mdl, f"a buffer of {request.name}", flags)


def _direct(request: Request, mdl: Mdl) -> bool:
    pages = request.irp.user_pages
    return pages is not None and pages.pages == mdl.pages

"""WdfFileObject*: what somebody has open. EvtDeviceFileCreate and its kind are set by WdfDeviceInitSetFileObjectConfig."""

from __future__ import annotations

from dirql.hosts.sys.abi import PVOID, ULONG, Handle, wdf
from dirql.hosts.sys.api.wdf_string import Texts
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdm_views import WdmViews
from dirql.wdf.device import Device
from dirql.wdf.file_object import FileObject

__all__: list[str] = []


@wdf
def WdfFileObjectGetFileName(guest: Guest, file: Handle[FileObject]) -> PVOID:
    """WdfFileObjectGetFileName: a PUNICODE_STRING."""
    return guest.part(Texts).of(file, file.get_file_name()).address


@wdf
def WdfFileObjectGetFlags(guest: Guest, file: Handle[FileObject]) -> ULONG:
    """WdfFileObjectGetFlags."""
    return file.get_flags()


@wdf
def WdfFileObjectGetDevice(guest: Guest, file: Handle[FileObject]) -> Handle[Device]:
    """WdfFileObjectGetDevice."""
    return file.get_device()


@wdf
def WdfFileObjectWdmGetFileObject(guest: Guest, file: Handle[FileObject]) -> PVOID:
    """WdfFileObjectWdmGetFileObject."""
    return guest.part(WdmViews).file_object(file.wdm_get_file_object())


@wdf
def WdfFileObjectGetInitiatorProcessId(guest: Guest, file: Handle[FileObject]) -> ULONG:
    """WdfFileObjectGetInitiatorProcessId."""
    return file.get_initiator_process_id()

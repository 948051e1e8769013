"""WDFFILEOBJECT: what somebody who opened the device has, and WDF_FILEOBJECT_CONFIG.

A driver that sets no WDF_FILEOBJECT_CONFIG sees no file objects; its device can be opened all the same.

Limits: no process behind a file object; AutoForwardCleanupClose is kept and, with no driver below that takes I/O, does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dirql.ddi import ddi
from dirql.wdf.interrupt_config import TriState
from dirql.wdf.io_config import IoQueueConfig, IoQueueDispatchType
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.object import Object, ObjectAttributes

if TYPE_CHECKING:
    from dirql.wdf.device import Device
    from dirql.wdf.request import Request

__all__ = ["FileObject", "FileObjectConfig", "InternalQueue", "OpenFile"]

FO_HANDLE_CREATED = 0x0004_0000


@dataclass(frozen=True)
class FileObjectConfig:
    """WDF_FILEOBJECT_CONFIG. Without `evt_device_file_create` the framework completes every create with STATUS_SUCCESS."""

    evt_device_file_create: Callable[[Device, Request, FileObject], None] | None = None
    evt_file_close: Callable[[FileObject], None] | None = None
    evt_file_cleanup: Callable[[FileObject], None] | None = None
    auto_forward_cleanup_close: int = TriState.WdfUseDefault
    file_object_class: int = 2  # WdfFileObjectWdfCanUseFsContext
    size: int = 0x28


class OpenFile:
    """FILE_OBJECT: one open of a device. `framework_object` is the driver's view of it, None where the driver wants none."""

    def __init__(self, device: Device, file_name: str = "", flags: int = FO_HANDLE_CREATED) -> None:
        self.device, self.file_name, self.flags = device, file_name, flags
        self.framework_object: FileObject | None = None
        self.cleaned_up = self.closed = False


class FileObject(Object):
    """WDFFILEOBJECT."""

    kind = "WDFFILEOBJECT"
    deletable = False

    def __init__(self, device: Device, file: OpenFile, attributes: ObjectAttributes | None) -> None:
        super().__init__(device.framework, device, attributes)
        self.of_device, self.file = device, file

    @ddi("WdfFileObjectGetFileName")
    def get_file_name(self) -> str:
        """WdfFileObjectGetFileName: what was opened below the device; empty for the device itself."""
        return self.file.file_name

    @ddi("WdfFileObjectGetFlags")
    def get_flags(self) -> int:
        """WdfFileObjectGetFlags: FO_…."""
        return self.file.flags

    @ddi("WdfFileObjectGetDevice")
    def get_device(self) -> Device:
        """WdfFileObjectGetDevice."""
        return self.of_device

    @ddi("WdfFileObjectWdmGetFileObject")
    def wdm_get_file_object(self) -> OpenFile:
        """WdfFileObjectWdmGetFileObject."""
        return self.file

    @ddi("WdfFileObjectGetInitiatorProcessId")
    def get_initiator_process_id(self) -> int:
        """WdfFileObjectGetInitiatorProcessId: 0, there is no process."""
        return 0


class InternalQueue(IoQueue):
    """Where a request is while a callback of the device's, and none of a queue's, has it: EvtDeviceFileCreate,
    EvtIoInCallerContext."""

    def __init__(self, device: Device, name: str, callback: Callable[[Request], Any]) -> None:
        config = IoQueueConfig(
            IoQueueDispatchType.Parallel, power_managed=TriState.WdfFalse, allow_zero_length_requests=True, evt_io_default=_none,
        )  # fmt: skip
        super().__init__(device, device, config, None)
        self._callback_name, self._device_callback = name, callback

    def _present(self, request: Request) -> None:
        self.call(self._callback_name, self._device_callback, request)


def _none(queue: IoQueue, request: Request) -> None:
    """Stands where a queue must have a handler."""

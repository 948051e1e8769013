"""WDFFILEOBJECT: what somebody who opened the device has, and WDF_FILEOBJECT_CONFIG.

A driver that sets no WDF_FILEOBJECT_CONFIG sees no file objects; its device can be opened all the same.

Limits: no process behind a file object; AutoForwardCleanupClose is kept and, with no driver below that takes I/O, does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.ntstatus import StatusError
from dirql.wdf.interrupt_config import TriState
from dirql.wdf.io_config import IoQueueConfig, IoQueueDispatchType
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.io_queue_create import queue_for
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
        """WdfFileObjectGetInitiatorProcessId: 4, the system process (model choice: there is no other)."""
        return 4


class InternalQueue(IoQueue):
    """Where a request is while a callback of the device's, and none of a queue's, has it: EvtDeviceFileCreate,
    EvtIoInCallerContext."""

    def __init__(self, device: Device, callback: str) -> None:
        config = IoQueueConfig(
            IoQueueDispatchType.Parallel, power_managed=TriState.WdfFalse, allow_zero_length_requests=True, evt_io_default=_none,
        )  # fmt: skip
        super().__init__(device, device, config, None)
        self._callback = callback
        device.queues.append(self)

    def pass_on(self, request: Request) -> None:
        """EvtIoInCallerContext is done with it: to the queue that its type goes to."""
        request._owner("WdfDeviceEnqueueRequest")
        if request.queue is not self:
            why = f"WdfDeviceEnqueueRequest: {request.name} is not in an EvtIoInCallerContext"
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, why)
        queue = queue_for(self.of_device, request.type)
        self.let_go(request)
        if queue is None:
            request.finish(ntstatus.STATUS_INVALID_DEVICE_REQUEST)
        else:
            queue.arrive(request)

    def _present(self, request: Request) -> None:
        device = self.of_device
        if self._callback == "EvtIoInCallerContext":
            assert device.evt_io_in_caller_context is not None
            self.call(self._callback, device.evt_io_in_caller_context, device, request)
        else:
            assert device.file_object_config is not None and device.file_object_config.evt_device_file_create is not None
            create = device.file_object_config.evt_device_file_create
            self.call(self._callback, create, device, request, request.irp.file_object)


def _none(queue: IoQueue, request: Request) -> None:
    """Stands where a queue must have a handler."""

"""The user's side of a device: opens, reads, writes, device controls and closes, as the I/O manager sends them.

The last handle's close sends IRP_MJ_CLEANUP at once and IRP_MJ_CLOSE when the file's last request has ended.
Model choice: the framework cancels what a closed file still has waiting in its queues, after EvtFileCleanup.

Limits: an open file does not veto the removal of its device; one handle for each open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from dirql import ntstatus
from dirql.kernel.irp import Irp, MajorFunction
from dirql.kernel.kernel import Kernel
from dirql.kernel.thread import Thread
from dirql.kernel.wait import wait
from dirql.ntstatus import StatusError
from dirql.wdf.device import Device
from dirql.wdf.file_object import FileObject, OpenFile
from dirql.wdf.framework import Framework
from dirql.wdf.io_config import RequestType
from dirql.wdf.io_presentation import Presentation
from dirql.wdf.io_queue_create import queue_for
from dirql.wdf.request import Request

__all__ = ["IoManager"]


class IoManager:
    """Sends IRPs to devices and remembers them: `outstanding` are those that nobody completed, `files` what is open."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.sent: list[Irp] = []
        self.files: list[OpenFile] = []

    @property
    def outstanding(self) -> list[Irp]:
        """Sent and not completed yet, in the order in which they were sent."""
        self.sent = [irp for irp in self.sent if irp.status == ntstatus.STATUS_PENDING]
        return list(self.sent)

    def send(self, device: Device, irp: Irp) -> int:
        """IoCallDriver on the calling thread: STATUS_PENDING, or how it ended."""
        if device.deleting:
            irp.complete(ntstatus.STATUS_NO_SUCH_DEVICE, 0)
            return irp.status
        irp.build(device.io_type)
        self.sent.append(irp)
        request = Request(device, irp, device.request_attributes)
        queue = _create_queue(device) if irp.major == MajorFunction.CREATE else _first_queue(device, RequestType(irp.major))
        if queue is not None:
            queue.arrive(request)
        elif irp.major == MajorFunction.CREATE:
            request.finish(ntstatus.STATUS_SUCCESS)
        else:
            request.finish(ntstatus.STATUS_INVALID_DEVICE_REQUEST)
        return irp.status

    def call(self, device: Device, irp: Irp) -> int:
        """The same, and wait until it is completed: a synchronous file handle."""
        if self.send(device, irp) == ntstatus.STATUS_PENDING:
            wait(self.kernel, [irp.done], False, None)
        return irp.status

    def start(self, device: Device, irp: Irp) -> Thread:
        """`call` on a new thread: what outsiders use before they let the machine run. Its `result` is the status."""
        return self.thread(lambda: self.call(device, irp), f"user of {irp.name}")

    def start_cancel(self, irp: Irp) -> Thread:
        """IoCancelIrp on a new thread. Its `result` is False when the IRP was not cancelable."""
        return self.thread(irp.cancel, f"canceller of {irp.name}")

    # Opening and closing.

    def open(self, framework: Framework, name: str | UUID) -> OpenFile:
        """CreateFile, on the calling thread; `StatusError` with what it fails with."""
        found, file_name = framework.names.find(name)
        assert isinstance(found, Device)
        device = found
        if device.exclusive and any(file.device is device for file in self.files):
            raise StatusError(ntstatus.STATUS_ACCESS_DENIED, f"{device.name} is exclusive, and somebody has it open")
        file = OpenFile(device, file_name)
        if device.file_object_config is not None:
            file.framework_object = FileObject(device, file, device.file_object_attributes)
        self.files.append(file)
        irp = Irp(self.kernel, MajorFunction.CREATE, file_object=file.framework_object, name=f"create of {device.name}")
        irp.file = file
        status = self.call(device, irp)
        if not ntstatus.nt_success(status):
            self._forget(file)
            raise StatusError(status, f"{device.name} refuses to be opened")
        return file

    def close(self, file: OpenFile) -> None:
        """CloseHandle, on the calling thread: EvtFileCleanup, and EvtFileClose once nothing of the file is outstanding."""
        if file.cleaned_up:
            return
        file.cleaned_up = True
        self._tell(file, "EvtFileCleanup")
        for irp in self._of(file):
            queue = next((q for q in file.device.queues if any(r.irp is irp for r in q.waiting)), None)
            if queue is not None:
                irp.cancel()
        if self._of(file):
            self.thread(lambda: self._close_later(file), f"the close of {file.device.name}")
        else:
            self._close(file)

    def _close_later(self, file: OpenFile) -> None:
        for irp in self._of(file):
            wait(self.kernel, [irp.done], False, None)
        self._close(file)

    def _close(self, file: OpenFile) -> None:
        self._tell(file, "EvtFileClose")
        self._forget(file)

    def _forget(self, file: OpenFile) -> None:
        file.cleaned_up = file.closed = True
        self.files.remove(file)
        if file.framework_object is not None:
            file.framework_object.dispose()

    def _tell(self, file: OpenFile, name: str) -> None:
        config, seen = file.device.file_object_config, file.framework_object
        if config is None or seen is None or seen.deleting:
            return
        callback = config.evt_file_cleanup if name == "EvtFileCleanup" else config.evt_file_close
        if callback is not None:
            file.device.internal_queue("EvtDeviceFileCreate").call(name, callback, seen)

    def _of(self, file: OpenFile) -> list[Irp]:
        return [irp for irp in self.outstanding if irp.file is file]

    def thread(self, routine: Callable[[], Any], name: str) -> Thread:
        """A thread of a user's."""
        return self.kernel.dispatcher.create(lambda _: routine(), None, name)


def _create_queue(device: Device) -> Presentation | None:
    """Where a create goes: EvtDeviceFileCreate, or a queue that was configured for creates; None: nobody asks for it."""
    configured = next((queue for queue in device.queues if RequestType.Create in queue.request_types), None)
    config = device.file_object_config
    if configured is None and config is not None and config.evt_device_file_create is not None:
        return device.internal_queue("EvtDeviceFileCreate")
    return configured


def _first_queue(device: Device, type_: RequestType) -> Presentation | None:
    if device.evt_io_in_caller_context is not None:
        return device.internal_queue("EvtIoInCallerContext")
    return queue_for(device, type_)

"""The user's side of a device: reads, writes and device controls, as the I/O manager sends them."""

from __future__ import annotations

from typing import Any

from dirql import ntstatus
from dirql.kernel.irp import Irp
from dirql.kernel.kernel import Kernel
from dirql.kernel.thread import Thread
from dirql.kernel.wait import wait
from dirql.wdf.device import Device
from dirql.wdf.io_config import RequestType
from dirql.wdf.io_queue_create import queue_for
from dirql.wdf.request import Request

__all__ = ["IoManager"]


class IoManager:
    """Sends IRPs to devices and remembers them: `outstanding` are those that nobody completed."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.sent: list[Irp] = []

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
        request = Request(device, irp)
        queue = queue_for(device, RequestType(irp.major))
        if queue is None:
            request.finish(ntstatus.STATUS_INVALID_DEVICE_REQUEST)
        else:
            queue.arrive(request)
        return irp.status

    def call(self, device: Device, irp: Irp) -> int:
        """The same, and wait until it is completed: a synchronous file handle."""
        if self.send(device, irp) == ntstatus.STATUS_PENDING:
            wait(self.kernel, [irp.done], False, None)
        return irp.status

    def start(self, device: Device, irp: Irp) -> Thread:
        """`call` on a new thread: what outsiders use before they let the machine run. Its `result` is the status."""
        return self._thread(lambda _: self.call(device, irp), f"user of {irp.name}")

    def start_cancel(self, irp: Irp) -> Thread:
        """IoCancelIrp on a new thread. Its `result` is False when the IRP was not cancelable."""
        return self._thread(lambda _: irp.cancel(), f"canceller of {irp.name}")

    def _thread(self, routine: Any, name: str) -> Thread:
        return self.kernel.dispatcher.create(routine, None, name)

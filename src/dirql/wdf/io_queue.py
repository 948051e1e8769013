"""WDFQUEUE: the routines of an I/O queue, and what the device's power does to it (facts §2.5, §3.1–§3.3).

Limits: no forward-progress policy, no creates, no file-object callbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.ntstatus import StatusError
from dirql.wdf.io_config import IoQueueConfig, IoQueueState, RequestStopActionFlags
from dirql.wdf.io_presentation import Presentation, StateCallback
from dirql.wdf.io_queue_create import validate
from dirql.wdf.lock import acquire_object_lock, release_object_lock
from dirql.wdf.object import ObjectAttributes
from dirql.wdf.request import Request

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["IoQueue"]


class IoQueue(Presentation):
    """WDFQUEUE."""

    @classmethod
    @ddi_create("WdfIoQueueCreate")
    def create(cls, device: Device, config: IoQueueConfig, attributes: ObjectAttributes | None = None) -> IoQueue:
        """WdfIoQueueCreate. The parent is the device unless the attributes name an object below it."""
        queue = cls(device, validate(device, config, attributes), config, attributes)
        device.queues.append(queue)
        if config.default_queue:
            device.default_queue = queue
        return queue

    # State.

    @ddi("WdfIoQueueGetState")
    def get_state(self) -> tuple[IoQueueState, int, int]:
        """WdfIoQueueGetState: (state, requests in the queue, requests that the driver has)."""
        flags = IoQueueState(0)
        conditions = (
            (self.accepting, IoQueueState.AcceptRequests),
            (self.dispatching, IoQueueState.DispatchRequests),
            (not self.waiting, IoQueueState.NoRequests),
            (not self.with_driver, IoQueueState.DriverNoRequests),
            (self.power_managed and not self.powered, IoQueueState.PnpHeld),
        )
        for holds, flag in conditions:
            if holds:
                flags |= flag
        return flags, len(self.waiting), len(self.with_driver)

    @ddi("WdfIoQueueGetDevice")
    def get_device(self) -> Device:
        """WdfIoQueueGetDevice."""
        return self.of_device

    @ddi("WdfIoQueueStart")
    def start(self) -> None:
        """WdfIoQueueStart: accept and present."""
        self.accepting = self.dispatching = True
        self.go_on()

    @ddi("WdfIoQueueStop")
    def stop(self, stop_complete: StateCallback | None = None, context: Any = None) -> None:
        """WdfIoQueueStop: go on accepting; `stop_complete` once the driver has no request of this queue."""
        self.dispatching = False
        self.notify(False, stop_complete, context)

    @ddi("WdfIoQueueStopSynchronously")
    def stop_synchronously(self) -> None:
        """WdfIoQueueStopSynchronously: returns when the driver has no request of this queue."""
        self.dispatching = False
        self.wait_until(lambda: not self.with_driver)

    @ddi("WdfIoQueuePurge")
    def purge(self, purge_complete: StateCallback | None = None, context: Any = None) -> None:
        """WdfIoQueuePurge: accept no more and cancel what is waiting or cancelable; new ones fail with INVALID_DEVICE_STATE."""
        self.accepting = False
        self.cancel_all()
        self.notify(True, purge_complete, context)

    @ddi("WdfIoQueuePurgeSynchronously")
    def purge_synchronously(self) -> None:
        """WdfIoQueuePurgeSynchronously: returns when no request is left."""
        self.accepting = False
        self.cancel_all()
        self.wait_until(self.is_empty)

    @ddi("WdfIoQueueDrain")
    def drain(self, drain_complete: StateCallback | None = None, context: Any = None) -> None:
        """WdfIoQueueDrain: accept no more, go on presenting; `drain_complete` when no request is left."""
        self.accepting = False
        self.notify(True, drain_complete, context)

    @ddi("WdfIoQueueDrainSynchronously")
    def drain_synchronously(self) -> None:
        """WdfIoQueueDrainSynchronously: returns when no request is left."""
        self.accepting = False
        self.wait_until(self.is_empty)

    @ddi("WdfIoQueueStopAndPurge")
    def stop_and_purge(self, complete: StateCallback | None = None, context: Any = None) -> None:
        """WdfIoQueueStopAndPurge: go on accepting, present no more, cancel what there is."""
        self.dispatching = False
        self.cancel_all()
        self.notify(False, complete, context)

    @ddi("WdfIoQueueStopAndPurgeSynchronously")
    def stop_and_purge_synchronously(self) -> None:
        """WdfIoQueueStopAndPurgeSynchronously."""
        self.dispatching = False
        self.cancel_all()
        self.wait_until(lambda: not self.with_driver)

    # What a driver takes itself.

    @ddi("WdfIoQueueRetrieveNextRequest")
    def retrieve_next_request(self) -> Request | None:
        """WdfIoQueueRetrieveNextRequest: None is C's STATUS_NO_MORE_ENTRIES."""
        return self.retrieve(0, "WdfIoQueueRetrieveNextRequest") if self.may_retrieve("WdfIoQueueRetrieveNextRequest") else None

    @ddi("WdfIoQueueRetrieveRequestByFileObject")
    def retrieve_request_by_file_object(self, file_object: Any) -> Request | None:
        """WdfIoQueueRetrieveRequestByFileObject: None is C's STATUS_NO_MORE_ENTRIES."""
        name = "WdfIoQueueRetrieveRequestByFileObject"
        if not self.may_retrieve(name):
            return None
        index = next((i for i, r in enumerate(self.waiting) if r.irp.file_object is file_object), None)
        return None if index is None else self.retrieve(index, name)

    @ddi("WdfIoQueueFindRequest")
    def find_request(self, found_request: Request | None = None, file_object: Any = None) -> Request | None:
        """WdfIoQueueFindRequest: the next behind `found_request`, with a reference that the driver gives back; None at the end.

        StatusError STATUS_NOT_FOUND when `found_request` has left the queue.
        """
        if found_request is not None and found_request not in self.waiting:
            raise StatusError(
                ntstatus.STATUS_NOT_FOUND, f"WdfIoQueueFindRequest: {found_request.name} is not in {self.name} any more"
            )
        begin = 0 if found_request is None else self.waiting.index(found_request) + 1
        for request in list(self.waiting)[begin:]:
            if file_object is None or request.irp.file_object is file_object:
                request.references += 1
                return request
        return None

    @ddi("WdfIoQueueRetrieveFoundRequest")
    def retrieve_found_request(self, found_request: Request) -> Request:
        """WdfIoQueueRetrieveFoundRequest: StatusError STATUS_NOT_FOUND when it was cancelled meanwhile."""
        name = "WdfIoQueueRetrieveFoundRequest"
        if not self.may_retrieve(name) or found_request not in self.waiting:
            raise StatusError(ntstatus.STATUS_NOT_FOUND, f"{name}: {found_request.name} is not in {self.name} any more")
        return self.retrieve(self.waiting.index(found_request), name)

    @ddi("WdfIoQueueReadyNotify")
    def ready_notify(self, queue_ready: StateCallback | None, context: Any = None) -> None:
        """WdfIoQueueReadyNotify: `queue_ready(queue, context)` whenever a manual queue gets its first request; None ends it."""
        problem = ""
        if not self.manual:
            problem = "is not a manual queue"
        elif queue_ready is not None and self.ready_callback is not None:
            problem = "has a QueueReady callback already"
        elif queue_ready is None and self.ready_callback is None:
            problem = "has no QueueReady callback"
        elif queue_ready is None and self.dispatching:
            problem = "must be stopped before its QueueReady callback is taken away"
        if problem:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"WdfIoQueueReadyNotify: {self.name} {problem}")
        self.ready_callback = None if queue_ready is None else (queue_ready, context)
        self.was_empty = True
        self.go_on()

    acquire_lock = acquire_object_lock
    release_lock = release_object_lock

    # The device's power (facts §3.1 step 11, §3.2, §3.3). Called at PASSIVE_LEVEL by the power state machine.

    def power_start(self) -> None:
        """The device is in D0 and may work: EvtIoResume for what the driver kept, then present what waits."""
        self.powered = True
        for request in list(self.with_driver):
            if request.acknowledged:
                request.acknowledged = False
                if self.config.evt_io_resume is not None:
                    self.call("EvtIoResume", self.config.evt_io_resume, self, request)
        self.was_empty = True
        self.go_on()

    def power_stop(self, *, purge: bool = False) -> None:
        """Before the device leaves D0: EvtIoStop for each request that the driver has; returns when each is answered for.

        With `purge` (the device goes for good) what waits or is cancelable is cancelled first. A queue that is not power-managed
        does nothing.
        """
        if self.power_managed:
            self.powered = False
            if purge:
                self.cancel_all()
            self.stop_requests(RequestStopActionFlags.Purge if purge else RequestStopActionFlags.Suspend)

    def purge_for_removal(self) -> None:
        """The device is gone: nothing is accepted any more, every request comes to an end. For power-managed and other queues."""
        self.accepting = False
        self.cancel_all()
        self.stop_requests(RequestStopActionFlags.Purge)
        self.wait_until(self.is_empty)

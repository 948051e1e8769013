"""WDFREQUEST: one I/O request while the framework or a driver has it (facts §5.3).

A request is in a queue, or a driver owns it, or it is completed; the routines that need the second say so when it is not.
Limits: requests that a driver creates itself (WdfRequestCreate) and sending them on are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.kernel.irp import Irp, MajorFunction, Method
from dirql.kernel.mdl import Buffer, Mdl
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import StatusError
from dirql.wdf.framework import WDF_VIOLATION
from dirql.wdf.io_config import RequestParameters, RequestType
from dirql.wdf.memory import Memory
from dirql.wdf.object import Object, ObjectAttributes, expect, expect_parameter

if TYPE_CHECKING:
    from dirql.wdf.device import Device
    from dirql.wdf.io_presentation import Presentation
    from dirql.wdf.io_queue import IoQueue

__all__ = ["Request"]

VERIFIER_FATAL_ERROR = 3
REQUEST_FATAL_ERROR = 6
NULL_IRP, INFORMATION_LENGTH, NOT_IN_QUEUE = 2, 4, 5  # parameter 2 of REQUEST_FATAL_ERROR


class Request(Object):
    """WDFREQUEST. `queue` is where it waits or was taken from, `owned` whether a driver has it."""

    kind = "WDFREQUEST"
    deletable = False  # completing it deletes it

    def __init__(self, device: Device, irp: Irp, attributes: ObjectAttributes | None = None) -> None:
        super().__init__(device.framework, device, attributes)
        self.of_device = device
        self.irp = irp
        self.type = RequestType(irp.major)
        self.queue: Presentation | None = None
        self.owned = False
        self.completed = False
        self.presented = False  # a driver had it before: EvtIoCanceledOnQueue is for these
        self.stopping = False  # EvtIoStop is not answered yet
        self.acknowledged = False
        self._evt_cancel: Callable[[Request], None] | None = None
        self._information = 0
        self._memories: dict[str, Memory] = {}

    # What it asks for.

    @ddi("WdfRequestGetParameters")
    def get_parameters(self) -> RequestParameters:
        """WdfRequestGetParameters."""
        self._refuse_completed("WdfRequestGetParameters")
        return self.parameters

    @property
    def parameters(self) -> RequestParameters:
        """The same without being a routine."""
        irp = self.irp
        if self.type == RequestType.Read:
            return RequestParameters(self.type, irp.output_length, irp.offset)
        if self.type == RequestType.Write:
            return RequestParameters(self.type, len(irp.input), irp.offset)
        return RequestParameters(
            self.type,
            output_buffer_length=irp.output_length,
            input_buffer_length=len(irp.input),
            io_control_code=irp.io_control_code,
        )

    @ddi("WdfRequestRetrieveInputMemory")
    def retrieve_input_memory(self) -> Memory:
        """WdfRequestRetrieveInputMemory: deleted with the request."""
        return self._memory("input", "WdfRequestRetrieveInputMemory")

    @ddi("WdfRequestRetrieveOutputMemory")
    def retrieve_output_memory(self) -> Memory:
        """WdfRequestRetrieveOutputMemory: deleted with the request."""
        return self._memory("output", "WdfRequestRetrieveOutputMemory")

    @ddi("WdfRequestRetrieveInputBuffer")
    def retrieve_input_buffer(self, minimum_required_length: int = 0) -> Buffer:
        """WdfRequestRetrieveInputBuffer; its `len` is C's Length."""
        return self._buffer("input", "WdfRequestRetrieveInputBuffer", minimum_required_length)

    @ddi("WdfRequestRetrieveOutputBuffer")
    def retrieve_output_buffer(self, minimum_required_length: int = 0) -> Buffer:
        """WdfRequestRetrieveOutputBuffer. Of METHOD_BUFFERED it is the memory that the input is in."""
        return self._buffer("output", "WdfRequestRetrieveOutputBuffer", minimum_required_length)

    @ddi("WdfRequestRetrieveInputWdmMdl")
    def retrieve_input_wdm_mdl(self) -> Mdl:
        """WdfRequestRetrieveInputWdmMdl."""
        return self._buffer("input", "WdfRequestRetrieveInputWdmMdl", 0).mdl

    @ddi("WdfRequestRetrieveOutputWdmMdl")
    def retrieve_output_wdm_mdl(self) -> Mdl:
        """WdfRequestRetrieveOutputWdmMdl."""
        return self._buffer("output", "WdfRequestRetrieveOutputWdmMdl", 0).mdl

    @ddi("WdfRequestRetrieveUnsafeUserInputBuffer")
    def retrieve_unsafe_user_input_buffer(self, minimum_required_length: int = 0) -> None:
        """WdfRequestRetrieveUnsafeUserInputBuffer: refused, as no request comes with addresses of a process."""
        self._refuse_unsafe("WdfRequestRetrieveUnsafeUserInputBuffer")

    @ddi("WdfRequestRetrieveUnsafeUserOutputBuffer")
    def retrieve_unsafe_user_output_buffer(self, minimum_required_length: int = 0) -> None:
        """WdfRequestRetrieveUnsafeUserOutputBuffer: the same."""
        self._refuse_unsafe("WdfRequestRetrieveUnsafeUserOutputBuffer")

    @ddi("WdfRequestGetFileObject")
    def get_file_object(self) -> Any:
        """WdfRequestGetFileObject: what the user side said it was."""
        return self.irp.file_object

    @ddi("WdfRequestGetRequestorMode")
    def get_requestor_mode(self) -> int:
        """WdfRequestGetRequestorMode: 0 KernelMode, 1 UserMode."""
        return int(self.irp.user_mode)

    @ddi("WdfRequestIsFrom32BitProcess")
    def is_from_32bit_process(self) -> bool:
        """WdfRequestIsFrom32BitProcess: never."""
        return False

    @ddi("WdfRequestGetRequestorProcessId")
    def get_requestor_process_id(self) -> int:
        """WdfRequestGetRequestorProcessId: 4, the system process (model choice: there is no other)."""
        self._refuse_completed("WdfRequestGetRequestorProcessId")
        return 4

    @ddi("WdfRequestIsReserved")
    def is_reserved(self) -> bool:
        """WdfRequestIsReserved: never, as there is no forward-progress policy."""
        return False

    @ddi("WdfRequestWdmGetIrp")
    def wdm_get_irp(self) -> Irp:
        """WdfRequestWdmGetIrp."""
        self._refuse_completed("WdfRequestWdmGetIrp")
        return self.irp

    @ddi("WdfRequestGetIoQueue")
    def get_io_queue(self) -> IoQueue | None:
        """WdfRequestGetIoQueue: the queue that delivered it."""
        return cast("IoQueue | None", self.queue)

    @ddi("WdfRequestGetStatus")
    def get_status(self) -> int:
        """WdfRequestGetStatus: what the IRP's status block says now."""
        return self.irp.status

    @ddi("WdfRequestSetInformation")
    def set_information(self, information: int) -> None:
        """WdfRequestSetInformation: what `complete` reports."""
        self._information = information

    @ddi("WdfRequestGetInformation")
    def get_information(self) -> int:
        """WdfRequestGetInformation."""
        return self._information

    # How it ends.

    @ddi("WdfRequestComplete")
    def complete(self, status: int = ntstatus.STATUS_SUCCESS) -> None:
        """WdfRequestComplete. A second completion, or one of a request that is in a queue: bugcheck 10D/6."""
        self._complete("WdfRequestComplete", status)

    @ddi("WdfRequestCompleteWithInformation")
    def complete_with_information(self, status: int, information: int) -> None:
        """WdfRequestCompleteWithInformation: `information` bytes of output go back."""
        self._refuse_completed("WdfRequestCompleteWithInformation")
        self._information = information
        self._complete("WdfRequestCompleteWithInformation", status)

    @ddi("WdfRequestCompleteWithPriorityBoost")
    def complete_with_priority_boost(self, status: int, priority_boost: int) -> None:
        """WdfRequestCompleteWithPriorityBoost: the boost changes nothing here."""
        self._complete("WdfRequestCompleteWithPriorityBoost", status)

    def finish(self, status: int, information: int = 0) -> None:
        """Completed by the framework."""
        self._information = information
        self._end(status)

    # Cancellation.

    @ddi("WdfRequestMarkCancelable")
    def mark_cancelable(self, evt_request_cancel: Callable[[Request], None]) -> None:
        """WdfRequestMarkCancelable: for one that is cancelled already the callback is called before this returns."""
        expect_parameter(evt_request_cancel, "EvtRequestCancel", "WdfRequestMarkCancelable")
        if self._mark(evt_request_cancel, "WdfRequestMarkCancelable") == ntstatus.STATUS_CANCELLED:
            self._evt_cancel = evt_request_cancel
            self._canceled()

    @ddi("WdfRequestMarkCancelableEx")
    def mark_cancelable_ex(self, evt_request_cancel: Callable[[Request], None]) -> int:
        """WdfRequestMarkCancelableEx: STATUS_CANCELLED, without a call, for one that is cancelled already."""
        expect_parameter(evt_request_cancel, "EvtRequestCancel", "WdfRequestMarkCancelableEx")
        return self._mark(evt_request_cancel, "WdfRequestMarkCancelableEx")

    @ddi("WdfRequestUnmarkCancelable")
    def unmark_cancelable(self) -> int:
        """WdfRequestUnmarkCancelable: STATUS_CANCELLED when EvtRequestCancel was or is being called, which completes it then."""
        self._refuse_completed("WdfRequestUnmarkCancelable")
        if self.machine.watch is not None:
            self.machine.watch.acquire(self.irp)
            self.machine.watch.release(self.irp)
        if self._evt_cancel is not None:
            self._evt_cancel = self.irp.cancel_routine = None
            return ntstatus.STATUS_SUCCESS
        if self.irp.cancelled:
            return ntstatus.STATUS_CANCELLED
        raise StatusError(
            ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"WdfRequestUnmarkCancelable: {self.name} was not marked cancelable"
        )

    @ddi("WdfRequestIsCanceled")
    def is_canceled(self) -> bool:
        """WdfRequestIsCanceled: for requests that are not marked cancelable."""
        return self.irp.cancelled

    @property
    def cancelable(self) -> bool:
        """True while EvtRequestCancel may be called."""
        return self._evt_cancel is not None

    # Between queues.

    @ddi("WdfRequestForwardToIoQueue")
    def forward_to_io_queue(self, destination_queue: IoQueue) -> None:
        """WdfRequestForwardToIoQueue: to the end of another queue of the device; STATUS_WDF_BUSY if that accepts nothing."""
        from dirql.wdf.io_queue import IoQueue

        name = "WdfRequestForwardToIoQueue"
        queue = self._owner(name)
        expect(destination_queue, IoQueue, name)
        if destination_queue is queue or destination_queue.of_device is not self.of_device:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: {destination_queue.name} is not another queue of "
                              f"{self.of_device.name}")  # fmt: skip
        self._refuse_cancelable(name)
        if not destination_queue.accepting:
            raise StatusError(ntstatus.STATUS_WDF_BUSY, f"{name}: {destination_queue.name} accepts no requests")
        queue.let_go(self)
        destination_queue.insert(self)
        queue.go_on()

    @ddi("WdfRequestRequeue")
    def requeue(self) -> None:
        """WdfRequestRequeue: back to the head of the manual queue that it was taken from."""
        queue = self._owner("WdfRequestRequeue")
        if not queue.manual:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, f"WdfRequestRequeue: {queue.name} is not a manual queue")
        self._refuse_cancelable("WdfRequestRequeue")
        self.put_back(queue)

    @ddi("WdfRequestStopAcknowledge")
    def stop_acknowledge(self, requeue: bool) -> None:
        """WdfRequestStopAcknowledge: EvtIoStop's answer; with `requeue` the queue has it again, at its head."""
        queue = self._owner("WdfRequestStopAcknowledge")
        if not self.stopping:
            self.framework.complain(
                "stop-acknowledge", f"WdfRequestStopAcknowledge of {self.name}: nobody asked; it answers EvtIoStop"
            )
            return
        if requeue:
            self._refuse_cancelable("WdfRequestStopAcknowledge")
            self.put_back(queue)
        else:
            self.acknowledged = True
            queue.settle_stop(self)

    def put_back(self, queue: Presentation) -> None:
        """To the head of `queue`, which it came from."""
        queue.let_go(self)
        queue.insert(self, at_head=True)
        queue.go_on()

    def _memory(self, which: str, routine: str) -> Memory:
        buffer = self._buffer(which, routine, 0)
        if which not in self._memories:
            self._memories[which] = Memory(self.framework, self, None, buffer, owned=False)
        return self._memories[which]

    def _buffer(self, which: str, routine: str, minimum: int) -> Buffer:
        self._refuse_completed(routine)
        irp = self.irp
        wrong = MajorFunction.READ if which == "input" else MajorFunction.WRITE
        if irp.major == wrong:
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{routine}: a {self.type.name.lower()} request has no {which} buffer"
            )
        neither = irp.method == Method.NEITHER or (irp.method is None and self.of_device.io_type == "neither")
        if neither:
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{routine}: {self.name} uses neither buffered nor direct I/O"
            )
        buffer = irp.input_buffer if which == "input" else irp.output_buffer
        length = len(buffer) if buffer is not None else 0
        if buffer is None or length < minimum:
            raise StatusError(ntstatus.STATUS_BUFFER_TOO_SMALL, f"{routine}: the {which} buffer has {length:#x} bytes, at least "
                              f"{max(minimum, 1):#x} are needed")  # fmt: skip
        return buffer

    def _refuse_unsafe(self, routine: str) -> None:
        self._refuse_completed(routine)
        problem = f"{routine}: {self.name} has no buffer at addresses of a process (METHOD_NEITHER is not modelled)"
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, problem)

    def _mark(self, evt_request_cancel: Callable[[Request], None], routine: str) -> int:
        self._owner(routine)
        self._refuse_cancelable(routine)
        if self.machine.watch is not None:  # as unmarking and cancelling: under the cancel spin lock
            self.machine.watch.acquire(self.irp)
            self.machine.watch.release(self.irp)
        if self.irp.cancelled:
            return ntstatus.STATUS_CANCELLED
        self._evt_cancel = evt_request_cancel
        self.irp.cancel_routine = self._canceled
        return ntstatus.STATUS_SUCCESS

    def _canceled(self) -> None:
        if self.machine.watch is not None:
            self.machine.watch.acquire(self.irp)
            self.machine.watch.release(self.irp)
        callback, self._evt_cancel = self._evt_cancel, None
        assert self.queue is not None and callback is not None
        self.queue.call("EvtRequestCancel", callback, self)

    def _complete(self, routine: str, status: int) -> None:
        self._owner(routine)
        limit = self.irp.output_length
        if self.type != RequestType.Write and self._information > limit and status >> 30 != 3:
            sentence = f"{routine} of {self.name}: Information {self._information:#x} is above the {limit:#x} bytes of output"
            if self.framework.verifier.kmdf:
                raise BugCheck(WDF_VIOLATION, REQUEST_FATAL_ERROR, INFORMATION_LENGTH, self.handle, why=sentence)
            self.framework.complain("information-length", sentence)
        if self.framework.verifier.kmdf:
            held = sum(memory.references - 1 for memory in self._memories.values())
            if held:
                sentence = f"{routine} of {self.name}: its memory objects are still referenced {held} times"
                raise BugCheck(WDF_VIOLATION, VERIFIER_FATAL_ERROR, self.handle, held, why=sentence)
        self._end(status)

    def _end(self, status: int) -> None:
        if self.irp.cancel_routine is not None:
            self.irp.complete(status, 0)  # refuses
        self.completed = True
        queue = self.queue if self.owned else None
        if queue is not None:
            queue.let_go(self)
        self.framework.note(f"{self.name} is completed with {ntstatus.name_of(status)}, {self._information} bytes")
        self.dispose()  # cleanup callbacks may still look at the buffers
        self.irp.complete(status, self._information)
        if queue is not None:
            queue.go_on()

    def _owner(self, routine: str) -> Presentation:
        self._refuse_completed(routine)
        if not self.owned or self.queue is None:
            where = f"{self.name} is in {self.queue.name}" if self.queue is not None else f"{self.name} is in no queue"
            raise BugCheck(
                WDF_VIOLATION,
                REQUEST_FATAL_ERROR,
                NOT_IN_QUEUE,
                self.handle,
                why=f"{routine}: {where}, the driver does not own it",
            )
        return self.queue

    def refuse_if_freed(self, routine: str) -> None:
        """What frees it is its completion."""
        self._refuse_completed(routine)
        super().refuse_if_freed(routine)

    def _refuse_completed(self, routine: str) -> None:
        # Model choice: on a machine the object's memory may be anybody's by now; a referenced one has no IRP any more.
        if self.completed:
            raise BugCheck(
                WDF_VIOLATION, REQUEST_FATAL_ERROR, NULL_IRP, self.handle, why=f"{routine}: {self.name} is completed already"
            )

    def _refuse_cancelable(self, routine: str) -> None:
        if self.cancelable:
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{routine}: {self.name} is marked cancelable; unmark it first"
            )

"""Requests: buffers, completion, cancellation, forwarding (facts §5.3)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql import ntstatus
from dirql.kernel import BugCheck
from dirql.kernel.irp import Irp, Method, ctl_code
from dirql.wdf.io_config import IoQueueDispatchType, RequestParameters, RequestType
from dirql.wdf.object import ObjectAttributes

PARALLEL, MANUAL = IoQueueDispatchType.Parallel, IoQueueDispatchType.Manual
CODE = {method: ctl_code(0x22, 0x800, method) for method in Method}


def served(w: Any, irp: Irp, handler: Any) -> None:
    """`irp` is sent to a queue whose only callback is `handler(request)`."""
    w.queue(PARALLEL, default_queue=True, evt_io_default=lambda queue, request: handler(request))
    w.io.start(w.device, irp)
    w.run()


def kept(w: Any, irp: Irp) -> Any:
    """The request of `irp`, in the driver's hands."""
    requests: list[Any] = []
    served(w, irp, requests.append)
    return requests[0]


@pytest.mark.parametrize("io_type", ["buffered", "direct"])
@pytest.mark.parametrize("length", [1, 4096, 10_000])
def test_what_the_driver_stores_in_the_output_buffer_comes_back(io: Any, io_type: str, length: int) -> None:
    w = io(io_type=io_type)
    data = bytes(i % 251 for i in range(length))

    def handler(request: Any) -> None:
        buffer = request.retrieve_output_buffer(length)
        buffer[:] = data
        request.complete_with_information(0, length)

    irp = Irp.read(w.kernel, length)
    served(w, irp, handler)
    assert (irp.output, irp.information) == (data, length)


@pytest.mark.parametrize("io_type", ["buffered", "direct"])
@pytest.mark.parametrize("length", [1, 4097])
def test_what_the_user_writes_is_in_the_input_buffer(io: Any, io_type: str, length: int) -> None:
    w = io(io_type=io_type)
    data = bytes(i % 251 for i in range(length))
    request = kept(w, Irp.write(w.kernel, data))
    assert bytes(w.call(request.retrieve_input_buffer)) == data


def test_the_input_and_output_of_method_buffered_are_one_memory(io: Any) -> None:
    w = io()
    request = kept(w, Irp.device_control(w.kernel, CODE[Method.BUFFERED], b"in", 4))
    w.call(lambda: request.retrieve_output_buffer().__setitem__(slice(0, 4), b"over"))
    assert bytes(w.call(request.retrieve_input_buffer)) == b"ov"


def test_the_output_of_method_out_direct_is_a_memory_of_its_own(io: Any) -> None:
    w = io()
    request = kept(w, Irp.device_control(w.kernel, CODE[Method.OUT_DIRECT], b"in", 4))
    w.call(lambda: request.retrieve_output_buffer().__setitem__(slice(0, 4), b"over"))
    assert bytes(w.call(request.retrieve_input_buffer)) == b"in"


@pytest.mark.parametrize(
    ("irp", "routine", "words"),
    [
        (lambda k: Irp.read(k, 4), "input", "INVALID_DEVICE_REQUEST: {}: a read request has no input buffer"),
        (lambda k: Irp.write(k, b"abcd"), "output", "INVALID_DEVICE_REQUEST: {}: a write request has no output buffer"),
        (lambda k: Irp.read(k, 4), "output", "BUFFER_TOO_SMALL: {}: the output buffer has 0x4 bytes, at least 0x5 are needed"),
        (
            lambda k: Irp.device_control(k, CODE[Method.BUFFERED], b"", 4), "input",
            "BUFFER_TOO_SMALL: {}: the input buffer has 0x0 bytes, at least 0x5 are needed",
        ),
        (
            lambda k: Irp.device_control(k, CODE[Method.NEITHER], b"abcde", 5), "input",
            "INVALID_DEVICE_REQUEST: {}: {name} uses neither buffered nor direct I/O",
        ),
    ],
)  # fmt: skip
def test_a_buffer_that_is_not_there_is_refused(io: Any, irp: Any, routine: str, words: str) -> None:
    w = io()
    request = kept(w, irp(w.kernel))
    name = f"WdfRequestRetrieve{routine.capitalize()}Buffer"
    failure = w.failure(lambda: getattr(request, f"retrieve_{routine}_buffer")(5))
    assert failure == "STATUS_" + words.format(name, name=request.name)


@pytest.mark.parametrize(
    ("irp", "expected"),
    [
        (lambda k: Irp.read(k, 4, 0x100), RequestParameters(RequestType.Read, 4, 0x100)),
        (lambda k: Irp.write(k, b"abc", 7), RequestParameters(RequestType.Write, 3, 7)),
        (
            lambda k: Irp.device_control(k, 0x222003, b"abc", 9),
            RequestParameters(RequestType.DeviceControl, output_buffer_length=9, input_buffer_length=3, io_control_code=0x222003),
        ),
    ],
)
def test_the_parameters_are_those_of_the_irp(io: Any, irp: Any, expected: RequestParameters) -> None:
    w = io()
    request = kept(w, irp(w.kernel))
    assert w.call(request.get_parameters) == expected


def test_the_memory_of_a_request_is_one_object_and_goes_with_it(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    memory = w.call(request.retrieve_output_memory)
    assert w.call(request.retrieve_output_memory) is memory
    w.call(lambda: memory.copy_from_buffer(0, b"abcd"))
    w.call(lambda: request.complete_with_information(0, 4))
    assert (memory.destroyed, request.irp.output) == (True, b"abcd")


@pytest.mark.parametrize(
    ("status", "output"),
    [(ntstatus.STATUS_SUCCESS, b"ab"), (ntstatus.STATUS_BUFFER_OVERFLOW, b"ab"), (ntstatus.STATUS_UNSUCCESSFUL, b"")],
)
def test_information_bytes_come_back_unless_the_status_is_an_error(io: Any, status: int, output: bytes) -> None:
    w = io()

    def handler(request: Any) -> None:
        request.retrieve_output_buffer()[:] = b"abcd"
        request.complete_with_information(status, 2)

    irp = Irp.read(w.kernel, 4)
    served(w, irp, handler)
    assert (irp.status, irp.information, irp.output) == (status, 2, output)


def test_complete_reports_the_information_set_before(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    w.call(lambda: request.set_information(3))
    assert w.call(request.get_information) == 3
    w.call(request.complete)
    assert request.irp.information == 3


@pytest.mark.parametrize(
    "routine", ["complete", "unmark_cancelable", "get_parameters", "retrieve_output_buffer", "requeue", "wdm_get_irp"]
)
def test_using_a_completed_request_is_bugcheck_10d_6(io: Any, routine: str) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    w.call(request.complete)
    with pytest.raises(BugCheck) as error:
        w.call(getattr(request, routine))
    assert (error.value.code, error.value.parameters) == (0x10D, (6, 2, request.handle, 0))
    assert error.value.why.endswith(f": {request.name} is completed already")


def test_completing_a_request_that_is_in_a_queue_is_bugcheck_10d_6_5(io: Any) -> None:
    w = io()
    manual = w.queue(MANUAL)
    request = kept(w, Irp.read(w.kernel, 4))
    w.call(lambda: request.forward_to_io_queue(manual))
    with pytest.raises(BugCheck) as error:
        w.call(request.complete)
    assert error.value.parameters == (6, 5, request.handle, 0)
    assert error.value.why == f"WdfRequestComplete: {request.name} is in {manual.name}, the driver does not own it"


def test_completing_a_cancelable_request_is_bugcheck_48(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    w.call(lambda: request.mark_cancelable(print))
    with pytest.raises(BugCheck) as error:
        w.call(request.complete)
    assert error.value.code == 0x48
    assert error.value.why == "read is completed while it is cancelable; call WdfRequestUnmarkCancelable first"


@pytest.mark.parametrize("kmdf", [False, True])
def test_more_information_than_the_buffer_holds_is_a_finding_or_a_bugcheck_under_the_verifier(io: Any, kmdf: bool) -> None:
    w = io(kmdf=kmdf)
    request = kept(w, Irp.read(w.kernel, 4))
    sentence = f"WdfRequestCompleteWithInformation of {request.name}: Information 0x5 is above the 0x4 bytes of output"
    if kmdf:
        with pytest.raises(BugCheck) as error:
            w.call(lambda: request.complete_with_information(0, 5))
        assert (error.value.parameters, error.value.why) == ((6, 4, request.handle, 0), sentence)
    else:
        w.call(lambda: request.complete_with_information(0, 5))
        assert w.findings == [("information-length", sentence)]
        assert request.irp.output == bytes(4)


def test_under_the_verifier_memory_still_referenced_at_completion_is_bugcheck_10d_3(io: Any) -> None:
    w = io(kmdf=True)
    request = kept(w, Irp.read(w.kernel, 4))
    w.call(lambda: request.retrieve_output_memory().reference())
    with pytest.raises(BugCheck) as error:
        w.call(request.complete)
    assert error.value.parameters == (3, request.handle, 1, 0)


def test_a_cancelable_request_is_cancelled_by_its_callback(io: Any) -> None:
    w = io()

    def cancel(request: Any) -> None:
        w.log.append((request.is_canceled(), request.unmark_cancelable()))
        request.complete(ntstatus.STATUS_CANCELLED)

    irp = Irp.read(w.kernel, 4)
    served(w, irp, lambda request: request.mark_cancelable(cancel))
    thread = w.io.start_cancel(irp)
    w.run()
    assert (w.log, irp.status, thread.result) == ([(True, ntstatus.STATUS_CANCELLED)], ntstatus.STATUS_CANCELLED, True)


def test_an_unmarked_request_is_not_cancelled(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    w.call(lambda: request.mark_cancelable(w.log.append))
    assert w.call(request.unmark_cancelable) == ntstatus.STATUS_SUCCESS
    thread = w.io.start_cancel(request.irp)
    w.run()
    assert (w.log, thread.result, w.call(request.is_canceled)) == ([], False, True)
    w.call(request.complete)
    assert request.irp.status == ntstatus.STATUS_SUCCESS


def test_unmarking_what_was_never_marked_is_refused(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    assert w.failure(request.unmark_cancelable) == (
        f"STATUS_INVALID_DEVICE_REQUEST: WdfRequestUnmarkCancelable: {request.name} was not marked cancelable"
    )


@pytest.mark.parametrize(("routine", "called"), [("mark_cancelable", True), ("mark_cancelable_ex", False)])
def test_marking_a_cancelled_request_calls_back_at_once_or_says_so(io: Any, routine: str, called: bool) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    w.io.start_cancel(request.irp)
    w.run()
    result = w.call(lambda: getattr(request, routine)(w.log.append))
    assert (w.log, result) == (([request], None) if called else ([], ntstatus.STATUS_CANCELLED))


def test_marking_twice_is_refused(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    w.call(lambda: request.mark_cancelable(print))
    assert w.failure(lambda: request.mark_cancelable_ex(print)) == (
        f"STATUS_INVALID_DEVICE_REQUEST: WdfRequestMarkCancelableEx: {request.name} is marked cancelable; unmark it first"
    )


def test_a_request_cancelled_before_it_is_sent_never_reaches_the_driver(io: Any) -> None:
    w = io()
    irp = Irp.read(w.kernel, 4)
    irp.cancel()
    served(w, irp, w.log.append)
    assert (w.log, irp.status) == ([], ntstatus.STATUS_CANCELLED)


@pytest.mark.parametrize("how", ["same queue", "other device", "not accepting"])
def test_forwarding_to_a_queue_that_cannot_have_it_is_refused(io: Any, how: str) -> None:
    w, other = io(), io()
    manual = other.queue(MANUAL) if how == "other device" else w.queue(MANUAL)
    request = kept(w, Irp.read(w.kernel, 4))
    if how == "not accepting":
        w.call(manual.purge)
        words = f"STATUS_WDF_BUSY: WdfRequestForwardToIoQueue: {manual.name} accepts no requests"
    else:
        manual = request.queue if how == "same queue" else manual
        words = f"STATUS_INVALID_DEVICE_REQUEST: WdfRequestForwardToIoQueue: {manual.name} is not another queue of card"
    assert w.failure(lambda: request.forward_to_io_queue(manual)) == words
    assert request.owned


def test_a_requeued_request_is_the_next_one_again(io: Any) -> None:
    w = io()
    queue = w.queue(MANUAL, default_queue=True)
    w.read()
    w.read()
    w.run()
    request = w.call(queue.retrieve_next_request)
    w.call(request.requeue)
    assert w.call(queue.retrieve_next_request) is request
    assert w.call(request.get_io_queue) is queue


def test_only_requests_of_manual_queues_can_be_requeued(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    assert w.failure(request.requeue) == (
        f"STATUS_INVALID_DEVICE_STATE: WdfRequestRequeue: {request.queue.name} is not a manual queue"
    )


def test_the_pages_of_completed_requests_are_used_again(io: Any) -> None:
    w = io(memory=1 << 21)
    w.queue(PARALLEL, default_queue=True, evt_io_default=lambda queue, request: request.complete_with_information(0, 65536))
    for _ in range(40):  # 40 × 64 KiB is more than there is
        irp = w.read(65536)
        w.run()
        assert irp.information == 65536


def test_a_requests_cleanup_callback_still_sees_its_buffer(io: Any) -> None:
    w = io()
    request = kept(w, Irp.write(w.kernel, b"abcd"))
    attributes = ObjectAttributes(context_type=dict, evt_cleanup_callback=lambda r: w.log.append(bytes(r.irp.input_buffer)))
    w.call(lambda: (request.allocate_context(attributes), request.complete()))
    assert w.log == [b"abcd"]


@given(actions=st.lists(st.sampled_from(["read", "complete", "requeue", "cancel", "stop", "start", "retrieve"]), max_size=25))
def test_every_request_is_waiting_with_the_driver_or_completed_whatever_happens(io: Any, actions: list[str]) -> None:
    w = io()
    queue = w.queue(MANUAL, default_queue=True)
    irps: list[Irp] = []
    names = itertools.count()
    for action in actions:
        if action == "read":
            irps.append(w.read(name=f"read{next(names)}"))
        elif action in ("complete", "requeue") and queue.with_driver:
            w.call(getattr(queue.with_driver[0], action))
        elif action == "cancel" and irps:
            w.io.start_cancel(irps[-1])
        elif action in ("stop", "start"):
            w.call(getattr(queue, action))
        elif action == "retrieve":
            w.failure(queue.retrieve_next_request)
        w.run()
    pending = [irp for irp in irps if irp.status == ntstatus.STATUS_PENDING]
    held = [r.irp for r in (*queue.waiting, *queue.with_driver)]
    assert sorted(i.name for i in held) == sorted(i.name for i in pending)
    assert all(r.owned for r in queue.with_driver) and not any(r.owned for r in queue.waiting)


@pytest.mark.parametrize("name", ["input", "output"])
def test_no_request_has_a_buffer_at_addresses_of_a_process(io: Any, name: str) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    words = w.failure(getattr(request, f"retrieve_unsafe_user_{name}_buffer"))
    routine = f"WdfRequestRetrieveUnsafeUser{name.title()}Buffer"
    problem = f"{routine}: {request.name} has no buffer at addresses of a process (METHOD_NEITHER is not modelled)"
    assert words == f"STATUS_INVALID_DEVICE_REQUEST: {problem}"


def test_a_request_is_the_system_processs_and_not_reserved(io: Any) -> None:
    w = io()
    request = kept(w, Irp.read(w.kernel, 4))
    assert (w.call(request.get_requestor_process_id), w.call(request.is_reserved)) == (4, False)


def test_who_shows_an_irp_is_told_that_it_is_cancelled_and_completed(io: Any) -> None:
    w, told = io(), []

    class View:
        def cancelled(self) -> None:
            told.append("cancelled")

        def completed(self) -> None:
            told.append("completed")

    irp = Irp.read(w.kernel, 4)
    irp.view = View()
    request = kept(w, irp)
    w.call(irp.cancel)
    w.call(lambda: request.complete(ntstatus.STATUS_CANCELLED))
    assert told == ["cancelled", "completed"] and irp.view is None

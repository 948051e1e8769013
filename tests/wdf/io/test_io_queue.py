"""I/O queues: dispatching, states, cancellation, power (facts §3.1–§3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import ntstatus
from dirql.kernel.irp import Irp, Method, ctl_code
from dirql.wdf.io_config import IoQueueConfig, IoQueueDispatchType, IoQueueState, RequestType
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.io_queue_create import configure_request_dispatching
from dirql.wdf.object import ExecutionLevel, ObjectAttributes, SynchronizationScope

SEQUENTIAL, PARALLEL, MANUAL = IoQueueDispatchType.Sequential, IoQueueDispatchType.Parallel, IoQueueDispatchType.Manual


def keep(w: Any) -> Any:
    """EvtIoRead that keeps every request in `w.kept`."""
    w.kept = []
    return lambda queue, request, length: w.kept.append(request)


def complete_all(w: Any) -> None:
    while w.kept:
        w.call(w.kept.pop(0).complete)


@pytest.mark.parametrize(
    ("type_", "limit", "at_once"), [(SEQUENTIAL, 9, 1), (PARALLEL, 2, 2), (PARALLEL, 0xFFFFFFFF, 5), (MANUAL, 9, 0)]
)
def test_the_dispatch_type_says_how_many_requests_the_driver_has_at_once(io: Any, type_: int, limit: int, at_once: int) -> None:
    w = io()
    queue = w.queue(type_, default_queue=True, evt_io_read=keep(w), number_of_presented_requests=limit)
    irps = [w.read(name=f"read{i}") for i in range(5)]
    w.run()
    assert len(w.kept) == at_once
    assert queue.get_state.__wrapped__(queue)[1:] == (5 - at_once, at_once)
    complete_all(w)
    assert [irp.status for irp in irps] == [ntstatus.STATUS_PENDING if type_ == MANUAL else ntstatus.STATUS_SUCCESS] * 5


def test_requests_completed_in_their_callback_are_presented_one_after_the_other_without_recursion(io: Any) -> None:
    w = io()
    depth = [0]

    def read(queue: Any, request: Any, length: int) -> None:
        depth[0] += 1
        w.log.append(depth[0])
        request.complete_with_information(0, 0)
        depth[0] -= 1

    queue = w.queue(SEQUENTIAL, default_queue=True, evt_io_read=read)
    w.call(queue.stop)
    for _ in range(50):
        w.read()
    w.run()
    w.call(queue.start)
    assert w.log == [1] * 50


@pytest.mark.parametrize(
    ("irp", "expected"),
    [
        (lambda k: Irp.read(k, 7), ("read", 7)),
        (lambda k: Irp.write(k, b"abc"), ("write", 3)),
        (lambda k: Irp.device_control(k, 0x222000, b"ab", 5), ("control", 5, 2, 0x222000)),
        (lambda k: Irp.device_control(k, 0x222000, b"ab", 5, internal=True), ("internal", 5, 2, 0x222000)),
    ],
)
def test_each_type_goes_to_its_callback_with_its_lengths(io: Any, irp: Any, expected: tuple[Any, ...]) -> None:
    w = io()

    def handler(name: str) -> Any:
        def call(queue: Any, request: Any, *values: int) -> None:
            w.log.append((name, *values))
            request.complete()

        return call

    w.queue(
        PARALLEL, default_queue=True, evt_io_read=handler("read"), evt_io_write=handler("write"),
        evt_io_device_control=handler("control"), evt_io_internal_device_control=handler("internal"),
    )  # fmt: skip
    packet = irp(w.kernel)
    w.io.start(w.device, packet)
    w.run()
    assert w.log == [expected]
    assert packet.status == ntstatus.STATUS_SUCCESS


def test_a_type_without_a_callback_goes_to_evt_io_default(io: Any) -> None:
    w = io()
    w.queue(PARALLEL, default_queue=True, evt_io_default=lambda queue, request: request.complete(ntstatus.STATUS_IO_TIMEOUT))
    irp = w.read()
    w.run()
    assert irp.status == ntstatus.STATUS_IO_TIMEOUT


def test_a_type_that_nobody_handles_fails_with_invalid_device_request(io: Any) -> None:
    w = io()
    w.queue(PARALLEL, default_queue=True, evt_io_write=lambda queue, request, length: request.complete())
    irp = w.read()
    w.run()
    assert irp.status == ntstatus.STATUS_INVALID_DEVICE_REQUEST


def test_a_device_without_queues_refuses_every_request(io: Any) -> None:
    w = io()
    irp = w.read()
    w.run()
    assert irp.status == ntstatus.STATUS_INVALID_DEVICE_REQUEST


@pytest.mark.parametrize(("allowed", "calls"), [(False, []), (True, [0])])
def test_zero_length_requests_are_presented_only_where_they_are_allowed(io: Any, allowed: bool, calls: list[int]) -> None:
    w = io()

    def read(queue: Any, request: Any, length: int) -> None:
        w.log.append(length)
        request.complete()

    w.queue(PARALLEL, default_queue=True, allow_zero_length_requests=allowed, evt_io_read=read)
    irp = w.read(0)
    w.run()
    assert (w.log, irp.status) == (calls, ntstatus.STATUS_SUCCESS)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"dispatch_type": 0}, "STATUS_INVALID_PARAMETER: WdfIoQueueCreate: DispatchType 0 is not 1, 2 or 3"),
        ({"dispatch_type": 2}, "STATUS_WDF_NO_CALLBACK: WdfIoQueueCreate: no EvtIo… callback, and the queue is not manual"),
        (
            {"dispatch_type": 2, "evt_io_default": print, "number_of_presented_requests": 0},
            "STATUS_INVALID_PARAMETER: WdfIoQueueCreate: NumberOfPresentedRequests is 0",
        ),
        (
            {"dispatch_type": 3, "default_queue": True},
            "STATUS_UNSUCCESSFUL: WdfIoQueueCreate: card has a default queue already",
        ),
    ],
)
def test_a_queue_that_cannot_be_is_refused(io: Any, config: dict[str, Any], message: str) -> None:
    w = io()
    w.queue(MANUAL, default_queue=True)
    assert w.failure(lambda: IoQueue.create(w.device, IoQueueConfig(**config))) == message


def test_a_type_can_be_configured_for_one_queue_only(io: Any) -> None:
    w = io()
    first, second = w.queue(MANUAL), w.queue(MANUAL)
    w.call(lambda: configure_request_dispatching(w.device, first, RequestType.Read))
    irp = w.read()
    w.run()
    assert len(first.waiting) == 1 and irp.status == ntstatus.STATUS_PENDING
    assert w.failure(lambda: configure_request_dispatching(w.device, second, RequestType.Read)) == (
        f"STATUS_WDF_BUSY: WdfDeviceConfigureRequestDispatching: Read goes to {first.name} already"
    )


@pytest.mark.parametrize(
    ("routine", "new_status", "kept_status"),
    [
        ("purge", ntstatus.STATUS_INVALID_DEVICE_STATE, ntstatus.STATUS_CANCELLED),
        ("drain", ntstatus.STATUS_INVALID_DEVICE_STATE, 0),
    ],
)
def test_purging_cancels_what_waits_and_draining_presents_it(io: Any, routine: str, new_status: int, kept_status: int) -> None:
    w = io()
    queue = w.queue(SEQUENTIAL, default_queue=True, evt_io_read=keep(w))
    first, waiting = w.read(), w.read()
    w.run()
    w.call(lambda: getattr(queue, routine)(lambda q, context: w.log.append(context), "over"))
    late = w.read()
    w.run()
    assert (late.status, w.log) == (new_status, [])
    complete_all(w)
    complete_all(w)
    assert (first.status, waiting.status, w.log) == (0, kept_status, ["over"])
    assert w.call(queue.get_state)[0] == (IoQueueState.DispatchRequests | IoQueueState.NoRequests | IoQueueState.DriverNoRequests)


@pytest.mark.parametrize(
    "routine", ["stop_synchronously", "purge_synchronously", "drain_synchronously", "stop_and_purge_synchronously"]
)
def test_the_synchronous_routines_return_when_the_driver_has_nothing_left(io: Any, routine: str) -> None:
    w = io()
    queue = w.queue(SEQUENTIAL, default_queue=True, evt_io_read=keep(w))
    w.read()
    w.run()
    thread = w.thread(getattr(queue, routine))
    w.run()
    assert not thread.finished
    complete_all(w)
    assert thread.finished


def test_a_stopped_queue_accepts_and_presents_when_it_is_started(io: Any) -> None:
    w = io()
    queue = w.queue(PARALLEL, default_queue=True, evt_io_read=keep(w))
    w.call(lambda: queue.stop(lambda q, context: w.log.append(context), "stopped"))
    w.read()
    w.run()
    assert (w.log, w.kept, len(queue.waiting)) == (["stopped"], [], 1)
    w.call(queue.start)
    assert len(w.kept) == 1


def test_retrieving_from_a_manual_queue_gives_requests_in_order_and_then_none(io: Any) -> None:
    w = io()
    queue = w.queue(MANUAL, default_queue=True)
    irps = [w.read(name=f"read{i}") for i in range(3)]
    w.run()
    got = [w.call(queue.retrieve_next_request) for _ in range(4)]
    assert [r and r.irp for r in got] == [*irps, None]


@pytest.mark.parametrize(
    ("type_", "prepare", "message"),
    [
        (PARALLEL, "start", "STATUS_INVALID_DEVICE_STATE: WdfIoQueueRetrieveNextRequest: {} is a parallel queue"),
        (MANUAL, "stop", "STATUS_WDF_PAUSED: WdfIoQueueRetrieveNextRequest: {} is stopped"),
        (MANUAL, "power_stop", "STATUS_WDF_PAUSED: WdfIoQueueRetrieveNextRequest: {} waits for D0"),
    ],
)
def test_retrieving_says_why_it_cannot(io: Any, type_: int, prepare: str, message: str) -> None:
    w = io()
    queue = w.queue(type_, default_queue=True, evt_io_read=keep(w))
    w.call(getattr(queue, prepare))
    assert w.failure(queue.retrieve_next_request) == message.format(queue.name)


def test_ready_notify_tells_of_the_first_request_only(io: Any) -> None:
    w = io()
    queue = w.queue(MANUAL, default_queue=True)
    w.call(lambda: queue.ready_notify(lambda q, context: w.log.append(context), "ready"))
    w.read()
    w.read()
    w.run()
    assert w.log == ["ready"]
    assert [w.call(queue.retrieve_next_request) is None for _ in range(3)] == [False, False, True]
    w.read()
    w.run()
    assert w.log == ["ready", "ready"]


def test_ready_notify_is_for_manual_queues(io: Any) -> None:
    w = io()
    queue = w.queue(PARALLEL, evt_io_read=keep(w))
    assert (
        w.failure(lambda: queue.ready_notify(print))
        == f"STATUS_INVALID_DEVICE_REQUEST: WdfIoQueueReadyNotify: {queue.name} is not a manual queue"
    )


def test_a_found_request_can_be_retrieved_unless_it_was_cancelled(io: Any) -> None:
    w = io()
    queue = w.queue(MANUAL, default_queue=True)
    w.read(name="one")
    two = w.read(name="two")
    w.run()
    first = w.call(queue.find_request)
    second = w.call(lambda: queue.find_request(first))
    assert second.irp is two
    w.io.start_cancel(two)
    w.run()
    assert two.status == ntstatus.STATUS_CANCELLED
    assert w.failure(lambda: queue.retrieve_found_request(second)) == (
        f"STATUS_NOT_FOUND: WdfIoQueueRetrieveFoundRequest: {second.name} is not in {queue.name} any more"
    )
    assert w.call(lambda: queue.retrieve_found_request(first)) is first


def test_a_request_that_a_driver_had_and_put_into_a_queue_is_its_again_when_cancelled(io: Any) -> None:
    w = io()

    def canceled(queue: Any, request: Any) -> None:
        w.log.append("canceled on queue")
        request.complete(ntstatus.STATUS_CANCELLED)

    manual = w.queue(MANUAL, evt_io_canceled_on_queue=canceled)
    w.queue(PARALLEL, default_queue=True, evt_io_read=lambda queue, request, length: request.forward_to_io_queue(manual))
    irp = w.read()
    w.run()
    w.io.start_cancel(irp)
    w.run()
    assert (w.log, irp.status, manual.with_driver) == (["canceled on queue"], ntstatus.STATUS_CANCELLED, [])


@pytest.mark.parametrize("at_dispatch", [False, True])
def test_a_passive_queue_is_served_at_passive_level_even_when_a_dpc_makes_it_possible(io: Any, at_dispatch: bool) -> None:
    w = io(level=ExecutionLevel.Passive)

    def read(queue: Any, request: Any, length: int) -> None:
        w.log.append(w.irql)
        w.request = request

    w.queue(SEQUENTIAL, default_queue=True, evt_io_read=read)
    w.read()
    w.read()
    w.run()
    (w.at_dispatch if at_dispatch else w.call)(w.request.complete)
    assert w.log == [0, 0]


@pytest.mark.parametrize(
    ("scope", "level", "irql"),
    [
        (SynchronizationScope.Device, ExecutionLevel.Dispatch, 2),
        (SynchronizationScope.Queue, ExecutionLevel.Dispatch, 2),
        (SynchronizationScope.Device, ExecutionLevel.Passive, 0),
        (SynchronizationScope.None_, ExecutionLevel.Dispatch, 0),
    ],
)
def test_the_presentation_lock_decides_the_irql_of_queue_callbacks(io: Any, scope: int, level: int, irql: int) -> None:
    w = io(scope=scope, level=level)

    def read(queue: Any, request: Any, length: int) -> None:
        w.log.append(w.irql)
        request.complete()

    w.queue(PARALLEL, default_queue=True, evt_io_read=read)
    w.read()
    w.run()
    assert w.log == [irql]


@pytest.mark.parametrize("level", [ExecutionLevel.Passive, ExecutionLevel.Dispatch])
@pytest.mark.parametrize(
    ("scope", "together"), [(SynchronizationScope.Device, 1), (SynchronizationScope.Queue, 2), (SynchronizationScope.None_, 4)]
)
def test_the_scope_says_how_many_callbacks_run_side_by_side(io: Any, scope: int, together: int, level: int) -> None:
    w = io(4, scope=scope, level=level)
    inside, most = [0], [0]

    def read(queue: Any, request: Any, *rest: int) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        w.kernel.ke_stall_execution_processor(100)
        inside[0] -= 1
        request.complete()

    w.queue(PARALLEL, default_queue=True, evt_io_read=read)
    controls = w.queue(PARALLEL, evt_io_device_control=read)
    w.call(lambda: configure_request_dispatching(w.device, controls, RequestType.DeviceControl))
    for _ in range(2):
        w.read()
        w.control(ctl_code(0x22, 0, Method.BUFFERED), b"x")
    w.run()
    assert most == [together]


def test_a_queue_may_have_a_scope_of_its_own(io: Any) -> None:
    w = io()
    queue = w.queue(
        PARALLEL, ObjectAttributes(synchronization_scope=SynchronizationScope.Queue), default_queue=True, evt_io_read=keep(w)
    )

    def hold() -> None:
        queue.acquire_lock()
        w.log.append(w.irql)
        w.io.send(w.device, Irp.read(w.kernel, 1))
        w.log.append(len(w.kept))
        queue.release_lock()
        w.log.append(len(w.kept))

    w.call(hold)
    assert w.log == [2, 0, 1]


def test_a_queue_that_shares_the_devices_lock_has_the_devices_execution_level(io: Any) -> None:
    w = io(scope=SynchronizationScope.Device)
    attributes = ObjectAttributes(execution_level=ExecutionLevel.Passive)
    assert w.failure(lambda: IoQueue.create(w.device, IoQueueConfig(MANUAL), attributes)) == (
        "STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL: WdfIoQueueCreate: scope Device with level Passive, while card is at Dispatch"
    )


def test_a_queue_is_its_devices(io: Any) -> None:
    w = io()
    queue = w.queue(MANUAL, default_queue=True)
    assert isinstance(queue, IoQueue)
    assert w.call(queue.get_device) is w.device
    assert w.device.queues == [queue]

"""I/O queues and the device's power: waiting for D0, EvtIoStop and EvtIoResume, removal, idling (facts §3.1–§3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import ntstatus
from dirql.machine import RandomChooser
from dirql.wdf.idle import S0IdleSettings
from dirql.wdf.io_config import IoQueueDispatchType, IoQueueState
from dirql.wdf.lock import SpinLock

SEQUENTIAL, PARALLEL, MANUAL = IoQueueDispatchType.Sequential, IoQueueDispatchType.Parallel, IoQueueDispatchType.Manual


def keep(w: Any) -> Any:
    """EvtIoRead that keeps every request in `w.kept`."""
    w.kept = []
    return lambda queue, request, length: w.kept.append(request)


def complete_all(w: Any) -> None:
    while w.kept:
        w.call(w.kept.pop(0).complete)


def test_requests_wait_in_a_power_managed_queue_until_d0(io: Any) -> None:
    w = io(d0=False)
    queue = w.queue(PARALLEL, default_queue=True, evt_io_read=keep(w))
    w.read()
    w.run()
    assert (w.kept, w.call(queue.get_state)[0] & IoQueueState.PnpHeld) == ([], IoQueueState.PnpHeld)
    w.call(queue.power_start)
    assert len(w.kept) == 1


def test_a_queue_that_is_not_power_managed_works_without_power(io: Any) -> None:
    w = io(d0=False)
    queue = w.queue(PARALLEL, default_queue=True, power_managed=0, evt_io_read=keep(w))
    w.read()
    w.run()
    w.call(queue.power_stop)
    assert len(w.kept) == 1


def test_power_stop_without_evt_io_stop_waits_for_every_request(io: Any) -> None:
    w = io()
    queue = w.queue(PARALLEL, default_queue=True, evt_io_read=keep(w))
    w.read()
    w.read()
    w.run()
    thread = w.thread(queue.power_stop)
    w.run()
    w.call(w.kept.pop().complete)
    assert not thread.finished
    w.call(w.kept.pop().complete)
    assert thread.finished


@pytest.mark.parametrize(("requeue", "resumed", "presented"), [(True, [], 2), (False, ["resume"], 1)])
def test_an_acknowledged_request_is_resumed_and_a_requeued_one_presented_again(
    io: Any, requeue: bool, resumed: list[str], presented: int
) -> None:
    w = io()
    calls = []

    def stop(queue: Any, request: Any, action: int) -> None:
        calls.append(action)
        request.stop_acknowledge(requeue)

    queue = w.queue(
        PARALLEL, default_queue=True, evt_io_read=keep(w), evt_io_stop=stop,
        evt_io_resume=lambda queue, request: w.log.append("resume"),
    )  # fmt: skip
    irp = w.read()
    w.run()
    w.call(queue.power_stop)
    assert calls == [1]
    w.call(queue.power_start)
    assert (w.log, len(w.kept)) == (resumed, presented)
    w.call(w.kept[-1].complete)
    assert irp.status == 0


def test_evt_io_stop_says_which_requests_are_cancelable(io: Any) -> None:
    w = io()

    def stop(queue: Any, request: Any, action: int) -> None:
        w.log.append(action)
        request.unmark_cancelable()
        request.complete()

    def read(queue: Any, request: Any, length: int) -> None:
        request.mark_cancelable(print)

    queue = w.queue(PARALLEL, default_queue=True, evt_io_read=read, evt_io_stop=stop)
    w.read()
    w.run()
    w.call(queue.power_stop)
    assert w.log == [0x1000_0001]


def test_removal_cancels_what_waits_and_asks_for_the_rest(io: Any) -> None:
    w = io()

    def stop(queue: Any, request: Any, action: int) -> None:
        w.log.append(action)
        request.complete(ntstatus.STATUS_DEVICE_REMOVED)

    queue = w.queue(SEQUENTIAL, default_queue=True, evt_io_read=keep(w), evt_io_stop=stop)
    owned, waiting = w.read(), w.read()
    w.run()
    w.call(queue.purge_for_removal)
    assert (owned.status, waiting.status, w.log) == (ntstatus.STATUS_DEVICE_REMOVED, ntstatus.STATUS_CANCELLED, [2])


def test_stop_acknowledge_that_nobody_asked_for_is_a_finding(io: Any) -> None:
    w = io()
    w.queue(PARALLEL, default_queue=True, evt_io_read=lambda queue, request, length: request.stop_acknowledge(True))
    irp = w.read()
    w.run()
    [(rule, sentence)] = w.findings
    assert rule == "stop-acknowledge"
    assert sentence.endswith("nobody asked; it answers EvtIoStop")
    assert irp.status == ntstatus.STATUS_PENDING
    assert w.io.outstanding == [irp]


def test_a_request_in_a_power_managed_queue_keeps_the_device_from_idling(io: Any) -> None:
    w = io()
    w.queue(PARALLEL, default_queue=True, evt_io_read=keep(w))
    w.read()
    w.run()
    assert w.device.idle.references == 1
    complete_all(w)
    assert w.device.idle.references == 0


def test_what_was_acknowledged_in_dx_is_asked_for_again_when_the_device_goes(io: Any) -> None:
    w = io()

    def stop(queue: Any, request: Any, action: int) -> None:
        w.log.append(action)
        if action & 2:
            request.complete(ntstatus.STATUS_DEVICE_REMOVED)
        else:
            request.stop_acknowledge(False)

    queue = w.queue(PARALLEL, default_queue=True, evt_io_read=keep(w), evt_io_stop=stop)
    irp = w.read()
    w.run()
    w.call(queue.power_stop)
    w.call(queue.purge_for_removal)
    assert (w.log, irp.status) == ([1, 2], ntstatus.STATUS_DEVICE_REMOVED)


def test_a_request_wakes_an_idle_device_and_is_presented_in_d0(io: Any) -> None:
    w = io(d0=False)
    w.device.idle.assign(S0IdleSettings(idle_timeout=1))

    def read(queue: Any, request: Any, length: int) -> None:
        w.log.append(w.device.power.state)
        request.complete()

    w.queue(PARALLEL, default_queue=True, evt_io_read=read)
    w.call(lambda: w.device.pnp.start((), (), lambda: 0))
    assert w.device.power.state == 4
    irp = w.read()
    w.run()
    assert (w.log, irp.status, w.device.power.state) == ([1], 0, 4)


def test_removal_ends_every_request_and_later_ones_find_no_device(io: Any) -> None:
    w = io(d0=False)
    w.queue(MANUAL, default_queue=True)
    w.call(lambda: w.device.pnp.start((), (), lambda: 0))
    irp = w.read()
    w.run()
    w.call(w.device.pnp.remove)
    late = w.read()
    w.run()
    assert (irp.status, late.status) == (ntstatus.STATUS_CANCELLED, ntstatus.STATUS_NO_SUCH_DEVICE)
    assert w.io.outstanding == []


@pytest.mark.parametrize("seed", range(20))
def test_power_going_and_coming_while_requests_are_cancelled_and_completed_loses_none(io: Any, seed: int) -> None:
    w = io(2, chooser=RandomChooser(seed))

    lock = w.call(lambda: SpinLock.create(w.device))
    kept: list[Any] = []  # under the lock: requests that are marked cancelable

    def take(request: Any) -> bool:
        """True for whoever gets to finish the request."""
        lock.acquire()
        mine = request in kept and request.unmark_cancelable() == ntstatus.STATUS_SUCCESS
        if mine:
            kept.remove(request)
        lock.release()
        return mine

    def cancel(request: Any) -> None:
        lock.acquire()
        kept.remove(request)
        lock.release()
        request.complete(ntstatus.STATUS_CANCELLED)

    def stop(queue: Any, request: Any, action: int) -> None:
        if take(request):
            request.stop_acknowledge(True)

    def read(queue: Any, request: Any, length: int) -> None:
        lock.acquire()
        cancelled = request.mark_cancelable_ex(cancel) == ntstatus.STATUS_CANCELLED
        if not cancelled:
            kept.append(request)
        lock.release()
        if cancelled:
            request.complete(ntstatus.STATUS_CANCELLED)

    queue = w.queue(PARALLEL, default_queue=True, evt_io_read=read, evt_io_stop=stop)

    def serve() -> None:
        for request in list(kept):
            if take(request):
                request.complete()

    irps = [w.read(name=f"read{i}") for i in range(4)]
    w.io.start_cancel(irps[0])
    w.thread(serve)
    w.thread(lambda: (queue.power_stop(), queue.power_start()))
    w.run()
    w.call(serve)
    assert {irp.status for irp in irps} <= {ntstatus.STATUS_SUCCESS, ntstatus.STATUS_CANCELLED}
    assert (queue.waiting, queue.with_driver, w.device.idle.references) == (type(queue.waiting)(), [], 0)

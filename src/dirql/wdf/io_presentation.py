"""How a queue's requests wait, are presented to the driver and leave again: what `IoQueue`'s routines are made of.

A request is presented on the thread (or in the DPC) that made it possible: whoever sent it, or completed the one before.
Where that cannot be (the queue's callbacks need PASSIVE_LEVEL, or its lock is held by the caller) a work item or DPC does it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.kernel.dpc import Kdpc
from dirql.kernel.irql import PASSIVE_LEVEL
from dirql.kernel.wait import Event, wait
from dirql.ntstatus import StatusError
from dirql.wdf.interrupt_config import TriState
from dirql.wdf.io_config import IoQueueConfig, IoQueueDispatchType, RequestStopActionFlags, RequestType
from dirql.wdf.lock import callback_lock, execution_level
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes
from dirql.wdf.request import Request
from dirql.wdf.work_item import SystemWorkItem

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["Presentation", "StateCallback"]

StateCallback = Callable[[Any, Any], None]


class Presentation(Object):
    """`waiting` requests are the framework's, `with_driver` are those that it presented or a driver retrieved."""

    kind = "WDFQUEUE"

    def __init__(self, device: Device, parent: Object, config: IoQueueConfig, attributes: ObjectAttributes | None) -> None:
        super().__init__(device.framework, parent, attributes)
        self.of_device = device
        self.config = config
        self.dispatch_type = IoQueueDispatchType(config.dispatch_type)
        self.manual = self.dispatch_type == IoQueueDispatchType.Manual
        self.power_managed = config.power_managed != TriState.WdfFalse
        self.request_types: set[RequestType] = set()  # configured to come here
        self.waiting: deque[Request] = deque()
        self.with_driver: list[Request] = []
        self.accepting = self.dispatching = True
        self.powered = device.in_d0
        self._passive = execution_level(self) == ExecutionLevel.Passive
        self._lock = callback_lock(self)
        self._presenting: list[Any] = []  # who is inside `_present_all`
        self._dpc = Kdpc(self.framework.kernel, lambda dpc, context, a, b: self._present_all(), None, f"{self.name} dispatch")
        self._dpc.guarded = True
        self._work = SystemWorkItem(self.framework, f"{self.name} dispatch", self._present_all)
        self._when: tuple[bool, StateCallback, Any] | None = None
        self.ready_callback: tuple[StateCallback, Any] | None = None
        self.was_empty = True
        self._referenced = False
        self._changed = Event(self.framework.kernel, name=f"the requests of {self.name}")

    def arrive(self, request: Request) -> None:
        """A new request of the I/O manager's."""
        if not self.accepting:
            request.finish(ntstatus.STATUS_INVALID_DEVICE_STATE)
        elif request.irp.cancelled:
            request.finish(ntstatus.STATUS_CANCELLED)
        elif self._is_zero_length(request) and not self.config.allow_zero_length_requests:
            request.finish(ntstatus.STATUS_SUCCESS)
        else:
            self.insert(request)

    def insert(self, request: Request, *, at_head: bool = False) -> None:
        """Into the queue; presented if that is possible now."""
        request.queue = self
        if self.machine.watch is not None:
            self.machine.watch.release(request)
        request.irp.cancel_routine = lambda: self._canceled(request)
        if at_head:
            self.waiting.appendleft(request)
        else:
            self.waiting.append(request)
        if request.irp.cancelled:
            request.irp.cancel()
        self.go_on()

    def let_go(self, request: Request) -> None:
        """The driver does not have it any more."""
        self.with_driver.remove(request)
        request.owned = request.acknowledged = False
        self.settle_stop(request)

    def settle_stop(self, request: Request) -> None:
        """EvtIoStop is answered, as far as this request goes."""
        request.stopping = False
        self._changed.state = True
        self._changed.signal()

    def go_on(self) -> None:
        """Something changed: present what can be presented, tell who waits for a state."""
        self._update_power_reference()
        if self.manual:
            self._tell_ready()
        elif self._next_can_go():
            self._present_here_or_later()
        self._tell_state()

    def call(self, name: str, callback: Callable[..., Any], *args: Any) -> None:
        """A callback of the queue's driver: with the presentation lock if there is one, at PASSIVE_LEVEL if need be."""
        kernel = self.framework.kernel
        if self._passive and self.machine.cpu.irql > PASSIVE_LEVEL:
            kernel.work.queue(lambda _: self.call(name, callback, *args), None)
        elif self._lock is None or self._lock.owned:
            self.framework.call(name, self, callback, *args)
        else:
            with self._lock:
                self.framework.call(name, self, callback, *args)

    def may_retrieve(self, routine: str) -> bool:
        """True if there is something to retrieve; raises `StatusError` where nothing may be."""
        if self.dispatch_type == IoQueueDispatchType.Parallel:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, f"{routine}: {self.name} is a parallel queue")
        if not self.dispatching or (self.power_managed and not self.powered):
            why = "is stopped" if not self.dispatching else "waits for D0"
            raise StatusError(ntstatus.STATUS_WDF_PAUSED, f"{routine}: {self.name} {why}")
        return bool(self.waiting)

    def retrieve(self, index: int, routine: str) -> Request:
        """The request at `index`, now the driver's."""
        request = self._take(index)
        self.was_empty = not self.waiting
        self.framework.note(f"{routine} of {self.name} returns {request.name}")
        return request

    def cancel_all(self) -> None:
        """Cancel what waits, and what the driver has and marked cancelable."""
        for request in [*self.waiting, *self.with_driver]:
            if not request.completed:
                request.irp.cancel()

    def stop_requests(self, action: RequestStopActionFlags) -> None:
        """EvtIoStop for each request of the driver's; returns when each is completed, acknowledged or in a queue again."""
        again = bool(action & RequestStopActionFlags.Purge)  # model choice: what was acknowledged for Suspend is asked for again
        requests = [r for r in self.with_driver if again or not r.acknowledged]
        for request in requests:
            request.stopping, request.acknowledged = True, False
        for request in requests:
            if request.stopping and self.config.evt_io_stop is not None:
                cancelable = RequestStopActionFlags.RequestCancelable if request.cancelable else RequestStopActionFlags(0)
                self.call("EvtIoStop", self.config.evt_io_stop, self, request, action | cancelable)
        self.wait_until(lambda: not any(r.stopping for r in requests))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Block until the requests are such that `condition` holds."""
        while not condition():
            self._changed.state = False
            wait(self.framework.kernel, [self._changed], False, None)

    def is_empty(self) -> bool:
        """Nothing waits, and the driver has nothing."""
        return not self.waiting and not self.with_driver

    def notify(self, when_empty: bool, callback: StateCallback | None, context: Any) -> None:
        """Call `callback(queue, context)` once the driver has no request and, if `when_empty`, none waits."""
        if callback is not None and self._when is not None:
            self.framework.complain("queue-state-callback", f"{self.name} has a state callback that was not called yet; "
                                    f"the second one is not kept")  # fmt: skip
        elif callback is not None:
            self._when = when_empty, callback, context
        self.go_on()

    def _next_can_go(self) -> bool:
        if not self.waiting or not self.dispatching or (self.power_managed and not self.powered):
            return False
        if self.dispatch_type == IoQueueDispatchType.Sequential:
            return not self.with_driver
        return len(self.with_driver) < self.config.number_of_presented_requests

    def _present_here_or_later(self) -> None:
        cpu = self.machine.cpu
        if self._passive and cpu.irql > PASSIVE_LEVEL:
            self._work.enqueue()
        elif self._context() in self._presenting:
            return  # the frame further out goes on
        elif self._lock is not None and self._lock.owned:
            if self._passive:
                self._work.enqueue()
            else:
                self._dpc.enqueue()
        else:
            self._present_all()

    def _context(self) -> Any:
        cpu = self.machine.cpu
        return cpu.thread if cpu.dpc is None else cpu

    def _present_all(self) -> None:
        context = self._context()
        if context in self._presenting:
            return
        self._presenting.append(context)
        while self._next_can_go():
            self._present(self._take(0))
        self._presenting.remove(context)

    def _take(self, index: int) -> Request:
        request = self.waiting[index]
        del self.waiting[index]
        if self.machine.watch is not None:
            self.machine.watch.acquire(request)
            if self.dispatch_type == IoQueueDispatchType.Sequential:  # the one before it is completed
                self.machine.watch.acquire(self._changed)
        request.irp.cancel_routine = None
        self._give_to_driver(request)
        return request

    def _give_to_driver(self, request: Request) -> None:
        request.owned = request.presented = True
        self.with_driver.append(request)

    def _present(self, request: Request) -> None:
        config, asked = self.config, request.parameters
        control = (asked.output_buffer_length, asked.input_buffer_length, asked.io_control_code)
        table: dict[RequestType, tuple[str, Callable[..., None] | None, tuple[int, ...]]] = {
            RequestType.Read: ("EvtIoRead", config.evt_io_read, (asked.length,)),
            RequestType.Write: ("EvtIoWrite", config.evt_io_write, (asked.length,)),
            RequestType.DeviceControl: ("EvtIoDeviceControl", config.evt_io_device_control, control),
            RequestType.DeviceControlInternal: ("EvtIoInternalDeviceControl", config.evt_io_internal_device_control, control),
        }
        name, callback, values = table.get(request.type, ("EvtIoDefault", None, ()))
        if callback is None:
            name, callback, values = "EvtIoDefault", config.evt_io_default, ()
        if callback is None:
            request.finish(ntstatus.STATUS_INVALID_DEVICE_REQUEST)
        else:
            self.call(name, callback, self, request, *values)

    def _canceled(self, request: Request) -> None:
        """Cancelled while it waits."""
        self.waiting.remove(request)
        callback = self.config.evt_io_canceled_on_queue
        if request.presented and callback is not None:
            self._give_to_driver(request)
            self.call("EvtIoCanceledOnQueue", callback, self, request)
        else:
            request.finish(ntstatus.STATUS_CANCELLED)
        self.go_on()

    def _tell_state(self) -> None:
        if self._when is not None:
            when_empty, callback, context = self._when
            if not self.with_driver and not (when_empty and self.waiting):
                self._when = None
                self.call("EvtIoQueueState", callback, self, context)
        self._changed.state = True
        self._changed.signal()

    def _tell_ready(self) -> None:
        usable = self.dispatching and (self.powered or not self.power_managed)
        if self.waiting and self.was_empty and usable and self.ready_callback is not None:
            self.was_empty = False
            callback, context = self.ready_callback
            self.call("EvtIoQueueReady", callback, self, context)
        elif not self.waiting:
            self.was_empty = True

    def _update_power_reference(self) -> None:
        """A power-managed queue with a request, waiting or with the driver, keeps the device from idling (facts §3.2)."""
        wanted = self.power_managed and not self.is_empty()
        if wanted != self._referenced:
            self._referenced = wanted
            if wanted:
                self.of_device.idle.stop_idle(False)
            else:
                self.of_device.idle.resume_idle()

    def _is_zero_length(self, request: Request) -> bool:
        return request.type in (RequestType.Read, RequestType.Write) and request.parameters.length == 0

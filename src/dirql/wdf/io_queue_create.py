"""WdfIoQueueCreate's checks, and which queue of a device gets which request (WdfDeviceConfigureRequestDispatching)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.ntstatus import StatusError
from dirql.wdf.creation import validate as validate_attributes
from dirql.wdf.io_config import IoQueueConfig, IoQueueDispatchType, RequestType
from dirql.wdf.lock import execution_level, synchronization_scope
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope, expect, expect_parameter

if TYPE_CHECKING:
    from dirql.wdf.device import Device
    from dirql.wdf.io_queue import IoQueue

__all__ = ["configure_request_dispatching", "queue_for", "validate"]


def validate(device: Device, config: IoQueueConfig, attributes: ObjectAttributes | None) -> Object:
    """The parent that the queue gets; raises `StatusError` at the first condition that fails."""
    from dirql.wdf.device import Device as DeviceClass

    name = "WdfIoQueueCreate"
    expect(device, DeviceClass, name)
    expect_parameter(config, "Config", name)
    validate_attributes("WDFQUEUE", attributes, levels_allowed=True)
    if config.dispatch_type not in (1, 2, 3):
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: DispatchType {config.dispatch_type} is not 1, 2 or 3")
    if config.dispatch_type == IoQueueDispatchType.Parallel and config.number_of_presented_requests == 0:
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: NumberOfPresentedRequests is 0")
    if config.dispatch_type != IoQueueDispatchType.Manual and not config.has_handler:
        raise StatusError(ntstatus.STATUS_WDF_NO_CALLBACK, f"{name}: no EvtIo… callback, and the queue is not manual")
    parent = attributes.parent_object if attributes is not None else None
    if parent is not None and parent.device is not device:
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: the parent {parent.name} is not below {device.name}")
    _refuse_levels(device, parent if parent is not None else device, attributes)
    if config.default_queue and device.default_queue is not None:
        raise StatusError(ntstatus.STATUS_UNSUCCESSFUL, f"{name}: {device.name} has a default queue already")
    return parent if parent is not None else device


def _refuse_levels(device: Device, parent: Object, attributes: ObjectAttributes | None) -> None:
    """A queue that shares the device's lock cannot be at another execution level than the device."""
    level, scope = execution_level(parent), synchronization_scope(parent)
    if attributes is not None and attributes.execution_level != ExecutionLevel.InheritFromParent:
        level = ExecutionLevel(attributes.execution_level)
    if attributes is not None and attributes.synchronization_scope != SynchronizationScope.InheritFromParent:
        scope = SynchronizationScope(attributes.synchronization_scope)
    if scope == SynchronizationScope.Device and level != execution_level(device):
        problem = f"scope Device with level {level.name}, while {device.name} is at {execution_level(device).name}"
        raise StatusError(ntstatus.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL, f"WdfIoQueueCreate: {problem}")


@ddi("WdfDeviceConfigureRequestDispatching")
def configure_request_dispatching(device: Device, queue: IoQueue, request_type: int) -> None:
    """WdfDeviceConfigureRequestDispatching: that type goes to `queue`; STATUS_WDF_BUSY if another queue has it."""
    from dirql.wdf.io_queue import IoQueue as QueueClass

    name = "WdfDeviceConfigureRequestDispatching"
    expect(queue, QueueClass, name)
    try:
        type_ = RequestType(request_type)
    except ValueError:
        raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: request type {request_type:#x} goes to no queue") from None
    if queue.of_device is not device:
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: {queue.name} is not a queue of {device.name}")
    if not queue.manual and not queue.config.handles(type_):
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: {queue.name} has no callback for {type_.name}")
    other = next((q for q in device.queues if type_ in q.request_types), None)
    if other is not None:
        raise StatusError(ntstatus.STATUS_WDF_BUSY, f"{name}: {type_.name} goes to {other.name} already")
    queue.request_types.add(type_)


def queue_for(device: Device, type_: RequestType) -> IoQueue | None:
    """The queue that was configured for the type, else the default queue."""
    queue: IoQueue | None = next((q for q in device.queues if type_ in q.request_types), device.default_queue)
    return queue

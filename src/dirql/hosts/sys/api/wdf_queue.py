"""WdfIoQueue*."""

from __future__ import annotations

from typing import Any

from dirql.hosts.sys.abi import LONG, NTSTATUS, PVOID, ULONG, ULONG_PTR, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_parameters import event, required, sized
from dirql.hosts.sys.wdf_requests import give_parameters
from dirql.hosts.sys.wdf_structs import WDF_IO_QUEUE_CONFIG, WDF_OBJECT_ATTRIBUTES, WDF_REQUEST_PARAMETERS
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_NO_MORE_ENTRIES, STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.io_config import UNLIMITED_REQUESTS, IoQueueConfig
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.object import Object
from dirql.wdf.request import Request

__all__: list[str] = []

OLDER = (0x50, 0x58)  # up to KMDF 1.7 without Settings, up to 1.9 without Driver


@wdf
def WdfIoQueueCreate(
    guest: Guest, device: Handle[Device], config: Ptr[WDF_IO_QUEUE_CONFIG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, queue: Out[Handle[IoQueue]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfIoQueueCreate."""
    view = sized(config, "Config", "WdfIoQueueCreate", *OLDER)
    given = view.load(view.Size)
    presented = given.Settings.Parallel.NumberOfPresentedRequests if view.Size != OLDER[0] else UNLIMITED_REQUESTS
    values = IoQueueConfig(
        given.DispatchType, given.PowerManaged, bool(given.AllowZeroLengthRequests), bool(given.DefaultQueue),
        event(guest, given.EvtIoDefault), event(guest, given.EvtIoRead), event(guest, given.EvtIoWrite),
        event(guest, given.EvtIoDeviceControl), event(guest, given.EvtIoInternalDeviceControl),
        event(guest, given.EvtIoStop), event(guest, given.EvtIoResume), event(guest, given.EvtIoCanceledOnQueue), presented,
    )  # fmt: skip
    made = IoQueue.create(device, values, attributes_of(guest, attributes, "WdfIoQueueCreate"))
    if queue is not None:
        queue(made)
    return STATUS_SUCCESS


@wdf
def WdfIoQueueGetState(
    guest: Guest, queue: Handle[IoQueue], queue_requests: Out[ULONG] | None, driver_requests: Out[ULONG] | None
) -> LONG:
    """WdfIoQueueGetState."""
    state, waiting, with_driver = queue.get_state()
    if queue_requests is not None:
        queue_requests(waiting)
    if driver_requests is not None:
        driver_requests(with_driver)
    return state


@wdf
def WdfIoQueueGetDevice(guest: Guest, queue: Handle[IoQueue]) -> Handle[Device]:
    """WdfIoQueueGetDevice."""
    return queue.get_device()


@wdf
def WdfIoQueueStart(guest: Guest, queue: Handle[IoQueue]) -> VOID:
    """WdfIoQueueStart."""
    queue.start()


@wdf
def WdfIoQueueStop(guest: Guest, queue: Handle[IoQueue], complete: PVOID, context: ULONG_PTR) -> VOID:
    """WdfIoQueueStop."""
    queue.stop(event(guest, complete), context)


@wdf
def WdfIoQueueStopSynchronously(guest: Guest, queue: Handle[IoQueue]) -> VOID:
    """WdfIoQueueStopSynchronously."""
    queue.stop_synchronously()


@wdf
def WdfIoQueuePurge(guest: Guest, queue: Handle[IoQueue], complete: PVOID, context: ULONG_PTR) -> VOID:
    """WdfIoQueuePurge."""
    queue.purge(event(guest, complete), context)


@wdf
def WdfIoQueuePurgeSynchronously(guest: Guest, queue: Handle[IoQueue]) -> VOID:
    """WdfIoQueuePurgeSynchronously."""
    queue.purge_synchronously()


@wdf
def WdfIoQueueDrain(guest: Guest, queue: Handle[IoQueue], complete: PVOID, context: ULONG_PTR) -> VOID:
    """WdfIoQueueDrain."""
    queue.drain(event(guest, complete), context)


@wdf
def WdfIoQueueDrainSynchronously(guest: Guest, queue: Handle[IoQueue]) -> VOID:
    """WdfIoQueueDrainSynchronously."""
    queue.drain_synchronously()


@wdf
def WdfIoQueueStopAndPurge(guest: Guest, queue: Handle[IoQueue], complete: PVOID, context: ULONG_PTR) -> VOID:
    """WdfIoQueueStopAndPurge."""
    queue.stop_and_purge(event(guest, complete), context)


@wdf
def WdfIoQueueStopAndPurgeSynchronously(guest: Guest, queue: Handle[IoQueue]) -> VOID:
    """WdfIoQueueStopAndPurgeSynchronously."""
    queue.stop_and_purge_synchronously()


@wdf
def WdfIoQueueReadyNotify(guest: Guest, queue: Handle[IoQueue], ready: PVOID, context: ULONG_PTR) -> NTSTATUS:
    """WdfIoQueueReadyNotify."""
    queue.ready_notify(event(guest, ready), context)
    return STATUS_SUCCESS


@wdf
def WdfIoQueueRetrieveNextRequest(guest: Guest, queue: Handle[IoQueue], request: Out[Handle[Request]] | None) -> NTSTATUS:
    """WdfIoQueueRetrieveNextRequest."""
    out = _place(request, "WdfIoQueueRetrieveNextRequest")
    return _found(out, queue.retrieve_next_request())


@wdf
def WdfIoQueueRetrieveRequestByFileObject(
    guest: Guest, queue: Handle[IoQueue], file: Handle[Object], request: Out[Handle[Request]] | None
) -> NTSTATUS:
    """WdfIoQueueRetrieveRequestByFileObject."""
    out = _place(request, "WdfIoQueueRetrieveRequestByFileObject")
    return _found(out, queue.retrieve_request_by_file_object(file))


@wdf
def WdfIoQueueFindRequest(
    guest: Guest, queue: Handle[IoQueue], found: Handle[Request] | None, file: Handle[Object] | None,
    parameters: Ptr[WDF_REQUEST_PARAMETERS] | None, request: Out[Handle[Request]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfIoQueueFindRequest."""
    out = _place(request, "WdfIoQueueFindRequest")
    next_ = queue.find_request(found, file)
    if next_ is not None and parameters is not None:
        give_parameters(guest, parameters, next_.parameters, "WdfIoQueueFindRequest")
    return _found(out, next_)


@wdf
def WdfIoQueueRetrieveFoundRequest(
    guest: Guest, queue: Handle[IoQueue], found: Handle[Request], request: Out[Handle[Request]] | None
) -> NTSTATUS:
    """WdfIoQueueRetrieveFoundRequest."""
    out = _place(request, "WdfIoQueueRetrieveFoundRequest")
    return _found(out, queue.retrieve_found_request(found))


def _place(request: Out[Any] | None, routine: str) -> Out[Any]:
    """Where the request goes: NULL until there is one."""
    out = required(request, "OutRequest", routine)
    out(None)
    return out


def _found(out: Out[Any], request: Request | None) -> int:
    if request is None:
        return STATUS_NO_MORE_ENTRIES
    out(request)
    return STATUS_SUCCESS

"""WdfRequest*: what a request asks for, its buffers, its end."""

from __future__ import annotations

from dirql.hosts.sys.abi import (
    BOOLEAN,
    CHAR,
    NTSTATUS,
    PVOID,
    SIZE_T,
    ULONG,
    ULONG_PTR,
    VOID,
    Handle,
    Out,
    Ptr,
    wdf,
)
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.irps import Irps
from dirql.hosts.sys.wdf_parameters import event, required
from dirql.hosts.sys.wdf_requests import buffer_of, give_parameters, mdl_of
from dirql.hosts.sys.wdf_structs import WDF_REQUEST_PARAMETERS
from dirql.kernel.mdl import Buffer
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.memory import Memory
from dirql.wdf.object import Object
from dirql.wdf.request import Request

__all__: list[str] = []

# What it asks for.


@wdf
def WdfRequestGetParameters(guest: Guest, request: Handle[Request], parameters: Ptr[WDF_REQUEST_PARAMETERS] | None) -> VOID:
    """WdfRequestGetParameters."""
    name = "WdfRequestGetParameters"
    view = required(parameters, "Parameters", name)
    give_parameters(guest, view, request.get_parameters(), name)


@wdf
def WdfRequestRetrieveInputMemory(guest: Guest, request: Handle[Request], memory: Out[Handle[Memory]] | None) -> NTSTATUS:
    """WdfRequestRetrieveInputMemory."""
    required(memory, "Memory", "WdfRequestRetrieveInputMemory")(request.retrieve_input_memory())
    return STATUS_SUCCESS


@wdf
def WdfRequestRetrieveOutputMemory(guest: Guest, request: Handle[Request], memory: Out[Handle[Memory]] | None) -> NTSTATUS:
    """WdfRequestRetrieveOutputMemory."""
    required(memory, "Memory", "WdfRequestRetrieveOutputMemory")(request.retrieve_output_memory())
    return STATUS_SUCCESS


@wdf
def WdfRequestRetrieveInputBuffer(
    guest: Guest, request: Handle[Request], minimum: SIZE_T, buffer: Out[PVOID] | None, length: Out[SIZE_T] | None
) -> NTSTATUS:
    """WdfRequestRetrieveInputBuffer."""
    out = required(buffer, "Buffer", "WdfRequestRetrieveInputBuffer")
    return _give(guest, request, request.retrieve_input_buffer(minimum), out, length)


@wdf
def WdfRequestRetrieveOutputBuffer(
    guest: Guest, request: Handle[Request], minimum: SIZE_T, buffer: Out[PVOID] | None, length: Out[SIZE_T] | None
) -> NTSTATUS:
    """WdfRequestRetrieveOutputBuffer."""
    out = required(buffer, "Buffer", "WdfRequestRetrieveOutputBuffer")
    return _give(guest, request, request.retrieve_output_buffer(minimum), out, length)


@wdf
def WdfRequestRetrieveInputWdmMdl(guest: Guest, request: Handle[Request], mdl: Out[PVOID] | None) -> NTSTATUS:
    """WdfRequestRetrieveInputWdmMdl."""
    out = required(mdl, "Mdl", "WdfRequestRetrieveInputWdmMdl")
    out(mdl_of(guest, request, request.retrieve_input_wdm_mdl()))
    return STATUS_SUCCESS


@wdf
def WdfRequestRetrieveOutputWdmMdl(guest: Guest, request: Handle[Request], mdl: Out[PVOID] | None) -> NTSTATUS:
    """WdfRequestRetrieveOutputWdmMdl."""
    out = required(mdl, "Mdl", "WdfRequestRetrieveOutputWdmMdl")
    out(mdl_of(guest, request, request.retrieve_output_wdm_mdl()))
    return STATUS_SUCCESS


@wdf
def WdfRequestRetrieveUnsafeUserInputBuffer(
    guest: Guest, request: Handle[Request], minimum: SIZE_T, buffer: Out[PVOID] | None, length: Out[SIZE_T] | None
) -> NTSTATUS:
    """WdfRequestRetrieveUnsafeUserInputBuffer."""
    required(buffer, "InputBuffer", "WdfRequestRetrieveUnsafeUserInputBuffer")
    request.retrieve_unsafe_user_input_buffer(minimum)
    return STATUS_SUCCESS


@wdf
def WdfRequestRetrieveUnsafeUserOutputBuffer(
    guest: Guest, request: Handle[Request], minimum: SIZE_T, buffer: Out[PVOID] | None, length: Out[SIZE_T] | None
) -> NTSTATUS:
    """WdfRequestRetrieveUnsafeUserOutputBuffer."""
    required(buffer, "OutputBuffer", "WdfRequestRetrieveUnsafeUserOutputBuffer")
    request.retrieve_unsafe_user_output_buffer(minimum)
    return STATUS_SUCCESS


@wdf
def WdfRequestGetFileObject(guest: Guest, request: Handle[Request]) -> Handle[Object] | None:
    """WdfRequestGetFileObject: NULL where the sender opened none."""
    file = request.get_file_object()
    return file if isinstance(file, Object) else None


@wdf
def WdfRequestGetRequestorMode(guest: Guest, request: Handle[Request]) -> CHAR:
    """WdfRequestGetRequestorMode."""
    return request.get_requestor_mode()


@wdf
def WdfRequestGetRequestorProcessId(guest: Guest, request: Handle[Request]) -> ULONG:
    """WdfRequestGetRequestorProcessId."""
    return request.get_requestor_process_id()


@wdf
def WdfRequestIsFrom32BitProcess(guest: Guest, request: Handle[Request]) -> BOOLEAN:
    """WdfRequestIsFrom32BitProcess."""
    return request.is_from_32bit_process()


@wdf
def WdfRequestIsReserved(guest: Guest, request: Handle[Request]) -> BOOLEAN:
    """WdfRequestIsReserved."""
    return request.is_reserved()


@wdf
def WdfRequestWdmGetIrp(guest: Guest, request: Handle[Request]) -> PVOID:
    """WdfRequestWdmGetIrp."""
    return guest.part(Irps).address(request.wdm_get_irp())


@wdf
def WdfRequestGetIoQueue(guest: Guest, request: Handle[Request]) -> Handle[IoQueue] | None:
    """WdfRequestGetIoQueue."""
    return request.get_io_queue()


@wdf
def WdfRequestGetStatus(guest: Guest, request: Handle[Request]) -> NTSTATUS:
    """WdfRequestGetStatus."""
    return request.get_status()


@wdf
def WdfRequestSetInformation(guest: Guest, request: Handle[Request], information: ULONG_PTR) -> VOID:
    """WdfRequestSetInformation."""
    request.set_information(information)


@wdf
def WdfRequestGetInformation(guest: Guest, request: Handle[Request]) -> ULONG_PTR:
    """WdfRequestGetInformation."""
    return request.get_information()


# How it ends.


@wdf
def WdfRequestComplete(guest: Guest, request: Handle[Request], status: NTSTATUS) -> VOID:
    """WdfRequestComplete."""
    request.complete(status)


@wdf
def WdfRequestCompleteWithInformation(guest: Guest, request: Handle[Request], status: NTSTATUS, information: ULONG_PTR) -> VOID:
    """WdfRequestCompleteWithInformation."""
    request.complete_with_information(status, information)


@wdf
def WdfRequestCompleteWithPriorityBoost(guest: Guest, request: Handle[Request], status: NTSTATUS, boost: CHAR) -> VOID:
    """WdfRequestCompleteWithPriorityBoost."""
    request.complete_with_priority_boost(status, boost)


# Cancellation.


@wdf
def WdfRequestMarkCancelable(guest: Guest, request: Handle[Request], cancel: PVOID) -> VOID:
    """WdfRequestMarkCancelable."""
    request.mark_cancelable(required(event(guest, cancel), "EvtRequestCancel", "WdfRequestMarkCancelable"))


@wdf
def WdfRequestMarkCancelableEx(guest: Guest, request: Handle[Request], cancel: PVOID) -> NTSTATUS:
    """WdfRequestMarkCancelableEx."""
    return request.mark_cancelable_ex(required(event(guest, cancel), "EvtRequestCancel", "WdfRequestMarkCancelableEx"))


@wdf
def WdfRequestUnmarkCancelable(guest: Guest, request: Handle[Request]) -> NTSTATUS:
    """WdfRequestUnmarkCancelable."""
    return request.unmark_cancelable()


@wdf
def WdfRequestIsCanceled(guest: Guest, request: Handle[Request]) -> BOOLEAN:
    """WdfRequestIsCanceled."""
    return request.is_canceled()


# Between queues.


@wdf
def WdfRequestForwardToIoQueue(guest: Guest, request: Handle[Request], queue: Handle[IoQueue]) -> NTSTATUS:
    """WdfRequestForwardToIoQueue."""
    request.forward_to_io_queue(queue)
    return STATUS_SUCCESS


@wdf
def WdfRequestRequeue(guest: Guest, request: Handle[Request]) -> NTSTATUS:
    """WdfRequestRequeue."""
    request.requeue()
    return STATUS_SUCCESS


@wdf
def WdfRequestStopAcknowledge(guest: Guest, request: Handle[Request], requeue: BOOLEAN) -> VOID:
    """WdfRequestStopAcknowledge."""
    request.stop_acknowledge(requeue)


def _give(guest: Guest, request: Request, buffer: Buffer, out: Out[int], length: Out[int] | None) -> int:
    out(buffer_of(guest, request, buffer))
    if length is not None:
        length(len(buffer))
    return STATUS_SUCCESS

"""WdfDmaTransaction*: the scatter/gather list that EvtProgramDma gets is in the driver's memory until the transfer is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dirql.hosts.sys.abi import BOOLEAN, LONG, NTSTATUS, PVOID, SIZE_T, ULONG, ULONG_PTR, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.mappings import Mappings
from dirql.hosts.sys.nt_structs import MDL, SCATTER_GATHER_ELEMENT, SCATTER_GATHER_LIST
from dirql.hosts.sys.wdf_parameters import required
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of, boolean
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.device import Device
from dirql.wdf.dma import DmaDirection, DmaEnabler
from dirql.wdf.dma_transaction import DmaTransaction, ScatterGatherList
from dirql.wdf.request import Request

__all__: list[str] = []


@wdf
def WdfDmaTransactionCreate(
    guest: Guest, enabler: Handle[DmaEnabler], attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    transaction: Out[Handle[DmaTransaction]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfDmaTransactionCreate."""
    name = "WdfDmaTransactionCreate"
    out = required(transaction, "DmaTransaction", name)
    out(DmaTransaction.create(enabler, attributes_of(guest, attributes, name)))
    return STATUS_SUCCESS


@wdf
def WdfDmaTransactionInitialize(
    guest: Guest, transaction: Handle[DmaTransaction], program: PVOID, direction: LONG, mdl: Ptr[MDL] | None,
    address: PVOID, length: SIZE_T,
) -> NTSTATUS:  # fmt: skip
    """WdfDmaTransactionInitialize: VirtualAddress is where in the MDL the transfer begins."""
    name = "WdfDmaTransactionInitialize"
    view, callback = required(mdl, "Mdl", name), _program(guest, program, name)
    offset = address - (view.StartVa + view.ByteOffset)
    transaction.initialize(callback, DmaDirection(bool(direction)), guest.part(Mappings).mdl_at(view.address), offset, length)
    return STATUS_SUCCESS


@wdf
def WdfDmaTransactionInitializeUsingRequest(
    guest: Guest, transaction: Handle[DmaTransaction], request: Handle[Request], program: PVOID, direction: LONG
) -> NTSTATUS:
    """WdfDmaTransactionInitializeUsingRequest."""
    callback = _program(guest, program, "WdfDmaTransactionInitializeUsingRequest")
    transaction.initialize_using_request(request, callback, DmaDirection(bool(direction)))
    return STATUS_SUCCESS


@wdf
def WdfDmaTransactionInitializeUsingOffset(
    guest: Guest, transaction: Handle[DmaTransaction], request: Handle[Request], program: PVOID, direction: LONG,
    offset: SIZE_T, length: SIZE_T,
) -> NTSTATUS:  # fmt: skip
    """WdfDmaTransactionInitializeUsingOffset."""
    callback = _program(guest, program, "WdfDmaTransactionInitializeUsingOffset")
    transaction.initialize_using_offset(request, callback, DmaDirection(bool(direction)), offset, length)
    return STATUS_SUCCESS


@wdf
def WdfDmaTransactionExecute(guest: Guest, transaction: Handle[DmaTransaction], context: ULONG_PTR) -> NTSTATUS:
    """WdfDmaTransactionExecute."""
    transaction.execute(context)
    return STATUS_SUCCESS


@wdf
def WdfDmaTransactionRelease(guest: Guest, transaction: Handle[DmaTransaction]) -> NTSTATUS:
    """WdfDmaTransactionRelease."""
    transaction.release()
    return STATUS_SUCCESS


@wdf
def WdfDmaTransactionCancel(guest: Guest, transaction: Handle[DmaTransaction]) -> BOOLEAN:
    """WdfDmaTransactionCancel."""
    return transaction.cancel()


@wdf
def WdfDmaTransactionDmaCompleted(
    guest: Guest, transaction: Handle[DmaTransaction], status: Out[NTSTATUS] | None
) -> BOOLEAN:  # fmt: skip
    """WdfDmaTransactionDmaCompleted."""
    out = required(status, "Status", "WdfDmaTransactionDmaCompleted")
    return _over(out, transaction.dma_completed())


@wdf
def WdfDmaTransactionDmaCompletedWithLength(
    guest: Guest, transaction: Handle[DmaTransaction], length: SIZE_T, status: Out[NTSTATUS] | None
) -> BOOLEAN:
    """WdfDmaTransactionDmaCompletedWithLength."""
    out = required(status, "Status", "WdfDmaTransactionDmaCompletedWithLength")
    return _over(out, transaction.dma_completed_with_length(length))


@wdf
def WdfDmaTransactionDmaCompletedFinal(
    guest: Guest, transaction: Handle[DmaTransaction], length: SIZE_T, status: Out[NTSTATUS] | None
) -> BOOLEAN:
    """WdfDmaTransactionDmaCompletedFinal."""
    out = required(status, "Status", "WdfDmaTransactionDmaCompletedFinal")
    return _over(out, transaction.dma_completed_final(length))


@wdf
def WdfDmaTransactionGetBytesTransferred(guest: Guest, transaction: Handle[DmaTransaction]) -> SIZE_T:
    """WdfDmaTransactionGetBytesTransferred."""
    return transaction.get_bytes_transferred()


@wdf
def WdfDmaTransactionGetCurrentDmaTransferLength(guest: Guest, transaction: Handle[DmaTransaction]) -> SIZE_T:
    """WdfDmaTransactionGetCurrentDmaTransferLength."""
    return transaction.get_current_dma_transfer_length()


@wdf
def WdfDmaTransactionGetRequest(guest: Guest, transaction: Handle[DmaTransaction]) -> Handle[Request] | None:
    """WdfDmaTransactionGetRequest."""
    return transaction.get_request()


@wdf
def WdfDmaTransactionGetDevice(guest: Guest, transaction: Handle[DmaTransaction]) -> Handle[Device]:
    """WdfDmaTransactionGetDevice."""
    return transaction.get_device()


@wdf
def WdfDmaTransactionSetMaximumLength(guest: Guest, transaction: Handle[DmaTransaction], length: SIZE_T) -> VOID:
    """WdfDmaTransactionSetMaximumLength."""
    transaction.set_maximum_length(length)


@wdf
def WdfDmaTransactionSetSingleTransferRequirement(guest: Guest, transaction: Handle[DmaTransaction], single: BOOLEAN) -> VOID:
    """WdfDmaTransactionSetSingleTransferRequirement."""
    transaction.set_single_transfer_requirement(single)


@wdf
def WdfDmaTransactionSetImmediateExecution(guest: Guest, transaction: Handle[DmaTransaction], immediate: BOOLEAN) -> VOID:
    """WdfDmaTransactionSetImmediateExecution."""
    transaction.set_immediate_execution(immediate)


@wdf
def WdfDmaTransactionGetTransferInfo(
    guest: Guest, transaction: Handle[DmaTransaction], registers: Out[ULONG] | None, elements: Out[ULONG] | None
) -> VOID:
    """WdfDmaTransactionGetTransferInfo."""
    needed = transaction.get_transfer_info()
    for out, value in zip((registers, elements), needed, strict=True):
        if out is not None:
            out(value)


def _program(guest: Guest, entry: int, routine: str) -> Callable[..., Any]:
    """EvtProgramDma: the driver's gets the list's address."""
    call = guest.callback(required(entry or None, "EvtProgramDmaFunction", routine), boolean)

    def program(transaction: DmaTransaction, device: Device, context: int, direction: int, sg_list: ScatterGatherList) -> Any:
        return call(transaction, device, context, int(direction), _placed(guest, transaction, sg_list))

    return program


def _placed(guest: Guest, transaction: DmaTransaction, sg_list: ScatterGatherList) -> int:
    size = SCATTER_GATHER_LIST.size + SCATTER_GATHER_ELEMENT.size * len(sg_list.elements)
    what = f"the scatter/gather list of {transaction.name}"
    region = guest.space.allocate(Area.BUFFER, size, what, at_end=True)
    SCATTER_GATHER_LIST(guest.space, region.start).NumberOfElements = len(sg_list.elements)
    for index, each in enumerate(sg_list.elements):
        at = region.start + SCATTER_GATHER_LIST.size + SCATTER_GATHER_ELEMENT.size * index
        element = SCATTER_GATHER_ELEMENT(guest.space, at)
        element.Address.QuadPart, element.Length = each.address, each.length
    transaction.transfer_ended = lambda: guest.space.free(region)
    return region.start


def _over(out: Out[int], result: tuple[bool, int]) -> bool:
    over, status = result
    out(status)
    return over

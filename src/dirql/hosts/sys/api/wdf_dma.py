"""WdfDmaEnabler* and WdfCommonBuffer*."""

from __future__ import annotations

from dirql.hosts.sys.abi import LONG, NTSTATUS, PVOID, SIZE_T, ULONGLONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.mappings import Mappings
from dirql.hosts.sys.wdf_parameters import event, required, sized
from dirql.hosts.sys.wdf_structs import WDF_COMMON_BUFFER_CONFIG, WDF_DMA_ENABLER_CONFIG, WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of, ntstatus_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.common_buffer import CommonBuffer, CommonBufferConfig
from dirql.wdf.device import Device
from dirql.wdf.dma import DmaDirection, DmaEnabler, DmaEnablerConfig

__all__: list[str] = []

OLDER = (0x40,)  # up to KMDF 1.9: without AddressWidthOverride and what follows


@wdf
def WdfDmaEnablerCreate(
    guest: Guest, device: Handle[Device], config: Ptr[WDF_DMA_ENABLER_CONFIG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, enabler: Out[Handle[DmaEnabler]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfDmaEnablerCreate."""
    name = "WdfDmaEnablerCreate"
    view, out = sized(config, "Config", name, *OLDER), required(enabler, "DmaEnablerHandle", name)
    given = view.load(view.Size)
    values = DmaEnablerConfig(
        given.Profile, given.MaximumLength,
        event(guest, given.EvtDmaEnablerFill, ntstatus_of), event(guest, given.EvtDmaEnablerFlush, ntstatus_of),
        event(guest, given.EvtDmaEnablerDisable, ntstatus_of), event(guest, given.EvtDmaEnablerEnable, ntstatus_of),
        event(guest, given.EvtDmaEnablerSelfManagedIoStart, ntstatus_of),
        event(guest, given.EvtDmaEnablerSelfManagedIoStop, ntstatus_of), given.AddressWidthOverride,
    )  # fmt: skip
    out(DmaEnabler.create(device, values, attributes_of(guest, attributes, name)))
    return STATUS_SUCCESS


@wdf
def WdfDmaEnablerGetMaximumLength(guest: Guest, enabler: Handle[DmaEnabler]) -> SIZE_T:
    """WdfDmaEnablerGetMaximumLength."""
    return enabler.get_maximum_length()


@wdf
def WdfDmaEnablerGetFragmentLength(guest: Guest, enabler: Handle[DmaEnabler], direction: LONG) -> SIZE_T:
    """WdfDmaEnablerGetFragmentLength."""
    return enabler.get_fragment_length(DmaDirection(bool(direction)))


@wdf
def WdfDmaEnablerGetMaximumScatterGatherElements(guest: Guest, enabler: Handle[DmaEnabler]) -> SIZE_T:
    """WdfDmaEnablerGetMaximumScatterGatherElements."""
    return enabler.get_maximum_scatter_gather_elements()


@wdf
def WdfDmaEnablerSetMaximumScatterGatherElements(guest: Guest, enabler: Handle[DmaEnabler], elements: SIZE_T) -> VOID:
    """WdfDmaEnablerSetMaximumScatterGatherElements."""
    enabler.set_maximum_scatter_gather_elements(elements)


@wdf
def WdfCommonBufferCreate(
    guest: Guest, enabler: Handle[DmaEnabler], length: SIZE_T, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    buffer: Out[Handle[CommonBuffer]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfCommonBufferCreate."""
    name = "WdfCommonBufferCreate"
    out = required(buffer, "CommonBuffer", name)
    out(CommonBuffer.create(enabler, length, attributes_of(guest, attributes, name)))
    return STATUS_SUCCESS


@wdf
def WdfCommonBufferCreateWithConfig(
    guest: Guest, enabler: Handle[DmaEnabler], length: SIZE_T, config: Ptr[WDF_COMMON_BUFFER_CONFIG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, buffer: Out[Handle[CommonBuffer]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfCommonBufferCreateWithConfig."""
    name = "WdfCommonBufferCreateWithConfig"
    given, out = sized(config, "Config", name), required(buffer, "CommonBuffer", name)
    values = CommonBufferConfig(given.AlignmentRequirement)
    out(CommonBuffer.create_with_config(enabler, length, values, attributes_of(guest, attributes, name)))
    return STATUS_SUCCESS


@wdf
def WdfCommonBufferGetAlignedVirtualAddress(guest: Guest, buffer: Handle[CommonBuffer]) -> PVOID:
    """WdfCommonBufferGetAlignedVirtualAddress: of the very pages that the logical address names."""
    length = len(buffer.get_aligned_virtual_address())
    return guest.part(Mappings).contiguous(buffer.physical, length, f"the common buffer {buffer.name}")


@wdf
def WdfCommonBufferGetAlignedLogicalAddress(guest: Guest, buffer: Handle[CommonBuffer]) -> ULONGLONG:
    """WdfCommonBufferGetAlignedLogicalAddress."""
    return buffer.get_aligned_logical_address()


@wdf
def WdfCommonBufferGetLength(guest: Guest, buffer: Handle[CommonBuffer]) -> SIZE_T:
    """WdfCommonBufferGetLength."""
    return buffer.get_length()

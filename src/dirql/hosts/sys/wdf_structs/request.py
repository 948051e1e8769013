"""Queues, requests, memory and DMA (facts §6.2)."""

from __future__ import annotations

from dirql.hosts.sys import nt_structs as nt_structs  # its structures are members here
from dirql.hosts.sys.structs import Struct

__all__ = [
    "WDFMEMORY_OFFSET", "WDF_COMMON_BUFFER_CONFIG", "WDF_DMA_ENABLER_CONFIG", "WDF_DMA_SYSTEM_PROFILE_CONFIG",
    "WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS", "WDF_IO_QUEUE_CONFIG", "WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY",
    "WDF_MEMORY_DESCRIPTOR", "WDF_REQUEST_COMPLETION_PARAMS", "WDF_REQUEST_FORWARD_OPTIONS", "WDF_REQUEST_PARAMETERS",
    "WDF_REQUEST_REUSE_PARAMS", "WDF_REQUEST_SEND_OPTIONS",
]  # fmt: skip


class WDF_IO_QUEUE_CONFIG(Struct):
    """For WdfIoQueueCreate."""

    c = """
        ULONG Size; ENUM DispatchType; ENUM PowerManaged; BOOLEAN AllowZeroLengthRequests; BOOLEAN DefaultQueue;
        PVOID EvtIoDefault; PVOID EvtIoRead; PVOID EvtIoWrite; PVOID EvtIoDeviceControl; PVOID EvtIoInternalDeviceControl;
        PVOID EvtIoStop; PVOID EvtIoResume; PVOID EvtIoCanceledOnQueue;
        union { struct { ULONG NumberOfPresentedRequests; } Parallel; } Settings; PVOID Driver;
    """


class WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS(Struct):
    """Inside WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY."""

    c = "union { struct { PVOID EvtIoWdmIrpForForwardProgress; } ExaminePolicy; } Policy;"


class WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY(Struct):
    """For WdfIoQueueAssignForwardProgressPolicy."""

    c = """
        ULONG Size; ULONG TotalForwardProgressRequests; ENUM ForwardProgressReservedPolicy;
        WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS ForwardProgressReservePolicySettings;
        PVOID EvtIoAllocateResourcesForReservedRequest; PVOID EvtIoAllocateRequestResources;
    """


class WDF_REQUEST_PARAMETERS(Struct):
    """What WdfRequestGetParameters fills in; Size has 16 bits here."""

    c = """
        USHORT Size; UCHAR MinorFunction; ENUM Type;
        union {
            struct {
                PVOID SecurityContext; ULONG Options; USHORT POINTER_ALIGNMENT FileAttributes; USHORT ShareAccess;
                ULONG POINTER_ALIGNMENT EaLength;
            } Create;
            struct { SIZE_T Length; ULONG POINTER_ALIGNMENT Key; LONGLONG DeviceOffset; } Read;
            struct { SIZE_T Length; ULONG POINTER_ALIGNMENT Key; LONGLONG DeviceOffset; } Write;
            struct {
                SIZE_T OutputBufferLength; SIZE_T InputBufferLength; ULONG POINTER_ALIGNMENT IoControlCode;
                PVOID Type3InputBuffer;
            } DeviceIoControl;
            struct { PVOID Arg1; PVOID Arg2; ULONG POINTER_ALIGNMENT IoControlCode; PVOID Arg4; } Others;
        } Parameters;
    """


class WDF_REQUEST_COMPLETION_PARAMS(Struct):
    """What a completion routine is handed."""

    c = """
        ULONG Size; ENUM Type; IO_STATUS_BLOCK IoStatus;
        union {
            struct { PVOID Buffer; SIZE_T Length; SIZE_T Offset; } Write;
            struct { PVOID Buffer; SIZE_T Length; SIZE_T Offset; } Read;
            struct {
                ULONG IoControlCode; struct { PVOID Buffer; SIZE_T Offset; } Input;
                struct { PVOID Buffer; SIZE_T Offset; SIZE_T Length; } Output;
            } Ioctl;
            struct {
                union { PVOID Ptr; ULONG_PTR Value; } Argument1; union { PVOID Ptr; ULONG_PTR Value; } Argument2;
                union { PVOID Ptr; ULONG_PTR Value; } Argument3; union { PVOID Ptr; ULONG_PTR Value; } Argument4;
            } Others;
            struct { PVOID Completion; } Usb;
        } Parameters;
    """


class WDF_REQUEST_FORWARD_OPTIONS(Struct):
    """For WdfRequestForwardToParentDeviceIoQueue."""

    c = "ULONG Size; ULONG Flags;"


class WDF_REQUEST_REUSE_PARAMS(Struct):
    """For WdfRequestReuse."""

    c = "ULONG Size; ULONG Flags; NTSTATUS Status; IRP *NewIrp;"


class WDF_REQUEST_SEND_OPTIONS(Struct):
    """For WdfRequestSend; Timeout is relative where it is negative."""

    c = "ULONG Size; ULONG Flags; LONGLONG Timeout;"


class WDFMEMORY_OFFSET(Struct):
    """A part of a memory object."""

    c = "SIZE_T BufferOffset; SIZE_T BufferLength;"


class WDF_MEMORY_DESCRIPTOR(Struct):
    """A buffer, by address, MDL or handle."""

    c = """
        ENUM Type;
        union {
            struct { PVOID Buffer; ULONG Length; } BufferType;
            struct { MDL *Mdl; ULONG BufferLength; } MdlType;
            struct { PVOID Memory; WDFMEMORY_OFFSET *Offsets; } HandleType;
        } u;
    """


class WDF_COMMON_BUFFER_CONFIG(Struct):
    """For WdfCommonBufferCreateWithConfig."""

    c = "ULONG Size; ULONG AlignmentRequirement;"


class WDF_DMA_ENABLER_CONFIG(Struct):
    """For WdfDmaEnablerCreate."""

    c = """
        ULONG Size; ENUM Profile; SIZE_T MaximumLength; PVOID EvtDmaEnablerFill; PVOID EvtDmaEnablerFlush;
        PVOID EvtDmaEnablerDisable; PVOID EvtDmaEnablerEnable; PVOID EvtDmaEnablerSelfManagedIoStart;
        PVOID EvtDmaEnablerSelfManagedIoStop; ULONG AddressWidthOverride; ULONG WdmDmaVersionOverride; ULONG Flags;
    """


class WDF_DMA_SYSTEM_PROFILE_CONFIG(Struct):
    """For WdfDmaEnablerConfigureSystemProfile."""

    c = """
        ULONG Size; BOOLEAN DemandMode; BOOLEAN LoopedTransfer; ENUM DmaWidth; PHYSICAL_ADDRESS DeviceAddress;
        CM_PARTIAL_RESOURCE_DESCRIPTOR *DmaDescriptor;
    """

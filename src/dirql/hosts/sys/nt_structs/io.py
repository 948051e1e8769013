"""What the I/O manager and a driver share: driver, device and file objects, requests, memory lists, DMA (wdm.h; x64)."""

from __future__ import annotations

from dirql.hosts.sys.nt_structs import base as base  # its structures are members here
from dirql.hosts.sys.structs import Struct

__all__ = [
    "DEVICE_CAPABILITIES", "DEVICE_DESCRIPTION", "DEVICE_OBJECT", "DMA_ADAPTER", "DMA_OPERATIONS", "DRIVER_EXTENSION",
    "DRIVER_OBJECT", "FILE_OBJECT", "IO_STACK_LOCATION", "IRP", "MDL", "SCATTER_GATHER_ELEMENT", "SCATTER_GATHER_LIST",
    "WAIT_CONTEXT_BLOCK",
]  # fmt: skip


class DRIVER_EXTENSION(Struct):
    """The public part of it."""

    c = "struct _DRIVER_OBJECT *DriverObject; PVOID AddDevice; ULONG Count; UNICODE_STRING ServiceKeyName;"


class DRIVER_OBJECT(Struct):
    """A loaded driver and its entry points."""

    c = """
        CSHORT Type; CSHORT Size; struct _DEVICE_OBJECT *DeviceObject; ULONG Flags;
        PVOID DriverStart; ULONG DriverSize; PVOID DriverSection; DRIVER_EXTENSION *DriverExtension;
        UNICODE_STRING DriverName; UNICODE_STRING *HardwareDatabase; PVOID FastIoDispatch;
        PVOID DriverInit; PVOID DriverStartIo; PVOID DriverUnload; PVOID MajorFunction[28];
    """


class WAIT_CONTEXT_BLOCK(Struct):
    """A wait for an adapter channel."""

    c = """
        union {
            KDEVICE_QUEUE_ENTRY WaitQueueEntry;
            struct { LIST_ENTRY DmaWaitEntry; ULONG NumberOfChannels; ULONG SyncCallback : 1; ULONG DmaContext : 1; };
        };
        PVOID DeviceRoutine; PVOID DeviceContext; ULONG NumberOfMapRegisters;
        PVOID DeviceObject; PVOID CurrentIrp; KDPC *BufferChainingDpc;
    """


class DEVICE_OBJECT(Struct, align=16):
    """A device in a stack of them."""

    c = """
        CSHORT Type; USHORT Size; LONG ReferenceCount;
        DRIVER_OBJECT *DriverObject; struct _DEVICE_OBJECT *NextDevice; struct _DEVICE_OBJECT *AttachedDevice;
        struct _IRP *CurrentIrp; PVOID Timer; ULONG Flags; ULONG Characteristics; PVOID Vpb; PVOID DeviceExtension;
        ULONG DeviceType; CCHAR StackSize;
        union { LIST_ENTRY ListEntry; WAIT_CONTEXT_BLOCK Wcb; } Queue;
        ULONG AlignmentRequirement; KDEVICE_QUEUE DeviceQueue; KDPC Dpc; ULONG ActiveThreadCount; PVOID SecurityDescriptor;
        KEVENT DeviceLock; USHORT SectorSize; USHORT Spare1; PVOID DeviceObjectExtension; PVOID Reserved;
    """


class FILE_OBJECT(Struct):
    """A device or file that somebody has open."""

    c = """
        CSHORT Type; CSHORT Size; DEVICE_OBJECT *DeviceObject; PVOID Vpb; PVOID FsContext; PVOID FsContext2;
        PVOID SectionObjectPointer; PVOID PrivateCacheMap; NTSTATUS FinalStatus; struct _FILE_OBJECT *RelatedFileObject;
        BOOLEAN LockOperation; BOOLEAN DeletePending; BOOLEAN ReadAccess; BOOLEAN WriteAccess;
        BOOLEAN DeleteAccess; BOOLEAN SharedRead; BOOLEAN SharedWrite; BOOLEAN SharedDelete;
        ULONG Flags; UNICODE_STRING FileName; LARGE_INTEGER CurrentByteOffset;
        ULONG Waiters; ULONG Busy; PVOID LastLock; KEVENT Lock; KEVENT Event; PVOID CompletionContext;
        KSPIN_LOCK IrpListLock; LIST_ENTRY IrpList; PVOID FileObjectExtension;
    """


class MDL(Struct):
    """A buffer as pages: the page frame numbers follow it in memory, eight bytes each."""

    c = """
        struct _MDL *Next; CSHORT Size; CSHORT MdlFlags; PVOID Process;
        PVOID MappedSystemVa; PVOID StartVa; ULONG ByteCount; ULONG ByteOffset;
    """


class IRP(Struct, align=16):
    """An I/O request; its stack locations follow it in memory."""

    c = """
        CSHORT Type; USHORT Size; MDL *MdlAddress; ULONG Flags;
        union { struct _IRP *MasterIrp; LONG IrpCount; PVOID SystemBuffer; } AssociatedIrp;
        LIST_ENTRY ThreadListEntry; IO_STATUS_BLOCK IoStatus;
        CHAR RequestorMode; BOOLEAN PendingReturned; CHAR StackCount; CHAR CurrentLocation;
        BOOLEAN Cancel; KIRQL CancelIrql; CCHAR ApcEnvironment; UCHAR AllocationFlags;
        IO_STATUS_BLOCK *UserIosb; KEVENT *UserEvent;
        union {
            struct { union { PVOID UserApcRoutine; PVOID IssuingProcess; }; PVOID UserApcContext; } AsynchronousParameters;
            LARGE_INTEGER AllocationSize;
        } Overlay;
        PVOID CancelRoutine; PVOID UserBuffer;
        union {
            struct {
                union { KDEVICE_QUEUE_ENTRY DeviceQueueEntry; PVOID DriverContext[4]; };
                PVOID Thread; PVOID AuxiliaryBuffer;
                LIST_ENTRY ListEntry; union { struct _IO_STACK_LOCATION *CurrentStackLocation; ULONG PacketType; };
                FILE_OBJECT *OriginalFileObject;
            } Overlay;
            KAPC Apc; PVOID CompletionKey;
        } Tail;
    """


class IO_STACK_LOCATION(Struct):
    """A request as one driver of the stack is asked for it."""

    c = """
        UCHAR MajorFunction; UCHAR MinorFunction; UCHAR Flags; UCHAR Control;
        union {
            struct {
                PVOID SecurityContext; ULONG Options; USHORT POINTER_ALIGNMENT FileAttributes; USHORT ShareAccess;
                ULONG POINTER_ALIGNMENT EaLength;
            } Create;
            struct { ULONG Length; ULONG POINTER_ALIGNMENT Key; ULONG Flags; LARGE_INTEGER ByteOffset; } Read;
            struct { ULONG Length; ULONG POINTER_ALIGNMENT Key; ULONG Flags; LARGE_INTEGER ByteOffset; } Write;
            struct { ULONG Length; ENUM POINTER_ALIGNMENT FileInformationClass; } QueryFile;
            struct {
                ULONG Length; ENUM POINTER_ALIGNMENT FileInformationClass; FILE_OBJECT *FileObject;
                union { struct { BOOLEAN ReplaceIfExists; BOOLEAN AdvanceOnly; }; ULONG ClusterCount; HANDLE DeleteHandle; };
            } SetFile;
            struct {
                ULONG OutputBufferLength; ULONG POINTER_ALIGNMENT InputBufferLength;
                ULONG POINTER_ALIGNMENT FsControlCode; PVOID Type3InputBuffer;
            } FileSystemControl;
            struct {
                ULONG OutputBufferLength; ULONG POINTER_ALIGNMENT InputBufferLength;
                ULONG POINTER_ALIGNMENT IoControlCode; PVOID Type3InputBuffer;
            } DeviceIoControl;
            struct { PVOID Srb; } Scsi;
            struct { ENUM Type; } QueryDeviceRelations;
            struct {
                GUID *InterfaceType; USHORT Size; USHORT Version; PVOID Interface; PVOID InterfaceSpecificData;
            } QueryInterface;
            struct { struct _DEVICE_CAPABILITIES *Capabilities; } DeviceCapabilities;
            struct { PVOID IoResourceRequirementList; } FilterResourceRequirements;
            struct { ULONG WhichSpace; PVOID Buffer; ULONG Offset; ULONG POINTER_ALIGNMENT Length; } ReadWriteConfig;
            struct { BOOLEAN Lock; } SetLock;
            struct { ENUM IdType; } QueryId;
            struct { ENUM DeviceTextType; ULONG POINTER_ALIGNMENT LocaleId; } QueryDeviceText;
            struct { BOOLEAN InPath; BOOLEAN Reserved[3]; ENUM POINTER_ALIGNMENT Type; } UsageNotification;
            struct { ENUM PowerState; } WaitWake;
            struct { PVOID PowerSequence; } PowerSequence;
            struct {
                ULONG SystemContext; ENUM POINTER_ALIGNMENT Type;
                union { ENUM SystemState; ENUM DeviceState; } POINTER_ALIGNMENT State;
                ENUM POINTER_ALIGNMENT ShutdownType;
            } Power;
            struct { PVOID AllocatedResources; PVOID AllocatedResourcesTranslated; } StartDevice;
            struct { ULONG_PTR ProviderId; PVOID DataPath; ULONG BufferSize; PVOID Buffer; } WMI;
            struct { PVOID Argument1; PVOID Argument2; PVOID Argument3; PVOID Argument4; } Others;
        } Parameters;
        DEVICE_OBJECT *DeviceObject; FILE_OBJECT *FileObject; PVOID CompletionRoutine; PVOID Context;
    """


class DEVICE_CAPABILITIES(Struct):
    """What a bus driver says of its device in answer to IRP_MN_QUERY_CAPABILITIES."""

    c = """
        USHORT Size; USHORT Version;
        ULONG DeviceD1 : 1; ULONG DeviceD2 : 1; ULONG LockSupported : 1; ULONG EjectSupported : 1; ULONG Removable : 1;
        ULONG DockDevice : 1; ULONG UniqueID : 1; ULONG SilentInstall : 1; ULONG RawDeviceOK : 1; ULONG SurpriseRemovalOK : 1;
        ULONG WakeFromD0 : 1; ULONG WakeFromD1 : 1; ULONG WakeFromD2 : 1; ULONG WakeFromD3 : 1; ULONG HardwareDisabled : 1;
        ULONG NonDynamic : 1; ULONG WarmEjectSupported : 1; ULONG NoDisplayInUI : 1; ULONG Reserved1 : 1;
        ULONG WakeFromInterrupt : 1; ULONG SecureDevice : 1; ULONG ChildOfVgaEnabledBridge : 1; ULONG DecodeIoOnBoot : 1;
        ULONG Reserved : 9;
        ULONG Address; ULONG UINumber; ENUM DeviceState[7]; ENUM SystemWake; ENUM DeviceWake;
        ULONG D1Latency; ULONG D2Latency; ULONG D3Latency;
    """


class SCATTER_GATHER_ELEMENT(Struct):
    """One contiguous part of a transfer, by its address on the bus."""

    c = "PHYSICAL_ADDRESS Address; ULONG Length; ULONG_PTR Reserved;"


class SCATTER_GATHER_LIST(Struct):
    """A transfer as the device sees it; this is its size without an element."""

    c = "ULONG NumberOfElements; ULONG_PTR Reserved; SCATTER_GATHER_ELEMENT Elements[];"


class DEVICE_DESCRIPTION(Struct):
    """What IoGetDmaAdapter is told of the device; the last three since version 3."""

    c = """
        ULONG Version; BOOLEAN Master; BOOLEAN ScatterGather; BOOLEAN DemandMode; BOOLEAN AutoInitialize;
        BOOLEAN Dma32BitAddresses; BOOLEAN IgnoreCount; BOOLEAN Reserved1; BOOLEAN Dma64BitAddresses;
        ULONG BusNumber; ULONG DmaChannel; ENUM InterfaceType; ENUM DmaWidth; ENUM DmaSpeed; ULONG MaximumLength; ULONG DmaPort;
        ULONG DmaAddressWidth; ULONG DmaControllerInstance; ULONG DmaRequestLine; PHYSICAL_ADDRESS DeviceAddress;
    """


class DMA_ADAPTER(Struct):
    """What IoGetDmaAdapter returns."""

    c = "USHORT Version; USHORT Size; struct _DMA_OPERATIONS *DmaOperations;"


class DMA_OPERATIONS(Struct):
    """The routines of an adapter; the macros of wdm.h call through it. Those of version 3 follow these."""

    c = """
        ULONG Size; PVOID PutDmaAdapter; PVOID AllocateCommonBuffer; PVOID FreeCommonBuffer; PVOID AllocateAdapterChannel;
        PVOID FlushAdapterBuffers; PVOID FreeAdapterChannel; PVOID FreeMapRegisters; PVOID MapTransfer; PVOID GetDmaAlignment;
        PVOID ReadDmaCounter; PVOID GetScatterGatherList; PVOID PutScatterGatherList; PVOID CalculateScatterGatherList;
        PVOID BuildScatterGatherList; PVOID BuildMdlFromScatterGatherList;
    """

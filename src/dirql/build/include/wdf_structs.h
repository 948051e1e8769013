/*
 * Structures of WDF with the sizes of facts/wdf_struct_sizes.csv, asserted at the end; included by wdf.h only.
 *
 * Where a field came with a later version, an earlier KMDF_VERSION_MINOR leaves it out, as the framework tells forms by size.
 */
#ifndef DIRQL_WDF_STRUCTS_H
#define DIRQL_WDF_STRUCTS_H

/* Binding. */

struct _WDF_DRIVER_GLOBALS {
    WDFDRIVER Driver;
    ULONG DriverFlags;
    ULONG DriverTag;
    CHAR DriverName[32];
    BOOLEAN DisplaceDriverUnload;
};

typedef struct _WDF_VERSION {
    ULONG Major;
    ULONG Minor;
    ULONG Build;
} WDF_VERSION;

typedef void (*WDFFUNC)(void);

typedef struct _WDF_BIND_INFO {
    ULONG Size;
    PWCHAR Component;
    WDF_VERSION Version;
    ULONG FuncCount;
    WDFFUNC *FuncTable; /* up to 438 functions the table itself; from 439 on the variable that is to point to it */
    PVOID Module;
} WDF_BIND_INFO, *PWDF_BIND_INFO;

typedef struct _WDF_BIND_INFO2 {
    WDF_BIND_INFO V1;
    ULONG *MinimumVersionRequired;
    BOOLEAN *ClientVersionHigherThanFramework;
    ULONG *FuncCount;
    ULONG *StructCount;
    size_t **StructTable;
} WDF_BIND_INFO2, *PWDF_BIND_INFO2;

typedef NTSTATUS (NTAPI *PFN_CLIENT_BIND_CLASS)(NTSTATUS (NTAPI *)(PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS, PWDF_CLASS_BIND_INFO),
                                                PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS, PWDF_CLASS_BIND_INFO);
typedef void (NTAPI *PFN_CLIENT_UNBIND_CLASS)(void (NTAPI *)(PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS, PWDF_CLASS_BIND_INFO),
                                              PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS, PWDF_CLASS_BIND_INFO);

struct _WDF_CLASS_BIND_INFO {
    ULONG Size;
    PWSTR ClassName;
    WDF_VERSION Version;
    PVOID FunctionTable;
    ULONG FunctionTableCount;
    PVOID ClassBindInfo;
    PFN_CLIENT_BIND_CLASS ClientBindClass;
    PFN_CLIENT_UNBIND_CLASS ClientUnbindClass;
    PVOID ClassModule;
};

/* Objects. */

struct _WDF_OBJECT_CONTEXT_TYPE_INFO {
    ULONG Size;
    PCHAR ContextName;
    size_t ContextSize;
    PCWDF_OBJECT_CONTEXT_TYPE_INFO UniqueType;
    PFN_WDF_GET_UNIQUE_CONTEXT_TYPE EvtDriverGetUniqueContextType;
};

struct _WDF_OBJECT_ATTRIBUTES {
    ULONG Size;
    PFN_WDF_OBJECT_CONTEXT_CLEANUP EvtCleanupCallback;
    PFN_WDF_OBJECT_CONTEXT_DESTROY EvtDestroyCallback;
    WDF_EXECUTION_LEVEL ExecutionLevel;
    WDF_SYNCHRONIZATION_SCOPE SynchronizationScope;
    WDFOBJECT ParentObject;
    size_t ContextSizeOverride;
    PCWDF_OBJECT_CONTEXT_TYPE_INFO ContextTypeInfo;
};

struct _WDF_CUSTOM_TYPE_CONTEXT {
    ULONG Size;
    ULONG_PTR Data;
};

/* Driver and device. */

struct _WDF_DRIVER_CONFIG {
    ULONG Size;
    PFN_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
    PFN_WDF_DRIVER_UNLOAD EvtDriverUnload;
    ULONG DriverInitFlags;
    ULONG DriverPoolTag;
};

struct _WDF_DRIVER_VERSION_AVAILABLE_PARAMS {
    ULONG Size;
    ULONG MajorVersion;
    ULONG MinorVersion;
};

struct _WDF_PNPPOWER_EVENT_CALLBACKS {
    ULONG Size;
    PFN_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
    PFN_WDF_DEVICE_D0_ENTRY_POST_INTERRUPTS_ENABLED EvtDeviceD0EntryPostInterruptsEnabled;
    PFN_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;
    PFN_WDF_DEVICE_D0_EXIT_PRE_INTERRUPTS_DISABLED EvtDeviceD0ExitPreInterruptsDisabled;
    PFN_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
    PFN_WDF_DEVICE_RELEASE_HARDWARE EvtDeviceReleaseHardware;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_CLEANUP EvtDeviceSelfManagedIoCleanup;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_FLUSH EvtDeviceSelfManagedIoFlush;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_INIT EvtDeviceSelfManagedIoInit;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_SUSPEND EvtDeviceSelfManagedIoSuspend;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_RESTART EvtDeviceSelfManagedIoRestart;
    PFN_WDF_DEVICE_SURPRISE_REMOVAL EvtDeviceSurpriseRemoval;
    PFN_WDF_DEVICE_QUERY_REMOVE EvtDeviceQueryRemove;
    PFN_WDF_DEVICE_QUERY_STOP EvtDeviceQueryStop;
    PFN_WDF_DEVICE_USAGE_NOTIFICATION EvtDeviceUsageNotification;
    PFN_WDF_DEVICE_RELATIONS_QUERY EvtDeviceRelationsQuery;
#if KMDF_VERSION_MINOR >= 11
    PFN_WDF_DEVICE_USAGE_NOTIFICATION_EX EvtDeviceUsageNotificationEx;
#endif
};

struct _WDF_POWER_POLICY_EVENT_CALLBACKS {
    ULONG Size;
    PFN_WDF_DEVICE_ARM_WAKE_FROM_S0 EvtDeviceArmWakeFromS0;
    PFN_WDF_DEVICE_DISARM_WAKE_FROM_S0 EvtDeviceDisarmWakeFromS0;
    PFN_WDF_DEVICE_WAKE_FROM_S0_TRIGGERED EvtDeviceWakeFromS0Triggered;
    PFN_WDF_DEVICE_ARM_WAKE_FROM_SX EvtDeviceArmWakeFromSx;
    PFN_WDF_DEVICE_DISARM_WAKE_FROM_SX EvtDeviceDisarmWakeFromSx;
    PFN_WDF_DEVICE_WAKE_FROM_SX_TRIGGERED EvtDeviceWakeFromSxTriggered;
    PFN_WDF_DEVICE_ARM_WAKE_FROM_SX_WITH_REASON EvtDeviceArmWakeFromSxWithReason;
};

struct _WDF_DEVICE_PNP_NOTIFICATION_DATA {
    WDF_STATE_NOTIFICATION_TYPE Type;
    union {
        struct { WDF_DEVICE_PNP_STATE CurrentState, NewState; } EnterState;
        struct { WDF_DEVICE_PNP_STATE CurrentState; } PostProcessState;
        struct { WDF_DEVICE_PNP_STATE CurrentState, NewState; } LeaveState;
    } Data;
};

struct _WDF_DEVICE_POWER_NOTIFICATION_DATA {
    WDF_STATE_NOTIFICATION_TYPE Type;
    union {
        struct { WDF_DEVICE_POWER_STATE CurrentState, NewState; } EnterState;
        struct { WDF_DEVICE_POWER_STATE CurrentState; } PostProcessState;
        struct { WDF_DEVICE_POWER_STATE CurrentState, NewState; } LeaveState;
    } Data;
};

struct _WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA {
    WDF_STATE_NOTIFICATION_TYPE Type;
    union {
        struct { WDF_DEVICE_POWER_POLICY_STATE CurrentState, NewState; } EnterState;
        struct { WDF_DEVICE_POWER_POLICY_STATE CurrentState; } PostProcessState;
        struct { WDF_DEVICE_POWER_POLICY_STATE CurrentState, NewState; } LeaveState;
    } Data;
};

struct _WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS {
    ULONG Size;
    WDF_POWER_POLICY_S0_IDLE_CAPABILITIES IdleCaps;
    DEVICE_POWER_STATE DxState;
    ULONG IdleTimeout;
    WDF_POWER_POLICY_S0_IDLE_USER_CONTROL UserControlOfIdleSettings;
    WDF_TRI_STATE Enabled;
    WDF_TRI_STATE PowerUpIdleDeviceOnSystemWake;
#if KMDF_VERSION_MINOR >= 11
    WDF_POWER_POLICY_IDLE_TIMEOUT_TYPE IdleTimeoutType;
    WDF_TRI_STATE ExcludeD3Cold;
#endif
};

struct _WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS {
    ULONG Size;
    DEVICE_POWER_STATE DxState;
    WDF_POWER_POLICY_SX_WAKE_USER_CONTROL UserControlOfWakeSettings;
    WDF_TRI_STATE Enabled;
    BOOLEAN ArmForWakeIfChildrenAreArmedForWake;
    BOOLEAN IndicateChildWakeOnParentWake;
};

struct _WDF_DEVICE_STATE {
    ULONG Size;
    WDF_TRI_STATE Disabled;
    WDF_TRI_STATE DontDisplayInUI;
    WDF_TRI_STATE Failed;
    WDF_TRI_STATE NotDisableable;
    WDF_TRI_STATE Removed;
    WDF_TRI_STATE ResourcesChanged;
#if KMDF_VERSION_MINOR >= 31
    WDF_TRI_STATE AssignedToGuest;
#endif
};

struct _WDF_DEVICE_PNP_CAPABILITIES {
    ULONG Size;
    WDF_TRI_STATE LockSupported;
    WDF_TRI_STATE EjectSupported;
    WDF_TRI_STATE Removable;
    WDF_TRI_STATE DockDevice;
    WDF_TRI_STATE UniqueID;
    WDF_TRI_STATE SilentInstall;
    WDF_TRI_STATE SurpriseRemovalOK;
    WDF_TRI_STATE HardwareDisabled;
    WDF_TRI_STATE NoDisplayInUI;
    ULONG Address;
    ULONG UINumber;
};

struct _WDF_DEVICE_POWER_CAPABILITIES {
    ULONG Size;
    WDF_TRI_STATE DeviceD1;
    WDF_TRI_STATE DeviceD2;
    WDF_TRI_STATE WakeFromD0;
    WDF_TRI_STATE WakeFromD1;
    WDF_TRI_STATE WakeFromD2;
    WDF_TRI_STATE WakeFromD3;
    DEVICE_POWER_STATE DeviceState[PowerSystemMaximum];
    DEVICE_POWER_STATE DeviceWake;
    SYSTEM_POWER_STATE SystemWake;
    ULONG D1Latency;
    ULONG D2Latency;
    ULONG D3Latency;
    DEVICE_POWER_STATE IdealDxStateForSx;
};

struct _WDF_DEVICE_PROPERTY_DATA {
    ULONG Size;
    const DEVPROPKEY *PropertyKey;
    LCID Lcid;
    ULONG Flags;
};

struct _WDF_FILEOBJECT_CONFIG {
    ULONG Size;
    PFN_WDF_DEVICE_FILE_CREATE EvtDeviceFileCreate;
    PFN_WDF_FILE_CLOSE EvtFileClose;
    PFN_WDF_FILE_CLEANUP EvtFileCleanup;
    WDF_TRI_STATE AutoForwardCleanupClose;
    WDF_FILEOBJECT_CLASS FileObjectClass;
};

struct _WDF_QUERY_INTERFACE_CONFIG {
    ULONG Size;
    PINTERFACE Interface;
    const GUID *InterfaceType;
    BOOLEAN SendQueryToParentStack;
    PFN_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST EvtDeviceProcessQueryInterfaceRequest;
    BOOLEAN ImportInterface;
};

struct _WDF_IO_TYPE_CONFIG {
    ULONG Size;
    WDF_DEVICE_IO_TYPE ReadWriteIoType;
    WDF_DEVICE_IO_TYPE DeviceControlIoType;
    ULONG DirectTransferThreshold;
};

struct _WDF_REMOVE_LOCK_OPTIONS {
    ULONG Size;
    ULONG Flags;
};

struct _WDF_FDO_EVENT_CALLBACKS {
    ULONG Size;
    PFN_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS EvtDeviceFilterAddResourceRequirements;
    PFN_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS EvtDeviceFilterRemoveResourceRequirements;
    PFN_WDF_DEVICE_REMOVE_ADDED_RESOURCES EvtDeviceRemoveAddedResources;
};

struct _WDF_PDO_EVENT_CALLBACKS {
    ULONG Size;
    PFN_WDF_DEVICE_RESOURCES_QUERY EvtDeviceResourcesQuery;
    PFN_WDF_DEVICE_RESOURCE_REQUIREMENTS_QUERY EvtDeviceResourceRequirementsQuery;
    PFN_WDF_DEVICE_EJECT EvtDeviceEject;
    PFN_WDF_DEVICE_SET_LOCK EvtDeviceSetLock;
    PFN_WDF_DEVICE_ENABLE_WAKE_AT_BUS EvtDeviceEnableWakeAtBus;
    PFN_WDF_DEVICE_DISABLE_WAKE_AT_BUS EvtDeviceDisableWakeAtBus;
#if KMDF_VERSION_MINOR >= 11
    PFN_WDF_DEVICE_REPORTED_MISSING EvtDeviceReportedMissing;
#endif
};

/* Child lists. */

struct _WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER {
    ULONG IdentificationDescriptionSize;
};

struct _WDF_CHILD_ADDRESS_DESCRIPTION_HEADER {
    ULONG AddressDescriptionSize;
};

struct _WDF_CHILD_LIST_CONFIG {
    ULONG Size;
    ULONG IdentificationDescriptionSize;
    ULONG AddressDescriptionSize;
    PFN_WDF_CHILD_LIST_CREATE_DEVICE EvtChildListCreateDevice;
    PFN_WDF_CHILD_LIST_SCAN_FOR_CHILDREN EvtChildListScanForChildren;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COPY EvtChildListIdentificationDescriptionCopy;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_DUPLICATE EvtChildListIdentificationDescriptionDuplicate;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_CLEANUP EvtChildListIdentificationDescriptionCleanup;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COMPARE EvtChildListIdentificationDescriptionCompare;
    PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_COPY EvtChildListAddressDescriptionCopy;
    PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_DUPLICATE EvtChildListAddressDescriptionDuplicate;
    PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_CLEANUP EvtChildListAddressDescriptionCleanup;
    PFN_WDF_CHILD_LIST_DEVICE_REENUMERATED EvtChildListDeviceReenumerated;
};

struct _WDF_CHILD_LIST_ITERATOR {
    ULONG Size;
    ULONG Flags;
    PVOID Reserved[4];
};

struct _WDF_CHILD_RETRIEVE_INFO {
    ULONG Size;
    PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription;
    PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER AddressDescription;
    WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS Status;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COMPARE EvtChildListIdentificationDescriptionCompare;
};

/* Interrupts, DPCs, timers, work items. */

struct _WDF_INTERRUPT_CONFIG {
    ULONG Size;
    WDFSPINLOCK SpinLock;
    WDF_TRI_STATE ShareVector;
    BOOLEAN FloatingSave;
    BOOLEAN AutomaticSerialization;
    PFN_WDF_INTERRUPT_ISR EvtInterruptIsr;
    PFN_WDF_INTERRUPT_DPC EvtInterruptDpc;
    PFN_WDF_INTERRUPT_ENABLE EvtInterruptEnable;
    PFN_WDF_INTERRUPT_DISABLE EvtInterruptDisable;
#if KMDF_VERSION_MINOR >= 11
    PFN_WDF_INTERRUPT_WORKITEM EvtInterruptWorkItem;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR InterruptRaw;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR InterruptTranslated;
    WDFWAITLOCK WaitLock;
    BOOLEAN PassiveHandling;
    WDF_TRI_STATE ReportInactiveOnPowerDown;
#endif
#if KMDF_VERSION_MINOR >= 13
    BOOLEAN CanWakeDevice;
#endif
};

struct _WDF_INTERRUPT_INFO {
    ULONG Size;
    ULONG64 Reserved1;
    KAFFINITY TargetProcessorSet;
    ULONG Reserved2;
    ULONG MessageNumber;
    ULONG Vector;
    KIRQL Irql;
    KINTERRUPT_MODE Mode;
    WDF_INTERRUPT_POLARITY Polarity;
    BOOLEAN MessageSignaled;
    UCHAR ShareDisposition;
#if KMDF_VERSION_MINOR >= 9
    DECLSPEC_ALIGN(8) USHORT Group;
#endif
};

struct _WDF_INTERRUPT_EXTENDED_POLICY {
    ULONG Size;
    WDF_INTERRUPT_POLICY Policy;
    WDF_INTERRUPT_PRIORITY Priority;
    GROUP_AFFINITY TargetProcessorSetAndGroup;
};

struct _WDF_DPC_CONFIG {
    ULONG Size;
    PFN_WDF_DPC EvtDpcFunc;
    BOOLEAN AutomaticSerialization;
};

struct _WDF_TIMER_CONFIG {
    ULONG Size;
    PFN_WDF_TIMER EvtTimerFunc;
    ULONG Period;
    BOOLEAN AutomaticSerialization;
#if KMDF_VERSION_MINOR >= 9
    ULONG TolerableDelay;
#endif
#if KMDF_VERSION_MINOR >= 13
    DECLSPEC_ALIGN(8) WDF_TRI_STATE UseHighResolutionTimer;
#endif
};

struct _WDF_WORKITEM_CONFIG {
    ULONG Size;
    PFN_WDF_WORKITEM EvtWorkItemFunc;
    BOOLEAN AutomaticSerialization;
};

/* Queues and requests. */

struct _WDF_IO_QUEUE_CONFIG {
    ULONG Size;
    WDF_IO_QUEUE_DISPATCH_TYPE DispatchType;
    WDF_TRI_STATE PowerManaged;
    BOOLEAN AllowZeroLengthRequests;
    BOOLEAN DefaultQueue;
    PFN_WDF_IO_QUEUE_IO_DEFAULT EvtIoDefault;
    PFN_WDF_IO_QUEUE_IO_READ EvtIoRead;
    PFN_WDF_IO_QUEUE_IO_WRITE EvtIoWrite;
    PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;
    PFN_WDF_IO_QUEUE_IO_INTERNAL_DEVICE_CONTROL EvtIoInternalDeviceControl;
    PFN_WDF_IO_QUEUE_IO_STOP EvtIoStop;
    PFN_WDF_IO_QUEUE_IO_RESUME EvtIoResume;
    PFN_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE EvtIoCanceledOnQueue;
    union {
        struct { ULONG NumberOfPresentedRequests; } Parallel;
    } Settings;
#if KMDF_VERSION_MINOR >= 11
    WDFDRIVER Driver;
#endif
};

typedef struct _WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS {
    union {
        struct { PFN_WDF_IO_WDM_IRP_FOR_FORWARD_PROGRESS EvtIoWdmIrpForForwardProgress; } ExaminePolicy;
    } Policy;
} WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS;

struct _WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY {
    ULONG Size;
    ULONG TotalForwardProgressRequests;
    WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY ForwardProgressReservedPolicy;
    WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS ForwardProgressReservePolicySettings;
    PFN_WDF_IO_ALLOCATE_RESOURCES_FOR_RESERVED_REQUEST EvtIoAllocateResourcesForReservedRequest;
    PFN_WDF_IO_ALLOCATE_REQUEST_RESOURCES EvtIoAllocateRequestResources;
};

struct _WDF_REQUEST_PARAMETERS {
    USHORT Size;
    UCHAR MinorFunction;
    WDF_REQUEST_TYPE Type;
    union {
        struct {
            PIO_SECURITY_CONTEXT SecurityContext;
            ULONG Options;
            DECLSPEC_ALIGN(8) USHORT FileAttributes;
            USHORT ShareAccess;
            DECLSPEC_ALIGN(8) ULONG EaLength;
        } Create;
        struct {
            size_t Length;
            DECLSPEC_ALIGN(8) ULONG Key;
            LONGLONG DeviceOffset;
        } Read, Write;
        struct {
            size_t OutputBufferLength;
            DECLSPEC_ALIGN(8) size_t InputBufferLength;
            DECLSPEC_ALIGN(8) ULONG IoControlCode;
            PVOID Type3InputBuffer;
        } DeviceIoControl;
        struct {
            PVOID Arg1;
            PVOID Arg2;
            DECLSPEC_ALIGN(8) ULONG IoControlCode;
            PVOID Arg4;
        } Others;
    } Parameters;
};

typedef struct _WDFMEMORY_OFFSET {
    size_t BufferOffset;
    size_t BufferLength;
} WDFMEMORY_OFFSET, *PWDFMEMORY_OFFSET;

struct _WDF_MEMORY_DESCRIPTOR {
    WDF_MEMORY_DESCRIPTOR_TYPE Type;
    union {
        struct { PVOID Buffer; ULONG Length; } BufferType;
        struct { PMDL Mdl; ULONG BufferLength; } MdlType;
        struct { WDFMEMORY Memory; PWDFMEMORY_OFFSET Offsets; } HandleType;
    } u;
};

struct _WDF_REQUEST_COMPLETION_PARAMS {
    ULONG Size;
    WDF_REQUEST_TYPE Type;
    IO_STATUS_BLOCK IoStatus;
    union {
        struct { WDFMEMORY Buffer; size_t Length; size_t Offset; } Read, Write;
        struct {
            ULONG IoControlCode;
            struct { WDFMEMORY Buffer; size_t Offset; } Input;
            struct { WDFMEMORY Buffer; size_t Offset; size_t Length; } Output;
        } Ioctl;
        struct {
            union { PVOID Ptr; ULONG_PTR Value; } Argument1, Argument2, Argument3, Argument4;
        } Others;
    } Parameters;
};

struct _WDF_REQUEST_FORWARD_OPTIONS {
    ULONG Size;
    ULONG Flags;
};

struct _WDF_REQUEST_REUSE_PARAMS {
    ULONG Size;
    ULONG Flags;
    NTSTATUS Status;
    PIRP NewIrp;
};

struct _WDF_REQUEST_SEND_OPTIONS {
    ULONG Size;
    ULONG Flags;
    LONGLONG Timeout;
};

struct _WDF_IO_TARGET_OPEN_PARAMS {
    ULONG Size;
    WDF_IO_TARGET_OPEN_TYPE Type;
    PFN_WDF_IO_TARGET_QUERY_REMOVE EvtIoTargetQueryRemove;
    PFN_WDF_IO_TARGET_REMOVE_CANCELED EvtIoTargetRemoveCanceled;
    PFN_WDF_IO_TARGET_REMOVE_COMPLETE EvtIoTargetRemoveComplete;
    PDEVICE_OBJECT TargetDeviceObject;
    PFILE_OBJECT TargetFileObject;
    UNICODE_STRING TargetDeviceName;
    ACCESS_MASK DesiredAccess;
    ULONG ShareAccess;
    ULONG FileAttributes;
    ULONG CreateDisposition;
    ULONG CreateOptions;
    PVOID EaBuffer;
    ULONG EaBufferLength;
    PLONGLONG AllocationSize;
    ULONG FileInformation;
    UNICODE_STRING FileName;
};

/* DMA. */

struct _WDF_COMMON_BUFFER_CONFIG {
    ULONG Size;
    ULONG AlignmentRequirement;
};

struct _WDF_DMA_ENABLER_CONFIG {
    ULONG Size;
    WDF_DMA_PROFILE Profile;
    size_t MaximumLength;
    PFN_WDF_DMA_ENABLER_FILL EvtDmaEnablerFill;
    PFN_WDF_DMA_ENABLER_FLUSH EvtDmaEnablerFlush;
    PFN_WDF_DMA_ENABLER_DISABLE EvtDmaEnablerDisable;
    PFN_WDF_DMA_ENABLER_ENABLE EvtDmaEnablerEnable;
    PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_START EvtDmaEnablerSelfManagedIoStart;
    PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP EvtDmaEnablerSelfManagedIoStop;
#if KMDF_VERSION_MINOR >= 11
    ULONG AddressWidthOverride;
    ULONG WdmDmaVersionOverride;
    ULONG Flags;
#endif
};

struct _WDF_DMA_SYSTEM_PROFILE_CONFIG {
    ULONG Size;
    BOOLEAN DemandMode;
    BOOLEAN LoopedTransfer;
    DMA_WIDTH DmaWidth;
    PHYSICAL_ADDRESS DeviceAddress;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR DmaDescriptor;
};

/* Sizes. */

#define DIRQL_SIZE(name, size) C_ASSERT(sizeof(name) == (size))

DIRQL_SIZE(WDF_BIND_INFO, 0x30);
DIRQL_SIZE(WDF_BIND_INFO2, 0x58);
DIRQL_SIZE(WDF_CLASS_BIND_INFO, 0x50);
DIRQL_SIZE(WDF_DRIVER_CONFIG, 32);
DIRQL_SIZE(WDF_DRIVER_GLOBALS, 56);
DIRQL_SIZE(WDF_OBJECT_ATTRIBUTES, 56);
DIRQL_SIZE(WDF_OBJECT_CONTEXT_TYPE_INFO, 40);
DIRQL_SIZE(WDF_REQUEST_PARAMETERS, 40);
DIRQL_SIZE(WDF_PNPPOWER_EVENT_CALLBACKS, KMDF_VERSION_MINOR >= 11 ? 144 : 136);
DIRQL_SIZE(WDF_INTERRUPT_CONFIG, KMDF_VERSION_MINOR >= 13 ? 104 : KMDF_VERSION_MINOR >= 11 ? 0x60 : 0x38);
DIRQL_SIZE(WDF_INTERRUPT_INFO, KMDF_VERSION_MINOR >= 9 ? 64 : 0x38);

#if KMDF_VERSION_MINOR >= 15
DIRQL_SIZE(WDFMEMORY_OFFSET, 16);
DIRQL_SIZE(WDF_CHILD_ADDRESS_DESCRIPTION_HEADER, 4);
DIRQL_SIZE(WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER, 4);
DIRQL_SIZE(WDF_CHILD_LIST_CONFIG, 96);
DIRQL_SIZE(WDF_CHILD_LIST_ITERATOR, 40);
DIRQL_SIZE(WDF_CHILD_RETRIEVE_INFO, 40);
DIRQL_SIZE(WDF_COMMON_BUFFER_CONFIG, 8);
DIRQL_SIZE(WDF_CUSTOM_TYPE_CONTEXT, 16);
DIRQL_SIZE(WDF_DEVICE_PNP_CAPABILITIES, 48);
DIRQL_SIZE(WDF_DEVICE_PNP_NOTIFICATION_DATA, 12);
DIRQL_SIZE(WDF_DEVICE_POWER_CAPABILITIES, 80);
DIRQL_SIZE(WDF_DEVICE_POWER_NOTIFICATION_DATA, 12);
DIRQL_SIZE(WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS, 36);
DIRQL_SIZE(WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA, 12);
DIRQL_SIZE(WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS, 20);
DIRQL_SIZE(WDF_DEVICE_PROPERTY_DATA, 24);
DIRQL_SIZE(WDF_DEVICE_STATE, KMDF_VERSION_MINOR >= 31 ? 32 : 28);
DIRQL_SIZE(WDF_DMA_ENABLER_CONFIG, 80);
DIRQL_SIZE(WDF_DMA_SYSTEM_PROFILE_CONFIG, 32);
DIRQL_SIZE(WDF_DPC_CONFIG, 24);
DIRQL_SIZE(WDF_DRIVER_VERSION_AVAILABLE_PARAMS, 12);
DIRQL_SIZE(WDF_FDO_EVENT_CALLBACKS, 32);
DIRQL_SIZE(WDF_FILEOBJECT_CONFIG, 40);
DIRQL_SIZE(WDF_INTERRUPT_EXTENDED_POLICY, 32);
DIRQL_SIZE(WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS, 8);
DIRQL_SIZE(WDF_IO_QUEUE_CONFIG, 96);
DIRQL_SIZE(WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY, 40);
DIRQL_SIZE(WDF_IO_TYPE_CONFIG, 16);
DIRQL_SIZE(WDF_MEMORY_DESCRIPTOR, 24);
DIRQL_SIZE(WDF_PDO_EVENT_CALLBACKS, 64);
DIRQL_SIZE(WDF_POWER_POLICY_EVENT_CALLBACKS, 64);
DIRQL_SIZE(WDF_QUERY_INTERFACE_CONFIG, 48);
DIRQL_SIZE(WDF_REMOVE_LOCK_OPTIONS, 8);
DIRQL_SIZE(WDF_REQUEST_FORWARD_OPTIONS, 8);
DIRQL_SIZE(WDF_REQUEST_REUSE_PARAMS, 24);
DIRQL_SIZE(WDF_REQUEST_SEND_OPTIONS, 16);
DIRQL_SIZE(WDF_TIMER_CONFIG, 40);
DIRQL_SIZE(WDF_WORKITEM_CONFIG, 24);
#endif

#endif

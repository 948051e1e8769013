/* Handles and enumerations of WDF; included by wdf.h only. */
#ifndef DIRQL_WDF_TYPES_H
#define DIRQL_WDF_TYPES_H

typedef HANDLE WDFOBJECT, *PWDFOBJECT;
typedef PVOID WDFCONTEXT;

#define DIRQL_WDF_HANDLE(name) typedef struct name##__ *name

DIRQL_WDF_HANDLE(WDFDRIVER);
DIRQL_WDF_HANDLE(WDFDEVICE);
DIRQL_WDF_HANDLE(WDFCHILDLIST);
DIRQL_WDF_HANDLE(WDFCMRESLIST);
DIRQL_WDF_HANDLE(WDFCOLLECTION);
DIRQL_WDF_HANDLE(WDFCOMMONBUFFER);
DIRQL_WDF_HANDLE(WDFDMAENABLER);
DIRQL_WDF_HANDLE(WDFDMATRANSACTION);
DIRQL_WDF_HANDLE(WDFDPC);
DIRQL_WDF_HANDLE(WDFFILEOBJECT);
DIRQL_WDF_HANDLE(WDFINTERRUPT);
DIRQL_WDF_HANDLE(WDFIORESLIST);
DIRQL_WDF_HANDLE(WDFIORESREQLIST);
DIRQL_WDF_HANDLE(WDFIOTARGET);
DIRQL_WDF_HANDLE(WDFKEY);
DIRQL_WDF_HANDLE(WDFLOOKASIDE);
DIRQL_WDF_HANDLE(WDFMEMORY);
DIRQL_WDF_HANDLE(WDFQUEUE);
DIRQL_WDF_HANDLE(WDFREQUEST);
DIRQL_WDF_HANDLE(WDFSPINLOCK);
DIRQL_WDF_HANDLE(WDFSTRING);
DIRQL_WDF_HANDLE(WDFTIMER);
DIRQL_WDF_HANDLE(WDFWAITLOCK);
DIRQL_WDF_HANDLE(WDFWORKITEM);

typedef struct WDFDEVICE_INIT *PWDFDEVICE_INIT;

#define WDF_NO_OBJECT_ATTRIBUTES NULL
#define WDF_NO_EVENT_CALLBACK NULL
#define WDF_NO_HANDLE NULL
#define WDF_NO_CONTEXT NULL
#define WDF_NO_SEND_OPTIONS NULL

#define WDF_EXTERN_C_START
#define WDF_EXTERN_C_END

#ifndef LPCGUID
#define LPCGUID const GUID *
#endif

/* A structure whose only pointer type is needed before its fields. */
#define DIRQL_WDF_STRUCT(name) typedef struct _##name name, *P##name; typedef const struct _##name *PC##name

DIRQL_WDF_STRUCT(WDF_CHILD_ADDRESS_DESCRIPTION_HEADER);
DIRQL_WDF_STRUCT(WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER);
DIRQL_WDF_STRUCT(WDF_CHILD_LIST_CONFIG);
DIRQL_WDF_STRUCT(WDF_CHILD_LIST_ITERATOR);
DIRQL_WDF_STRUCT(WDF_CHILD_RETRIEVE_INFO);
DIRQL_WDF_STRUCT(WDF_CLASS_BIND_INFO);
DIRQL_WDF_STRUCT(WDF_COMMON_BUFFER_CONFIG);
DIRQL_WDF_STRUCT(WDF_CUSTOM_TYPE_CONTEXT);
DIRQL_WDF_STRUCT(WDF_DEVICE_PNP_CAPABILITIES);
DIRQL_WDF_STRUCT(WDF_DEVICE_PNP_NOTIFICATION_DATA);
DIRQL_WDF_STRUCT(WDF_DEVICE_POWER_CAPABILITIES);
DIRQL_WDF_STRUCT(WDF_DEVICE_POWER_NOTIFICATION_DATA);
DIRQL_WDF_STRUCT(WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS);
DIRQL_WDF_STRUCT(WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA);
DIRQL_WDF_STRUCT(WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS);
DIRQL_WDF_STRUCT(WDF_DEVICE_PROPERTY_DATA);
DIRQL_WDF_STRUCT(WDF_DEVICE_STATE);
DIRQL_WDF_STRUCT(WDF_DMA_ENABLER_CONFIG);
DIRQL_WDF_STRUCT(WDF_DMA_SYSTEM_PROFILE_CONFIG);
DIRQL_WDF_STRUCT(WDF_DPC_CONFIG);
DIRQL_WDF_STRUCT(WDF_DRIVER_CONFIG);
DIRQL_WDF_STRUCT(WDF_DRIVER_GLOBALS);
DIRQL_WDF_STRUCT(WDF_DRIVER_VERSION_AVAILABLE_PARAMS);
DIRQL_WDF_STRUCT(WDF_FDO_EVENT_CALLBACKS);
DIRQL_WDF_STRUCT(WDF_FILEOBJECT_CONFIG);
DIRQL_WDF_STRUCT(WDF_INTERRUPT_CONFIG);
DIRQL_WDF_STRUCT(WDF_INTERRUPT_EXTENDED_POLICY);
DIRQL_WDF_STRUCT(WDF_INTERRUPT_INFO);
DIRQL_WDF_STRUCT(WDF_IO_QUEUE_CONFIG);
DIRQL_WDF_STRUCT(WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY);
DIRQL_WDF_STRUCT(WDF_IO_TARGET_OPEN_PARAMS);
DIRQL_WDF_STRUCT(WDF_IO_TYPE_CONFIG);
DIRQL_WDF_STRUCT(WDF_MEMORY_DESCRIPTOR);
DIRQL_WDF_STRUCT(WDF_OBJECT_ATTRIBUTES);
DIRQL_WDF_STRUCT(WDF_OBJECT_CONTEXT_TYPE_INFO);
DIRQL_WDF_STRUCT(WDF_PDO_EVENT_CALLBACKS);
DIRQL_WDF_STRUCT(WDF_PNPPOWER_EVENT_CALLBACKS);
DIRQL_WDF_STRUCT(WDF_POWER_POLICY_EVENT_CALLBACKS);
DIRQL_WDF_STRUCT(WDF_QUERY_INTERFACE_CONFIG);
DIRQL_WDF_STRUCT(WDF_REMOVE_LOCK_OPTIONS);
DIRQL_WDF_STRUCT(WDF_REQUEST_COMPLETION_PARAMS);
DIRQL_WDF_STRUCT(WDF_REQUEST_FORWARD_OPTIONS);
DIRQL_WDF_STRUCT(WDF_REQUEST_PARAMETERS);
DIRQL_WDF_STRUCT(WDF_REQUEST_REUSE_PARAMS);
DIRQL_WDF_STRUCT(WDF_REQUEST_SEND_OPTIONS);
DIRQL_WDF_STRUCT(WDF_TIMER_CONFIG);
DIRQL_WDF_STRUCT(WDF_WORKITEM_CONFIG);

typedef enum _WDF_TRI_STATE { WdfFalse, WdfTrue, WdfUseDefault } WDF_TRI_STATE, *PWDF_TRI_STATE;

typedef enum _WDF_EXECUTION_LEVEL {
    WdfExecutionLevelInvalid,
    WdfExecutionLevelInheritFromParent,
    WdfExecutionLevelPassive,
    WdfExecutionLevelDispatch,
} WDF_EXECUTION_LEVEL;

typedef enum _WDF_SYNCHRONIZATION_SCOPE {
    WdfSynchronizationScopeInvalid,
    WdfSynchronizationScopeInheritFromParent,
    WdfSynchronizationScopeDevice,
    WdfSynchronizationScopeQueue,
    WdfSynchronizationScopeNone,
} WDF_SYNCHRONIZATION_SCOPE;

typedef enum _WDF_DRIVER_INIT_FLAGS {
    WdfDriverInitNonPnpDriver = 0x01,
    WdfDriverInitNoDispatchOverride = 0x02,
    WdfVerifyOn = 0x04,
    WdfVerifierOn = 0x08,
    WdfDriverInitCompanion = 0x10,
} WDF_DRIVER_INIT_FLAGS;

typedef enum _WDF_POWER_DEVICE_STATE {
    WdfPowerDeviceInvalid,
    WdfPowerDeviceD0,
    WdfPowerDeviceD1,
    WdfPowerDeviceD2,
    WdfPowerDeviceD3,
    WdfPowerDeviceD3Final,
    WdfPowerDevicePrepareForHibernation,
    WdfPowerDeviceMaximum,
} WDF_POWER_DEVICE_STATE, *PWDF_POWER_DEVICE_STATE;

typedef enum _WDF_DEVICE_IO_TYPE {
    WdfDeviceIoUndefined,
    WdfDeviceIoNeither,
    WdfDeviceIoBuffered,
    WdfDeviceIoDirect,
    WdfDeviceIoBufferedOrDirect,
    WdfDeviceIoMaximum,
} WDF_DEVICE_IO_TYPE, *PWDF_DEVICE_IO_TYPE;

typedef enum _WDF_SPECIAL_FILE_TYPE {
    WdfSpecialFileUndefined,
    WdfSpecialFilePaging,
    WdfSpecialFileHibernation,
    WdfSpecialFileDump,
    WdfSpecialFileBoot,
    WdfSpecialFileMax,
} WDF_SPECIAL_FILE_TYPE;

typedef enum _WDF_DEVICE_FAILED_ACTION {
    WdfDeviceFailedUndefined,
    WdfDeviceFailedAttemptRestart,
    WdfDeviceFailedNoRestart,
} WDF_DEVICE_FAILED_ACTION;

/* Machine states are numbers here; only the first of each machine has a name. */
typedef enum _WDF_DEVICE_PNP_STATE { WdfDevStatePnpInvalid = 0x100 } WDF_DEVICE_PNP_STATE;
typedef enum _WDF_DEVICE_POWER_STATE { WdfDevStatePowerInvalid = 0x300 } WDF_DEVICE_POWER_STATE;
typedef enum _WDF_DEVICE_POWER_POLICY_STATE { WdfDevStatePwrPolInvalid = 0x500 } WDF_DEVICE_POWER_POLICY_STATE;

typedef enum _WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE {
    WdfReleaseHardwareOrderOnFailureInvalid,
    WdfReleaseHardwareOrderOnFailureEarly,
    WdfReleaseHardwareOrderOnFailureAfterDescendants,
} WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE;

typedef enum _WDF_POWER_POLICY_S0_IDLE_CAPABILITIES {
    IdleCapsInvalid,
    IdleCannotWakeFromS0,
    IdleCanWakeFromS0,
    IdleUsbSelectiveSuspend,
} WDF_POWER_POLICY_S0_IDLE_CAPABILITIES;

typedef enum _WDF_POWER_POLICY_S0_IDLE_USER_CONTROL {
    IdleUserControlInvalid,
    IdleDoNotAllowUserControl,
    IdleAllowUserControl,
} WDF_POWER_POLICY_S0_IDLE_USER_CONTROL;

typedef enum _WDF_POWER_POLICY_SX_WAKE_USER_CONTROL {
    WakeUserControlInvalid,
    WakeDoNotAllowUserControl,
    WakeAllowUserControl,
} WDF_POWER_POLICY_SX_WAKE_USER_CONTROL;

typedef enum _WDF_POWER_POLICY_IDLE_TIMEOUT_CONSTANTS {
    IdleTimeoutDefaultValue = 0,
} WDF_POWER_POLICY_IDLE_TIMEOUT_CONSTANTS;

typedef enum _WDF_POWER_POLICY_IDLE_TIMEOUT_TYPE {
    DriverManagedIdleTimeout,
    SystemManagedIdleTimeout,
    SystemManagedIdleTimeoutWithHint,
} WDF_POWER_POLICY_IDLE_TIMEOUT_TYPE;

typedef enum _WDF_INTERRUPT_POLICY {
    WdfIrqPolicyMachineDefault,
    WdfIrqPolicyAllCloseProcessors,
    WdfIrqPolicyOneCloseProcessor,
    WdfIrqPolicyAllProcessorsInMachine,
    WdfIrqPolicySpecifiedProcessors,
    WdfIrqPolicySpreadMessagesAcrossAllProcessors,
} WDF_INTERRUPT_POLICY, *PWDF_INTERRUPT_POLICY;

typedef enum _WDF_INTERRUPT_PRIORITY {
    WdfIrqPriorityUndefined,
    WdfIrqPriorityLow,
    WdfIrqPriorityNormal,
    WdfIrqPriorityHigh,
} WDF_INTERRUPT_PRIORITY, *PWDF_INTERRUPT_PRIORITY;

typedef enum _WDF_INTERRUPT_POLARITY {
    WdfInterruptPolarityUnknown,
    WdfInterruptActiveHigh,
    WdfInterruptActiveLow,
} WDF_INTERRUPT_POLARITY;

typedef enum _WDF_IO_QUEUE_DISPATCH_TYPE {
    WdfIoQueueDispatchInvalid,
    WdfIoQueueDispatchSequential,
    WdfIoQueueDispatchParallel,
    WdfIoQueueDispatchManual,
    WdfIoQueueDispatchMax,
} WDF_IO_QUEUE_DISPATCH_TYPE;

typedef enum _WDF_IO_QUEUE_STATE {
    WdfIoQueueAcceptRequests = 0x01,
    WdfIoQueueDispatchRequests = 0x02,
    WdfIoQueueNoRequests = 0x04,
    WdfIoQueueDriverNoRequests = 0x08,
    WdfIoQueuePnpHeld = 0x10,
} WDF_IO_QUEUE_STATE;

#define WDF_IO_QUEUE_IDLE(s) (((s) & WdfIoQueueNoRequests) && ((s) & WdfIoQueueDriverNoRequests))
#define WDF_IO_QUEUE_READY(s) (((s) & WdfIoQueueDispatchRequests) && ((s) & WdfIoQueueAcceptRequests))
#define WDF_IO_QUEUE_STOPPED(s) (!((s) & WdfIoQueueDispatchRequests) && ((s) & WdfIoQueueAcceptRequests) && ((s) & WdfIoQueueDriverNoRequests))

typedef enum _WDF_REQUEST_STOP_ACTION_FLAGS {
    WdfRequestStopActionInvalid = 0,
    WdfRequestStopActionSuspend = 0x01,
    WdfRequestStopActionPurge = 0x02,
    WdfRequestStopRequestCancelable = 0x10000000,
} WDF_REQUEST_STOP_ACTION_FLAGS;

typedef enum _WDF_IO_FORWARD_PROGRESS_ACTION {
    WdfIoForwardProgressActionInvalid,
    WdfIoForwardProgressActionFailRequest,
    WdfIoForwardProgressActionUseReservedRequest,
} WDF_IO_FORWARD_PROGRESS_ACTION;

typedef enum _WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY {
    WdfIoForwardProgressInvalidPolicy,
    WdfIoForwardProgressReservedPolicyAlwaysUseReservedRequest,
    WdfIoForwardProgressReservedPolicyUseExamine,
    WdfIoForwardProgressReservedPolicyPagingIO,
} WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY;

/* The first 0x1C are the IRP_MJ codes. */
typedef enum _WDF_REQUEST_TYPE {
    WdfRequestTypeCreate = IRP_MJ_CREATE,
    WdfRequestTypeCreateNamedPipe = IRP_MJ_CREATE_NAMED_PIPE,
    WdfRequestTypeClose = IRP_MJ_CLOSE,
    WdfRequestTypeRead = IRP_MJ_READ,
    WdfRequestTypeWrite = IRP_MJ_WRITE,
    WdfRequestTypeQueryInformation = IRP_MJ_QUERY_INFORMATION,
    WdfRequestTypeSetInformation = IRP_MJ_SET_INFORMATION,
    WdfRequestTypeFlushBuffers = IRP_MJ_FLUSH_BUFFERS,
    WdfRequestTypeDeviceControl = IRP_MJ_DEVICE_CONTROL,
    WdfRequestTypeDeviceControlInternal = IRP_MJ_INTERNAL_DEVICE_CONTROL,
    WdfRequestTypeShutdown = IRP_MJ_SHUTDOWN,
    WdfRequestTypeCleanup = IRP_MJ_CLEANUP,
    WdfRequestTypePower = IRP_MJ_POWER,
    WdfRequestTypeSystemControl = IRP_MJ_SYSTEM_CONTROL,
    WdfRequestTypePnp = IRP_MJ_PNP,
    WdfRequestTypeOther = 0x1C,
    WdfRequestTypeUsb = 0x40,
    WdfRequestTypeNoFormat = 0xFF,
    WdfRequestTypeMax = 0x100,
} WDF_REQUEST_TYPE, *PWDF_REQUEST_TYPE;

typedef enum _WDF_REQUEST_SEND_OPTIONS_FLAGS {
    WDF_REQUEST_SEND_OPTION_TIMEOUT = 0x01,
    WDF_REQUEST_SEND_OPTION_SYNCHRONOUS = 0x02,
    WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE = 0x04,
    WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET = 0x08,
} WDF_REQUEST_SEND_OPTIONS_FLAGS;

typedef enum _WDF_REQUEST_REUSE_FLAGS {
    WDF_REQUEST_REUSE_NO_FLAGS = 0,
    WDF_REQUEST_REUSE_SET_NEW_IRP = 1,
} WDF_REQUEST_REUSE_FLAGS;

typedef enum _WDF_FILEOBJECT_CLASS {
    WdfFileObjectInvalid,
    WdfFileObjectNotRequired,
    WdfFileObjectWdfCanUseFsContext,
    WdfFileObjectWdfCanUseFsContext2,
    WdfFileObjectWdfCannotUseFsContexts,
    WdfFileObjectCanBeOptional = (int)0x80000000,
} WDF_FILEOBJECT_CLASS, *PWDF_FILEOBJECT_CLASS;

typedef enum _WDF_DMA_PROFILE {
    WdfDmaProfileInvalid,
    WdfDmaProfilePacket,
    WdfDmaProfileScatterGather,
    WdfDmaProfilePacket64,
    WdfDmaProfileScatterGather64,
    WdfDmaProfileScatterGatherDuplex,
    WdfDmaProfileScatterGather64Duplex,
    WdfDmaProfileSystem,
    WdfDmaProfileSystemDuplex,
} WDF_DMA_PROFILE;

typedef enum _WDF_DMA_DIRECTION {
    WdfDmaDirectionReadFromDevice = FALSE,
    WdfDmaDirectionWriteToDevice = TRUE,
} WDF_DMA_DIRECTION;

typedef enum _WDF_MEMORY_DESCRIPTOR_TYPE {
    WdfMemoryDescriptorTypeInvalid,
    WdfMemoryDescriptorTypeBuffer,
    WdfMemoryDescriptorTypeMdl,
    WdfMemoryDescriptorTypeHandle,
} WDF_MEMORY_DESCRIPTOR_TYPE;

typedef enum _WDF_IO_TARGET_STATE {
    WdfIoTargetStateUndefined,
    WdfIoTargetStarted,
    WdfIoTargetStopped,
    WdfIoTargetClosedForQueryRemove,
    WdfIoTargetClosed,
    WdfIoTargetDeleted,
    WdfIoTargetPurged,
} WDF_IO_TARGET_STATE, *PWDF_IO_TARGET_STATE;

typedef enum _WDF_IO_TARGET_OPEN_TYPE {
    WdfIoTargetOpenUndefined,
    WdfIoTargetOpenUseExistingDevice,
    WdfIoTargetOpenByName,
    WdfIoTargetOpenReopen,
    WdfIoTargetOpenLocalTargetByFile,
} WDF_IO_TARGET_OPEN_TYPE;

typedef enum _WDF_IO_TARGET_SENT_IO_ACTION {
    WdfIoTargetSentIoUndefined,
    WdfIoTargetCancelSentIo,
    WdfIoTargetWaitForSentIoToComplete,
    WdfIoTargetLeaveSentIoPending,
} WDF_IO_TARGET_SENT_IO_ACTION;

typedef enum _WDF_IO_TARGET_PURGE_IO_ACTION {
    WdfIoTargetPurgeIoUndefined,
    WdfIoTargetPurgeIoAndWait,
    WdfIoTargetPurgeIo,
} WDF_IO_TARGET_PURGE_IO_ACTION;

typedef enum _WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS {
    WdfChildListRetrieveDeviceUndefined,
    WdfChildListRetrieveDeviceSuccess,
    WdfChildListRetrieveDeviceNotYetCreated,
    WdfChildListRetrieveDeviceNoSuchDevice,
} WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS;

typedef enum _WDF_RETRIEVE_CHILD_FLAGS {
    WdfRetrieveUnspecified = 0,
    WdfRetrievePresentChildren = 0x01,
    WdfRetrieveMissingChildren = 0x02,
    WdfRetrievePendingChildren = 0x04,
    WdfRetrieveAddedChildren = 0x05,
    WdfRetrieveAllChildren = 0x07,
} WDF_RETRIEVE_CHILD_FLAGS;

typedef enum _WDF_STATE_NOTIFICATION_TYPE {
    StateNotificationInvalid = 0,
    StateNotificationEnterState = 0x01,
    StateNotificationPostProcessState = 0x02,
    StateNotificationLeaveState = 0x04,
    StateNotificationAllStates = 0x07,
} WDF_STATE_NOTIFICATION_TYPE;

typedef enum _WDF_REMOVE_LOCK_OPTIONS_FLAGS { WDF_REMOVE_LOCK_OPTION_ACQUIRE_FOR_IO = 1 } WDF_REMOVE_LOCK_OPTIONS_FLAGS;

#endif

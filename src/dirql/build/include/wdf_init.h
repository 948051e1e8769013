/* What fills in WDF's structures, and the macros around contexts, references and timeouts; included by wdf.h only. */
#ifndef DIRQL_WDF_INIT_H
#define DIRQL_WDF_INIT_H

/* Context types. Identity is the address of the type's one description, wherever it is declared. */

#define WDF_TYPE_NAME_TO_TYPE_INFO(type) _WDF_##type##_TYPE_INFO
#define WDF_GET_CONTEXT_TYPE_INFO(type) (WDF_TYPE_NAME_TO_TYPE_INFO(type).UniqueType)
#define WDF_TYPE_NAME_POINTER_TYPE(type) WDF_POINTER_TYPE_##type

#ifdef __cplusplus
#define DIRQL_CONTEXT_TYPE extern const __declspec(selectany)
#else
#define DIRQL_CONTEXT_TYPE const __declspec(selectany)
#endif

#define DIRQL_DECLARE_TYPE_INFO(type) \
    DIRQL_CONTEXT_TYPE WDF_OBJECT_CONTEXT_TYPE_INFO _WDF_##type##_TYPE_INFO = { \
        sizeof(WDF_OBJECT_CONTEXT_TYPE_INFO), (PCHAR) #type, sizeof(type), &_WDF_##type##_TYPE_INFO, NULL}

#define WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(type, function) \
    extern const WDF_OBJECT_CONTEXT_TYPE_INFO _WDF_##type##_TYPE_INFO; \
    typedef type *WDF_POINTER_TYPE_##type; \
    DIRQL_DECLARE_TYPE_INFO(type); \
    static __inline __attribute__((unused)) type *function(WDFOBJECT handle) \
    { \
        return (type *)WdfObjectGetTypedContextWorker(handle, WDF_GET_CONTEXT_TYPE_INFO(type)); \
    }

#define WDF_DECLARE_CONTEXT_TYPE(type) WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(type, WdfObjectGet_##type)

#define WdfObjectGetTypedContext(handle, type) \
    ((type *)WdfObjectGetTypedContextWorker((WDFOBJECT)(handle), WDF_GET_CONTEXT_TYPE_INFO(type)))

FORCEINLINE void WDF_OBJECT_ATTRIBUTES_INIT(PWDF_OBJECT_ATTRIBUTES attributes)
{
    RtlZeroMemory(attributes, sizeof(*attributes));
    attributes->Size = sizeof(*attributes);
    attributes->ExecutionLevel = WdfExecutionLevelInheritFromParent;
    attributes->SynchronizationScope = WdfSynchronizationScopeInheritFromParent;
}

#define WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(attributes, type) \
    ((attributes)->ContextTypeInfo = WDF_GET_CONTEXT_TYPE_INFO(type))

#define WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(attributes, type) \
    (WDF_OBJECT_ATTRIBUTES_INIT(attributes), WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(attributes, type))

FORCEINLINE WDFDRIVER WdfGetDriver(void)
{
    return WdfDriverGlobals->Driver;
}

#define WdfObjectReference(handle) WdfObjectReferenceActual(handle, NULL, __LINE__, (PCHAR)__FILE__)
#define WdfObjectReferenceWithTag(handle, tag) WdfObjectReferenceActual(handle, tag, __LINE__, (PCHAR)__FILE__)
#define WdfObjectDereference(handle) WdfObjectDereferenceActual(handle, NULL, __LINE__, (PCHAR)__FILE__)
#define WdfObjectDereferenceWithTag(handle, tag) WdfObjectDereferenceActual(handle, tag, __LINE__, (PCHAR)__FILE__)

#if KMDF_VERSION_MINOR >= 15
#define WdfDeviceStopIdle(device, wait) WdfDeviceStopIdleActual(device, wait, NULL, __LINE__, (PCHAR)__FILE__)
#define WdfDeviceStopIdleWithTag(device, wait, tag) WdfDeviceStopIdleActual(device, wait, tag, __LINE__, (PCHAR)__FILE__)
#define WdfDeviceResumeIdle(device) WdfDeviceResumeIdleActual(device, NULL, __LINE__, (PCHAR)__FILE__)
#define WdfDeviceResumeIdleWithTag(device, tag) WdfDeviceResumeIdleActual(device, tag, __LINE__, (PCHAR)__FILE__)
#else
#define WdfDeviceStopIdle(device, wait) WdfDeviceStopIdleNoTrack(device, wait)
#define WdfDeviceResumeIdle(device) WdfDeviceResumeIdleNoTrack(device)
#endif

/* Timeouts, in units of 100 ns; relative ones are negative. */

#define WDF_TIMEOUT_TO_SEC 10000000LL
#define WDF_TIMEOUT_TO_MS 10000LL
#define WDF_TIMEOUT_TO_US 10LL

#define DIRQL_WDF_TIMEOUT(unit) \
    FORCEINLINE LONGLONG WDF_REL_TIMEOUT_IN_##unit(ULONGLONG time) { return -(LONGLONG)time * WDF_TIMEOUT_TO_##unit; } \
    FORCEINLINE LONGLONG WDF_ABS_TIMEOUT_IN_##unit(ULONGLONG time) { return (LONGLONG)time * WDF_TIMEOUT_TO_##unit; }

DIRQL_WDF_TIMEOUT(SEC)
DIRQL_WDF_TIMEOUT(MS)
DIRQL_WDF_TIMEOUT(US)

/* Configurations: all zero but the size and what the arguments and the documented defaults say. */

#define DIRQL_WDF_ZEROED(config) (RtlZeroMemory((config), sizeof(*(config))), (config)->Size = sizeof(*(config)))

FORCEINLINE void WDF_DRIVER_CONFIG_INIT(PWDF_DRIVER_CONFIG config, PFN_WDF_DRIVER_DEVICE_ADD add)
{
    DIRQL_WDF_ZEROED(config);
    config->EvtDriverDeviceAdd = add;
}

FORCEINLINE void WDF_DRIVER_VERSION_AVAILABLE_PARAMS_INIT(PWDF_DRIVER_VERSION_AVAILABLE_PARAMS params, ULONG major, ULONG minor)
{
    DIRQL_WDF_ZEROED(params);
    params->MajorVersion = major;
    params->MinorVersion = minor;
}

FORCEINLINE void WDF_PNPPOWER_EVENT_CALLBACKS_INIT(PWDF_PNPPOWER_EVENT_CALLBACKS callbacks) { DIRQL_WDF_ZEROED(callbacks); }
FORCEINLINE void WDF_POWER_POLICY_EVENT_CALLBACKS_INIT(PWDF_POWER_POLICY_EVENT_CALLBACKS callbacks) { DIRQL_WDF_ZEROED(callbacks); }
FORCEINLINE void WDF_FDO_EVENT_CALLBACKS_INIT(PWDF_FDO_EVENT_CALLBACKS callbacks) { DIRQL_WDF_ZEROED(callbacks); }
FORCEINLINE void WDF_PDO_EVENT_CALLBACKS_INIT(PWDF_PDO_EVENT_CALLBACKS callbacks) { DIRQL_WDF_ZEROED(callbacks); }

FORCEINLINE void WDF_INTERRUPT_CONFIG_INIT(PWDF_INTERRUPT_CONFIG config, PFN_WDF_INTERRUPT_ISR isr, PFN_WDF_INTERRUPT_DPC dpc)
{
    DIRQL_WDF_ZEROED(config);
    config->ShareVector = WdfUseDefault;
    config->EvtInterruptIsr = isr;
    config->EvtInterruptDpc = dpc;
#if KMDF_VERSION_MINOR >= 11
    config->ReportInactiveOnPowerDown = WdfUseDefault;
#endif
}

FORCEINLINE void WDF_INTERRUPT_INFO_INIT(PWDF_INTERRUPT_INFO info) { DIRQL_WDF_ZEROED(info); }
FORCEINLINE void WDF_INTERRUPT_EXTENDED_POLICY_INIT(PWDF_INTERRUPT_EXTENDED_POLICY policy) { DIRQL_WDF_ZEROED(policy); }

FORCEINLINE void WDF_DPC_CONFIG_INIT(PWDF_DPC_CONFIG config, PFN_WDF_DPC function)
{
    DIRQL_WDF_ZEROED(config);
    config->EvtDpcFunc = function;
    config->AutomaticSerialization = TRUE;
}

FORCEINLINE void WDF_WORKITEM_CONFIG_INIT(PWDF_WORKITEM_CONFIG config, PFN_WDF_WORKITEM function)
{
    DIRQL_WDF_ZEROED(config);
    config->EvtWorkItemFunc = function;
    config->AutomaticSerialization = TRUE;
}

FORCEINLINE void WDF_TIMER_CONFIG_INIT(PWDF_TIMER_CONFIG config, PFN_WDF_TIMER function)
{
    DIRQL_WDF_ZEROED(config);
    config->EvtTimerFunc = function;
    config->AutomaticSerialization = TRUE;
}

FORCEINLINE void WDF_TIMER_CONFIG_INIT_PERIODIC(PWDF_TIMER_CONFIG config, PFN_WDF_TIMER function, LONG period)
{
    WDF_TIMER_CONFIG_INIT(config, function);
    config->Period = (ULONG)period;
}

FORCEINLINE void WDF_IO_QUEUE_CONFIG_INIT(PWDF_IO_QUEUE_CONFIG config, WDF_IO_QUEUE_DISPATCH_TYPE type)
{
    DIRQL_WDF_ZEROED(config);
    config->DispatchType = type;
    config->PowerManaged = WdfUseDefault;
    if (type == WdfIoQueueDispatchParallel) {
        config->Settings.Parallel.NumberOfPresentedRequests = (ULONG)-1;
    }
}

FORCEINLINE void WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(PWDF_IO_QUEUE_CONFIG config, WDF_IO_QUEUE_DISPATCH_TYPE type)
{
    WDF_IO_QUEUE_CONFIG_INIT(config, type);
    config->DefaultQueue = TRUE;
}

FORCEINLINE void WDF_FILEOBJECT_CONFIG_INIT(PWDF_FILEOBJECT_CONFIG config, PFN_WDF_DEVICE_FILE_CREATE create,
                                            PFN_WDF_FILE_CLOSE close, PFN_WDF_FILE_CLEANUP cleanup)
{
    DIRQL_WDF_ZEROED(config);
    config->EvtDeviceFileCreate = create;
    config->EvtFileClose = close;
    config->EvtFileCleanup = cleanup;
    config->AutoForwardCleanupClose = WdfUseDefault;
    config->FileObjectClass = WdfFileObjectWdfCannotUseFsContexts;
}

FORCEINLINE void WDF_QUERY_INTERFACE_CONFIG_INIT(PWDF_QUERY_INTERFACE_CONFIG config, PINTERFACE exposed, const GUID *type,
                                                 PFN_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST process)
{
    DIRQL_WDF_ZEROED(config);
    config->Interface = exposed;
    config->InterfaceType = type;
    config->EvtDeviceProcessQueryInterfaceRequest = process;
}

FORCEINLINE void WDF_DEVICE_STATE_INIT(PWDF_DEVICE_STATE state)
{
    DIRQL_WDF_ZEROED(state);
    state->Disabled = state->DontDisplayInUI = state->Failed = WdfUseDefault;
    state->NotDisableable = state->Removed = state->ResourcesChanged = WdfUseDefault;
#if KMDF_VERSION_MINOR >= 31
    state->AssignedToGuest = WdfUseDefault;
#endif
}

FORCEINLINE void WDF_DEVICE_PNP_CAPABILITIES_INIT(PWDF_DEVICE_PNP_CAPABILITIES caps)
{
    DIRQL_WDF_ZEROED(caps);
    caps->LockSupported = caps->EjectSupported = caps->Removable = caps->DockDevice = caps->UniqueID = WdfUseDefault;
    caps->SilentInstall = caps->SurpriseRemovalOK = caps->HardwareDisabled = caps->NoDisplayInUI = WdfUseDefault;
    caps->Address = caps->UINumber = (ULONG)-1;
}

FORCEINLINE void WDF_DEVICE_POWER_CAPABILITIES_INIT(PWDF_DEVICE_POWER_CAPABILITIES caps)
{
    DIRQL_WDF_ZEROED(caps);
    caps->DeviceD1 = caps->DeviceD2 = WdfUseDefault;
    caps->WakeFromD0 = caps->WakeFromD1 = caps->WakeFromD2 = caps->WakeFromD3 = WdfUseDefault;
    for (ULONG i = 0; i < PowerSystemMaximum; i++) {
        caps->DeviceState[i] = PowerDeviceMaximum;
    }
    caps->DeviceWake = caps->IdealDxStateForSx = PowerDeviceMaximum;
    caps->SystemWake = PowerSystemMaximum;
    caps->D1Latency = caps->D2Latency = caps->D3Latency = (ULONG)-1;
}

FORCEINLINE void WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(PWDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings,
                                                            WDF_POWER_POLICY_S0_IDLE_CAPABILITIES caps)
{
    DIRQL_WDF_ZEROED(settings);
    settings->IdleCaps = caps;
    settings->DxState = caps == IdleCannotWakeFromS0 ? PowerDeviceD3 : PowerDeviceMaximum;
    settings->IdleTimeout = IdleTimeoutDefaultValue;
    settings->UserControlOfIdleSettings = IdleAllowUserControl;
    settings->Enabled = WdfUseDefault;
    settings->PowerUpIdleDeviceOnSystemWake = WdfUseDefault;
#if KMDF_VERSION_MINOR >= 11
    settings->IdleTimeoutType = DriverManagedIdleTimeout;
    settings->ExcludeD3Cold = WdfUseDefault;
#endif
}

FORCEINLINE void WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS_INIT(PWDF_DEVICE_POWER_POLICY_WAKE_SETTINGS settings)
{
    DIRQL_WDF_ZEROED(settings);
    settings->DxState = PowerDeviceMaximum;
    settings->UserControlOfWakeSettings = WakeAllowUserControl;
    settings->Enabled = WdfUseDefault;
}

FORCEINLINE void WDF_DEVICE_PROPERTY_DATA_INIT(PWDF_DEVICE_PROPERTY_DATA data, const DEVPROPKEY *key)
{
    DIRQL_WDF_ZEROED(data);
    data->PropertyKey = key;
}

FORCEINLINE void WDF_IO_TYPE_CONFIG_INIT(PWDF_IO_TYPE_CONFIG config)
{
    DIRQL_WDF_ZEROED(config);
    config->ReadWriteIoType = config->DeviceControlIoType = WdfDeviceIoBuffered;
}

FORCEINLINE void WDF_REMOVE_LOCK_OPTIONS_INIT(PWDF_REMOVE_LOCK_OPTIONS options, ULONG flags)
{
    DIRQL_WDF_ZEROED(options);
    options->Flags = flags;
}

FORCEINLINE void WDF_DMA_ENABLER_CONFIG_INIT(PWDF_DMA_ENABLER_CONFIG config, WDF_DMA_PROFILE profile, size_t maximum)
{
    DIRQL_WDF_ZEROED(config);
    config->Profile = profile;
    config->MaximumLength = maximum;
}

FORCEINLINE void WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(PWDF_DMA_SYSTEM_PROFILE_CONFIG config, PHYSICAL_ADDRESS address,
                                                    DMA_WIDTH width, PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor)
{
    DIRQL_WDF_ZEROED(config);
    config->DeviceAddress = address;
    config->DmaWidth = width;
    config->DmaDescriptor = descriptor;
}

FORCEINLINE void WDF_COMMON_BUFFER_CONFIG_INIT(PWDF_COMMON_BUFFER_CONFIG config, ULONG alignment)
{
    DIRQL_WDF_ZEROED(config);
    config->AlignmentRequirement = alignment;
}

FORCEINLINE void WDF_REQUEST_PARAMETERS_INIT(PWDF_REQUEST_PARAMETERS parameters) { DIRQL_WDF_ZEROED(parameters); }

FORCEINLINE void WDF_REQUEST_COMPLETION_PARAMS_INIT(PWDF_REQUEST_COMPLETION_PARAMS params)
{
    DIRQL_WDF_ZEROED(params);
    params->Type = WdfRequestTypeNoFormat;
}

FORCEINLINE void WDF_REQUEST_SEND_OPTIONS_INIT(PWDF_REQUEST_SEND_OPTIONS options, ULONG flags)
{
    DIRQL_WDF_ZEROED(options);
    options->Flags = flags;
}

FORCEINLINE void WDF_REQUEST_SEND_OPTIONS_SET_TIMEOUT(PWDF_REQUEST_SEND_OPTIONS options, LONGLONG timeout)
{
    options->Flags |= WDF_REQUEST_SEND_OPTION_TIMEOUT;
    options->Timeout = timeout;
}

FORCEINLINE void WDF_REQUEST_REUSE_PARAMS_INIT(PWDF_REQUEST_REUSE_PARAMS params, ULONG flags, NTSTATUS status)
{
    DIRQL_WDF_ZEROED(params);
    params->Flags = flags;
    params->Status = status;
}

FORCEINLINE void WDF_REQUEST_FORWARD_OPTIONS_INIT(PWDF_REQUEST_FORWARD_OPTIONS options)
{
    DIRQL_WDF_ZEROED(options);
    options->Flags = 1; /* send and forget, the only way there is */
}

FORCEINLINE void WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(PWDF_MEMORY_DESCRIPTOR descriptor, PVOID buffer, ULONG length)
{
    RtlZeroMemory(descriptor, sizeof(*descriptor));
    descriptor->Type = WdfMemoryDescriptorTypeBuffer;
    descriptor->u.BufferType.Buffer = buffer;
    descriptor->u.BufferType.Length = length;
}

FORCEINLINE void WDF_MEMORY_DESCRIPTOR_INIT_HANDLE(PWDF_MEMORY_DESCRIPTOR descriptor, WDFMEMORY memory, PWDFMEMORY_OFFSET offsets)
{
    RtlZeroMemory(descriptor, sizeof(*descriptor));
    descriptor->Type = WdfMemoryDescriptorTypeHandle;
    descriptor->u.HandleType.Memory = memory;
    descriptor->u.HandleType.Offsets = offsets;
}

FORCEINLINE void WDF_MEMORY_DESCRIPTOR_INIT_MDL(PWDF_MEMORY_DESCRIPTOR descriptor, PMDL mdl, ULONG length)
{
    RtlZeroMemory(descriptor, sizeof(*descriptor));
    descriptor->Type = WdfMemoryDescriptorTypeMdl;
    descriptor->u.MdlType.Mdl = mdl;
    descriptor->u.MdlType.BufferLength = length;
}

FORCEINLINE void WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(PWDF_IO_TARGET_OPEN_PARAMS params, PDEVICE_OBJECT device)
{
    DIRQL_WDF_ZEROED(params);
    params->Type = WdfIoTargetOpenUseExistingDevice;
    params->TargetDeviceObject = device;
}

FORCEINLINE void WDF_IO_TARGET_OPEN_PARAMS_INIT_OPEN_BY_NAME(PWDF_IO_TARGET_OPEN_PARAMS params, PCUNICODE_STRING name,
                                                             ACCESS_MASK access)
{
    DIRQL_WDF_ZEROED(params);
    params->Type = WdfIoTargetOpenByName;
    params->TargetDeviceName = *name;
    params->DesiredAccess = access;
    params->CreateOptions = FILE_NON_DIRECTORY_FILE;
}

FORCEINLINE void WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER_INIT(PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER header, ULONG size)
{
    RtlZeroMemory(header, size);
    header->IdentificationDescriptionSize = size;
}

FORCEINLINE void WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER header, ULONG size)
{
    RtlZeroMemory(header, size);
    header->AddressDescriptionSize = size;
}

FORCEINLINE void WDF_CHILD_LIST_CONFIG_INIT(PWDF_CHILD_LIST_CONFIG config, ULONG size, PFN_WDF_CHILD_LIST_CREATE_DEVICE create)
{
    DIRQL_WDF_ZEROED(config);
    config->IdentificationDescriptionSize = size;
    config->EvtChildListCreateDevice = create;
}

FORCEINLINE void WDF_CHILD_LIST_ITERATOR_INIT(PWDF_CHILD_LIST_ITERATOR iterator, ULONG flags)
{
    DIRQL_WDF_ZEROED(iterator);
    iterator->Flags = flags;
}

FORCEINLINE void WDF_CHILD_RETRIEVE_INFO_INIT(PWDF_CHILD_RETRIEVE_INFO info, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER description)
{
    DIRQL_WDF_ZEROED(info);
    info->IdentificationDescription = description;
}

#endif

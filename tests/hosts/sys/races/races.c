/* What the ISR and the DPC of a message share, and how, goes by its number. */
#include <ntddk.h>
#include <wdf.h>

enum {
    PLAIN,              /* the ISR counts up, the DPC down, and nobody locks */
    LOCKED,             /* the DPC holds the interrupt's lock */
    INTERLOCKED,        /* both by Interlocked operations */
    SPIN, SPIN_TOO,     /* the DPCs of two messages share a counter under one spin lock */
    GLOBAL, GLOBAL_TOO, /* the same without, in a static variable */
    POOL, POOL_TOO      /* the same in a block of pool */
};

typedef struct DEVICE {
    WDFSPINLOCK Lock;
    LONG Total;
    LONG *Block;
} DEVICE;

typedef struct MESSAGE {
    LONG volatile Count;
    ULONG Id;
} MESSAGE;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(DEVICE, GetDevice)
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(MESSAGE, GetMessage)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtDeviceReleaseHardware;
EVT_WDF_INTERRUPT_ISR EvtIsr;
EVT_WDF_INTERRUPT_DPC EvtDpc;

LONG Calls;

BOOLEAN NTAPI EvtIsr(WDFINTERRUPT Interrupt, ULONG MessageId)
{
    MESSAGE *message = GetMessage(Interrupt);

    if (MessageId == INTERLOCKED) {
        InterlockedIncrement(&message->Count);
    } else if (MessageId <= LOCKED) {
        message->Count++;
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    MESSAGE *message = GetMessage(Interrupt);
    DEVICE *device = GetDevice(Device);

    switch (message->Id) {
    case PLAIN:
        message->Count--;
        break;
    case LOCKED:
        WdfInterruptAcquireLock(Interrupt);
        message->Count--;
        WdfInterruptReleaseLock(Interrupt);
        break;
    case INTERLOCKED:
        InterlockedExchange(&message->Count, 0);
        break;
    case SPIN:
    case SPIN_TOO:
        WdfSpinLockAcquire(device->Lock);
        device->Total++;
        WdfSpinLockRelease(device->Lock);
        break;
    case GLOBAL:
    case GLOBAL_TOO:
        Calls++;
        break;
    case POOL:
    case POOL_TOO:
        ++*device->Block;
        break;
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    DEVICE *device = GetDevice(Device);
    WDF_INTERRUPT_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFINTERRUPT interrupt;
    NTSTATUS status;
    ULONG i, id = 0;

    device->Block = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(LONG), 'ecaR');
    if (device->Block == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    status = WdfSpinLockCreate(&attributes, &device->Lock);
    for (i = 0; NT_SUCCESS(status) && i < WdfCmResourceListGetCount(Translated); i++) {
        if (WdfCmResourceListGetDescriptor(Translated, i)->Type == CmResourceTypeInterrupt) {
            WDF_INTERRUPT_CONFIG_INIT(&config, EvtIsr, EvtDpc);
            config.InterruptRaw = WdfCmResourceListGetDescriptor(Raw, i);
            config.InterruptTranslated = WdfCmResourceListGetDescriptor(Translated, i);
            WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, MESSAGE);
            status = WdfInterruptCreate(Device, &config, &attributes, &interrupt);
            if (NT_SUCCESS(status)) {
                GetMessage(interrupt)->Id = id++;
            }
        }
    }
    return status;
}

NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST Translated)
{
    UNREFERENCED_PARAMETER(Translated);
    if (GetDevice(Device)->Block != NULL) {
        ExFreePoolWithTag(GetDevice(Device)->Block, 'ecaR');
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EvtDeviceReleaseHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, DEVICE);
    return WdfDeviceCreate(&DeviceInit, &attributes, &device);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDriverDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

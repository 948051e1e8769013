/* What the DPC (or the ISR) of a message does wrong with its locks goes by its number. */
#include <ntddk.h>
#include <wdf.h>

enum {
    CLEAN,            /* everything in one order, and given back */
    KEEPS,            /* the DPC returns with the spin lock */
    ORDER, ORDER_TOO, /* two DPCs take two spin locks in two orders */
    ISR_TOO,          /* the ISR takes the spin lock that DPCs hold at DISPATCH_LEVEL */
    WAITS             /* the DPC waits for an event */
};

typedef struct DEVICE {
    WDFSPINLOCK Lock;
    KSPIN_LOCK A, B;
    KEVENT Event;
} DEVICE;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(DEVICE, GetDevice)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_INTERRUPT_ISR EvtIsr;
EVT_WDF_INTERRUPT_DPC EvtDpc;

BOOLEAN NTAPI EvtIsr(WDFINTERRUPT Interrupt, ULONG MessageId)
{
    DEVICE *device = GetDevice(WdfInterruptGetDevice(Interrupt));

    if (MessageId == ISR_TOO) {
        KeAcquireSpinLockAtDpcLevel(&device->A);
        KeReleaseSpinLockFromDpcLevel(&device->A);
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

static void Nested(KSPIN_LOCK *outer, KSPIN_LOCK *inner)
{
    KIRQL irql;

    KeAcquireSpinLock(outer, &irql);
    KeAcquireSpinLockAtDpcLevel(inner);
    KeReleaseSpinLockFromDpcLevel(inner);
    KeReleaseSpinLock(outer, irql);
}

void NTAPI EvtDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    WDF_INTERRUPT_INFO info;
    DEVICE *device = GetDevice(Device);

    WDF_INTERRUPT_INFO_INIT(&info);
    WdfInterruptGetInfo(Interrupt, &info);
    switch (info.MessageNumber) {
    case CLEAN:
        WdfSpinLockAcquire(device->Lock);
        Nested(&device->A, &device->B);
        WdfSpinLockRelease(device->Lock);
        break;
    case KEEPS:
        WdfSpinLockAcquire(device->Lock);
        break;
    case ORDER:
    case ISR_TOO:
        Nested(&device->A, &device->B);
        break;
    case ORDER_TOO:
        Nested(&device->B, &device->A);
        break;
    case WAITS:
        KeWaitForSingleObject(&device->Event, Executive, KernelMode, FALSE, NULL);
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
    ULONG i;

    PAGED_CODE();
    KeInitializeSpinLock(&device->A);
    KeInitializeSpinLock(&device->B);
    KeInitializeEvent(&device->Event, NotificationEvent, FALSE);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    status = WdfSpinLockCreate(&attributes, &device->Lock);
    for (i = 0; NT_SUCCESS(status) && i < WdfCmResourceListGetCount(Translated); i++) {
        if (WdfCmResourceListGetDescriptor(Translated, i)->Type == CmResourceTypeInterrupt) {
            WDF_INTERRUPT_CONFIG_INIT(&config, EvtIsr, EvtDpc);
            config.InterruptRaw = WdfCmResourceListGetDescriptor(Raw, i);
            config.InterruptTranslated = WdfCmResourceListGetDescriptor(Translated, i);
            status = WdfInterruptCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
        }
    }
    return status;
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtDevicePrepareHardware;
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

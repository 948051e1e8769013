/* A driver for any KMDF from 1.9 on: an interrupt object for each message, and a DPC for each. */
#include <ntddk.h>
#include <wdf.h>

#if defined(KMDF_MINIMUM_VERSION_REQUIRED)
extern ULONG WdfStructureCount;
extern size_t *WdfStructures;
extern BOOLEAN WdfClientVersionHigherThanFramework;
#define NEWER WdfClientVersionHigherThanFramework
#else
#define NEWER FALSE
#endif
#define MESSAGES 9

static EVT_WDF_INTERRUPT_ISR Isr;
static BOOLEAN NTAPI Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    DbgPrint("message %u", MessageID);
    return WdfInterruptQueueDpcForIsr(Interrupt);
}

static EVT_WDF_INTERRUPT_DPC Dpc;
static void NTAPI Dpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    UNREFERENCED_PARAMETER(Interrupt);
    UNREFERENCED_PARAMETER(Device);
}

#if KMDF_VERSION_MINOR >= 11

static EVT_WDF_DEVICE_PREPARE_HARDWARE PrepareHardware;
static NTSTATUS NTAPI PrepareHardware(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i;

    for (i = 0; NT_SUCCESS(status) && i < WdfCmResourceListGetCount(Translated); i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(Translated, i);
        if (descriptor->Type == CmResourceTypeInterrupt) {
            WDF_INTERRUPT_CONFIG config;
            WDFINTERRUPT interrupt;
            WDF_INTERRUPT_CONFIG_INIT(&config, Isr, Dpc);
            config.InterruptRaw = WdfCmResourceListGetDescriptor(Raw, i);
            config.InterruptTranslated = descriptor;
            status = WdfInterruptCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
        }
    }
    return status;
}

#endif

static EVT_WDF_DEVICE_D0_ENTRY D0Entry;
static NTSTATUS NTAPI D0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(PreviousState);
    return STATUS_SUCCESS;
}

static EVT_WDF_DRIVER_DEVICE_ADD DeviceAdd;
static NTSTATUS NTAPI DeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = D0Entry;
#if KMDF_VERSION_MINOR >= 11
    callbacks.EvtDevicePrepareHardware = PrepareHardware;
#endif
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    status = WdfDeviceCreate(&DeviceInit, WDF_NO_OBJECT_ATTRIBUTES, &device);
#if KMDF_VERSION_MINOR < 11
    for (ULONG i = 0; NT_SUCCESS(status) && i < MESSAGES; i++) { /* the framework gives them what is granted, in order */
        WDF_INTERRUPT_CONFIG config;
        WDFINTERRUPT interrupt;
        WDF_INTERRUPT_CONFIG_INIT(&config, Isr, Dpc);
        status = WdfInterruptCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
    }
#endif
    return status;
}

DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    DbgPrint("newer than the framework: %u", NEWER);
#ifdef KMDF_MINIMUM_VERSION_REQUIRED
    if (WdfClientVersionHigherThanFramework) {
        DbgPrint("%u structures, WDF_INTERRUPT_CONFIG %Iu", WdfStructureCount, WdfStructures[29]);
    }
#endif
    WDF_DRIVER_CONFIG_INIT(&config, DeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

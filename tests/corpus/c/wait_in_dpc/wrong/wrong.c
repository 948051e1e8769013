/* A DPC waits for a mutex. There is no thread to put to sleep at DISPATCH_LEVEL, even where the mutex is free as a rule. */
#include "../../common/card.h"

typedef struct SERIAL {
    KMUTEX One; /* one DPC at a time tells the card */
} SERIAL;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(SERIAL, GetSerial)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    SERIAL *serial = GetSerial(AssociatedObject);
    CARD *card = GetCard(AssociatedObject);
    ULONG queue;

    UNREFERENCED_PARAMETER(Interrupt);
    KeWaitForSingleObject(&serial->One, Executive, KernelMode, FALSE, NULL);
    for (queue = 0; queue < 2; queue++) {
        Write(card, TAKE(queue), ALL_JOBS);
    }
    KeReleaseMutex(&serial->One, FALSE);
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    return PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;
    SERIAL *serial;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    status = CreateCard(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, SERIAL);
    status = WdfObjectAllocateContext(device, &attributes, (PVOID *)&serial);
    if (NT_SUCCESS(status)) {
        KeInitializeMutex(&serial->One, 0);
    }
    return status;
}

/* Freed where it is forgotten. */
#include "../../common/card.h"

#define POOL_TAG 'tatS'
#define SLOTS 16

typedef struct HISTORY {
    ULONG *Slots; /* when the last messages came */
    volatile LONG Next;
} HISTORY;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(HISTORY, GetHistory)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    HISTORY *history = GetHistory(WdfInterruptGetDevice(Interrupt));

    history->Slots[InterlockedIncrement(&history->Next) % SLOTS] = MessageID;
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    UNREFERENCED_PARAMETER(Interrupt);
    Write(GetCard(AssociatedObject), TAKE(0), ALL_JOBS);
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    HISTORY *history = GetHistory(Device);
    WDF_INTERRUPT_CONFIG config;

    history->Slots = ExAllocatePool2(POOL_FLAG_NON_PAGED, SLOTS * sizeof(ULONG), POOL_TAG);
    if (history->Slots == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    return PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
}

static NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    HISTORY *history = GetHistory(Device);

    if (history->Slots != NULL) {
        ExFreePoolWithTag(history->Slots, POOL_TAG);
        history->Slots = NULL;
    }
    return ReleaseCard(Device, ResourcesTranslated);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    callbacks.EvtDeviceReleaseHardware = EvtDeviceReleaseHardware;
    status = CreateCard(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, HISTORY);
    return WdfObjectAllocateContext(device, &attributes, NULL);
}

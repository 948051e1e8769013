/* Freed where it is forgotten. */
#include "../../common/card.h"

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

    history->Slots = ExAllocatePool2(POOL_FLAG_NON_PAGED, SLOTS * sizeof(ULONG), POOL_TAG);
    if (history->Slots == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return PrepareMessages(Device, ResourcesRaw, ResourcesTranslated, EvtInterruptIsr, EvtInterruptDpc);
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
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    return AddCard(DeviceInit, EvtDeviceReleaseHardware, WDF_GET_CONTEXT_TYPE_INFO(HISTORY), &device);
}

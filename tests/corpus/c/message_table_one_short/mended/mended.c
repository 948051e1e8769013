/* As many entries as there are messages. */
#include "../../common/card.h"

#define QUEUES 3

typedef struct ENTRY {
    WDFINTERRUPT Interrupt;
    ULONG64 Served;
} ENTRY;

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    ENTRY *table = GetCard(WdfInterruptGetDevice(Interrupt))->Block;

    table[MessageID].Served++;
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    UNREFERENCED_PARAMETER(Interrupt);
    TakeAll(GetCard(AssociatedObject), QUEUES);
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    CARD *card = GetCard(Device);
    ENTRY *table;
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupts[QUEUES + 1];
    NTSTATUS status;
    ULONG i;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    status = PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, interrupts);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    table = ExAllocatePool2(POOL_FLAG_NON_PAGED, card->Messages * sizeof(ENTRY), POOL_TAG);
    card->Block = table;
    if (table == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (i = 0; i < card->Messages; i++) {
        table[i].Interrupt = interrupts[i];
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    return AddCard(DeviceInit, ReleaseCard, NULL, &device);
}
